"""Random sessions to question a recommender with, and its answers: a block of scores for each session."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from .. import clicks as click_log
from .report import NotTried, share

SEED = 16
MANY = 600  # sessions: more than the lanes of most evaluations,
SCORES = 100_000_000  # unless that means more scores than this
TOLERANCE = 1e-3  # as a share of a row's own spread: rounding stays far below it, even on a GPU


class Session(NamedTuple):
    items: np.ndarray  # (L,) item numbers, -1 unknown
    times: np.ndarray  # (L,) seconds


class Probe:
    """A recommender and the questions put to it; a catalogue of the same size always gets the same sessions."""

    def __init__(self, model: Any, train: pd.DataFrame | None, test: pd.DataFrame | None):
        if not hasattr(model, "items") or not hasattr(model, "scores"):
            raise ValueError(f"model={model!r}: must be fitted, and have items and scores(items, offsets, times)")
        self.model, self.items = model, pd.Index(model.items)
        self.n_items = len(self.items)
        if self.n_items == 0:
            raise ValueError("model: must know at least one item; its items are empty")
        self.train = None if train is None else click_log.encode(train)
        self.test = None if test is None else click_log.encode(test)
        self.now = float(getattr(model, "clock", 0.0)) if self.train is None else float(self.train.times.max()) + 1
        self.is_steady = True  # two calls give the same scores, so differences mean something
        self.in_place = True  # rows are in session order
        self.is_crowded = False  # sessions of a batch influence each other, wherever they are in it
        self._rng = np.random.default_rng(SEED)

    def sessions(self, lengths: Sequence[int]) -> list[Session]:
        """Random sessions of these lengths, a click every ten to a hundred seconds."""
        return [
            Session(self._rng.integers(0, self.n_items, n), self.now + self._rng.integers(10, 100, n).cumsum())
            for n in lengths
        ]

    def many(self) -> list[Session]:
        """Short sessions, more than fit into one batch."""
        n = int(np.clip(SCORES / 3 / self.n_items, 40, MANY))
        return self.sessions(self._rng.integers(2, 7, n).tolist())

    def other(self, session: Session, first: int = 0) -> Session:
        """The same session with different clicks, at different times, from click ``first`` on."""
        if self.n_items < 2:
            raise NotTried("there is only one item, so no click can differ")
        items, times = session.items.copy(), session.times.copy()
        step = self._rng.integers(1, self.n_items, len(items) - first)
        items[first:] = (items[first:] + step) % self.n_items
        times[first:] += self._rng.integers(0, 10, len(items) - first)
        return Session(items, times)

    def ids(self, session: Session) -> list[Any]:
        """A session's item ids, as a user of the model would give them."""
        return self.items.take(session.items).tolist()

    def numbers(self, ids: pd.Index) -> np.ndarray:
        """Item numbers of ids, -1 for those that the model does not know."""
        if not self.items.is_unique:
            raise NotTried("the item index holds an item more than once; fix that first")
        return self.items.get_indexer(ids)

    def blocks(self, sessions: Sequence[Session]) -> Iterator[np.ndarray]:
        """Blocks of scores as the recommender yields them."""
        items = np.concatenate([s.items for s in sessions]).astype(np.int64)
        offsets = np.cumsum([0, *(len(s.items) for s in sessions)])
        given = (items, offsets, np.concatenate([s.times for s in sessions]))
        blocks = self.model.scores(*given[: n_arguments(self.model.scores, 3)])
        if getattr(blocks, "ndim", 0) == 2:  # one whole block instead of an iterator
            blocks = [blocks]
        for block in blocks:
            yield np.atleast_2d(numpy(block))

    def count(self, sessions: Sequence[Session]) -> int:
        """Rows of scores that these sessions get."""
        return sum(map(len, self.blocks(sessions)))

    def rows(self, sessions: Sequence[Session], last: int | None = None) -> list[np.ndarray]:
        """``(L - 1, N)`` scores of each of the (last) sessions, in double precision."""
        if not self.is_steady:
            raise NotTried("two calls on the same sessions differ, so nothing can be compared; fix that first")
        if not self.in_place and len(sessions) > 1:
            raise NotTried("rows are not in session order; fix that first")
        due = [max(len(s.items) - 1, 0) for s in sessions]
        first = 0 if last is None else sum(due[:-last])
        row, kept = 0, [np.empty((0, self.n_items))]
        for block in self.blocks(sessions):
            if block.shape[1] != self.n_items:
                raise NotTried(f"{block.shape[1]} columns for {self.n_items} items; fix that first")
            kept.append(block[max(first - row, 0) :].astype(np.float64))
            row += len(block)
        if row != sum(due):
            raise NotTried(f"{row} rows for {sum(due)} predictions; fix that first")
        rows = np.concatenate(kept)
        if np.isnan(rows).any():
            raise NotTried("some scores are not numbers; fix that first")
        return np.split(rows, np.cumsum(due[-last:] if last else due)[:-1])

    def alone(self, session: Session) -> np.ndarray:
        """``(L - 1, N)`` scores of one session in a batch by itself."""
        return self.rows([session])[0]


def numpy(values: Any) -> np.ndarray:
    """An array from whatever is given: tensors on any device, with or without a gradient, arrays, lists."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()  # NumPy has no bfloat16
    return np.asarray(values)


def parameters(function: Callable) -> dict[str, inspect.Parameter]:
    """A function's parameters by name; none if it has no signature, as builtins may."""
    try:
        function = function.forward if isinstance(function, torch.nn.Module) else function
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def n_arguments(function: Callable, most: int) -> int:
    """How many positional arguments a function takes, up to ``most``."""
    kinds = [parameter.kind for parameter in parameters(function).values()]
    if not kinds or inspect.Parameter.VAR_POSITIONAL in kinds:
        return most
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return min(most, sum(kind in positional for kind in kinds))


def slack(rows: np.ndarray) -> np.ndarray:
    """``(P,)`` how large a difference may be rounding in each row of scores ``(P, N)``."""
    finite = np.isfinite(rows)
    spread = rows.std(axis=1, where=finite)
    return TOLERANCE * spread + 1e-6 * np.abs(rows).max(axis=1, where=finite, initial=0.0)


def apart(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """``(P,)`` by how much each row of ``two`` differs from that of ``one``; 0 where it may be rounding."""
    with np.errstate(invalid="ignore"):  # inf - inf, which is equal
        largest = np.where(one == two, 0.0, np.abs(one - two)).max(axis=1, initial=0.0)
    return np.where(largest > slack(one), largest, 0.0)


def ranks(rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """``(P,)`` rank of each target; ties count against it."""
    return (rows >= np.take_along_axis(rows, targets[:, None], axis=1)).sum(axis=1)


def change(one: list[np.ndarray], two: list[np.ndarray], sessions: Sequence[Session]) -> str:
    """A description of which rows differ between ``one`` and ``two``; empty if none do."""
    before, after = np.concatenate(one), np.concatenate(two)
    by = apart(before, after)
    if not by.any():
        return ""
    targets = np.concatenate([s.items[1:] for s in sessions])
    moved = int((ranks(before, targets) != ranks(after, targets))[by > 0].sum())
    return (
        f"{share(int((by > 0).sum()), len(by), 'rows')} change and {moved:,} ranks with them "
        f"(largest difference {by.max():.2g})"
    )
