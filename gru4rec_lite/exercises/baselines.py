"""Exercises of chapter 3."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from .. import solutions
from ..baselines import ByHistory
from .feedback import UNANSWERED, answer_is


@answer_is("one number, the probability")
def baselines_chain(answer: float | None) -> None:
    """Chapter 3, exercise 1: P(B | L) with the fall-back."""
    if answer is None:
        return print(UNANSWERED)
    given = float(answer)
    said = {
        solutions.chain_probability(): "Right: two of two, pulled a little towards boots' share of all clicks.",
        1.0: "Not quite: that is 2 of 2, without the fall-back. A chain that saw two clicks should not be certain.",
        2 / 3: "Not quite: the fall-back adds something above the line, too: kappa times boots' share of all clicks.",
        5 / 17: "Not quite: that is boots' popularity alone. What was clicked after a lamp?",
        2 / 4: "Not quite: of the four clicks on the lamp only those count that were followed by something.",
        (2 + 5 / 17) / 5: "Not quite: of the four clicks on the lamp only those count that were followed by something.",
        (2 + 4 / 17) / 3: "Not quite: the fall-back is the popularity of the item that comes next, not of the lamp.",
    }
    for value, answer_to_it in said.items():
        if abs(given - value) < 0.002:
            return print(answer_to_it)
    print("Not quite: (times boots followed a lamp + kappa · boots' share of clicks) / (clicks after a lamp + kappa).")


@answer_is("a function that returns a matrix")
def baselines_together(function: Callable[[list[list[int]], int], np.ndarray]) -> None:
    """Chapter 3, exercise 2: in how many sessions do two items stand together?"""
    cases = [([[0, 1, 2], [1, 0], [2, 3]], 4), ([[0, 1, 0, 1, 0], [2, 1], [1, 1]], 3), ([[3], [0, 2, 4, 2]], 5)]
    try:
        answers = [function([list(session) for session in sessions], n) for sessions, n in cases]
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your function raised {type(error).__name__}: {error}")
    if all(answer is None for answer in answers):
        return print(UNANSWERED)
    for (sessions, n), answer in zip(cases, answers, strict=True):
        right, given = solutions.together(sessions, n), np.asarray(answer, dtype=float)
        if given.shape != (n, n):
            return print(f"Not quite: {n} items make a matrix of {(n, n)}, yours is {given.shape}.")
        if np.allclose(given, right):
            continue
        print(f"Not quite: {sessions} give {right.astype(int).tolist()}, your function {given.tolist()}.")
        clicks = np.array([np.bincount(session, minlength=n) for session in sessions], dtype=float)
        after = np.zeros((n, n))
        for session in sessions:
            np.add.at(after, (session[:-1], session[1:]), 1)
        off_diagonal = ~np.eye(n, dtype=bool)
        if np.allclose(given[off_diagonal], right[off_diagonal]):
            print("An item is not its own neighbour: the diagonal is 0.")
        elif np.allclose(given, after) or np.allclose(given, after + after.T):
            print("You counted what stands side by side; here any two items of one session are together.")
        elif any(np.allclose((given - m)[off_diagonal], 0) for m in _by_events(clicks)):
            print("You counted clicks: a session that holds two items counts once, however often it returned to them.")
        elif np.allclose(given + given.T, right):
            print("Together works both ways: C[i, j] and C[j, i] are the same number.")
        return
    print("Right: each session once, both ways, and no item with itself.")


@answer_is("a class that derives from ByHistory")
def baselines_rules(kind: type[ByHistory] | None) -> None:
    """Chapter 3, exercise 3: rules that skip up to two clicks, weighted by 1/gap."""
    if kind is None:
        return print(UNANSWERED)
    if not (isinstance(kind, type) and issubclass(kind, ByHistory)):
        return print("Not quite: give the class itself, derived from ByHistory, not a model that is already fitted.")
    log = _log(["abcde", "cab", "dbac", "ab", "eae"])
    try:
        model = kind().fit(log)
        if model is None or not hasattr(model, "items"):
            return print(UNANSWERED + " (fit must set self.items and return self.)")
        n = len(model.items)
        asked = [np.asarray(model.items.get_indexer(list(h))) for h in ("a", "ca", "edcb")]
        scores = [model.score(history, 9.0) for history in asked]
        nothing = model.score(np.empty(0, dtype=int), 9.0)
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your class raised {type(error).__name__}: {error}")
    if any(score is None for score in scores):
        return print(UNANSWERED)
    if any(np.shape(score) != (n,) for score in (*scores, nothing)):
        return print(
            f"Not quite: {n} items, so every history needs {n} scores, the empty one, too: a history may hold nothing "
            "known. rules[history[-1:]].sum(axis=0) gives zeros then."
        )
    for weights, answer in _RULES.items():
        if all(np.allclose(score, weights(h)) for score, h in zip(scores, asked, strict=True)):
            return print(answer)
    print("Not quite: for every click, add 1/gap to rules[earlier, later] for the clicks 1, 2 and 3 places before it.")


def _by_events(clicks: np.ndarray) -> list[np.ndarray]:
    holds = (clicks > 0).astype(float)
    return [clicks.T @ holds, holds.T @ clicks, clicks.T @ clicks]


def _log(sessions: list[str]) -> pd.DataFrame:
    rows = [(s, item, 10.0 * s + t) for s, clicked in enumerate(sessions) for t, item in enumerate(clicked)]
    return pd.DataFrame(rows, columns=["SessionId", "ItemId", "Time"])


def _rules(weight: Callable[[int], float]) -> np.ndarray:
    """Rules of the log of the exercise, by a double loop; items a to e."""
    rules = np.zeros((5, 5))
    for session in ("abcde", "cab", "dbac", "ab", "eae"):
        for later, item in enumerate(session):
            for earlier in range(later):
                rules["abcde".index(session[earlier]), "abcde".index(item)] += weight(later - earlier)
    return rules


def _right(gap: int) -> float:
    return (gap <= 3) / gap


_RULES: dict[Callable[[np.ndarray], np.ndarray], str] = {
    lambda h: _rules(_right)[h[-1]]: "Right. Now fit it on the training clicks and compare it with the chain.",
    lambda h: _rules(lambda gap: float(gap == 1))[h[-1]]: "Not quite: those are neighbours alone, the very "
    "Markov chain. The clicks two and three places back count a half and a third.",
    lambda h: _rules(lambda gap: float(gap <= 3))[h[-1]]: "Not quite: a rule that skips two clicks counts as "
    "much as one that skips none. Add 1/gap, not 1.",
    lambda h: _rules(lambda gap: 1 / gap)[h[-1]]: "Not quite: you look back through the whole session; three "
    "clicks back is the furthest.",
    lambda h: _rules(_right).T[h[-1]]: "Not quite: your rules lead from the later click to the earlier one.",
    lambda h: (_rules(_right) + _rules(_right).T)[h[-1]]: "Not quite: your rules lead both ways; a sequential "
    "rule goes from the earlier click to the later one.",
    lambda h: _rules(_right)[h].sum(axis=0): "Not quite: you add up the rules of all clicks so far; ask those of "
    "the last one.",
}
