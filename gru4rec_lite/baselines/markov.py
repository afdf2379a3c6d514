"""First-order Markov chain: what did earlier visitors click right after this item?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor

from .. import clicks as click_log
from ..internal import rules
from ..internal.checks import require_sessions
from ..internal.rules import setting
from ..recommender import Recommender, rows_at_once


@dataclass(eq=False)
class Markov(Recommender):
    """The next click given the last one, falling back on popularity where little has been seen.

    P(j | i) = (c_ij + kappa · π_j) / (c_i + kappa)        c_ij: times j followed i, c_i = Σ_j c_ij, π: share of clicks

    Args:
        kappa: how many clicks the fall-back on popularity is worth, at least 0.
    """

    kappa: float = setting(1.0, rules.number(0))

    def fit(self, train: pd.DataFrame) -> Self:
        self._check_settings()
        log = click_log.encode(train)
        self.items, n = log.index, len(log.index)
        follows = np.ones(len(log.items), dtype=bool)
        follows[log.offsets[:-1]] = False  # a session's first click follows nothing
        pairs = np.flatnonzero(follows)
        ones = np.ones(len(pairs))
        self.counts = sparse.csr_array((ones, (log.items[pairs - 1], log.items[pairs])), shape=(n, n))
        self.counts.sum_duplicates()
        self.popularity = log.support / log.support.sum()
        return self

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        require_sessions(items, offsets, len(self.items), times)
        last = last_known_clicks(items, offsets)
        rows = rows_at_once(len(self.items))
        for first in range(0, len(last), rows):
            i = last[first : first + rows]
            counts = (
                self.counts[np.maximum(i, 0)].toarray() * (i >= 0)[:, None]
            )  # nothing clicked yet: popularity alone
            total = counts.sum(axis=1, keepdims=True) + self.kappa
            # kappa 0 and nothing seen gives 0/0: then all items are equally likely
            yield torch.from_numpy((counts + self.kappa * self.popularity) / np.where(total > 0, total, 1.0))

    def tensors(self) -> dict[str, Tensor]:
        arrays = {"data": self.counts.data, "indices": self.counts.indices, "indptr": self.counts.indptr}
        return {name: torch.from_numpy(a) for name, a in {**arrays, "popularity": self.popularity}.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        arrays = {name: t.numpy() for name, t in tensors.items()}
        shape = (len(self.items), len(self.items))
        self.counts = sparse.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
        self.popularity = arrays["popularity"]


def last_known_clicks(items: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The last known click before each prediction, -1 where there is none: ``(n,) -> (P,)``."""
    place = np.where(items >= 0, np.arange(len(items)), -1)
    latest = np.maximum.accumulate(place) if len(place) else place
    session = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    latest = np.where(latest >= offsets[session], latest, -1)  # not from the session before
    keep = np.ones(len(items), dtype=bool)
    keep[offsets[1:][np.diff(offsets) > 0] - 1] = False  # nothing follows a session's last click
    return np.where(latest >= 0, items[latest], -1)[keep]
