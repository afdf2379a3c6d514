"""Refuse a misspelt setting and name the nearest one, both when a model is made and when it is changed.

A class's settings are its dataclass fields. A class that is not a dataclass may have any attribute.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self


def settings_of(cls: type) -> list[str]:
    """The names of a class's settings; none if it is not a dataclass."""
    return [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []


def require_settings(cls: type, given: dict[str, Any], known: Iterable[str] | None = None) -> None:
    """ValueError for a setting that the class does not have, naming the nearest one that it has."""
    known = settings_of(cls) if known is None else list(known)
    for name, value in given.items():
        if name not in known:
            raise ValueError(
                f"{name}={value!r}: {cls.__name__} has no such setting; {meant(name, known)}"
                f"must be one of {', '.join(known) or 'none'}"
            )


def meant(name: str, known: Iterable[str]) -> str:
    """``did you mean 'dropout_hidden' or 'dropout_embed'? `` for a name close to known ones, else an empty text."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    near += [other for other in known if name and name in other.split("_")]
    near = list(dict.fromkeys(near))[:3]
    return f"did you mean {' or '.join(map(repr, near))}? " if near else ""


class _OfTheInit:
    """Make `inspect.signature` show a class's ``__init__``, not the ``__new__`` that checks the names."""

    def __get__(self, instance: Any, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        if owner.__init__ is object.__init__:  # type: ignore[misc]
            return inspect.Signature()
        signature = inspect.signature(owner.__init__)  # type: ignore[misc]
        return signature.replace(parameters=list(signature.parameters.values())[1:])


class Spelt:
    """Base class whose subclasses refuse settings that they do not have, in the constructor and as attributes.

    Allowed are names that begin with ``_``, names that the object or its class has, and whatever its own methods set.
    """

    __signature__ = _OfTheInit()

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        if cls.__init__ is object.__init__ and args:
            raise TypeError(f"{cls.__name__}() takes no arguments")
        parameters = inspect.signature(cls.__init__).parameters if settings else {}
        if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()) or (
            cls.__init__ is object.__init__
        ):
            require_settings(cls, settings, [name for name in parameters if name not in ("self", "args", "kwargs")])
        return super().__new__(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        known = settings_of(type(self))
        free = not known or name in known or name.startswith("_") or name in self.__dict__ or _declares(self, name)
        if not free and sys._getframe(1).f_locals.get("self") is not self:  # own methods, such as fit, may set anything
            raise ValueError(
                f"{type(self).__name__} has no setting {name!r}, so setting it would change nothing; "
                f"{meant(name, known)}there are {', '.join(known)}"
            )
        super().__setattr__(name, value)


def _declares(model: Any, name: str) -> bool:
    """Whether the class has an attribute of this name, or an annotation for it."""
    return any(name in vars(cls) or name in inspect.get_annotations(cls) for cls in type(model).__mro__)


if TYPE_CHECKING:
    of_the_class = classmethod
else:

    class of_the_class(classmethod):
        """A class method that instances refuse: they would throw away the new model and stay unchanged."""

        def __get__(self, instance, owner=None):
            if instance is None:
                return super().__get__(instance, owner)

            @functools.wraps(self.__func__)
            def refuse(*args: Any, **kwargs: Any) -> None:
                name, kind = self.__func__.__name__, type(instance).__name__
                raise ValueError(f"{name} makes a new {kind} and leaves this one as it is: model = {kind}.{name}(path)")

            return refuse
