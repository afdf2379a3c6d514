"""The columns of a click log: got from a file, and refused where they hold no ids or no times.

``clicks`` is the way in. pyarrow does the parsing, since it reads a csv file on all cores.
"""

from __future__ import annotations

import csv
import numbers
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet


class ClickLogError(ValueError):
    """A click log that cannot be used: names the column, the first bad row and the remedy."""


def read_table(path: Path, wanted: dict[str, str], time: str) -> pa.Table:
    """The wanted columns of a file, ids as the file has them, the time column parsed.

    Args:
        path: a .csv, .tsv or .parquet file; csv and tsv also as .gz or as a .zip with one file in it.
        wanted: column name -> the argument of ``clicks.read`` that names it, for the message when it is missing.
        time: which of them holds the time.
    """
    if not path.is_file():
        raise ClickLogError(f"There is no click log at {path.absolute()}. Remedy: check path={str(path)!r}.")
    try:
        table = _read_parquet(path, wanted) if path.suffix == ".parquet" else _read_text(path, wanted)
        return table.set_column(table.column_names.index(time), time, _parse_time(table[time], time))
    except (OSError, zipfile.BadZipFile, pa.ArrowException) as error:
        remedy = "repair the file, or save it again as UTF-8"
        raise ClickLogError(f"{path} cannot be read: {error}. Remedy: {remedy}.") from error


def _read_parquet(path: Path, wanted: dict[str, str]) -> pa.Table:
    _require_all(path, pa.parquet.read_schema(path).names, wanted)
    return pa.parquet.read_table(path, columns=list(wanted))


def _read_text(path: Path, wanted: dict[str, str]) -> pa.Table:
    with _open(path) as stream:
        header = stream.read(2**16).decode("utf-8-sig", errors="replace").partition("\n")[0].rstrip("\r")
    delimiter = max("\t,;|", key=header.count)
    _require_all(path, next(csv.reader([header], delimiter=delimiter), []), wanted)
    as_text = pa.csv.ConvertOptions(
        include_columns=list(wanted),
        column_types=dict.fromkeys(wanted, pa.string()),
        strings_can_be_null=True,
        null_values=[""],
    )
    bad: list[Any] = []

    def note(row: Any) -> str:
        bad.append(row)
        return "skip"

    for all_cores in (True, False):  # only a single thread knows the number of a bad row
        bad.clear()
        with _open(path) as stream:
            options = pa.csv.ReadOptions(use_threads=all_cores)
            layout = pa.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=note)
            table = pa.csv.read_csv(stream, options, layout, as_text)
        if not bad:
            return pa.table({column: _parse_ids(table[column]) for column in wanted})
    row = bad[0]
    raise ClickLogError(
        f"{path}: the header names {row.expected_columns} columns, but a row has {row.actual_columns}: {row.text!r}. "
        f"First bad row: {row.number - 1} (data rows counted from 1), {len(bad):,} in all. Remedy: repair the row."
    )


def _open(path: Path) -> IO[bytes]:
    """The bytes of a csv or tsv file, unpacked."""
    names = zipfile.ZipFile(path).namelist() if path.suffix == ".zip" else [path.name.removesuffix(".gz")]
    if len(names) != 1 or Path(names[0]).suffix not in (".csv", ".tsv"):
        raise ValueError(f"path={str(path)!r} must be a .csv, .tsv or .parquet file (csv and tsv also as .gz or .zip)")
    return zipfile.ZipFile(path).open(names[0]) if path.suffix == ".zip" else pa.input_stream(path)


def _require_all(path: Path, columns: list[str], wanted: dict[str, str]) -> None:
    for column, argument in wanted.items():
        require(column, columns, f"set {argument}=… to the right name; a csv file names its columns in its first line")


def _parse_ids(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Integers where every one reads back as the very same text, else the text: "007" is not 7."""
    try:
        integers = text.cast(pa.int64())
    except pa.ArrowInvalid:
        return text
    return integers if integers.cast(pa.string()).equals(text) else text


def _parse_time(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Text as seconds or as datetimes in UTC; a column that is not text stays as it is."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    for kind in (pa.int64(), pa.float64(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            times = column.cast(kind)
        except pa.ArrowInvalid:
            continue
        return times.cast(pa.timestamp("us")) if kind == pa.timestamp("us", "UTC") else times
    text = column.to_pandas()
    dates = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
    amounts = pd.to_numeric(text, errors="coerce")
    times = dates if dates.count() >= amounts.count() else amounts  # the kind that most rows have
    complaint = "is neither an ISO 8601 time (2014-04-07 10:51:09) nor a number of seconds"
    remedy = "repair these rows; for another date format read the file with pandas and use pandas.to_datetime"
    refuse(times.isna(), text.rename(name), complaint, remedy)
    return pa.chunked_array([pa.Array.from_pandas(times)])


def seconds(column: pd.Series) -> np.ndarray:
    """``(n,)`` float64 seconds from a column of datetimes (since 1970, a zone converted to UTC) or of seconds.

    Raises ClickLogError for text, for a missing time, and for numbers beyond 1e11 (the year 5138), since those are
    milliseconds.
    """
    name, kind = column.name, column.dtype.kind
    if kind == "M":
        refuse(column.isna(), column, "is not a time", "drop these rows, or repair them")
        times = pd.DatetimeIndex(column)
        times = times if times.tz is None else times.tz_convert(None)
        return times.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    if kind not in "iuf" and len(column):
        complaint = "is neither a datetime nor a number of seconds"
        refuse(np.ones(len(column)), column, complaint, f"pandas.to_datetime(clicks[{name!r}])")
    values = column.to_numpy(np.float64, na_value=np.nan)
    refuse(~np.isfinite(values), column, "is not a time", "drop these rows, or repair them")
    refuse(np.abs(values) > 1e11, column, "cannot be seconds", f"if these are milliseconds, clicks[{name!r}] / 1000")
    return values


def plain_ids(column: pd.Series) -> pd.Series:
    """The column as integers or as text; anything else is refused: ids are sorted, and given back as they came."""
    refuse(column.isna(), column, "is not an id", "drop these rows, or give them an id")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.StringDtype) or len(column) == 0:
        return column
    if column.dtype.kind in "iu":
        return column if isinstance(column.dtype, np.dtype) else column.astype(np.int64)  # Int64 and its like
    found = pd.api.types.infer_dtype(column)
    if found not in ("string", "integer"):
        kind = str if isinstance(column.iloc[0], str) else numbers.Integral
        odd = [isinstance(value, bool) or not isinstance(value, kind) for value in column]
        remedy = f'clicks[{column.name!r}].astype("int64"), or .astype(str)'
        refuse(odd, column, f"is no id here ({found}): ids are all text or all integers", remedy)
    return column if found == "string" else column.astype(np.int64)


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
