"""Losses on the scores of a session-parallel step.

Every loss takes ``scores`` ``(B, C)`` and ``is_negative`` ``(B, C)`` and returns one loss per lane ``(B,)``. Candidate
``i < B`` is lane ``i``'s own target, so the targets are on the diagonal. ``is_negative`` alone decides which of the
other candidates are negatives of which lane: the target never is, nor is an accidental hit (another candidate that is
the same item). A lane without negatives has loss 0 and gradient 0. Tensors of other shapes or types raise ValueError.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(scores: Tensor, is_negative: Tensor) -> Tensor:
    """Cross-entropy: how surprised a softmax over target and negatives is to see the target.

    L_s = -ln( e^{r_s} / (e^{r_s} + Σ_j e^{r_j}) ) = ln Σ_{k in {s} + negatives} e^{r_k} - r_s

    Args:
        scores: ``(B, C)`` float, linear scores; candidate ``i < B`` is lane ``i``'s own target.
        is_negative: ``(B, C)`` bool, which candidates count as negatives of which lane.

    Returns:
        ``(B,)`` loss of each lane; zero for a lane without negatives.

    Source: Hidasi & Karatzoglou, "Recurrent neural networks with top-k gains", CIKM 2018, §3.1 (the stable form: the
    2016 code took the logarithm of a softmax that had already been rounded to zero).
    """
    _check_scores(scores, is_negative)
    target = scores.diagonal()
    competing = scores.masked_fill(~is_negative, -float("inf"))
    # logaddexp gives NaN gradients for a lane without negatives (-inf), so one logsumexp includes the target
    return competing.diagonal_scatter(target).logsumexp(dim=1) - target


def bpr(scores: Tensor, is_negative: Tensor) -> Tensor:
    """BPR: the target should score above each negative, pair by pair.

    L_s = -1/N_s · Σ_j ln σ(r_s - r_j)        over the N_s negatives j of lane s

    Args:
        scores: ``(B, C)`` float; candidate ``i < B`` is lane ``i``'s own target.
        is_negative: ``(B, C)`` bool, which candidates count as negatives of which lane.

    Returns:
        ``(B,)`` loss of each lane; zero for a lane without negatives.

    Source: Hidasi et al., "Session-based recommendations with recurrent neural networks", ICLR 2016, §3.3.
    """
    _check_scores(scores, is_negative)
    return masked_mean(-F.logsigmoid(_target(scores) - scores), is_negative)


def top1(scores: Tensor, is_negative: Tensor) -> Tensor:
    """TOP1: a soft count of the negatives that outrank the target, plus a pull of their scores towards zero.

    L_s = 1/N_s · Σ_j [ σ(r_j - r_s) + σ(r_j²) ]        over the N_s negatives j of lane s

    Args:
        scores: ``(B, C)`` float; candidate ``i < B`` is lane ``i``'s own target.
        is_negative: ``(B, C)`` bool, which candidates count as negatives of which lane.

    Returns:
        ``(B,)`` loss of each lane; zero for a lane without negatives.

    Source: Hidasi et al., "Session-based recommendations with recurrent neural networks", ICLR 2016, §3.3.
    """
    _check_scores(scores, is_negative)
    return masked_mean(_top1_pair(scores), is_negative)


def bpr_max(scores: Tensor, is_negative: Tensor, bpreg: float = 1.0) -> Tensor:
    """BPR-max: BPR against the negatives that matter, weighted by their softmax, and a pull of their scores towards 0.

    L_s = -ln Σ_j w_j σ(r_s - r_j) + bpreg · Σ_j w_j r_j²,        w = softmax of r over the negatives of lane s

    Args:
        scores: ``(B, C)`` float; candidate ``i < B`` is lane ``i``'s own target.
        is_negative: ``(B, C)`` bool, which candidates count as negatives of which lane.
        bpreg: weight of the score regularisation, at least 0.

    Returns:
        ``(B,)`` loss of each lane; zero for a lane without negatives.

    Source: Hidasi & Karatzoglou, "Recurrent neural networks with top-k gains", CIKM 2018, §3.3.
    """
    _check_scores(scores, is_negative)
    if isinstance(bpreg, bool) or not isinstance(bpreg, numbers.Real) or not 0 <= bpreg < math.inf:
        raise ValueError(f"bpreg={bpreg!r}: must be a number of at least 0")
    log_weight = _log_softmax_over(scores, is_negative)
    # logarithms throughout: a product w·σ rounds to 0 long before its logarithm stops being finite
    log_win = (log_weight + F.logsigmoid(_target(scores) - scores)).masked_fill(~is_negative, -float("inf"))
    has_negative = is_negative.any(dim=1)
    pairwise = -log_win.masked_fill(~has_negative.unsqueeze(1), 0.0).logsumexp(dim=1)
    return (pairwise + bpreg * _weighted(scores.square(), log_weight, is_negative)).masked_fill(~has_negative, 0.0)


def top1_max(scores: Tensor, is_negative: Tensor) -> Tensor:
    """TOP1-max: TOP1 with negatives weighted by their softmax, so that solved negatives no longer dilute the gradient.

    L_s = Σ_j w_j [ σ(r_j - r_s) + σ(r_j²) ],        w = softmax of r over the negatives of lane s

    Args:
        scores: ``(B, C)`` float; candidate ``i < B`` is lane ``i``'s own target.
        is_negative: ``(B, C)`` bool, which candidates count as negatives of which lane.

    Returns:
        ``(B,)`` loss of each lane; zero for a lane without negatives.

    Source: Hidasi & Karatzoglou, "Recurrent neural networks with top-k gains", CIKM 2018, §3.3.
    """
    _check_scores(scores, is_negative)
    return _weighted(_top1_pair(scores), _log_softmax_over(scores, is_negative), is_negative)


def _check_scores(scores: Tensor, is_negative: Tensor) -> None:
    """ValueError unless these are ``(B, C)`` floats and bools with B <= C: one row would be broadcast to all lanes."""
    for name, given in (("scores", scores), ("is_negative", is_negative)):
        if not isinstance(given, Tensor) or given.ndim != 2:
            raise ValueError(f"{name}={getattr(given, 'shape', given)}: must be a tensor (B, C)")
    if not scores.dtype.is_floating_point or scores.shape[0] > scores.shape[1]:
        raise ValueError(f"scores={scores.dtype}, {tuple(scores.shape)}: must be floats (B, C), with B at most C")
    if is_negative.dtype != torch.bool or is_negative.shape != scores.shape:
        here = f"is_negative={is_negative.dtype}, {tuple(is_negative.shape)}"
        raise ValueError(f"{here}: must be bool, with the shape of scores, {tuple(scores.shape)}")


LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross-entropy": cross_entropy,
    "bpr": bpr,
    "top1": top1,
    "bpr-max": bpr_max,
    "top1-max": top1_max,
}


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of each row's values where the mask is true, ``(B, C) -> (B,)``; zero for a row without any."""
    return values.masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def _target(scores: Tensor) -> Tensor:
    return scores.diagonal().unsqueeze(1)  # (B, 1)


def _top1_pair(scores: Tensor) -> Tensor:
    return (scores - _target(scores)).sigmoid() + scores.square().sigmoid()  # (B, C)


def _log_softmax_over(scores: Tensor, mask: Tensor) -> Tensor:
    """Log-softmax of each row over its masked entries, ``(B, C)``; values outside the mask are meaningless.

    Entries outside the mask are removed before the softmax. Multiplying them away after it would leave 0/0 where every
    entry inside is far below them.
    """
    inside = scores.masked_fill(~mask, -float("inf"))
    return inside.masked_fill(~mask.any(dim=1, keepdim=True), 0.0).log_softmax(dim=1)


def _weighted(values: Tensor, log_weight: Tensor, mask: Tensor) -> Tensor:
    return (log_weight.exp() * values).masked_fill(~mask, 0.0).sum(dim=1)
