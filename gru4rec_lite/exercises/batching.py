"""Exercises of chapter 6."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .. import solutions
from .feedback import UNANSWERED, answer_is


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
    if _same(answer, solutions.carry(state, lanes, resets)):
        return print("Right: moved first, then cleared.")
    if _same(answer, state[lanes]):
        return print("Not quite: row 1 starts a session, but still has the state of the visitor before it.")
    cleared_first = state.masked_fill(torch.tensor([False, True, False, False]).unsqueeze(1), 0.0)[lanes]
    if _same(answer, cleared_first):
        return print(
            "Not quite: resets speaks of the rows of this step, so move the rows first and clear them afterwards."
        )
    if _same(answer, state[lanes].masked_fill(~resets.unsqueeze(1), 0.0)):
        return print("Not quite: you cleared the rows that go on and kept the one that starts.")
    print(f"Not quite: expected {solutions.carry(state, lanes, resets).tolist()}, you gave {answer.tolist()}.")


def _same(answer: torch.Tensor, other: torch.Tensor) -> bool:
    """Up to rounding, and in any type of number: rows may also be moved and cleared by products."""
    return torch.allclose(answer.double(), other.double(), atol=1e-4)


def _waste_of_all(lengths: list[int]) -> float:
    pairs = [length - 1 for length in lengths if length > 1]
    return 1 - sum(pairs) / (len(pairs) * max(pairs))


def _waste_by_clicks(lengths: list[int], batch_size: int) -> float:
    return solutions.padding_waste([length + 1 for length in lengths], batch_size)
