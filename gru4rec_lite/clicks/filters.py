"""Filter a click log: drop duplicates, immediate repeats, crawlers, rare items and short sessions."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..internal.checks import require_flag
from .columns import checked, numbered, rows_kept
from .order import differ, in_order, pick, repeated, squeeze
from .refusals import ClickLogError, require_positive


def prepare(
    clicks: pd.DataFrame,
    min_session: int = 2,
    min_support: int = 1,
    drop_repeats: bool = False,
    verbose: bool = True,
    *,
    max_session: int | None = None,
    drop_duplicates: bool = False,
) -> pd.DataFrame:
    """Drop immediate repeats, rare items and short sessions until nothing changes; return the clicks that are left.

    First, duplicate rows are dropped (``drop_duplicates``): those with the same session, item and time as an earlier
    row. Then each round drops, in this order: every click on the same item as the click before it in its session
    (``drop_repeats``), sessions of more than ``max_session`` clicks, clicks on items with fewer than ``min_support``
    clicks, sessions of fewer than ``min_session`` clicks. If the log has a column ``Event``, repeats and duplicates
    must also have the same event: a cart after a click on the item stays.

    A session that is too long is dropped entirely, since its first clicks are a crawler's too. To cut it instead, if
    the log is in order of time: ``clicks[clicks.groupby("SessionId").cumcount() < 50]``.

    Rows keep their order. A printed line says what was dropped, and ``attrs["dropped"]`` counts it by the setting's
    name; remaining duplicates are counted in that line too, and in ``attrs["duplicates"]``.

    Split by time first: an item's support must not count test clicks.
    """
    require_positive(numbers.Integral, min_session=min_session, min_support=min_support)
    if max_session is not None:
        require_positive(numbers.Integral, max_session=max_session)
        if max_session < min_session:
            raise ValueError(f"{max_session=}: must be at least {min_session=}, or None for no limit")
    require_flag("drop_repeats", drop_repeats)
    require_flag("drop_duplicates", drop_duplicates)
    require_flag("verbose", verbose)
    frame, times = checked(clicks)
    (session, session_ids), (item, item_ids) = numbered(frame["SessionId"]), numbered(frame["ItemId"])
    has_events = list(frame.columns).count("Event") == 1
    event = _kinds(frame["Event"]) if has_events else None
    reasons = {
        "drop_duplicates": "rows that stand twice",
        "drop_repeats": "immediate repeats" + (" (of item and Event)" if has_events else ""),
        "max_session": f"in sessions of more than {max_session} clicks",
        "min_support": f"on items with fewer than {min_support} clicks",
        "min_session": f"in sessions of fewer than {min_session} clicks",
    }
    if not drop_duplicates:
        del reasons["drop_duplicates"]
    if max_session is None:
        del reasons["max_session"]
    dropped = dict.fromkeys(reasons, 0)
    rows = in_order(session, times)
    left = _Left(rows, pick(session, rows), pick(item, rows), None if event is None else pick(event, rows))
    if drop_duplicates:
        dropped["drop_duplicates"] = left.keep(~left.stand_twice(pick(times, rows)))
    before = -1
    while len(left.rows) != before:
        before = len(left.rows)
        if drop_repeats:
            dropped["drop_repeats"] += left.keep(left.change())
        if max_session is not None:
            dropped["max_session"] += left.keep((np.bincount(left.session) <= max_session)[left.session])
        if min_support > 1:
            dropped["min_support"] += left.keep((np.bincount(left.item) >= min_support)[left.item])
        if min_session > 1:
            dropped["min_session"] += left.keep((np.bincount(left.session) >= min_session)[left.session])
    losses = ", ".join(f"{dropped[rule]:,} {reason}" for rule, reason in reasons.items() if dropped[rule]) or "nothing"
    if len(left.rows) == 0:
        remedy = f"check that 'SessionId' joins the clicks of a visit, or lower {min_session=} or {min_support=}"
        remedy += "" if max_session is None else f", or raise {max_session=}"
        raise ClickLogError(f"Nothing is left of {len(frame):,} clicks; dropped {losses}. Remedy: {remedy}.")
    at = pick(times, left.rows)
    doubled = 0 if drop_duplicates else int(left.stand_twice(at).sum())
    ties = int((~differ(left.session) & ~differ(at)).sum())
    kept = np.zeros(len(frame), dtype=bool)
    kept[left.rows] = True
    del left, rows, times, event, at  # the next line needs the most memory
    result = rows_kept(frame, kept, SessionId=(session, session_ids), ItemId=(item, item_ids))
    result.attrs["dropped"], result.attrs["duplicates"] = dropped, doubled
    if verbose:
        tied = f"; {ties:,} come at the time of the click before them and keep the order of the rows" if ties else ""
        equal = "session, item, Event and time" if has_events else "session, item and time"
        tied += f"; {doubled:,} stand twice (equal in {equal}): drop_duplicates=True drops them" if doubled else ""
        print(f"kept {len(result):,} of {len(frame):,} clicks; dropped {losses}{tied}")
    return result


def _kinds(events: pd.Series) -> np.ndarray:
    """``(n,)`` integer number of each row's event; a missing event counts as a kind too."""
    try:
        return pd.factorize(events, use_na_sentinel=False)[0]
    except TypeError:  # lists and dicts, which do not come from this package
        return pd.factorize(events.map(repr))[0]


@dataclass
class _Left:
    """The rows that are left ``(n,)``, session by session in order of time, and their numbers."""

    rows: np.ndarray
    session: np.ndarray
    item: np.ndarray
    event: np.ndarray | None  # if the log has events: then a click is on an item and an event

    def keep(self, good: np.ndarray) -> int:
        """Keep the rows where ``good``; return how many were dropped."""
        lost = len(good) - int(good.sum())
        if lost:
            self.rows, self.session = squeeze(self.rows, good), squeeze(self.session, good)
            self.item, self.event = squeeze(self.item, good), None if self.event is None else squeeze(self.event, good)
        return lost

    def change(self) -> np.ndarray:
        """``(n,)`` bool, whether item, event or session differs from the click before."""
        result = differ(self.session) | differ(self.item)
        return result if self.event is None else result | differ(self.event)

    def stand_twice(self, times: np.ndarray) -> np.ndarray:
        """``(n,)`` bool, whether an earlier row has the same session, item, event and time; ``times`` by row."""
        what = self.item if self.event is None else self.item * (int(self.event.max(initial=0)) + 1) + self.event
        return repeated(self.session, times, what)
