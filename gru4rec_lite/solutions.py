"""Solutions of the exercises; `make refresh` writes them into the chapters, the tests run them."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np
from pandas import DataFrame
from torch import Tensor

import gru4rec_lite as g4r

from . import metrics
from .baselines import ByHistory


def widths() -> list[int]:
    # sessions of 4, 2, 5, 3 and 2 clicks take 3, 1, 4, 2 and 1 steps; two lanes:
    #   lane 1: session 1 (steps 1-3), session 4 (steps 4-5)
    #   lane 2: session 2 (step 1),    session 3 (steps 2-5), session 5 (step 6), taken by the lower free lane: lane 1
    return [2, 2, 2, 2, 2, 1]


def padding_waste(lengths: list[int], batch_size: int) -> float:
    cells = pairs = 0
    steps = [length - 1 for length in lengths if length > 1]  # a session of L clicks has L - 1 pairs
    for first in range(0, len(steps), batch_size):
        batch = steps[first : first + batch_size]
        cells += len(batch) * max(batch)
        pairs += sum(batch)
    return 1 - pairs / cells


def carry(state: Tensor, lanes: Tensor, resets: Tensor) -> Tensor:
    # first move each state to its row in this step, then clear the rows that start a session
    return state[lanes].masked_fill(resets.unsqueeze(1), 0.0)


def adagrad_moves() -> list[float]:
    # first: -0.1 * 3 / sqrt(3²);  second: -0.1 * 4 / sqrt(3² + 4²), and the root of 25 is 5
    return [-0.1, -0.08]


def update_rows(table: Tensor, acc: Tensor, rows: Tensor, grad: Tensor, lr: float) -> None:
    for row in rows.unique():
        total = grad[rows == row].sum(dim=0)  # repeats are summed before they are squared
        acc[row] += total**2
        table[row] -= lr * total / (acc[row] + 1e-6).sqrt()


def verdict(frame: DataFrame) -> str:
    # on the validation days, since a setting chosen on the test days could no longer be judged there
    mrr = frame[frame["metric"] == "mrr"].iloc[0]
    return "better" if mrr["low"] > 0 else "worse" if mrr["high"] < 0 else "cannot tell"


def relative_gain(model: float, rival: float) -> float:
    # from where one starts, in per cent: (.6372 − .5508) / .5508
    return 100 * (model - rival) / rival


def way_to_the_ceiling(model: float, rival: float, ceiling: float) -> float:
    # 0 for the rival, 1 for the best that is possible
    return (model - rival) / (ceiling - rival)


def predictions_left() -> int:
    # round 1: ab, bc, ad, abab, d without repeats; c has one click: ab, b, ad, abab, d; two sessions are too short:
    #          ab, ad, abab
    # round 2: d has one click now: ab, a, abab; one session is too short: ab, abab
    # round 3: nothing changes; ab makes one prediction, abab three
    return 4


def cut_at_pauses(times: list[int], gap: float) -> list[int]:
    numbers: list[int] = []
    for n, time in enumerate(times):
        if n == 0:
            numbers.append(0)
        else:
            numbers.append(numbers[-1] + (time - times[n - 1] > gap))  # True counts as 1
    return numbers


def split_leaks(train: DataFrame, test: DataFrame) -> bool:
    shared = set(train["SessionId"]) & set(test["SessionId"])
    return bool(shared or train["Time"].max() >= test["Time"].min())


def rank_measures() -> tuple[float, float]:
    # ranks 2, 20, 1, 25, 5: four of five are at most 20; 1/2 + 1/20 + 1 + 0 + 1/5 = 1.75, and five predictions
    return 4 / 5, 1.75 / 5


def sampled_chance(rank: int, k: int, n_items: int, n_sampled: int) -> float:
    better, worse = rank - 1, n_items - rank
    hits = sum(  # samples that hold b better items, for every b that leaves the target in the list
        comb(better, b) * comb(worse, n_sampled - b) for b in range(min(k, n_sampled + 1))
    )
    return hits / comb(n_items - 1, n_sampled)


def flattering_sample(weak: np.ndarray, strong: np.ndarray, n_items: int) -> int:
    goal, n = metrics.recall_at(strong, 5).mean(), 1
    while n + 1 < n_items and metrics.sampled_recall_at(weak, 5, n_items, n + 1).mean() >= goal:
        n += 1  # a larger sample is harder, so the first failure is the last to look at
    return n


def chain_probability() -> float:
    # a lamp is followed twice (lamp, boots, lamp, boots), each time by boots; boots have 5 of all 17 clicks; kappa is 1
    return (2 + 1 * 5 / 17) / (2 + 1)


def together(sessions: list[list[int]], n_items: int) -> np.ndarray:
    counts = np.zeros((n_items, n_items))
    for session in sessions:
        distinct = sorted(set(session))  # a session votes once for each pair that it holds
        counts[np.ix_(distinct, distinct)] += 1
    np.fill_diagonal(counts, 0)  # an item is not its own neighbour
    return counts


class SequentialRules(ByHistory):
    def fit(self, train):
        log = g4r.clicks.encode(train)
        self.items, self.rules = log.index, np.zeros((len(log.index), len(log.index)))
        for start, end in pairwise(log.offsets):
            session = log.items[start:end]
            for gap in (1, 2, 3):
                np.add.at(self.rules, (session[:-gap], session[gap:]), 1 / gap)  # earlier -> later
        return self

    def score(self, history, now):
        return self.rules[history[-1:]].sum(axis=0)  # zeros for an empty history
