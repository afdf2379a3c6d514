"""A click log of the size and skew that all benchmarks share."""

from __future__ import annotations

import numpy as np
import pandas as pd

ITEMS, SESSIONS = 30_043, 90_000


def make(n_items: int = ITEMS, n_sessions: int = SESSIONS, seed: int = 0) -> pd.DataFrame:
    """Sessions of 2 clicks or more, 4 in the mean, one after another; every item is clicked at least once.

    An item's popularity falls with its rank as 1 / (rank + 10)^0.8, so that the top hundredth gets about a fifth of the
    clicks.
    """
    rng = np.random.default_rng(seed)
    lengths = 1 + rng.geometric(1 / 3, n_sessions)
    weight = 1 / (np.arange(n_items) + 10) ** 0.8
    items = np.searchsorted(weight.cumsum(), rng.random(lengths.sum()) * weight.sum())
    if len(items) < n_items:
        raise ValueError(f"n_sessions={n_sessions}: too few to click {n_items} items")
    items[rng.choice(len(items), n_items, replace=False)] = rng.permutation(n_items)
    session = np.repeat(np.arange(n_sessions), lengths)
    return pd.DataFrame({"SessionId": session, "ItemId": items, "Time": np.arange(len(items), dtype=float)})
