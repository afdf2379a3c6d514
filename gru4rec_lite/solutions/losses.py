"""Solutions of chapter 8."""

from __future__ import annotations

import math

import torch

from .. import losses


def equal_scores_gradients() -> tuple[float, float, float]:
    # three equal scores: the softmax gives each 1/3; every σ(0) is 1/2, and its slope σ'(0) = 1/2 · (1 - 1/2) = 1/4
    return 1 / 3 - 1, -(1 / 2 + 1 / 2) / 2, -(1 / 4 + 1 / 4) / 2


def stable_cross_entropy(target: float, negatives: list[float]) -> float:
    scores = [target, *negatives]
    top = max(scores)  # subtracted first, so the largest power is e^0 = 1: nothing overflows, and the sum is never 0
    return top + math.log(sum(math.exp(score - top) for score in scores)) - target


def starving_point() -> int:
    solved = 0
    while True:
        scores = torch.tensor([[1.0, 2.0] + [-8.0] * solved], dtype=torch.float64, requires_grad=True)
        is_negative = torch.ones_like(scores, dtype=torch.bool).fill_diagonal_(False)
        (gradient,) = torch.autograd.grad(losses.bpr(scores, is_negative).sum(), scores)
        if abs(gradient[0, 0]) < 0.01:
            return solved
        solved += 1
