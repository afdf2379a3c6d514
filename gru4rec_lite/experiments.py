"""Named runs whose tables the chapters show.

    python -m gru4rec_lite.experiments training --out data/results

A run that was stopped goes on where it was: a row that is in the table already, made by the same code, is not made
again. Each row says what made it: seed, settings, seconds, versions, date, and a hash of the package's model code, by
which a test finds stale rows.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import datetime
import hashlib
import io
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from . import baselines, batching, clicks, datasets, training
from .evaluation import compare, evaluate
from .gru4rec import GRU4Rec
from .recommender import Recommender

SEEDS = (1, 2, 3)
TUNED: tuple[dict[str, Any], ...] = (  # one setting at a time away from the defaults
    {},
    {"learning_rate": 0.1},
    {"n_samples": 256},
    {"dropout_hidden": 0.0},
    {"dropout_hidden": 0.4},
    {"embedding": "separate"},
    {"logq": 0.0},
)
# what names a row, the settings, and what measures it
Run = tuple[dict[str, Any], dict[str, Any], Callable[[], dict[str, float]]]


def split(name: str, cuts: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test part of a data set, prepared as in the chapters: the last 14 days are the test part.

    With ``cuts=2`` the last 14 days of the *training* part: what settings are chosen on, the test part untouched.
    """
    train = datasets.load(name)
    for _ in range(cuts):
        train, test = clicks.split_by_time(train, days=14)
    return (
        clicks.prepare(train, min_session=2, min_support=5, drop_repeats=True),
        clicks.prepare(test, min_session=2, min_support=1, drop_repeats=True),
    )


def figures(model, test: pd.DataFrame) -> dict[str, float]:
    """Recall and MRR at 5 and 20, conservative ties."""
    result = evaluate(model, test, cutoffs=(5, 20))
    return {f"{name}@{k}": getattr(result, name)[k] for k in (5, 20) for name in ("recall", "mrr")}


def training_table() -> Iterator[Run]:
    """GRU4Rec's defaults against popularity and Markov, on the last 14 days (chapter 9)."""
    for name in ("eshop", "toyshop"):
        train, test = split(name)
        for model in (baselines.Pop(), baselines.Markov()):
            key = {"dataset": name, "model": type(model).__name__, "seed": 0}
            yield key, asdict(model), partial(fit_and_measure, model, train, test)
        for seed in SEEDS:
            gru4rec, markov = GRU4Rec(seed=seed), baselines.Markov().fit(train)
            key = {"dataset": name, "model": "GRU4Rec", "seed": seed}
            yield key, asdict(gru4rec), partial(fit_and_compare, gru4rec, markov, train, test)


def tuning_table() -> Iterator[Run]:
    """How the defaults were chosen: on the last 14 days of the training part, the test part untouched."""
    train, valid = split("eshop", cuts=2)
    markov = baselines.Markov()
    yield {"changed": "Markov", "seed": 0}, asdict(markov), partial(fit_and_measure, markov, train, valid)
    for changed in TUNED:
        model = GRU4Rec(seed=1, **changed)
        key = {"changed": json.dumps(changed), "seed": 1}
        yield key, asdict(model), partial(fit_and_measure, model, train, valid)


def batching_table() -> Iterator[Run]:
    """What the gradient sees: one step back, or the whole session (chapter 6)."""
    train, test = split("eshop")
    for sees in ("one step", "whole session"):
        for seed in SEEDS:
            key = {"dataset": "eshop", "gradient": sees, "seed": seed}
            settings = {"detach": sees == "one step", "seed": seed}
            yield key, settings, partial(padded_and_measured, train, test, **settings)


def padded_and_measured(train: pd.DataFrame, test: pd.DataFrame, **settings: Any) -> dict[str, float]:
    """`train_padded`, then measure on the test part."""
    return figures(train_padded(train, **settings), test)


def fit_and_measure(model: Recommender, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """Train, then measure on the test part."""
    with contextlib.redirect_stdout(io.StringIO()):  # the line per epoch
        model.fit(train)
    return figures(model, test)


def fit_and_compare(model, other, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """Train, measure, and compare with another model: the paired difference in MRR@20 and its interval."""
    measured = fit_and_measure(model, train, test)
    mrr = compare(model, other, test).query("metric == 'mrr'").iloc[0]
    return measured | {name: float(mrr[name]) for name in ("difference", "low", "high")}


def train_padded(train: pd.DataFrame, detach: bool, n_epochs: int = 5, batch_size: int = 128, seed: int = 1) -> GRU4Rec:
    """GRU4Rec trained on padded mini-batches, one update for each: its gradient sees one step back, or the whole
    session.

    Same batches, same updates, full softmax; ``detach`` alone decides whether the hidden state is cut from its past at
    every step.
    """
    model = GRU4Rec(seed=seed, n_epochs=n_epochs, dropout_hidden=0.0)
    log = clicks.encode(train)
    model.items = log.index
    model._build()
    network = model.network
    optimiser = torch.optim.Adagrad(network.parameters(), lr=0.1, eps=1e-6)
    network.train()
    for epoch in range(n_epochs):
        with training.seeded(seed, epoch + 1, torch.device("cpu")):
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


TABLES = {"training": training_table, "tuning": tuning_table, "batching": batching_table}
MODEL_CODE = (
    "clickfile", "columns", "order", "clicks", "toyshop", "metrics", "evaluation", "recommender", "cells", "network",
    "packed", "batching", "sampling", "losses", "optim", "compiling", "training", "settings", "gru4rec",
    "baselines/pop", "baselines/markov", "datasets", "experiments",
)  # fmt: skip


def code_hash() -> str:
    """A hash of the model code's syntax tree without docstrings: better words make no result stale."""
    digest = hashlib.sha256()
    for module in MODEL_CODE:
        tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text("utf8"))
        digest.update(repr(_shape(tree)).encode())
    return digest.hexdigest()[:12]


def _shape(node: Any) -> Any:
    """A syntax tree as nested lists, without docstrings and empty fields: the same in every version of Python."""
    if isinstance(node, list):
        docstring = node and isinstance(node[0], ast.Expr) and isinstance(node[0].value, ast.Constant)
        return [_shape(child) for child in (node[1:] if docstring else node)]
    if isinstance(node, ast.AST):
        fields = [(name, _shape(value)) for name, value in ast.iter_fields(node) if value not in (None, [])]
        return [type(node).__name__, *fields]
    return repr(node)


def run(name: str, out: Path) -> pd.DataFrame:
    """Make the rows of a table that are missing or stale, one by one, writing the file after each."""
    path, code = out / f"{name}.csv", code_hash()
    out.mkdir(parents=True, exist_ok=True)
    fresh = pd.read_csv(path).query("code == @code").to_dict("records") if path.exists() else []
    rows: list[dict[str, Any]] = []
    for key, settings, measure in TABLES[name]():
        same = [row for row in fresh if key.items() <= row.items()]
        if same:
            rows.append(same[0])
            continue
        began = time.perf_counter()
        measured = {metric: round(value, 4) for metric, value in measure().items()}
        made = {
            "seconds": round(time.perf_counter() - began, 1),
            "date": datetime.date.today().isoformat(),
            "settings": json.dumps(settings),
            "versions": f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}",
            "code": code,
        }
        rows.append(key | measured | made)
        later = [row for row in fresh if row not in rows]  # not reached yet, and not to be lost if we are stopped
        pd.DataFrame(rows + later).to_csv(path, index=False)
        print(", ".join(f"{name} {value}" for name, value in (key | measured).items()), flush=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return pd.DataFrame(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make a table of results.")
    parser.add_argument("name", choices=sorted(TABLES))
    parser.add_argument("--out", type=Path, default=Path("data/results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the same sums in the same order on every machine
    run(arguments.name, arguments.out)


if __name__ == "__main__":
    main()
