"""Named runs whose tables the chapters show.

    python -m gru4rec_lite.experiments table1 --out results

A stopped run continues where it was: a row already in the table, made by the same code with the same settings from the
same clicks, is not made again, and a stale row stays until its replacement is there. Each row says what made it: seed,
settings, seconds, versions, date, the clicks' fingerprint, and a hash of the package's model code, by which a test
finds stale rows.

    python -m gru4rec_lite.experiments --restamp all --out results

gives rows the hash of the current code if a sample of them, made again, shows the same figures (see `restamping`).
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from .. import datasets
from ..internal.checks import as_path, require_one_of, require_that
from . import chapters, mechanisms, museum, paper
from .chapters import train_padded
from .code import LOGS, NETWORK, code_hash
from .restamping import restamp
from .rows import Run, split
from .table import Row, identity, measured, read, row_of, write

__all__ = ["TABLES", "Run", "Table", "code_hash", "main", "read", "restamp_tables", "run", "split", "train_padded"]


class Table(NamedTuple):
    """A table: a function from the folder of results to its rows, and the modules that decide their figures."""

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


RECORDS = ("tuning", "tune")  # records of decisions, made by the code of their day: never stale


def run(name: str, out: Path) -> pd.DataFrame:
    """Make a table's missing and stale rows one by one, writing the file after each.

    Raises:
        ValueError: no such table.
    """
    require_one_of("name", name, TABLES)
    out = as_path("out", out)
    path, code = out / f"{name}.csv", code_hash(TABLES[name].code)
    out.mkdir(parents=True, exist_ok=True)
    left = read(path).to_dict("records") if path.exists() else []  # rows not yet reached
    rows: list[Row] = []
    hide = bool(os.environ.get("TQDM_DISABLE"))
    for one in tqdm(TABLES[name].rows(out), desc=name, unit=" rows", disable=hide):
        there = row_of(one, left)
        if there is not None and (identity(one) | {"code": code}).items() <= there.items():
            rows.append(there)
            left = [row for row in left if row is not there]
            continue
        began = time.perf_counter()
        figures = measured(one)
        made = {
            "seconds": round(time.perf_counter() - began, 1),
            "date": datetime.date.today().isoformat(),
            "versions": f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}",
            "code": code,
        }
        rows.append(one.key | figures | made | identity(one))
        left = [row for row in left if row is not there]
        write(rows + left, path)
        tqdm.write(", ".join(f"{name} {value}" for name, value in (one.key | figures).items()))
    write(rows, path)
    return pd.DataFrame(rows)


def restamp_tables(
    names: Sequence[str], out: Path, against: Path | None = None, least: int = 3, per: str | None = None
) -> list[str]:
    """Stamp the rows of these tables ("all": all existing ones) with the hash of the current code, see `restamping`.

    Returns what was refused, and why; the other tables are stamped regardless.
    """
    out, against = as_path("out", out), None if against is None else as_path("against", against)
    there = [name for name in TABLES if (out / f"{name}.csv").exists()]
    names = [name for name in there if name not in RECORDS] if list(names) == ["all"] else list(names)
    refused = []
    for name in names:
        require_that(
            "restamp", name, name in there, f"'all', or one of the tables in {out}: {', '.join(there) or 'none'}"
        )
    for name in names:
        try:
            runs = list(TABLES[name].rows(out))
            tqdm.write(restamp(name, runs, code_hash(TABLES[name].code), out, against, least, per))
        except ValueError as error:
            refused.append(str(error))
            tqdm.write(str(error))
    return refused


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m gru4rec_lite.experiments", description="Make a table of results.")
    parser.add_argument("name", choices=sorted(TABLES), nargs="?")
    parser.add_argument("--out", default="results", help="folder of the tables (default: results)")
    stamp = parser.add_argument_group("existing tables, after code moved and figures should not have")
    stamp.add_argument("--restamp", nargs="+", metavar="NAME", help="remake a sample of rows, then stamp all rows")
    stamp.add_argument("--against", metavar="FOLDER", help="compare with the code of this checkout, not the table")
    stamp.add_argument("--rows", type=int, default=3, help="minimum size of the sample (default: 3, one of each kind)")
    stamp.add_argument("--per", metavar="COLUMN", help="column that defines a kind (default: all text columns)")
    given = parser.parse_args(arguments)
    if (given.name is None) == (given.restamp is None):
        parser.error("give the name of a table, or --restamp and the names of tables")
    torch.set_num_threads(1)  # the same sums in the same order on every machine
    try:
        if given.restamp:
            if restamp_tables(given.restamp, given.out, given.against, given.rows, given.per):
                parser.exit(1)
        else:
            run(given.name, given.out)
    except (datasets.DatasetUnavailable, FileNotFoundError, ValueError) as error:
        parser.exit(1, f"{error}\n")
