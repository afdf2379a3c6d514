"""Session-parallel mini-batches: sessions of any length side by side, without padding.

A mini-batch has B lanes. Each lane plays one session click by click; when its session ends, the lane takes the next
session of the log at the next step, and its hidden state starts from zero. Nothing is padded, and every adjacent pair
of clicks is used exactly once. When no session is left to start, lanes end and the mini-batch gets narrower.

An evaluation has every session at hand, so no session needs to wait for a lane: `side_by_side` starts all sessions at
the same time, the longest first, and those that have ended drop out at the end of the batch.

Source: Hidasi et al., ICLR 2016, §3.1.1 and figure 2.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .internal.checks import (
    require_device,
    require_integers,
    require_offsets,
    require_sessions,
    require_that,
    require_whole,
)

CHUNK = 131_072  # at most this many rows have their tensors on the device at a time,
STEPS = 4096  # and at most this many steps
SESSIONS_AT_ONCE = 65_536  # sessions whose lengths are turned into Python numbers at a time


class Step(NamedTuple):
    """One mini-batch, ``b <= B`` rows wide."""

    inputs: Tensor  # (b,) int64, the click that each lane feeds
    targets: Tensor  # (b,) int64, the click that follows it in the same session
    resets: Tensor  # (b,) bool, true where the row starts a session: its state must be zero
    lanes: Tensor  # (b,) int64, the row's place in the step before, to carry its state when the batch shrinks


class SessionParallel:
    """One epoch of session-parallel mini-batches, laid out as a plan before the first step.

    Args:
        items: ``(n,)`` item numbers, session after session. They are not copied: leave them as they are.
        offsets: ``(S + 1,)``; session s is ``items[offsets[s]:offsets[s + 1]]``. Sessions of fewer than two clicks
            yield nothing.
        batch_size: lanes B, at least 1; with fewer sessions the steps are narrower.
        device: where the steps' tensors are made.

    Iterating yields `Step`; ``len`` is the number of steps. ``widths`` ``(T,)`` is the number of rows of each step,
    ``widths[0]`` the full width: only the tail of the epoch is narrower.

    Besides the clicks, the plan holds 20 bytes per session, which say which lane plays it from which step on, and 8 per
    step. From these the steps are written in chunks of one width, one at a time: 17 bytes per row on the device, about
    60 on the host.

    Raises:
        ValueError: batch_size below 1, offsets that do not fit these items, an unavailable device.
    """

    def __init__(self, items, offsets, batch_size: int, device: torch.device | str = "cpu"):
        require_whole("batch_size", batch_size)
        require_device("device", device)
        require_sessions(items, offsets)
        self.device, self._items, offsets = device, np.asarray(items), np.asarray(offsets, dtype=np.int64)
        n_steps = np.diff(offsets) - 1  # a session of L clicks takes L - 1 steps
        self._first_click, self._n_steps = offsets[:-1][n_steps > 0], n_steps[n_steps > 0].astype(np.int32)
        self._begins, lane_end = _schedule(self._n_steps, int(batch_size))
        self._ends = np.unique(lane_end)  # between two of these steps the batch keeps its lanes
        self._alive = lane_end >= self._ends[:, None]  # (E, lanes) lanes that still play up to each of them
        self.widths = np.repeat(self._alive.sum(axis=1), np.diff(self._ends, prepend=0))

    def __len__(self) -> int:
        return len(self.widths)

    def __iter__(self) -> Iterator[Step]:
        for inputs, targets, resets, lanes in self.chunks():
            stay = lanes if len(lanes) == self.widths[0] else torch.arange(len(lanes), device=self.device)
            for step in zip(inputs.unbind(), targets.unbind(), resets.unbind(), strict=True):
                yield Step(*step, lanes)
                lanes = stay

    def chunks(self) -> Iterator[Step]:
        """The same steps, many of the same width at a time (up to `CHUNK` rows and `STEPS` steps, or one step).

        Yields:
            inputs, targets and resets ``(t, b)``, one step per line, and the lanes ``(b,)`` of the first of them; in
            the other steps row i stays row i. At full width, lanes is the same tensor each time.
        """
        n_lanes = self._alive.shape[1]
        stay = torch.arange(n_lanes, device=self.device)
        playing, n_begun, first = np.empty(0, dtype=np.int64), 0, 0
        for i, (alive, end) in enumerate(zip(self._alive, self._ends.tolist(), strict=True)):
            lanes = stay
            if i > 0:  # where the batch shrinks, the surviving rows move up
                lanes = self._moved(np.flatnonzero(alive[self._alive[i - 1]]))
            while first < end:
                last = min(first + max(1, min(CHUNK // len(lanes), STEPS)), end)
                begin = np.arange(n_begun, np.searchsorted(self._begins, last * n_lanes))  # sessions that begin here
                playing, n_begun = np.concatenate((playing, begin)), n_begun + len(begin)
                chunk = self._written(playing, len(begin), first, last, alive)
                inputs, targets, resets = map(self._moved, chunk)
                yield Step(inputs, targets, resets, lanes)
                playing = playing[self._begins[playing] // n_lanes + self._n_steps[playing] > last]
                first, lanes = last, stay if i == 0 else stay[: len(lanes)]

    def _moved(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        if torch.device(self.device).type == "cuda":  # a copy from pageable memory would wait for all pending work
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)

    def _written(
        self, playing: np.ndarray, n_begin: int, first: int, last: int, alive: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs, targets and resets ``(last - first, b)`` of these steps, from all sessions that play in them.

        The last ``n_begin`` of these sessions begin here, the others began earlier.
        """
        width, row = int(alive.sum()), alive.cumsum() - 1  # a lane's row is its place among those still alive
        start, lane = np.divmod(self._begins[playing], len(alive))
        since = np.maximum(start, first)
        n_steps = np.minimum(start + self._n_steps[playing], last) - since
        cell = (since - first) * width + row[lane]  # cell of each session's first pair in the flat chunk
        inputs, targets = np.empty((2, last - first, width), dtype=np.int64)
        resets = np.zeros((last - first, width), dtype=bool)
        resets.ravel()[cell[len(playing) - n_begin :]] = True
        # and the cells of all its pairs: the next click is one step further on
        pair, before = np.arange(n_steps.sum()), n_steps.cumsum() - n_steps
        click = pair + np.repeat(self._first_click[playing] + since - start - before, n_steps)
        cell = pair * width + np.repeat(cell - before * width, n_steps)
        inputs.ravel()[cell], targets.ravel()[cell] = self._items[click], self._items[click + 1]
        return inputs, targets, resets


def padded(items, offsets, batch_size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The usual way, for comparison: ``batch_size`` sessions at a time, padded to the longest one.

    Yields:
        inputs ``(b, T)``, targets ``(b, T)``, and ``(b, T)`` bool, which cells are real; the others hold item 0.
    """
    require_whole("batch_size", batch_size)
    require_sessions(items, offsets)
    items, offsets = np.asarray(items), np.asarray(offsets, dtype=np.int64)
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
    """Share of cells without a pair when sessions of ``lengths`` ``(S,)`` clicks are padded in this order."""
    require_whole("batch_size", batch_size)
    require_integers("lengths", lengths, 0, "clicks of each session (S,)")
    n_pairs = np.asarray(lengths)[np.asarray(lengths) > 1] - 1
    first = np.arange(0, len(n_pairs), batch_size)
    rows = np.diff(first, append=len(n_pairs))
    return 1 - n_pairs.sum() / (np.maximum.reduceat(n_pairs, first) * rows).sum()


def side_by_side(offsets: np.ndarray) -> tuple[np.ndarray, list[int], np.ndarray]:
    """All sessions at the same time, as an evaluation plays them: the longest first, so those that end are last.

    Args:
        offsets: ``(S + 1,)``; every click of a session but its last is played.

    Returns:
        click ``(P,)``, which click is played, step after step; the number of sessions in each step; and place ``(P,)``,
        where in ``click`` each click is found, in the order of the log.
    """
    lengths = np.maximum(np.diff(offsets) - 1, 0)
    widths = len(lengths) - np.bincount(lengths).cumsum()[:-1] if len(lengths) else lengths  # longer than 0, 1, 2, ...
    row = np.empty_like(lengths)
    row[np.argsort(-lengths, kind="stable")] = np.arange(len(lengths))
    position = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)
    place = (widths.cumsum() - widths)[position] + np.repeat(row, lengths)
    click = np.empty_like(place)
    click[place] = np.repeat(offsets[:-1], lengths) + position
    return click, widths.tolist(), place


def whole_sessions(offsets: np.ndarray, clicks: int) -> Iterator[tuple[int, int]]:
    """First and end of runs of sessions with at most ``clicks`` clicks together, but at least one session."""
    require_that("offsets", offsets, isinstance(offsets, np.ndarray), "a NumPy array, as clicks.encode gives it")
    require_offsets(offsets)
    first = 0
    while first < len(offsets) - 1:
        end = max(first + 1, int(np.searchsorted(offsets, offsets[first] + clicks, side="right")) - 1)
        yield first, end
        first = end


def _schedule(n_steps: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which lane plays each session, and from which step on: the lane that is free first, on a tie the lower one.

    Args:
        n_steps: ``(S,)`` steps that each session takes, all at least 1.

    Returns:
        begins ``(S,)``, step · lanes + lane of each session's first pair, in growing order; and ``(lanes,)`` the
        step at which each lane ends for good.
    """
    n_lanes = min(batch_size, len(n_steps))
    begins = np.arange(len(n_steps))
    # step · lanes + lane at which each lane becomes free: the smallest takes the next session
    free = (n_steps[:n_lanes].astype(np.int64) * n_lanes + begins[:n_lanes]).tolist()
    heapq.heapify(free)
    for first in range(n_lanes, len(n_steps), SESSIONS_AT_ONCE):
        longer = n_steps[first : first + SESSIONS_AT_ONCE].astype(np.int64) * n_lanes
        begins[first : first + SESSIONS_AT_ONCE] = [heapq.heapreplace(free, free[0] + n) for n in longer.tolist()]
    lane_end = np.empty(n_lanes, dtype=np.int64)
    for key in free:
        lane_end[key % n_lanes] = key // n_lanes
    return begins, lane_end
