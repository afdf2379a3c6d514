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
ROWS_AT_LEAST = 16  # rows of a block, unless it would then exceed 8 times SCORES_AT_ONCE
ITEMS = "items.json"  # name of the item ids among the tensors of a file


class Recommender(Spelt):
    """Base class. A subclass that is a dataclass of its settings and implements `tensors` and `restore` gets ``save``
    and ``load``; a setting that it does not have is refused, and the nearest one named."""

    items: pd.Index  # (N,) item ids; an item's number is its position
    _part_of_what_is_learned: tuple[str, ...] = ()  # settings that `load` must not override
    clock: float = 0.0  # seconds: the time of clicks given without one; a model may set it to its last click's

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
        """Only the last row of `scores` of each session, ``(S, N)`` in blocks: all that a list needs.

        Sessions have two or more clicks. Override this in a model that can skip the earlier rows.
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
            k: length of the list, at least 1; if it exceeds the catalogue, the list is the whole catalogue.
            times: when they were clicked (datetimes or seconds), for models that use it; None: all at `clock`.
            exclude: item ids not to recommend. An unknown id is harmless; one that no item can have, such as text where
                ids are numbers, is a mistake.
            unknown: what to do about unknown items in ``history`` and mistakes in ``exclude``: "warn" (once per call,
                naming some), "ignore", or "raise" a ValueError.

        Raises:
            ValueError: any other argument, a model that is not fitted, scores that are not numbers.
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
        """The k best items for each of many histories: columns history (its position in the list), rank, ItemId, score.

        Arguments as in `recommend`, times a list per history; unknown items of all histories are reported at once.
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
        """A running session: ``click(item)`` as it happens, ``recommend(k)`` when a list is needed."""
        self._check_fitted()
        return Stream(self)

    def tensors(self) -> dict[str, Tensor]:
        """What `fit` learned, for `save`: name -> tensor."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say how to save it: implement tensors() and restore()"
        )

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` returned; ``self.items`` is already set."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say how to load it: implement tensors() and restore()"
        )

    def __post_init__(self):
        self._check_settings()

    def _check_settings(self) -> None:
        """ValueError for a setting out of range, when the model is made and again at `fit`: they may have changed."""
        check_settings(self)

    def _settings_to_save(self) -> dict[str, Any]:
        """The settings that `save` writes beside the tensors, so that a loaded model gives the same scores."""
        return {name: getattr(self, name) for name in settings_of(type(self))}

    def save(self, path: str | Path) -> None:
        """Save settings, item ids and what was learned as safetensors; nothing in the file is ever executed.

        ``~`` at the start of a path stands for the home folder.
        """
        self._check_fitted()
        as_path("path", path)
        known, passed_on = settings_of(type(self)), (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        for name, parameter in signature(type(self)).parameters.items():
            if name not in known and not (known and parameter.kind in passed_on):
                raise NotImplementedError(
                    f"{type(self).__name__}: make it a dataclass of its settings for load; {name!r} is not a field"
                )
        settings = {name: plain(value) for name, value in self._settings_to_save().items()}
        header = {"model": type(self).__name__, "settings": settings}
        files.write(path, {**self.tensors(), ITEMS: files.to_bytes(item_index(self.items).tolist())}, header)

    @of_the_class
    def load(cls, path: str | Path, **overrides: Any) -> Self:
        """Load what `save` wrote; ``overrides`` replace settings, for example ``device="cpu"``.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: a setting that does not exist or belongs to what was learned; a file that `save` did not write,
                that holds another model, or that is damaged.
        """
        as_path("path", path)
        require_settings(cls, overrides, settings_of(cls))
        tensors, header = files.read(path)
        kind = header.get("model")
        if kind == "checkpoint":
            raise ValueError(f"{path}: a checkpoint of a training; resume with fit(..., checkpoint=path, resume=True)")
        if not isinstance(kind, str):
            raise ValueError(f"{path}: holds tensors, but not a model written by save")
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
            # settings, items and tensors that do not match
            raise ValueError(f"{path}: not a model file of gru4rec_lite, or damaged ({error})") from error
        return model

    def _check_fitted(self) -> None:
        if not hasattr(self, "items"):
            kind = type(self).__name__
            raise ValueError(
                f"this {kind} has not learned anything yet: call fit(clicks) first, or load one: {kind}.load(path)"
            )

    def _numbers(self, history: Sequence[Any], unknown: str = "warn") -> np.ndarray:
        """Item numbers of ids; unknown ones are handled as ``unknown`` asks."""
        require_one_of("unknown", unknown, ON_UNKNOWN)
        index = item_index(self.items)
        numbers = find(index, history)
        report(_unknown_clicks(index, history, numbers), unknown)
        return numbers

    def _last_blocks(self, clicked: list[np.ndarray], times: list[np.ndarray]) -> Iterator[Tensor]:
        """Scores after each of these histories of item numbers (possibly none) and times: ``(S, N)`` in blocks."""
        clicked = [c if len(c) else np.array([UNKNOWN]) for c in clicked]
        times = [t if len(t) else np.array([self.clock]) for t in times]
        # add an unknown click: the prediction before it, the session's last, is the one we want
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
        """Numbers of the items that may be listed, None for all; complaints about mistakes in ``exclude`` are added."""
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
        """`_best` of all items but the excluded ones; mistakes among these are reported."""
        require_whole("k", k)
        require_list("exclude", exclude, ordered=False)
        require_one_of("unknown", unknown, ON_UNKNOWN)
        complaints: list[str] = []
        allowed = self._allowed(exclude, complaints)
        report(complaints, unknown)
        return self._best(scores, k, allowed)


def follows(model: Recommender, shortcut: str, *of: str) -> bool:
    """Whether a shortcut still matches the methods it stands in for: no subclass has overridden one of them alone.

    Otherwise a subclass that changes ``scores`` would be evaluated with the change but recommend without it.
    """
    places = [model, *type(model).__mro__]
    place = {name: next(i for i, one in enumerate(places) if name in vars(one)) for name in (shortcut, *of)}
    return all(place[shortcut] <= place[name] for name in of)


def _check_numbers(best: Tensor) -> None:
    """ValueError if a score is NaN, since NaN sorts to the top of its list."""
    if bool(best.isnan().any()):
        raise ValueError(
            "scores: not a number (NaN) for some item, so the list would be meaningless. Did the training diverge?"
        )


def rows_at_once(n_items: int) -> int:
    """How many rows of scores to compute at a time: 8 MB of float32, about what a processor's cache holds.

    A large catalogue still gets 16 rows, or its table would be read from memory again for every few of them; a block is
    never larger than 64 MB, unless a single row is.
    """
    fit, at_most = SCORES_AT_ONCE // n_items, 8 * SCORES_AT_ONCE // n_items
    return max(1, fit, min(ROWS_AT_LEAST, at_most))
