"""The losses of the two papers again, as plain loops over one lane: an oracle that shares no code with `losses`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log, log1p

import numpy as np

STEP = 1e-5  # step size of the difference quotients, in double precision


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))


def softplus(x: float) -> float:
    """ln(1 + e^x), which is -ln σ(-x)."""
    return max(x, 0.0) + log1p(exp(-abs(x)))


def softmax(scores: Sequence[float]) -> list[float]:
    powers = [exp(r - max(scores)) for r in scores]
    return [power / sum(powers) for power in powers]


def cross_entropy(target: float, negatives: Sequence[float]) -> float:
    top = max(target, *negatives)
    return top + log(sum(exp(r - top) for r in [target, *negatives])) - target


def bpr(target: float, negatives: Sequence[float]) -> float:
    return sum(softplus(r - target) for r in negatives) / len(negatives)


def top1(target: float, negatives: Sequence[float]) -> float:
    return sum(sigmoid(r - target) + sigmoid(r * r) for r in negatives) / len(negatives)


def bpr_max(target: float, negatives: Sequence[float], bpreg: float = 1.0) -> float:
    weights = softmax(negatives)
    wins = sum(w * sigmoid(target - r) for w, r in zip(weights, negatives, strict=True))
    return -log(wins) + bpreg * sum(w * r * r for w, r in zip(weights, negatives, strict=True))


def top1_max(target: float, negatives: Sequence[float]) -> float:
    weights = softmax(negatives)
    return sum(w * (sigmoid(r - target) + sigmoid(r * r)) for w, r in zip(weights, negatives, strict=True))


EQUATIONS: dict[str, Callable[..., float]] = {
    "cross-entropy": cross_entropy,
    "bpr": bpr,
    "top1": top1,
    "bpr-max": bpr_max,
    "top1-max": top1_max,
}


def values(like: str, scores: np.ndarray, is_negative: np.ndarray, **settings: float) -> np.ndarray:
    """``(B,)`` loss of each lane, for scores and negatives ``(B, C)``."""
    equation = EQUATIONS[like]
    return np.array(
        [
            equation(float(row[lane]), row[negatives].tolist(), **settings) if negatives.any() else 0.0
            for lane, (row, negatives) in enumerate(zip(scores.astype(float), is_negative, strict=True))
        ]
    )


def gradients(like: str, scores: np.ndarray, is_negative: np.ndarray, **settings: float) -> np.ndarray:
    """``(B, C)`` gradient of each lane's loss with respect to its scores, as difference quotients."""
    return quotients(lambda s: values(like, s, is_negative, **settings), scores)


def quotients(losses: Callable[[np.ndarray], np.ndarray], scores: np.ndarray) -> np.ndarray:
    """``(B, C)`` how ``losses(scores)`` ``(B,)`` change with each lane's own scores."""
    columns = np.eye(scores.shape[1]) * STEP
    return np.stack([(losses(scores + e) - losses(scores - e)) / (2 * STEP) for e in columns], axis=1)
