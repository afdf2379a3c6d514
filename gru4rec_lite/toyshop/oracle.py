"""The best possible recommender for the toyshop: it knows the shop and infers its visitors' plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .. import clicks as click_log
from .. import metrics
from ..batching import side_by_side, whole_sessions
from ..internal.caller import warn
from ..internal.checks import require_number, require_sessions
from ..recommender import Recommender
from .shop import Process, process

BELIEFS_AT_ONCE = 4_000_000  # state probabilities held in memory at a time, 32 MB


@dataclass(eq=False)
class Oracle(Recommender):
    """Knows the shop's tables, and scores an item by its exact probability of being clicked next.

    It cannot know a visitor's plans; these it infers from her clicks with the forward algorithm.

    Args:
        reload: share of clicks that repeat the one before, from 0 to below 1: 0 for a log without immediate repeats, as
            chapters prepare it; `RELOAD` for a log as `simulate` makes it.

    Raises:
        ValueError: reload out of range.

    Source: Rabiner, "A tutorial on hidden Markov models", 1989, §III.A.
    """

    reload: float = 0.0

    def __post_init__(self):
        require_number("reload", self.reload, 0, 1, below=True)
        tables = process()
        self.items = tables.items
        self._shop: Process = replace(tables, reload=float(self.reload))

    def fit(self, train: pd.DataFrame) -> Self:
        """Learn nothing, since it knows the shop; ``train`` is ignored."""
        return self

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray | None = None) -> Iterator[Tensor]:
        """Probabilities of the next item, ``(P, N)`` float64, each row summing to 1; see `Recommender.scores`."""
        require_sessions(items, offsets, len(self.items), times)
        for first, last in whole_sessions(offsets, BELIEFS_AT_ONCE // len(self._shop.start)):
            here = offsets[first : last + 1]
            yield torch.from_numpy(next_click(self._shop, items[here[0] : here[-1]], here - here[0]))

    def ceiling(self, test: pd.DataFrame, cutoffs: tuple[int, ...] = (5, 10, 20)) -> pd.DataFrame:
        """Recall@k and MRR@k that the best possible lists reach on average after the histories of a log.

        The log's next clicks are not used: each history counts with the probabilities p(1) >= p(2) >= ... of
        the items of its list,   Recall@k = mean Σ_r p(r),   MRR@k = mean Σ_r p(r) / r    (r = 1 … k).

        Returns:
            one row per cutoff: cutoff, recall, mrr.
        """
        metrics.check_cutoffs(cutoffs)
        log, most = click_log.encode(test, self.items), min(max(cutoffs), len(self.items))
        total, n_predictions = np.zeros(most), 0
        for block in self.scores(log.items, log.offsets):
            total += -np.sort(-block.numpy())[:, :most].sum(axis=0)
            n_predictions += len(block)
        if n_predictions == 0:
            warn("no prediction to count: no session has two clicks")
        mean = total / n_predictions if n_predictions else np.full(most, np.nan)
        recall, mrr = mean.cumsum(), (mean / np.arange(1, most + 1)).cumsum()
        at = np.minimum(cutoffs, most) - 1
        return pd.DataFrame({"cutoff": list(cutoffs), "recall": recall[at], "mrr": mrr[at]})

    def tensors(self) -> dict[str, Tensor]:
        return {}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        pass


def next_click(shop: Process, items: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Probability that each item comes next, after every click but the last of each session.

    The belief b over the states after the clicks so far is carried from click to click (the forward algorithm):
    from y to another item x it becomes   b'_s ∝ (b T)_s · E_sx / (1 − E_sy)   and a repeat (a reload) leaves it
    unchanged. A click that the shop cannot produce tells only what it shows: then b_s ∝ E_sx.

    Args:
        items: ``(n,)`` item numbers, session after session; -1 for an unknown item, which changes nothing.
        offsets: ``(S + 1,)``; session s is ``items[offsets[s]:offsets[s + 1]]``.

    Returns:
        ``(P, N)`` float64, rows in session order.
    """
    require_sessions(items, offsets, len(shop.items))
    click, widths, place = side_by_side(offsets)
    # (S, N) while page y is open, a state's emissions are divided by 1 − E_sy; E_sy = 1: it shows nothing but y
    leaves = 1 - shop.emission
    other = np.divide(1, leaves, out=np.zeros_like(leaves), where=leaves > 0)
    n_sessions = len(offsets) - 1
    belief, last, rows = np.tile(shop.start, (n_sessions, 1)), np.full(n_sessions, -1), []
    for item in np.split(items[click], np.cumsum(widths)[:-1]):  # all sessions together, each for as long as it lasts
        belief, last = belief[: len(item)].copy(), last[: len(item)].copy()
        opened = last >= 0
        moved = np.where(opened[:, None], (belief @ shop.transition) * other[:, last].T, belief)  # (b, S)
        moved *= shop.emission[:, item].T
        total = moved.sum(axis=1, keepdims=True)
        alone = shop.emission[:, item].T
        moved = np.where(total > 0, moved / np.where(total > 0, total, 1), alone / alone.sum(axis=1, keepdims=True))
        changed = (item >= 0) & (item != last)
        belief[changed], last[changed] = moved[changed], item[changed]
        rows.append(_after(shop, belief, last, other))
    return np.concatenate([np.empty((0, len(shop.items))), *rows])[place]


def _after(shop: Process, belief: np.ndarray, last: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``(b, N)`` probabilities of the next item, from beliefs ``(b, S)`` and the open pages ``(b,)``, -1 for none."""
    opened = np.flatnonzero(last >= 0)
    shown = np.where(last[:, None] >= 0, (belief @ shop.transition) * other[:, last].T, belief) @ shop.emission
    shown[opened, last[opened]] = 0
    shown *= np.where(last[:, None] >= 0, 1 - shop.reload, 1.0)
    shown[opened, last[opened]] = shop.reload
    return shown
