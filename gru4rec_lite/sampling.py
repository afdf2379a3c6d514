"""Negatives: which other items a lane's target must outscore.

The candidates of a step are the ``b`` targets of its lanes, followed by ``n_samples`` extra items that all lanes share.
A lane's own target is its positive; every other candidate is a negative, unless it is the same item again (an
accidental hit).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .internal.checks import require_device, require_number, require_tensor, require_that, require_whole


def _check_support(support: Tensor) -> None:
    """ValueError unless there is at least one click, and no count is below 0."""
    is_row = isinstance(support, Tensor) and support.ndim == 1 and support.dtype != torch.bool
    require_that("support", support, is_row, "a tensor (N,), the clicks of each item")
    counts = bool((support.isfinite() & (support >= 0)).all()) and bool(support.sum() > 0)
    if not counts:
        require_that("support", support.tolist(), False, "clicks of each item, 0 or more, and not all 0")


class NegativeSampler:
    """Draws extra negatives with probability proportional to popularity^alpha, many steps at a time.

    Args:
        support: ``(N,)`` training clicks of each item.
        n_samples: extra negatives per step, 0 for none.
        alpha: 0 draws every item equally often, 1 by popularity.
        device: where to draw.

    ``popularity`` and ``probability`` ``(N,)``: each item's share of the clicks, and of the draws.

    Raises:
        ValueError: alpha outside 0 (uniform) to 1 (by popularity), n_samples below 0, no click at all.

    Source: Hidasi & Karatzoglou, "Recurrent neural networks with top-k gains", CIKM 2018, §3.1.
    """

    def __init__(self, support: Tensor, n_samples: int, alpha: float, device: torch.device | str = "cpu"):
        _check_support(support)
        require_whole("n_samples", n_samples, 0)
        require_number("alpha", alpha, 0, 1)
        require_device("device", device)
        support = support.double().cpu()
        popularity = support / support.sum()
        weight = torch.where(support > 0, support**alpha, 0.0)  # 0^0 would be 1: an item without clicks is never drawn
        probability = weight / weight.sum()
        keep, alias = alias_table(probability)
        self.n_samples = n_samples
        dtype = torch.float32 if torch.device(device).type == "mps" else torch.float64  # double where available
        self.popularity, self.probability, self._keep = (t.to(device, dtype) for t in (popularity, probability, keep))
        self._alias = alias.to(device)

    def draw(self, n_steps: int, generator: torch.Generator | None = None) -> Tensor:
        """Independent draws with replacement: ``(n_steps, n_samples)`` int64, from ``generator`` or torch's own."""
        require_whole("n_steps", n_steps, 0)
        shape, keep = (n_steps, self.n_samples), self._keep
        cell = torch.randint(len(keep), shape, device=keep.device, generator=generator)
        kept = torch.rand(shape, dtype=keep.dtype, device=keep.device, generator=generator) < keep[cell]
        return torch.where(kept, cell, self._alias[cell])

    def expected_count(self, items: Tensor, lanes: int) -> Tensor:
        """How often each item is expected among a step's candidates, besides the target's own column: ``(C,) -> (C,)``.

        q_j = (b - 1) · supp_j / Σ supp + n_samples · p_j(alpha)        for a step of b lanes

        The in-batch candidates are clicks of other sessions, so they come by popularity; the extra ones by
        popularity^alpha.
        """
        require_tensor("items", items, 1, whole=True)
        require_whole("lanes", lanes)
        return (lanes - 1) * self.popularity[items] + self.n_samples * self.probability[items]


def alias_table(probability: Tensor) -> tuple[Tensor, Tensor]:
    """Tables with which a draw from N items costs the same whatever N: keep ``(N,)`` and alias ``(N,)``, from ``(N,)``.

    There is a cell for each item, and all cells are equally likely. Cell i gives item i with probability ``keep[i]``,
    else item ``alias[i]``. A rare item leaves room in its own cell; popular items fill it, one after the other. The
    room so far and the surplus so far are two running sums, so a search finds which item fills which cell, without a
    loop over items.

    Source: Walker, "An efficient method for generating discrete random variables with general distributions", 1977.
    """
    share = probability * len(probability)  # 1: fills its cell exactly
    is_rare = share < share.max().clamp(max=1.0)
    rare, frequent = is_rare.nonzero().squeeze(1), (~is_rare).nonzero().squeeze(1)
    missing, left_over = 1.0 - share[rare], share[frequent] - 1.0
    missing_so_far, left_so_far = missing.cumsum(0), left_over.cumsum(0)
    keep, alias = torch.ones_like(share), torch.arange(len(share), device=share.device)

    keep[rare] = share[rare]
    missing_before = torch.cat((missing_so_far.new_zeros(1), missing_so_far))[:-1]  # the same bits as below
    filled_by = torch.searchsorted(left_so_far, missing_before, right=True)
    alias[rare] = frequent[filled_by.clamp(max=len(frequent) - 1)]

    # a popular item fills its last cell completely, even if it no longer has enough: what this takes from its own cell
    # is filled by the next popular item
    last_cell = torch.searchsorted(missing_so_far, left_so_far)
    taken = torch.cat((missing_so_far, left_so_far[-1:]))[last_cell] - left_so_far
    taken[left_so_far <= 0] = 0.0  # an item of exactly mean support has no surplus, and has filled no cell
    keep[frequent[:-1]] = 1.0 - taken[:-1].clamp(0.0, 1.0)
    alias[frequent[:-1]] = frequent[1:]
    return keep, alias


def negatives(candidates: Tensor, targets: Tensor) -> Tensor:
    """Which candidates are negatives of which lane: ``(C,), (b,) -> (b, C)`` bool.

    A candidate that is the lane's target, in its own column or by accident in another, is not.
    """
    require_tensor("candidates", candidates, 1, whole=True)
    require_tensor("targets", targets, 1, whole=True)
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
    require_number("logq", logq, 0, 1)
    if expected_count.shape[-1:] != scores.shape[-1:]:  # one count would be broadcast to every column
        raise ValueError(
            f"expected_count={tuple(expected_count.shape)}: must be one for each column of scores {tuple(scores.shape)}"
        )
    # a lone lane without samples expects nothing; it has no negatives either, so any constant will do
    tiny = torch.finfo(expected_count.dtype).tiny
    return scores - logq * expected_count.clamp(min=tiny).log().to(scores.dtype)
