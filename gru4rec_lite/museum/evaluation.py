"""Evaluations gone wrong: they do not report what the model would do.

The classes wrap a recommender and have what `evaluate` needs of one: ``items`` and ``scores``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor


class _Wrapped:
    def __init__(self, model: Any):
        self.model, self.items = model, model.items


class StateNotReset(_Wrapped):
    """B1: the state is not reset between test sessions. Bit GRU4REC-pytorch (Recall@20 .253 fell to .079).

    To the model, the whole log is one long session; only the rows after a session's last click are left out.
    """

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        keep = np.ones(len(items), dtype=bool)
        keep[offsets[1:] - 1] = False
        row = 0
        for block in self.model.scores(items, np.array([0, len(items)]), times):  # n - 1 rows in all
            yield torch.as_tensor(block)[torch.from_numpy(keep[row : row + len(block)])]
            row += len(block)


class UnknownBecomesAnItem(_Wrapped):
    """B9, in part: an unknown click is fed as an item (there a ghost class, here item 0). Bit KerasGRU4Rec."""

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        return self.model.scores(np.maximum(items, 0), offsets, times)


class GhostClass(_Wrapped):
    """B9: scores of n_items + 1 classes, one for no item at all, which takes part in every ranking. KerasGRU4Rec."""

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        for block in self.model.scores(items, offsets, times):
            yield F.pad(torch.as_tensor(block), (0, 1))


class LooksAhead(_Wrapped):
    """No B-number (check 33), bites everybody once: a list is made with the very click that it should predict."""

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        # repeat each session's last click, then drop the row after its first click: row t has seen click t + 1
        last = offsets[1:] - 1
        longer = offsets + np.arange(len(offsets))
        scored = self.model.scores(np.insert(items, last, items[last]), longer, np.insert(times, last, times[last]))
        rows = torch.cat([torch.as_tensor(block) for block in scored])  # (n, N): one per click
        keep = np.ones(len(items), dtype=bool)
        keep[offsets[:-1]] = False
        yield rows[torch.from_numpy(keep)]


def unknown_items_dropped(test: pd.DataFrame, items: pd.Index) -> pd.DataFrame:
    """No B-number (check 24): test clicks on unknown items are left out in silence, as many preprocessing scripts do.

    Targets that nobody could hit vanish, and clicks that were not neighbours become neighbours.
    """
    return test[test["ItemId"].isin(items)]


def trained_on_everything(model: Any, train: pd.DataFrame, test: pd.DataFrame) -> Any:
    """B15: catalogue, popularity and support are counted on train and test together. Bit many."""
    return model.fit(pd.concat([train, test], ignore_index=True))


def mean_of_batch_means(values: np.ndarray, widths: Sequence[int]) -> float:
    """B11: recall as the mean of per-batch means, although the last batches are narrow. Bit Torch-GRU4Rec.

    Args:
        values: ``(P,)`` one value per prediction, batch after batch.
        widths: predictions in each batch.
    """
    return float(np.mean([batch.mean() for batch in np.split(np.asarray(values), np.cumsum(widths)[:-1])]))
