"""Solutions of chapter 3."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

import gru4rec_lite as g4r

from ..baselines import ByHistory


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
