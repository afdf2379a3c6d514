"""Turn what a model's ``scores`` yields into tensors that can be ranked, or say why it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checks import shown


def as_blocks(scores: Any, n_items: int) -> Iterator[Tensor]:
    """The blocks ``(p, N)`` that a model's ``scores`` yields, as tensors; arrays and lists of rows are accepted too.

    Raises ValueError for anything but a block of scores of ``n_items`` items.
    """
    try:
        given = iter([scores] if isinstance(scores, (Tensor, np.ndarray)) else scores)
    except TypeError as error:
        raise ValueError(f"scores gave {shown(scores)}: must yield blocks (p, {n_items}), rows of scores") from error
    for block in given:
        yield _as_block(block, n_items)


def _as_block(block: Any, n_items: int) -> Tensor:
    """One block as a tensor ``(p, N)`` of a dtype that torch can compare."""
    if not isinstance(block, Tensor):
        try:
            array = np.asarray(block)
            if array.dtype.kind == "u" and array.dtype.itemsize > 1:
                array = array.astype(np.int64 if array.max(initial=0) < 2**63 else np.float64)
            array = np.require(array, array.dtype.newbyteorder("="), ["C", "W"])  # torch can share no other memory
            tensor = torch.from_numpy(array)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"scores gave {shown(block)}: must yield blocks (p, {n_items}) of numbers") from error
    else:
        tensor = block.detach()
        tensor = tensor if tensor.layout == torch.strided else tensor.to_dense()
    if tensor.ndim != 2 or tensor.shape[1] != n_items or tensor.is_complex():
        hint = ", a single row as scores[None]" if tuple(tensor.shape) == (n_items,) else ""
        raise ValueError(f"scores gave {shown(block)}: must yield blocks (p, {n_items}) of numbers{hint}")
    return tensor.to(torch.uint8) if tensor.dtype == torch.bool else tensor
