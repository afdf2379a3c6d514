"""Find where a text file's quotation marks open and close, before anything else is trusted.

A value that begins with a mark ends at the next single mark, which a delimiter or a line end must follow; inside, two
marks stand for one. A mark elsewhere, as in ``12" mix``, is an ordinary character. In a csv reader, a mark that is
never closed swallows the rows that follow, so such a file is refused. A line break inside marks does not end a row, so
values with one are counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import raw
from .columns import ClickLogError

LINE_ENDS = re.compile(rb"[\r\n]+")
UNQUOTED = "if this file never quotes, read it with quote=None"


@dataclass
class Quotes:
    """What was found: values that hold a line break, and where the first one is."""

    n_broken: int = 0
    first: bytes = b""
    row: int = 0
    inside: int = 0  # places inside quotes where a line seems to end
    returns: bool = False  # whether one of them is a carriage return
    size: int = 0  # bytes of the file, unpacked


def look(path: Path, quote: bytes, delimiter: bytes) -> Quotes:
    """Examine every quotation mark of a file; ClickLogError if one is never closed, or text follows a closing one."""
    found = Quotes()
    text, begins = b"\n", -1  # an extra byte before the first; ``begins``: where ``text`` starts in the file
    due, more = 0, b""
    for block in raw.blocks(path):
        found.size += len(block)
        more += block
        if len(more) < due:  # a value did not end: read twice as much, or a long one would take forever
            continue
        text, more = text + more, b""
        done = _walk(path, text, begins, quote, delimiter, found)
        text, begins = text[done - 1 :], begins + done - 1
        due = len(text) if len(text) > 1 else 0
    text += more + b"\n"
    done = _walk(path, text, begins, quote, delimiter, found)
    if done < len(text):
        _refuse(path, begins + done, text[done:-1], "opens a value that is never closed", found)
    return found


def _walk(path: Path, text: bytes, begins: int, quote: bytes, delimiter: bytes, found: Quotes) -> int:
    """How many bytes of the text are understood; the first byte was examined before."""
    if quote not in text:
        return len(text)
    lines = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
    if lines > 1 and _is_plain(text[:lines], quote, delimiter):
        return lines
    separators, mark, at = delimiter + b"\r\n", quote[0], 1
    while (start := text.find(quote, at)) >= 0:
        at = start + 1
        if text[start - 1] not in separators:
            continue  # 12" mix
        end = text.find(quote, start + 1)
        while 0 <= end < len(text) - 1 and text[end + 1] == mark:
            end = text.find(quote, end + 2)
        if not 0 <= end < len(text) - 1:
            return start
        if text[end + 1] not in separators:
            _refuse(path, begins + start, text[start : end + 40], "closes a value, but text follows it", found)
        if breaks := LINE_ENDS.findall(text, start, end):
            if not found.n_broken:
                found.first, found.row = text[start + 1 : end], _row(path, begins + start, 0)
            found.n_broken, found.inside = found.n_broken + 1, found.inside + len(breaks)
            found.returns |= any(b"\r" in one for one in breaks)
        at = end + 1
    return len(text)


def _is_plain(text: bytes, quote: bytes, delimiter: bytes) -> bool:
    """Whether marks open and close alternately, each where it may, with no line end between: the usual case, fast.

    The text ends with a line end.
    """
    data = np.frombuffer(text, np.uint8)
    marks = np.flatnonzero(data[1:] == quote[0]) + 1
    if len(marks) == 0 or len(marks) % 2:
        return len(marks) == 0
    ends = (data == ord("\n")) | (data == ord("\r"))
    beside = ends | (data == delimiter[0])
    first, beside[1:] = beside[marks[0] - 1], beside[1:] | (data[1:] == quote[0])  # "" closes and opens again
    in_place = first and beside[marks[2::2] - 1].all() and beside[marks[1::2] + 1].all()
    return bool(in_place and not (np.searchsorted(marks, np.flatnonzero(ends)) % 2).any())


def _row(path: Path, end: int, inside: int) -> int:
    """The data row, counted from 1, that holds this byte of the file; blank lines do not count."""
    row, begins, before = -inside, 0, b"\n"
    for block in raw.blocks(path):
        data = np.frombuffer(before + block[: end - begins], np.uint8)
        ends = (data == ord("\n")) | (data == ord("\r"))
        row += int((ends[1:] & ~ends[:-1]).sum())
        begins, before = begins + len(block), block[-1:]
        if begins >= end:
            break
    return row


def _refuse(path: Path, at: int, text: bytes, complaint: str, found: Quotes) -> None:
    row = _row(path, at, found.inside)
    where = f"First bad row: {row} (data rows counted from 1)" if row > 0 else "It is in the header"
    shown = text[:80].decode(errors="replace")
    raise ClickLogError(
        f"{path}: a quotation mark {complaint}: {shown!r}. {where}. Remedy: repair the row; {UNQUOTED}."
    )
