"""Checks of the baselines' settings: an error names the setting, its value and what is allowed."""

from __future__ import annotations

import math
from numbers import Integral, Real


def require_whole(name: str, value: object, least: int = 1) -> None:
    """ValueError unless ``value`` is an integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}={value!r}: must be a whole number of at least {least}")


def require_number(name: str, value: object, least: float, most: float | None = None, above: bool = False) -> None:
    """ValueError unless ``value`` is a finite number from ``least`` (or from just above it) to ``most``."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    inside = least <= number < math.inf and (most is None or number <= most)
    if not inside or (above and number == least):
        limits = f"{'above' if above else 'of at least'} {least:g}" + ("" if most is None else f", at most {most:g}")
        raise ValueError(f"{name}={value!r}: must be a number {limits}")


def require_scale(name: str, value: object) -> None:
    """ValueError unless ``value`` is a number above 0; it may be infinite."""
    if value != math.inf:
        require_number(name, value, 0, above=True)
