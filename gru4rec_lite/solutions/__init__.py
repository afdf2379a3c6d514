"""Solutions of the exercises; `make refresh` writes them into the chapters, the tests run them."""

from .baselines import SequentialRules, chain_probability, together
from .batching import carry, padding_waste, widths
from .experiments import relative_gain, way_to_the_ceiling, which_is_better
from .gates import keep_bias, minimal_unit, one_click
from .losses import equal_scores_gradients, stable_cross_entropy, starving_point
from .museum import from_loud_to_flattering, lanes_are_alone, lanes_from_a_queue
from .network import after_the_hat, fold, n_parameters, price_gap
from .ranking import flattering_sample, rank_measures, sampled_chance
from .sampling import expected_counts, matrix_counts, samples_until_half
from .sessions import cut_at_pauses, predictions_left, split_leaks
from .training import adagrad_moves, update_rows, verdict

__all__ = [
    "SequentialRules",
    "adagrad_moves",
    "after_the_hat",
    "carry",
    "chain_probability",
    "cut_at_pauses",
    "equal_scores_gradients",
    "expected_counts",
    "flattering_sample",
    "fold",
    "from_loud_to_flattering",
    "keep_bias",
    "lanes_are_alone",
    "lanes_from_a_queue",
    "matrix_counts",
    "minimal_unit",
    "n_parameters",
    "one_click",
    "padding_waste",
    "predictions_left",
    "price_gap",
    "rank_measures",
    "relative_gain",
    "sampled_chance",
    "samples_until_half",
    "split_leaks",
    "stable_cross_entropy",
    "starving_point",
    "together",
    "update_rows",
    "verdict",
    "way_to_the_ceiling",
    "which_is_better",
    "widths",
]
