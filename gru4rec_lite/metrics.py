"""The rank of the item that was clicked next, and the metrics computed from it.

Recall@k is the share of predictions whose target is among the first k; MRR@k is the mean of 1/rank, with 0 beyond k.
Both are means over predictions, never over batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .internal.checks import require_one_of, require_tensor, require_that, require_whole

TIES = ("conservative", "standard", "median")
COMPARED_AT_ONCE = 2_000_000  # comparisons held in memory at a time


def rank_of_target(scores: Tensor, targets: Tensor, ties: str = "conservative") -> Tensor:
    """Rank of each row's target among all items, 1 for the best.

    Args:
        scores: ``(P, N)`` float, one row per prediction.
        targets: ``(P,)`` int64, the item that was clicked.
        ties: where items with the target's score count: "conservative" (all before the target, so that constant
            scores earn nothing), "standard" (all after it), "median" (half of them before it).

    Returns:
        ``(P,)`` float64 ranks on the CPU; "median" can give halves.

    Raises:
        ValueError: an unknown tie rule, or scores that are not numbers.
    """
    _check_scores(scores, targets)
    return checked_ranks(doubled_rank(scores, targets, ties))


def doubled_rank(scores: Tensor, targets: Tensor, ties: str) -> Tensor:
    """Twice each row's rank, 0 where a score is NaN: ``(P, N), (P,) -> (P,)`` int64, exact, without waiting for the
    device. Read many of them at once with `checked_ranks`.
    """
    require_one_of("ties", ties, TIES)
    target = scores.gather(1, targets.to(scores.device).unsqueeze(1))  # (P, 1), from the scores it is compared with
    if ties == "standard":
        doubled = 2 * _count(torch.gt, scores, target) + 2
    elif ties == "conservative":
        doubled = 2 * _count(torch.ge, scores, target)
    else:
        doubled = _count(torch.gt, scores, target) + _count(torch.ge, scores, target) + 1
    return doubled.masked_fill(scores.amax(dim=1).isnan(), 0)  # the maximum is NaN if any of them is


def checked_ranks(doubled: Tensor) -> Tensor:
    """``(P,)`` float64 ranks on the CPU from doubled ones; ValueError if a score was NaN."""
    doubled = doubled.cpu()  # before the division: not every accelerator has float64
    if not bool(doubled.all()):
        raise ValueError(
            "scores: not a number (NaN) for some item; a rank would be meaningless. Did the training diverge?"
        )
    return doubled.double() / 2


def _count(compare: Callable, scores: Tensor, target: Tensor) -> Tensor:
    """For how many scores of each row ``compare`` with the target holds: ``(P, N), (P, 1) -> (P,)`` int64.

    Comparisons are written as floats, 0 or 1: a sum of booleans takes up to 10 times as long. One block of them, at
    most 8 MB, is small enough for float32 to count exactly (below 2^24).
    """
    count = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
    for part in scores.split(max(1, COMPARED_AT_ONCE // max(1, len(scores))), dim=1):
        is_so = torch.empty(part.shape, dtype=torch.float32, device=part.device)
        count += compare(part, target, out=is_so).sum(dim=1).long()
    return count


def largest(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row and their places, ``(P, min(k, N))`` each: largest first, ties by place.

    `torch.topk` returns equal scores in any order, which may differ between machines.
    """
    require_that("scores", scores, isinstance(scores, Tensor) and scores.ndim == 2, "a tensor (P, N)")
    require_whole("k", k)
    if k >= scores.shape[1]:
        return scores.sort(dim=1, descending=True, stable=True)
    values, place = scores.topk(k + 1, dim=1)
    place = place[:, :k].sort(dim=1).values  # in order of place, which a stable sort keeps among equals
    found, order = scores.gather(1, place).sort(dim=1, descending=True, stable=True)
    place = place.gather(1, order)
    # where the last equals the next (or is NaN), only a full sort knows which of them belongs to the k
    open_end = ~(values[:, k - 1] > values[:, k])
    if bool(open_end.any()):
        whole = scores[open_end].sort(dim=1, descending=True, stable=True)
        found[open_end], place[open_end] = whole.values[:, :k], whole.indices[:, :k]
    return found, place


def check_cutoffs(cutoffs: Any) -> None:
    """ValueError unless these are one or more whole numbers of at least 1."""
    whole = isinstance(cutoffs, (tuple, list)) and all(
        isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k >= 1 for k in cutoffs
    )
    if not whole or not cutoffs:
        raise ValueError(f"cutoffs={cutoffs!r}: must be whole numbers of at least 1, for example (5, 10, 20)")


def _check_scores(scores: Tensor, targets: Tensor) -> None:
    require_that("scores", scores, isinstance(scores, Tensor) and scores.ndim == 2, "a tensor (P, N)")
    require_tensor("targets", targets, 1, whole=True)
    require_that("targets", targets, len(targets) == len(scores), f"one for each of the {len(scores)} rows of scores")
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < scores.shape[1]:
        place = int(((targets < 0) | (targets >= scores.shape[1])).int().argmax())
        raise ValueError(f"targets[{place}]={int(targets[place])}: must be an item number, 0 to {scores.shape[1] - 1}")


def _check_ranks(ranks: np.ndarray) -> None:
    row = np.asarray(ranks)
    require_that(
        "ranks", ranks, row.ndim == 1 and (row.dtype.kind in "iuf" or len(row) == 0), "numbers in one row (P,)"
    )
    bad = ~(row >= 1)
    if bad.any():
        raise ValueError(f"ranks[{bad.argmax()}]={row[bad.argmax()]}: must be at least 1, the rank of the best item")


def _check_values(values: np.ndarray, sessions: np.ndarray) -> None:
    table, session = np.asarray(values), np.asarray(sessions)
    is_table = table.ndim in (1, 2) and (table.dtype.kind in "biuf" or len(table) == 0)
    require_that("values", values, is_table, "numbers (P,) or (P, M), one or more per prediction")
    fits = session.shape == table.shape[:1]
    require_that("sessions", sessions, fits, f"the session of each prediction, ({len(table)},)")


def recall_at(ranks: np.ndarray, cutoff: int) -> np.ndarray:
    """Per prediction 1 if the target is among the first ``cutoff``, else 0: ``(P,) -> (P,)``. Recall@k is the mean."""
    _check_ranks(ranks)
    require_whole("cutoff", cutoff)
    return (np.asarray(ranks) <= cutoff).astype(float)


def mrr_at(ranks: np.ndarray, cutoff: int) -> np.ndarray:
    """Per prediction 1/rank if the target is in the first ``cutoff``, else 0: ``(P,) -> (P,)``. MRR@k is the mean."""
    _check_ranks(ranks)
    require_whole("cutoff", cutoff)
    ranks = np.asarray(ranks, dtype=float)
    return np.where(ranks <= cutoff, 1.0 / ranks, 0.0)


def sampled_recall_at(ranks: np.ndarray, cutoff: int, n_items: int, n_sampled: int) -> np.ndarray:
    """Per prediction the chance of a hit when ranked only among ``n_sampled`` other items: ``(P,) -> (P,)``.

    They are drawn from the ``n_items`` − 1 others without replacement, all equally likely, so the number of sampled
    items that outrank the target is hypergeometric. The mean is the sampled Recall@k that one would report; it is not
    Recall@k: see chapter 2.

    Raises:
        ValueError: more items sampled than exist, or a rank above their number.

    Source: Krichene & Rendle, "On sampled metrics for item recommendation", KDD 2020.
    """
    from scipy.stats import hypergeom  # imported here since it takes most of a second

    _check_ranks(ranks)
    require_whole("cutoff", cutoff)
    require_whole("n_items", n_items, 2)
    require_whole("n_sampled", n_sampled)
    ranks = np.asarray(ranks)
    if not n_sampled < n_items:
        raise ValueError(f"n_sampled={n_sampled}: must be between 1 and the {n_items - 1} items other than the target")
    if len(ranks) and ranks.max() > n_items:
        raise ValueError(f"ranks: from {ranks.min():g} to {ranks.max():g}; must be between 1 and n_items={n_items}")
    return hypergeom.cdf(cutoff - 1, n_items - 1, np.ceil(ranks) - 1, n_sampled)


def bootstrap(values: np.ndarray, sessions: np.ndarray, n: int = 1000, seed: int = 0) -> np.ndarray:
    """Means of ``n`` resampled test sets, from which an interval can be read.

    Whole sessions are drawn with replacement, not predictions: predictions of one session succeed and fail together, so
    drawing them one by one would give too narrow an interval.

    Args:
        values: ``(P,)`` or ``(P, M)`` value(s) of each prediction.
        sessions: ``(P,)`` the session of each prediction.

    Returns:
        ``(n,)`` or ``(n, M)`` means over the predictions of each resample.

    Source: Efron & Tibshirani, "An introduction to the bootstrap", 1993, ch. 8 (resample the independent unit).
    """
    require_whole("n", n)
    require_whole("seed", seed, 0)
    _check_values(values, sessions)
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
        )  # how often each session was drawn
        means[i] = drawn @ totals / (drawn @ size)
    return means.reshape(n, *values.shape[1:])
