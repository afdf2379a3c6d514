"""Baselines gone wrong, so that a network beats them too easily or not at all."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..baselines import SKNN


def events_for_sessions(items: np.ndarray, offsets: np.ndarray, n_items: int) -> tuple[sparse.csr_array, np.ndarray]:
    """No B-number: neighbours are counted by clicks instead of sessions. The authors' own baselines do this too.

    ``item_knn.shared_sessions`` with N, the clicks of each session on each item, for the first of its two B: Nᵀ B. A
    visitor who goes back and forth between two items counts as many sessions, and C is not symmetric.
    """
    session = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    clicks = sparse.csr_array((np.ones(len(items)), (session, items)), shape=(len(offsets) - 1, n_items))
    clicks.sum_duplicates()
    holds = (clicks > 0).astype(np.float64)
    together = (clicks.T @ holds).tocsr()
    support = clicks.sum(axis=0)
    together.setdiag(0)
    together.eliminate_zeros()
    return together, support


class FutureNeighbours(SKNN):
    """No B-number: sessions that had not ended yet are neighbours, even the current one. Bit many offline studies.

    Nothing goes wrong as long as all training sessions precede the test sessions; but a random split, or a model that
    is kept up to date, makes it look brilliant.
    """

    def score(self, history: np.ndarray, now: float) -> np.ndarray:
        return super().score(history, np.inf)
