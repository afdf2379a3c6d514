"""Exercises of chapter 8."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from .. import losses, solutions
from .feedback import UNANSWERED, answer_is

NAMES = ("cross-entropy", "BPR", "TOP1")
EQUAL = {  # wrong answers for the three gradients of exercise 1
    "cross-entropy": {
        1 / 3: "That is the softmax itself; the gradient on the target is the softmax minus one.",
        -1 / 3: "That is the softmax with a minus; the gradient on the target is the softmax minus one.",
        1 / 3 - 1 / 2: "There are three scores under the softmax: the target is one of them.",
        -1 / 2: "There are three scores under the softmax: the target is one of them.",
    },
    "BPR": {
        -1.0: "You added up the two pairs; BPR takes their mean.",
        -1 / 3: "The mean is over the two negatives; the target is no pair of its own.",
        -1 / 4: "You took the slope of σ; of ln σ the slope is 1 - σ.",
    },
    "TOP1": {
        -1 / 2: "You took σ(0) where its slope is needed: σ' = σ (1 - σ).",
        -1.0: "You took σ(0) where its slope is needed: σ' = σ (1 - σ); and TOP1 takes the mean of its pairs.",
        -1 / 6: "The mean is over the two negatives; the target is no pair of its own.",
    },
}


@answer_is("three numbers, the gradients of cross-entropy, BPR and TOP1 on the target")
def losses_equal_scores(answer: tuple[float, float, float] | None) -> None:
    """Chapter 8, exercise 1: the gradient on the target when all three scores are equal."""
    if answer is None:
        return print(UNANSWERED)
    first, second, third = (float(number) for number in answer)
    right = solutions.equal_scores_gradients()
    given = dict(zip(NAMES, (first, second, third), strict=True))
    if np.allclose(list(given.values()), right, atol=6e-3):
        return print("Right: from the same three scores cross-entropy pushes hardest, and TOP1 not half as hard.")
    if np.allclose(list(given.values()), -np.array(right), atol=6e-3):
        return print("Almost: the loss falls as the target rises, so all three gradients are negative.")
    for (name, value), expected in zip(given.items(), right, strict=True):
        if np.isclose(value, expected, atol=6e-3):
            continue
        for wrong, why in EQUAL[name].items():
            if np.isclose(value, wrong, atol=6e-3):
                return print(f"Not quite, {name}: {why}")
        if np.isclose(value, -expected, atol=6e-3):
            return print(f"Not quite, {name}: the loss falls as the target rises, so the gradient is negative.")
        return print(f"Not quite, {name}: put the three equal scores into the gradients of “The equation”.")


@answer_is("a function that returns one number")
def losses_stable(function: Callable[[float, list[float]], float]) -> None:
    """Chapter 8, exercise 2: a cross-entropy that survives every score."""
    cases = [
        (1.0, [2.0, 0.0]),
        (0.5, [0.5]),
        (3.0, []),
        (-60.0, [0.0, 0.0]),
        (-1000.0, [0.0, 0.0]),
        (0.0, [1000.0, -1000.0]),
        (1000.0, [999.0, 0.0]),
        (-1000.0, [-1000.0, -1001.0]),
    ]
    for number, (target, negatives) in enumerate(cases):
        asked = f"For target {target:g} and negatives {negatives}"
        try:
            with np.errstate(all="ignore"):
                answer = function(target, list(negatives))
        except OverflowError:
            return print(f"{asked}: a power of e does not fit any float. Subtract the largest score first, from all.")
        except Exception as error:  # the reader's code may raise anything
            print(f"{asked} your function raised {type(error).__name__}: {error}")
            if number and isinstance(error, ValueError | ZeroDivisionError):  # it solved the first case
                print(
                    "A sum or a softmax has been rounded to 0. Write ln(a/b) as ln a - ln b, and subtract the largest."
                )
            return
        if answer is None and number == 0:
            return print(UNANSWERED)
        value, expected = float("nan") if answer is None else float(answer), _cross_entropy(target, negatives)
        if not np.isclose(value, expected, rtol=1e-4, atol=1e-6):
            print(f"Not quite: target {target:g} and negatives {negatives} give {expected:.3f}, not {answer}.")
            return print(_misconception(value, expected, target, negatives))
    print("Right, and it survives scores of ±1000: subtract the largest first, and never take the softmax's logarithm.")


@answer_is("a whole number")
def losses_starved(answer: int | None) -> None:
    """Chapter 8, exercise 3: how many solved negatives starve BPR."""
    if answer is None:
        return print(UNANSWERED)
    if float(answer) != int(answer) or int(answer) < 0:
        return print(f"Not quite: {answer} is no number of negatives.")
    answer, right = int(answer), solutions.starving_point()
    here, before = (bpr_with_solved(count) for count in (answer, max(answer - 1, 0)))
    if answer == right:
        return print(
            f"Right: with {answer} of them BPR's gradient is {here:.4f}; cross-entropy's is .73, as without any."
        )
    if here >= 0.01:
        return print(f"Not quite: with {answer} added the gradient is {here:.4f}, not below 0.01 yet.")
    if answer == right + 1:
        return print("Almost: that is all negatives, with the one ahead of the target; asked is how many are added.")
    print(f"Not quite: that is enough ({here:.4f}), but {answer - 1} are, too ({before:.4f}). Find the fewest.")


def bpr_with_solved(solved: int) -> float:
    """Size of BPR's gradient on a target at 1 with one negative at 2 and ``solved`` at -8."""
    scores = torch.tensor([[1.0, 2.0] + [-8.0] * solved], dtype=torch.float64, requires_grad=True)
    is_negative = torch.ones_like(scores, dtype=torch.bool).fill_diagonal_(False)
    (gradient,) = torch.autograd.grad(losses.bpr(scores, is_negative).sum(), scores)
    return abs(float(gradient[0, 0]))


def _cross_entropy(target: float, negatives: list[float]) -> float:
    scores = torch.tensor([[target, *negatives]], dtype=torch.float64)
    is_negative = torch.ones_like(scores, dtype=torch.bool).fill_diagonal_(False)
    return float(losses.cross_entropy(scores, is_negative)[0])


def _misconception(value: float, expected: float, target: float, negatives: list[float]) -> str:
    if math.isnan(value):
        return "Infinity over infinity, or 0 over 0: subtract the largest score from all of them first."
    if math.isinf(value):
        return "The logarithm of a softmax that has been rounded to 0. Write ln(a/b) as ln a - ln b."
    if abs(value - 55.262) < 0.1 or abs(value - 23.026) < 0.1:
        return "A small number inside the logarithm keeps it finite, but from here on the loss is flat: no gradient."
    if np.isclose(value, -expected, rtol=1e-4):
        return "The sign is turned: a loss is large when the target scores low."
    if negatives and np.isclose(value, _without_target(target, negatives), rtol=1e-4):
        return "The target belongs to the sum, too; without it a loss can be negative."
    if np.isclose(value, expected / math.log(2), rtol=1e-4):
        return "That is in bits: take the natural logarithm."
    return "L = ln(sum of all e^score, the target's among them) - the target's score."


def _without_target(target: float, negatives: list[float]) -> float:
    return float(torch.tensor(negatives, dtype=torch.float64).logsumexp(0)) - target
