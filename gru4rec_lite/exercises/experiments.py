"""Exercises of chapter 10."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from .. import solutions
from .feedback import UNANSWERED, answer_is


@answer_is("a number, in per cent")
def experiments_gain(answer: float | None) -> None:
    """Chapter 10, exercise 1: the relative gain of a published figure, in per cent."""
    if answer is None:
        return print(UNANSWERED)
    right, answer = solutions.relative_gain(0.6372, 0.5508), float(answer)
    if abs(answer - right) < 0.06:
        return print("Right: 8.6 more hits in a hundred lists, which is 15.7 % of the 55 hits that Item-KNN has.")
    if abs(answer - right / 100) < 0.0006:
        return print("Nearly: that is the share; in per cent it is a hundred times that.")
    if abs(answer - 8.64) < 0.06:
        return print("Not quite: that is the difference in points. Relative means: divided by what Item-KNN has.")
    if abs(answer - 13.56) < 0.06:
        return print("Not quite: you divided by the network's figure. A gain is measured from where one starts.")
    print("Not quite: take the difference of the two, and divide it by what Item-KNN reaches.")


@answer_is("a function that returns one number")
def experiments_distance(function: Callable[[float, float, float], float]) -> None:
    """Chapter 10, exercise 2: how much of the way from a rival to the ceiling a model has gone."""
    try:
        answers = [function(*case) for case in ((0.6, 0.5, 0.7), (0.45, 0.5, 0.75), (0.7, 0.5, 0.7))]
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your function raised {type(error).__name__}: {error}")
    if all(answer is None for answer in answers):
        return print(UNANSWERED)
    a, b, c = map(float, answers)
    if np.allclose([a, b, c], [0.5, -0.2, 1.0]):
        return print("Right: 0 is the rival, 1 is the best possible, and whoever is below the rival gets less than 0.")
    if np.allclose([a, b, c], [0.5, 1.2, 0.0]):
        return print("Not quite: that is the part still to go. At the ceiling it should be 1.")
    if np.allclose(a, 0.6 / 0.7):
        return print(
            "Not quite: that is the share of the ceiling. The rival's part of it is nobody's merit: start there."
        )
    if np.allclose([a, c], [0.5, 1.0]) and b >= 0:
        return print("Not quite: a model below the rival has gone backwards; let it be negative.")
    print(f"Not quite: for model .60, rival .50, ceiling .70 the answer is one half; yours is {a:.2f}.")


@answer_is("the frame of g4r.compare and a word")
def experiments_verdict(frame: pd.DataFrame | None, verdict: str | None) -> None:
    """Chapter 10, exercise 3: what a paired comparison allows you to say."""
    if frame is None or verdict is None:
        return print(UNANSWERED)
    row = frame[frame["metric"] == "mrr"].iloc[0]
    right = "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "cannot tell"
    said = f"The interval of the difference in MRR goes from {row['low']:+.3f} to {row['high']:+.3f}"
    if str(verdict).strip().lower() == right:
        return print(
            f"Right. {said}. It is of these test sessions; another seed may give another model: train a second."
        )
    print(f"Not quite. {said}: does it hold 0? The verdict is 'better', 'worse' or 'cannot tell'.")
