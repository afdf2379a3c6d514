"""Session popularity: what was clicked most in this session, and what everybody clicks after that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .. import clicks as click_log
from .by_history import ByHistory


@dataclass(eq=False)
class SPop(ByHistory):
    """Scores an item by its clicks in the session so far; popularity only decides between equal ones.

    s_j = count_j(session) + supp_j / (1 + supp_j)

    Source: baseline S-POP of Hidasi et al., ICLR 2016, §4.
    """

    def fit(self, train: pd.DataFrame) -> Self:
        log = click_log.encode(train)
        self.items, self.support = log.index, log.support.astype(np.float64)
        return self

    def score(self, history: np.ndarray, now: float) -> np.ndarray:
        """See `ByHistory.score`."""
        return np.bincount(history, minlength=len(self.items)) + self.support / (1 + self.support)

    def tensors(self) -> dict[str, Tensor]:
        return {"support": torch.from_numpy(self.support)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.support = tensors["support"].numpy()
