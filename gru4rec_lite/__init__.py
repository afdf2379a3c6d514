"""GRU4Rec and everything around it: session-based recommendation, small, tested, and explained in a course book.

import gru4rec_lite as g4r
model = g4r.GRU4Rec().fit(train)
model.recommend(["A13", "A16"])
"""

from __future__ import annotations

import importlib
from typing import Any

from . import baselines, batching, cells, clicks, datasets, losses, metrics, network, optim, sampling, toyshop, training
from .evaluation import Result, compare, evaluate
from .gru4rec import GRU4Rec
from .recommender import Recommender

__version__ = "0.1.0"
__all__ = [
    "GRU4Rec", "Recommender", "Result", "baselines", "batching", "cells", "clicks", "compare", "datasets", "evaluate",
    "losses", "metrics", "network", "optim", "sampling", "toyshop", "training",
]  # fmt: skip

_LAZY = {name: f".{name}" for name in ("audit", "exercises", "experiments", "museum", "plots", "solutions", "widgets")}
_LAZY["products"] = ".internal.products"  # not needed to train, so loaded only on first use


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(_LAZY[name], __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
