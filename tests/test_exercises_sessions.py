"""The exercises of chapter 1: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from helpers import said
from logs import click_log

from gru4rec_lite import clicks, exercises, solutions

DAY = 86_400


def at_least(times, gap):
    return np.greater_equal(np.diff(times, prepend=times[:1]), gap).cumsum().tolist()


def from_the_start(times, gap):
    numbers, start = [], 0
    for n, time in enumerate(times):
        if n == 0 or time - start > gap:
            start = time
            numbers.append(numbers[-1] + 1 if numbers else 0)
        else:
            numbers.append(numbers[-1])
    return numbers


def starts(times, gap):
    return [int(n > 0 and time - times[n - 1] > gap) for n, time in enumerate(times)]


def fails_without_clicks(times, gap):
    return [0, *(np.diff(times) > gap).cumsum().tolist()]


def in_both(train, test):
    return bool(set(train["SessionId"]) & set(test["SessionId"]))


def too_late(train, test):
    return train["Time"].max() >= test["Time"].min()


def rows_in_order(train, test):
    return in_both(train, test) or train["Time"].iloc[-1] >= test["Time"].iloc[0]


def starts_too_late(train, test):
    return in_both(train, test) or train.groupby("SessionId")["Time"].min().max() >= test["Time"].min()


EMPTY = {
    exercises.sessions_left: (None,),
    exercises.sessions_cut: (lambda times, gap: None,),
    exercises.sessions_leaks: (lambda train, test: None,),
}
SOLVED = {
    exercises.sessions_left: (solutions.predictions_left(),),
    exercises.sessions_cut: (solutions.cut_at_pauses,),
    exercises.sessions_leaks: (solutions.split_leaks,),
}
WRONG = [
    (exercises.sessions_left, (5,), "until nothing changes"),
    (exercises.sessions_left, (6,), "those are the clicks"),
    (exercises.sessions_left, (9,), "immediate repeats"),
    (exercises.sessions_left, (3,), "3 is not it"),
    (exercises.sessions_left, ("four",), "a whole number"),
    (exercises.sessions_cut, (at_least,), "exactly the gap stays"),
    (exercises.sessions_cut, (from_the_start,), "since the click before"),
    (exercises.sessions_cut, (starts,), "Those are the starts"),
    (exercises.sessions_cut, (lambda times, gap: [n + 1 for n in solutions.cut_at_pauses(times, gap)],), "from 0"),
    (exercises.sessions_cut, (fails_without_clicks,), r"give \[\], your function \[0\]"),
    (exercises.sessions_cut, (lambda times, gap: 3,), "a list of session numbers"),
    (exercises.sessions_cut, (lambda times, gap: [undefined],), "NameError"),  # noqa: F821
    (exercises.sessions_leaks, (in_both,), "compare the times"),
    (exercises.sessions_leaks, (too_late,), "compare the ids"),
    (exercises.sessions_leaks, (rows_in_order,), "Rows may stand in any order"),
    (exercises.sessions_leaks, (starts_too_late,), "begins before the test and ends in it leaks"),
    (exercises.sessions_leaks, (lambda train, test: True,), "always rings"),
    (exercises.sessions_leaks, (lambda train, test: False,), "Not quite"),
    (exercises.sessions_leaks, (lambda train, test: train["Tim"].max() > 0,), "KeyError"),
    (exercises.sessions_leaks, (lambda train, test: test["Time"] > 0,), "True or False"),
]


@pytest.mark.parametrize(("check", "answers"), EMPTY.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_an_empty_answer_is_no_answer(capsys, check, answers):
    assert said(capsys, check, *answers).startswith(exercises.feedback.UNANSWERED)


@pytest.mark.parametrize(("check", "answers"), SOLVED.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_the_solution_is_right(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Right")


@pytest.mark.parametrize(("check", "answers", "named"), WRONG)
def test_a_misconception_is_named(capsys, check, answers, named):
    answer = said(capsys, check, *answers)
    assert "Right" not in answer
    assert re.search(named, answer), answer


@pytest.mark.parametrize("silly", [3, "x", None, [1], {}, print, object()], ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("check", SOLVED, ids=lambda v: v.__name__)
def test_a_silly_answer_never_raises(capsys, check, silly):
    assert "Right" not in said(capsys, check, silly)


def prepared(**settings) -> pd.DataFrame:
    log = click_log("aab", "bcc", "ad", "abab", "dd")
    return clicks.prepare(log, **{"min_session": 2, "min_support": 2, "drop_repeats": True, **settings}, verbose=False)


def n_predictions(log: pd.DataFrame) -> int:
    return len(log) - log["SessionId"].nunique()


def test_the_first_solution_is_what_prepare_leaves():
    left = prepared()
    assert left.groupby("SessionId")["ItemId"].agg("".join).tolist() == ["ab", "abab"]
    assert n_predictions(left) == solutions.predictions_left()
    assert len(left) == 6  # as the check says of the answer 6
    assert n_predictions(prepared(drop_repeats=False)) == 9


@pytest.mark.parametrize("seed", range(5))
def test_the_second_solution_is_what_sessionise_does(seed):
    times = np.sort(np.random.default_rng(seed).integers(0, 500, 40)).astype(float)
    log = pd.DataFrame({"UserId": 1, "ItemId": 1, "Time": times})
    ours = clicks.sessionise(log, gap=15)["SessionId"]
    assert [f"1-{number + 1}" for number in solutions.cut_at_pauses(times.tolist(), 15)] == ours.tolist()


def test_the_third_solution_passes_our_split_and_stops_a_random_one():
    log = click_log(*["abc"] * 20).assign(Time=np.arange(60) * DAY / 3)
    train, test = clicks.split_by_time(log, days=5, verbose=False)
    assert not solutions.split_leaks(train, test)
    drawn = log["SessionId"].isin(np.random.default_rng(0).choice(20, 5, replace=False))
    assert solutions.split_leaks(log[~drawn], log[drawn])
    assert solutions.split_leaks(pd.concat([train, test.iloc[:1]]), test)
