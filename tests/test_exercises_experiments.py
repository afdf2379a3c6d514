"""Chapter 10's exercises: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers import said

from gru4rec_lite import exercises, solutions


def difference(low: float, high: float) -> pd.DataFrame:
    return pd.DataFrame({"metric": ["recall", "mrr"], "low": [-9.0, low], "high": [9.0, high]})


EVERY_CASE = [difference(0.01, 0.02), difference(-0.02, -0.01), difference(-0.01, 0.01)]


@pytest.mark.parametrize(
    ("check", "answers"),
    [
        (exercises.experiments_gain, (solutions.relative_gain(0.6372, 0.5508),)),
        (exercises.experiments_gain, (15.69,)),
        (exercises.experiments_distance, (solutions.way_to_the_ceiling,)),
        (exercises.experiments_verdict, (difference(0.01, 0.02), "better")),
        (exercises.experiments_verdict, (difference(-0.02, -0.01), "Worse")),
        (exercises.experiments_verdict, (difference(-0.01, 0.01), "cannot tell")),
        *((exercises.experiments_verdict, (frame, solutions.which_is_better(frame))) for frame in EVERY_CASE),
    ],
)
def test_a_right_answer_is_right(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Right")


@pytest.mark.parametrize(
    ("check", "answers"),
    [
        (exercises.experiments_gain, (None,)),
        (exercises.experiments_distance, (lambda *_: None,)),
        (exercises.experiments_verdict, (None, None)),
    ],
)
def test_no_answer_is_asked_for(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Not answered yet")


@pytest.mark.parametrize(
    ("check", "answers", "named"),
    [
        (exercises.experiments_gain, (0.1569,), "in per cent"),
        (exercises.experiments_gain, (8.64,), "in points"),
        (exercises.experiments_gain, (13.56,), "by the network's figure"),
        (exercises.experiments_gain, (99,), "divide it by what Item-KNN reaches"),
        (exercises.experiments_distance, (lambda m, r, c: (c - m) / (c - r),), "still to go"),
        (exercises.experiments_distance, (lambda m, r, c: m / c,), "share of the ceiling"),
        (exercises.experiments_distance, (lambda m, r, c: max(0.0, (m - r) / (c - r)),), "let it be negative"),
        (exercises.experiments_distance, (lambda m, r, c: 7.0,), "one half; yours is 7.00"),
        (exercises.experiments_distance, (lambda m, r, c: 1 / 0,), "raised ZeroDivisionError"),
        (exercises.experiments_distance, (lambda m, r, c: "no",), "cannot be read as an answer"),
        (exercises.experiments_verdict, (difference(-0.01, 0.01), "better"), "does it hold 0"),
        (exercises.experiments_verdict, (difference(0.01, 0.02), "cannot tell"), "does it hold 0"),
        (exercises.experiments_verdict, ("frame", "better"), "cannot be read as an answer"),
    ],
)
def test_a_misconception_is_named(capsys, check, answers, named):
    out = said(capsys, check, *answers)
    assert named in out
    assert not out.startswith("Right")
