"""Losses gone wrong. Each is called like the right one in `gru4rec_lite.losses`: ``(B, C), (B, C) bool -> (B,)``."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..losses import bpr_max, cross_entropy


def cross_entropy_of_softmax(scores: Tensor, is_negative: Tensor) -> Tensor:
    """B4: softmax, then a cross-entropy that takes the softmax again. Bit GRU4REC-pytorch."""
    return cross_entropy(scores.softmax(dim=1), is_negative)


def saturated_cross_entropy(scores: Tensor, is_negative: Tensor) -> Tensor:
    """B18: the logarithm of an already rounded softmax, kept above 0 by 1e-24. Bit the original's PyTorch port."""
    return -(scores.softmax(dim=1).diagonal() + 1e-24).log()


def bpr_max_of_the_matrix(scores: Tensor, is_negative: Tensor, bpreg: float = 1.0) -> Tensor:
    """B5: one log over the mean of the whole matrix, target in the softmax, no regularisation. Bit GRU4REC-pytorch."""
    win = (scores.diagonal().unsqueeze(1) - scores).sigmoid()
    return -(scores.softmax(dim=1) * win).mean().log().expand(len(scores))


def unguarded_bpr_max(scores: Tensor, is_negative: Tensor, bpreg: float = 1.0) -> Tensor:
    """B10: the logarithm of a sum that can round to 0. Bit RecPack."""
    weight = scores.masked_fill(~is_negative, -float("inf")).softmax(dim=1)
    win = (weight * (scores.diagonal().unsqueeze(1) - scores).sigmoid()).sum(dim=1)
    return -win.log() + bpreg * (weight * scores.square()).sum(dim=1)


def bpr_max_masked_by_zero(scores: Tensor, is_negative: Tensor, bpreg: float = 1.0) -> Tensor:
    """B19: the softmax masked by products with 0, so 0/0 with all negatives far below 0. The official PyTorch port."""
    inside = scores * is_negative
    weight = (inside - inside.amax(dim=1, keepdim=True)).exp() * is_negative
    weight = weight / weight.sum(dim=1, keepdim=True)
    win = (weight * (scores.diagonal().unsqueeze(1) - scores).sigmoid()).sum(dim=1)
    return -(win + 1e-24).log() + bpreg * (weight * scores.square()).sum(dim=1)


def top1_with_target(scores: Tensor, is_negative: Tensor) -> Tensor:
    """B12: the target stays in TOP1's mean, so its own score is pulled to zero too. Bit GRU4REC-pytorch."""
    return ((scores - scores.diagonal().unsqueeze(1)).sigmoid() + scores.square().sigmoid()).mean(dim=1)


def bpr_with_target(scores: Tensor, is_negative: Tensor) -> Tensor:
    """B13: the target among its own negatives, a constant ln 2 in the mean. Bit several ports."""
    return -F.logsigmoid(scores.diagonal().unsqueeze(1) - scores).mean(dim=1)


def bpr_max_without_regularisation(scores: Tensor, is_negative: Tensor, bpreg: float = 1.0) -> Tensor:
    """B5, another part: the score regularisation is left out, whatever its weight says. Bit GRU4REC-pytorch."""
    return bpr_max(scores, is_negative, bpreg=0.0)


def bpr_max_with_target(scores: Tensor, is_negative: Tensor, bpreg: float = 1.0) -> Tensor:
    """B5, one part of it: the target takes part in the softmax over the negatives. Bit GRU4REC-pytorch."""
    return bpr_max(scores, is_negative.clone().fill_diagonal_(True), bpreg)
