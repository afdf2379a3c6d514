"""Tiny click logs and models that the tests share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from gru4rec_lite import GRU4Rec

TINY = {"layers": (6,), "batch_size": 4, "n_samples": 5, "n_epochs": 2, "device": "cpu"}


def click_log(*sessions: Iterable) -> pd.DataFrame:
    """Sessions one after another, a click a second: ``click_log("abc", ["b", "d"])``."""
    rows = [(number, item) for number, session in enumerate(sessions) for item in session]
    return pd.DataFrame(rows, columns=["SessionId", "ItemId"]).assign(Time=np.arange(len(rows), dtype=float))


def random_sessions(n: int, items: str = "abcdefghij", longest: int = 7, seed: int = 0) -> list[str]:
    """Sessions of 2 to ``longest`` clicks; early letters are more popular."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, len(items) + 1)
    return ["".join(rng.choice(list(items), size, p=share / share.sum())) for size in rng.integers(2, longest + 1, n)]


def random_log(n: int = 30, items: str = "abcdefghij", longest: int = 7, seed: int = 0) -> pd.DataFrame:
    return click_log(*random_sessions(n, items, longest, seed))


def tiny(**settings) -> GRU4Rec:
    """A GRU4Rec that trains in a blink."""
    return GRU4Rec(**{**TINY, **settings})


def all_scores(model, items, offsets) -> torch.Tensor:
    """``(P, N)``: every block of the model's scores, one below the other."""
    items, offsets = np.asarray(items, dtype=np.int64), np.asarray(offsets, dtype=np.int64)
    blocks = model.scores(items, offsets, np.arange(len(items), dtype=float))
    return torch.cat([torch.as_tensor(block) for block in blocks])


class ByLastClick:
    """The least a recommender can be: ``items`` and ``scores``. A table says what follows the last known click."""

    def __init__(self, items: str, table: np.ndarray, start: np.ndarray):
        self.items, self.table, self.start = pd.Index(list(items)), table, start

    def row(self, history: Iterable[int]) -> np.ndarray:
        known = [item for item in history if item >= 0]
        return self.table[known[-1]] if known else self.start

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[np.ndarray]:
        for begin, end in pairwise(offsets):
            for click in range(begin, end - 1):
                yield self.row(items[begin : click + 1])[None]


def by_last_click(items: str = "abcdefghij", seed: int = 0) -> ByLastClick:
    rng = np.random.default_rng(seed)
    return ByLastClick(items, rng.normal(size=(len(items), len(items))), rng.normal(size=len(items)))
