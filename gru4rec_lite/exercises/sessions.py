"""Exercises of chapter 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from .. import solutions
from .feedback import UNANSWERED, answer_is

DAY = 86_400.0


@answer_is("a whole number")
def sessions_left(answer: int | None) -> None:
    """Chapter 1, exercise 1: predictions that are left when a log is prepared."""
    if answer is None:
        return print(UNANSWERED)
    number = int(answer)
    if number == solutions.predictions_left():
        return print("Right: ab and abab are left, one prediction and three. Two rounds were needed.")
    said = {
        5: "Not quite: after the first round ad is still there, but d now has one click. Go on until nothing changes.",
        6: "Not quite: those are the clicks. The first click of a session is not predicted, it follows nothing.",
        9: "Not quite: you kept the immediate repeats. A reload is not a choice: aab becomes ab.",
    }
    print(said.get(number, f"Not quite: {number} is not it. What do the five sessions look like without repeats?"))


@answer_is("a function that returns a list of session numbers")
def sessions_cut(function: Callable[[list[int], float], list[int]]) -> None:
    """Chapter 1, exercise 2: cut one visitor's clicks at long pauses."""
    cases = [([0, 60, 5000, 5100], 3600), ([0, 3600, 7201], 3600), ([10, 50, 90, 300], 60), ([7], 60), ([], 60)]
    answers = []
    for times, gap in cases:
        try:
            answers.append(function(list(times), gap))
        except Exception as error:  # the reader's code may raise anything
            return print(f"For times {times} your function raised {type(error).__name__}: {error}")
    if all(answer is None for answer in answers):
        return print(UNANSWERED)
    for (times, gap), answer in zip(cases, answers, strict=True):
        expected = solutions.cut_at_pauses(times, gap)
        given = None if answer is None else [int(number) for number in answer]
        if given == expected:
            continue
        print(f"Not quite: times {times} and gap={gap} give {expected}, your function {answer}.")
        if given == [number + 1 for number in expected] and times:
            print("Sessions are counted from 0.")
        elif given == _pauses(times, gap, np.greater_equal):
            print("A pause of exactly the gap stays inside the session: only a longer one splits.")
        elif given == _since_start(times, gap):
            print("You measured from the session's first click; a pause is the time since the click before.")
        elif given == [int(pause > gap) for pause in np.diff(times, prepend=times[:1])]:
            print("Those are the starts, 1 where a session begins. The number of a click's session counts them.")
        return
    print("Right, also for a pause of exactly the gap and for no click at all.")


@answer_is("a function that returns True or False")
def sessions_leaks(function: Callable[[pd.DataFrame, pd.DataFrame], bool]) -> None:
    """Chapter 1, exercise 3: does a split leak?"""
    early, late = _log({1: (1, 1), 2: (2, 4)}), _log({3: (6, 7), 4: (8, 8)})
    splits = {  # what it is: train, test, does it leak?
        "an honest split by time": (early, late, False),
        "a split with one session in both": (early, pd.concat([late, early[early["SessionId"] == 1]]), True),
        "a split of random sessions, where a training session is younger than a test session": (
            _log({1: (1, 1), 4: (8, 8)}),
            _log({2: (2, 4), 3: (6, 7)}),
            True,
        ),
        "a split where a training session begins before the test and ends in it": (
            _log({1: (1, 1), 2: (2, 7)}),
            _log({3: (6, 7), 4: (8, 8)}),
            True,
        ),
        "a split of random sessions, with its rows in another order": (
            _log({1: (1, 1), 4: (8, 8)}).iloc[::-1],
            _log({2: (2, 4), 3: (6, 7)}).iloc[::-1],
            True,
        ),
        "a split with a session cut in two at the test's begin": (
            _log({1: (1, 1), 2: (2, 4)}),
            _log({2: (6, 7)}),
            True,
        ),
    }
    try:
        answers = {name: function(train.copy(), test.copy()) for name, (train, test, _) in splits.items()}
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your function raised {type(error).__name__}: {error}")
    if all(answer is None for answer in answers.values()):
        return print(UNANSWERED)
    wrong = [name for name, (_, _, leaks) in splits.items() if answers[name] is None or bool(answers[name]) != leaks]
    if not wrong:
        return print("Right: six splits, five of them leak, and you tell them apart. Keep it for your own logs.")
    for name in wrong:
        leaks = splits[name][2]
        print(f"Not quite: {name} {'leaks' if leaks else 'does not leak'}, your function says {answers[name]}.")
    if all(bool(answer) for answer in answers.values()):
        print("A check that always rings tells nothing: which split is honest?")
    elif wrong == [list(splits)[4]]:
        print("Rows may stand in any order; the first and the last click are the smallest and the largest time.")
    elif "a split of random sessions" in wrong[0]:
        print("No session is shared there; compare the times: the last training click with the first test click.")
    elif wrong == [list(splits)[-1]]:
        print("The times are in order there, but one session is on both sides: compare the ids, too.")


def _pauses(times: list[int], gap: float, longer: Callable) -> list[int]:
    return longer(np.diff(times, prepend=times[:1]), gap).cumsum().tolist()


def _since_start(times: list[int], gap: float) -> list[int]:
    numbers: list[int] = []
    start = times[0] if times else 0
    for time in times:
        new = time - start > gap
        start = time if new else start
        numbers.append((numbers[-1] if numbers else 0) + new)
    return numbers


def _log(days: dict[int, tuple[float, float]]) -> pd.DataFrame:
    """Sessions with three clicks between two days each."""
    rows = [
        (session, "abc"[i], DAY * a + i * (1 + DAY * (b - a)) / 2) for session, (a, b) in days.items() for i in range(3)
    ]
    return pd.DataFrame(rows, columns=["SessionId", "ItemId", "Time"])
