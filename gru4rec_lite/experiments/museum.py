"""The table of chapter 16: what each bug of the museum costs, in our own network on real clicks.

A row says two things: what the model is worth, and under ``shown_`` what its owner sees, which differs if the bug is in
the evaluation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pandas as pd

from .. import training
from ..evaluation import evaluate
from ..gru4rec import GRU4Rec
from ..museum.bugs import bug
from ..museum.evaluation import LooksAhead
from ..training import Diverged
from .rows import SEEDS, Parts, Run, figures_with_intervals, fit, split

SETTINGS: dict[str, Any] = {"batch_size": 128, "n_samples": 128, "n_epochs": 5, "compile": False}  # as in museum.bug
IN_EVALUATION = (("B1", "state_not_reset"), ("B11", "mean_of_batch_means"), ("B17", "stops_at_one_lane"))


class Bug(NamedTuple):
    """A variant of the museum, and the settings in which it bites, or hides as in practice."""

    exhibit: str
    variant: str
    settings: tuple[tuple[str, Any], ...] = ()


IN_TRAINING = (
    Bug("B4", "cross_entropy_of_softmax"),
    Bug("B18", "saturated_cross_entropy"),
    Bug("B6", "dead_dropout"),
    Bug("B8", "keep_for_drop"),
    Bug("B8", "warm_accumulator"),
    Bug("B9", "hard_coded"),
    Bug("B10", "torch_initialisation"),
    Bug("B10", "one_dropout_for_two"),
    *(
        Bug(exhibit, variant, settings)
        for settings in ((), (("batch_size", 512),), (("batch_size", 32),))
        for exhibit, variant in (("B2", "reset_mask_reapplied"), ("B3", "tail_dropped"))
    ),
    Bug("B12", "top1_with_target", (("loss", "top1"),)),
    Bug("B13", "bpr_with_target", (("loss", "bpr"),)),
    Bug("B5", "bpr_max_of_the_matrix", (("loss", "bpr-max"),)),
    Bug("B5", "bpr_max_with_target", (("loss", "bpr-max"),)),
    Bug("B5", "bpr_max_without_regularisation", (("loss", "bpr-max"),)),
    Bug("B10", "unguarded_bpr_max", (("loss", "bpr-max"),)),
    Bug("B19", "bpr_max_masked_by_zero", (("loss", "bpr-max"),)),
    Bug("B2", "reset_mask_reapplied", (("batch_size", 8),)),
)


def museum(results: Path) -> Iterator[Run]:
    """Our network on eshop, without and with each bug, once for each seed."""
    parts = split("eshop")
    for seed in SEEDS:
        for number, variant in IN_EVALUATION:
            yield _row(Bug(number, variant), seed, parts, evaluated_with)
        yield _row(Bug("B15", "trained_on_everything"), seed, parts, trained_on_the_test)
        yield _row(Bug("no number", "LooksAhead"), seed, parts, looking_ahead)
        yield _row(Bug("no number", "narrow_steps_scaled"), seed, parts, narrow_steps_scaled)
        for settings in dict.fromkeys(one.settings for one in IN_TRAINING):
            bugs = [one for one in IN_TRAINING if one.settings == settings]
            for one in (Bug("none", "none", settings), *bugs):
                yield _row(one, seed, parts, trained_with)


def _row(one: Bug, seed: int, parts: Parts, measure: Callable) -> Run:
    model = GRU4Rec(**(SETTINGS | dict(one.settings)), seed=seed)
    key: dict[str, Any] = {"dataset": "eshop", "exhibit": one.exhibit, "variant": one.variant}
    key |= {"loss": model.loss, "batch_size": model.batch_size, "seed": seed}
    return Run(key, asdict(model), partial(measure, one, model, parts), parts.data)


def trained_with(one: Bug, model: GRU4Rec, parts: Parts) -> dict[str, float]:
    """Figures of a model trained with the bug; only ``diverged`` if the loss stopped being a number."""
    within = nullcontext() if one.exhibit == "none" else bug(one.exhibit, one.variant)
    try:
        with within:
            fit(model, parts.train)
            shown = seen(model, parts.test)
    except Diverged:
        return {"diverged": 1.0}
    return figures_with_intervals(model, parts.test) | shown | {"diverged": 0.0}


def evaluated_with(one: Bug, model: GRU4Rec, parts: Parts) -> dict[str, float]:
    """A healthy model, and what an evaluation with the bug shows of it."""
    healthy = _healthy(model.seed)
    with bug(one.exhibit, one.variant):
        shown = seen(healthy, parts.test)
    return figures_with_intervals(healthy, parts.test) | shown | {"diverged": 0.0}


def trained_on_the_test(one: Bug, model: GRU4Rec, parts: Parts) -> dict[str, float]:
    """B15 at its worst: the model also trains on the test clicks. Its true worth is measured without them."""
    fit(model, pd.concat([parts.train, parts.test], ignore_index=True))
    return figures_with_intervals(_healthy(model.seed), parts.test) | seen(model, parts.test) | {"diverged": 0.0}


def looking_ahead(one: Bug, model: GRU4Rec, parts: Parts) -> dict[str, float]:
    """A healthy model whose evaluation shows it the very click that it should predict."""
    healthy = _healthy(model.seed)
    return figures_with_intervals(healthy, parts.test) | seen(LooksAhead(healthy), parts.test) | {"diverged": 0.0}


def narrow_steps_scaled(one: Bug, model: GRU4Rec, parts: Parts) -> dict[str, float]:
    """Not a bug, but B3's effect on training without losing clicks: fewer lanes move weights proportionally less."""
    ours = training.train_step

    def train_step(network: Any, optimiser: Any, loss: Any, step: Any, *rest: Any) -> Any:
        rate = optimiser.lr
        optimiser.lr = rate * len(step.inputs) / model.batch_size
        try:
            return ours(network, optimiser, loss, step, *rest)
        finally:
            optimiser.lr = rate

    with mock.patch.object(training, "train_step", train_step):
        fit(model, parts.train)
    return figures_with_intervals(model, parts.test) | seen(model, parts.test) | {"diverged": 0.0}


def seen(model: Any, test: pd.DataFrame) -> dict[str, float]:
    """What the owner is shown: the figures, and the number of predictions."""
    result = evaluate(model, test, cutoffs=(20,))
    return {
        "shown_recall@20": result.recall[20],
        "shown_mrr@20": result.mrr[20],
        "shown_predictions": result.n_predictions,
    }


@functools.cache
def _healthy(seed: int) -> GRU4Rec:
    model = GRU4Rec(**SETTINGS, seed=seed)
    fit(model, split("eshop").train)
    return model
