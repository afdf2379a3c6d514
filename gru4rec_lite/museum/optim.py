"""Optimisers gone wrong."""

from __future__ import annotations

from torch import Tensor

from ..optim import Adagrad

STEPS_PER_DECAY = 10_000  # in GRU4Rec_TensorFlow


def warm_accumulator(optimiser: Adagrad, start: float = 0.1) -> Adagrad:
    """B8: an accumulator that does not start at 0, TensorFlow's default. Bit GRU4Rec_TensorFlow."""
    for name, tensor in optimiser.state.items():
        if name.startswith("acc."):
            tensor.fill_(start)
    return optimiser


def decay(optimiser: Adagrad, rate: float = 0.96) -> None:
    """B8: now and then, a decay of the learning rate that the paper does not have. Bit GRU4Rec_TensorFlow."""
    optimiser.lr *= rate


def update_one_by_one(optimiser: Adagrad, name: str, rows: Tensor, grad: Tensor) -> None:
    """No number: repeats of a row squared one by one, which is a different algorithm."""
    for i in range(len(rows)):
        optimiser.update_rows(name, rows[i : i + 1], grad[i : i + 1])


def update_last_wins(optimiser: Adagrad, name: str, rows: Tensor, grad: Tensor) -> None:
    """No number: plain indexed assignment, where only one of a row's repeats counts."""
    last = {int(row): i for i, row in enumerate(rows)}
    optimiser.update_rows(name, rows[list(last.values())], grad[list(last.values())])


def update_everywhere(optimiser: Adagrad, name: str, rows: Tensor, grad: Tensor) -> None:
    """No number: a dense update of the table, so with momentum, untouched rows go on moving."""
    dense = grad.new_zeros(optimiser.parameters[name].shape).index_add_(0, rows, grad)
    optimiser.update(name, dense)
