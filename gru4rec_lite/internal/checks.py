"""Guards of arguments: a wrong argument raises a ValueError that names it, its value and what is allowed.

A guard raises or does nothing; `as_path` also returns the path. Guards of tensors look only at type and shape: to see
values, the host would have to wait for the device.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Set
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

LONGEST = 80  # characters of a value in a message


def require_that(name: str, value: Any, holds: bool, allowed: str) -> None:
    """ValueError about this argument unless ``holds``."""
    if not holds:
        raise ValueError(f"{name}={shown(value)}: must be {allowed}")


def shown(value: Any) -> str:
    """How a message shows a value: what it is, not everything it holds."""
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim > 0:
        return f"{type(value).__name__} {tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def require_whole(name: str, value: Any, least: int = 1, most: int | None = None) -> None:
    """ValueError unless ``value`` is an integer of at least ``least`` (and at most ``most``)."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    limits = f"a whole number of at least {least}" + ("" if most is None else f", at most {most}")
    require_that(name, value, whole and least <= value and (most is None or value <= most), limits)


def require_number(
    name: str, value: Any, least: float, most: float | None = None, above: bool = False, below: bool = False
) -> None:
    """ValueError unless ``value`` is finite and from ``least`` (with ``above``: above it) to ``most`` (or below it)."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    inside = least <= number < math.inf and (most is None or number <= most)
    limits = f"a number {'above' if above else 'of at least'} {least:g}"
    limits += "" if most is None else f", {'below' if below else 'at most'} {most:g}"
    require_that(name, value, inside and not (above and number == least) and not (below and number == most), limits)


def require_scale(name: str, value: Any) -> None:
    """ValueError unless ``value`` is a number above 0; it may be infinite."""
    if value != math.inf:
        require_number(name, value, 0, above=True)


def require_one_of(name: str, value: Any, allowed: Iterable[Any]) -> None:
    """ValueError unless ``value`` is one of these."""
    require_that(name, value, value in list(allowed), "one of " + ", ".join(map(repr, allowed)))


def require_flag(name: str, value: Any) -> None:
    """ValueError unless ``value`` is True or False: the text "no" would count as true."""
    require_that(name, value, isinstance(value, (bool, np.bool_)), "True or False")


def require_path(name: str, value: Any) -> None:
    """ValueError unless ``value`` is text or a path."""
    as_path(name, value)


def as_path(name: str, value: Any) -> Path:
    """The path, with ``~`` at its start as the home folder; ValueError unless ``value`` is text or a path."""
    is_path = isinstance(value, (str, os.PathLike)) and isinstance(os.fspath(value), str) and str(value) != ""
    require_that(name, value, is_path, "the path of a file, text or pathlib.Path")
    path = Path(value)
    try:
        return path.expanduser()
    except RuntimeError as error:  # no such user, or no home
        raise ValueError(f"{name}={shown(value)}: must be a path that can be resolved ({error})") from error


def require_device(name: str, value: Any) -> None:
    """ValueError unless tensors can be made on this device."""
    try:
        torch.empty(0, device=torch.device(value))
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{name}={shown(value)}: must be 'cpu' or a device that is here ({reason})") from error


def require_list(name: str, ids: Any, ordered: bool = True) -> None:
    """ValueError unless these are item ids (in an order): each text or a number, not another list."""
    is_text, has_no_order = isinstance(ids, (str, bytes)), ordered and isinstance(ids, (Set, Mapping))
    if is_text or has_no_order or not hasattr(ids, "__len__") or getattr(ids, "ndim", 1) != 1:
        hint = f", here [{shown(ids)}]" if is_text or not hasattr(ids, "__len__") else ""
        raise ValueError(f"{name}={shown(ids)}: must be a list of item ids{hint}")
    for place, one in enumerate(ids):
        require_id(f"{name}[{place}]", one)


def require_id(name: str, value: Any) -> None:
    """ValueError unless ``value`` can be looked up among item ids: text, a number, anything hashable."""
    if not isinstance(value, (str, int)):
        require_that(name, value, not isinstance(value, np.ndarray) and _is_key(value), "one item id, text or a number")
    require_unicode(name, value)


def _is_key(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return getattr(value, "ndim", 0) == 0


def require_unicode(name: str, value: Any) -> None:
    """ValueError for text that no file in UTF-8 can hold, such as half a surrogate pair; other types pass."""
    if isinstance(value, str) and not value.isascii():
        holds = value.encode(errors="replace") == value.encode(errors="surrogatepass")
        require_that(name, value, holds, "Unicode text, such as value.encode('utf-8', 'replace').decode('utf-8')")


def require_tensor(name: str, value: Any, n_dimensions: int, whole: bool = False) -> None:
    """ValueError unless ``value`` is a tensor of ``n_dimensions``, of floats or (``whole``) of item numbers."""
    kinds = (torch.int64, torch.int32) if whole else (torch.float32, torch.float64, torch.float16, torch.bfloat16)
    if not isinstance(value, Tensor) or value.ndim != n_dimensions or value.dtype not in kinds:
        allowed = f"a tensor of {n_dimensions} dimension{'s' * (n_dimensions > 1)} of {'int64' if whole else 'floats'}"
        raise ValueError(f"{name}={shown(value)}: must be {allowed}")


def require_integers(name: str, values: Any, least: int, what: str, end: int | None = None) -> None:
    """ValueError unless these are integers in one row, from ``least`` on (and below ``end``)."""
    row = np.asarray(values)
    is_row = row.ndim == 1 and (row.dtype.kind in "iu" or len(row) == 0)
    require_that(name, values, is_row, f"integers in one row: {what}")
    bad = (row < least) if end is None else (row < least) | (row >= end)
    if bad.any():
        limits = f"at least {least}" if end is None else f"from {least} to {end - 1}"
        place = int(bad.argmax())
        raise ValueError(f"{name}[{place}]={row[place]}: must be {limits}; {what}")


def require_offsets(offsets: Any, n_clicks: int | None = None) -> None:
    """ValueError unless ``offsets`` ``(S + 1,)`` can cut (``n_clicks``) clicks into sessions."""
    require_integers("offsets", offsets, 0, "where each session begins, and the end (S + 1,)")
    row = np.asarray(offsets)
    if len(row) == 0 or (row[1:] < row[:-1]).any() or (n_clicks is not None and row[-1] > n_clicks):
        listed = ", ".join(map(str, row.tolist() if len(row) < 6 else [*row[:2], "...", *row[-2:]]))
        most = "" if n_clicks is None else f", at most {n_clicks}, the number of clicks"
        raise ValueError(f"offsets=[{listed}]: must be where each session begins, and the end: never decreasing{most}")


def require_sessions(items: Any, offsets: Any, n_items: int | None = None, times: Any = None) -> None:
    """ValueError unless sessions can be cut from ``items`` ``(n,)`` by ``offsets`` ``(S + 1,)``.

    Items are whole numbers from -1 (an unknown item) to below ``n_items``; ``times``, if given, has one number per
    click.
    """
    if n_items is not None:  # lists are enough for a plan, but not for a model
        for name, given in (("items", items), ("offsets", offsets), ("times", times)):
            is_array = isinstance(given, np.ndarray) or (name == "times" and given is None)
            require_that(name, given, is_array, "a NumPy array, as clicks.encode gives it")
    require_integers("items", items, -1, "item numbers (n,), -1 for an unknown item", n_items)
    require_offsets(offsets, len(items))
    if times is not None:
        fits = times.shape == items.shape and times.dtype.kind in "iuf"
        require_that("times", times, fits, f"seconds, one for each of the {len(items)} clicks")


def require_model(name: str, model: Any) -> None:
    """ValueError unless this is a fitted recommender, with ``items`` and ``scores``."""
    kind = model.__name__ if isinstance(model, type) else type(model).__name__
    if isinstance(model, type) or not callable(getattr(model, "scores", None)):
        raise ValueError(f"{name}={shown(model)}: must be a recommender, with items and scores(items, offsets, times)")
    if getattr(model, "items", None) is None:
        raise ValueError(f"{name}: this {kind} has not learned anything yet, it has no items; fit it first")
