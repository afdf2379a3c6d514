"""What every model is: it learns from a click log, scores the whole catalogue after each click, and recommends.

To write your own, derive from `Recommender`, set ``self.items`` in ``fit`` and implement ``scores``; `evaluate` needs
nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from . import clicks as click_log
from . import files, metrics
from .checks import require_list, require_path, require_that, require_unicode, require_whole
from .settings import plain

SCORES_AT_ONCE = 2_000_000  # numbers in a block of scores
ROWS_AT_LEAST = 16  # of a block, where it need not hold more than 8 times that
ITEMS = "items.json"  # the name of the item ids among the tensors of a file
UNKNOWN = -1  # the number of an item that is not in the item index


class Recommender:
    """Base class. A subclass that is a dataclass of its settings gets ``save`` and ``load`` from `tensors` and
    `restore`."""

    items: pd.Index  # (N,) item ids; an item's number is its position
    clock: float = 0.0  # seconds, the time of clicks that are given without one; a model may set it to its last click's

    def fit(self, train: pd.DataFrame) -> Self:
        """Learn from a click log (columns SessionId, ItemId, Time)."""
        raise NotImplementedError

    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        """Scores of the whole catalogue after every click but the last of each session.

        Args:
            items: ``(n,)`` item numbers, session after session; -1 for an unknown item, which must change no state.
            offsets: ``(S + 1,)``; session s is ``items[offsets[s]:offsets[s + 1]]``.
            times: ``(n,)`` seconds.

        Yields:
            ``(P, N)`` float blocks; together one row per prediction in session order, each from its own session's
            earlier clicks.
        """
        raise NotImplementedError

    def last_scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        """Of each session the last row of `scores` alone, ``(S, N)`` in blocks: all that a list needs.

        Sessions have two or more clicks. A model that need not score the rows before may say so by its own version.
        """
        asked = offsets[1:] - np.arange(1, len(offsets)) - 1  # the row of each session's last prediction
        row = 0
        for block in self.scores(items, offsets, times):
            here = asked[(asked >= row) & (asked < row + len(block))] - row
            row += len(block)
            if len(here):
                yield torch.as_tensor(block).detach()[here]

    def recommend(
        self, history: Sequence[Any], k: int = 20, times: Any = None, exclude: Sequence[Any] = ()
    ) -> pd.DataFrame:
        """The k best items after a session's clicks, best first: columns ItemId, score.

        Args:
            history: item ids clicked so far, oldest first; unknown ones are named in a warning and change nothing. May
                be empty.
            k: length of the list, at least 1; more than the catalogue gives the whole catalogue.
            times: when they were clicked (datetimes or seconds), for models that use it; None: all at once, at `clock`.
            exclude: item ids never to recommend.

        Raises:
            ValueError: an argument that is none of this, a model that has not learned yet, scores that are not numbers.
        """
        return self.recommend_many([history], k, None if times is None else [times], exclude)[["ItemId", "score"]]

    def recommend_many(
        self, sessions: Sequence[Sequence[Any]], k: int = 20, times: Any = None, exclude: Sequence[Any] = ()
    ) -> pd.DataFrame:
        """The k best items for each of many histories: columns history (its place in the list), rank, ItemId, score."""
        self._check_fitted()
        _check_sessions(sessions, times)
        require_whole("k", k)
        require_list("exclude", exclude, ordered=False)
        numbers, seconds = [], []
        for s, history in enumerate(sessions):
            require_list("history", history)
            clicked = self._numbers(history) if len(history) else np.array([UNKNOWN])
            at = np.full(len(clicked), self.clock) if times is None else _seconds(times[s], len(history), len(clicked))
            # one more click, unknown: the prediction before it, the session's last, is the one that is asked for
            numbers.append(np.append(clicked, UNKNOWN))
            seconds.append(np.append(at, at[-1]))
        if not numbers:
            return pd.DataFrame(columns=["history", "rank", "ItemId", "score"])
        offsets = np.cumsum([0, *map(len, numbers)])
        blocks = self.last_scores(np.concatenate(numbers), offsets, np.concatenate(seconds))
        lists = pd.concat([self._lists(torch.as_tensor(block).detach(), k, exclude) for block in blocks])
        per_history = len(lists) // len(numbers)
        lists.insert(0, "history", np.repeat(np.arange(len(numbers)), per_history))
        return lists.reset_index(drop=True)

    def stream(self) -> Stream:
        """A session that still goes on: ``click(item)`` as it happens, ``recommend(k)`` when a list is needed."""
        self._check_fitted()
        return Stream(self)

    def tensors(self) -> dict[str, Tensor]:
        """What `fit` learned, to be saved: name -> tensor."""
        raise NotImplementedError(
            f"{type(self).__name__} says nothing of how to save it: implement tensors() and restore()"
        )

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave; ``self.items`` is set already."""
        raise NotImplementedError(
            f"{type(self).__name__} says nothing of how to load it: implement tensors() and restore()"
        )

    def _settings_to_save(self) -> dict[str, Any]:
        """What `save` writes beside the tensors: the settings that the model learned with."""
        return asdict(self)  # type: ignore[call-overload]

    def save(self, path: str | Path) -> None:
        """Save settings, item ids and what was learned as safetensors; nothing in the file is ever executed."""
        self._check_fitted()
        require_path("path", path)
        settings = {name: plain(value) for name, value in self._settings_to_save().items()}
        header = {"model": type(self).__name__, "settings": settings}
        files.write(path, {**self.tensors(), ITEMS: files.to_bytes(self.items.tolist())}, header)

    @classmethod
    def load(cls, path: str | Path, **overrides: Any) -> Self:
        """Load what `save` wrote; ``overrides`` replace settings, for example ``device="cpu"``."""
        require_path("path", path)
        cls._check_settings(overrides)
        tensors, header = files.read(path)
        kind = header.get("model", "file of another kind")
        if kind == "checkpoint":
            raise ValueError(f"{path}: a checkpoint of a training; go on with fit(..., checkpoint=path, resume=True)")
        if kind != cls.__name__:
            raise ValueError(f"{path}: holds a {kind}, not a {cls.__name__}; load it with {kind}.load")
        try:
            model = cls(**{**header["settings"], **overrides})
            model.items = pd.Index(files.from_bytes(tensors.pop(ITEMS)))
            model.restore(tensors)
        except (KeyError, TypeError, RuntimeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            # settings, items and tensors that do not fit together
            raise ValueError(f"{path}: not a model file of gru4rec_lite, or damaged ({error})") from error
        return model

    def _check_fitted(self) -> None:
        if not hasattr(self, "items"):
            raise ValueError(
                f"this {type(self).__name__} has not learned anything yet: call fit(clicks) or load(path) first"
            )

    @classmethod
    def _check_settings(cls, overrides: dict[str, Any]) -> None:
        """ValueError for a setting that the model does not have."""
        known: list[str] = [s.name for s in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
        for name, value in overrides.items():
            if name not in known:
                raise ValueError(
                    f"{name}={value!r}: {cls.__name__} has no such setting; must be one of {', '.join(known) or 'none'}"
                )

    def _numbers(self, history: Sequence[Any]) -> np.ndarray:
        """Item numbers of ids; unknown ids are named in a warning."""
        numbers = self._find(history)
        if (numbers < 0).any():
            unknown = pd.Index(list(history), dtype=object)[numbers < 0].unique()
            names = ", ".join(map(repr, unknown[:5]))
            _warn(f"unknown items are left out: {names} (item ids here look like {self.items[:1].tolist()[0]!r})")
        return numbers

    def _find(self, ids: Sequence[Any]) -> np.ndarray:
        """Item numbers of ids, -1 for those that are not in the item index."""
        index = pd.Index(list(ids), tupleize_cols=False)
        if index.dtype != self.items.dtype:  # compared as objects, which takes pandas a pass over the whole catalogue
            index = pd.Index(list(ids), dtype=object)
        return self.items.get_indexer(index)

    def _lists(self, scores: Tensor, k: int, exclude: Sequence[Any]) -> pd.DataFrame:
        """The k best of each row of scores ``(P, N)``, one list after the other: columns rank, ItemId, score."""
        require_whole("k", k)
        require_list("exclude", exclude, ordered=False)
        excluded = self._find(exclude) if len(exclude) else np.empty(0, dtype=np.int64)
        allowed = np.delete(np.arange(scores.shape[1]), excluded[excluded >= 0])
        if len(excluded):
            scores = scores[:, torch.from_numpy(allowed).to(scores.device)]
        values, best = metrics.largest(scores, int(k))
        _check_numbers(values)
        rank = np.tile(np.arange(1, best.shape[1] + 1), len(best))
        ids = self.items[allowed[best.cpu().numpy().ravel()]]
        return pd.DataFrame({"rank": rank, "ItemId": ids, "score": values.cpu().numpy().ravel()})


def _seconds(times: Any, n_clicks: int, length: int) -> np.ndarray:
    """Times of a history in seconds; zeros ``(length,)`` for a history without clicks."""
    _check_times(times, n_clicks)
    return click_log.seconds(pd.Series(times, name="times")) if n_clicks else np.zeros(length)


def _check_numbers(best: Tensor) -> None:
    """ValueError if a score is NaN, which is sorted to the top of its list."""
    if bool(best.isnan().any()):
        raise ValueError(
            "scores: not a number (NaN) for some item, so the list would be meaningless. Did the training diverge?"
        )


def _check_sessions(sessions: Any, times: Any) -> None:
    """ValueError unless these are histories, with a list of times for each if there are times."""
    is_list = hasattr(sessions, "__len__") and not isinstance(sessions, (str, bytes, dict, set, pd.DataFrame))
    require_that("sessions", sessions, is_list, "a list of histories, each a list of item ids")
    if times is not None:
        is_list = hasattr(times, "__len__") and not isinstance(times, (str, bytes, dict, set))
        require_that("times", times, is_list, "a list of times for each history")
        if len(times) != len(sessions):
            raise ValueError(f"times: {len(times)} of them for {len(sessions)} histories; give one list for each")


def _check_times(times: Any, n_clicks: int) -> None:
    """ValueError unless these are times of a history's clicks: datetimes or seconds, one for each."""
    is_list = hasattr(times, "__len__") and not isinstance(times, (str, bytes, dict, set))
    require_that("times", times, is_list, "a list of datetimes or seconds, one for each click")
    if len(times) != n_clicks:
        raise ValueError(f"times: {len(times)} for a history of {n_clicks} clicks; give one for each")


def _warn(message: str) -> None:
    """Warn at the line outside this package (and torch's decorators) from which we were called."""
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (__package__, "torch"):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, stacklevel=level)


def rows_at_once(n_items: int) -> int:
    """How many rows of scores to make at a time: 8 MB of float32, about what a processor's cache holds.

    A large catalogue gets 16 rows all the same, or its table would be read from memory again for every few of them; a
    block is never larger than 64 MB, but for the one row that it must have.
    """
    fit, at_most = SCORES_AT_ONCE // n_items, 8 * SCORES_AT_ONCE // n_items
    return max(1, fit, min(ROWS_AT_LEAST, at_most))


def _check_click(item: Any, time: Any) -> None:
    """ValueError before anything is noted down: a click that cannot be scored would spoil the stream for good."""
    require_that("item", item, not isinstance(item, (list, dict, set, np.ndarray)), "one item id, text or a number")
    require_unicode("item", item)
    if time is not None:
        _seconds([time], 1, 1)


class Stream:
    """A running session of any recommender; it keeps the clicks and scores them anew each time."""

    def __init__(self, model: Recommender):
        self.model = model
        self.history: list[Any] = []
        self.times: list[Any] = []

    def click(self, item: Any, time: Any = None) -> None:
        """The visitor clicked an item (at a time, for models that use it; None: at the model's `clock`).

        Raises ValueError for what cannot be a click; it is not noted down then.
        """
        _check_click(item, time)
        self.history.append(item)
        self.times.append(self.model.clock if time is None else _seconds([time], 1, 1)[0])

    def recommend(self, k: int = 20, exclude: Sequence[Any] = ()) -> pd.DataFrame:
        """The k best items now: columns ItemId, score."""
        return self.model.recommend(self.history, k, self.times, exclude)
