"""The rank of the item that was clicked next, and what is counted from it.

Recall@k is the share of predictions whose target is among the first k; MRR@k is the mean of 1/rank, with 0 beyond k.
Both are means over predictions, never over batches.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

TIES = ("conservative", "standard", "median")


def rank_of_target(scores: Tensor, targets: Tensor, ties: str = "conservative") -> Tensor:
    """Rank of each row's target among all items, 1 for the best.

    Args:
        scores: ``(P, N)`` float, one row per prediction.
        targets: ``(P,)`` int64, the item that was clicked.
        ties: how items of the target's score are counted: "conservative" (all before the target, so that constant
            scores earn nothing), "standard" (all behind it), "median" (half of them before).

    Returns:
        ``(P,)`` float64 ranks on the CPU; halves occur with "median".

    Raises:
        ValueError: an unknown tie rule, or scores that are not numbers.
    """
    if ties not in TIES:
        raise ValueError(f"ties={ties!r}: must be one of {', '.join(TIES)}")
    target = scores.gather(1, targets.to(scores.device).unsqueeze(1))  # (P, 1)
    above = (scores > target).sum(dim=1).cpu()  # counts go to the CPU: not every accelerator has float64
    at_least = (scores >= target).sum(dim=1).cpu()
    if bool(scores.isnan().any()):
        raise ValueError(
            "scores: not a number (NaN) for some item; a rank would be meaningless. Did the training diverge?"
        )
    if ties == "standard":
        return above.double() + 1
    return at_least.double() if ties == "conservative" else (above + at_least + 1).double() / 2


def recall_at(ranks: np.ndarray, cutoff: int) -> np.ndarray:
    """Per prediction 1 if the target is among the first ``cutoff``, else 0: ``(P,) -> (P,)``. Recall@k is the mean."""
    return (np.asarray(ranks) <= cutoff).astype(float)


def mrr_at(ranks: np.ndarray, cutoff: int) -> np.ndarray:
    """Per prediction 1/rank if the target is in the first ``cutoff``, else 0: ``(P,) -> (P,)``. MRR@k is the mean."""
    ranks = np.asarray(ranks, dtype=float)
    return np.where(ranks <= cutoff, 1.0 / ranks, 0.0)


def bootstrap(values: np.ndarray, sessions: np.ndarray, n: int = 1000, seed: int = 0) -> np.ndarray:
    """Means of ``n`` resampled test sets, to read an interval from.

    Whole sessions are drawn with replacement, not predictions: those of one session stand and fall together, so drawing
    them one by one would promise too narrow an interval.

    Args:
        values: ``(P,)`` or ``(P, M)`` value(s) of each prediction.
        sessions: ``(P,)`` the session of each prediction.

    Returns:
        ``(n,)`` or ``(n, M)`` means over the predictions of each resample.

    Source: Efron & Tibshirani, "An introduction to the bootstrap", 1993, ch. 8 (resample the independent unit).
    """
    values = np.asarray(values, dtype=float)
    flat = values[:, None] if values.ndim == 1 else values
    _, number = np.unique(sessions, return_inverse=True)
    n_sessions = int(number.max(initial=-1)) + 1
    if n_sessions == 0:
        return np.full((n, *values.shape[1:]), np.nan)
    size = np.bincount(number, minlength=n_sessions)
    totals = np.stack([np.bincount(number, column, n_sessions) for column in flat.T], axis=1)  # (S, M)
    rng = np.random.default_rng(seed)
    means = np.empty((n, flat.shape[1]))
    for i in range(n):
        drawn = np.bincount(
            rng.integers(n_sessions, size=n_sessions), minlength=n_sessions
        )  # how often each session came
        means[i] = drawn @ totals / (drawn @ size)
    return means.reshape(n, *values.shape[1:])
