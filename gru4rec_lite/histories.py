"""Histories for which lists are wanted: ids and times of clicks as numbers, and complaints about unknown ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from . import clicks as click_log
from .internal.caller import warn
from .internal.checks import require_that, shown

UNKNOWN = -1  # the number of an item that is not in the item index
ON_UNKNOWN = ("warn", "ignore", "raise")
EXACT = 2**53  # above this, not every whole number is a float
NAMED = 5  # ids named in a message


def item_index(items: Any) -> pd.Index:
    """A model's item ids as an index, whatever kind of list holds them; ValueError if an id occurs twice."""
    index = items if isinstance(items, pd.Index) else pd.Index(items, tupleize_cols=False)
    if not index.is_unique:
        raise ValueError(f"items: must hold every item once, but holds {index[index.duplicated()].tolist()[0]!r} again")
    return index


def find(index: pd.Index, ids: Iterable[Any]) -> np.ndarray:
    """Item numbers of ids, -1 for those that are not in the item index.

    Ids match as in pandas: equal numbers of any type are the same id (7, numpy.int8(7), 7.0); a number and its text are
    not. True and False do not count as numbers here, and a float above 2^53, which may stand for several whole numbers,
    matches none of them.
    """
    ids = [one.item() if isinstance(one, Tensor) else one for one in ids]
    asked = pd.Index(ids, tupleize_cols=False)
    if asked.dtype == index.dtype and asked.dtype != object:
        return index.get_indexer(asked)
    # compared as objects, for which pandas passes over the whole catalogue
    numbers = index.get_indexer(pd.Index(ids, dtype=object, tupleize_cols=False))
    numbers[[_is_no_number(one) for one in ids]] = UNKNOWN
    return numbers


def _is_no_number(one: Any) -> bool:
    return isinstance(one, (bool, np.bool_)) or (isinstance(one, (float, np.floating)) and abs(float(one)) > EXACT)


def kind(one: Any) -> str:
    """The kind of an id, to tell a mistake (text for numbers) from an item that is merely unknown."""
    if isinstance(one, (bool, np.bool_)) or one is None or one is pd.NaT or one is pd.NA:
        return "none"
    if isinstance(one, Integral) or (isinstance(one, (float, np.floating)) and float(one).is_integer()):
        return "number"
    return "text" if isinstance(one, str) else type(one).__name__


def unknown_clicks(index: pd.Index, ids: Sequence[Any], numbers: np.ndarray, n_histories: int = 1) -> list[str]:
    """A complaint about clicks on items that the model does not know, if there are any."""
    if not len(numbers) or numbers.min() >= 0:
        return []
    ids = ids.tolist() if isinstance(ids, Tensor) else ids
    missing = [one for one, number in zip(ids, numbers.tolist(), strict=True) if number < 0]
    different = pd.Index(missing, dtype=object, tupleize_cols=False).unique()
    clicks = f", {len(missing):,} of {len(ids):,} clicks in {n_histories:,} histories" if n_histories > 1 else ""
    return [f"unknown items are left out: {_named(different)}{clicks} (item ids here look like {_example(index)})"]


def of_another_kind(index: pd.Index, name: str, ids: Iterable[Any], numbers: np.ndarray) -> list[str]:
    """A complaint about ids that no item can have, such as text where ids are numbers: a mistake.

    An unknown id of the right kind is harmless: excluding it changes nothing.
    """
    if not len(numbers) or numbers.min() >= 0 or len(index) == 0:
        return []
    ids = ids.tolist() if isinstance(ids, Tensor) else list(ids)
    plain = pd.api.types.is_integer_dtype(index) or isinstance(index.dtype, pd.StringDtype)  # all ids are of one kind
    here = {kind(one) for one in (index[:1] if plain else index).tolist()}
    wrong = [one for one, number in zip(ids, numbers.tolist(), strict=True) if number < 0 and kind(one) not in here]
    if not wrong:
        return []
    different = pd.Index(wrong, dtype=object, tupleize_cols=False).unique()
    return [f"{name}: no item can have the id {_named(different)} (item ids here look like {_example(index)})"]


def report(complaints: list[str], unknown: str) -> None:
    """Report all complaints of a call in one warning or one ValueError, or not at all, as its ``unknown`` asks."""
    if complaints and unknown == "warn":
        warn("; ".join(complaints))
    if complaints and unknown == "raise":
        raise ValueError("; ".join(complaints))


def _named(ids: pd.Index) -> str:
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return ", ".join(shown(one) for one in ids[:NAMED]) + more


def _example(index: pd.Index) -> str:
    return repr(index[:1].tolist()[0]) if len(index) else "nothing: the catalogue is empty"


def seconds(times: Any, n_clicks: int, length: int) -> np.ndarray:
    """Times of a history in seconds; ``(length,)`` zeros for a history without clicks."""
    _check_times(times, n_clicks)
    return click_log.seconds(pd.Series(times, name="times")) if n_clicks else np.zeros(length)


def check_sessions(sessions: Any, times: Any) -> None:
    """ValueError unless these are histories and, if there are times, each has its list of them."""
    is_list = hasattr(sessions, "__len__") and not isinstance(sessions, (str, bytes, dict, set, pd.DataFrame))
    require_that("sessions", sessions, is_list, "a list of histories, each a list of item ids")
    if times is not None:
        is_list = hasattr(times, "__len__") and not isinstance(times, (str, bytes, dict, set))
        require_that("times", times, is_list, "a list of times for each history")
        if len(times) != len(sessions):
            raise ValueError(f"times: {len(times)} lists for {len(sessions)} histories; give one list for each")


def _check_times(times: Any, n_clicks: int) -> None:
    """ValueError unless these are times of a history's clicks: datetimes or seconds, one per click."""
    is_list = hasattr(times, "__len__") and not isinstance(times, (str, bytes, dict, set))
    require_that("times", times, is_list, "a list of datetimes or seconds, one for each click")
    if len(times) != n_clicks:
        raise ValueError(f"times: {len(times)} for a history of {n_clicks} clicks; give one for each")
