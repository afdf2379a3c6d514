"""The training step as its own machine code (torch.compile), where that is available and pays.

A step of a small network is dozens of operations that each do little: most of the time goes into calling them, and into
writing to memory what the next one reads back. Compiled, they become a few loops. Only steps of full width are
compiled, since machine code is made for fixed shapes; the tail of an epoch, where lanes end, runs uncompiled.

Source: Ansel et al., "PyTorch 2", ASPLOS 2024.
"""

from __future__ import annotations

import os
import threading
import types
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

from .caller import warn

_COMPILING = threading.Lock()  # one at a time: warnings are hidden process-wide in the meantime


class NotCompiled(UserWarning):
    """Training continues uncompiled, and more slowly."""


class CompiledStep:
    """Call ``step`` compiled; if it cannot be compiled, uncompiled, after a warning `NotCompiled` that says why."""

    def __init__(self, step: Callable[..., Any]):
        self.as_it_is = step
        # chosen at the first call, unless the environment switches torch.compile off
        self._run: Callable[..., Any] | None = step if torch._dynamo.config.disable else None

    def __call__(self, *arguments: Any) -> Any:
        if self._run is not None:
            return self._run(*arguments)
        try:
            with _COMPILING, warnings.catch_warnings():
                warnings.filterwarnings("ignore", module="torch")  # about its own internals
                self._run = _compiled(self.as_it_is)
                return self._run(*arguments)  # compiles first: if that fails, nothing has been updated yet
        except (Unsupported, RuntimeError) as error:  # no C++ compiler, a full disk, ...
            refused = isinstance(error, (Unsupported, torch._dynamo.exc.TorchDynamoException))
            if not refused and "torch.compile stance" not in str(error):
                raise  # raised by the step itself, which may have updated something
            self._run = self.as_it_is
            reason = " ".join(str(error).split("\n")[:2]).strip()[:200] or type(error).__name__
            warn(
                f"training runs uncompiled, and more slowly: torch.compile failed here ({reason}). Remedy: install a "
                f"C++ compiler (g++) and Python's headers, or set compile=False to hide this line",
                NotCompiled,
            )
            return self._run(*arguments)


class Unsupported(Exception):
    """torch.compile refuses to start: because of this Python, this system, or a mode of the caller."""


def _compiled(step: Callable[..., Any]) -> Callable[..., Any]:
    if _get_current_dispatch_mode() is not None:  # torch would run the step, then report that it did not compile it
        raise Unsupported("a dispatch mode is on, such as a FlopCounterMode")
    # torch keeps compiled code by code object, and gives up after a few variants: give each model its own code object
    own = types.FunctionType(
        step.__code__.replace(), step.__globals__, step.__name__, step.__defaults__, step.__closure__
    )
    # torch's cache on disk does not record the instruction width that code was compiled for, and running code for
    # another width corrupts memory; so if that width is set by hand, the cache is not used
    options: dict[str, Any] = {} if "ATEN_CPU_CAPABILITY" not in os.environ else {"fx_graph_cache": False}
    try:
        return torch.compile(own, fullgraph=True, dynamic=False, options=options)
    except RuntimeError as error:
        raise Unsupported(str(error)) from error
