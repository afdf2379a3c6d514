"""Whole sessions side by side: the hidden states after all their clicks, in as few products as possible.

An evaluation has every session at hand, so nothing needs to wait for a lane. All sessions begin at the same time, the
longest first, and those which have ended drop out at the end of the batch: a packed sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from torch import Tensor

from .cells import Cell
from .checks import require_offsets, require_sessions, require_that
from .network import Network


def hidden_states(network: Network, items: np.ndarray, offsets: np.ndarray) -> Tensor:
    """Hidden state of the last layer after every click but the last of each session, without dropout.

    What a layer makes of its inputs is one product over all clicks; only what it makes of its state goes click by
    click.

    Args:
        network: on whose device the work is done.
        items: ``(n,)`` item numbers, session after session; -1 for an unknown item, which changes no state.
        offsets: ``(S + 1,)``; session s is ``items[offsets[s]:offsets[s + 1]]``.

    Returns:
        ``(P, H)`` in session order.
    """
    _check_clicks(items, offsets, network.n_items)
    click, widths, place = side_by_side(offsets)
    device = network.item_out.device
    clicked = torch.from_numpy(items[click]).to(device)
    x, known = network.input_table[clicked.clamp(min=0)], (clicked >= 0)[:, None, None].split(widths)
    some_unknown = bool((items[click] < 0).any())
    for layer in (cast(Cell, module) for module in network.layers):
        state, after = layer.zeros(len(offsets) - 1), [x.new_empty(0, layer.units)]
        for gates, is_known in zip(layer.input_gates(x).split(widths), known, strict=True):
            before = state[: len(gates)]
            state = layer.step(gates, before)
            if some_unknown:
                state = torch.where(is_known, state, before)
            after.append(state[:, 0])
        x = torch.cat(after)
    return x[torch.from_numpy(place).to(device)]


def _check_clicks(items: np.ndarray, offsets: np.ndarray, n_items: int) -> None:
    """ValueError unless these are sessions; of the items only those are looked at that are played here."""
    here = items[offsets[0] : offsets[-1]] if isinstance(items, np.ndarray) and items.ndim == 1 else items
    require_sessions(here, offsets - offsets[0], n_items)


def side_by_side(offsets: np.ndarray) -> tuple[np.ndarray, list[int], np.ndarray]:
    """All sessions at the same time, as an evaluation plays them: the longest first, so that those which end are last.

    Args:
        offsets: ``(S + 1,)``; every click of a session but its last is played.

    Returns:
        click ``(P,)``, which click is played, step after step; the number of sessions in each step; and place ``(P,)``,
        where in the first the clicks are found in the order of the log.
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
    """First and end of runs of sessions of at most so many clicks together, but at least one session."""
    require_that("offsets", offsets, isinstance(offsets, np.ndarray), "a NumPy array, as clicks.encode gives it")
    require_offsets(offsets)
    first = 0
    while first < len(offsets) - 1:
        end = max(first + 1, int(np.searchsorted(offsets, offsets[first] + clicks, side="right")) - 1)
        yield first, end
        first = end
