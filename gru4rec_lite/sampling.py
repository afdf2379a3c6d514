"""Negatives: which other items a lane's target must outscore.

The candidates of a step are the ``b`` targets of its lanes, followed by ``n_samples`` extra items that all lanes share.
A lane's own target is its positive; every other candidate is a negative, unless it is the same item again (an
accidental hit).
"""

from __future__ import annotations

import torch
from torch import Tensor


class NegativeSampler:
    """Draws extra negatives with probability proportional to popularity^alpha, many steps at a time.

    Args:
        support: ``(N,)`` training clicks of each item.
        n_samples: extra negatives of a step, 0 for none.
        alpha: 0 draws every item equally often, 1 by popularity.
        device: where the draws are made.

    Raises:
        ValueError: alpha outside 0..1, or n_samples below 0.

    Source: Hidasi & Karatzoglou, "Recurrent neural networks with top-k gains", CIKM 2018, §3.1.
    """

    def __init__(self, support: Tensor, n_samples: int, alpha: float, device: torch.device | str = "cpu"):
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f"sample_alpha={alpha}: must be between 0 (uniform) and 1 (by popularity)")
        if n_samples < 0:
            raise ValueError(f"n_samples={n_samples}: must be 0 or more")
        # double where the device has it: in float32 the running sum of a long tail stands still
        support = support.to(device, torch.float32 if torch.device(device).type == "mps" else torch.float64)
        self.n_samples = n_samples
        self.popularity = support / support.sum()  # (N,)
        weight = torch.where(support > 0, support**alpha, 0.0)  # 0^0 would be 1: an item without clicks is never drawn
        self.probability = weight / weight.sum()  # (N,)
        self._cumulative = self.probability.cumsum(0)

    def draw(self, n_steps: int) -> Tensor:
        """Independent draws with replacement: ``(n_steps, n_samples)`` int64."""
        shape = (n_steps, self.n_samples)
        uniform = torch.rand(shape, dtype=self._cumulative.dtype, device=self._cumulative.device)
        # up to the last value of the sum itself, which rounding leaves a little off 1; right: an item of probability 0
        # is skipped
        return torch.searchsorted(self._cumulative, uniform * self._cumulative[-1], right=True)

    def expected_count(self, items: Tensor, lanes: int) -> Tensor:
        """How often each item is expected among a step's candidates, the target's own column aside: ``(C,) -> (C,)``.

        q_j = (b - 1) · supp_j / Σ supp + n_samples · p_j(alpha)        for a step of b lanes

        The in-batch candidates are clicks of other sessions, so they come by popularity; the extra ones by
        popularity^alpha.
        """
        return (lanes - 1) * self.popularity[items] + self.n_samples * self.probability[items]


def negatives(candidates: Tensor, targets: Tensor) -> Tensor:
    """Which candidates are negatives of which lane: ``(C,), (b,) -> (b, C)`` bool.

    A candidate that is the lane's target, in its own column or by accident in another, is not.
    """
    return candidates.unsqueeze(0) != targets.unsqueeze(1)


def correct_logq(scores: Tensor, expected_count: Tensor, logq: float) -> Tensor:
    """Take the candidates' own frequency out of the scores: ``(b, C), (C,) -> (b, C)``.

    r_j - logq · ln q_j in every column, the target's included. An item that is drawn often is pushed down often;
    without the correction the softmax over a sample learns that popularity as if it were dislike.

    Args:
        scores: ``(b, C)`` linear scores.
        expected_count: ``(C,)`` q_j, all above 0.
        logq: strength, 0 (off) to 1 (full).

    Source: Bengio & Senécal, 2008 (importance-sampled softmax); the authors' code since 2020.
    """
    # a lone lane without samples expects nothing; it has no negative either, so any constant will do
    tiny = torch.finfo(expected_count.dtype).tiny
    return scores - logq * expected_count.clamp(min=tiny).log().to(scores.dtype)
