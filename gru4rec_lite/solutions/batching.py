"""Solutions of chapter 6."""

from __future__ import annotations

from torch import Tensor


def widths() -> list[int]:
    # sessions of 4, 2, 5, 3 and 2 clicks take 3, 1, 4, 2 and 1 steps; two lanes:
    #   lane 1: session 1 (steps 1-3), session 4 (steps 4-5)
    #   lane 2: session 2 (step 1),    session 3 (steps 2-5), session 5 (step 6), taken by the lower free lane: lane 1
    return [2, 2, 2, 2, 2, 1]


def padding_waste(lengths: list[int], batch_size: int) -> float:
    cells = pairs = 0
    steps = [length - 1 for length in lengths if length > 1]  # a session of L clicks has L - 1 pairs
    for first in range(0, len(steps), batch_size):
        batch = steps[first : first + batch_size]
        cells += len(batch) * max(batch)
        pairs += sum(batch)
    return 1 - pairs / cells


def carry(state: Tensor, lanes: Tensor, resets: Tensor) -> Tensor:
    # first move each state to its row in this step, then clear the rows that start a session
    return state[lanes].masked_fill(resets.unsqueeze(1), 0.0)
