"""Bugs switched on in our own GRU4Rec, for as long as a ``with`` block lasts.

A bug is a few patches of the form (owner, name, make): for a while, ``owner.name`` is what ``make`` returns for it.
Each patch is where training and evaluation look the name up. Since it wraps what is there, bugs can be nested.

Inside a bug, training runs uncompiled, so that the patched code is what runs. Compare prices with ``compile=False``, so
that rounding is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock  # it patches and restores, even after an exception; no tests involved

import torch
from torch import Tensor

from .. import evaluation, gru4rec, training
from ..batching import SessionParallel
from ..gru4rec import GRU4Rec
from ..losses import LOSSES
from ..network import Network
from . import batching as plans
from . import evaluation as evaluations
from . import lanes, losses, network, optim
from . import training as loops

Patch = tuple[Any, str, Callable[[Any], Any]]


def bug(number: str, variant: str | None = None) -> AbstractContextManager[None]:
    """Inside ``with museum.bug("B4"):`` our own GRU4Rec is trained and evaluated with that bug.

    Args:
        number: "B1" to "B19"; a bug in one loss changes nothing with another loss.
        variant: which of the bug's variants, see `BUGS`; None: the first.

    Raises:
        ValueError: no such bug or variant, or not one that concerns training or evaluating a GRU4Rec.
    """
    if number not in BUGS:
        raise ValueError(
            f"number={number!r}: must be one of {', '.join(BUGS)}; the other exhibits show theirs in cases"
        )
    variants = BUGS[number]
    if variant is None:
        variant = next(iter(variants))
    if variant not in variants:
        raise ValueError(f"variant={variant!r}: {number} has {', '.join(variants)}")
    return _patched(*variants[variant], (training, "pays_to_compile", lambda pays: lambda *arguments: False))


@contextmanager
def _patched(*patches: Patch) -> Iterator[None]:
    with ExitStack() as stack:
        for owner, name, make in patches:
            if isinstance(owner, dict):
                stack.enter_context(mock.patch.dict(owner, {name: make(owner[name])}))
            else:
                stack.enter_context(mock.patch.object(owner, name, make(getattr(owner, name))))
        yield


# --- the patches, by the place of the bug


def _loss(name: str, variant: Callable[..., Tensor]) -> Patch:
    return LOSSES, name, lambda ours: variant


def _without_hits(variant: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """For a variant that takes every column for a negative: remove accidental hits, so only the bug has a price."""

    def loss(scores: Tensor, is_negative: Tensor, **settings: float) -> Tensor:
        return variant(scores.masked_fill(~_with_own(is_negative), -float("inf")), is_negative, **settings)

    return loss


def _target_among_negatives(ours: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda scores, is_negative: ours(scores, _with_own(is_negative))


def _with_own(is_negative: Tensor) -> Tensor:
    return is_negative.clone().fill_diagonal_(True)


def _own_among_negatives(ours: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda candidates, targets: _with_own(ours(candidates, targets))


class _Played:
    """A plan of batches, played by a variant."""

    def __init__(self, variant: Callable[..., Iterator], ours: Callable[..., Any], *arguments: Any):
        self.plan, self.variant, self.batch_size = ours(*arguments), variant, arguments[2]

    def __iter__(self) -> Iterator:
        return self.variant(self.plan, self.batch_size)

    def __len__(self) -> int:
        return len(self.plan)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plan, name)


def _plan(variant: Callable[[Any, int], Iterator]) -> Patch:
    return gru4rec, "SessionParallel", lambda ours: partial(_Played, variant, ours)


def _evaluated_in_lanes(steps: Callable[..., Iterator]) -> Patch:
    return evaluation, "click_log", lanes.only_clicks_played(steps)


def _dropout(variant: Callable[[Network], AbstractContextManager[None]]) -> Patch:
    def make(ours: Callable) -> Callable:
        def masks(self: Network, *arguments: Any) -> Any:
            with variant(self):
                return ours(self, *arguments)

        return masks

    return Network, "masks", make


def _state_not_reset(ours: Callable) -> Callable:
    def scores(self: GRU4Rec, items: Any, offsets: Any, times: Any = None) -> Iterator[Tensor]:
        model = SimpleNamespace(items=self.items, scores=partial(ours, self))
        return evaluations.StateNotReset(model).scores(items, offsets, times)

    return scores


def _torch_initialisation(ours: Callable) -> Callable:
    def make(*arguments: Any) -> Network:
        built = ours(*arguments)
        network.torch_initialisation(built, arguments[-1])
        return built

    return make


def _scored_whole(ours: Callable) -> Callable:
    def train_step(network_: Network, optimiser: Any, loss: Any, step: Any, samples: Tensor, *rest: Any) -> Any:
        candidates = torch.cat((step.targets, samples))
        scored = partial(network.score_all_then_pick_in_training, network_, candidates)
        with mock.patch.object(network_, "score", scored):
            return ours(network_, optimiser, loss, step, samples, *rest)

    return train_step


def _decaying(ours: Callable) -> Callable:
    """In `training.train_step`: the rate falls after every `optim.STEPS_PER_DECAY` steps, as in that port."""

    def train_step(network_: Network, optimiser: Any, *rest: Any) -> Any:
        result = ours(network_, optimiser, *rest)
        optimiser.steps = getattr(optimiser, "steps", 0) + 1
        if optimiser.steps % optim.STEPS_PER_DECAY == 0:
            optim.decay(optimiser)
        return result

    return train_step


BUGS: dict[str, dict[str, tuple[Patch, ...]]] = {
    "B1": {"state_not_reset": ((GRU4Rec, "scores", _state_not_reset),)},
    "B2": {"reset_mask_reapplied": (_plan(lambda plan, batch_size: plans.reset_mask_reapplied(plan)),)},
    "B3": {
        "tail_dropped": (
            _plan(lambda plan, batch_size: plans.tail_dropped(plan)),
            _evaluated_in_lanes(lambda *log: plans.tail_dropped(SessionParallel(*log))),
        )
    },
    "B4": {"cross_entropy_of_softmax": (_loss("cross-entropy", _without_hits(losses.cross_entropy_of_softmax)),)},
    "B5": {
        "bpr_max_of_the_matrix": (_loss("bpr-max", _without_hits(losses.bpr_max_of_the_matrix)),),
        "bpr_max_with_target": (_loss("bpr-max", losses.bpr_max_with_target),),
        "bpr_max_without_regularisation": (_loss("bpr-max", losses.bpr_max_without_regularisation),),
    },
    "B6": {
        "dead_dropout": (_dropout(network.dead_dropout),),
        "embedding_dropout_for_one_hot_only": (_dropout(network.embedding_dropout_for_one_hot_only),),
    },
    "B7": {"score_all_then_pick": ((training, "train_step", _scored_whole),)},
    "B8": {
        "keep_for_drop": (_dropout(network.keep_for_drop_hidden),),
        "warm_accumulator": ((gru4rec, "Adagrad", lambda ours: lambda *a: optim.warm_accumulator(ours(*a))),),
        "decay": ((training, "train_step", _decaying),),
        "fixed_batch_size": (_plan(plans.fixed_batch_size),),
    },
    "B9": {"hard_coded": ((gru4rec, "Network", lambda ours: network.hard_coded),)},
    "B10": {
        "torch_initialisation": ((gru4rec, "Network", _torch_initialisation),),
        "one_dropout_for_two": (_dropout(network.one_dropout_for_two),),
        "unguarded_bpr_max": (_loss("bpr-max", losses.unguarded_bpr_max),),
    },
    "B11": {
        "mean_of_batch_means": ((evaluation, "Result", lanes.result_by_batch),),
        "nan_in_silence": ((training, "_finite", lambda ours: loops.mean_or_nan),),
    },
    "B12": {"top1_with_target": (_loss("top1", _target_among_negatives(LOSSES["top1"])),)},
    "B13": {
        "bpr_with_target": (_loss("bpr", _target_among_negatives(LOSSES["bpr"])),),
        "negatives_with_target": ((training, "negatives", _own_among_negatives),),
    },
    "B17": {
        "stops_at_one_lane": (
            _plan(lambda plan, batch_size: plans.stops_at_one_lane(plan)),
            _evaluated_in_lanes(lambda *log: plans.stops_at_one_lane(SessionParallel(*log))),
        ),
        "needs_a_full_batch": (_evaluated_in_lanes(plans.needs_a_full_batch),),
    },
    "B18": {"saturated_cross_entropy": (_loss("cross-entropy", _without_hits(losses.saturated_cross_entropy)),)},
    "B19": {"bpr_max_masked_by_zero": (_loss("bpr-max", losses.bpr_max_masked_by_zero),)},
}
