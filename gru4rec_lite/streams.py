"""A session that still goes on: click by click, and a list whenever one is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from .checks import require_id, require_list, require_one_of, require_whole
from .histories import ON_UNKNOWN, seconds


class Stream:
    """A running session of any recommender; it keeps the clicks and scores them anew each time.

    A model that can do better implements ``_clicked`` and ``_scores``.
    """

    def __init__(self, model: Any):
        self.model = model
        self.history: list[Any] = []
        self.times: list[Any] = []
        self._numbers: list[int] = []  # of the items in ``history``

    def click(self, item: Any, time: Any = None, unknown: str = "warn") -> None:
        """The visitor clicked an item (at a time, for models that use it; None: at the model's `clock`).

        Args:
            unknown: what to do about an item that the model does not know, which changes no list: "warn" | "ignore" |
                "raise" (a ValueError).

        Raises ValueError for what cannot be a click; it is not noted down then.
        """
        require_id("item", item)
        at = self.model.clock if time is None else seconds([time], 1, 1)[0]
        number = int(self.model._numbers([item], unknown)[0])  # what cannot be a click is not noted: all is checked
        self.history.append(item)
        self.times.append(at)
        self._clicked(number)

    def recommend(self, k: int = 20, exclude: Sequence[Any] = (), unknown: str = "warn") -> pd.DataFrame:
        """The k best items now: columns ItemId, score; ``exclude`` and ``unknown`` as in `Recommender.recommend`."""
        require_whole("k", k)
        require_list("exclude", exclude, ordered=False)
        require_one_of("unknown", unknown, ON_UNKNOWN)
        return self.model._lists(self._scores(), k, exclude, unknown)[["ItemId", "score"]]

    def _clicked(self, number: int) -> None:
        """Take note of a click on the item of this number, -1 for an unknown one."""
        self._numbers.append(number)

    def _scores(self) -> Tensor:
        """``(1, N)`` scores of all items now."""
        times = np.array(self.times, dtype=np.float64)
        return next(self.model._last_blocks([np.array(self._numbers, dtype=np.int64)], [times]))
