"""New stamps for old rows: code moved, figures should not have, and a sample of rows proves it.

The cheapest rows of each table are made again, at least one of each kind. If their figures agree with the stored ones
to the digit, the hash of the current code is written to all rows; their date, versions and seconds stay those of the
measurement, and a column ``restamped`` says when and by how many rows. Timings prove nothing and are not compared.

Another processor rounds differently, so the stored digits cannot be compared there. Then the sample is made twice, by
the current code and by the code that made the table (``against``, a checkout of it), and these two must agree.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..internal.checks import require_that, require_whole
from .rows import Run
from .table import Row, identity, measured, read, row_of, write

TIMING = re.compile(r"(^|_)(seconds|ms)$|_per_s$")
MADE = ("seconds", "date", "versions", "code", "settings", "data", "restamped")  # columns that are not figures
OTHER_CODE = """
import json, sys
from pathlib import Path
asked = json.load(sys.stdin)
import torch
torch.set_num_threads(1)
import gru4rec_lite
from gru4rec_lite import experiments
if Path(asked["folder"]) not in Path(gru4rec_lite.__file__).resolve().parents:
    sys.exit(f"{gru4rec_lite.__file__} was imported, which is not in {asked['folder']}")
table = experiments.TABLES[asked["name"]]
found = {}
for one in table.rows(Path(asked["out"])):
    whole = json.dumps(one.key | {"settings": json.dumps(one.settings), "data": one.data})
    if whole in asked["sample"]:
        found[whole] = {name: round(value, 4) for name, value in one.measure().items()}
print("\\nRESULT" + json.dumps({"code": experiments.code_hash(table.code), "found": found}))
"""


def restamp(
    name: str,
    runs: list[Run],
    code: str,
    out: Path,
    against: Path | None = None,
    least: int = 3,
    per: str | None = None,
) -> str:
    """Stamp the rows of a table with the hash ``code`` if a sample of them agrees; return a line on what was done.

    Args:
        runs: the runs of the table.
        against: a checkout of the code that made the rows; None: the figures in the table are compared.
        least: minimum number of rows in the sample.
        per: the column that gives a row's kind; None: all text columns except the data set.

    Raises:
        ValueError: figures differ, or rows cannot be stamped; the table is unchanged.
    """
    require_whole("rows", least)
    path = out / f"{name}.csv"
    rows: list[Row] = read(path).to_dict("records")
    stale = [row for row in rows if row["code"] != code]
    if not stale:
        return f"{name}: all {len(rows)} rows are fresh"
    pairs = [(one, row) for one in runs if (row := row_of(one, stale)) is not None]
    _check_pairs(name, pairs, stale)
    sample = _sample(pairs, least, per)
    seconds = sum(row["seconds"] for _, row in sample)
    tqdm.write(f"{name}: {len(sample)} of {len(stale)} stale rows are made again; they took {seconds:.0f} s")
    there = _start(name, sample, out, against) if against else None
    here = [measured(one) for one, _ in sample]
    if there is None:
        expected = [_figures(row, one) for one, row in sample]
    else:
        expected = _finish(name, there, sample, {str(row["code"]) for row in stale})
    _check_agreement(name, sample, here, expected)
    for row in stale:
        row["code"] = code
        row["restamped"] = f"{datetime.date.today().isoformat()}: {len(sample)} of {len(stale)} rows made again"
    write(rows, path)
    return f"{name}: {len(sample)} rows agree to the digit, {len(stale)} are stamped {code}"


def _check_pairs(name: str, pairs: list[tuple[Run, Row]], stale: list[Row]) -> None:
    """ValueError unless every stale row belongs to a run with the same settings and clicks."""
    for one, row in pairs:
        for column, value in identity(one).items():
            if row[column] != value:
                key = ", ".join(map(str, one.key.values()))
                raise ValueError(
                    f"{name}: the row {key} has another {column} ({row[column]}, now {value}); make it again"
                )
    if len(pairs) < len(stale):
        raise ValueError(f"{name}: {len(stale) - len(pairs)} stale rows no longer belong to this table; make it again")


def _sample(pairs: list[tuple[Run, Row]], least: int, per: str | None) -> list[tuple[Run, Row]]:
    """The cheapest row of each kind, and the cheapest others up to ``least``, in the order of the table."""
    kinds: set[tuple] = set()
    chosen: list[int] = []
    cheap = sorted(range(len(pairs)), key=lambda place: pairs[place][1]["seconds"])
    for place in cheap:
        kind = _kind(pairs[place][0], per)
        if kind not in kinds:
            kinds.add(kind)
            chosen.append(place)
    chosen += [place for place in cheap if place not in chosen][: max(0, least - len(chosen))]
    return [pairs[place] for place in sorted(chosen)]


def _kind(one: Run, per: str | None) -> tuple:
    if per is not None:
        require_that("per", per, per in one.key, f"one of the columns {', '.join(one.key)}")
        return (one.key[per],)
    texts = {column: value for column, value in one.key.items() if isinstance(value, str) and column != "dataset"}
    return tuple(value for value in texts.values() if not value.startswith(("{", "[")))


def _figures(row: Row, one: Run) -> dict[str, float]:
    """The figures of a row, without missing ones."""
    empty = [column for column, value in row.items() if isinstance(value, float) and math.isnan(value)]
    return {column: row[column] for column in row if column not in (*MADE, *one.key, *empty)}


def _check_agreement(name: str, sample: list[tuple[Run, Row]], here: list[Row], expected: list[Row]) -> None:
    """ValueError naming every figure that differs, or saying that there is nothing to compare."""
    differ, compared = [], 0
    for (one, _), now, before in zip(sample, here, expected, strict=True):
        for column in {**before, **now}:
            if TIMING.search(column):
                continue
            compared += 1
            values = before.get(column, math.nan), now.get(column, math.nan)
            if values[0] != values[1] and not all(math.isnan(value) for value in values):
                differ.append(f"{', '.join(map(str, one.key.values()))}: {column} was {values[0]}, is {values[1]}")
    if differ:
        listed = "\n  ".join(differ)
        raise ValueError(f"{name}: {len(differ)} of {compared} figures differ, so no row is stamped:\n  {listed}")
    if compared == 0:
        raise ValueError(f"{name}: holds only timings, which prove nothing; make it again")


def _start(name: str, sample: list[tuple[Run, Row]], out: Path, against: Path) -> subprocess.Popen:
    """Make the same rows with other code, in a process of its own that runs alongside."""
    folder = against.resolve()
    require_that(
        "against", str(against), (folder / "gru4rec_lite").is_dir(), "a checkout, with the folder gru4rec_lite"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_CODE], cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    keys = [json.dumps(identity(one)) for one, _ in sample]
    asked = {"folder": str(folder), "name": name, "out": str(out.resolve()), "sample": keys}
    assert process.stdin is not None
    process.stdin.write(json.dumps(asked))
    process.stdin.close()
    process.stdin = None  # else communicate would close it again
    return process


def _finish(name: str, process: subprocess.Popen, sample: list[tuple[Run, Row]], codes: set[str]) -> list[Row]:
    """What the other code found, in the order of the sample."""
    output = process.communicate()[0]
    if process.returncode != 0 or "\nRESULT" not in output:
        raise ValueError(f"{name}: the other code failed, see above; its exit status is {process.returncode}")
    result: dict[str, Any] = json.loads(output.rpartition("\nRESULT")[2])
    if codes != {result["code"]}:
        raise ValueError(f"{name}: the rows were made by {', '.join(sorted(codes))}, but that code is {result['code']}")
    missing = [one for one, _ in sample if json.dumps(identity(one)) not in result["found"]]
    if missing:
        raise ValueError(f"{name}: the other code has no row of the same key, settings and clicks as {missing[0].key}")
    return [result["found"][json.dumps(identity(one))] for one, _ in sample]
