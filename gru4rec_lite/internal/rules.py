"""What a value may be, as data beside its declaration, instead of lines before the idea.

Each setting's rule is part of its field; all rules are checked when a model is made, and at `fit`:

    k: int = setting(500, whole())
    lam: float = setting(20.0, number(0))

The rules of a function's arguments are above it, and are checked at each call:

    @arguments(n_items=whole(), elu=positive, output=one_of("linear", "tanh", "elu"))
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from .checks import require_flag, require_number, require_one_of, require_scale, require_that, require_whole
from .device import find_device

Rule = Callable[[str, Any], None]  # takes a name and its value; raises ValueError or does nothing
P = ParamSpec("P")
R = TypeVar("R")


def setting(default: Any, rule: Rule) -> Any:
    """A field in a dataclass of settings, with its rule."""
    return dataclasses.field(default=default, metadata={"rule": rule})


def check_settings(model: Any) -> None:
    """ValueError for the first setting of a dataclass that breaks its field's rule."""
    if dataclasses.is_dataclass(model):
        for field in dataclasses.fields(model):
            if "rule" in field.metadata:
                field.metadata["rule"](field.name, getattr(model, field.name))


def arguments(**rules: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function: ValueError for the first of its arguments, in the order given here, that breaks its rule."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        if unknown := rules.keys() - signature.parameters.keys():
            raise TypeError(f"{function.__qualname__} has no {', '.join(unknown)}")

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError:
                return function(*args, **kwargs)  # Python says it better
            given.apply_defaults()
            for name, rule in rules.items():
                rule(name, given.arguments[name])
            return function(*args, **kwargs)

        return checked

    return decorate


def whole(least: int = 1) -> Rule:
    """A whole number of at least ``least``."""
    return partial(require_whole, least=least)


def number(least: float, most: float | None = None) -> Rule:
    """A finite number from ``least`` to ``most``."""
    return partial(require_number, least=least, most=most)


def one_of(*allowed: Any) -> Rule:
    """One of these values."""
    return partial(require_one_of, allowed=allowed)


flag, scale = require_flag, require_scale


def share(name: str, value: Any) -> None:
    """A number of at least 0, below 1."""
    require_number(name, value, 0, 1, below=True)


def positive(name: str, value: Any) -> None:
    """A number above 0."""
    require_number(name, value, 0, above=True)


def optional(rule: Rule) -> Rule:
    """None, or a value that the rule allows."""

    def hold(name: str, value: Any) -> None:
        if value is not None:
            try:
                rule(name, value)
            except ValueError as error:
                raise ValueError(f"{error}, or None") from None

    return hold


def that(is_so: Callable[[Any], bool], allowed: str) -> Rule:
    """A value for which ``is_so`` is true; ``allowed`` describes such values."""

    def hold(name: str, value: Any) -> None:
        require_that(name, value, is_so(value), allowed)

    return hold


def units(name: str, value: Any) -> None:
    """Units of each layer, first to last."""
    is_tuple = isinstance(value, tuple) and len(value) > 0
    good = is_tuple and all(isinstance(one, int) and not isinstance(one, bool) and one >= 1 for one in value)
    require_that(name, value, good, "units of each layer, each at least 1, for example (100,)")


def auto_or_flag(name: str, value: Any) -> None:
    """True, False, or "auto", which leaves the choice to us."""
    require_that(name, value, value == "auto" or isinstance(value, bool), "'auto', True or False")


def device(name: str, value: Any) -> None:
    """The name of an available torch device, or "auto"."""
    find_device(value)
