"""A click log: read it, check it, cut it into sessions, split it by time, filter it, encode it into flat arrays.

A click log is a DataFrame with one click per row and the columns ``SessionId``, ``ItemId`` and ``Time``; other columns
are carried along. Ids are text or integers and stay so. Times are datetimes, precise to the microsecond, or numbers of
seconds; clicks of a session at the same time keep the order of their rows. Row labels (the frame's index) have no
meaning, and no input is changed.
"""

from __future__ import annotations

from .columns import COLUMNS as COLUMNS
from .columns import check, seconds
from .cutting import sessionise, split_by_time
from .encoding import Sessions, encode
from .filters import prepare
from .reading import read
from .refusals import ClickLogError

__all__ = [
    "ClickLogError", "Sessions", "check", "encode", "prepare", "read", "seconds", "sessionise",
    "split_by_time",
]  # fmt: skip
