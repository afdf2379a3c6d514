"""The simplest way to write a recommender: a function from a session's clicks so far to a score for each item."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..internal.checks import require_sessions, require_that
from ..recommender import Recommender, rows_at_once


class ByHistory(Recommender):
    """Base class: a subclass implements ``fit`` and ``score``, and gets ``scores`` and everything built on it."""

    def score(self, history: np.ndarray, now: float) -> np.ndarray:
        """``(N,)`` scores of the items after a session's known clicks.

        Args:
            history: ``(t,)`` item numbers, oldest first; unknown clicks are left out, so it may be empty.
            now: time of the last of them, in seconds.
        """
        raise NotImplementedError

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        """See `Recommender.scores`."""
        return self._blocks(items, offsets, times, 1)

    def last_scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        """See `Recommender.last_scores`."""
        return self._blocks(items, offsets, times, None)

    def _blocks(self, items, offsets, times, first: int | None) -> Iterator[Tensor]:
        """Rows after each click of a session from the ``first`` on; None: only after the last click but one."""
        require_that("times", times, times is not None, "seconds (n,), one for each click")
        require_sessions(items, offsets, len(self.items), times)
        n_items = len(self.items)
        size, rows = rows_at_once(n_items), []
        for start, end in pairwise(offsets.tolist()):
            known = items[start:end] >= 0
            history, clock = items[start:end][known], times[start:end][known]
            so_far = known.cumsum()
            for click in range(first or end - start - 1, end - start):
                n = so_far[click - 1]
                rows.append(self.score(history[:n], float(clock[n - 1]) if n else float(times[start])))
                if len(rows) == size:
                    yield torch.from_numpy(np.stack(rows))
                    rows = []
        if rows:
            yield torch.from_numpy(np.stack(rows))
