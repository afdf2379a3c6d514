"""The tables of chapters 6 and 9, and how the defaults were chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F

from .. import baselines, batching, clicks
from ..evaluation import compare
from ..gru4rec import GRU4Rec
from ..internal.checks import require_flag, require_whole
from .rows import SEEDS, Parts, Run, figures, fit, split

TUNED: tuple[dict[str, Any], ...] = (  # one setting at a time changed from the defaults
    {},
    {"learning_rate": 0.1},
    {"n_samples": 256},
    {"dropout_hidden": 0.0},
    {"dropout_hidden": 0.4},
    {"embedding": "separate"},
    {"logq": 0.0},
)


def training(results: Path) -> Iterator[Run]:
    """GRU4Rec's defaults against popularity and Markov, on the last 14 days (chapter 9)."""
    for name in ("eshop", "toyshop"):
        parts = split(name)
        for model in (baselines.Pop(), baselines.Markov()):
            key = {"dataset": name, "model": type(model).__name__, "seed": 0}
            yield Run(key, asdict(model), partial(fit_and_measure, model, parts), parts.data)
        for seed in SEEDS:
            gru4rec, markov = GRU4Rec(seed=seed), baselines.Markov().fit(parts.train)
            key = {"dataset": name, "model": "GRU4Rec", "seed": seed}
            yield Run(key, asdict(gru4rec), partial(fit_and_compare, gru4rec, markov, parts), parts.data)


def tuning(results: Path) -> Iterator[Run]:
    """How the defaults were chosen: on the last 14 days of the training part, without touching the test part."""
    parts = split("eshop", cuts=2)
    markov = baselines.Markov()
    key = {"changed": "Markov", "seed": 0}
    yield Run(key, asdict(markov), partial(fit_and_measure, markov, parts), parts.data)
    for changed in TUNED:
        model = GRU4Rec(seed=1, **changed)
        key = {"changed": json.dumps(changed), "seed": 1}
        yield Run(key, asdict(model), partial(fit_and_measure, model, parts), parts.data)


def batching_table(results: Path) -> Iterator[Run]:
    """What the gradient sees: one step back, or the whole session (chapter 6)."""
    parts = split("eshop")
    for sees in ("one step", "whole session"):
        for seed in SEEDS:
            key = {"dataset": "eshop", "gradient": sees, "seed": seed}
            settings = {"detach": sees == "one step", "seed": seed}
            yield Run(key, settings, partial(padded_and_measured, parts, **settings), parts.data)


def fit_and_measure(model, parts: Parts) -> dict[str, float]:
    """Train, then measure on the test part."""
    fit(model, parts.train)
    return figures(model, parts.test)


def fit_and_compare(model, other, parts: Parts) -> dict[str, float]:
    """Train, measure, and compare with another model: the paired difference in MRR@20 and its interval."""
    measured = fit_and_measure(model, parts)
    mrr = compare(model, other, parts.test).query("metric == 'mrr'").iloc[0]
    return measured | {name: float(mrr[name]) for name in ("difference", "low", "high")}


def padded_and_measured(parts: Parts, **settings: Any) -> dict[str, float]:
    """`train_padded`, then measure on the test part."""
    return figures(train_padded(parts.train, **settings), parts.test)


def train_padded(train: pd.DataFrame, detach: bool, n_epochs: int = 5, batch_size: int = 128, seed: int = 1) -> GRU4Rec:
    """GRU4Rec trained on padded mini-batches, one update for each: the gradient sees one step back, or the whole
    session.

    Both use the same batches, the same updates and the full softmax; ``detach`` alone decides whether the hidden state
    is cut off from its past at every step.
    """
    require_flag("detach", detach)
    require_whole("batch_size", batch_size)
    model = GRU4Rec(seed=seed, n_epochs=n_epochs, dropout_hidden=0.0)
    log = clicks.encode(train)
    model.items = log.index
    model._build()
    network = model.network
    optimiser = torch.optim.Adagrad(network.parameters(), lr=0.1, eps=1e-6)
    network.train()
    for _ in range(n_epochs):
        for inputs, targets, real in batching.padded(log.items, log.offsets, batch_size):
            state, hidden = network.zeros(len(inputs)), []
            for t in range(inputs.shape[1]):
                state = [s.detach() for s in state] if detach else state
                h, state = network(network.input_table[inputs[:, t]], state)
                hidden.append(h)
            scores = network.score_all(torch.stack(hidden, dim=1)[real])
            optimiser.zero_grad()
            F.cross_entropy(scores, targets[real].to(scores.device)).backward()
            optimiser.step()
    network.eval()
    return model
