"""The steps of a batcher, played back row by row, whatever they look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from .probe import numpy
from .report import Failed

Step = tuple[list, list, list, "list | None"]  # inputs, targets, resets, and lanes if given


PARTS = ("inputs", "targets", "resets", "lanes")


@dataclass
class Row:
    """One row of one step."""

    step: int
    click: int  # the input
    target: int
    resets: bool
    before: Row | None  # the row of the previous step whose state it continues


@dataclass
class Played:
    """A log, and what a batcher made of it."""

    what: str  # which log, for findings to name
    items: np.ndarray
    offsets: np.ndarray
    batch_size: int | None
    rows: list[Row] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    is_padded: bool = False

    def __post_init__(self) -> None:
        sessions = [self.items[a:b].tolist() for a, b in pairwise(self.offsets.tolist())]
        self.sessions = [session for session in sessions if len(session) > 1]  # the others have no pair
        self.firsts = Counter(session[0] for session in self.sessions)
        self.pairs = Counter(pair for session in self.sessions for pair in pairwise(session))
        self.is_unique = len(set(self.items.tolist())) == len(self.items)  # so that every click can be followed

    def read(self, batches: Iterable) -> Played:
        """Play all steps; their exceptions are raised here."""
        last: list[Row] = []
        most = 4 * sum(self.pairs.values()) + 100
        for inputs, targets, resets, lanes in self._steps(batches):
            if len(self.widths) > most or len(self.rows) > most:
                due = sum(self.pairs.values())
                raise Failed(f"{self.what}still going after {len(self.rows):,} pairs, but {due:,} are expected")
            sizes = [len(part) for part in (inputs, targets, resets, inputs if lanes is None else lanes)]
            if len(set(sizes)) > 1:
                counted = ", ".join(f"{n} {part}" for n, part in zip(sizes, PARTS, strict=True))
                raise Failed(f"{self.what}step {len(self.widths)} has {counted}: expected one of each per row")
            rows = []
            for i, (click, target, is_reset) in enumerate(zip(inputs, targets, resets, strict=True)):
                before = _before(i, click, len(inputs), last, lanes)
                rows.append(Row(len(self.widths), click, target, is_reset, before))
            self.widths.append(len(rows))
            self.rows += rows
            last = rows
        return self

    def _steps(self, batches: Iterable) -> Iterator[Step]:
        for step in batches:
            parts = [numpy(part) for part in step]
            if len(parts) < 3:
                raise Failed(f"a step of {len(parts)} parts; expected (inputs, targets, resets), with or without lanes")
            inputs, targets, third = parts[0], parts[1], parts[2].astype(bool)
            if inputs.ndim == 2:
                self.is_padded = True
                yield from _columns(inputs, targets, third)
            else:
                lanes = parts[3].tolist() if len(parts) > 3 else None
                yield inputs.ravel().tolist(), targets.ravel().tolist(), third.ravel().tolist(), lanes


def _before(i: int, click: int, width: int, last: list[Row], lanes: list[int] | None) -> Row | None:
    if lanes is not None:
        return last[lanes[i]] if 0 <= lanes[i] < len(last) else None
    if width < len(last):  # unknown which rows are left: assume the best, the row whose target this is
        return next((row for row in last if row.target == click), None)
    return last[i] if i < len(last) else None


def _columns(inputs: np.ndarray, targets: np.ndarray, is_real: np.ndarray) -> Iterator[Step]:
    """The real cells of a padded batch ``(b, T)``, column by column as steps; padding may be on either side."""
    rows = np.zeros(0, dtype=np.int64)  # rows that were real in the previous column
    for t in range(inputs.shape[1]):
        before, rows = rows, np.flatnonzero(is_real[:, t])
        lanes = [int(np.flatnonzero(before == row)[0]) if row in before else -1 for row in rows]
        if len(rows):
            starts = ~is_real[rows, :t].any(axis=1)
            yield inputs[rows, t].tolist(), targets[rows, t].tolist(), np.atleast_1d(starts).tolist(), lanes


def made(make: Any, lengths: list[int], lanes: int, what: str = "") -> Played:
    """What ``make(items, offsets, batch_size)`` plays of sessions in which every click is a different item."""
    items, offsets = np.arange(sum(lengths)), np.cumsum([0, *lengths])
    return Played(what, items, offsets, lanes).read(make(items, offsets, lanes))
