"""A model computes the same in whatever mode of torch its caller is, and leaves that mode as it was.

Modes are switched here, only while we compute and only in this thread. Process-wide settings are never switched, since
other threads would notice: instead every tensor is made with an explicit type and device, and random numbers come from
our own generators.
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
    """No autocast, no inference mode, gradients as asked; on the usual devices too, since ``fit`` may move a model."""
    with ExitStack() as modes:
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.set_grad_enabled(grad))
        for kind in {"cpu", "cuda", "mps", device}:
            if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
                modes.enter_context(torch.autocast(kind, enabled=False))
        yield


def undisturbed(grad: bool = False) -> Callable[[Method], Method]:
    """Decorate a model's method to run in `own_modes`; a generator restores the caller's modes at each yield."""

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
    """The type of device on which this model, or this stream's model, computes."""
    device = getattr(getattr(owner, "model", owner), "_device", None)
    return "cpu" if device is None else device.type  # not a model: the method itself will complain
