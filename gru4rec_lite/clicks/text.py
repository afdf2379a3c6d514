"""A csv, tsv or txt file as a table of text: every row that is in it, or a refusal.

pyarrow does the parsing, since it reads on all cores. It cuts a file at line ends, which is right only where no line
end is inside quotes: ``quotes`` has examined every quotation mark before.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from . import quotes, raw
from .columns import ClickLogError, require

LARGEST = 2**31 - 1  # bytes of a block, and so of a row


def read_text(path: Path, wanted: dict[str, str], quote: str | None, notes: list[str]) -> pa.Table:
    """Every wanted column as text, an empty field as missing; anything worth a warning is added to ``notes``."""
    delimiter, size = _header(path, wanted, quote)
    mark = None if quote is None else quote.encode()
    found = quotes.Quotes() if mark is None else quotes.look(path, mark, delimiter.encode())
    if found.returns:  # pyarrow loses the \n of a quoted \r\n when a block ends between them: use one block
        size = found.size + len(raw.BOM)
        if size > LARGEST:
            remedy = "save it as parquet, or write its line breaks inside quotes as \\n"
            raise ClickLogError(f"{path}: too large for quoted values with a carriage return. Remedy: {remedy}.")
    table = _parse(path, wanted, delimiter, quote, found.n_broken > 0, max(size, raw.BLOCK))
    if found.n_broken:
        n_lines, begins = len(quotes.LINE_ENDS.split(found.first)), found.first[:40].decode(errors="replace")
        notes.append(
            f"{path}: {found.n_broken:,} quoted value{'s' * (found.n_broken > 1)} with a line break in "
            f"{len(table):,} rows. First: row {found.row} (data rows counted from 1), {n_lines:,} lines from "
            f"{begins!r} on. If these are rows of their own, that is, {quotes.UNQUOTED}"
        )
    return table


def _header(path: Path, wanted: dict[str, str], quote: str | None) -> tuple[str, int]:
    """The delimiter, and a number of bytes that surely holds the header: pyarrow wants it in the first block."""
    begin = next(raw.blocks(path, max(2**20, raw.BLOCK)), b"")
    text = begin.lstrip(b"\r\n")
    split = {delimiter: _names(text, delimiter, quote) for delimiter in _likely(path, text)}
    names = next((found for found in split.values() if set(wanted) <= set(found)), next(iter(split.values())))
    if any("\0" in name or "\ufffd" in name for name in names):  # UTF-16, Latin-1, or not text at all
        remedy = raw.remedy(path).removeprefix("repair the file, or ")
        raise ClickLogError(f"{path} cannot be read: its first line is not UTF-8. Remedy: {remedy}.")
    if text and not any(split.values()):
        shown = text[:80].decode(errors="replace")
        remedy = f"name the columns in the first line; {quotes.UNQUOTED}"
        raise ClickLogError(f"{path} cannot be read: its header does not end: {shown!r}. Remedy: {remedy}.")
    for column, argument in wanted.items():
        remedy = f"set {argument}=… to the right name; a csv file names its columns in its first line"
        if names.count(column) > 1:
            remedy = "give each column a name of its own in the first line of the file"
        require(column, names, remedy)
    delimiter = next(one for one in split if split[one] is names)
    size = sum(2 * len(name.encode()) + 3 for name in names)  # at worst all doubled quotes, in quotes
    return delimiter, len(raw.BOM) + len(begin) - len(text) + size


def _likely(path: Path, text: bytes) -> list[str]:
    """Delimiters, the likeliest first: the one that occurs most often in the first line."""
    line = quotes.LINE_ENDS.split(text, maxsplit=1)[0]
    return sorted("\t,;|" if ".tsv" in path.name.lower() else ",\t;|", key=lambda one: -line.count(one.encode()))


def _names(text: bytes, delimiter: str, quote: str | None) -> list[str]:
    lines = io.StringIO(text.decode(errors="replace"), newline="")  # keeps line ends as they are
    kind: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if quote is None else {"quotechar": quote}
    try:
        return next(csv.reader(lines, delimiter=delimiter, **kind), [])
    except csv.Error:  # longer than the reader allows a name to be
        return []


def _parse(path: Path, wanted: dict[str, str], delimiter: str, quote: str | None, broken: bool, size: int) -> pa.Table:
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

    layout = pa.csv.ParseOptions(
        delimiter=delimiter, quote_char=quote or False, newlines_in_values=broken, invalid_row_handler=note
    )
    threads = True
    while True:
        bad.clear()
        try:
            with raw.open_bytes(path) as stream:
                options = pa.csv.ReadOptions(use_threads=threads, block_size=min(size, LARGEST))
                table = pa.csv.read_csv(stream, options, layout, as_text)
        except pa.ArrowInvalid as error:
            if "straddling" in str(error) and size < LARGEST:  # a row longer than a block
                size *= 16
            elif threads:
                threads = False
            else:
                raise
            continue
        if not bad:
            return table
        if not threads:
            break
        threads = False  # one thread knows a bad row's number
    row = bad[0]
    raise ClickLogError(
        f"{path}: the header names {row.expected_columns} columns, but a row has {row.actual_columns}: "
        f"{row.text[:200]!r}. First bad row: {row.number - 1} (data rows counted from 1), {len(bad):,} in all. "
        "Remedy: repair the row."
    )
