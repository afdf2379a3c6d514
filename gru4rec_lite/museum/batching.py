"""Session-parallel batches gone wrong: the steps of a plan (`batching.SessionParallel`) with one bug in them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ..batching import SessionParallel, Step


def reset_mask_reapplied(plan: SessionParallel) -> Iterator[Step]:
    """B2: the reset mask is renewed only when a session ends, yet applied at every step. Bit GRU4REC-pytorch.

    Until the next session ends anywhere, the lanes that started last are zeroed again and again while they run.
    """
    mask = None
    for step in plan:
        if mask is None:  # the first step: nothing has ended yet, and every state is zero anyway
            mask = torch.zeros_like(step.resets)
            yield step
            continue
        mask = step.resets if step.resets.any() else mask[step.lanes]
        yield step._replace(resets=mask)


def tail_dropped(plan: SessionParallel) -> Iterator[Step]:
    """B3: the loop stops when no session is left to start. Bit GRU4REC-pytorch and GRU4Rec_TensorFlow.

    The other lanes are in the middle of up to B - 1 sessions, and their clicks are never seen.
    """
    for step in plan:
        if len(step.inputs) < plan.widths[0]:
            return
        yield step


def stops_at_one_lane(plan: SessionParallel) -> Iterator[Step]:
    """B17: the loop stops at fewer than two lanes; 114 predictions counted as 7. Bit the original's PyTorch port."""
    for step in plan:
        if len(step.inputs) < 2:
            return
        yield step


def fixed_batch_size(plan: SessionParallel, batch_size: int) -> Iterator[Step]:
    """B8: every step has exactly B rows: no tail, and no steps for fewer than B sessions. GRU4Rec_TensorFlow."""
    for step in plan:
        if len(step.inputs) == batch_size:
            yield step


def needs_a_full_batch(items: np.ndarray, offsets: np.ndarray, batch_size: int) -> Iterator[Step]:
    """B17: IndexError with fewer sessions than lanes, as in a small test set. Bit the original's PyTorch port."""
    _first_clicks = np.asarray(items)[np.asarray(offsets)[:-1][np.arange(batch_size)]]
    yield from SessionParallel(items, offsets, batch_size)
