"""Sampling gone wrong."""

from __future__ import annotations

import torch
from torch import Tensor


def negatives_with_hits(candidates: Tensor, targets: Tensor) -> Tensor:
    """No number: only the own column is spared, so an accidental hit fights its own target. Bit the original."""
    return ~torch.eye(len(targets), len(candidates), dtype=torch.bool)


def negatives_with_target(candidates: Tensor, targets: Tensor) -> Tensor:
    """B13: every candidate is a negative, the lane's own target too. Bit several ports."""
    return candidates.new_ones(len(targets), len(candidates), dtype=torch.bool)


def raw_counts(support: Tensor, n_samples: int, alpha: float, candidates: Tensor, lanes: int) -> Tensor:
    """No number: logQ of raw counts, so in-batch and extra columns keep a constant offset. Bit the original."""
    return torch.cat((support[candidates[:lanes]], support[candidates[lanes:]] ** alpha))
