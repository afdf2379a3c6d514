"""The columns of a click log, got from a file.

``clicks`` is the way in. pyarrow does the parsing, since it reads a csv file on all cores.
"""

from __future__ import annotations

import csv
import re
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from .columns import ClickLogError, in_one_piece, refuse, require


def read_columns(path: Path, wanted: dict[str, str], time: str) -> pd.DataFrame:
    """The wanted columns of a file, ids as the file has them, the time column parsed.

    Args:
        path: a .csv, .tsv or .parquet file; csv and tsv also as .gz or as a .zip with one file in it.
        wanted: column name -> the argument of ``clicks.read`` that names it, for the message when it is missing.
        time: which of them holds the time.
    """
    if not path.is_file():
        folder = ", which is a folder" if path.is_dir() else ""
        raise ClickLogError(f"There is no click log at {path.absolute()}{folder}. Remedy: check path={str(path)!r}.")
    is_text = path.suffix.lower() != ".parquet"
    try:
        table = _read_text(path, wanted) if is_text else _read_parquet(path, wanted)
        columns = {name: table[name] for name in wanted}
        del table
        with ThreadPoolExecutor(2) as pool:  # two columns at a time: all of them would need more memory
            parse = [_parse_time if name == time else _parse_ids if is_text else _to_pandas for name in wanted]
            parsed = pool.map(lambda name, parse: parse(columns.pop(name), name), wanted, parse)
            frame = pd.DataFrame(dict(zip(wanted, parsed, strict=True)), copy=False)
    except (OSError, zipfile.BadZipFile, pa.ArrowException) as error:
        remedy = "repair the file, or save it again as UTF-8"
        raise ClickLogError(f"{path} cannot be read: {error}. Remedy: {remedy}.") from error
    for name, argument in wanted.items():
        if is_text and argument in ("session", "item"):
            _warn_of_floats(frame[name], {"session": "SessionId", "item": "ItemId"}[argument])
    return frame


def _read_parquet(path: Path, wanted: dict[str, str]) -> pa.Table:
    _require_all(path, pa.parquet.read_schema(path).names, wanted)
    return pa.parquet.read_table(path, columns=list(wanted))


def _read_text(path: Path, wanted: dict[str, str]) -> pa.Table:
    """Every wanted column as text."""
    with _open(path) as stream:
        header = re.split("[\r\n]", stream.read(2**16).decode("utf-8-sig", errors="replace"), maxsplit=1)[0]
    if "\0" in header or "\ufffd" in header:  # UTF-16, Latin-1, or no text at all
        raise ClickLogError(f"{path} cannot be read: its first line is no UTF-8. Remedy: save it again as UTF-8.")
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

    for careful in (False, True):  # a line break inside quotes is slow to look for; one thread knows a bad row's number
        bad.clear()
        options = pa.csv.ReadOptions(use_threads=not careful)
        layout = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=careful, invalid_row_handler=note)
        try:
            with _open(path) as stream:
                table = pa.csv.read_csv(stream, options, layout, as_text)
        except pa.ArrowInvalid:
            if careful:
                raise
            continue
        if not bad:
            return table
    row = bad[0]
    raise ClickLogError(
        f"{path}: the header names {row.expected_columns} columns, but a row has {row.actual_columns}: "
        f"{row.text[:200]!r}. First bad row: {row.number - 1} (data rows counted from 1), {len(bad):,} in all. "
        "Remedy: repair the row."
    )


def _open(path: Path) -> IO[bytes]:
    """The bytes of a csv or tsv file, unpacked."""
    kind = path.suffix.lower()
    names = [path.stem if kind == ".gz" else path.name]
    if kind == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    if len(names) != 1 or Path(names[0]).suffix.lower() not in (".csv", ".tsv"):
        raise ValueError(f"path={str(path)!r}: must be a .csv, .tsv or .parquet file (csv and tsv also as .gz or .zip)")
    if kind == ".zip":
        return zipfile.ZipFile(path).open(names[0])
    return pa.input_stream(path, compression="gzip" if kind == ".gz" else None)


def _require_all(path: Path, columns: list[str], wanted: dict[str, str]) -> None:
    for column, argument in wanted.items():
        require(column, columns, f"set {argument}=… to the right name; a csv file names its columns in its first line")


def _to_pandas(column: pa.ChunkedArray, name: str = "") -> pd.Series:
    """The column as pandas has it, text in one piece."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pa.chunked_array([in_one_piece(column.cast(pa.large_string()))])
    return pa.table({name: column}).to_pandas(ignore_metadata=True)[name]


def _integers(text: pa.ChunkedArray, exact: bool) -> np.ndarray | None:
    """``(n,)`` int64, or float64 with NaN for a missing one; None unless all are integers (exact: and nothing else)."""
    found, done = np.empty(len(text), dtype=np.float64 if text.null_count else np.int64), 0
    for piece in text.chunks:  # small enough for the processor's cache
        try:
            integers = piece.cast(pa.int64())
        except pa.ArrowInvalid:
            return None
        if exact and not integers.cast(piece.type).equals(piece):
            return None
        found[done : done + len(piece)] = integers.to_numpy(zero_copy_only=False)
        done += len(piece)
    return found


def _parse_ids(text: pa.ChunkedArray, name: str) -> pd.Series:
    """Integers where every one reads back as the very same text, else the text: "007" is not 7."""
    integers = _integers(text, exact=True)
    return _to_pandas(text, name) if integers is None else pd.Series(integers, name=name, copy=False)


def _warn_of_floats(ids: pd.Series, becomes: str) -> None:
    """A program that takes integers for floats writes 7 as "7.0", which is not the id 7 of another file."""
    some = "" if ids.dtype.kind in "iu" or len(ids) == 0 else ids.iloc[0]
    if isinstance(some, str) and some.endswith(".0") and ids.str.fullmatch(r"-?\d+\.0").all():
        warnings.warn(
            f"Column {ids.name!r}: its ids are text such as {some!r}, which is not the id {some.removesuffix('.0')!r}. "
            f"If they were integers once: clicks[{becomes!r}] = "
            f'clicks[{becomes!r}].str.removesuffix(".0").astype("int64")',
            stacklevel=4,
        )


def _parse_time(column: pa.ChunkedArray, name: str) -> pd.Series:
    """Text as seconds or as datetimes in UTC; a column that is not text stays as it is."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return _to_pandas(column, name)
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
            return _to_pandas(times.cast(pa.timestamp("us")) if kind == pa.timestamp("us", "UTC") else times, name)
        with_zone = pc.replace_substring_regex(column, " UTC$", "Z")
    plain, shown = with_zone.to_pandas(), column.to_pandas().rename(name)
    dates = pd.to_datetime(plain, format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
    amounts = pd.to_numeric(plain, errors="coerce")
    no_time = "is neither an ISO 8601 time (2014-04-07 10:51:09) nor a number of seconds"
    remedy = "repair these rows; for another date format read the file with pandas and use pandas.to_datetime"
    most, few, kinds = (dates, amounts, "dates") if dates.count() >= amounts.count() else (amounts, dates, "numbers")
    bad = most.isna().to_numpy()
    refuse(bad, shown, f"stands among {kinds}" if few.notna()[bad.argmax()] else no_time, remedy)
    return most.rename(name)
