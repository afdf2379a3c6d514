"""What a network has to beat: the same fit, scores and recommend, no gradient."""

from .markov import Markov
from .pop import Pop

__all__ = ["Markov", "Pop"]
