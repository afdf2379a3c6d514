"""What a network has to beat: the same fit, scores and recommend, no network.

To try an idea of your own, derive from `ByHistory` and write ``score``.
"""

from .bpr_mf import BPRMF
from .by_history import ByHistory
from .item_knn import ItemKNN
from .markov import Markov
from .pop import Pop
from .s_pop import SPop
from .sknn import SKNN, STAN, VSKNN

__all__ = ["BPRMF", "SKNN", "STAN", "VSKNN", "ByHistory", "ItemKNN", "Markov", "Pop", "SPop"]
