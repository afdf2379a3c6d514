"""The columns of a click log as numbers: ids from 0 on, times in seconds.

`ids` and `times` say what they may hold.

A text column is looked up only once in the life of a log: its numbers are kept beside it, and handed on when rows are
dropped (``rows_kept``).
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..internal.checks import require_flag, require_that
from . import order
from .frames import require_columns, require_frame
from .ids import plain_ids
from .refusals import ClickLogError, refuse, require
from .times import clock, seconds

__all__ = ["COLUMNS", "ClickLogError", "check", "checked", "in_one_piece", "numbered", "plain_ids", "refuse", "require",
           "rows_kept", "seconds"]  # fmt: skip

COLUMNS = ("SessionId", "ItemId", "Time")
_numbered: dict[int, tuple[np.ndarray, pd.Index]] = {}  # by the id() of a live arrow array


def check(
    clicks: pd.DataFrame, ids: Sequence[str] = COLUMNS[:2], time: str = COLUMNS[2], allow_empty: bool = False
) -> pd.DataFrame:
    """The same clicks with row labels 0, 1, … and plain ids; ClickLogError if they cannot be used.

    Args:
        clicks: a click log; columns other than ``ids`` and ``time`` are kept unchecked.
        ids: the columns that must hold ids: text or integers, none missing.
        time: the column that must hold datetimes or seconds, none missing.
        allow_empty: whether a log without rows is allowed.
    """
    return checked(clicks, ids, time, allow_empty)[0]


def checked(
    clicks: pd.DataFrame, ids: Sequence[str] = COLUMNS[:2], time: str = COLUMNS[2], allow_empty: bool = False
) -> tuple[pd.DataFrame, np.ndarray]:
    """``check``, and the times ``(n,)`` in seconds, int64 or float64 as given; do not write to them."""
    require_that("ids", ids, isinstance(ids, (list, tuple)), "a list of names of columns")
    require_flag("allow_empty", allow_empty)
    require_frame(clicks, (*ids, time))
    require_columns(clicks, ids, time)
    if len(clicks) == 0 and not allow_empty:
        raise ClickLogError(f"The click log is empty: column {ids[-1]!r} has no row. Remedy: give it a session.")
    frame = clicks.reset_index(drop=True)  # labels may repeat (two logs concatenated), so never select by them
    for column in ids:
        given = frame[column]
        if (plain := plain_ids(given)) is not given:
            frame[column] = plain
    return frame, clock(frame[time])


def numbered(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """``(n,)`` integer number of each row's id (do not write to it), and ``(K,)`` id of each number.

    Integers that lie close together are their own numbers, minus an offset, so some ids may occur in no row.
    """
    if column.dtype.kind in "iu" and len(column):
        values, low, high = column.to_numpy(), int(column.min()), int(column.max())
        low = 0 if low >= 0 and high < len(values) else low
        if high - low < len(values):
            wide = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64, copy=False)
            number = (wide - wide.dtype.type(low) if low else wide).astype(np.int64, copy=False)
            return number, pd.Index(np.arange(high - low + 1).astype(values.dtype) + values.dtype.type(low))
    text = _arrow(column)
    if text is None:
        return pd.factorize(column)
    if id(text) not in _numbered:
        number, ids = _numbered_text(in_one_piece(text))
        _remember(column, number, pd.Index(column.dtype.__from_arrow__(ids)))
    return _numbered[id(text)]


def in_one_piece(text: pa.ChunkedArray) -> pa.Array:
    """The text as one array, from which rows are picked several times faster than from several."""
    return text.chunk(0) if text.num_chunks == 1 else text.combine_chunks()  # which would copy even a single chunk


def _numbered_text(text: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """``(n,)`` int32 number of each text, and the ``(K,)`` distinct texts."""
    n, sample = len(text), text[: order.BLOCK]
    if n == len(sample) or 2 * len(sample.unique()) <= len(sample):
        encoded = text.dictionary_encode()
        return encoded.indices.to_numpy(), encoded.dictionary
    # Many texts in no order: one big table misses the cache at every row. Split by last byte, the tables are small.
    ends = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + n + 1]
    last = np.frombuffer(text.buffers()[2], np.uint8)[ends[1:] - 1]
    last = np.where(ends[1:] > ends[:-1], last, 0)
    rows = order.in_time(last)
    parts = np.split(rows, np.bincount(last).cumsum()[:-1])
    number, ids, n_ids = np.empty(n, dtype=np.int32), [], 0
    with ThreadPoolExecutor(2) as pool:  # more threads, each touching new memory, were slower
        for part, encoded in zip(parts, pool.map(lambda rows: text.take(rows).dictionary_encode(), parts), strict=True):
            number[part] = encoded.indices.to_numpy() + np.int32(n_ids)
            ids.append(encoded.dictionary)
            n_ids += len(encoded.dictionary)
    return number, pa.concat_arrays(ids)


def _remember(column: pd.Series, number: np.ndarray, ids: pd.Index, rows: Any = slice(None)) -> None:
    """Keep the numbers (of ``rows``) of a text column while its text lives; this is safe, since text never changes."""
    text = _arrow(column)
    if text is not None:
        _numbered[id(text)] = (number[rows], ids)
        weakref.finalize(text, _numbered.pop, id(text), None)


def rows_kept(frame: pd.DataFrame, kept: np.ndarray, **known: tuple[np.ndarray, pd.Index]) -> pd.DataFrame:
    """The rows to keep ``(n,)``, with new labels; the numbers of their ids are kept as well."""
    columns = (frame.iloc[:, place] for place in range(frame.shape[1]))
    picked = (pd.Series(column.array[kept], dtype=column.dtype, copy=False) for column in columns)
    result = pd.DataFrame(dict(enumerate(picked)), copy=False)
    result.columns, result.attrs = frame.columns, copy.deepcopy(frame.attrs)
    for column, (number, ids) in known.items():
        _remember(result[column], number, ids, kept)
    return result


def _arrow(column: pd.Series) -> Any:
    """The arrow array in which pandas keeps text, the same object for every copy of the column; else None."""
    in_arrow = isinstance(column.dtype, pd.StringDtype) and column.dtype.storage.startswith("pyarrow")
    return column.array.__arrow_array__() if in_arrow else None
