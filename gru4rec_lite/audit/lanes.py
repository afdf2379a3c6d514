"""Evaluate a loss function of any kind lane by lane."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import equations
from .probe import SEED, n_arguments, numpy, parameters
from .report import Failed


class Lanes:
    """A loss in the form that the checks need: one number per lane, whatever the function takes and returns."""

    def __init__(self, fn: Callable, like: str | None, settings: dict[str, float]):
        known = {name: value for name, value in settings.items() if name in parameters(fn)}
        self.fn, self.like, self.settings = partial(fn, **known), like, settings
        self.takes_negatives = takes_negatives(fn)
        self.in_numpy = self.is_scalar = self.is_sum = False
        self.spares_hits = True

    def example(self, seed: int = SEED, scale: float = 2.0, hits: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Random scores and negatives ``(4, 7)`` with some accidental hits; ``(6, 6)`` without any for fn(scores)."""
        lanes, candidates = (4, 7) if self.takes_negatives else (6, 6)
        scores = np.random.default_rng(seed).normal(0.0, scale, (lanes, candidates))
        is_negative = ~np.eye(lanes, candidates, dtype=bool)
        if self.takes_negatives and hits:
            is_negative[[0, 1, 3], [1, 0, 5]] = False
        return scores, is_negative

    def first_call(self, *given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Like `call`, but also finds out whether the function takes tensors or arrays."""
        try:
            return self.call(*given)
        except Failed:
            raise
        except Exception as error:
            self.in_numpy = True
            try:
                return self.call(*given)
            except Exception:
                self.in_numpy = False
                raise error from None

    def call(self, scores: np.ndarray, is_negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the function returns for these scores, and the gradient of its sum."""
        if self.in_numpy:
            return self._in_numpy(scores, is_negative)
        leaf = torch.from_numpy(scores).float().requires_grad_()
        value = self.fn(*((leaf, torch.from_numpy(is_negative)) if self.takes_negatives else (leaf,)))
        if not isinstance(value, Tensor):
            raise TypeError(f"it returns a {type(value).__name__} for a tensor")
        if not value.requires_grad:
            raise Failed("no gradient flows back to the scores: is the result detached, or computed under no_grad?")
        (slope,) = torch.autograd.grad(value.sum(), leaf)
        return numpy(value).astype(float), numpy(slope).astype(float)

    def _in_numpy(self, scores: np.ndarray, is_negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        def value(scores: np.ndarray) -> np.ndarray:
            return np.asarray(self.fn(*((scores, is_negative) if self.takes_negatives else (scores,))), dtype=float)

        moves = np.eye(scores.size).reshape(scores.size, *scores.shape) * equations.STEP
        slopes = [(value(scores + move).sum() - value(scores - move).sum()) / (2 * equations.STEP) for move in moves]
        return value(scores), np.reshape(slopes, scores.shape)

    def each(self, scores: np.ndarray, is_negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Loss ``(B,)`` and gradient ``(B, C)`` of each lane, whatever call it takes to get them."""
        if self.takes_negatives and not self.is_scalar:
            value, slope = self.call(scores, is_negative)
            return value.reshape(len(scores)), slope
        return self.one_by_one(scores, is_negative)

    def one_by_one(self, scores: np.ndarray, is_negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, each lane in a batch of lanes like it.

        n candidates make n lanes, so the function need not accept a batch of one lane, or one that is not square. A
        function without ``is_negative`` gets target and negatives only.
        """
        value, slope = np.zeros(len(scores)), np.zeros(scores.shape)
        for lane, (row, mask) in enumerate(zip(scores, is_negative, strict=True)):
            others = np.delete(np.arange(len(row)), lane)
            columns = np.append(lane, others if self.takes_negatives else others[mask[others]])
            n = len(columns)
            found, gradient = self.call(*alike(row[columns], mask[columns]))
            value[lane] = found.ravel()[0] / (n if self.is_sum else 1)
            slope[lane, columns] = gradient[0] * (n if self.is_scalar and not self.is_sum else 1)
        return value, slope

    def grows(self, row: np.ndarray, mask: np.ndarray) -> bool:
        """Whether the single number for all lanes grows with more lanes of the same kind."""
        scores, is_negative = alike(row, mask)
        few = len(scores) // 2
        try:
            found = self.call(scores[:few], is_negative[:few])[0].sum()
        except Exception:  # it takes square batches only, so we cannot tell
            return False
        whole = self.call(scores, is_negative)[0].sum()
        return all_close(found * len(scores) / few, whole) and not all_close(found, whole)

    def lane(self, target: float, negatives: list[float]) -> tuple[float, float, np.ndarray]:
        """Loss of a lane, and its gradient on the target and on the negatives."""
        scores = np.array([[target, *negatives]])
        is_negative = np.arange(scores.shape[1])[None] > 0
        value, slope = self.one_by_one(scores, is_negative)
        return float(value[0]), float(slope[0, 0]), slope[0, 1:]


def alike(row: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and negatives ``(n, n)`` of n copies of a lane, each rolled so that its target is on the diagonal."""
    scores, is_negative = (np.stack([np.roll(part, i) for i in range(len(row))]) for part in (row, mask))
    return scores, is_negative


def takes_negatives(fn: Callable) -> bool:
    """Whether there is a second argument that is not a setting with a default."""
    second = list(parameters(fn).items())[1:2]
    if n_arguments(fn, 2) < 2 or not second:
        return n_arguments(fn, 2) > 1  # *args count as one, and so does a builtin, which has no signature
    ((name, parameter),) = second
    return parameter.default is parameter.empty or "neg" in name or "mask" in name


def close(one: Any, two: Any) -> np.ndarray:
    """Equal up to single precision, with room for an epsilon inside a logarithm."""
    return np.isclose(one, two, rtol=1e-3, atol=1e-4)


def all_close(one: Any, two: Any) -> bool:
    return bool(close(one, two).all())
