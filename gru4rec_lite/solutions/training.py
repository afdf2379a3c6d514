"""Solutions of chapter 9."""

from __future__ import annotations

from pandas import DataFrame
from torch import Tensor


def adagrad_moves() -> list[float]:
    # first: -0.1 * 3 / sqrt(3²);  second: -0.1 * 4 / sqrt(3² + 4²), and the root of 25 is 5
    return [-0.1, -0.08]


def update_rows(table: Tensor, acc: Tensor, rows: Tensor, grad: Tensor, lr: float) -> None:
    for row in rows.unique():
        total = grad[rows == row].sum(dim=0)  # repeats are summed before they are squared
        acc[row] += total**2
        table[row] -= lr * total / (acc[row] + 1e-6).sqrt()


def verdict(frame: DataFrame) -> str:
    # on the validation days, since a setting chosen on the test days could no longer be judged there
    mrr = frame[frame["metric"] == "mrr"].iloc[0]
    return "better" if mrr["low"] > 0 else "worse" if mrr["high"] < 0 else "cannot tell"
