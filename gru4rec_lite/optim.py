"""Adagrad with momentum, for whole matrices and for the few rows of a table that a step touches.

    acc ← acc + g²          v ← momentum · v - lr · g / √(acc + eps)          w ← w + v

The accumulator starts at 0. In a table, rows that a step does not touch stay as they are, bit for bit, and a row that a
step touches twice is updated once, with the sum of its gradients: squaring them one by one would be another algorithm.

Source: Duchi et al., "Adaptive subgradient methods", 2011; the row-wise form as in the authors' code.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPS = 1e-6


class Adagrad:
    """Adagrad with momentum over a fixed set of parameters.

    Args:
        parameters: name -> parameter; tables (first dimension: items) and dense matrices alike.
        lr: learning rate, above 0.
        momentum: share of the last update that is repeated, 0 to below 1.

    ``state`` holds name -> tensors, to be saved and restored with the weights.
    """

    def __init__(self, parameters: dict[str, Tensor], lr: float, momentum: float = 0.0):
        if not lr > 0:
            raise ValueError(f"learning_rate={lr}: must be above 0")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum={momentum}: must be at least 0 and below 1")
        self.parameters = {name: p.detach() for name, p in parameters.items()}
        self.lr, self.momentum = lr, momentum
        kinds = ("acc", "velocity") if momentum else ("acc",)
        self.state = {f"{kind}.{name}": torch.zeros_like(p) for kind in kinds for name, p in self.parameters.items()}
        self._leader = {p.shape[0]: p.new_empty(p.shape[0], dtype=torch.int64) for p in self.parameters.values()}

    def update(self, name: str, grad: Tensor) -> None:
        """Update a whole parameter in place with a gradient of its shape."""
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
        table, acc = self.parameters[name], self.state[f"acc.{name}"]
        if len(rows) > len(table) and not self.momentum:
            # fewer rows than occurrences: update them all; a gradient of 0 changes nothing where there is no momentum
            return self.update(name, torch.zeros_like(table).index_add_(0, rows, grad))
        # one place of a row stands for all its repeats; shapes stay static, where unique() would make the host wait
        # (index_select and index_copy_ move whole rows, where table[rows] goes number by number)
        place = torch.arange(len(rows), device=rows.device)
        leader = self._leader[len(table)].index_copy_(0, rows, place).index_select(0, rows)
        alone = torch.compiler.is_compiling() and grad.device.type == "cpu" and grad.numel() > 2**16
        summed = (sum_repeats_alone if alone else sum_repeats)(grad, leader)  # (R, W)
        new_acc = acc.index_select(0, rows).addcmul_(summed, summed)
        change = (new_acc + EPS).rsqrt_().mul_(summed).mul_(-self.lr)
        if self.momentum:
            velocity = self.state[f"velocity.{name}"]
            change.add_(velocity.index_select(0, rows), alpha=self.momentum)
            velocity.index_copy_(0, rows, change)
        # all repeats of a row write the same value, so it does not matter which of them is last
        acc.index_copy_(0, rows, new_acc)
        table.index_copy_(0, rows, change.add_(table.index_select(0, rows)))


def sum_repeats(grad: Tensor, leader: Tensor) -> Tensor:
    """The sum over all places with the same leader, at each of them: ``(R, W), (R,) -> (R, W)``."""
    return torch.zeros_like(grad).index_add_(0, leader, grad).index_select(0, leader)


# The same as one operation that torch.compile leaves whole. It would add with several threads number by number, each
# guarded from the others, which takes many times as long as the row by row of the original.
sum_repeats_alone = torch.library.custom_op("gru4rec_lite::sum_repeats", sum_repeats, mutates_args=())
sum_repeats_alone.register_fake(lambda grad, leader: torch.empty_like(grad))
