"""Columns of a file as ids and as times, in pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .columns import ClickLogError, in_one_piece, refuse
from .timeless import REREAD

UNITS = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}
ABSENT = ("NULL", "Null", "null", "(null)", "\\N", "NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "None", "(not set)")
FAR = 4_102_444_800  # the first second of the year 2100


def is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def to_pandas(column: pa.ChunkedArray, name: str = "") -> pd.Series:
    """The column in pandas, with text in one piece, and integers still integers beside missing values."""
    if is_text(column.type):
        column = pa.chunked_array([in_one_piece(column.cast(pa.large_string()))])
    elif pa.types.is_integer(column.type) and column.null_count:  # floats would change integers from 2^53 on
        kind = str(column.type)
        dtype = pd.api.types.pandas_dtype(kind.replace("uint", "UInt").replace("int", "Int"))
        return pa.table({name: column}).to_pandas(ignore_metadata=True, types_mapper=lambda _: dtype)[name]
    return pa.table({name: column}).to_pandas(ignore_metadata=True)[name]


def parse_ids(text: pa.ChunkedArray, name: str) -> pd.Series:
    """Integers if every one reads back as exactly the same text, else the text: "007" is not 7."""
    integers = _integers(text, exact=True)
    return to_pandas(text, name) if integers is None else pd.Series(integers, name=name, copy=False)


def note_floats(ids: pd.Series, becomes: str, notes: list[str]) -> None:
    """Warn of ids such as "7.0", written by a program that took integers for floats: not the id 7 of another file."""
    some = "" if ids.dtype.kind in "iu" or len(ids) == 0 else ids.iloc[0]
    if isinstance(some, str) and some.endswith(".0") and ids.str.fullmatch(r"-?\d+\.0").all():
        fits = ids.str.len().max() <= 20  # 18 digits, which fit into 64 bits
        notes.append(
            f"Column {ids.name!r}: its ids are text such as {some!r}, which is not the id {some.removesuffix('.0')!r}. "
            f'If they were integers once: clicks[{becomes!r}] = clicks[{becomes!r}].str.removesuffix(".0")'
            + ('.astype("int64")' if fits else "")
        )


def note_missing(ids: pd.Series, becomes: str | None, notes: list[str], any_text: bool = True) -> None:
    """Warn of words such as NULL for a missing id, which merge all rows without one into one session, user or item.

    Args:
        ids: the column.
        becomes: its name in the log; None if several columns are joined into one.
        notes: where the warning goes.
        any_text: whether to warn beside any text, not only beside integers.
    """
    if not isinstance(ids.dtype, pd.StringDtype):
        return
    absent = ids.isin(ABSENT)
    if not absent.any():
        return
    row, words = int(absent.to_numpy().argmax()), sorted(ids[absent].unique())
    rest = ids[~absent]
    are_integers = len(rest) > 0 and rest.str.fullmatch(r"-?(?:0|[1-9]\d{0,17})").all()
    if not (any_text or are_integers):
        return
    code = f"; if they stand for missing ids: clicks = clicks[~clicks[{becomes!r}].isin({words!r})]" if becomes else ""
    if becomes and are_integers:
        code += f"; and, since the others are integers: clicks[{becomes!r}] = clicks[{becomes!r}].astype('int64')"
    notes.append(
        f"Column {ids.name!r}: {absent.sum():,} of {len(ids):,} ids are {', '.join(map(repr, words))}, which some "
        f"programs write for a missing one; first in row {row + 1} (data rows counted from 1). Here they are ids like "
        f"any other{code}"
    )


def parse_times(column: pa.ChunkedArray, name: str, unit: str, notes: list[str]) -> pd.Series:
    """Seconds, or datetimes in UTC, from text or from numbers that count ``unit``; other columns stay as they are."""
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    times = _from_text(column, name, notes) if is_text(column.type) else to_pandas(column, name)
    if unit == "s":
        return times
    if times.dtype.kind not in "iuf":
        kind = "dates" if times.dtype.kind == "M" else column.type
        raise ClickLogError(f"Column {name!r} holds {kind}, to which {unit=} does not apply. Remedy: unit='s'.")
    if times.dtype.kind == "f" and times.dtype.itemsize < 8:
        largest = times.abs().max()
        apart = float(np.spacing(largest)) / UNITS[unit]
        coarse = f"is a {times.dtype}, and such times lie {apart:g} s apart: which click came first is lost"
        refuse((times.abs() == largest) & (apart > 1), times, coarse, REREAD.format(name, "float64"))
    scaled = times.astype("float64") / UNITS[unit]
    far = (scaled.abs() > FAR).fillna(False)
    refuse(far, times, f"is beyond the year 2100, if it counts {unit}", "set unit=… to what the column counts")
    return scaled


def _integers(text: pa.ChunkedArray, exact: bool) -> np.ndarray | pd.arrays.IntegerArray | None:
    """``(n,)`` 64-bit integers, possibly missing; None unless all texts are integers (exact: written as such)."""
    found, done = np.empty(len(text), dtype=np.int64), 0
    for piece in text.chunks:  # small enough for the processor's cache
        try:
            integers = piece.cast(pa.int64())
        except pa.ArrowInvalid:
            return None
        if exact and not integers.cast(piece.type).equals(piece):
            return None
        if not exact and pc.any(pc.match_substring(piece, "x", ignore_case=True)).as_py():
            return None  # 0x10 is not a time
        found[done : done + len(piece)] = integers.fill_null(0).to_numpy(zero_copy_only=False)
        done += len(piece)
    missing = text.is_null().to_numpy() if text.null_count else None  # floats would change integers from 2^53 on
    return found if missing is None else pd.arrays.IntegerArray(found, missing)


def _from_text(column: pa.ChunkedArray, name: str, notes: list[str]) -> pd.Series:
    integers = _integers(column, exact=False)
    if integers is not None:
        return pd.Series(integers, name=name, copy=False)
    with_zone = column
    for _ in range(2):
        for kind in (pa.float64(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
            try:
                times = with_zone.cast(kind)
            except pa.ArrowInvalid:
                continue
            if kind == pa.float64():
                _note_rounded(column, name, notes)
            return to_pandas(times.cast(pa.timestamp("us")) if kind == pa.timestamp("us", "UTC") else times, name)
        with_zone = pc.replace_substring_regex(column, " UTC$", "Z")
    return _mixed(with_zone.to_pandas(), column.to_pandas().rename(name), notes)


def _mixed(plain: pd.Series, shown: pd.Series, notes: list[str]) -> pd.Series:
    """Dates in several forms; refused if some rows are not a time, or another kind of time."""
    amounts = pd.to_numeric(plain, errors="coerce")
    written = amounts.isna() & plain.str.contains(r"\d")  # pandas would read "now" and "today" as times
    dates = pd.to_datetime(plain.where(written), format="ISO8601", utc=True, errors="coerce")
    dates = dates.dt.tz_localize(None)  # 1396 among dates is a number, not a year
    no_time = "is neither an ISO 8601 time (2014-04-07 10:51:09) nor a number of seconds"
    remedy = "repair these rows; for another date format read the file with pandas and use pandas.to_datetime"
    most, few, kinds = (dates, amounts, "dates") if dates.count() >= amounts.count() else (amounts, dates, "numbers")
    bad = most.isna().to_numpy()
    refuse(bad, shown, f"stands among {kinds}" if few.notna()[bad.argmax()] else no_time, remedy)
    if kinds == "dates":
        bare = ~plain.str.contains(r"(?:Z|z|[+-]\d\d(?::?\d\d)?)$") | plain.str.fullmatch(r"\d{4}-\d\d(-\d\d)?")
        if 0 < bare.sum() < len(bare):
            row = int(bare.to_numpy().argmax())
            notes.append(
                f"Column {shown.name!r}: {bare.sum():,} of {len(bare):,} times have no zone and are taken for UTC; "
                f"first: {shown[row]!r} in row {row + 1} (data rows counted from 1). If they are of another zone, the "
                "order of clicks is wrong: write the zone after them, such as 2014-04-07 10:51:09+02:00"
            )
    return most.rename(shown.name)


def _note_rounded(text: pa.ChunkedArray, name: str, notes: list[str]) -> None:
    """Warn of times such as 1.39644e+09, rounded to hours when written: closer clicks have lost their order."""
    parts = pc.extract_regex(text, r"^[-+]?\d(?:\.(?P<digits>\d*))?[eE]\+?(?P<exponent>\d+)$").combine_chunks()
    if len(text) == 0 or parts.null_count:
        return
    digits, exponent = (part.to_pandas() for part in parts.flatten())
    lost = int((exponent.astype("int64") - digits.fillna("").str.len()).min())
    if lost > 0:
        notes.append(
            f"Column {name!r}: its times, such as {text[0].as_py()!r}, are rounded to {10 ** min(lost, 11):,}, so the "
            "order of clicks may be lost: write the file again with all digits"
        )
