"""Instant feedback for the exercises: right, or which misconception the answer points to. Nothing here raises."""

from .baselines import baselines_chain, baselines_rules, baselines_together
from .batching import batching_carry, batching_waste, batching_widths
from .experiments import experiments_distance, experiments_gain, experiments_verdict
from .ranking import ranking_chance, ranking_flattery, ranking_measures
from .sessions import sessions_cut, sessions_leaks, sessions_left
from .training import training_adagrad, training_rows, training_verdict

__all__ = [
    "baselines_chain", "baselines_rules", "baselines_together",
    "batching_carry", "batching_waste", "batching_widths", "experiments_distance", "experiments_gain",
    "experiments_verdict", "ranking_chance", "ranking_flattery", "ranking_measures",
    "sessions_cut", "sessions_leaks", "sessions_left",
    "training_adagrad", "training_rows", "training_verdict",
]  # fmt: skip
