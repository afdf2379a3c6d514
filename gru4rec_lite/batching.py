"""Session-parallel mini-batches: sessions of any length side by side, without padding.

A mini-batch has B lanes. Each lane plays one session click by click; when its session ends, the lane takes the next
session of the log at the next step, and its hidden state starts from zero. Nothing is padded, and every adjacent pair
of clicks is used exactly once. When no session is left to start, lanes end and the mini-batch gets narrower.

Source: Hidasi et al., ICLR 2016, §3.1.1 and figure 2.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

CHUNK = 4096  # steps whose tensors are on the device at a time


class Step(NamedTuple):
    """One mini-batch, ``b <= B`` rows wide."""

    inputs: Tensor  # (b,) int64, the click that each lane feeds
    targets: Tensor  # (b,) int64, the click that follows it in the same session
    resets: Tensor  # (b,) bool, true where the row starts a session: its state must be zero
    lanes: Tensor  # (b,) int64, the row's place in the step before, to carry its state when the batch shrinks


class SessionParallel:
    """One epoch of session-parallel mini-batches, laid out as a plan before the first step.

    Args:
        items: ``(n,)`` item numbers, session after session.
        offsets: ``(S + 1,)``; session s is ``items[offsets[s]:offsets[s + 1]]``. Sessions of fewer than two clicks
            yield nothing.
        batch_size: lanes B, at least 1; with fewer sessions the steps are narrower.
        device: where the steps' tensors are made.

    Iterating yields `Step`; ``len`` is the number of steps. ``widths`` ``(T,)`` is the number of rows of each step.

    Raises:
        ValueError: batch_size below 1.
    """

    def __init__(self, items, offsets, batch_size: int, device: torch.device | str = "cpu"):
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size={batch_size!r}: must be a whole number of at least 1")
        items, offsets = np.asarray(items, dtype=np.int64), np.asarray(offsets, dtype=np.int64)
        self.device = device
        n_steps = np.diff(offsets) - 1  # a session of L clicks takes L - 1 steps
        first_click, n_steps = offsets[:-1][n_steps > 0], n_steps[n_steps > 0]
        start, lane, lane_end = _schedule(n_steps, batch_size)

        # widths and, for every lane, its row among the lanes still alive
        ends = np.unique(lane_end)  # the batch is the same between two of these
        alive = lane_end[None, :] >= ends[:, None]  # (E, B)
        row_of = alive.cumsum(axis=1) - 1
        self.widths = np.repeat(alive.sum(axis=1), np.diff(ends, prepend=0))
        self._at = np.concatenate(([0], self.widths.cumsum()))  # (T + 1,) where each step begins in the flat plan

        # every pair of adjacent clicks goes to its step and row
        session = np.repeat(np.arange(len(n_steps)), n_steps)
        position = np.arange(len(session)) - np.repeat(n_steps.cumsum() - n_steps, n_steps)
        click, step = first_click[session] + position, start[session] + position
        place = self._at[step] + row_of[np.searchsorted(ends, step, side="right"), lane[session]]
        self._inputs, self._targets = np.empty_like(click), np.empty_like(click)
        self._resets = np.empty(len(click), dtype=bool)
        self._inputs[place], self._targets[place], self._resets[place] = items[click], items[click + 1], position == 0

        # where the batch shrinks the surviving rows move up; everywhere else row i stays row i
        self._moves = {int(ends[e]): row_of[e][alive[e + 1]] for e in range(len(ends) - 1)}

    def __len__(self) -> int:
        return len(self.widths)

    def __iter__(self) -> Iterator[Step]:
        stay = torch.arange(int(self.widths.max(initial=0)), device=self.device)
        moves = {step: torch.from_numpy(rows).to(self.device) for step, rows in self._moves.items()}
        for first in range(0, len(self), CHUNK):
            at = self._at[first : first + CHUNK + 1]
            whole = slice(at[0], at[-1])
            chunk = [
                torch.from_numpy(a[whole]).to(self.device, copy=True)
                for a in (self._inputs, self._targets, self._resets)
            ]
            widths = self.widths[first : first + CHUNK].tolist()
            for step, (inputs, targets, resets) in enumerate(
                zip(*(a.split(widths) for a in chunk), strict=True), first
            ):
                yield Step(inputs, targets, resets, moves[step] if step in moves else stay[: len(inputs)])


def padded(items, offsets, batch_size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The usual way, for comparison: ``batch_size`` sessions at a time, padded to the longest of them.

    Yields:
        inputs ``(b, T)``, targets ``(b, T)`` and which cells are real ``(b, T)`` bool; in the others stands item 0.
    """
    items, offsets = np.asarray(items), np.asarray(offsets)
    starts, n_pairs = offsets[:-1], np.diff(offsets) - 1
    starts, n_pairs = starts[n_pairs > 0], n_pairs[n_pairs > 0]
    for first in range(0, len(starts), batch_size):
        start, length = starts[first : first + batch_size, None], n_pairs[first : first + batch_size, None]
        position = np.arange(length.max())
        real = position < length
        click = np.where(real, start + position, 0)
        inputs, targets = np.where(real, items[click], 0), np.where(real, items[click + 1], 0)
        yield torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(real)


def padding_waste(lengths, batch_size: int) -> float:
    """Share of cells without a pair when sessions of ``lengths`` ``(S,)`` clicks are padded in their order."""
    n_pairs = np.asarray(lengths)[np.asarray(lengths) > 1] - 1
    first = np.arange(0, len(n_pairs), batch_size)
    rows = np.diff(first, append=len(n_pairs))
    return 1 - n_pairs.sum() / (np.maximum.reduceat(n_pairs, first) * rows).sum()


def _schedule(n_steps: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which lane plays each session, and from which step on.

    Args:
        n_steps: ``(S,)`` steps that each session takes, all at least 1.

    Returns:
        start ``(S,)`` and lane ``(S,)`` of each session, and ``(lanes,)`` the step at which each lane ends for good.
    """
    n_lanes = min(batch_size, len(n_steps))
    start, lane = np.zeros(len(n_steps), dtype=np.int64), np.arange(len(n_steps))
    # one integer per lane, end · B + lane: the smallest is the lane that is free first, the lower lane on a tie
    free = [int(n) * n_lanes + i for i, n in enumerate(n_steps[:n_lanes])]
    heapq.heapify(free)
    for s, n in enumerate(n_steps[n_lanes:].tolist(), start=n_lanes):
        start[s], lane[s] = divmod(free[0], n_lanes)
        heapq.heapreplace(free, free[0] + n * n_lanes)
    lane_end = np.zeros(n_lanes, dtype=np.int64)
    for key in free:
        end, i = divmod(key, n_lanes)
        lane_end[i] = end
    return start, lane, lane_end
