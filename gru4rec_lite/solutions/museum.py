"""Solutions of chapter 16."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch


def from_loud_to_flattering() -> list[str]:
    # an exception, an odd loss, a metric too low, nothing to see, a metric too high
    return ["B17", "B5", "B1", "B2", "B15"]


def lanes_are_alone(loss: Callable) -> None:
    torch.manual_seed(0)
    scores, is_negative = torch.randn(4, 9), ~torch.eye(4, 9, dtype=torch.bool)
    others = scores.clone()
    others[1:] = torch.randn(3, 9)  # every lane but the first has other scores now
    before, after = (loss(s, is_negative)[0] for s in (scores, others))
    assert torch.isclose(before, after), f"the first lane's loss goes from {before:.3f} to {after:.3f}"


def lanes_from_a_queue(items: np.ndarray, offsets: np.ndarray, batch_size: int) -> Iterator[tuple]:
    queue = [(start, end) for start, end in pairwise(offsets) if end - start > 1]
    playing = [[*queue.pop(0), True] for _ in range(min(batch_size, len(queue)))]  # place, end, starts here?
    lanes = np.arange(len(playing))
    while playing:
        places = np.array([place for place, _, _ in playing])
        yield items[places], items[places + 1], np.array([fresh for _, _, fresh in playing]), lanes
        for lane in playing:
            lane[0], lane[2] = lane[0] + 1, False
            if lane[0] + 1 == lane[1] and queue:  # over: the next session, with a reset
                lane[:] = [*queue.pop(0), True]
        lanes = np.array([row for row, (place, end, _) in enumerate(playing) if place + 1 < end], dtype=np.int64)
        playing = [playing[row] for row in lanes]  # a lane with nothing left to play is gone
