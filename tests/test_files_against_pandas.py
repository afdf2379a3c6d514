"""`clicks.read` against pandas' C and Python parsers, on generated files: equal rows, or a refusal that is explained.

A third reader stands here, `by_letters`: twenty lines that go letter by letter. It says what is right, and gives the
evidence for each refusal of ours (``STRICTER``) and for each file that pandas reads otherwise or not at all
(``LOOSER``); whatever is neither fails. Files are read in blocks of a few bytes, so that every odd place falls on a
border. ``HYPOTHESIS_PROFILE=long`` tries ten times as many.
"""

from __future__ import annotations

import csv
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from gru4rec_lite import clicks
from gru4rec_lite.clicks import ClickLogError
from gru4rec_lite.clicks import raw as bytes_of_files

TRIED: Counter[str] = Counter()
STRICTER = {  # why a file is refused, though pandas may read it -> what is said
    "a quotation mark is never closed": "opens a value that is never closed",
    "text stands behind a closing mark": "closes a value, but text follows it",
    "a row has too few or too many values": r"the header names \d+ columns, but a row has",
    "an id is missing": "'[si]': an empty field is not an id",
    "there is no row": "is empty: column 'i' has no row|CSV parse error: Empty",
    "the header has no such column, or has it twice": r"is missing: the|occurs \d times|first line is not UTF-8",
    "the header is quoted wrong": "is missing: the log has|first line is not UTF-8|opens a value|closes a value",
}


class Odd(Exception):
    """Why a file is to be refused."""


def by_letters(text: str, delimiter: str, quote: str | None) -> Iterator[list[str]]:
    """The rows of a file; a blank line is none."""
    row: list[str] = []
    value, state = "", "begin"
    for letter in [*text.removeprefix("\ufeff"), "\n"]:
        if state == "inside":
            if letter == quote:
                state = "closed"
            else:
                value += letter
        elif state == "closed" and letter == quote:
            value, state = value + letter, "inside"
        elif letter == delimiter:
            row, value, state = [*row, value], "", "begin"
        elif letter in "\r\n":
            if row or state != "begin":
                yield [*row, value]
            row, value, state = [], "", "begin"
        elif state == "closed":
            raise Odd("text stands behind a closing mark")
        elif state == "begin" and letter == quote:
            state = "inside"
        else:
            value, state = value + letter, "letters"
    if state != "begin":
        raise Odd("a quotation mark is never closed")


def right(text: str, delimiter: str, quote: str | None, names: list[str]) -> dict[str, list[str]]:
    """The columns of these names; Odd where the file is to be refused."""
    rows = by_letters(text, delimiter, quote)
    try:
        header = next(rows, [])
    except Odd as odd:
        raise Odd("the header is quoted wrong") from odd
    if any(header.count(name) != 1 for name in names):
        raise Odd("the header has no such column, or has it twice")
    table = list(rows)
    if any(len(row) != len(header) for row in table):
        raise Odd("a row has too few or too many values")
    columns = {name: [row[header.index(name)] for row in table] for name in names}
    if not table:
        raise Odd("there is no row")
    if "" in [*columns["i"], *columns.get("s", [])]:
        raise Odd("an id is missing")
    return columns


def of_pandas(path: Path, engine: str, delimiter: str, quote: str | None, names: list[str]) -> dict[str, list[str]]:
    marks = {"quoting": csv.QUOTE_NONE} if quote is None else {"quotechar": quote}
    frame = pd.read_csv(path, sep=delimiter, dtype=str, na_filter=False, engine=engine, index_col=False, **marks)
    return {name: frame[name].tolist() for name in names}


def of_ours(path: Path, quote: str | None, names: list[str]) -> dict[str, list[str]]:
    session = "s" if "s" in names else None
    log = clicks.read(path, session, "i", None, [name for name in names if name not in "si"], quote=quote)
    assert log["Time"].tolist() == list(range(len(log)))
    columns = {name: log[{"s": "SessionId", "i": "ItemId"}.get(name, name)] for name in names}
    return {
        name: ["" if missing else str(one) for one, missing in zip(c, c.isna(), strict=True)]
        for name, c in columns.items()
    }


def looser(text: str, ours: dict[str, list[str]], read: dict[str, list[str]]) -> str | None:
    """Why pandas reads a file otherwise that we read right; None: there is no reason."""
    rest = [[item for item in one.get("i", []) if item.strip()] for one in (ours, read)]
    if list(ours) == list(read) == ["i"] and rest[0] == rest[1] and len(read["i"]) < len(ours["i"]):
        return "a row of one value that is all blanks is skipped"
    return None


def compare(text: str, delimiter: str, quote: str | None, block: int, names: list[str]) -> None:
    """Fail unless the file is read right or refused, and pandas agrees or it is known why not."""
    TRIED["files"] += 1
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / ("log.tsv" if delimiter == "\t" else "log.csv")
        path.write_bytes(text.encode())
        theirs = {}
        for engine in ("c", "python"):
            try:
                theirs[engine] = of_pandas(path, engine, delimiter, quote, names)
            except (ValueError, KeyError, csv.Error) as error:
                theirs[engine] = {"error": [repr(error)]}
        expected, reason = {}, ""
        try:
            expected = right(text, delimiter, quote, names)
        except Odd as odd:
            reason = str(odd)
        ours, said = {}, ""
        with mock.patch.object(bytes_of_files, "BLOCK", block):
            try:
                ours = of_ours(path, quote, names)
            except ClickLogError as error:
                said = str(error)
    assert ours == expected, (said, reason, theirs)
    if said:
        assert re.search(STRICTER[reason], said), (reason, said)
        refused = all("error" in read for read in theirs.values())
        TRIED[f"refused, {'as by pandas' if refused else 'which pandas reads'}: {reason}"] += 1
        return
    for engine, read in theirs.items():
        if read != ours:
            why = looser(text, ours, read)
            assert why, (engine, read, ours)
            TRIED[f"read right, not by pandas' {engine}: {why}"] += 1
    TRIED["read as by both parsers of pandas"] += all(read == ours for read in theirs.values())


PIECES = [
    '"',
    '""',
    '"',
    "'",
    "D",
    "D",
    "D",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "a",
    "b",
    "7",
    "007",
    "1e5",
    "#",
    " ",
    "é",
    "D\n",
    "NA",
    "\ufeff",
    ";",
]
blocks = st.sampled_from([3, 7, 8, 16, 17, 31, 64, 2**20])
quotes = st.sampled_from(['"', '"', '"', "'", None])
COLUMNS = [["i", "k"], ["s", "i", "k"], ["i"]]
delimiters = st.sampled_from([",", ",", "\t", ";", "|"])


@st.composite
def raw(draw) -> tuple:
    """A header, and letters in any order."""
    names, quote = draw(st.sampled_from(COLUMNS)), draw(quotes)
    delimiter = draw(delimiters if len(names) > 1 else st.sampled_from(",\t"))  # by the file's name, not by its header
    header = draw(st.sampled_from(["", "", "\ufeff", "\n", "\r\n\r\n"])) + delimiter.join(names)
    pieces = draw(st.lists(st.sampled_from(PIECES), max_size=40))
    text = header + draw(st.sampled_from(["\n", "\r\n", "\r"])) + "".join(pieces).replace("D", delimiter)
    return text, delimiter, quote, draw(blocks), names


VALUES = [
    "a", "b", "7", "007", "-3", "+1", "1e5", "0x10", "1_000", " 7", "7 ", " ", "", "", "NA", "null", "None", "nan",
    "#", "#a", "é", "日本", "\ufeff", "\0", "Q", "QQ", "12Q mix", "Qa", "aQ", "aQ,", "a,b", "aDb", "a\nb", "a\r\nb",
    "\r", "\n", "\n\n", "aD\nb", "aD1D2\naD1D2", "Q\n", "D", "DD", "x" * 40, "x\n" * 12, "true", "2014-04-07", "'",
    str(2**63),
]  # fmt: skip


@st.composite
def written(draw) -> tuple:
    """Rows as a careful program writes them, in quotes where they must or may be; in some files one letter is wrong."""
    names, mark = draw(st.sampled_from(COLUMNS)), draw(st.sampled_from(['"', '"', '"', "'"]))
    delimiter = draw(delimiters if len(names) > 1 else st.sampled_from(",\t"))
    quote = draw(st.sampled_from([mark, mark, mark, None]))

    def field(value: str, always: bool) -> str:
        value = value.replace("Q", mark).replace("D", delimiter)
        if quote is None:  # nothing can be hidden: what would end a value is left out
            return re.sub(f"[\r\n{re.escape(delimiter)}]", "", value)
        must = value.startswith(mark) or any(letter in value for letter in delimiter + "\r\n")
        return mark + value.replace(mark, mark * 2) + mark if must or always else value

    always = st.sampled_from([False, False, True]) if draw(st.booleans()) else st.just(True)
    rows = st.lists(st.sampled_from(VALUES), min_size=len(names), max_size=len(names))
    table = draw(st.lists(rows, min_size=1, max_size=12))
    for row in table:
        row[:-1] = [value or "e" for value in row[:-1]] if len(row) > 1 else row[:-1]
        row[-1] = row[-1] or "e" if len(row) == 1 else row[-1]
    lines = [delimiter.join(field(value, draw(always)) for value in row) for row in [names, *table]]
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    blank = st.sampled_from([end] * 8 + [end * 2, end * 3])
    text = draw(st.sampled_from(["", "", "", "\ufeff", end])) + "".join(line + draw(blank) for line in lines)
    text = text.removesuffix(end) if draw(st.booleans()) else text
    if draw(st.integers(0, 3)) == 0:
        place, wrong = (
            draw(st.integers(0, len(text))),
            draw(st.sampled_from([mark, mark, delimiter, end, " ", "a", ""])),
        )
        text = text[:place] + wrong + text[place + draw(st.integers(0, 1)) :]
    return text, delimiter, quote, draw(blocks), names


@pytest.mark.parametrize(("files", "n", "n_read"), [(raw(), 600, 40), (written(), 900, 300)], ids=["raw", "written"])
def test_a_file_is_read_as_by_pandas_or_refused_for_a_reason(files, n, n_read, capsys):
    TRIED.clear()

    @examples(n)
    @given(file=files)
    def compared(file):
        compare(*file)

    compared()
    with capsys.disabled():
        print("\n" + "".join(f"{count:6,} {what}\n" for what, count in sorted(TRIED.items())))
    assert TRIED["files"] >= n
    assert TRIED["read as by both parsers of pandas"] >= n_read, "or the comparison would prove nothing"
    for reason in list(STRICTER)[:4]:
        assert any(what.endswith(reason) for what in TRIED), reason
