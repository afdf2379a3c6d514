"""The paper's experiments on freely available clicks (chapter 10): Tables 1 to 3, and one setting at a time.

Settings are chosen by ``tune`` on the last 14 days of the training part, by MRR@20, for baselines and networks alike;
the test part is used only once, by the tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import baselines, datasets, toyshop
from ..gru4rec import GRU4Rec
from ..recommender import Recommender
from ..training import Diverged
from .rows import SEEDS, Parts, Run, figures, fingerprint, fit, fit_and_measure, split

SHOPS = ("eshop", "toyshop")
N_EPOCHS = 5
# the paper's network: one-hot input, the gates of its equations, the lanes' targets as the only negatives
PAPER: dict[str, Any] = {"cell": "gru-paper", "embedding": "one-hot", "n_samples": 0, "n_epochs": N_EPOCHS}
LOSSES = {"TOP1": "top1", "BPR": "bpr", "cross-entropy": "cross-entropy"}
SPACES: dict[str, dict[str, tuple]] = {  # a small space is tried completely, a larger one by N_TRIALS draws
    "Pop": {},
    "SPop": {},
    "ItemKNN": {"lam": (0.0, 5.0, 20.0, 100.0, 500.0), "alpha": (0.25, 0.5, 0.75, 1.0)},
    "BPRMF": {"learning_rate": (0.01, 0.05, 0.1, 0.2, 0.5), "regularisation": (0.0, 0.003, 0.01, 0.03)},
    "Markov": {"kappa": (0.01, 0.1, 1.0, 10.0, 100.0)},
    "SKNN": {"k": (50, 100, 500, 1500), "m": (500, 1000, 5000, 20_000)},
    "VSKNN": {
        "k": (100, 500, 1500),
        "m": (1000, 5000, 20_000),
        "decay": ("linear", "inverse", "log", "quadratic"),
        "neighbour_decay": ("inverse", "log", "quadratic"),
        "idf_weight": (0.0, 2.0, 5.0, 10.0),
    },
    "STAN": {
        "k": (100, 500, 1500),
        "m": (1000, 5000, 20_000),
        "click_scale": (0.15, 0.3, 1.02, 3.0),
        "session_scale": (2.5, 5.0, 20.0, 80.0),
        "item_scale": (0.5, 1.0, 2.05, 4.0, 8.0),
    },
    **{
        key: {
            "batch_size": (32, 50, 100, 200),
            "dropout_hidden": (0.0, 0.2, 0.5),
            "learning_rate": (0.003, 0.01, 0.03, 0.1, 0.2),
            "momentum": (0.0, 0.2, 0.5),
        }
        for key in LOSSES
    },
}
N_TRIALS = 24
TABLE_2: dict[str, dict[str, Any]] = {  # the paper's settings for RSC15, 100 and 1000 units
    "TOP1": {"batch_size": 50, "dropout_hidden": 0.5, "learning_rate": 0.01, "momentum": 0.0},
    "BPR": {"batch_size": 50, "dropout_hidden": 0.2, "learning_rate": 0.05, "momentum": 0.2},
    "cross-entropy": {"batch_size": 500, "dropout_hidden": 0.0, "learning_rate": 0.01, "momentum": 0.0},
}


def trials(model: str) -> list[dict[str, Any]]:
    """The settings that ``tune`` tries: the model's whole space, or N_TRIALS draws without repetition."""
    space = SPACES[model]
    points = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
    if len(points) <= N_TRIALS:
        return points
    return [points[i] for i in np.random.default_rng(0).choice(len(points), N_TRIALS, replace=False)]


def tune(results: Path) -> Iterator[Run]:
    """A search of the same size for every model, on the last days of the training part, one seed."""
    for shop, name in product(SHOPS, SPACES):
        parts = split(shop, cuts=2)
        for changed in trials(name):
            model = network(name, seed=1, **changed) if name in LOSSES else getattr(baselines, name)(**changed)
            key = {"dataset": shop, "model": name, "changed": json.dumps(changed)}
            yield Run(key, asdict(model), partial(_or_nothing, partial(_measure_once, model, parts)), parts.data)


def chosen(results: Path, shop: str, model: str) -> dict[str, Any]:
    """What ``tune`` found best, by MRR@20: in the folder of results, else in the tables that come with the package.

    Raises FileNotFoundError if the search has not been run to its end.
    """
    for folder in (results, datasets.folder() / "results"):
        if (folder / "tune.csv").exists():
            table = pd.read_csv(folder / "tune.csv")
            rows = table[(table["dataset"] == shop) & (table["model"] == model)]
            if {json.dumps(changed) for changed in trials(model)} <= set(rows["changed"]):
                return json.loads(rows.loc[rows["mrr@20"].idxmax(), "changed"])
    raise FileNotFoundError(
        f"{results / 'tune.csv'}: no complete search for {model} on {shop}; python -m gru4rec_lite.experiments tune"
    )


def network(loss: str, units: int = 100, n_layers: int = 1, seed: int = 1, **settings: Any) -> GRU4Rec:
    """The paper's network with one of its losses; cross-entropy is the plain one, without logQ."""
    plain = {"logq": 0.0} if loss == "cross-entropy" else {}
    return GRU4Rec(**PAPER | plain | settings, layers=(units,) * n_layers, loss=LOSSES[loss], seed=seed)


def table1(results: Path) -> Iterator[Run]:
    """Baselines, each with the settings chosen for it; and for the toyshop the best possible."""
    for shop in SHOPS:
        parts = split(shop)
        for name in (name for name in SPACES if name not in LOSSES):
            seeded = name == "BPRMF"
            for seed in SEEDS if seeded else (0,):
                model = getattr(baselines, name)(**chosen(results, shop, name), **({"seed": seed} if seeded else {}))
                key = {"dataset": shop, "model": name, "seed": seed}
                yield _run(key, model, parts)
    oracle = toyshop.Oracle()
    key = {"dataset": "toyshop", "model": "Oracle", "seed": 0}
    yield _run(key, oracle, parts)
    key = {"dataset": "toyshop", "model": "ceiling", "seed": 0}
    yield Run(key, {}, partial(_ceiling, oracle, parts), parts.data)


def table3(results: Path) -> Iterator[Run]:
    """The paper's three losses at 100 and 1000 units, tanh output for the pairwise ones; the other output; ours."""
    for shop in SHOPS:
        parts = split(shop)
        for units in (100, 1000):
            for loss in LOSSES:
                outputs = ("linear", "tanh") if loss == "cross-entropy" else ("tanh", "linear")
                for output in outputs if units == 100 else outputs[:1]:
                    settings = chosen(results, shop, loss) | {"output": output}
                    for seed in SEEDS:
                        key = {"dataset": shop, "loss": loss, "output": output, "units": units, "seed": seed}
                        yield _run(key, network(loss, units, seed=seed, **settings), parts)
        for seed in SEEDS:
            model = GRU4Rec(n_epochs=N_EPOCHS, seed=seed)
            key = {"dataset": shop, "loss": "our defaults", "output": "linear", "units": 100, "seed": seed}
            yield _run(key, model, parts)


def layers(results: Path) -> Iterator[Run]:
    """One, two and three layers of 100 units, cross-entropy."""
    for shop, n_layers, seed in product(SHOPS, (1, 2, 3), SEEDS):
        model = network("cross-entropy", n_layers=n_layers, seed=seed, **chosen(results, shop, "cross-entropy"))
        yield _run({"dataset": shop, "layers": n_layers, "seed": seed}, model, split(shop))


def units(results: Path) -> Iterator[Run]:
    """From 50 to 1000 units, cross-entropy."""
    for shop, width, seed in product(SHOPS, (50, 100, 200, 500, 1000), SEEDS):
        model = network("cross-entropy", width, seed=seed, **chosen(results, shop, "cross-entropy"))
        yield _run({"dataset": shop, "units": width, "seed": seed}, model, split(shop))


def losses(results: Path) -> Iterator[Run]:
    """All five losses in our default network."""
    return _one_setting("loss", ("cross-entropy", "bpr", "top1", "bpr-max", "top1-max"))


def cells(results: Path) -> Iterator[Run]:
    """The recurrent cell of our default network."""
    return _one_setting("cell", ("gru", "gru-paper", "lstm", "rnn"))


def embeddings(results: Path) -> Iterator[Run]:
    """How an item enters our default network."""
    return _one_setting("embedding", ("one-hot", "separate", "shared"))


def samples(results: Path) -> Iterator[Run]:
    """How many extra negatives a step of our default network has."""
    return _one_setting("n_samples", (0, 32, 128, 512, 2048))


def rsc15(results: Path) -> Iterator[Run]:
    """The paper's own experiment, for a GPU: RSC15, its protocol, the settings of its Table 2, 10 epochs, one seed."""
    train, test = datasets.published_split("yoochoose", datasets.load("yoochoose"))
    parts = Parts(train, test, fingerprint(train, test))
    for name in ("Pop", "SPop", "ItemKNN", "BPRMF"):
        model = getattr(baselines, name)()
        yield _run({"model": name, "units": 0, "seed": 0}, model, parts)
    for width, loss in product((100, 1000), LOSSES):
        model = network(loss, width, **TABLE_2[loss] | {"n_epochs": 10})
        yield _run({"model": loss, "units": width, "seed": 1}, model, parts)


def _one_setting(name: str, values: tuple) -> Iterator[Run]:
    for value, seed in product(values, SEEDS):
        model = GRU4Rec(n_epochs=N_EPOCHS, seed=seed, **{name: value})
        yield _run({"dataset": "eshop", name: value, "seed": seed}, model, split("eshop"))


def _run(key: dict[str, Any], model: Any, parts: Parts) -> Run:
    return Run(key, asdict(model), partial(_or_nothing, partial(fit_and_measure, model, parts)), parts.data)


def _measure_once(model: Recommender, parts: Parts) -> dict[str, float]:
    fit(model, parts.train)
    return figures(model, parts.test)


def _or_nothing(measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What was measured; NaN if training diverged, which is a result too."""
    try:
        return measure()
    except Diverged:
        return {f"{name}@{k}": float("nan") for k in (5, 20) for name in ("recall", "mrr")}


def _ceiling(oracle: toyshop.Oracle, parts: Parts) -> dict[str, float]:
    table = oracle.ceiling(parts.test, (5, 20)).set_index("cutoff")
    return {f"{name}@{k}": table.loc[k, name] for k in (5, 20) for name in ("recall", "mrr")}
