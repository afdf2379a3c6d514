"""Adagrad with momentum, for whole matrices and for the few rows of a table that a step touches.

    acc ← acc + g²          v ← momentum · v - lr · g / √(acc + eps)          w ← w + v

The accumulator starts at 0. In a table, rows that a step does not touch stay as they are, bit for bit, and a row that a
step touches twice is updated once, with the sum of its gradients: squaring them one by one is a different algorithm.

Source: Duchi et al., "Adaptive subgradient methods", 2011; the row-wise form as in the authors' code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .internal.checks import require_number, require_tensor, require_that

EPS = 1e-6


class Adagrad:
    """Adagrad with momentum over a fixed set of parameters.

    Args:
        parameters: name -> parameter; tables (first dimension: items) and dense matrices alike.
        lr: learning rate, above 0.
        momentum: share of the last update to repeat, at least 0 and below 1.

    ``state`` maps names to tensors, to be saved and restored with the weights.
    """

    def __init__(self, parameters: dict[str, Tensor], lr: float, momentum: float = 0.0):
        _check_parameters(parameters)
        require_number("lr", lr, 0, above=True)
        require_number("momentum", momentum, 0, 1, below=True)
        self.parameters = {name: p.detach() for name, p in parameters.items()}
        self.lr, self.momentum = lr, momentum
        kinds = ("acc", "velocity") if momentum else ("acc",)
        self.state = {f"{kind}.{name}": torch.zeros_like(p) for kind in kinds for name, p in self.parameters.items()}
        self._leader = {p.shape[0]: p.new_empty(p.shape[0], dtype=torch.int64) for p in self.parameters.values()}

    def update(self, name: str, grad: Tensor) -> None:
        """Update a whole parameter in place with a gradient of its shape."""
        self._check_name(name)
        if grad.shape != self.parameters[name].shape:  # (1, 1) would be broadcast to every entry
            raise ValueError(f"grad={tuple(grad.shape)}: must be {tuple(self.parameters[name].shape)}, as {name!r} is")
        acc = self.state[f"acc.{name}"].addcmul_(grad, grad)
        change = (acc + EPS).rsqrt_().mul_(grad).mul_(-self.lr)  # in place: allocations cost more than arithmetic here
        if self.momentum:
            change = self.state[f"velocity.{name}"].mul_(self.momentum).add_(change)
        self.parameters[name].add_(change)

    def update_rows(self, name: str, rows: Tensor, grad: Tensor) -> None:
        """Update the rows of a table in place.

        Args:
            name: the table, ``(N, W)``.
            rows: ``(R,)`` int64 row numbers, repeats allowed.
            grad: ``(R, W)`` gradient of each occurrence.
        """
        self._check_name(name)
        require_tensor("rows", rows, 1, whole=True)
        if grad.shape != (len(rows), *self.parameters[name].shape[1:]):
            raise ValueError(f"grad={tuple(grad.shape)}: must be a row of {name!r} for each of the {len(rows)} rows")
        table, acc = self.parameters[name], self.state[f"acc.{name}"]
        if len(rows) > len(table) and not self.momentum:
            # fewer rows than occurrences: update all rows; without momentum a gradient of 0 changes nothing
            return self.update(name, row_sums(grad, rows, len(table)))
        # one occurrence of a row stands for all its repeats; shapes stay static, but unique() would make the host wait
        # (index_select and index_copy_ move whole rows, while table[rows] goes number by number)
        place = torch.arange(len(rows), device=rows.device)
        leader = self._leader[len(table)].index_copy_(0, rows, place).index_select(0, rows)
        summed = row_sums(grad, leader, len(rows)).index_select(0, leader)  # (R, W)
        new_acc = acc.index_select(0, rows).addcmul_(summed, summed)
        change = (new_acc + EPS).rsqrt_().mul_(summed).mul_(-self.lr)
        if self.momentum:
            velocity = self.state[f"velocity.{name}"]
            change.add_(velocity.index_select(0, rows), alpha=self.momentum)
            velocity.index_copy_(0, rows, change)
        # all repeats of a row write the same value, so it does not matter which comes last
        acc.index_copy_(0, rows, new_acc)
        table.index_copy_(0, rows, change.add_(table.index_select(0, rows)))

    def _check_name(self, name: str) -> None:
        if name not in self.parameters:
            raise ValueError(f"name={name!r}: must be one of {', '.join(map(repr, self.parameters))}")


def _check_parameters(parameters: dict[str, Tensor]) -> None:
    named = isinstance(parameters, dict) and all(isinstance(p, Tensor) for p in parameters.values())
    require_that("parameters", parameters, named, "a dict of tensors by name, such as dict(network.named_parameters())")


def row_sums(grad: Tensor, rows: Tensor, n_rows: int) -> Tensor:
    """Sum of the gradients of each row: ``(R, W), (R,) -> (n_rows, W)``."""
    whole = torch.compiler.is_compiling() and grad.device.type == "cpu"
    return (_row_sums_whole if whole else _row_sums)(grad, rows, n_rows)


def _row_sums(grad: Tensor, rows: Tensor, n_rows: int) -> Tensor:
    return grad.new_zeros(n_rows, grad.shape[1]).index_add_(0, rows, grad)


# The same as a single operation that torch.compile does not break up. Broken up, it would add number by number with
# atomic additions when there are several threads: many times slower, and in a different order every time.
_row_sums_whole = torch.library.custom_op("gru4rec_lite::row_sums", _row_sums, mutates_args=())
_row_sums_whole.register_fake(lambda grad, rows, n_rows: grad.new_empty(n_rows, grad.shape[1]))
