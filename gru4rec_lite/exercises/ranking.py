"""Exercises of chapter 2."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np

from .. import solutions
from ..metrics import mrr_at, recall_at, sampled_recall_at
from .feedback import UNANSWERED, answer_is

RANKS, CUTOFF = np.array([2, 20, 1, 25, 5]), 20  # of exercise 1


@answer_is("two numbers, Recall@20 and MRR@20")
def ranking_measures(answer: tuple[float, float] | None) -> None:
    """Chapter 2, exercise 1: Recall@20 and MRR@20 of five ranks."""
    if answer is None:
        return print(UNANSWERED)
    recall, mrr = (float(number) for number in answer)
    hits = RANKS <= CUTOFF
    if np.allclose([recall, mrr], solutions.rank_measures(), atol=1e-3):
        return print("Right: four of five targets are in the list, and the one at rank 25 earns nothing in either.")
    if np.allclose([mrr, recall], solutions.rank_measures(), atol=1e-3):
        return print("Not quite: Recall@20 comes first, then MRR@20.")
    if np.isclose(recall, np.mean(RANKS < CUTOFF)):
        return print("Not quite: a target at rank 20 is the last one of a list of 20, so it is a hit.")
    if not np.isclose(recall, hits.mean()):
        return print("Not quite: Recall@20 is the share of the five predictions whose rank is at most 20.")
    if np.isclose(mrr, np.mean(1 / RANKS), atol=2e-3):
        return print("Not quite: your Recall is right, but in MRR@20 too a target beyond rank 20 earns 0, not 1/25.")
    if np.isclose(mrr, np.mean(1 / RANKS[hits]), atol=5e-3):
        return print("Not quite: your Recall is right. Divide by all five predictions; the miss counts as 0.")
    if np.isclose(mrr, 1 / RANKS.mean(), atol=5e-3):
        return print("Not quite: your Recall is right. Take the mean of 1/rank, not 1 over the mean rank.")
    print("Not quite: your Recall is right. For MRR@20 add up 1/rank of the hits and divide by the five predictions.")


@answer_is("a function that returns one number")
def ranking_chance(function: Callable[[int, int, int, int], float]) -> None:
    """Chapter 2, exercise 2: the chance of a hit among sampled items."""
    cases = [(4, 3, 12, 5), (1, 1, 12, 5), (12, 3, 12, 5), (50, 5, 213, 100), (6, 5, 213, 212), (3, 10, 12, 4)]
    answers = []
    for case in cases:
        try:
            answers.append(function(*case))
        except Exception as error:  # the reader's code may raise anything
            return print(f"For (rank, k, items, sampled) = {case} your function raised {type(error).__name__}: {error}")
    if all(answer is None for answer in answers):
        return print(UNANSWERED)
    for case, answer in zip(cases, answers, strict=True):
        rank, k, n_items, n_sampled = case
        expected = float(sampled_recall_at(np.array([rank]), k, n_items, n_sampled)[0])
        if answer is not None and np.isclose(answer, expected):
            continue
        asked = f"rank {rank}, k={k}, {n_items} items and {n_sampled} sampled"
        print(f"Not quite: {asked} give {expected:.3f}, not {answer}.")
        if answer is None:
            return
        for wrong, why in _misconceptions(*case).items():
            if np.isclose(answer, wrong):
                return print(why)
        return
    print("Right, also for the best and the worst rank, and where the sample is the whole catalogue.")


@answer_is("the ranks of both models, the number of items, and a whole number of sampled items")
def ranking_flattery(weak: np.ndarray, strong: np.ndarray, n_items: int, answer: int | None) -> None:
    """Chapter 2, exercise 3: the largest sample in which the weak model seems as good as the strong one really is."""
    if answer is None:
        return print(UNANSWERED)
    answer, goal = int(answer), recall_at(strong, 5).mean()
    if not 1 <= answer < n_items:
        return print(f"Not quite: a sample holds between 1 and {n_items - 1} of the other items.")
    here = sampled_recall_at(weak, 5, n_items, answer).mean()
    if here < goal:
        return print(f"Not quite: among {answer} its Recall@5 is {here:.3f}, still below {goal:.3f}. Sample fewer.")
    if answer + 1 < n_items and sampled_recall_at(weak, 5, n_items, answer + 1).mean() >= goal:
        return print(f"Not quite: it reaches {goal:.3f} among {answer}, but among {answer + 1} too. Find the most.")
    true, mrr = recall_at(weak, 5).mean(), mrr_at(weak, 5).mean()
    print(f"Right: {here:.3f} among {answer} sampled items, where the full ranking gives {true:.3f} (MRR@5 {mrr:.3f}).")


def _misconceptions(rank: int, k: int, n_items: int, n_sampled: int) -> dict[float, str]:
    better, others = rank - 1, n_items - 1
    right = float(sampled_recall_at(np.array([rank]), k, n_items, n_sampled)[0])
    one_more = float(sampled_recall_at(np.array([rank]), k + 1, n_items, n_sampled)[0])
    p = better / others
    replaced = sum(comb(n_sampled, b) * p**b * (1 - p) ** (n_sampled - b) for b in range(min(k, n_sampled + 1)))
    with_target = sum(comb(better, b) * comb(n_items - better, n_sampled - b) for b in range(min(k, n_sampled + 1)))
    return {
        with_target / comb(n_items, n_sampled): "You drew from all items; the target itself cannot be among them.",
        replaced: "That draws with replacement; an item comes into the sample at most once.",
        one_more: f"You allowed {k} better items in the sample; then the target is at place {k + 1}, behind the list.",
        1 - right: "That is the chance of a miss.",
        float(rank <= k): "That is the full ranking's answer; here only the sample is ranked.",
    }
