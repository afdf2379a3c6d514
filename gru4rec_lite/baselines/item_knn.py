"""Item neighbours: what was clicked in the same sessions as this item?"""

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
from .markov import last_known_clicks

ITEMS_AT_ONCE = 4096  # items whose neighbours are searched at a time


@dataclass(eq=False)
class ItemKNN(Recommender):
    """Scores an item by how often it shares a session with the last click, relative to how common both are.

    s_j = C_ij / ((supp_i + lam)^alpha · (supp_j + lam)^(1 − alpha))        i: the last click, C = Bᵀ B

    B says which session holds which item, counted once however often it was clicked; supp counts sessions. An item is
    not its own neighbour. Without regularisation, two items seen once, together, would be perfect neighbours.

    Args:
        n_neighbours: how many items each item recommends, at least 1; the others score 0.
        lam: regularisation, in sessions, at least 0.
        alpha: 0 to 1; 0.5 is the cosine.

    Raises:
        ValueError: a setting out of range.

    Source: baseline Item-KNN of Hidasi et al., ICLR 2016, §4; Davidson et al., RecSys 2010.
    """

    n_neighbours: int = setting(100, rules.whole())
    lam: float = setting(20.0, rules.number(0))
    alpha: float = setting(0.5, rules.number(0, 1))

    def fit(self, train: pd.DataFrame) -> Self:
        self._check_settings()
        log = click_log.encode(train)
        self.items = log.index
        holds = sessions_of_items(log.items, log.offsets, len(log.index))
        common, parts = np.diff(holds.indptr) + self.lam, []
        for first in range(0, len(self.items), ITEMS_AT_ONCE):  # all pairs at once would fill memory
            pairs = together(holds, first, first + ITEMS_AT_ONCE)
            i = np.repeat(np.arange(pairs.shape[0]) + first, np.diff(pairs.indptr))
            pairs.data /= common[i] ** self.alpha * common[pairs.indices] ** (1 - self.alpha)
            parts.append(largest_of_each_row(pairs, self.n_neighbours))
        self.similarity = sparse.csr_array(sparse.vstack(parts))
        return self

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        """See `Recommender.scores`."""
        require_sessions(items, offsets, len(self.items), times)
        last = last_known_clicks(items, offsets)
        size = rows_at_once(len(self.items))
        for first in range(0, len(last), size):
            i = last[first : first + size]
            yield torch.from_numpy(self.similarity[np.maximum(i, 0)].toarray() * (i >= 0)[:, None])

    def tensors(self) -> dict[str, Tensor]:
        s = self.similarity
        return {name: torch.from_numpy(getattr(s, name)) for name in ("data", "indices", "indptr")}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        arrays = tuple(tensors[name].numpy() for name in ("data", "indices", "indptr"))
        self.similarity = sparse.csr_array(arrays, shape=(len(self.items), len(self.items)))


def shared_sessions(items: np.ndarray, offsets: np.ndarray, n_items: int) -> tuple[sparse.csr_array, np.ndarray]:
    """In how many sessions two items occur together, ``(N, N)`` with an empty diagonal; and each alone, ``(N,)``."""
    holds = sessions_of_items(items, offsets, n_items)
    return together(holds, 0, n_items), np.diff(holds.indptr)


def sessions_of_items(items: np.ndarray, offsets: np.ndarray, n_items: int) -> sparse.csr_array:
    """Which sessions hold an item, ``(N, S)``: 1 where they do, however often it was clicked."""
    session = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    holds = sparse.csr_array((np.ones(len(items)), (items, session)), shape=(n_items, len(offsets) - 1))
    holds.sum_duplicates()
    holds.data[:] = 1.0
    return holds


def together(holds: sparse.csr_array, first: int, end: int) -> sparse.csr_array:
    """In how many sessions items ``first`` to ``end`` occur together with each *other* item: ``(end − first, N)``."""
    pairs = (holds[first:end] @ holds.T).tocsr()
    pairs.setdiag(0, k=first)
    pairs.eliminate_zeros()
    return pairs


def largest_of_each_row(matrix: sparse.csr_array, k: int) -> sparse.csr_array:
    """The k largest entries of each row; among equal ones, those in lower columns."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, row))  # rows stay together
    place = np.arange(len(order)) - matrix.indptr[row]
    kept = order[place < k]
    return sparse.csr_array((matrix.data[kept], (row[kept], matrix.indices[kept])), shape=matrix.shape)
