"""Click logs gone wrong: test clicks leak into training, innocent clicks vanish, sessions break in the wrong place."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import clicks


def filter_then_split(log: pd.DataFrame, days: float, **filters) -> tuple[pd.DataFrame, pd.DataFrame]:
    """B15: an item's support counts train and test, so test clicks decide what is trained on. Bit many."""
    return clicks.split_by_time(clicks.prepare(log, **filters), days, verbose=False)


def encode_with_items_of_both(train: pd.DataFrame, test: pd.DataFrame) -> tuple[clicks.Sessions, clicks.Sessions]:
    """B15: the item map is made from train and test: no test item is ever unknown, as if announced. Bit many."""
    index = clicks.encode(pd.concat([train, test])).index
    return clicks.encode(train, index), clicks.encode(test, index)


def drop_repeats_by_label(log: pd.DataFrame) -> pd.DataFrame:
    """B16: rows are dropped by their label, and two concatenated files repeat labels. Bit a published script."""
    before = log.shift()
    repeats = (log["SessionId"] == before["SessionId"]) & (log["ItemId"] == before["ItemId"])
    return log.drop(index=log.index[repeats])


def sessionise_at_the_gap(log: pd.DataFrame, gap: float = 3600) -> pd.DataFrame:
    """T27: >= instead of >, so a pause of exactly the gap splits. Nobody notices: pauses of exact hours are rare."""
    return clicks.sessionise(log, gap=round(gap - 1e-6, 6))  # pauses are compared to the microsecond


def sessionise_without_users(log: pd.DataFrame, gap: float = 3600) -> pd.DataFrame:
    """T27: the log is cut at pauses only, so what two users click at the same time is one session."""
    return clicks.sessionise(log.assign(UserId=0), gap=gap)


def encode_in_order_of_rows(log: pd.DataFrame) -> clicks.Sessions:
    """T28: rows are assumed to be in order of time, and the times are ignored."""
    return clicks.encode(log.assign(Time=np.arange(len(log))))
