"""The cases of the exhibits: which check tells which variant from our own code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, partial
from typing import Any
from unittest import mock

import numpy as np
import torch

from .. import audit, clicks, evaluation, losses, network, sampling, training
from ..batching import SessionParallel
from ..cells import GRUCell
from ..gru4rec import GRU4Rec
from ..optim import Adagrad
from . import batching as plans
from . import checks, data
from . import evaluation as evaluations
from . import losses as broken
from . import network as networks
from . import optim as optimisers
from . import sampling as samplings
from . import training as loops
from .card import Case


def _own(what: str, check: Callable[[Any], None], ours: Any, variant: Any) -> Case:
    return Case(what, check.__name__, check, ours, variant)


def _loss(what: str, name: str, like: str, variant: Any) -> Case:
    def check(loss: Any) -> None:
        audit.loss(loss, like=like).require(name)

    return Case(what, name, check, losses.LOSSES[like], variant)


def _steps(what: str, name: str, variant: Callable[..., Any]) -> Case:
    """``variant(items, offsets, batch_size)`` gives steps, as `SessionParallel` does."""

    def check(make: Any) -> None:
        audit.batches(make).require(name)

    return Case(what, name, check, SessionParallel, variant)


def _ranking(what: str, name: str, variant: Callable[[Any], Any]) -> Case:
    """``variant(model)`` is a recommender that gets something wrong that the model gets right."""

    def check(wrap: Any) -> None:
        audit.recommender(wrap(_model())).require(name)

    return Case(what, name, check, _as_it_is, variant)


def _as_it_is(model: Any) -> Any:
    return model


@cache
def _model() -> GRU4Rec:
    """A small model, trained in a blink."""
    letters = np.random.default_rng(0).choice(list("abcdefghij"), (40, 5))
    settings = {"layers": (8,), "batch_size": 4, "n_samples": 5, "n_epochs": 2, "compile": False, "device": "cpu"}
    return GRU4Rec(**settings).fit(checks.log_of(*map("".join, letters)), progress=False)  # type: ignore[arg-type]


def _played(variant: Callable[[SessionParallel], Any]) -> Callable[..., Any]:
    return lambda items, offsets, batch_size: variant(SessionParallel(items, offsets, batch_size))


def _scored(net: network.Network, candidates: torch.Tensor) -> torch.Tensor:
    return net.score(torch.ones(4, 6), net.item_out[candidates], net.bias_out[candidates])


def _torchs_first_weights(*settings: Any) -> network.Network:
    net = network.Network(*settings)
    networks.torch_initialisation(net)
    return net


def _epoch_loss(step_losses: list[float], widths: list[int]) -> float:
    """What `training` reports for an epoch whose steps have these losses."""
    given = iter(step_losses)

    def train_step(network: Any, optimiser: Any, loss: Any, step: Any, samples: Any, state: Any, *rest: Any) -> Any:
        return torch.tensor(next(given)), state

    lengths = [sum(width > lane for width in widths) + 1 for lane in range(widths[0])]
    plan = SessionParallel(np.arange(sum(lengths)), np.append(0, np.cumsum(lengths)), widths[0])
    net, sampler = network.Network(sum(lengths), (2,)), sampling.NegativeSampler(torch.ones(1), 0, 0.0)
    with mock.patch.object(training, "train_step", train_step):
        (epoch,) = training.train(net, Adagrad({}, 0.1), losses.bpr, plan, sampler, range(1, 2), progress=False)
    return epoch.loss


def _split_then_filter(log: Any, days: float, **filters: Any) -> tuple[Any, Any]:
    train, test = clicks.split_by_time(log, days, verbose=False)
    return clicks.prepare(train, verbose=False, **filters), test


def _encode_both(train: Any, test: Any) -> tuple[clicks.Sessions, clicks.Sessions]:
    sessions = clicks.encode(train)
    return sessions, clicks.encode(test, sessions.index)


def _drop_repeats(log: Any) -> Any:
    return clicks.prepare(log, min_session=1, drop_repeats=True, verbose=False)


PAIRS, RESETS = "every adjacent pair is there once", "a reset where a session starts, and only there"
EQUATION, PERFECT = "the value is that of the equation", "a perfect ranking costs nothing"


CASES: dict[str, tuple[Case, ...]] = {
    "B1": (_ranking("scores inside a session", "state is reset between sessions", evaluations.StateNotReset),),
    "B2": (_steps("resets of a plan's steps", RESETS, _played(plans.reset_mask_reapplied)),),
    "B3": (_steps("pairs of clicks in an epoch", PAIRS, _played(plans.tail_dropped)),),
    "B4": (
        _loss("a perfect list", PERFECT, "cross-entropy", broken.cross_entropy_of_softmax),
        _loss("value", EQUATION, "cross-entropy", broken.cross_entropy_of_softmax),
    ),
    "B5": (
        _loss("one log for all", "lanes do not influence each other", "bpr-max", broken.bpr_max_of_the_matrix),
        _loss("the target in the softmax", EQUATION, "bpr-max", broken.bpr_max_with_target),
        _loss("no regularisation", EQUATION, "bpr-max", broken.bpr_max_without_regularisation),
    ),
    "B6": (
        _own("none", checks.dropout_zeroes_the_share_asked_for, nullcontext, networks.dead_dropout),
        _own(
            "not of an embedding",
            checks.dropout_zeroes_the_share_asked_for,
            nullcontext,
            networks.embedding_dropout_for_one_hot_only,
        ),
    ),
    "B7": (
        _own(
            "scores of candidates",
            checks.arithmetic_does_not_grow_with_the_catalogue,
            _scored,
            lambda net, candidates: networks.score_all_then_pick(net, torch.ones(4, 6), candidates),
        ),
    ),
    "B8": (
        _own("keep for drop", checks.dropout_zeroes_the_share_asked_for, nullcontext, networks.keep_for_drop),
        _own(
            "accumulator",
            checks.three_steps_of_adagrad_are_numpys,
            lambda optimiser, step: None,
            lambda optimiser, step: optimisers.warm_accumulator(optimiser) if step == 0 else None,
        ),
        _own(
            "decay",
            checks.three_steps_of_adagrad_are_numpys,
            lambda optimiser, step: None,
            lambda optimiser, step: optimisers.decay(optimiser),
        ),
        _steps(
            "batch size",
            "few sessions are enough",
            lambda items, offsets, lanes: plans.fixed_batch_size(SessionParallel(items, offsets, lanes), lanes),
        ),
    ),
    "B9": (
        _own("settings", checks.settings_are_heard, network.Network, networks.hard_coded),
        _ranking("a class too many", "one column for each item", evaluations.GhostClass),
        _ranking("unknown items", "an unknown click changes no state", evaluations.UnknownBecomesAnItem),
        _own(
            "rows of clicked items",
            checks.arithmetic_does_not_grow_with_the_catalogue,
            lambda net, clicked: net.input_table[clicked],
            networks.one_hot_matrix,
        ),
    ),
    "B10": (
        _loss("log of 0", "a hopeless target gives a finite loss", "bpr-max", broken.unguarded_bpr_max),
        _own("first weights", checks.first_weights_are_glorot_uniform, network.Network, _torchs_first_weights),
        _own("one dropout", checks.dropout_zeroes_the_share_asked_for, nullcontext, networks.one_dropout_for_two),
    ),
    "B11": (
        _own(
            "means",
            checks.every_prediction_counts_the_same,
            lambda values, widths: evaluation._mean(values),
            evaluations.mean_of_batch_means,
        ),
        _own(
            "loss of an epoch",
            checks.an_epochs_loss_counts_every_click_once,
            _epoch_loss,
            lambda step_losses, widths: loops.mean_of_step_means(np.array(step_losses), np.array(widths)),
        ),
        _own("NaN", checks.a_loss_that_is_no_number_stops_training, training._finite, loops.mean_or_nan),
    ),
    "B12": (_loss("pull", "the target's own score is not regularised", "top1", broken.top1_with_target),),
    "B13": (
        _loss("a perfect list", PERFECT, "bpr", broken.bpr_with_target),
        _own(
            "for any loss",
            checks.negatives_are_the_other_items,
            sampling.negatives,
            samplings.negatives_with_target,
        ),
    ),
    "B14": (
        _own(
            "which way z goes",
            checks.a_gru_step_is_the_papers,
            lambda cell, x, state: cell(x, state),
            networks.swapped_update_gate,
        ),
        _own(
            "reset before, where after is meant",
            checks.a_gru_step_is_torchs,
            partial(GRUCell, reset="after"),
            partial(GRUCell, reset="before"),
        ),
    ),
    "B15": (
        _own(
            "support",
            checks.training_clicks_know_nothing_of_the_test,
            _split_then_filter,
            partial(data.filter_then_split, verbose=False),
        ),
        _own("items", checks.items_come_from_the_training_clicks, _encode_both, data.encode_with_items_of_both),
        _own(
            "popularity",
            checks.a_model_learns_from_the_training_clicks,
            lambda model, train, test: model.fit(train),
            evaluations.trained_on_everything,
        ),
    ),
    "B16": (_own("two files", checks.row_labels_do_not_matter, _drop_repeats, data.drop_repeats_by_label),),
    "B17": (
        _steps("fewer sessions than lanes", "few sessions are enough", plans.needs_a_full_batch),
        _steps("the last lane", PAIRS, _played(plans.stops_at_one_lane)),
    ),
    "B18": (
        _loss(
            "a target far behind",
            "a hopeless target still gets its gradient",
            "cross-entropy",
            broken.saturated_cross_entropy,
        ),
    ),
    "B19": (
        _loss(
            "negatives far below 0",
            "negatives far below the target give a number",
            "bpr-max",
            broken.bpr_max_masked_by_zero,
        ),
    ),
}
