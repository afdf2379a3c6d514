"""Solutions of the exercises; `make refresh` writes them into the chapters, the tests run them."""

from .baselines import SequentialRules, chain_probability, together
from .batching import carry, padding_waste, widths
from .experiments import relative_gain, way_to_the_ceiling, which_is_better
from .ranking import flattering_sample, rank_measures, sampled_chance
from .sessions import cut_at_pauses, predictions_left, split_leaks
from .training import adagrad_moves, update_rows, verdict

__all__ = [
    "SequentialRules",
    "adagrad_moves",
    "carry",
    "chain_probability",
    "cut_at_pauses",
    "flattering_sample",
    "padding_waste",
    "predictions_left",
    "rank_measures",
    "relative_gain",
    "sampled_chance",
    "split_leaks",
    "together",
    "update_rows",
    "verdict",
    "way_to_the_ceiling",
    "which_is_better",
    "widths",
]
