"""A click log: read it, check it, cut it into sessions, split it by time, filter it, encode it into flat arrays.

A click log is a DataFrame with one click per row and the columns ``SessionId``, ``ItemId`` and ``Time``; other columns
are carried along. Ids are text or integers and stay so. Times are datetimes or seconds (a number); clicks of a session
at the same time keep the order of their rows. Row labels (the frame's index) mean nothing, and no input is changed.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .clickfile import ClickLogError, plain_ids, read_table, require, seconds

__all__ = ["ClickLogError", "Sessions", "check", "encode", "prepare", "read", "seconds", "sessionise", "split_by_time"]
COLUMNS = ("SessionId", "ItemId", "Time")


def read(
    path: str | Path,
    session: str | None = "SessionId",
    item: str = "ItemId",
    time: str = "Time",
    keep: Sequence[str] = (),
) -> pd.DataFrame:
    """A click log from a .csv (delimiter , ; | or tab), .tsv or .parquet file; csv and tsv also as .gz or .zip.

    In a csv file a column of ids is integer when every id reads back as the very same text, else it is text ("00123"
    stays "00123"); an empty field is a missing id. Times are seconds, or dates and times of ISO 8601, such as
    2014-04-07T10:51:09Z (with a zone: converted to UTC).

    Args:
        path: the file, in UTF-8, with a header line.
        session, item, time: the file's names of the three columns; they become SessionId, ItemId and Time.
            ``session=None``: the file has no sessions yet, ``sessionise`` will make them.
        keep: further columns to carry along, such as the user's id; read like ids.

    Raises:
        ClickLogError: there is no such file, a column is missing, a row cannot be used.
    """
    arguments = [("session", session), ("item", item), ("time", time), *(("keep", column) for column in keep)]
    named = [(column, argument) for argument, column in arguments if column is not None]
    if len(dict(named)) < len(named):
        raise ValueError(f"{session=}, {item=}, {time=}, {keep=} must name different columns")
    frame = read_table(Path(path), dict(named), time).to_pandas(ignore_metadata=True)
    frame = check(frame, ids=[item] if session is None else [session, item], time=time)
    return frame.rename(columns={session: "SessionId", item: "ItemId", time: "Time"})


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
    if not isinstance(clicks, pd.DataFrame):
        raise ClickLogError(f"clicks must be a DataFrame with {', '.join(COLUMNS)}, not a {type(clicks).__name__}")
    for column in (*ids, time):
        require(column, clicks.columns, f"rename it: clicks.rename(columns={{'its name': {column!r}}})")
    if len(clicks) == 0 and not allow_empty:
        raise ClickLogError(f"The click log is empty: column {ids[-1]!r} has no row. Remedy: give it a session.")
    frame = clicks.reset_index(drop=True)  # labels may repeat (two logs concatenated): nothing may be selected by them
    for column in ids:
        frame[column] = plain_ids(frame[column])
    seconds(frame[time])
    return frame


def sessionise(clicks: pd.DataFrame, user: str = "UserId", gap: float = 3600) -> pd.DataFrame:
    """Give every click a SessionId: a user's clicks belong together until a pause of more than ``gap`` seconds.

    A pause of exactly ``gap`` stays inside. The n-th session of user u is named "u-n", so later clicks never rename
    earlier sessions. Rows may stand in any order and keep it; a SessionId that is there already is replaced.
    """
    _positive(numbers.Real, gap=gap)
    frame = check(clicks, ids=(user, "ItemId"))
    users, names = pd.factorize(frame[user])
    times = seconds(frame["Time"])
    order = _in_order(users, times)
    of_user, in_time = users[order], times[order]
    new_user = np.diff(of_user, prepend=-1) != 0
    pause = np.diff(in_time, prepend=in_time[0]).round(6)  # floats of today's seconds are off by some 1e-7 s
    starts = new_user | (pause > gap)
    owner = of_user[starts]
    number = np.arange(len(owner)) - np.flatnonzero(new_user[starts])[owner] + 1  # users stand in order of their number
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
    _positive(numbers.Real, days=days)
    frame = check(clicks)
    times = seconds(frame["Time"])
    session, ids = pd.factorize(frame["SessionId"])
    cut = times.max() - days * 86400
    begin, end = np.full(len(ids), np.inf), np.full(len(ids), -np.inf)
    np.minimum.at(begin, session, times)
    np.maximum.at(end, session, times)
    sides = {"train": end <= cut, "test": begin > cut}
    for side, chosen in sides.items():
        if not chosen.any():
            span = (times.max() - times.min()) / 86400
            remedy = f"fewer days (the log spans {span:.3g})" if side == "train" else "more days"
            raise ClickLogError(f"days={days} leaves no whole session for {side} (column 'Time'). Remedy: {remedy}.")
    train, test = (frame[chosen[session]].reset_index(drop=True) for chosen in sides.values())
    crossing = int((~sides["train"] & ~sides["test"]).sum())
    train.attrs["crossing"] = test.attrs["crossing"] = crossing
    if verbose:
        for side, part in (("train", train), ("test", test)):
            print(f"{side}: {len(part):,} clicks in {sides[side].sum():,} sessions")
        if crossing:
            print(f"sessions that cross the cut and go to neither: {crossing:,}")
    return train, test


def prepare(
    clicks: pd.DataFrame, min_session: int = 2, min_support: int = 1, drop_repeats: bool = False, verbose: bool = True
) -> pd.DataFrame:
    """The clicks left when immediate repeats, rare items and short sessions are dropped, until nothing changes.

    Each round drops, in this order: every click on the item of the click before it in its session (``drop_repeats``),
    clicks on items with fewer than ``min_support`` clicks, sessions of fewer than ``min_session`` clicks. Rows keep
    their order. A printed line says what was dropped, and ``attrs["dropped"]`` counts it by the setting's name.

    Split by time first: an item's support must not be counted on test clicks.
    """
    _positive(numbers.Integral, min_session=min_session, min_support=min_support)
    frame = check(clicks)
    times = seconds(frame["Time"])
    session, item = pd.factorize(frame["SessionId"])[0], pd.factorize(frame["ItemId"])[0]
    rules = {
        "drop_repeats": lambda s, i: (np.diff(s, prepend=-1) != 0) | (np.diff(i, prepend=-1) != 0) | (not drop_repeats),
        "min_support": lambda s, i: np.bincount(i)[i] >= min_support,
        "min_session": lambda s, i: np.bincount(s)[s] >= min_session,
    }
    reasons = {
        "drop_repeats": "immediate repeats",
        "min_support": f"on items with fewer than {min_support} clicks",
        "min_session": f"in sessions of fewer than {min_session} clicks",
    }
    dropped = dict.fromkeys(rules, 0)
    rows = _in_order(session, times)  # what is left, session by session
    s, i = session[rows], item[rows]
    before = -1
    while len(rows) != before:
        before = len(rows)
        for rule, passes in rules.items():
            good = passes(s, i)
            dropped[rule] += len(rows) - int(good.sum())
            rows, s, i = rows[good], s[good], i[good]
    losses = ", ".join(f"{dropped[rule]:,} {reason}" for rule, reason in reasons.items() if dropped[rule]) or "nothing"
    if len(rows) == 0:
        remedy = f"check that 'SessionId' joins the clicks of a visit, or lower {min_session=} or {min_support=}"
        raise ClickLogError(f"Nothing is left of {len(frame):,} clicks; dropped {losses}. Remedy: {remedy}.")
    result = frame.iloc[np.sort(rows)].reset_index(drop=True)
    result.attrs["dropped"] = dropped
    if verbose:
        ties = int(((np.diff(s) == 0) & (np.diff(times[rows]) == 0)).sum())
        tied = f"; {ties:,} come at the time of the click before them and keep the order of the rows" if ties else ""
        print(f"kept {len(rows):,} of {len(frame):,} clicks; dropped {losses}{tied}")
    return result


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
    frame = check(clicks, allow_empty=items is not None)
    item, found = pd.factorize(frame["ItemId"], sort=items is None)
    if items is None:
        index = found
    else:
        index = pd.Index(items)
        if not index.is_unique:
            raise ValueError(f"items must hold an item once, and holds {index[index.duplicated()][0]!r} again")
        item = index.get_indexer(found)[item]
    session, ids = pd.factorize(frame["SessionId"], sort=True)
    times = seconds(frame["Time"])
    begin = np.full(len(ids), np.inf)
    np.minimum.at(begin, session, times)
    by_start = np.argsort(begin, kind="stable")  # ids are sorted, so ties stay in order of their id
    place = np.empty_like(by_start)
    place[by_start] = np.arange(len(ids))
    order = _in_order(place[session], times)
    offsets = np.concatenate([[0], np.bincount(place[session], minlength=len(ids)).cumsum()])
    return Sessions(item[order], offsets, times[order], index, np.asarray(ids)[by_start])


def _in_order(group: np.ndarray, times: np.ndarray) -> np.ndarray:
    """``(n,)`` row numbers in order of group (integers from 0), then time, then row."""
    n = len(group)
    by_time = np.argsort(times, kind="stable")
    key = group[by_time] * n + np.arange(n)  # unique, so one unstable sort of integers (several times faster) is stable
    return by_time[np.sort(key) % max(n, 1)]


def _positive(kind: type, **settings: Any) -> None:
    noun = "integer" if kind is numbers.Integral else "number"
    for name, value in settings.items():
        if isinstance(value, bool) or not (isinstance(value, kind) and 0 < float(value) < math.inf):  # type: ignore[arg-type]
            raise ValueError(f"{name}={value!r} must be a positive {noun}")
