"""An evaluation that plays the test sessions in lanes, side by side, as most ports do, which lets bugs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..batching import SessionParallel
from ..clicks import Sessions
from ..evaluation import Result
from . import evaluation as evaluations

LANES = 100


def only_clicks_played(steps: Callable[..., Iterator]) -> Callable[[Any], SimpleNamespace]:
    """Replace `evaluation.click_log`: encode only the test clicks that ``steps(items, offsets, LANES)`` plays."""

    def make(click_log: Any) -> SimpleNamespace:
        def encode(clicks: Any, items: Any = None) -> Sessions:
            log = click_log.encode(clicks, items)
            return log if items is None else _played(log, steps)

        return SimpleNamespace(encode=encode)

    return make


def _played(log: Sessions, steps: Callable[..., Iterator]) -> Sessions:
    seen = np.zeros(len(log.items), dtype=bool)
    for step in steps(np.arange(len(seen)), log.offsets, LANES):
        seen[step.inputs.numpy()] = seen[step.targets.numpy()] = True
    clicks = np.add.reduceat(seen, log.offsets[:-1], dtype=np.int64) if len(log) else np.empty(0, dtype=np.int64)
    left = clicks > 0
    return Sessions(
        log.items[seen], np.append(0, clicks[left].cumsum()), log.times[seen], log.index, log.ids[left]
    )  # the part of a session that is played is its beginning


def result_by_batch(ours: type[Result]) -> type[Result]:
    """`Result` whose recall and MRR are means of the means of `LANES`-wide batches."""

    def mean(metric: str) -> property:
        def by_cutoff(result: Result) -> dict[int, float]:
            order, widths = _batches(result.sessions)
            (names, values), mean = result._values(), evaluations.mean_of_batch_means
            return {k: mean(values[order, i], widths) for i, (name, k) in enumerate(names) if name == metric}

        return property(by_cutoff)

    return type(ours.__name__, (ours,), {"recall": mean("recall"), "mrr": mean("mrr")})


def _batches(sessions: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The predictions ``(P,)`` in the order in which lanes reach them, and how many are side by side."""
    _, predictions = np.unique(sessions, return_counts=True)
    offsets = np.append(0, (predictions + 1).cumsum())
    plan = SessionParallel(np.arange(offsets[-1]), offsets, LANES)
    clicks = np.concatenate([np.empty(0, dtype=np.int64), *(step.inputs.numpy() for step in plan)])
    return clicks - np.searchsorted(offsets, clicks, side="right") + 1, plan.widths.tolist()
