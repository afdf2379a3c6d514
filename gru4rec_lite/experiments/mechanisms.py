"""The tables of chapters 4, 7 and 8: what a cell, the negatives and a loss are worth when little else differs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ..batching import Step
from ..gru4rec import GRU4Rec
from ..losses import LOSSES
from ..network import Network
from ..optim import Adagrad
from ..sampling import NegativeSampler
from ..training import train_step
from .rows import SEEDS, Run, fit_and_measure, split

N_EPOCHS = 5
CATALOGUES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000)
LANES, UNITS, N_SAMPLES, STEPS = 32, 100, 2048, 40  # for the steps that `catalogue` times


def parameters(results: Path) -> Iterator[Run]:
    """The cells at equal numbers of weights: each is as wide as brings the network closest to a GRU of 100 units."""
    n_items = split("eshop").train["ItemId"].nunique()
    weights = n_weights(n_items, "gru", UNITS)
    for cell in ("gru", "gru-paper", "lstm", "rnn"):
        width = min(range(UNITS // 2, 3 * UNITS), key=lambda units: abs(n_weights(n_items, cell, units) - weights))
        key = {"cell": cell, "units": width, "parameters": n_weights(n_items, cell, width)}
        yield from _seeds(key, cell=cell, layers=(width,))


def n_weights(n_items: int, cell: str, units: int) -> int:
    """Parameters of our default network with this cell."""
    with torch.device("meta"):  # count parameters without allocating them
        return sum(p.numel() for p in Network(n_items, (units,), cell).parameters())


def alphas(results: Path) -> Iterator[Run]:
    """From uniform negatives to those by popularity, with few enough of them for it to matter."""
    for alpha in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield from _seeds({"sample_alpha": alpha}, sample_alpha=alpha, n_samples=32)


def logq(results: Path) -> Iterator[Run]:
    """With and without the correction of scores, for few and for many negatives."""
    for n_samples, strength in product((0, 32, 2048), (0.0, 0.5, 1.0)):
        yield from _seeds({"n_samples": n_samples, "logq": strength}, n_samples=n_samples, logq=strength)


def negatives(results: Path) -> Iterator[Run]:
    """Each loss with no, some and many extra negatives."""
    for loss, n_samples in product(LOSSES, (0, 128, 2048)):
        yield from _seeds({"loss": loss, "n_samples": n_samples}, loss=loss, n_samples=n_samples)


def catalogue(results: Path) -> Iterator[Run]:
    """Milliseconds of a training step that scores every item, and of one that scores a sample."""
    for candidates, n_items in product(("all", f"{N_SAMPLES:,} samples"), CATALOGUES):
        key = {"candidates": candidates, "items": n_items, "seed": 0}
        settings = {"lanes": LANES, "units": UNITS, "steps": STEPS}
        n_samples = None if candidates == "all" else N_SAMPLES
        yield Run(key, settings, partial(milliseconds, n_items, n_samples), data="no clicks")


def milliseconds(n_items: int, n_samples: int | None) -> dict[str, float]:
    """Median time of our training step on one thread; ``n_samples=None``: every item of the catalogue is a candidate.

    Both are the same step with different candidates, so that only their number differs.
    """
    network = Network(n_items, (UNITS,)).train()
    optimiser = Adagrad(dict(network.named_parameters()), 0.05)
    sampler = NegativeSampler(torch.ones(n_items), n_samples or 0, 0.75)
    everything, state, taken = torch.arange(n_items), network.zeros(LANES), []
    for _ in range(STEPS):
        inputs, targets = torch.randint(n_items, (2, LANES))
        step = Step(inputs, targets, torch.zeros(LANES, dtype=torch.bool), torch.arange(LANES))
        samples = everything if n_samples is None else sampler.draw(1)[0]
        began = time.perf_counter()
        train_step(network, optimiser, LOSSES["cross-entropy"], step, samples, state, sampler)
        taken.append(time.perf_counter() - began)
    return {"ms": 1000 * median(taken)}


def _seeds(key: dict[str, Any], **settings: Any) -> Iterator[Run]:
    """Our default network with these settings, on eshop, once for each seed."""
    parts = split("eshop")
    for seed in SEEDS:
        model = GRU4Rec(n_epochs=N_EPOCHS, seed=seed, **settings)
        yield Run(
            {"dataset": "eshop"} | key | {"seed": seed},
            asdict(model), partial(fit_and_measure, model, parts), parts.data,
        )  # fmt: skip
