"""How a click log is refused or warned about: by column, first bad row, value, and a remedy that works.

A remedy is code that acts on the caller's ``clicks``. If several may help, each is tried on the column at hand, and the
first that helps is named (``first_that_helps``).
"""

from __future__ import annotations

import math
import numbers
import reprlib
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..internal import caller

FROM_FILE = "; from a file: clicks = pandas.read_csv(…) or read_parquet(…) first, every function takes such a frame"
Remedy = tuple[str, Callable[[], Any]]  # code, and a function that tries it


class ClickLogError(ValueError):
    """A click log that cannot be used: names the column, the first bad row and the remedy."""


def require_positive(kind: type, **settings: Any) -> None:
    """ValueError unless each setting is a positive number of this kind."""
    noun = "integer" if kind is numbers.Integral else "number"
    for name, value in settings.items():
        if isinstance(value, bool) or not (isinstance(value, kind) and 0 < float(value) < math.inf):  # type: ignore[arg-type]
            raise ValueError(f"{name}={value!r}: must be a positive {noun}")


def require(column: str, columns: Iterable[Any], remedy: str) -> None:
    """ClickLogError unless the column is there exactly once."""
    times = list(columns).count(column)
    if times != 1:
        problem = "is missing" if times == 0 else f"occurs {times} times"
        there = ", ".join(reprlib.repr(name) if len(str(name)) > 100 else repr(name) for name in columns)
        there = there or "no column at all"
        raise ClickLogError(f"Column {column!r} {problem}: the log has {there}. Remedy: {remedy}.")


def refuse(bad: Any, column: pd.Series, complaint: str, remedy: str) -> None:
    """ClickLogError about the column's first row where ``bad`` is true, if there is one."""
    bad = np.asarray(bad, dtype=bool)
    if bad.any():
        raise ClickLogError(described(bad, column, complaint, remedy))


def warn(bad: np.ndarray, column: pd.Series, complaint: str, remedy: str) -> None:
    """UserWarning worded like ``refuse``, at the caller's line outside this package."""
    caller.warn(described(bad, column, complaint, remedy))


def described(bad: np.ndarray, column: pd.Series, complaint: str, remedy: str) -> str:
    """What is wrong with the rows where ``bad`` is true, and what to do."""
    row = int(bad.argmax())
    value = column.iloc[row]
    shown = repr(value) if isinstance(value, str) else "an empty field" if is_missing(value) else str(value)
    shown = shown if len(shown) <= 100 else shown[:97] + "..."
    return (
        f"Column {column.name!r}: {shown} {complaint}. "
        f"First bad row: {row + 1} (data rows counted from 1), {bad.sum():,} in all. Remedy: {remedy}."
    )


def is_missing(value: Any) -> bool:
    """Whether a value is missing; a list of values is not."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def first_that_helps(remedies: Iterable[Remedy], accepts: Callable[[Any], Any]) -> str | None:
    """The code of the first remedy whose result is accepted without a warning; None if none helps."""
    for code, attempt in remedies:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # such as pandas' warning that it ignores an unknown time zone
                result = attempt()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                accepts(result)
        except Exception:  # whatever pandas raises: the remedy does not help
            continue
        return code
    return None
