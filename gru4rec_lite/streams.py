"""A running session: it takes clicks one by one and gives a list whenever one is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from torch import Tensor

from .histories import ON_UNKNOWN, find, item_index, seconds
from .internal.checks import require_id, require_list, require_one_of, require_whole


class Stream:
    """A running session of any recommender; it keeps the clicks and scores them again each time.

    If the model is fitted again in the meantime, the session continues with what the model knows now. A model that can
    do better implements ``_begin``, ``_clicked``, ``_scores`` and ``_is_current``.
    """

    def __init__(self, model: Any):
        self.model = model
        self.history: list[Any] = []
        self.times: list[Any] = []
        self._begin()

    def click(self, item: Any, time: Any = None, unknown: str = "warn") -> None:
        """The visitor clicked an item, at ``time`` for models that use it (None: the model's `clock`).

        Args:
            unknown: what to do about an unknown item, which changes no list: "warn" | "ignore" |
                "raise" (a ValueError).

        Raises ValueError for what cannot be a click, and does not record it.
        """
        require_id("item", item)
        self._keep_up()
        at = self.model.clock if time is None else seconds([time], 1, 1)[0]
        number = int(self.model._numbers([item], unknown)[0])  # check everything before recording anything
        self.history.append(item)
        self.times.append(at)
        self._clicked(number)

    def recommend(self, k: int = 20, exclude: Sequence[Any] = (), unknown: str = "warn") -> pd.DataFrame:
        """The k best items now: columns ItemId, score; ``exclude`` and ``unknown`` as in `Recommender.recommend`."""
        require_whole("k", k)
        require_list("exclude", exclude, ordered=False)
        require_one_of("unknown", unknown, ON_UNKNOWN)
        self._keep_up()
        return self.model._lists(self._scores(), k, exclude, unknown)[["ItemId", "score"]]

    def __copy__(self) -> Self:
        """The same session of the same model; from here on the two are independent."""
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__ | {name: [*getattr(self, name)] for name in ("history", "times", "_numbers")}
        return other

    def _begin(self) -> None:
        """The state before the first click, with what the model has learned so far."""
        self._items = self.model.items
        self._numbers: list[int] = []  # item numbers of ``history``

    def _is_current(self) -> bool:
        """Whether the model still knows what it knew when the session began."""
        return self.model.items is self._items

    def _keep_up(self) -> None:
        """Replay the clicks if the model was fitted again: its item numbers and states have changed."""
        if not self._is_current():
            self._begin()
            for number in find(item_index(self.model.items), self.history).tolist():
                self._clicked(number)

    def _clicked(self, number: int) -> None:
        """Record a click on the item with this number, -1 for an unknown one."""
        self._numbers.append(number)

    def _scores(self) -> Tensor:
        """``(1, N)`` scores of all items now."""
        times = np.array(self.times, dtype=np.float64)
        return next(self.model._last_blocks([np.array(self._numbers, dtype=np.int64)], [times]))
