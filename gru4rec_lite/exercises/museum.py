"""Exercises of chapter 16."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from .. import audit, losses, solutions
from .feedback import UNANSWERED, answer_is

TOO_EARLY = {
    "B5": "A loss that grows with the batch is odd, but training goes on: an exception is louder than B5.",
    "B1": "B1 is seen when a metric is compared with a published one: later than an error, or than an odd loss.",
    "B2": "With 128 lanes B2 changes neither loss nor metric: there is nothing to see.",
    "B15": "B15 *raises* the metric. Nobody looks for a bug in a good number, so it comes last.",
}
HINTS = {  # for the checks that the reader's batcher fails
    "every adjacent pair is there once": "Do you stop when no session is left to start? Other lanes still play.",
    "no pair joins two sessions": "Is a session's last click the input for the next session's first?",
    "a reset where a session starts, and only there": "A reset belongs to the one step that starts a session.",
    "a lane plays its session in order": "When a lane is gone, lanes (the fourth part) says which row the others had.",
    "few sessions are enough": "Are there fewer sessions than lanes? Then there are fewer lanes.",
    "full width until the tail": "As long as a session waits, no lane is empty.",
}


@answer_is("a list of five exhibits, such as ['B1', 'B2', 'B5', 'B15', 'B17']")
def museum_order(answer: list[str] | None) -> None:
    """Chapter 16, exercise 1: five bugs, from the loudest to the one that flatters."""
    if answer is None:
        return print(UNANSWERED)
    right, given = solutions.from_loud_to_flattering(), [str(number).strip().upper() for number in answer]
    if isinstance(answer, str) or sorted(given) != sorted(right):
        return print(f"Not quite: put each of {', '.join(sorted(right))} into the list once.")
    if given == right:
        return print("Right: and the further down, the more it takes a check to find it, since no eye will.")
    if given == right[::-1]:
        return print("Almost: it is the right order, from the end. The loudest comes first.")
    wrong = next(number for number, expected in zip(given, right, strict=True) if number != expected)
    print(f"Not quite: {TOO_EARLY[wrong]}")  # the first wrong one is always too early


def museum_mystery(scores: Tensor, is_negative: Tensor) -> Tensor:
    """A softmax along the lanes: how likely is this lane, of all, for the target? Each lane should look at its own."""
    own = torch.eye(*scores.shape, dtype=torch.bool, device=scores.device)
    candidates = scores.masked_fill(~is_negative & ~own, -float("inf"))
    return -candidates.log_softmax(dim=0).diagonal()


@answer_is("a function that takes a loss and raises AssertionError where it is wrong")
def museum_catch(check: Callable[[Callable], Any]) -> None:
    """Chapter 16, exercise 2: a check that fails on the mystery and passes on our own cross-entropy."""
    for name, loss, wanted in (
        ("our own cross-entropy", losses.cross_entropy, "passes"),
        ("the mystery", museum_mystery, "fails"),
        ("our own cross-entropy, once more", losses.cross_entropy, "passes"),
    ):
        try:
            answer = check(loss)
        except AssertionError as error:
            if wanted == "passes":
                print(f"Not quite: your check fails on {name} ({str(error)[:120] or 'without a message'}).")
                return print("Is a number compared exactly, or drawn anew each time? Use torch.isclose, and a seed.")
            continue
        except Exception as error:  # the reader's code may raise anything
            return print(
                f"On {name} your check raised {type(error).__name__}: {error}. A check asserts; a crash proves nothing."
            )
        if isinstance(answer, bool):
            return print("Not quite: your check returns True or False, which nobody reads. Use `assert`.")
        if wanted == "fails":
            if not any(_objects(check, useless) for useless in USELESS):
                return print(UNANSWERED)  # a check that lets anything pass has not been written yet
            print("Not quite: the mystery passes. What it gets wrong is not the value of a perfect list.")
            return print("Give the other lanes other scores. Whose loss may change?")
    print("Right: it passes on ours, and the mystery cannot. That is all that a check has to do.")


def _objects(check: Callable[[Callable], None], loss: Callable) -> bool:
    try:
        check(loss)
    except Exception:
        return True
    return False


USELESS = [  # wrong in every way, too high and too low
    lambda scores, is_negative, sign=sign: sign * (1 + torch.rand(len(scores)) + scores.abs().sum()) for sign in (1, -1)
]


@answer_is("a function make(items, offsets, batch_size) that yields (inputs, targets, resets) or these and lanes")
def museum_batcher(make: Callable[..., Iterable]) -> None:
    """Chapter 16, exercise 3: the audit of the reader's own batcher."""
    if make([1, 2, 3, 4], [0, 2, 4], 2) is None:
        return print(UNANSWERED)
    report = audit.batches(make)
    if report.ok:
        tried = sum(finding.passed is not None for finding in report.findings)
        return print(f"Right: {tried} checks, on logs of all shapes, and none of them found anything.")
    first = report[report.failed[0]]
    print(f"Not quite: {first.check}. {first.seen}")
    print(HINTS.get(first.check, "The whole report: print(audit.batches(your function))."))
