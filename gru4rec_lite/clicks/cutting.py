"""Cut a click log: into sessions, where a user pauses; and by time, into a training and a test part."""

from __future__ import annotations

import numbers

import numpy as np
import pandas as pd

from ..internal.checks import require_flag
from .columns import ClickLogError, checked, numbered, rows_kept
from .order import in_order
from .refusals import require_positive


def sessionise(clicks: pd.DataFrame, user: str = "UserId", gap: float = 3600) -> pd.DataFrame:
    """Give every click a SessionId: a user's clicks belong together until a pause of more than ``gap`` seconds.

    A pause of exactly ``gap`` does not split; pauses are measured to the microsecond, so ``gap`` must be a whole number
    of microseconds. The n-th session of user u is named "u-n", so later clicks never rename earlier sessions. Rows may
    be in any order and keep it; an existing SessionId is replaced.
    """
    require_positive(numbers.Real, gap=gap)
    if not (round(float(gap), 6) == float(gap) == gap):  # a pause of 5/7 s is measured as 0.714286, more than 5/7
        raise ValueError(f"gap={gap!r}: must be a whole number of microseconds, as round(gap, 6) is")
    frame, times = checked(clicks, ids=(user, "ItemId"))
    users, names = numbered(frame[user])
    order = in_order(users, times)
    of_user, in_time = users[order], times[order]
    new_user = np.diff(of_user, prepend=-1) != 0
    pause = np.diff(in_time, prepend=in_time[0]).round(6)  # floats of today's seconds are off by about 1e-7 s
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

    The cut is ``days`` days before the last click. Train holds the sessions that end at or before it, test those that
    start after it; sessions that cross it go to neither. A printed line counts them, and so does ``attrs["crossing"]``.
    """
    require_positive(numbers.Real, days=days)
    require_flag("verbose", verbose)
    frame, times = checked(clicks)
    session, ids = numbered(frame["SessionId"])
    is_late = times > round(float(times.max()) - days * 86400, 6)  # else 86500.2 - 86400 is less than 100.2
    n, n_late = np.bincount(session, minlength=len(ids)), np.bincount(session[is_late], minlength=len(ids))
    early, late = n > n_late, n_late > 0  # whether a session has clicks before the cut, and after it
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
