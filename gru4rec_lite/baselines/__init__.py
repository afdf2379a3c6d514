"""Baselines, which a network has to beat: the same fit, scores and recommend, without a network.

To try your own idea, derive from `ByHistory` and write ``score``.
"""

from .bpr_mf import BPRMF
from .by_history import ByHistory
from .item_knn import ItemKNN
from .markov import Markov
from .pop import Pop
from .s_pop import SPop
from .sknn import SKNN, STAN, VSKNN

__all__ = ["BPRMF", "SKNN", "STAN", "VSKNN", "ByHistory", "ItemKNN", "Markov", "Pop", "SPop"]
