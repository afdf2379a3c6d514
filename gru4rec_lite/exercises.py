"""Instant feedback for the exercises: right, or which misconception the answer points to. Nothing here raises."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from . import solutions

UNANSWERED = "Not answered yet: put your answer or your code into this cell and run it again."


def answer_is(expected: str) -> Callable:
    """Whatever a reader gives, the check prints and never raises; ``expected`` says what an answer looks like."""

    def wrap(check: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(check)
        def checked(*answers) -> None:
            try:
                check(*answers)
            except Exception as error:  # a reader may give anything
                print(f"That cannot be read as an answer: give {expected}. ({type(error).__name__}: {error})")

        return checked

    return wrap


@answer_is("a list with the width of every step")
def batching_widths(answer: list[int] | None) -> None:
    """Chapter 6, exercise 1: the width of every step."""
    if answer is None:
        return print(UNANSWERED)
    right, answer = solutions.widths(), list(answer)
    if answer == right:
        return print("Right: 11 pairs in 6 steps, and only the last step is narrower.")
    if sum(answer) == 16:
        return print("Not quite: a session of L clicks has L - 1 pairs of neighbours, its last click has no next one.")
    if answer == right[:-1]:
        return print("Not quite: when no full mini-batch is left, the rest is still played, in a narrower one.")
    if len(set(answer)) == 1:
        return print("Not quite: when the queue is empty, a lane that ends its session leaves a narrower mini-batch.")
    print(f"Not quite: your steps hold {sum(answer)} pairs, the sessions hold {sum(right)}. Play it in the widget.")


@answer_is("a function that returns one number")
def batching_waste(function: Callable[[list[int], int], float]) -> None:
    """Chapter 6, exercise 2: the share of cells that padding wastes."""
    cases = [([4, 2, 3, 3, 2, 3], 3), ([2, 2, 2], 2), ([9, 2, 2, 2], 4), ([1, 3, 5], 3), ([7], 5)]
    try:
        answers = [function(list(lengths), batch_size) for lengths, batch_size in cases]
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your function raised {type(error).__name__}: {error}")
    if all(answer is None for answer in answers):
        return print(UNANSWERED)
    for (lengths, batch_size), answer in zip(cases, answers, strict=True):
        expected = solutions.padding_waste(lengths, batch_size)
        if answer is not None and np.isclose(answer, expected):
            continue
        print(f"Not quite: {lengths} clicks and batch_size={batch_size} give {expected:.2f}, your function {answer}.")
        if answer is not None and np.isclose(answer, 1 - expected):
            print("That is the share of cells that are used; the wasted share is one minus it.")
        elif answer is not None and np.isclose(answer, _waste_of_all(lengths)):
            print("You padded all mini-batches alike; each is padded to its own longest session.")
        elif 1 in lengths:
            print("A session of one click has no pair at all: it takes no row.")
        elif answer is not None and np.isclose(answer, _waste_by_clicks(lengths, batch_size)):
            print("You counted clicks; a row holds pairs, one fewer than the session's clicks.")
        elif len(lengths) % batch_size:
            print("The last mini-batch may be narrower than batch_size; a row that does not exist wastes nothing.")
        return
    print("Right, also where the last mini-batch is narrower and where a session has one click.")


@answer_is("a function that returns a tensor")
def batching_carry(function: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
    """Chapter 6, exercise 3: the state that each row goes on with."""
    state = torch.arange(1.0, 9.0).reshape(4, 2)
    lanes, resets = torch.tensor([1, 2, 3]), torch.tensor([False, True, False])
    kept = state.clone()
    try:
        answer = function(state, lanes, resets)
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your function raised {type(error).__name__}: {error}")
    if answer is None:
        return print(UNANSWERED)
    if not torch.equal(state, kept):
        return print("Not quite: your function changed the state it was given; the step before may still need it.")
    if answer.shape != (3, 2):
        return print(
            f"Not quite: three rows are left, so the state is (3, 2), yours is {tuple(answer.shape)}. Use lanes."
        )
    if torch.equal(answer, solutions.carry(state, lanes, resets)):
        return print("Right: moved first, then cleared.")
    if torch.equal(answer, state[lanes]):
        return print("Not quite: row 1 starts a session, but still has the state of the visitor before it.")
    cleared_first = state.masked_fill(torch.tensor([False, True, False, False]).unsqueeze(1), 0.0)[lanes]
    if torch.equal(answer, cleared_first):
        return print(
            "Not quite: resets speaks of the rows of this step, so move the rows first and clear them afterwards."
        )
    if torch.equal(answer, state[lanes].masked_fill(~resets.unsqueeze(1), 0.0)):
        return print("Not quite: you cleared the rows that go on and kept the one that starts.")
    print(f"Not quite: expected {solutions.carry(state, lanes, resets).tolist()}, you gave {answer.tolist()}.")


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
    if not (torch.equal(table[[1, 3]], start[[1, 3]]) and torch.equal(acc[[1, 3]], torch.ones(2, 2))):
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


def _waste_of_all(lengths: list[int]) -> float:
    pairs = [length - 1 for length in lengths if length > 1]
    return 1 - sum(pairs) / (len(pairs) * max(pairs))


def _waste_by_clicks(lengths: list[int], batch_size: int) -> float:
    return solutions.padding_waste([length + 1 for length in lengths], batch_size)
