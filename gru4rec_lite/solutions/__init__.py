"""Solutions of the exercises; `make refresh` writes them into the chapters, the tests run them."""

from .baselines import SequentialRules, chain_probability, together
from .batching import carry, padding_waste, widths
from .experiments import relative_gain, way_to_the_ceiling
from .ranking import flattering_sample, rank_measures, sampled_chance
from .sessions import cut_at_pauses, predictions_left, split_leaks
from .training import adagrad_moves, update_rows, verdict

__all__ = [
    "predictions_left", "cut_at_pauses", "split_leaks",
    "rank_measures", "sampled_chance", "flattering_sample",
    "chain_probability", "together", "SequentialRules",
    "widths", "padding_waste", "carry",
    "adagrad_moves", "update_rows", "verdict",
    "relative_gain", "way_to_the_ceiling",
]  # fmt: skip
