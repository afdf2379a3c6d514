"""The exercises of chapter 3: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from helpers import said

from gru4rec_lite import baselines, clicks, exercises, solutions

CHECKS = (exercises.baselines_chain, exercises.baselines_together, exercises.baselines_rules)
SHOP = ["TMS", "TMS", "BM", "BML", "LBLB", "BL"]  # the one of the chapter


class Empty(baselines.ByHistory):
    def fit(self, train):
        return None


def test_an_empty_answer_is_no_answer(capsys):
    for check, answer in zip(CHECKS, (None, lambda *_: None, Empty), strict=True):
        assert said(capsys, check, answer).startswith("Not answered yet")
    assert said(capsys, exercises.baselines_rules, None).startswith("Not answered yet")


def test_the_solutions_are_right(capsys):
    for check, answer in zip(
        CHECKS, (solutions.chain_probability(), solutions.together, solutions.SequentialRules), strict=True
    ):
        assert said(capsys, check, answer).startswith("Right")
    assert said(capsys, exercises.baselines_chain, 0.765).startswith("Right"), "rounded"


def test_the_chain_of_the_solution_is_the_packages():
    rows = [(s, item, 10 * s + t) for s, session in enumerate(SHOP) for t, item in enumerate(session)]
    model = baselines.Markov(kappa=1).fit(pd.DataFrame(rows, columns=["SessionId", "ItemId", "Time"]))
    scores = model.recommend(["L"], k=5).set_index("ItemId")["score"]
    assert np.isclose(scores["B"], solutions.chain_probability())


def test_together_of_the_solution_is_a_loop_over_pairs():
    rng = np.random.default_rng(0)
    sessions = [rng.integers(6, size=rng.integers(1, 8)).tolist() for _ in range(30)]
    expected = np.zeros((6, 6))
    for session in sessions:
        for i, j in combinations(set(session), 2):
            expected[i, j] += 1
            expected[j, i] += 1
    assert np.array_equal(solutions.together(sessions, 6), expected)


def test_rules_of_the_solution_are_a_double_loop_and_work_as_a_recommender():
    rng = np.random.default_rng(0)
    sessions = [rng.integers(6, size=rng.integers(1, 9)).tolist() for _ in range(30)]
    rows = [(s, item, 100 * s + t) for s, session in enumerate(sessions) for t, item in enumerate(session)]
    model = solutions.SequentialRules().fit(pd.DataFrame(rows, columns=list(clicks.COLUMNS)))
    expected = np.zeros((6, 6))
    for session in sessions:
        for later in range(len(session)):
            for gap in (1, 2, 3):
                if later >= gap:
                    expected[session[later - gap], session[later]] += 1 / gap
    for item in range(6):
        scores = model.recommend([5, item], k=6).set_index("ItemId")["score"].sort_index()
        assert np.allclose(scores, expected[item])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (1.0, "without the fall-back"),
        (2 / 3, "adds something above the line"),
        (5 / 17, "popularity alone"),
        (0.5, "only those count that were followed by something"),
        (0.4588, "only those count that were followed by something"),
        (0.745, "not of the lamp"),
        (0.1, "times boots followed a lamp"),
    ],
)
def test_a_wrong_probability_is_answered_by_its_reason(capsys, answer, says):
    text = said(capsys, exercises.baselines_chain, answer)
    assert text.startswith("Not quite")
    assert says in text


def by_events(sessions, n):
    counts = np.array([np.bincount(session, minlength=n) for session in sessions])
    together = counts.T @ (counts > 0)
    np.fill_diagonal(together, 0)
    return together


def with_itself(sessions, n):
    holds = np.array([np.bincount(session, minlength=n) > 0 for session in sessions], dtype=int)
    return holds.T @ holds


def side_by_side(sessions, n):
    after = np.zeros((n, n))
    for session in sessions:
        for i, j in pairwise(session):
            after[i, j] += 1
    return after


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (with_itself, "the diagonal is 0"),
        (by_events, "counts once, however often"),
        (side_by_side, "side by side"),
        (lambda sessions, n: np.triu(solutions.together(sessions, n)), "works both ways"),
        (lambda sessions, n: np.zeros(n), "make a matrix of"),
        (lambda sessions, n: np.ones((n, n)), "your function"),
        (lambda sessions, n: 1 / 0, "raised ZeroDivisionError"),
    ],
)
def test_a_wrong_matrix_is_answered_by_its_reason(capsys, function, says):
    text = said(capsys, exercises.baselines_together, function)
    assert not text.startswith("Right")
    assert says in text


def rules(add, ask):
    """A class whose fit adds ``add(gap)`` for each ordered pair, and whose score is ``ask(rules, history)``."""

    class Rules(baselines.ByHistory):
        def fit(self, train):
            log = clicks.encode(train)
            self.items, self.rules = log.index, np.zeros((len(log.index), len(log.index)))
            for start, end in pairwise(log.offsets):
                session = log.items[start:end]
                for i, j in combinations(range(len(session)), 2):
                    self.rules[session[i], session[j]] += add(j - i)
            return self

        def score(self, history, now):
            return ask(self.rules, history)

    return Rules


def last(matrix, history):
    return matrix[history[-1:]].sum(axis=0)


def right(gap):
    return (gap <= 3) / gap


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (rules(right, last), "Right"),
        (rules(lambda gap: gap == 1, last), "the very Markov chain"),
        (rules(lambda gap: gap <= 3, last), "Add 1/gap, not 1"),
        (rules(lambda gap: 1 / gap, last), "three clicks back is the furthest"),
        (rules(right, lambda matrix, history: last(matrix.T, history)), "from the later click to the earlier one"),
        (rules(right, lambda matrix, history: last(matrix + matrix.T, history)), "lead both ways"),
        (rules(right, lambda matrix, history: matrix[history].sum(axis=0)), "ask those of the last one"),
        (rules(right, lambda matrix, history: matrix[history[-1]]), "raised IndexError"),
        (rules(right, lambda matrix, history: None), "Not answered yet"),
        (rules(right, lambda matrix, history: np.zeros(3)), "5 items, so every history needs 5 scores"),
        (rules(lambda gap: gap, last), "add 1/gap to rules"),
        (baselines.Markov, "derived from ByHistory"),
        (solutions.SequentialRules(), "give the class itself"),
    ],
)
def test_a_recommender_is_answered_by_what_it_does(capsys, kind, says):
    assert says in said(capsys, exercises.baselines_rules, kind)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "answer", ["two", [], [1, 2], {}, object(), np.nan, int, lambda: 0, float("inf"), pd.DataFrame()]
)
def test_no_answer_makes_a_check_raise(capsys, check, answer):
    text = said(capsys, check, answer)
    assert re.match(r"Not quite|That cannot be read|Your |Not answered", text), text
