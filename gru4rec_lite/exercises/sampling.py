"""Exercises of chapter 7."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .. import solutions
from ..sampling import NegativeSampler
from .feedback import UNANSWERED, answer_is

LANES, ALPHA = 32, 0.75  # of exercise 3


@answer_is("three whole numbers: positives, negatives, accidental hits")
def sampling_matrix(answer: tuple[int, int, int] | None) -> None:
    """Chapter 7, exercise 1: what the 18 cells of three lanes and three extra samples are."""
    if answer is None:
        return print(UNANSWERED)
    positives, negatives, hits = (float(number) for number in answer)
    if (positives, negatives, hits) == solutions.matrix_counts():
        return print("Right: three lanes, five accidental hits among their 15 other cells, and ten negatives.")
    if positives + negatives + hits != 18:
        return print(f"Not quite: three lanes and six candidates make 18 cells, yours add up to {_number(answer)}.")
    if positives == 8:
        return print("Not quite: another column with the lane's target is no second positive. It is left out: a hit.")
    if positives != 3:
        return print("Not quite: each lane has one positive, the column of its own target.")
    for wrong, why in {
        0: "a tent may be a negative of a lamp, but a lamp may not. Look for columns that repeat the lane's target.",
        2: "that is the hits among the lanes. An extra sample can be the lane's target, too.",
        3: "that is the hits among the extra samples. Two lanes may have the same target, too.",
        4: "lane 1 finds its lamp in column 3, and lane 3 its lamp in column 1: these are two cells, not one.",
    }.items():
        if hits == wrong:
            return print(f"Not quite: {why}")
    print("Not quite: go through the rows; count the columns that hold the lane's target, its own column aside.")


@answer_is("a function that returns an array, one number for each item")
def sampling_expected(function: Callable[[np.ndarray, int, int, float], np.ndarray]) -> None:
    """Chapter 7, exercise 2: how often each item is expected among a step's candidates."""
    cases = [([400, 200, 130, 90, 60], 4, 6, 0.75), ([5, 0, 20, 1], 32, 0, 1.0), ([5, 0, 20, 1], 3, 10, 0.0)]
    answers = []
    for case in cases:
        try:
            answers.append(function(np.array(case[0]), *case[1:]))
        except Exception as error:  # the reader's code may raise anything
            given = f"(support, lanes, n_samples, alpha) = {case}"
            return print(f"For {given} your function raised {type(error).__name__}: {error}")
    if all(answer is None for answer in answers):
        return print(UNANSWERED)
    for case, answer in zip(cases, answers, strict=True):
        counts, lanes, n_samples, alpha = case
        expected = _expected(*case)
        found = None if answer is None else np.asarray(answer, dtype=float)
        if found is not None and found.shape == expected.shape and np.allclose(found, expected):
            continue
        asked = f"support {counts}, {lanes} lanes, {n_samples} samples and alpha {alpha:g}"
        print(f"Not quite: {asked} give {expected.round(2).tolist()}, not {_shown(found)}.")
        if found is None or found.shape != expected.shape:
            return
        for why, wrong in _misconceptions(*case).items():
            if np.allclose(found, wrong):
                return print(why)
        return
    print("Right, also without extra samples, and for an item that nobody clicked on.")


@answer_is("the training clicks of each item, and a whole number of extra samples")
def sampling_half(support: np.ndarray, answer: int | None) -> None:
    """Chapter 7, exercise 3: with how many extra samples most lanes find their own target among the candidates."""
    if answer is None:
        return print(UNANSWERED)
    support = np.asarray(support, dtype=float)
    fewest = solutions.samples_until_half(support, LANES, ALPHA)
    if not float(answer).is_integer() or float(answer) < 0:
        return print("Not quite: a number of samples is a whole number, 0 or more.")
    answer = int(answer)
    here = _hit_share(support, LANES, answer, ALPHA)
    if answer == fewest:
        return print(f"Right: with {answer} extra samples {here:.1%} of the lanes have a hit; fewer do not reach half.")
    if answer == _fewest(lambda n: _hit_share(support, 1, n, ALPHA)):
        return print("Not quite: that is right for a lane alone. The targets of the 31 other lanes can hit it as well.")
    if answer == _fewest(lambda n: _hit_share(support, LANES, n, 0.0)):
        return print("Not quite: that is right for alpha 0. Here the samples come by popularity to the power of .75.")
    if answer == _fewest(lambda n: _mean_hits(support, n)):
        return print(
            "Not quite: there the mean number of hits is one half. Some lanes have several, so fewer lanes have one."
        )
    more = "More lanes than needed" if answer > fewest else "Fewer than half"
    print(f"Not quite: with {answer} extra samples {here:.1%} of the lanes have a hit. {more}.")


def _expected(support: list[int], lanes: int, n_samples: int, alpha: float) -> np.ndarray:
    sampler = NegativeSampler(torch.tensor(support), n_samples, alpha)
    return sampler.expected_count(torch.arange(len(support)), lanes).numpy()


def _misconceptions(support: list[int], lanes: int, n_samples: int, alpha: float) -> dict[str, np.ndarray]:
    clicks = np.array(support, dtype=float)
    weight = np.where(clicks > 0, clicks**alpha, 0.0)
    popularity, drawn = clicks / clicks.sum(), weight / weight.sum()
    zero_counts = clicks**alpha / (clicks**alpha).sum()
    return {
        "You counted the lane's own column as well; only the other lanes' targets are drawn against it.": (
            lanes * popularity + n_samples * drawn
        ),
        "alpha flattens the extra samples alone; nobody chose the other lanes' targets.": (
            (lanes - 1 + n_samples) * drawn
        ),
        "The extra samples come by popularity^alpha, not by popularity.": (lanes - 1 + n_samples) * popularity,
        "The other lanes' targets are missing.": n_samples * drawn,
        "The extra samples are missing.": (lanes - 1) * popularity,
        "These are raw counts. Divide each kind by its sum, or the two cannot be added.": (
            (lanes - 1) * clicks + n_samples * weight
        ),
        "An item without clicks is never drawn, but 0 to the power of 0 is 1.": (
            (lanes - 1) * popularity + n_samples * zero_counts
        ),
    }


def _hit_share(support: np.ndarray, lanes: int, n_samples: int, alpha: float) -> float:
    """Share of lanes with at least one accidental hit."""
    clicked, drawn = support / support.sum(), support**alpha / (support**alpha).sum()
    return 1 - float((clicked * (1 - clicked) ** (lanes - 1) * (1 - drawn) ** n_samples).sum())


def _mean_hits(support: np.ndarray, n_samples: int) -> float:
    clicked, drawn = support / support.sum(), support**ALPHA / (support**ALPHA).sum()
    return float((clicked * ((LANES - 1) * clicked + n_samples * drawn)).sum())


def _fewest(share: Callable[[int], float], most: int = 100_000) -> int:
    """The fewest samples for which a share that grows with them is above one half."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if share(middle) > 0.5 else (middle + 1, high)
    return low


def _shown(found: np.ndarray | None) -> str:
    return "None" if found is None else str(found.round(2).tolist())


def _number(answer: tuple[int, int, int]) -> str:
    return f"{sum(float(number) for number in answer):g}"
