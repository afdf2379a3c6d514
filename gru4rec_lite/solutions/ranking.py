"""Solutions of chapter 2."""

from __future__ import annotations

from math import comb

import numpy as np

from .. import metrics


def rank_measures() -> tuple[float, float]:
    # ranks 2, 20, 1, 25, 5: four of five are at most 20; 1/2 + 1/20 + 1 + 0 + 1/5 = 1.75, and five predictions
    return 4 / 5, 1.75 / 5


def sampled_chance(rank: int, k: int, n_items: int, n_sampled: int) -> float:
    better, worse = rank - 1, n_items - rank
    hits = sum(  # samples that hold b better items, for every b that leaves the target in the list
        comb(better, b) * comb(worse, n_sampled - b) for b in range(min(k, n_sampled + 1))
    )
    return hits / comb(n_items - 1, n_sampled)


def flattering_sample(weak: np.ndarray, strong: np.ndarray, n_items: int) -> int:
    goal, n = metrics.recall_at(strong, 5).mean(), 1
    while n + 1 < n_items and metrics.sampled_recall_at(weak, 5, n_items, n + 1).mean() >= goal:
        n += 1  # a larger sample is harder, so the first failure is the last to look at
    return n
