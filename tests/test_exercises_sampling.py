"""The exercises of chapter 7: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers import said

from gru4rec_lite import exercises, solutions

SUPPORT = np.array([400, 200, 130, 90, 60, 45, 30, 20, 15, 10] * 25)
FEWEST = solutions.samples_until_half(SUPPORT)
CHECKS = (exercises.sampling_matrix, exercises.sampling_expected, exercises.sampling_half)


@pytest.mark.parametrize(
    ("check", "answers"),
    [(CHECKS[0], (None,)), (CHECKS[1], (lambda *case: None,)), (CHECKS[2], (SUPPORT, None))],
)
def test_an_empty_answer_is_no_answer(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Not answered yet")


@pytest.mark.parametrize(
    ("check", "answers"),
    [
        (CHECKS[0], (solutions.matrix_counts(),)),
        (CHECKS[0], ([3.0, 10.0, 5.0],)),
        (CHECKS[1], (solutions.expected_counts,)),
        (CHECKS[1], (lambda *case: solutions.expected_counts(*case).tolist(),)),
        (CHECKS[2], (SUPPORT, FEWEST)),
        (CHECKS[2], (SUPPORT.tolist(), float(FEWEST))),
    ],
)
def test_the_solution_is_right(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Right")


def shares(support, alpha):
    weight = np.where(support > 0, support.astype(float) ** alpha, 0)
    return support / support.sum(), weight / weight.sum()


def own_column_too(support, lanes, n_samples, alpha):
    popularity, drawn = shares(support, alpha)
    return lanes * popularity + n_samples * drawn


def alpha_for_all(support, lanes, n_samples, alpha):
    return (lanes - 1 + n_samples) * shares(support, alpha)[1]


def no_alpha(support, lanes, n_samples, alpha):
    return (lanes - 1 + n_samples) * shares(support, alpha)[0]


def samples_alone(support, lanes, n_samples, alpha):
    return n_samples * shares(support, alpha)[1]


def lanes_alone(support, lanes, n_samples, alpha):
    return (lanes - 1) * shares(support, alpha)[0]


def raw_counts(support, lanes, n_samples, alpha):
    return (lanes - 1) * support + n_samples * support**alpha


def nothing_to_the_nothing(support, lanes, n_samples, alpha):
    weight = support.astype(float) ** alpha
    return (lanes - 1) * shares(support, alpha)[0] + n_samples * weight / weight.sum()


def fewest(share):
    return next(n for n in range(5000) if share(n) > 0.5)


def a_lane_alone(n):
    clicked, drawn = shares(SUPPORT, 0.75)
    return 1 - (clicked * (1 - drawn) ** n).sum()


def all_alike(n):
    clicked, drawn = shares(SUPPORT, 0.0)
    return 1 - (clicked * (1 - clicked) ** 31 * (1 - drawn) ** n).sum()


def mean_hits(n):
    clicked, drawn = shares(SUPPORT, 0.75)
    return (clicked * (31 * clicked + n * drawn)).sum()


WRONG = [
    (CHECKS[0], (3,), "three whole numbers"),
    (CHECKS[0], ("abc",), "three whole numbers"),
    (CHECKS[0], ((3, 10),), "three whole numbers"),
    (CHECKS[0], ((3, 10, 2),), "add up to 15"),
    (CHECKS[0], ((8, 10, 0),), "no second positive"),
    (CHECKS[0], ((6, 10, 2),), "one positive"),
    (CHECKS[0], ((3, 15, 0),), "repeat the lane's target"),
    (CHECKS[0], ((3, 13, 2),), "An extra sample can be"),
    (CHECKS[0], ((3, 12, 3),), "Two lanes may have"),
    (CHECKS[0], ((3, 11, 4),), "two cells, not one"),
    (CHECKS[0], ((3, 9, 6),), "go through the rows"),
    (CHECKS[1], ("much",), "TypeError"),
    (CHECKS[1], (lambda *case: "much",), "an array"),
    (CHECKS[1], (lambda *case: 3.0,), r"not 3\.0"),
    (CHECKS[1], (lambda *case: undefined,), "NameError"),  # noqa: F821
    (CHECKS[1], (lambda *case: None if case[1] == 4 else solutions.expected_counts(*case),), "not None"),
    (CHECKS[1], (own_column_too,), "own column"),
    (CHECKS[1], (alpha_for_all,), "extra samples alone"),
    (CHECKS[1], (no_alpha,), "not by popularity"),
    (CHECKS[1], (samples_alone,), "lanes' targets are missing"),
    (CHECKS[1], (lanes_alone,), "extra samples are missing"),
    (CHECKS[1], (raw_counts,), "raw counts"),
    (CHECKS[1], (nothing_to_the_nothing,), "never drawn"),
    (CHECKS[2], (SUPPORT, "few"), "a whole number"),
    (CHECKS[2], ("shop", 3), "a whole number"),
    (CHECKS[2], (SUPPORT, float("nan")), "a whole number"),
    (CHECKS[2], (SUPPORT, -1), "0 or more"),
    (CHECKS[2], (SUPPORT, FEWEST + 0.5), "0 or more"),
    (CHECKS[2], (SUPPORT, FEWEST - 1), "Fewer than half"),
    (CHECKS[2], (SUPPORT, FEWEST + 1), "than needed"),
    (CHECKS[2], (SUPPORT, fewest(a_lane_alone)), "31 other lanes"),
    (CHECKS[2], (SUPPORT, fewest(all_alike)), "alpha 0"),
    (CHECKS[2], (SUPPORT, fewest(mean_hits)), "mean number of hits"),
]


@pytest.mark.parametrize(("check", "answers", "named"), WRONG)
def test_a_misconception_is_named(capsys, check, answers, named):
    answer = said(capsys, check, *answers)
    assert not answer.startswith("Right")
    assert re.search(named, answer), answer


def test_the_cells_are_counted_one_by_one():
    candidates = ["lamp", "mug", "lamp", "mug", "tent", "lamp"]
    cells = [(lane == column, candidates[lane] == candidates[column]) for lane in range(3) for column in range(6)]
    own = sum(own for own, _ in cells)
    hits = sum(same and not own for own, same in cells)
    assert solutions.matrix_counts() == (own, len(cells) - own - hits, hits)


def test_the_expected_counts_are_those_of_many_draws():
    rng, support, draws = np.random.default_rng(0), np.array([40, 0, 30, 20, 10]), 40_000
    weight = [w**0.5 if w else 0 for w in support]
    others = rng.choice(5, p=support / 100, size=draws * 3)  # of four lanes, three are others
    extra = rng.choice(5, p=np.array(weight) / sum(weight), size=draws * 2)
    counted = np.bincount(np.concatenate((others, extra)), minlength=5) / draws
    assert solutions.expected_counts(support, 4, 2, 0.5) == pytest.approx(counted, abs=0.03)


def test_half_of_the_lanes_have_a_hit_in_many_drawn_steps():
    rng, steps = np.random.default_rng(0), 4_000
    clicked, drawn = shares(SUPPORT, 0.75)
    targets = rng.choice(len(SUPPORT), p=clicked, size=(steps, 32))
    extra = rng.choice(len(SUPPORT), p=drawn, size=(steps, FEWEST))
    hit = (np.concatenate((targets[:, 1:], extra), axis=1) == targets[:, :1]).any(axis=1)
    assert FEWEST > 10
    assert hit.mean() == pytest.approx(0.5, abs=0.03)
