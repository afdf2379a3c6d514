"""What every model is: it learns from a click log, scores the whole catalogue after each click, and recommends.

To write your own, derive from `Recommender`, set ``self.items`` in ``fit`` and implement ``scores``; `evaluate` needs
nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from . import metrics
from .histories import ON_UNKNOWN, UNKNOWN, check_sessions, find, item_index, of_another_kind, report, seconds
from .histories import unknown_clicks as _unknown_clicks
from .internal import files
from .internal.blocks import as_blocks
from .internal.checks import as_path, require_list, require_one_of, require_whole
from .internal.device import plain
from .internal.rules import check_settings
from .internal.spelling import Spelt, of_the_class, require_settings, settings_of
from .streams import Stream

SCORES_AT_ONCE = 2_000_000  # numbers in a block of scores
ROWS_AT_LEAST = 16  # of a block, where it need not hold more than 8 times that
ITEMS = "items.json"  # the name of the item ids among the tensors of a file


class Recommender(Spelt):
    """Base class. A subclass that is a dataclass of its settings gets ``save`` and ``load`` from `tensors` and
    `restore`; a setting that it does not have is refused, and the nearest one named."""

    items: pd.Index  # (N,) item ids; an item's number is its position
    _part_of_what_is_learned: tuple[str, ...] = ()  # settings that a loaded model cannot do without
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

        Sessions have two or more clicks. A model that need not score the rows before overrides this.
        """
        asked = offsets[1:] - np.arange(1, len(offsets)) - 1  # the row of each session's last prediction
        row = 0
        for block in as_blocks(self.scores(items, offsets, times), len(self.items)):
            here = asked[(asked >= row) & (asked < row + len(block))] - row
            row += len(block)
            if len(here):
                yield block[torch.from_numpy(here).to(block.device)]

    def recommend(
        self,
        history: Sequence[Any],
        k: int = 20,
        times: Any = None,
        exclude: Sequence[Any] = (),
        unknown: str = "warn",
    ) -> pd.DataFrame:
        """The k best items after a session's clicks, best first: columns ItemId, score.

        Args:
            history: item ids clicked so far, oldest first; unknown ones change nothing. May be empty.
            k: length of the list, at least 1; more than the catalogue gives the whole catalogue.
            times: when they were clicked (datetimes or seconds), for models that use it; None: all at once, at `clock`.
            exclude: item ids never to recommend. An id that is not in the catalogue is harmless; one that no item can
                have, such as text where ids are numbers, is a mistake.
            unknown: what to do about unknown items in ``history`` and mistakes in ``exclude``: "warn" (once a call,
                naming some), "ignore", or "raise" a ValueError.

        Raises:
            ValueError: an argument that is none of this, a model that has not learned yet, scores that are not numbers.
        """
        times = None if times is None else [times]
        return self.recommend_many([history], k, times, exclude, unknown)[["ItemId", "score"]]

    def recommend_many(
        self,
        sessions: Sequence[Sequence[Any]],
        k: int = 20,
        times: Any = None,
        exclude: Sequence[Any] = (),
        unknown: str = "warn",
    ) -> pd.DataFrame:
        """The k best items for each of many histories: columns history (its place in the list), rank, ItemId, score.

        Arguments as in `recommend`, times a list for each history; unknown items of all histories are told of at once.
        """
        self._check_fitted()
        check_sessions(sessions, times)
        require_whole("k", k)
        require_list("exclude", exclude, ordered=False)
        require_one_of("unknown", unknown, ON_UNKNOWN)
        for history in sessions:
            require_list("history", history)
        index, flat = item_index(self.items), [item for history in sessions for item in history]
        numbers = find(index, flat)
        complaints = _unknown_clicks(index, flat, numbers, len(sessions))
        allowed = self._allowed(exclude, complaints)
        report(complaints, unknown)
        if not len(sessions):
            return pd.DataFrame(columns=["history", "rank", "ItemId", "score"])
        clicked = np.split(numbers, np.cumsum([len(history) for history in sessions])[:-1])
        lengths = [max(1, len(c)) for c in clicked]
        at = [
            np.full(length, self.clock) if times is None else seconds(times[s], len(clicked[s]), length)
            for s, length in enumerate(lengths)
        ]
        lists = pd.concat([self._best(block, k, allowed) for block in self._last_blocks(clicked, at)])
        per_history = len(lists) // len(clicked)
        lists.insert(0, "history", np.repeat(np.arange(len(clicked)), per_history))
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

    def __post_init__(self):
        self._check_settings()

    def _check_settings(self) -> None:
        """ValueError for a setting out of range: when the model is made, and at `fit`, for they may be changed."""
        check_settings(self)

    def _settings_to_save(self) -> dict[str, Any]:
        """What `save` writes beside the tensors, so that `load` gives the same scores."""
        return {name: getattr(self, name) for name in settings_of(type(self))}

    def save(self, path: str | Path) -> None:
        """Save settings, item ids and what was learned as safetensors; nothing in the file is ever executed.

        ``~`` at the start of a path is the home folder.
        """
        self._check_fitted()
        as_path("path", path)
        known, passed_on = settings_of(type(self)), (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        for name, parameter in signature(type(self)).parameters.items():
            if name not in known and not (known and parameter.kind in passed_on):
                raise NotImplementedError(
                    f"{type(self).__name__}: make it a dataclass of its settings, or load cannot; {name!r} is none"
                )
        settings = {name: plain(value) for name, value in self._settings_to_save().items()}
        header = {"model": type(self).__name__, "settings": settings}
        files.write(path, {**self.tensors(), ITEMS: files.to_bytes(item_index(self.items).tolist())}, header)

    @of_the_class
    def load(cls, path: str | Path, **overrides: Any) -> Self:
        """Load what `save` wrote; ``overrides`` replace settings, for example ``device="cpu"``.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: a setting that does not exist, or is part of what was learned; a file that `save` did not write,
                of another model, or damaged.
        """
        as_path("path", path)
        require_settings(cls, overrides, settings_of(cls))
        tensors, header = files.read(path)
        kind = header.get("model")
        if kind == "checkpoint":
            raise ValueError(f"{path}: a checkpoint of a training; go on with fit(..., checkpoint=path, resume=True)")
        if not isinstance(kind, str):
            raise ValueError(f"{path}: holds tensors, but no model that `save` wrote")
        if kind != cls.__name__:
            raise ValueError(f"{path}: holds a {kind}, not a {cls.__name__}; load it with {kind}.load")
        try:
            saved = header["settings"]
            for name, value in overrides.items():
                if name in cls._part_of_what_is_learned and plain(value) != plain(saved[name]):
                    raise ValueError(
                        f"{name}={value!r}: the model in {path} has learned with {plain(saved[name])!r}, and is "
                        f"another one without; to learn with {value!r}, make a new {kind}"
                    )
            model = cls(**{**saved, **overrides})
            model.items = pd.Index(files.from_bytes(tensors.pop(ITEMS)))
            model.restore(tensors)
        except (KeyError, TypeError, RuntimeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            # settings, items and tensors that do not fit together
            raise ValueError(f"{path}: not a model file of gru4rec_lite, or damaged ({error})") from error
        return model

    def _check_fitted(self) -> None:
        if not hasattr(self, "items"):
            kind = type(self).__name__
            raise ValueError(
                f"this {kind} has not learned anything yet: call fit(clicks) first, or load one: {kind}.load(path)"
            )

    def _numbers(self, history: Sequence[Any], unknown: str = "warn") -> np.ndarray:
        """Item numbers of ids; of unknown ones a warning tells, or what else ``unknown`` asks for."""
        require_one_of("unknown", unknown, ON_UNKNOWN)
        index = item_index(self.items)
        numbers = find(index, history)
        report(_unknown_clicks(index, history, numbers), unknown)
        return numbers

    def _last_blocks(self, clicked: list[np.ndarray], times: list[np.ndarray]) -> Iterator[Tensor]:
        """Scores after each of these histories, ``(S, N)`` in blocks; of item numbers, which may be none, and times."""
        clicked = [c if len(c) else np.array([UNKNOWN]) for c in clicked]
        times = [t if len(t) else np.array([self.clock]) for t in times]
        # one more click, unknown: the prediction before it, the session's last, is the one that is asked for
        numbers = np.concatenate([np.append(c, UNKNOWN) for c in clicked])
        offsets = np.cumsum([0, *(len(c) + 1 for c in clicked)])
        follow = follows(self, "last_scores", "scores")
        last_scores = self.last_scores if follow else partial(Recommender.last_scores, self)
        blocks = last_scores(numbers, offsets, np.concatenate([np.append(t, t[-1]) for t in times]))
        row = 0
        for block in as_blocks(blocks, len(self.items)):
            row += len(block)
            yield block
        if row != len(clicked):
            raise ValueError(f"last_scores gave {row} rows for {len(clicked)} histories")

    def _allowed(self, exclude: Sequence[Any], complaints: list[str]) -> np.ndarray | None:
        """Numbers of the items that may be listed, None for all; mistakes in ``exclude`` become complaints."""
        if not len(exclude):
            return None
        index = item_index(self.items)
        excluded = find(index, exclude)
        complaints += of_another_kind(index, "exclude", exclude, excluded)
        return np.delete(np.arange(len(index)), excluded[excluded >= 0])

    def _best(self, scores: Tensor, k: int, allowed: np.ndarray | None) -> pd.DataFrame:
        """The k best of each row of scores ``(P, N)``, one list after the other: columns rank, ItemId, score."""
        if allowed is not None:
            scores = scores[:, torch.from_numpy(allowed).to(scores.device)]
        values, best = metrics.largest(scores, int(k))
        _check_numbers(values)
        rank = np.tile(np.arange(1, best.shape[1] + 1), len(best))
        places = best.cpu().numpy().ravel()
        ids = item_index(self.items)[places if allowed is None else allowed[places]]
        values = values.float() if values.dtype == torch.bfloat16 else values  # which NumPy does not know
        return pd.DataFrame({"rank": rank, "ItemId": ids, "score": values.cpu().numpy().ravel()})

    def _lists(self, scores: Tensor, k: int, exclude: Sequence[Any], unknown: str = "warn") -> pd.DataFrame:
        """`_best` of all items but the excluded ones, mistakes among which are told of."""
        require_whole("k", k)
        require_list("exclude", exclude, ordered=False)
        require_one_of("unknown", unknown, ON_UNKNOWN)
        complaints: list[str] = []
        allowed = self._allowed(exclude, complaints)
        report(complaints, unknown)
        return self._best(scores, k, allowed)


def follows(model: Recommender, shortcut: str, *of: str) -> bool:
    """Whether a method knows of those that it is a shortcut for: no later class has overridden one of them alone.

    Else a model that changes its ``scores`` would be evaluated with the change, and would recommend without.
    """
    places = [model, *type(model).__mro__]
    place = {name: next(i for i, one in enumerate(places) if name in vars(one)) for name in (shortcut, *of)}
    return all(place[shortcut] <= place[name] for name in of)


def _check_numbers(best: Tensor) -> None:
    """ValueError if a score is NaN, which is sorted to the top of its list."""
    if bool(best.isnan().any()):
        raise ValueError(
            "scores: not a number (NaN) for some item, so the list would be meaningless. Did the training diverge?"
        )


def rows_at_once(n_items: int) -> int:
    """How many rows of scores to make at a time: 8 MB of float32, about what a processor's cache holds.

    A large catalogue gets 16 rows all the same, or its table would be read from memory again for every few of them; a
    block is never larger than 64 MB, but for the one row that it must have.
    """
    fit, at_most = SCORES_AT_ONCE // n_items, 8 * SCORES_AT_ONCE // n_items
    return max(1, fit, min(ROWS_AT_LEAST, at_most))
