"""The columns of a click log as numbers: ids from 0 on, times in seconds; or why they are refused.

A text is looked up once in the life of a log: its numbers are kept beside the column, and handed on when rows are
dropped (``rows_kept``).
"""

from __future__ import annotations

import copy
import datetime
import numbers
import weakref
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from . import order
from .checks import require_flag, require_that

FROM_FILE = "; from a file: clicks = pandas.read_csv(…) or read_parquet(…) first, every function takes such a frame"
COLUMNS = ("SessionId", "ItemId", "Time")
_numbered: dict[int, tuple[np.ndarray, pd.Index]] = {}  # by the id() of a living arrow array


class ClickLogError(ValueError):
    """A click log that cannot be used: names the column, the first bad row and the remedy."""


def check(
    clicks: pd.DataFrame, ids: Sequence[str] = COLUMNS[:2], time: str = COLUMNS[2], allow_empty: bool = False
) -> pd.DataFrame:
    """The same clicks with row labels 0, 1, … and plain ids; ClickLogError where they cannot be used.

    Args:
        clicks: a click log; columns other than ``ids`` and ``time`` are kept and not looked at.
        ids: the columns that must hold ids: text or integers, none missing.
        time: the column that must hold datetimes or seconds, none missing.
        allow_empty: whether a log without rows is fine.
    """
    return checked(clicks, ids, time, allow_empty)[0]


def checked(
    clicks: pd.DataFrame, ids: Sequence[str] = COLUMNS[:2], time: str = COLUMNS[2], allow_empty: bool = False
) -> tuple[pd.DataFrame, np.ndarray]:
    """``check``, with the times ``(n,)`` in seconds, int64 or float64 as they stand; not to be written to."""
    require_that("ids", ids, isinstance(ids, (list, tuple)), "a list of names of columns")
    require_flag("allow_empty", allow_empty)
    if not isinstance(clicks, pd.DataFrame):
        raise ClickLogError(
            f"A click log must be a DataFrame with the columns {', '.join(map(repr, (*ids, time)))}, not a "
            f"{type(clicks).__name__}. Remedy: clicks.read(path) makes one from a file."
        )
    for column in (*ids, time):
        require(column, clicks.columns, f"rename it: clicks.rename(columns={{'its name': {column!r}}})")
    if len(clicks) == 0 and not allow_empty:
        raise ClickLogError(f"The click log is empty: column {ids[-1]!r} has no row. Remedy: give it a session.")
    frame = clicks.reset_index(drop=True)  # labels may repeat (two logs concatenated): nothing may be selected by them
    for column in ids:
        given = frame[column]
        if (plain := plain_ids(given)) is not given:
            frame[column] = plain
    return frame, _clock(frame[time])


def seconds(column: pd.Series) -> np.ndarray:
    """``(n,)`` float64 seconds from a column of datetimes (since 1970, a zone converted to UTC) or of seconds.

    Raises ClickLogError for text, for a missing time, and for numbers beyond 1e11 (the year 5138), since those are
    milliseconds.
    """
    if not isinstance(column, pd.Series):
        raise ClickLogError(f"column must be a pandas Series, such as clicks['Time'], not a {type(column).__name__}")
    return _clock(column).astype(np.float64)


def _clock(column: pd.Series) -> np.ndarray:
    """``seconds``, but int64 and the column's own memory where it holds such."""
    name, kind = column.name, column.dtype.kind
    if kind == "M":
        refuse(column.isna(), column, "is not a time", "drop these rows, or repair them")
        times = pd.DatetimeIndex(column)
        times = times if times.tz is None else times.tz_convert(None)
        return times.to_numpy("datetime64[us]").view(np.int64) / 1e6
    if kind not in "iuf" and len(column):
        _refuse_objects(column)
    whole = isinstance(column.dtype, np.dtype) and column.dtype == np.int64
    values = column.to_numpy() if whole else column.to_numpy(np.float64, na_value=np.nan)
    if len(values) and not (values.min() >= -1e11 and values.max() <= 1e11):
        refuse(~np.isfinite(values), column, "is not a time", "drop these rows, or repair them")
        remedy = f"if these are milliseconds, clicks[{name!r}] / 1000{FROM_FILE}"
        refuse((values > 1e11) | (values < -1e11), column, "cannot be seconds", remedy)
    return values


def _refuse_objects(column: pd.Series) -> None:
    """ClickLogError about the first value that is no time, else about the first of the kind that fewer rows have."""
    date = np.array([isinstance(value, datetime.date | np.datetime64) for value in column])
    number = np.array([isinstance(value, numbers.Real) and not isinstance(value, bool) for value in column])
    remedy = f"pandas.to_datetime(clicks[{column.name!r}], utc=True){FROM_FILE}"
    refuse(~date & ~number, column, "is neither a datetime nor a number of seconds", remedy)
    most, few, name = (date, number, "datetimes") if date.sum() >= number.sum() else (number, date, "numbers")
    refuse(few, column, f"stands among {name}", "make these rows times of the same kind")
    remedy = remedy if most is date else f"clicks[{column.name!r}].astype(float)"
    refuse(most, column, f"is in a column of mere objects, all {name}", remedy)


def plain_ids(column: pd.Series) -> pd.Series:
    """The column as integers or as text; anything else is refused: ids are sorted, and given back as they came."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return column
    refuse(column.isna(), column, "is not an id", "drop these rows, or give them an id")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    _refuse_no_unicode(column)
    if isinstance(column.dtype, pd.StringDtype) or len(column) == 0:
        return column
    if column.dtype.kind in "iu":
        return column.astype(np.uint64 if column.dtype.kind == "u" else np.int64)  # Int64, UInt8 and their like
    found = pd.api.types.infer_dtype(column)
    if found not in ("string", "integer"):
        kind = str if isinstance(column.iloc[0], str) else numbers.Integral
        odd = [isinstance(value, bool) or not isinstance(value, kind) for value in column]
        remedy = f'clicks[{column.name!r}].astype("int64"), or .astype(str){FROM_FILE}'
        refuse(odd, column, f"is no id here ({found}): ids are all text or all integers", remedy)
    if found == "string":
        return column
    is_large = min(column) >= 0 and max(column) >= 2**63
    low, high = (0, 2**64) if is_large else (-(2**63), 2**63)
    beyond = [not low <= value < high for value in column]
    refuse(beyond, column, "does not fit in 64 bits", f"clicks[{column.name!r}].astype(str)")
    return column.astype(np.uint64 if is_large else np.int64)


def _refuse_no_unicode(column: pd.Series) -> None:
    """ClickLogError about text that no file in UTF-8 can hold: a model that knows such an id could not be loaded."""
    if column.dtype != object and getattr(column.dtype, "storage", "pyarrow") != "python":
        return  # what Arrow holds is UTF-8
    try:
        "".join(value for value in column if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        bad = [isinstance(v, str) and v.encode(errors="replace") != v.encode(errors="surrogatepass") for v in column]
        remedy = f"clicks[{column.name!r}].str.encode('utf-8', 'replace').str.decode('utf-8')"
        refuse(bad, column, "is no Unicode text", remedy)


def numbered(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """``(n,)`` integer number of each row's id, not to be written to, and ``(K,)`` id of each number.

    Integers that lie close together are their own numbers, but for an offset, so an id may be no row's.
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
    """The text in one array, from which rows are picked several times faster than from many."""
    return text.chunk(0) if text.num_chunks == 1 else text.combine_chunks()  # which copies even a single one


def _numbered_text(text: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """``(n,)`` int32 number of each text, and the ``(K,)`` different texts."""
    n, sample = len(text), text[: order.BLOCK]
    if n == len(sample) or 2 * len(sample.unique()) <= len(sample):
        encoded = text.dictionary_encode()
        return encoded.indices.to_numpy(), encoded.dictionary
    # Many texts in no order: one big table misses the cache at every row. By their last byte, there are small tables.
    ends = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + n + 1]
    last = np.frombuffer(text.buffers()[2], np.uint8)[ends[1:] - 1]
    last = np.where(ends[1:] > ends[:-1], last, 0)
    rows = order.in_time(last)
    parts = np.split(rows, np.bincount(last).cumsum()[:-1])
    number, ids, n_ids = np.empty(n, dtype=np.int32), [], 0
    with ThreadPoolExecutor(2) as pool:  # more threads, each with new memory of its own, were slower
        for part, encoded in zip(parts, pool.map(lambda rows: text.take(rows).dictionary_encode(), parts), strict=True):
            number[part] = encoded.indices.to_numpy() + np.int32(n_ids)
            ids.append(encoded.dictionary)
            n_ids += len(encoded.dictionary)
    return number, pa.concat_arrays(ids)


def _remember(column: pd.Series, number: np.ndarray, ids: pd.Index, rows: Any = slice(None)) -> None:
    """Keep the ``numbered`` (its ``rows``) of a text column while its text lives, which is safe: it never changes."""
    text = _arrow(column)
    if text is not None:
        _numbered[id(text)] = (number[rows], ids)
        weakref.finalize(text, _numbered.pop, id(text), None)


def rows_kept(frame: pd.DataFrame, kept: np.ndarray, **known: tuple[np.ndarray, pd.Index]) -> pd.DataFrame:
    """The rows that are kept ``(n,)``, labelled anew; what their columns' ids are numbered by is not forgotten."""
    columns = (frame.iloc[:, place] for place in range(frame.shape[1]))
    picked = (pd.Series(column.array[kept], dtype=column.dtype, copy=False) for column in columns)
    result = pd.DataFrame(dict(enumerate(picked)), copy=False)
    result.columns, result.attrs = frame.columns, copy.deepcopy(frame.attrs)
    for column, (number, ids) in known.items():
        _remember(result[column], number, ids, kept)
    return result


def _arrow(column: pd.Series) -> Any:
    """The arrow array in which pandas keeps text, the very same object for every copy of the column; else None."""
    in_arrow = isinstance(column.dtype, pd.StringDtype) and column.dtype.storage.startswith("pyarrow")
    return column.array.__arrow_array__() if in_arrow else None


def require(column: str, columns: Iterable[Any], remedy: str) -> None:
    """ClickLogError unless the column is there exactly once."""
    times = list(columns).count(column)
    if times != 1:
        problem = "is missing" if times == 0 else f"occurs {times} times"
        there = ", ".join(repr(name) for name in columns) or "no column at all"
        raise ClickLogError(f"Column {column!r} {problem}: the log has {there}. Remedy: {remedy}.")


def refuse(bad: Any, column: pd.Series, complaint: str, remedy: str) -> None:
    """ClickLogError about the first row of the column where ``bad`` is true, if there is one."""
    bad = np.asarray(bad, dtype=bool)
    if bad.any():
        row = int(bad.argmax())
        value = column.iloc[row]
        shown = repr(value) if isinstance(value, str) else "an empty field" if pd.isna(value) else str(value)
        raise ClickLogError(
            f"Column {column.name!r}: {shown} {complaint}. "
            f"First bad row: {row + 1} (data rows counted from 1), {bad.sum():,} in all. Remedy: {remedy}."
        )
