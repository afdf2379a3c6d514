"""The exercises of chapter 8: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from helpers import said

from gru4rec_lite import exercises, losses, solutions

CHECKS = (exercises.losses_equal_scores, exercises.losses_stable, exercises.losses_starved)
FEWEST = solutions.starving_point()


@pytest.mark.parametrize(
    ("check", "answers"), [(CHECKS[0], (None,)), (CHECKS[1], (lambda *case: None,)), (CHECKS[2], (None,))]
)
def test_an_empty_answer_is_no_answer(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Not answered yet")


def with_numpy(target, negatives):
    scores = np.array([target, *negatives])
    return np.logaddexp.reduce(scores) - target


def with_torch(target, negatives):
    return -torch.tensor([target, *negatives]).log_softmax(0)[0]


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (CHECKS[0], solutions.equal_scores_gradients()),
        (CHECKS[0], [-0.67, -0.5, -0.25]),
        (CHECKS[1], solutions.stable_cross_entropy),
        (CHECKS[1], with_numpy),
        (CHECKS[1], with_torch),
        (CHECKS[2], FEWEST),
        (CHECKS[2], np.int64(FEWEST)),
    ],
)
def test_the_solution_is_right(capsys, check, answer):
    assert said(capsys, check, answer).startswith("Right")


def powers(target, negatives):
    return -math.log(math.exp(target) / sum(math.exp(score) for score in (target, *negatives)))


def numpy_powers(target, negatives):
    power = np.exp([target, *negatives])
    return -np.log(power[0] / power.sum())


def log_of_softmax(target, negatives):
    return -torch.tensor([target, *negatives]).softmax(0)[0].log()


def held_up(target, negatives):
    return -(torch.tensor([target, *negatives]).softmax(0)[0] + 1e-24).log()


def overflowing(target, negatives):
    return math.log(1 + sum(math.exp(score - target) for score in negatives))


def without_target(target, negatives):
    return math.log(sum(math.exp(score) for score in negatives)) - target if negatives else 0.0


def shifted(sign=1.0, scale=1.0):
    return lambda target, negatives: sign * scale * solutions.stable_cross_entropy(target, negatives)


def softmax_after_shift(target, negatives):
    top = max(target, *negatives) if negatives else target
    powers = [math.exp(score - top) for score in (target, *negatives)]
    return -math.log(powers[0] / sum(powers))


WRONG = [
    (CHECKS[0], 1.0, "three numbers"),
    (CHECKS[0], (1.0, 2.0), "three numbers"),
    (CHECKS[0], "abc", "three numbers"),
    (CHECKS[0], (2 / 3, 1 / 2, 1 / 4), "all three gradients are negative"),
    (CHECKS[0], (1 / 3, -1 / 2, -1 / 4), "cross-entropy: That is the softmax itself"),
    (CHECKS[0], (-1 / 3, -1 / 2, -1 / 4), "cross-entropy: .*minus one"),
    (CHECKS[0], (-1 / 2, -1 / 2, -1 / 4), "cross-entropy: There are three"),
    (CHECKS[0], (-2 / 3, -1, -1 / 4), "BPR: You added up"),
    (CHECKS[0], (-2 / 3, -1 / 3, -1 / 4), "BPR: The mean is over the two"),
    (CHECKS[0], (-2 / 3, -1 / 4, -1 / 4), r"BPR: You took the slope of σ; of ln σ"),
    (CHECKS[0], (-2 / 3, -1 / 2, -1 / 2), r"TOP1: You took σ\(0\)"),
    (CHECKS[0], (-2 / 3, -1 / 2, -1 / 6), "TOP1: The mean is over the two"),
    (CHECKS[0], (-2 / 3, 1 / 2, -1 / 4), "BPR: the loss falls"),
    (CHECKS[0], (-2 / 3, -1 / 2, 9.0), "TOP1: put the three"),
    (CHECKS[1], "much", "TypeError"),
    (CHECKS[1], lambda *case: "much", "one number"),
    (CHECKS[1], lambda *case: undefined, "NameError"),  # noqa: F821
    (CHECKS[1], powers, "rounded to 0"),
    (CHECKS[1], softmax_after_shift, "rounded to 0"),
    (CHECKS[1], numpy_powers, "rounded to 0"),
    (CHECKS[1], log_of_softmax, "rounded to 0"),
    (CHECKS[1], held_up, "from here on the loss is flat"),
    (CHECKS[1], overflowing, "does not fit any float"),
    (CHECKS[1], without_target, "belongs to the sum"),
    (CHECKS[1], shifted(sign=-1.0), "sign is turned"),
    (CHECKS[1], shifted(scale=1 / math.log(2)), "natural logarithm"),
    (CHECKS[1], lambda target, negatives: float("nan"), "subtract the largest"),
    (CHECKS[1], lambda *case: 7.0, "among them"),
    (CHECKS[2], "few", "a whole number"),
    (CHECKS[2], 7.5, "no number of negatives"),
    (CHECKS[2], -3, "no number of negatives"),
    (CHECKS[2], FEWEST - 1, "not below 0.01 yet"),
    (CHECKS[2], FEWEST + 1, "all negatives"),
    (CHECKS[2], 2048, "Find the fewest"),
]


@pytest.mark.parametrize(("check", "answer", "named"), WRONG)
def test_a_misconception_is_named(capsys, check, answer, named):
    said_of_it = said(capsys, check, answer)
    assert not said_of_it.startswith("Right")
    assert re.search(named, said_of_it), said_of_it


def test_the_gradients_of_equal_scores_are_autograds():
    is_negative = torch.tensor([[False, True, True]])
    for loss, expected in zip(
        (losses.cross_entropy, losses.bpr, losses.top1), solutions.equal_scores_gradients(), strict=True
    ):
        scores = torch.zeros(1, 3, requires_grad=True)
        (grad,) = torch.autograd.grad(loss(scores, is_negative).sum(), scores)
        assert float(grad[0, 0]) == pytest.approx(expected)


@pytest.mark.parametrize("case", [(0.3, [1.0, -2.0]), (-400.0, [0.0]), (5.0, [])])
def test_the_stable_cross_entropy_is_torchs(case):
    scores = torch.tensor([[case[0], *case[1]]], dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([0])).item()
    assert solutions.stable_cross_entropy(*case) == pytest.approx(expected)


def test_the_starving_point_in_closed_form():
    """(σ(1) + k σ(-9)) / (k + 1) < 1/100, solved for k."""

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    assert math.floor((sigmoid(1) - 0.01) / (0.01 - sigmoid(-9))) + 1 == FEWEST
