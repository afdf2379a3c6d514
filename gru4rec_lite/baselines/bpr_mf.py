"""Matrix factorisation learned by ranking: a vector for each session and one for each item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from torch import Tensor

from .. import clicks as click_log
from ..internal import rules
from ..internal.rules import setting
from ..training import Diverged
from .by_history import ByHistory


@dataclass(eq=False)
class BPRMF(ByHistory):
    """Factorises which session clicked which item; a new session is the mean of its items' vectors.

    Learns from (session s, clicked item i, other item j):   −ln σ(x_si − x_sj),   x_si = ⟨p_s, q_i⟩ + b_i
    Scores a running session by                              s_j = mean over its clicks i of ⟨q_i, q_j⟩, + b_j

    The session vectors p_s are thrown away, since later sessions have none. This makes factorisation weak here.

    Args:
        n_factors: length of the vectors.
        n_epochs: passes over the clicks.
        learning_rate: of stochastic gradient descent.
        regularisation: weight of the squared parameters, at least 0.
        batch_size: clicks that are learned from at the same time; their updates are added up.
        seed: for initial values, order and other items, drawn uniformly from all (sometimes the clicked item itself).

    Raises:
        ValueError: a setting out of range.
        training.Diverged: the factors became infinite.

    Source: Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009; as a baseline in
    Hidasi et al., ICLR 2016, §4.
    """

    n_factors: int = setting(100, rules.whole())
    n_epochs: int = setting(10, rules.whole())
    learning_rate: float = setting(0.01, rules.positive)
    regularisation: float = setting(0.0, rules.number(0))
    batch_size: int = setting(32, rules.whole())
    seed: int = setting(42, rules.whole(0))

    def fit(self, train: pd.DataFrame) -> Self:
        self._check_settings()
        log = click_log.encode(train)
        self.items, rng = log.index, np.random.default_rng(self.seed)
        session = np.repeat(np.arange(len(log)), np.diff(log.offsets))
        shapes = {"p": (len(log), self.n_factors), "q": (len(log.index), self.n_factors)}
        self.factors = {name: rng.uniform(-0.05, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}
        self.factors["b"] = np.zeros(len(log.index), dtype=np.float32)
        for _ in range(self.n_epochs):
            order = rng.permutation(len(log.items))
            others = rng.integers(len(log.index), size=len(order))
            for first in range(0, len(order), self.batch_size):
                clicks = order[first : first + self.batch_size]
                triples = session[clicks], log.items[clicks], others[first : first + self.batch_size]
                descend(self.factors, *triples, self.learning_rate, self.regularisation)
        del self.factors["p"]
        if not all(np.isfinite(array).all() for array in self.factors.values()):
            raise Diverged(f"learning_rate={self.learning_rate}: the factors became infinite; try a quarter of it")
        return self

    def score(self, history: np.ndarray, now: float) -> np.ndarray:
        """See `ByHistory.score`."""
        if len(history) == 0:
            return self.factors["b"]
        return self.factors["q"] @ self.factors["q"][history].mean(axis=0) + self.factors["b"]

    def tensors(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array) for name, array in self.factors.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.factors = {name: tensor.numpy() for name, tensor in tensors.items()}


def descend(
    factors: dict[str, np.ndarray], s: np.ndarray, i: np.ndarray, j: np.ndarray, lr: float, regularisation: float
) -> None:
    """One step of gradient descent, in place, on the sum over triples (session, clicked, other), each ``(B,)``, of

    −ln σ(x_si − x_sj) + regularisation/2 · (|p_s|² + |q_i|² + |q_j|² + b_i² + b_j²)
    """
    p, q, b = factors["p"], factors["q"], factors["b"]
    p_s, q_i, q_j, b_i, b_j = p[s], q[i], q[j], b[i], b[j]
    difference = (p_s * (q_i - q_j)).sum(axis=1) + b_i - b_j
    pull = expit(-difference)[:, None]  # (B, 1) σ(−difference): how wrong the order still is
    np.add.at(p, s, lr * (pull * (q_i - q_j) - regularisation * p_s))
    np.add.at(q, i, lr * (pull * p_s - regularisation * q_i))
    np.add.at(q, j, lr * (-pull * p_s - regularisation * q_j))
    np.add.at(b, i, lr * (pull[:, 0] - regularisation * b_i))
    np.add.at(b, j, lr * (-pull[:, 0] - regularisation * b_j))
