"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from gru4rec_lite.training import generator

in_two_processes = pytest.mark.skipif("SHAKEN" in os.environ, reason="arithmetic is shaken in the first process only")


def catches(check: Callable, *broken) -> None:
    """The check fails on a broken variant: a check that cannot fail checks nothing."""
    with pytest.raises(AssertionError):
        check(*broken)


@contextmanager
def seeded(seed: int, epoch: int = 0) -> Iterator[None]:
    """Torch's global numbers on the CPU, from where a training would take its own; afterwards they go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(generator(seed, epoch, torch.device("cpu")).initial_seed())
        yield


def said(capsys, check: Callable, *answers) -> str:
    """What the check of an exercise prints."""
    check(*answers)
    return capsys.readouterr().out


def random_candidates(lanes: int, extra: int, n_items: int = 7, seed: int = 0) -> Tensor:
    """``(lanes + extra,)`` item numbers from a catalogue so small that accidental hits happen."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, n_items, lanes + extra))


def random_scores(
    lanes: int, extra: int, n_items: int = 7, seed: int = 0, dtype=torch.float64
) -> tuple[Tensor, Tensor]:
    """Scores ``(B, C)`` and which of them are negatives, accidental hits left out."""
    candidates = random_candidates(lanes, extra, n_items, seed).tolist()
    is_negative = torch.tensor([[other != own for other in candidates] for own in candidates[:lanes]])
    scores = torch.from_numpy(np.random.default_rng(seed + 1).normal(0.0, 2.0, is_negative.shape))
    return scores.to(dtype), is_negative


def all_but_diagonal(lanes: int, candidates: int) -> Tensor:
    """Every candidate but the lane's own is a negative."""
    return ~torch.eye(lanes, candidates, dtype=torch.bool)


def gradient(loss: Callable, scores: Tensor, is_negative: Tensor, **settings) -> Tensor:
    """Of the sum of all lanes' losses, by the scores ``(B, C)``."""
    scores = scores.clone().requires_grad_()
    return torch.autograd.grad(loss(scores, is_negative, **settings).sum(), scores)[0]


def random_log(lengths: list[int], n_items: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Items and offsets of sessions of these lengths, every item clicked at least once where there is room."""
    n = sum(lengths)
    rng = np.random.default_rng(seed)
    items = rng.permutation(np.concatenate((np.arange(n_items), rng.integers(0, n_items, max(n - n_items, 0))))[:n])
    return items, np.concatenate(([0], np.cumsum(lengths)))


def copies(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in parameters.items()}


def assert_same_bits(actual: Tensor, expected: Tensor) -> None:
    assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)


def assert_same_list(found: pd.DataFrame, expected: pd.DataFrame, atol: float = 1e-5) -> None:
    """Lists (ItemId, score) computed on two ways: equal up to rounding, so that near ties may change places.

    A score is a sum of H products, off by up to H · 2^-24 · |hidden| · |row|: some 1e-6 for the small models of tests.
    """
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5, atol=atol)
    there, last = dict(zip(expected["ItemId"], expected["score"], strict=True)), expected["score"].min()
    assert found["ItemId"].is_unique
    for item, score in zip(found["ItemId"], found["score"], strict=True):  # what one list lacks ties with its last
        assert abs(score - there.get(item, last)) <= 2 * (atol + 1e-5 * abs(score)), item


def in_order(items: Sequence[str], ranked: pd.DataFrame, atol: float = 1e-5) -> bool:
    """Whether these lead a whole list (ItemId, score) in its order, near ties aside: of what was computed elsewhere."""
    scores = pd.Series(ranked["score"].to_numpy(), ranked["ItemId"].astype(str))
    rest = scores.drop(list(items)).max() if len(items) < len(scores) else -np.inf
    return len(set(items)) == len(items) and bool((np.diff([*scores[list(items)], rest]) <= atol).all())


def near_ties_aside(found: Sequence[float], expected: Sequence[float]) -> bool:
    """Whether places in a list agree, but for two neighbours that may have changed theirs."""
    moved = np.abs(np.subtract(found, expected))
    return bool(moved.max(initial=0) <= 1 and moved.sum() <= 2)


def assert_same_ranks(found: Sequence[float], expected: Sequence[float]) -> None:
    """Ranks computed on two ways: a near tie, which is rare, moves one by a place."""
    moved = np.abs(np.asarray(found, dtype=float) - np.asarray(expected, dtype=float))
    assert moved.max(initial=0) <= 1
    assert moved.sum() <= 1 + 0.01 * len(moved)


def check_glorot(weight: Tensor, n_blocks: int, columns: bool = False) -> None:
    """Uniform within the bound of each gate's block, and reaching it; blocks are rows, or columns."""
    for block in weight.detach().chunk(n_blocks, dim=int(columns)):
        bound = (6 / (block.shape[0] + block.shape[1])) ** 0.5
        assert block.abs().max() <= bound
        assert block.abs().max() > 0.99 * bound  # a smaller bound, of the whole stack for example, would not reach it
        assert block.var().item() == pytest.approx(bound**2 / 3, rel=0.05)
        assert abs(block.mean().item()) < 0.05 * bound


class Watch(TorchDispatchMode):
    """Sees every tensor operation: the float tensors that it makes, and whether the host must wait for it."""

    # operations that read a value, or whose result has a size that only the device knows
    WAITS = ("_local_scalar_dense", "nonzero", "_unique2", "unique_dim", "unique_consecutive", "masked_select", "equal")

    def __init__(self):
        super().__init__()
        self.waits: list[str] = []
        self.copies: list[str] = []  # from one device to another
        self.made: list[Tensor] = []  # kept, so that no storage is freed and handed out again

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.overloadpacket.__name__
        picks_by_mask = name.startswith("index") and any(
            isinstance(a, Tensor) and a.dtype == torch.bool
            for group in args
            if isinstance(group, (list, tuple))
            for a in group
        )
        if name in self.WAITS or picks_by_mask:
            self.waits.append(name)
        out = operation(*args, **(kwargs or {}))
        devices = {a.device for a in args if isinstance(a, Tensor)}
        if isinstance(out, Tensor) and devices - {out.device}:
            self.copies.append(name)
        self.made += [t for t in (out if isinstance(out, (list, tuple)) else [out]) if isinstance(t, Tensor)]
        return out

    def widest(self, known: list[Tensor]) -> int:
        """The largest dimension of any float tensor that was made and is not a view of the known ones."""
        places = {t.untyped_storage().data_ptr() for t in known}
        sizes = [
            max(t.shape, default=0)
            for t in self.made
            if t.is_floating_point() and t.untyped_storage().data_ptr() not in places
        ]
        return max(sizes, default=0)
