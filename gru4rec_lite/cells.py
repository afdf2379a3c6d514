"""Recurrent cells from their equations.

A cell works in two halves, so that a one-hot input needs no matrix product at all: ``input_gates`` turns an input into
the sums that enter the gates, ``(B, I) -> (B, G·H)``, and ``step`` combines them with the state. With ``n_in=None`` a
cell has no input matrix: the rows of the embedding table *are* those sums (a one-hot vector times a matrix is one of
its rows).

State: ``(B, S, H)`` with S = 1 (RNN, GRU) or S = 2 (LSTM: hidden state, memory). The hidden state is ``state[:, 0]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .internal.checks import require_one_of, require_whole


class Cell(nn.Module):
    """What all cells share: weights per gate block, and the input half.

    Args:
        n_in: width I of the input, or None if inputs are already gate sums.
        units: width H of the hidden state.
        generator: source of the initial weights; None: torch's global one, as for any module.
    """

    n_gates: int  # G
    n_states = 1  # S

    def __init__(self, n_in: int | None, units: int, generator: torch.Generator | None = None):
        require_whole("n_in", 1 if n_in is None else n_in)
        require_whole("units", units)
        super().__init__()
        self.units = units
        if n_in is not None:
            self.weight_ih = weights(self.n_gates * units, n_in)
        self.weight_hh = weights(self.n_gates * units, units)
        self.bias_ih = weights(self.n_gates * units)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Glorot-uniform weights, separately for each gate's block; zero biases."""
        for name, parameter in self.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            else:
                glorot_blocks_(parameter, self.n_gates, generator=generator)

    def zeros(self, lanes: int) -> Tensor:
        """The state before the first click: ``(lanes, S, H)`` zeros on the cell's device."""
        require_whole("lanes", lanes, 0)
        return self.weight_hh.new_zeros(lanes, self.n_states, self.units)

    def input_gates(self, x: Tensor) -> Tensor:
        """``(B, I) -> (B, G·H)``; without an input matrix, x is already ``(B, G·H)``."""
        return F.linear(x, self.weight_ih, self.bias_ih) if hasattr(self, "weight_ih") else x + self.bias_ih

    def step(self, gates: Tensor, state: Tensor) -> Tensor:
        """One click: gate sums ``(B, G·H)`` and state ``(B, S, H)`` give the next state ``(B, S, H)``."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """``(B, I), (B, S, H) -> (B, S, H)``."""
        if x.ndim != 2 or state.shape != (len(x), self.n_states, self.units):  # else one state would serve all lanes
            raise ValueError(
                f"state={tuple(state.shape)}: must be (B, {self.n_states}, {self.units}), with the B of x (B, I), here "
                f"{tuple(x.shape)}"
            )
        return self.step(self.input_gates(x), state)


class RNNCell(Cell):
    """h' = tanh(W x + U h + b). Source: Elman, "Finding structure in time", 1990."""

    n_gates = 1

    def step(self, gates: Tensor, state: Tensor) -> Tensor:
        return (gates + F.linear(state[:, 0], self.weight_hh)).tanh().unsqueeze(1)


class LSTMCell(Cell):
    """Input, forget and output gates around a memory c, in torch's order i, f, g, o.

    i, f, o = σ(W x + U h + b);  g = tanh(W x + U h + b);  c' = f·c + i·g;  h' = o·tanh(c')
    Source: Hochreiter & Schmidhuber, 1997, with the forget gate of Gers et al., 2000.
    """

    n_gates, n_states = 4, 2

    def step(self, gates: Tensor, state: Tensor) -> Tensor:
        hidden, memory = state.unbind(1)
        i, f, g, o = (gates + F.linear(hidden, self.weight_hh)).chunk(4, dim=1)
        memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
        return torch.stack((o.sigmoid() * memory.tanh(), memory), dim=1)


class GRUCell(Cell):
    """A gated recurrent unit, in the paper's form or in torch's; gate blocks in order r, z, candidate.

    ``reset="before"`` (the paper): the reset gate acts on h before the matrix product, and z says how much *new*
    enters:
        r, z = σ(W x + U h + b);  c = tanh(W x + U (r·h) + b);  h' = (1 - z)·h + z·c
    ``reset="after"`` (torch's ``nn.GRUCell``, same parameters in the same places): the reset gate acts on the product,
    which has a bias of its own, and z says how much *old* is kept:
        r, z = σ(W x + b + U h + d);  c = tanh(W x + b + r·(U h + d));  h' = z·h + (1 - z)·c
    The swapped z is a relabelling (z ↔ 1 - z). The place of the reset gate is not: the two are different functions.

    Source: Hidasi et al., ICLR 2016, eq. (1)-(4); Cho et al., 2014.
    """

    n_gates = 3

    def __init__(self, n_in: int | None, units: int, reset: str = "after", generator: torch.Generator | None = None):
        require_one_of("reset", reset, ("before", "after"))
        self.reset = reset
        super().__init__(n_in, units, generator)
        if reset == "after":
            self.bias_hh = weights(3 * units)
            nn.init.zeros_(self.bias_hh)

    def step(self, gates: Tensor, state: Tensor) -> Tensor:
        hidden = state[:, 0]
        if self.reset == "after":
            x_r, x_z, x_c = gates.chunk(3, dim=1)
            h_r, h_z, h_c = F.linear(hidden, self.weight_hh, self.bias_hh).chunk(3, dim=1)
            r, keep = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
            candidate = (x_c + r * h_c).tanh()
            return (keep * hidden + (1 - keep) * candidate).unsqueeze(1)
        x_rz, x_c = gates.split((2 * self.units, self.units), dim=1)
        weight_rz, weight_c = self.weight_hh.split((2 * self.units, self.units))
        r, new = (x_rz + F.linear(hidden, weight_rz)).sigmoid().chunk(2, dim=1)
        candidate = (x_c + F.linear(r * hidden, weight_c)).tanh()
        return ((1 - new) * hidden + new * candidate).unsqueeze(1)


def weights(*shape: int) -> nn.Parameter:
    """An uninitialised parameter: float32 on the CPU, whatever torch's default type and device are."""
    return nn.Parameter(torch.empty(shape, dtype=torch.float32, device="cpu"))


def glorot_blocks_(
    weight: Tensor, n_blocks: int, columns: bool = False, generator: torch.Generator | None = None
) -> None:
    """Fill in place with U(-x, x), x = sqrt(6 / (rows + columns)) *of one gate's block*, not of the stacked matrix.

    Blocks are stacked as rows (a cell's weights), or side by side with ``columns=True`` (the table of a one-hot input).
    Source: Glorot & Bengio, 2010.
    """
    for block in weight.detach().chunk(n_blocks, dim=1 if columns else 0):
        block.uniform_(-1.0, 1.0, generator=generator).mul_(math.sqrt(6.0 / sum(block.shape)))


CELLS: dict[str, Callable[..., Cell]] = {
    "gru": partial(GRUCell, reset="after"),
    "gru-paper": partial(GRUCell, reset="before"),
    "lstm": LSTMCell,
    "rnn": RNNCell,
}
