"""A click log: read it, check it, cut it into sessions, split it by time, filter it, encode it into flat arrays.

A click log is a DataFrame with one click per row and the columns ``SessionId``, ``ItemId`` and ``Time``; other columns
are carried along. Ids are text or integers and stay so. Times are datetimes, which count to the microsecond, or seconds
(a number); clicks of a session at the same time keep the order of their rows. Row labels (the frame's index) mean
nothing, and no input is changed.
"""

from __future__ import annotations

import numbers
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .checks import as_path, require_flag, require_one_of, require_that
from .clickfile import ORDER, read_columns
from .clickvalues import UNITS
from .columns import COLUMNS, ClickLogError, check, checked, numbered, rows_kept, seconds
from .filters import prepare
from .order import differ, in_order, in_time, pick
from .refusals import require_positive

__all__ = ["ClickLogError", "Sessions", "check", "encode", "prepare", "read", "seconds", "sessionise", "split_by_time"]


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

    Files of text may be packed as .gz or .zip. In a csv file a column of ids is integer when every id reads back as the
    very same text, else it is text ("00123" stays "00123", and ids from 2^63 on stay text); an empty field is a missing
    id, and a word such as NULL is an id, with a warning. Ids such as "7.0" stay text too, with a warning: they are not
    the ids 7 of another file. Times are seconds, or dates and times of ISO 8601, such as 2014-04-07T10:51:09Z (with a
    zone: converted to UTC) or 2014-04-07 10:51:09 UTC. Where the items are lists, a row is a session and becomes a row
    for each click.

    Every row is read, or the file is refused: a quotation mark that is never closed, text behind a closing one, and a
    row of another length are errors. Quoted values that hold a line break are right, and are counted in a warning.

    Args:
        path: the file, in UTF-8, with a header line (.jsonl: an object a line); parts are read in order of name.
        session, item, time: the file's names of the three columns; they become SessionId, ItemId and Time.
            ``session=None``: the file has no sessions yet, ``sessionise`` will make them. ``session=[...]``: several
            columns name one, and are joined by "/" ("ann/3"; a "/" of their own becomes "\\/", and "\\" is doubled).
            ``time=None``: clicks have no time but stand in order, and Time counts the rows: pauses and days then mean
            nothing, so neither do ``sessionise`` and ``split_by_time``.
        keep: names of further columns to carry along, such as the user's id; read like ids.
        events: the name of the column that tells kinds of events, which becomes Event; ``{name: ["view", "cart"]}``
            keeps these alone, and a printed line counts what was kept and what was left out.
        quote: the quotation mark; None for a file that never quotes.
        unit: what a number in ``time`` counts: "s", "ms", "us" or "ns"; it becomes seconds.

    Raises:
        ClickLogError: there is no such file, a column is missing, a row cannot be used.
    """
    path = as_path("path", path)
    _check_names(session, item, time, keep, events)
    require_that(
        "quote", quote, quote is None or _is_mark(quote), "one ASCII character that no value is cut by, or None"
    )
    require_one_of("unit", unit, UNITS)
    sessions = [] if session is None else [session] if isinstance(session, str) else list(session)
    event, kinds = next(iter(events.items())) if isinstance(events, Mapping) else (events, None)
    names = {"ItemId": item, "Time": time or ORDER} | ({"Event": event} if event is not None else {})
    new = [*COLUMNS[session is None :], *(["Event"] if event is not None else [])]
    given = {item, time, event, *(sessions if len(sessions) == 1 else ())}
    if (set(keep) - given) & set(new):
        raise ValueError(f"{keep=}: must be names, but not {', '.join(new)}: those are given anew")
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
    """Ids of several columns as one text, from which they could be got again: different ones stay different."""
    if len(columns) == 1:
        return columns[0]
    parts = []
    for column in columns:
        text = pa.array(column, from_pandas=True).cast(pa.large_string())
        parts.append(pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), "/", "\\/"))
    joined = pc.binary_join_element_wise(*parts, pa.scalar("/", pa.large_string()))
    return pa.table({"SessionId": joined}).to_pandas()["SessionId"]


def sessionise(clicks: pd.DataFrame, user: str = "UserId", gap: float = 3600) -> pd.DataFrame:
    """Give every click a SessionId: a user's clicks belong together until a pause of more than ``gap`` seconds.

    A pause of exactly ``gap`` stays inside; pauses count to the microsecond, so ``gap`` must be whole microseconds. The
    n-th session of user u is named "u-n", so later clicks never rename earlier sessions. Rows may stand in any order
    and keep it; a SessionId that is there already is replaced.
    """
    require_positive(numbers.Real, gap=gap)
    if not (round(float(gap), 6) == float(gap) == gap):  # a pause of 5/7 s counts as 0.714286, which is more than 5/7
        raise ValueError(f"gap={gap!r}: must be a whole number of microseconds, such as round(gap, 6) gives")
    frame, times = checked(clicks, ids=(user, "ItemId"))
    users, names = numbered(frame[user])
    order = in_order(users, times)
    of_user, in_time = users[order], times[order]
    new_user = np.diff(of_user, prepend=-1) != 0
    pause = np.diff(in_time, prepend=in_time[0]).round(6)  # floats of today's seconds are off by some 1e-7 s
    starts = new_user | (pause > gap)
    owner = of_user[starts]
    first = np.flatnonzero(new_user[starts])  # (users,) where each user's sessions begin
    number = np.arange(len(owner)) - np.repeat(first, np.diff(first, append=len(owner))) + 1
    ids = names[owner].astype(str) + "-" + pd.Index(number).astype(str)
    session = np.empty(len(frame), dtype=np.int64)
    session[order] = starts.cumsum() - 1
    frame = frame.drop(columns="SessionId", errors="ignore")
    frame.insert(0, "SessionId", ids.take(session))
    return frame


def split_by_time(clicks: pd.DataFrame, days: float = 14, verbose: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, test): sessions that end before the last ``days`` days of the log, and sessions that lie within them.

    The cut is ``days`` days before the last click. Train has the sessions that end at it or before, test those that
    start after it; sessions that cross it go to neither. A printed line counts them, and so does ``attrs["crossing"]``.
    """
    require_positive(numbers.Real, days=days)
    require_flag("verbose", verbose)
    frame, times = checked(clicks)
    session, ids = numbered(frame["SessionId"])
    is_late = times > round(float(times.max()) - days * 86400, 6)  # else 86500.2 - 86400 is less than 100.2
    n, n_late = np.bincount(session, minlength=len(ids)), np.bincount(session[is_late], minlength=len(ids))
    early, late = n > n_late, n_late > 0  # has clicks before the cut, after it
    sides = {"train": early & ~late, "test": late & ~early}
    for side, chosen in sides.items():
        if not chosen.any():
            span = (times.max() - times.min()) / 86400
            remedy = f"fewer days (the log spans {span:.3g})" if side == "train" else "more days"
            raise ClickLogError(f"days={days} leaves no whole session for {side} (column 'Time'). Remedy: {remedy}.")
    train, test = (rows_kept(frame, chosen[session], SessionId=(session, ids)) for chosen in sides.values())
    crossing = int((early & late).sum())
    train.attrs["crossing"] = test.attrs["crossing"] = crossing
    if verbose:
        for side, part in (("train", train), ("test", test)):
            print(f"{side}: {len(part):,} clicks in {sides[side].sum():,} sessions")
        if crossing:
            print(f"sessions that cross the cut and go to neither: {crossing:,}")
    return train, test


@dataclass(frozen=True, eq=False, repr=False)
class Sessions:
    """A click log in flat arrays: sessions in order of their start (ties: by id), clicks by time (ties: by row)."""

    items: np.ndarray  # (n,) int64 item numbers, -1 = unknown item
    offsets: np.ndarray  # (S + 1,) int64; session s is items[offsets[s]:offsets[s + 1]]
    times: np.ndarray  # (n,) float64 seconds
    index: pd.Index  # (N,) item ids; the position is the item's number
    ids: np.ndarray  # (S,) session ids

    @property
    def support(self) -> np.ndarray:
        """``(N,)`` int64, clicks of each item."""
        return np.bincount(self.items[self.items >= 0], minlength=len(self.index))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Sessions({len(self):,} sessions, {len(self.items):,} clicks, {len(self.index):,} items)"


def encode(clicks: pd.DataFrame, items: pd.Index | None = None) -> Sessions:
    """The click log as ``Sessions``; nothing is dropped.

    Args:
        clicks: a click log; it may be empty when ``items`` is given.
        items: the item index of the training clicks, for a test log: items that it lacks get the number -1. None: the
            index is made from these clicks, in sorted order.
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
            raise ValueError(f"items must hold an item once, and holds {index[index.duplicated()][0]!r} again")
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


def _check_items(items: Any) -> None:
    is_list = items is None or (hasattr(items, "__len__") and not isinstance(items, (str, bytes, dict, set)))
    require_that("items", items, is_list and getattr(items, "ndim", 1) == 1, "a list of item ids, as model.items is")
    if items is not None and pd.isna(pd.Index(items)).any():
        raise ValueError(
            f"items: must hold an id in every place, and place {pd.isna(pd.Index(items)).argmax()} is empty"
        )


def _by_start(begin: np.ndarray, ids: pd.Index, number: np.ndarray) -> np.ndarray:
    """``(S,)`` these session numbers in order of their begin, then id; begins and ids are ``(K,)``, by number."""
    number = number[in_time(begin[number])]
    tied = ~differ(begin[number])
    tied[:-1] |= tied[1:]
    some = number[tied]
    rank = np.empty(len(some), dtype=np.int64)
    rank[ids.take(some).argsort()] = np.arange(len(some))
    number[tied] = some[np.lexsort((rank, begin[some]))]
    return number
