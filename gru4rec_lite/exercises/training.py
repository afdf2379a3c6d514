"""Exercises of chapter 9."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from .. import solutions
from .feedback import UNANSWERED, answer_is


@answer_is("a list of two numbers")
def training_adagrad(answer: list[float] | None) -> None:
    """Chapter 9, exercise 1: two moves of one weight."""
    if answer is None:
        return print(UNANSWERED)
    answer = [float(a) for a in answer]
    if np.allclose(answer, solutions.adagrad_moves(), atol=1e-3):
        return print(
            "Right: the first move is the learning rate itself; the second is smaller although its gradient is larger."
        )
    if np.allclose(answer, [0.1, 0.08], atol=1e-3):
        return print("Almost: the weight moves against its gradient, so both moves are negative.")
    if np.allclose(np.abs(answer), [0.3, 0.4], atol=1e-3):
        return print("Not quite: that is plain gradient descent; Adagrad divides by the root of the summed squares.")
    if np.allclose(np.abs(answer), [0.1, 0.1], atol=1e-3):
        return print("Not quite: the second time the root holds both gradients, 3² + 4², not the last one alone.")
    print("Not quite: move = -0.1 · gradient / √(sum of all squared gradients so far, this one included).")


@answer_is("a function that changes table and acc")
def training_rows(function: Callable[..., None]) -> None:
    """Chapter 9, exercise 2: Adagrad on the rows of a table."""
    start, rows, grad = (
        torch.arange(8.0).reshape(4, 2),
        torch.tensor([2, 0, 2]),
        torch.tensor([[3.0, 1], [1, 1], [1, 1]]),
    )

    def after(update: Callable[..., None]) -> tuple[torch.Tensor, torch.Tensor]:
        table, acc = start.clone(), torch.ones(4, 2)
        update(table, acc, rows, grad, 0.1)
        return table, acc

    try:
        table, acc = after(function)
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your function raised {type(error).__name__}: {error}")
    right_table, right_acc = after(solutions.update_rows)
    if torch.equal(table, start) and torch.equal(acc, torch.ones(4, 2)):
        return print(UNANSWERED + " (So far your function changes neither table nor acc.)")
    if torch.allclose(table, right_table, atol=1e-4) and torch.allclose(acc, right_acc, atol=1e-4):
        return print("Right: repeats summed, then squared, and the other rows left alone.")
    if not (torch.allclose(table[[1, 3]], start[[1, 3]]) and torch.allclose(acc[[1, 3]], torch.ones(2, 2))):
        return print(
            "Not quite: rows 1 and 3 were not in the step, so they and their accumulators must stay as they are."
        )
    if torch.allclose(acc[2], torch.tensor([11.0, 3.0])):
        return print("Not quite: you squared the two gradients of row 2 one by one, 3² + 1²; sum first, (3 + 1)².")
    if torch.allclose(acc[2], torch.tensor([2.0, 2.0])) or torch.allclose(acc[2], torch.tensor([10.0, 2.0])):
        return print("Not quite: row 2 occurs twice, and only one of its gradients was heard.")
    if torch.allclose(acc, right_acc, atol=1e-4):
        return print(
            "Not quite: the accumulators are right, the table is not. Accumulate first, then divide by the root."
        )
    print(f"Not quite: the accumulator of row 2 should be {right_acc[2].tolist()}, yours is {acc[2].tolist()}.")


@answer_is("the frame of g4r.compare and a word")
def training_verdict(frame: pd.DataFrame | None, verdict: str | None) -> None:
    """Chapter 9, exercise 3: read the interval of a paired difference."""
    if frame is None or verdict is None:
        return print(UNANSWERED)
    if not isinstance(frame, pd.DataFrame) or not {"metric", "low", "high"} <= set(frame.columns):
        return print("Not quite: give the frame that g4r.compare returns.")
    mrr = frame[frame["metric"] == "mrr"].iloc[0]
    interval = f"from {mrr['low']:+.3f} to {mrr['high']:+.3f}"
    right = solutions.verdict(frame)
    if verdict.strip().lower() == right:
        return print(f"Right: the interval of the difference goes {interval}.")
    if right == "cannot tell":
        return print(f"Not quite: the interval goes {interval} and holds 0: no difference is possible, too.")
    print(
        f"Not quite: the interval goes {interval}, on one side of 0; a positive difference speaks for the first model."
    )
