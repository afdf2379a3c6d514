"""The rule of a setting stands in its field; all are held when a model is made, and at `fit`.

k: int = setting(500, whole)
lam: float = setting(20.0, number, least=0)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from .checks import require_number, require_one_of, require_scale, require_that, require_whole
from .device import find_device

Rule = Callable[..., None]  # of a setting's name and value: ValueError, or nothing
whole, number, one_of, scale = require_whole, require_number, require_one_of, require_scale


def setting(default: Any, rule: Rule, /, **limits: Any) -> Any:
    """A field of a dataclass of settings; ``limits`` are further arguments of the rule."""
    return dataclasses.field(default=default, metadata={"rule": partial(rule, **limits)})


def check_settings(model: Any) -> None:
    """ValueError for the first setting of a dataclass that breaks the rule of its field."""
    if dataclasses.is_dataclass(model):
        for field in dataclasses.fields(model):
            if "rule" in field.metadata:
                field.metadata["rule"](field.name, getattr(model, field.name))


def share(name: str, value: Any) -> None:
    """A number of at least 0, below 1."""
    require_number(name, value, 0, 1, below=True)


def positive(name: str, value: Any) -> None:
    """A number above 0."""
    require_number(name, value, 0, above=True)


def optional(name: str, value: Any, rule: Rule, **limits: Any) -> None:
    """None, or what the rule says."""
    if value is not None:
        try:
            rule(name, value, **limits)
        except ValueError as error:
            raise ValueError(f"{error}, or None") from None


def units(name: str, value: Any) -> None:
    """Units of each layer, first to last."""
    is_tuple = isinstance(value, tuple) and len(value) > 0
    good = is_tuple and all(isinstance(one, int) and not isinstance(one, bool) and one >= 1 for one in value)
    require_that(name, value, good, "units of each layer, for example (100,)")


def auto_or_flag(name: str, value: Any) -> None:
    """Chosen by us, or by the caller."""
    require_that(name, value, value == "auto" or isinstance(value, bool), "'auto', True or False")


def device(name: str, value: Any) -> None:
    """Of torch, and here."""
    find_device(value)
