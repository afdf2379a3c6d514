"""The training step as machine code of its own (torch.compile), where that can be had and pays.

A step of a small network is dozens of operations that each do little: most of the time goes into calling them, and into
writing to memory what the next one reads back. Compiled, they become a few loops. Only steps of full width are
compiled, since machine code is made for fixed shapes; the tail of an epoch, where lanes end, runs as it is.

Source: Ansel et al., "PyTorch 2", ASPLOS 2024.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any

import torch

from .batching import SessionParallel
from .network import Network

PAYS_FROM = 30.0  # seconds of training as it is; to compile takes 5 to 20, and leaves half of the time or less
OVERHEAD, SPEED = 0.7e-3, 5e10  # of a step as it is: seconds for its calls, operations per second (measured on a CPU)


class NotCompiled(UserWarning):
    """Training goes on as it is, more slowly."""


def wanted(choice: str | bool, network: Network, plan: SessionParallel, n_samples: int, n_epochs: int) -> bool:
    """Whether to compile: ``choice`` itself, or for "auto" whether ``n_epochs`` of the plan are long enough to pay."""
    if choice != "auto":
        return bool(choice)
    lanes, table = int(plan.widths.max(initial=0)), network.item_out
    weights = sum(p.numel() for p in network.layers.parameters()) + (lanes + n_samples) * table.shape[1]
    operations = 6 * lanes * weights  # multiply and add, forward and twice backward
    n_steps = n_epochs * int((plan.widths == lanes).sum())
    return table.device.type in ("cpu", "cuda") and n_steps * (OVERHEAD + operations / SPEED) > PAYS_FROM


class CompiledStep:
    """Calls ``step`` compiled; where that fails, as it is, after a warning `NotCompiled` that says why."""

    def __init__(self, step: Callable[..., Any]):
        self.as_it_is = step
        # torch keeps what it compiled by code object and gives up after a few variants: each model gets a code object
        # of its own
        own = types.FunctionType(
            step.__code__.replace(), step.__globals__, step.__name__, step.__defaults__, step.__closure__
        )
        self._run: Callable[..., Any] = torch.compile(own, fullgraph=True, dynamic=False)
        self._tried = False

    def __call__(self, *arguments: Any) -> Any:
        if self._tried:
            return self._run(*arguments)
        self._tried = True
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module="torch")  # of its own insides
                return self._run(*arguments)  # compiles first: when that fails nothing has been updated yet
        except Exception as error:  # no C++ compiler, no Python headers, a full disk: many kinds, one remedy
            self._run = self.as_it_is
            reason = " ".join(str(error).split("\n")[:2]).strip()[:200] or type(error).__name__
            warnings.warn(
                f"training runs uncompiled, and more slowly: torch.compile failed here ({reason}). Remedy: install a "
                f"C++ compiler (g++) and Python's headers, or set compile=False to hide this line",
                NotCompiled,
                stacklevel=2,
            )
            return self._run(*arguments)
