"""What all tables share: the parts of a data set, and the measurements."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from .. import clicks, datasets
from ..evaluation import evaluate
from ..gru4rec import GRU4Rec
from ..internal import files
from ..internal.checks import require_whole
from ..recommender import Recommender

SEEDS = (1, 2, 3)


class Run(NamedTuple):
    """One row to be made."""

    key: dict[str, Any]  # what names the row
    settings: dict[str, Any]
    measure: Callable[[], dict[str, float]]
    data: str = ""  # fingerprint of the clicks


class Parts(NamedTuple):
    """A data set's train and test part, prepared, and their fingerprint."""

    train: pd.DataFrame
    test: pd.DataFrame
    data: str


@functools.cache
def split(name: str, cuts: int = 1) -> Parts:
    """Train and test part of a data set, prepared as in the chapters: the last 14 days are the test part.

    With ``cuts=2``, the last 14 days of the *training* part instead: settings are chosen on these, not on the test
    part.
    """
    require_whole("cuts", cuts)
    train = datasets.load(name)
    for _ in range(cuts):
        train, test = clicks.split_by_time(train, days=14, verbose=False)
    return prepared(train, test)


def prepared(train: pd.DataFrame, test: pd.DataFrame) -> Parts:
    """The parts as the chapters prepare them."""
    train = clicks.prepare(train, min_session=2, min_support=5, drop_repeats=True, verbose=False)
    test = clicks.prepare(test, min_session=2, min_support=1, drop_repeats=True, verbose=False)
    return Parts(train, test, fingerprint(train, test))


def fingerprint(train: pd.DataFrame, test: pd.DataFrame) -> str:
    """A fingerprint of the clicks as a model sees them."""
    logs = clicks.encode(train), clicks.encode(test)
    return "-".join(files.fingerprint(log.items, log.offsets, log.times)[:8] for log in logs)


def figures(model, test: pd.DataFrame) -> dict[str, float]:
    """Recall and MRR at 5 and 20, conservative ties."""
    result = evaluate(model, test, cutoffs=(5, 20))
    return {f"{name}@{k}": getattr(result, name)[k] for k in (5, 20) for name in ("recall", "mrr")}


def figures_with_intervals(model, test: pd.DataFrame) -> dict[str, float]:
    """The same, each with its 95 % bootstrap interval over sessions."""
    found = evaluate(model, test, cutoffs=(5, 20)).interval(0.95)
    return {
        f"{row.metric}@{row.cutoff}{suffix}": value
        for row in found.itertuples()
        for suffix, value in (("", row.value), ("_low", row.low), ("_high", row.high))
    }


def fit(model: Recommender, train: pd.DataFrame) -> dict[str, float]:
    """Train silently; for a network, return the median seconds per epoch."""
    with contextlib.redirect_stdout(io.StringIO()):  # the line per epoch
        model.fit(train)
    if not isinstance(model, GRU4Rec):
        return {}
    predictions = len(train) - train["SessionId"].nunique()
    return {"epoch_seconds": predictions / model.history["clicks_per_s"].median()}


def fit_and_measure(model: Recommender, parts: Parts) -> dict[str, float]:
    """Train, then measure on the test part, with intervals."""
    cost = fit(model, parts.train)
    return figures_with_intervals(model, parts.test) | cost
