"""Popularity: everybody gets the items that were clicked most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .. import clicks as click_log
from ..internal.checks import require_sessions
from ..recommender import Recommender, rows_at_once


@dataclass(eq=False)
class Pop(Recommender):
    """Scores an item by its number of training clicks, whatever the session.  s_j = supp_j

    Source: baseline POP of Hidasi et al., ICLR 2016, §4.
    """

    def fit(self, train: pd.DataFrame) -> Self:
        log = click_log.encode(train)
        self.items, self.support = log.index, torch.from_numpy(log.support).double()
        return self

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        require_sessions(items, offsets, len(self.items), times)
        n_predictions = int(np.maximum(np.diff(offsets) - 1, 0).sum())
        rows = rows_at_once(len(self.items))
        for first in range(0, n_predictions, rows):
            yield self.support.expand(min(rows, n_predictions - first), -1)

    def tensors(self) -> dict[str, Tensor]:
        return {"support": self.support}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.support = tensors["support"]
