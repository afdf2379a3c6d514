"""A click log from a file, whatever its columns are called."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..internal.checks import as_path, require_one_of, require_that
from .columns import COLUMNS
from .file import ORDER, read_columns
from .values import UNITS


def read(
    path: str | Path,
    session: str | Sequence[str] | None = "SessionId",
    item: str = "ItemId",
    time: str | None = "Time",
    keep: Sequence[str] = (),
    events: str | Mapping[str, Collection[str | int]] | None = None,
    quote: str | None = '"',
    unit: str = "s",
) -> pd.DataFrame:
    """A click log from a file: .csv, .tsv, .txt (delimiter , ; | or tab), .jsonl, .parquet, or a folder of .parquet.

    Text files may be packed as .gz or .zip. In a csv file, a column of ids is integer if every id reads back as exactly
    the same text, else it is text ("00123" stays "00123", and ids from 2^63 on stay text); an empty field is a missing
    id, and a word such as NULL is an id, with a warning. Ids such as "7.0" also stay text, with a warning: they are not
    the ids 7 of another file. Times are seconds, or dates and times in ISO 8601, such as 2014-04-07T10:51:09Z (with a
    zone: converted to UTC) or 2014-04-07 10:51:09 UTC. If the items are lists, each row is a session and becomes one
    row per click.

    Either every row is read, or the file is refused: a quotation mark that is never closed, text after a closing one,
    and a row of another length are errors. Quoted values may hold a line break; a warning counts them.

    Args:
        path: the file, in UTF-8, with a header line (.jsonl: one object per line); parts are read in order of name.
        session, item, time: the file's names of the three columns; they become SessionId, ItemId and Time.
            ``session=None``: the file has no sessions yet; ``sessionise`` will make them. ``session=[...]``: several
            columns name a session, and are joined by "/" ("ann/3"; a "/" in a value becomes "\\/", and "\\" is
            doubled). ``time=None``: clicks have no time but are in order, and Time counts the rows: pauses and days
            then have no meaning, so do not use ``sessionise`` and ``split_by_time``.
        keep: names of further columns to carry along, such as the user's id; read like ids.
        events: the name of the column with the kind of event, which becomes Event; ``{name: ["view", "cart"]}`` keeps
            only these kinds, and a printed line counts what was kept and what was left out.
        quote: the quotation mark; None for a file that never quotes.
        unit: what numbers in ``time`` count: "s", "ms", "us" or "ns"; they become seconds.

    Raises:
        ClickLogError: there is no such file, a column is missing, a row cannot be used.
    """
    path = as_path("path", path)
    _check_names(session, item, time, keep, events)
    require_that(
        "quote", quote, quote is None or _is_mark(quote), "one ASCII character that is not a delimiter, or None"
    )
    require_one_of("unit", unit, UNITS)
    sessions = [] if session is None else [session] if isinstance(session, str) else list(session)
    event, kinds = next(iter(events.items())) if isinstance(events, Mapping) else (events, None)
    names = {"ItemId": item, "Time": time or ORDER} | ({"Event": event} if event is not None else {})
    new = [*COLUMNS[session is None :], *(["Event"] if event is not None else [])]
    given = {item, time, event, *(sessions if len(sessions) == 1 else ())}
    if (set(keep) - given) & set(new):
        raise ValueError(f"{keep=}: must be names, but not {', '.join(new)}: read itself makes those columns")
    pairs = [*(("session", own) for own in sessions), ("item", item), ("time", time), ("events", event)]
    pairs += [("keep", own) for own in keep if len(sessions) < 2 or own not in sessions]
    wanted = [(own, argument) for argument, own in pairs if own is not None]
    if len(dict(wanted)) < len(wanted):
        named = f"{session=}, {item=}, {time=}, {keep=}" + (f", {events=}" if event else "")
        raise ValueError(f"{named}: must name different columns")
    some = None if kinds is None else list(dict.fromkeys(map(str, kinds)))
    frame = read_columns(path, dict(wanted), some, quote, unit)
    log = {} if session is None else {"SessionId": _joined([frame[own] for own in sessions])}
    log |= {name: frame[own] for name, own in names.items()} | {own: frame[own] for own in keep}
    return pd.DataFrame(log, copy=False)


def _joined(columns: list[pd.Series]) -> pd.Series:
    """Ids of several columns as one text, from which they could be recovered: different ids stay different."""
    if len(columns) == 1:
        return columns[0]
    parts = []
    for column in columns:
        text = pa.array(column, from_pandas=True).cast(pa.large_string())
        parts.append(pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), "/", "\\/"))
    joined = pc.binary_join_element_wise(*parts, pa.scalar("/", pa.large_string()))
    return pa.table({"SessionId": joined}).to_pandas()["SessionId"]


def _check_names(session: Any, item: Any, time: Any, keep: Any, events: Any) -> None:
    name, names = "the name of a column", "a list of names of columns"
    several = isinstance(session, (list, tuple)) and len(session) > 0 and all(isinstance(one, str) for one in session)
    one = session is None or isinstance(session, str)
    require_that("session", session, one or several, f"{name}, or None, or {names}")
    require_that("item", item, isinstance(item, str), name)
    require_that("time", time, time is None or isinstance(time, str), f"{name}, or None")
    is_list = isinstance(keep, (list, tuple, pd.Index)) and all(isinstance(column, str) for column in keep)
    require_that("keep", keep, is_list, names)
    chosen = isinstance(events, Mapping) and len(events) == 1 and all(
        isinstance(column, str) and isinstance(kinds, (list, tuple, set)) and len(kinds) > 0
        and all(isinstance(kind, (str, int)) and not isinstance(kind, bool) for kind in kinds)
        for column, kinds in events.items()
    )  # fmt: skip
    allowed = f'{name}, or {{its name: a list of the kinds to keep}}, such as {{"type": ["view", "cart"]}}, or None'
    require_that("events", events, events is None or isinstance(events, str) or chosen, allowed)


def _is_mark(quote: Any) -> bool:
    return isinstance(quote, str) and len(quote) == 1 and quote.isascii() and quote not in "\0\t\r\n,;|"
