"""A model computes the same whatever mode of torch its caller is in, and leaves that mode as it was.

Modes are switched here, for as long as we compute and in this thread alone. What holds for the whole process is never
switched, since other threads would notice: instead every tensor is made with its type and device, and random numbers
come from generators of our own.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar, cast

import torch

Method = TypeVar("Method", bound=Callable[..., Any])


@contextmanager
def own_modes(grad: bool, device: str = "cpu") -> Iterator[None]:
    """No autocast, no inference mode, gradients as said; on the usual devices, too, for ``fit`` may move a model."""
    with ExitStack() as modes:
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.set_grad_enabled(grad))
        for kind in {"cpu", "cuda", "mps", device}:
            if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
                modes.enter_context(torch.autocast(kind, enabled=False))
        yield


def undisturbed(grad: bool = False) -> Callable[[Method], Method]:
    """Decorator of a model's methods: they run in `own_modes`; one that yields gives them back at each yield."""

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def call(self, *args: Any, **named: Any) -> Any:
            with own_modes(grad, _kind(self)):
                return method(self, *args, **named)

        @functools.wraps(method)
        def iterate(self, *args: Any, **named: Any) -> Iterator[Any]:
            values = method(self, *args, **named)
            while True:
                with own_modes(grad, _kind(self)):
                    try:
                        value = next(values)
                    except StopIteration:
                        return
                yield value

        return cast(Method, iterate if inspect.isgeneratorfunction(method) else call)

    return decorate


def _kind(owner: Any) -> str:
    """The kind of device on which this model, or the model of this stream, computes."""
    device = getattr(getattr(owner, "model", owner), "_device", None)
    return "cpu" if device is None else device.type  # no model at all: the method itself will complain
