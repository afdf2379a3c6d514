"""Solutions of chapter 7."""

from __future__ import annotations

import numpy as np


def matrix_counts() -> tuple[int, int, int]:
    # candidates: lamp, mug, lamp | mug, tent, lamp; each lane has its own column and five others
    #   lamp: columns 3 and 6 are lamps too     2 hits, 3 negatives
    #   mug:  column 4 is a mug too             1 hit,  4 negatives
    #   lamp: columns 1 and 6 are lamps too     2 hits, 3 negatives
    return 3, 10, 5


def expected_counts(support: np.ndarray, lanes: int, n_samples: int, alpha: float) -> np.ndarray:
    support = support.astype(float)
    weight = np.where(support > 0, support**alpha, 0)  # 0^0 is 1, but an item without clicks is never drawn
    in_batch = (lanes - 1) * support / support.sum()  # the other lanes' targets come by popularity
    extra = n_samples * weight / weight.sum()
    return in_batch + extra


def samples_until_half(support: np.ndarray, lanes: int = 32, alpha: float = 0.75) -> int:
    clicked = support / support.sum()
    drawn = support**alpha / (support**alpha).sum()  # here every item has clicks
    n_samples = 0
    while (clicked * (1 - clicked) ** (lanes - 1) * (1 - drawn) ** n_samples).sum() >= 0.5:  # lanes without a hit
        n_samples += 1
    return n_samples
