"""Named runs whose tables the chapters show.

    python -m gru4rec_lite.experiments table1 --out results

A run that was stopped goes on where it was: a row that is in the table already, made by the same code with the same
settings from the same clicks, is not made again. Each row says what made it: seed, settings, seconds, versions, date,
the clicks' fingerprint, and a hash of the package's model code, by which a test finds stale rows.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from .. import datasets
from ..checks import require_one_of, require_path
from . import chapters, mechanisms, museum, paper
from .chapters import train_padded
from .code import code_hash
from .rows import LOGS, NETWORK, Run, split

__all__ = ["TABLES", "Run", "Table", "code_hash", "main", "read", "run", "split", "train_padded"]


class Table(NamedTuple):
    """A table: its rows to be made, given the folder of results, and the modules that decide what stands in them."""

    rows: Callable[[Path], Iterator[Run]]
    code: tuple[str, ...]


BASELINES = tuple(
    f"baselines/{name}" for name in ("by_history", "pop", "s_pop", "item_knn", "bpr_mf", "markov", "sknn")
)
CHAPTERS, MECHANISMS, PAPER = (
    (*LOGS, "experiments/rows", f"experiments/{name}") for name in ("chapters", "mechanisms", "paper")
)
MUSEUM = tuple(
    f"museum/{name}" for name in ("batching", "bugs", "evaluation", "lanes", "losses", "network", "optim", "training")
)
TABLES = {
    "training": Table(chapters.training, (*CHAPTERS, *NETWORK, "baselines/pop", "baselines/markov")),
    "tuning": Table(chapters.tuning, (*CHAPTERS, *NETWORK, "baselines/markov")),
    "batching": Table(chapters.batching_table, (*CHAPTERS, *NETWORK)),
    "tune": Table(paper.tune, (*PAPER, *NETWORK, *BASELINES)),
    "table1": Table(paper.table1, (*PAPER, *BASELINES)),
    **{
        name: Table(getattr(paper, name), (*PAPER, *NETWORK))
        for name in ("table3", "layers", "units", "losses", "cells", "embeddings", "samples")
    },
    **{
        name: Table(getattr(mechanisms, name), (*MECHANISMS, *NETWORK))
        for name in ("parameters", "alphas", "logq", "negatives", "catalogue")
    },
    "museum": Table(museum.museum, (*LOGS, "experiments/rows", "experiments/museum", *MUSEUM, *NETWORK)),
    "rsc15": Table(paper.rsc15, (*PAPER, *NETWORK, *BASELINES)),
}


def run(name: str, out: Path) -> pd.DataFrame:
    """Make the rows of a table that are missing or stale, one by one, writing the file after each.

    Raises:
        ValueError: no such table.
    """
    require_one_of("name", name, TABLES)
    require_path("out", out)
    out = Path(out)
    path, code = out / f"{name}.csv", code_hash(TABLES[name].code)
    out.mkdir(parents=True, exist_ok=True)
    fresh = read(path).query("code == @code").to_dict("records") if path.exists() else []
    rows: list[dict[str, Any]] = []
    hide = bool(os.environ.get("TQDM_DISABLE"))
    for one in tqdm(TABLES[name].rows(out), desc=name, unit=" rows", disable=hide):
        of_this = one.key | {"settings": json.dumps(one.settings), "data": one.data}
        same = [row for row in fresh if of_this.items() <= row.items()]
        if same:
            rows.append(same[0])
            continue
        began = time.perf_counter()
        measured = {metric: round(value, 4) for metric, value in one.measure().items()}
        made = {
            "seconds": round(time.perf_counter() - began, 1),
            "date": datetime.date.today().isoformat(),
            "versions": f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}",
            "code": code,
        }
        rows.append(one.key | measured | made | of_this)
        later = [row for row in fresh if row not in rows]  # not reached yet, and not to be lost if we are stopped
        _write(pd.DataFrame(rows + later), path)
        tqdm.write(", ".join(f"{name} {value}" for name, value in (one.key | measured).items()))
    _write(pd.DataFrame(rows), path)
    return pd.DataFrame(rows)


def read(path: Path) -> pd.DataFrame:
    """A table of results."""
    return pd.read_csv(path, dtype={"code": str, "data": str})  # a hash of digits alone is no number


def _write(table: pd.DataFrame, path: Path) -> None:
    """All or nothing: whoever stops us does not lose the rows that are there."""
    passing = path.with_suffix(".part")
    table.to_csv(passing, index=False)
    passing.replace(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m gru4rec_lite.experiments", description="Make a table of results.")
    parser.add_argument("name", choices=sorted(TABLES))
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the tables (default: results)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the same sums in the same order on every machine
    try:
        run(arguments.name, arguments.out)
    except (datasets.DatasetUnavailable, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")
