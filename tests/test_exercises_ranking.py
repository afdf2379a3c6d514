"""The exercises of chapter 2: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import itertools
import re
from math import comb

import numpy as np
import pytest
from helpers import said

from gru4rec_lite import exercises, metrics, solutions

WEAK, STRONG, N_ITEMS = np.tile(np.arange(1, 51), 3), np.tile([1, 2, 40], 50), 60
MOST = solutions.flattering_sample(WEAK, STRONG, N_ITEMS)
CHECKS = (exercises.ranking_measures, exercises.ranking_chance, exercises.ranking_flattery)


@pytest.mark.parametrize(
    ("check", "answers"),
    [(CHECKS[0], (None,)), (CHECKS[1], (lambda *case: None,)), (CHECKS[2], (WEAK, STRONG, N_ITEMS, None))],
)
def test_an_empty_answer_is_no_answer(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Not answered yet")


@pytest.mark.parametrize(
    ("check", "answers"),
    [
        (CHECKS[0], (solutions.rank_measures(),)),
        (CHECKS[0], ([0.80, 0.35],)),
        (CHECKS[1], (solutions.sampled_chance,)),
        (CHECKS[2], (WEAK, STRONG, N_ITEMS, MOST)),
    ],
)
def test_the_solution_is_right(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Right")


def drawn_from_all(rank, k, n_items, n_sampled):
    better = rank - 1
    hits = sum(comb(better, b) * comb(n_items - better, n_sampled - b) for b in range(min(k, n_sampled + 1)))
    return hits / comb(n_items, n_sampled)


def with_replacement(rank, k, n_items, n_sampled):
    p = (rank - 1) / (n_items - 1)
    return sum(comb(n_sampled, b) * p**b * (1 - p) ** (n_sampled - b) for b in range(min(k, n_sampled + 1)))


def one_place_too_many(rank, k, n_items, n_sampled):
    return solutions.sampled_chance(rank, k + 1, n_items, n_sampled)


WRONG = [
    (CHECKS[0], (0.8,), "two numbers"),
    (CHECKS[0], ("ab",), "two numbers"),
    (CHECKS[0], ((0.35, 0.8),), "comes first"),
    (CHECKS[0], ((0.6, 0.34),), "so it is a hit"),
    (CHECKS[0], ((1.0, 0.35),), "at most 20"),
    (CHECKS[0], ((0.8, 0.358),), "not 1/25"),
    (CHECKS[0], ((0.8, 0.4375),), "all five predictions"),
    (CHECKS[0], ((0.8, 0.0943),), "over the mean rank"),
    (CHECKS[0], ((0.8, 0.9),), "add up 1/rank"),
    (CHECKS[1], ("much",), "TypeError"),
    (CHECKS[1], (lambda *case: "much",), "one number"),
    (CHECKS[1], (lambda *case: undefined,), "NameError"),  # noqa: F821
    (CHECKS[1], (drawn_from_all,), "the target itself"),
    (CHECKS[1], (with_replacement,), "with replacement"),
    (CHECKS[1], (one_place_too_many,), "behind the list"),
    (CHECKS[1], (lambda *case: 1 - solutions.sampled_chance(*case),), "chance of a miss"),
    (CHECKS[1], (lambda rank, k, n_items, n_sampled: float(rank <= k),), "only the sample is ranked"),
    (CHECKS[1], (lambda *case: None if case[0] == 12 else solutions.sampled_chance(*case),), "not None"),
    (CHECKS[2], (WEAK, STRONG, N_ITEMS, "few"), "a whole number"),
    (CHECKS[2], (WEAK, STRONG, N_ITEMS, 0), "between 1 and 59"),
    (CHECKS[2], (WEAK, STRONG, N_ITEMS, 60), "between 1 and 59"),
    (CHECKS[2], (WEAK, STRONG, N_ITEMS, MOST + 1), "Sample fewer"),
    (CHECKS[2], (WEAK, STRONG, N_ITEMS, MOST - 1), "Find the most"),
]


@pytest.mark.parametrize(("check", "answers", "named"), WRONG)
def test_a_misconception_is_named(capsys, check, answers, named):
    answer = said(capsys, check, *answers)
    assert not answer.startswith("Right")
    assert re.search(named, answer), answer


def test_the_measures_are_those_of_the_package():
    ranks = np.array([2, 20, 1, 25, 5])
    found = metrics.recall_at(ranks, 20).mean(), metrics.mrr_at(ranks, 20).mean()
    assert solutions.rank_measures() == pytest.approx(found)


@pytest.mark.parametrize(("rank", "k", "n_sampled"), [(1, 1, 3), (4, 2, 5), (8, 3, 3), (8, 7, 7), (3, 6, 2)])
def test_the_chance_is_counted_over_all_samples(rank, k, n_sampled):
    others = [place < rank for place in range(1, 9) if place != rank]
    hits = [sum(sample) < k for sample in itertools.combinations(others, n_sampled)]
    assert solutions.sampled_chance(rank, k, 8, n_sampled) == pytest.approx(np.mean(hits))


def test_the_flattering_sample_is_the_largest_of_all():
    goal = metrics.recall_at(STRONG, 5).mean()
    reached = [metrics.sampled_recall_at(WEAK, 5, N_ITEMS, n).mean() >= goal for n in range(1, N_ITEMS)]
    assert 1 < MOST < N_ITEMS - 1
    assert max(n for n, is_so in enumerate(reached, 1) if is_so) == MOST
