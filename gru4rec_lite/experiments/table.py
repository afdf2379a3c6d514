"""A table of results as a file: its rows, which of them belongs to a run, and how a run is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from ..internal import atomic
from .rows import Run

Row = dict[str, Any]


def read(path: Path) -> pd.DataFrame:
    """A table of results."""
    return pd.read_csv(path, dtype={"code": str, "data": str})  # a hash of digits alone is not a number


def write(rows: list[Row], path: Path) -> None:
    """Write all or nothing: an interruption does not lose existing rows."""
    text = pd.DataFrame(rows).to_csv(None, index=False, lineterminator="\n")
    atomic.write(path, [text.encode()])


def identity(one: Run) -> Row:
    """What identifies the row of a run: key, settings and clicks."""
    return one.key | {"settings": json.dumps(one.settings), "data": one.data}


def row_of(one: Run, rows: list[Row]) -> Row | None:
    """The row that this run made, or the one it replaces (other settings or other clicks); None if there is none."""
    for wanted in (identity(one), one.key):
        for row in rows:
            if wanted.items() <= row.items():
                return row
    return None


def measured(one: Run) -> dict[str, float]:
    """The figures of a run, as stored in a table."""
    return {metric: round(value, 4) for metric, value in one.measure().items()}
