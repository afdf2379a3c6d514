"""A click log as flat arrays of numbers: what every model learns from and predicts on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..internal.checks import require_that
from .columns import checked, numbered
from .order import differ, in_order, in_time, pick


@dataclass(frozen=True, eq=False, repr=False)
class Sessions:
    """A click log in flat arrays: sessions in order of start (ties: by id), clicks in order of time (ties: by row)."""

    items: np.ndarray  # (n,) int64 item numbers, -1 = unknown item
    offsets: np.ndarray  # (S + 1,) int64; session s is items[offsets[s]:offsets[s + 1]]
    times: np.ndarray  # (n,) float64 seconds
    index: pd.Index  # (N,) item ids; the position is the item's number
    ids: np.ndarray  # (S,) session ids

    @property
    def support(self) -> np.ndarray:
        """``(N,)`` int64, the number of clicks on each item."""
        return np.bincount(self.items[self.items >= 0], minlength=len(self.index))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Sessions({len(self):,} sessions, {len(self.items):,} clicks, {len(self.index):,} items)"


def encode(clicks: pd.DataFrame, items: pd.Index | None = None) -> Sessions:
    """The click log as ``Sessions``; nothing is dropped.

    Args:
        clicks: a click log; it may be empty when ``items`` is given.
        items: for a test log, the item index of the training clicks; items that it lacks get the number -1. None: build
            the index from these clicks, in sorted order.
    """
    _check_items(items)
    frame, times = checked(clicks, allow_empty=items is not None)
    item, found = numbered(frame["ItemId"])
    clicked = np.flatnonzero(np.bincount(item, minlength=len(found)))  # (N,) the items that have a click
    number = np.full(len(found), -1)
    if items is None:
        index = found.take(clicked)
        if not index.is_monotonic_increasing:
            by_id = index.argsort()
            index, clicked = index.take(by_id), clicked[by_id]
        number[clicked] = np.arange(len(index))
    else:
        index = pd.Index(items)
        if not index.is_unique:
            raise ValueError(f"items must hold every item once, but holds {index[index.duplicated()][0]!r} again")
        number[clicked] = index.get_indexer(found.take(clicked))
    session, ids = numbered(frame["SessionId"])
    n_clicks, begin = (
        np.bincount(session, minlength=len(ids)),
        np.full(len(ids), times.max(initial=0), dtype=times.dtype),
    )
    np.minimum.at(begin, session, times)
    by_start = _by_start(begin, ids, np.flatnonzero(n_clicks))
    place = np.empty(len(ids), dtype=np.int64)
    place[by_start] = np.arange(len(by_start))
    rows = in_order(pick(place, session), times)
    item, times = pick(item, rows), pick(times, rows, out=np.empty(len(rows)))
    offsets = np.concatenate([[0], n_clicks[by_start].cumsum()])
    return Sessions(pick(number, item, out=item), offsets, times, index, np.asarray(ids.take(by_start)))


def _check_items(items: Any) -> None:
    is_list = items is None or (hasattr(items, "__len__") and not isinstance(items, (str, bytes, dict, set)))
    require_that("items", items, is_list and getattr(items, "ndim", 1) == 1, "a list of item ids, as model.items is")
    if items is not None and pd.isna(pd.Index(items)).any():
        raise ValueError(
            f"items: must hold an id in every place, but place {pd.isna(pd.Index(items)).argmax()} is empty"
        )


def _by_start(begin: np.ndarray, ids: pd.Index, number: np.ndarray) -> np.ndarray:
    """``(S,)`` these session numbers in order of start, then id; ``begin`` and ``ids`` are ``(K,)``, by number."""
    number = number[in_time(begin[number])]
    tied = ~differ(begin[number])
    tied[:-1] |= tied[1:]
    some = number[tied]
    rank = np.empty(len(some), dtype=np.int64)
    rank[ids.take(some).argsort()] = np.arange(len(some))
    number[tied] = some[np.lexsort((rank, begin[some]))]
    return number
