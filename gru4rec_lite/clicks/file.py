"""Read a click log's columns from a file: the entry to text, parquet and .jsonl.

Text stays text until every id is known to be an integer; a typed column keeps its type.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..internal.caller import warn
from . import raw
from .columns import ClickLogError, check
from .tables import read_jsonl, read_parquet, require_utf8, unfold
from .text import read_text
from .values import note_floats, note_missing, parse_ids, parse_times, to_pandas

ORDER = "\0order of rows"  # name of the time column for a file that has none


def read_columns(
    path: Path, wanted: dict[str, str], kinds: Collection[str] | None = None, quote: str | None = '"', unit: str = "s"
) -> pd.DataFrame:
    """The wanted columns of a file, checked: ids as in the file, times parsed or, without a column, ``ORDER``.

    Args:
        path: a .csv, .tsv, .txt or .jsonl file, possibly packed as .gz or as a .zip with one file in it, a .parquet
            file, or a folder of .parquet files.
        wanted: column name -> the argument of ``clicks.read`` that names it: session, item, time, events, keep.
        kinds: the values of the events column to keep.
        quote: the quotation mark of a csv, tsv or txt file, or None.
        unit: what numbers in the time column count: s, ms, us or ns.
    """
    if not path.exists():
        raise ClickLogError(f"There is no click log at {path.absolute()}. Remedy: check path={str(path)!r}.")
    notes: list[str] = []
    counted = ""
    try:
        kind = ".parquet" if path.is_dir() else raw.kind_of(path)
        if kind == ".parquet":
            table = read_parquet(path, wanted)
        else:
            table = read_jsonl(path, wanted) if kind == ".jsonl" else read_text(path, wanted, quote, notes)
        table, unfolded = unfold(table, wanted, notes)
        counted = " Rows count clicks, since the file's lists were unfolded." if unfolded else ""
        if kind in (".parquet", ".jsonl"):
            require_utf8(table)
        if kinds is not None:
            table, dropped = _choose(table, next(name for name in wanted if wanted[name] == "events"), kinds)
            counted += " Rows are counted after the selection by events=…." if dropped else ""
        frame = _parse(table, wanted, unit, notes, from_text=kind in (".csv", ".tsv", ".txt"))
        ids = [name for name in wanted if wanted[name] in ("session", "item")]
        times = [name for name in wanted if wanted[name] == "time"]
        if not times:
            frame[ORDER] = np.arange(len(frame))
        frame = check(frame, ids, (times or [ORDER])[0])
    except ClickLogError as error:
        raise ClickLogError(f"{error}{counted if 'First bad row' in str(error) else ''}") from error.__cause__
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, pa.ArrowException) as error:
        raise ClickLogError(f"{path} cannot be read: {error}. Remedy: {raw.remedy(path)}.") from error
    for note in notes:
        warn(note)
    return frame


def _choose(table: pa.Table, column: str, kinds: Collection[str]) -> tuple[pa.Table, int]:
    """The rows whose event is of these kinds, and how many rows are not; a printed line counts both."""
    events = table[column].cast(pa.string())
    chosen = pc.fill_null(pc.is_in(events, value_set=pa.array(kinds, pa.string())), False)
    count = {pair["values"]: pair["counts"] for pair in pc.value_counts(events).to_pylist()}
    kept = {kind: count.pop(kind, 0) for kind in kinds}
    if len(table) and not sum(kept.values()):
        there = ", ".join(f"{kind!r} ({n:,})" for kind, n in sorted(count.items(), key=str))
        raise ClickLogError(f"Column {column!r}: no row has one of events={list(kinds)}. Remedy: choose from {there}.")
    n_dropped = sum(count.values())
    listed = [", ".join(f"{n:,} {kind or 'without a kind'}" for kind, n in one.items()) for one in (kept, count)]
    print(f"kept {sum(kept.values()):,} of {len(table):,} events: {listed[0]}; left out {listed[1] or 'nothing'}")
    return table.filter(chosen) if n_dropped else table, n_dropped


def _parse(table: pa.Table, wanted: dict[str, str], unit: str, notes: list[str], from_text: bool) -> pd.DataFrame:
    columns = {name: table[name] for name in wanted}
    del table

    def parse(name: str) -> tuple[pd.Series, list[str]]:
        column, own = columns.pop(name), []  # type: ignore[var-annotated]
        if wanted[name] == "time":
            return parse_times(column, name, unit, own), own
        return (parse_ids(column, name) if from_text else to_pandas(column, name)), own

    with ThreadPoolExecutor(2) as pool:  # two columns at a time: all of them would need more memory
        parsed = list(pool.map(parse, wanted))
    for name, (column, own) in zip(wanted, parsed, strict=True):
        notes += own
        becomes = {"session": "SessionId", "item": "ItemId"}.get(wanted[name])
        alone = list(wanted.values()).count(wanted[name]) == 1
        if from_text and becomes and alone:  # a session id joined from several columns is text
            note_floats(column, becomes, notes)
        if wanted[name] in ("session", "item", "keep"):
            in_log = name if becomes is None else becomes if alone else None
            note_missing(column, in_log, notes, any_text=becomes is not None)
    return pd.DataFrame({name: column for name, (column, _) in zip(wanted, parsed, strict=True)}, copy=False)
