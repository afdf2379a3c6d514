"""Instant feedback for the exercises: right, or which misconception the answer points to. Nothing here raises."""

from .baselines import baselines_chain, baselines_rules, baselines_together
from .batching import batching_carry, batching_waste, batching_widths
from .experiments import experiments_distance, experiments_gain, experiments_verdict
from .gates import gates_bias, gates_click, gates_minimal
from .losses import losses_equal_scores, losses_stable, losses_starved
from .museum import museum_batcher, museum_catch, museum_mystery, museum_order
from .network import network_count, network_fold, network_hat, network_price
from .ranking import ranking_chance, ranking_flattery, ranking_measures
from .sampling import sampling_expected, sampling_half, sampling_matrix
from .sessions import sessions_cut, sessions_leaks, sessions_left
from .training import training_adagrad, training_rows, training_verdict

__all__ = [
    "baselines_chain",
    "baselines_rules",
    "baselines_together",
    "batching_carry",
    "batching_waste",
    "batching_widths",
    "experiments_distance",
    "experiments_gain",
    "experiments_verdict",
    "gates_bias",
    "gates_click",
    "gates_minimal",
    "losses_equal_scores",
    "losses_stable",
    "losses_starved",
    "museum_batcher",
    "museum_catch",
    "museum_mystery",
    "museum_order",
    "network_count",
    "network_fold",
    "network_hat",
    "network_price",
    "ranking_chance",
    "ranking_flattery",
    "ranking_measures",
    "sampling_expected",
    "sampling_half",
    "sampling_matrix",
    "sessions_cut",
    "sessions_leaks",
    "sessions_left",
    "training_adagrad",
    "training_rows",
    "training_verdict",
]
