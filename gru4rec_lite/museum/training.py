"""Training loops gone wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .. import training


def mean_of_step_means(losses: np.ndarray, widths: np.ndarray) -> float:
    """B11: the mean of the steps' means although steps get narrower, so the tail counts too much. Bit Torch-GRU4Rec."""
    return float(np.mean(losses))


@contextmanager
def nan_in_silence() -> Iterator[None]:
    """B11: a loss that is not a number is passed over in silence. Bit Torch-GRU4Rec."""
    kept, training._finite = training._finite, lambda total, clicks, *where: total.item() / clicks
    try:
        yield
    finally:
        training._finite = kept
