"""Checks of a sampler of negatives: many draws, and what they say about the distribution behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..internal.checks import require_number, require_that
from .probe import numpy
from .report import Check, Failed, NotTried, Report, check, name_of, run, share

DRAWS = 200_000
PER_CALL = 10_000
UNLIKELY = 1e-6  # one in a million audits of a correct sampler fails
FEWEST = 5.0  # expected draws in a cell of the chi-square test


def sampler(draw: Callable[[int], Any], support: Any, alpha: float) -> Report:
    """Audit any sampler of negatives by popularity^alpha.

    Args:
        draw: ``draw(n)`` returns about n item numbers, in any shape.
        support: ``(N,)`` training clicks of each item.
        alpha: the intended power: 0 draws every clicked item equally often, 1 by popularity.

    Raises:
        ValueError: ``draw`` is not a function, ``support`` not a list of counts, or ``alpha`` outside 0 to 1.
    """
    require_that("draw", draw, callable(draw), "a function of n that returns about n item numbers")
    require_number("alpha", alpha, 0, 1)
    counts = numpy(support)
    if counts.dtype.kind not in "iuf" or counts.ndim != 1 or not (counts >= 0).all() or counts.sum() == 0:
        raise ValueError("support: must be one count for each item, 0 or more, and not all 0")
    return run(name_of(draw), CHECKS, _Draws(draw, counts.astype(float), float(alpha)))


class _Draws:
    def __init__(self, draw: Callable[[int], Any], support: np.ndarray, alpha: float):
        self.draw, self.support, self.alpha = draw, support, alpha
        self.weight = self.power(alpha)
        self._calls: list[np.ndarray] = []

    def power(self, alpha: float) -> np.ndarray:
        """``(N,)`` probability of drawing each item."""
        weight = np.zeros(len(self.support))
        clicked = self.support > 0
        weight[clicked] = self.support[clicked] ** alpha
        return weight / weight.sum()

    def calls(self) -> list[np.ndarray]:
        """The item numbers of many calls."""
        while sum(map(len, self._calls)) < DRAWS:
            drawn = numpy(self.draw(PER_CALL)).ravel()
            if not len(drawn):
                raise Failed(f"draw({PER_CALL}) returns nothing")
            self._calls.append(drawn)
        return self._calls

    def counts(self) -> np.ndarray:
        """``(N,)`` how often each item was drawn."""
        drawn = np.concatenate(self.calls())
        if drawn.min() < 0 or drawn.max() >= len(self.support):
            raise NotTried("not all draws are item numbers; fix that first")
        return np.bincount(drawn.astype(np.int64), minlength=len(self.support))


@check("draws are item numbers")
def _in_range(draws: _Draws) -> str:
    drawn, n = np.concatenate(draws.calls()), len(draws.support)
    if not np.issubdtype(drawn.dtype, np.integer) and not (drawn == np.floor(drawn)).all():
        raise Failed(f"draws of type {drawn.dtype}, {drawn[0]!r} for example: expected whole numbers")
    outside = (drawn < 0) | (drawn >= n)
    if outside.any():
        why = " Are items counted from 1?" if drawn.max() == n and drawn.min() == 1 else ""
        raise Failed(
            f"{share(int(outside.sum()), len(drawn), 'draws')} are not item numbers: from {drawn.min():g} to "
            f"{drawn.max():g}, expected 0 to {n - 1}.{why}"
        )
    return f"{len(drawn):,} draws from {drawn.min():g} to {drawn.max():g}, of {n:,} items"


@check("an item without clicks is never drawn")
def _clicked(draws: _Draws) -> str:
    without, counts = draws.support == 0, draws.counts()
    if not without.any():
        raise NotTried("needs an item without clicks in support")
    if counts[without].any():
        raise Failed(
            f"{share(int((counts[without] > 0).sum()), int(without.sum()), 'items')} without clicks are drawn, "
            f"{share(int(counts[without].sum()), int(counts.sum()), 'times')}: 0 to the power 0 is 1"
        )
    return f"{int(without.sum()):,} items without clicks, none of them drawn"


@check("the last item can be drawn")
def _last(draws: _Draws) -> str:
    last, counts = int(np.flatnonzero(draws.support)[-1]), draws.counts()
    due = draws.weight[last] * counts.sum()
    if due < -np.log(UNLIKELY):
        raise NotTried(f"item {last} is expected {due:.2g} times in {counts.sum():,} draws, too rarely to be missed")
    if not counts[last]:
        raise Failed(f"item {last} never comes in {counts.sum():,} draws, expected {due:,.0f}: off by one at the end?")
    return f"item {last} is drawn {counts[last]:,} times, expected {due:,.0f}"


@check("draws follow popularity to the power alpha")
def _distribution(draws: _Draws) -> str:
    from scipy.stats import chi2  # imported here since it takes most of a second

    counts, clicked = draws.counts(), draws.weight > 0
    if clicked.sum() < 2:
        raise NotTried("needs two items with clicks")
    got, due = counts[clicked], draws.weight[clicked] * counts.sum()
    order = np.argsort(due)
    cell = (due[order].cumsum() // FEWEST).astype(np.int64)  # rare items share a cell
    _, cell = np.unique(cell, return_inverse=True)
    observed, expected = np.bincount(cell, got[order]), np.bincount(cell, due[order])
    freedom = len(expected) - 1
    if freedom == 0:
        raise NotTried("needs items that are expected at least five times")
    statistic = ((observed - expected) ** 2 / expected).sum()
    p, best = float(chi2.sf(statistic, freedom)), _best_alpha(draws, counts)
    seen = f"chi-square {statistic:,.0f} at {freedom:,} degrees of freedom, p = {p:.2g}, in {counts.sum():,} draws"
    if p > UNLIKELY:
        return f"{seen}; alpha = {best:.2f} fits best"
    worst = int(np.flatnonzero(clicked)[np.argmax((got - due) ** 2 / due)])
    looks = f"it looks like alpha = {best:.2f}, where {draws.alpha:g} is intended"
    if abs(best - draws.alpha) < 0.03:
        looks = f"alpha = {best:.2f} is right overall, but single items are drawn too often or too rarely"
    raise Failed(
        f"{seen}; {looks}. Item {worst} ({draws.support[worst]:,.0f} clicks) is drawn {counts[worst]:,} times, "
        f"expected {draws.weight[worst] * counts.sum():,.0f}"
    )


def _best_alpha(draws: _Draws, counts: np.ndarray) -> float:
    """The power under which these draws are most likely."""
    from scipy.optimize import minimize_scalar

    clicked = draws.support > 0
    log_support, n = np.log(draws.support[clicked]), counts[clicked]
    if np.ptp(log_support) == 0:
        return draws.alpha  # all items are equally popular, so any power is the same

    def unlikeliness(alpha: float) -> float:
        return n.sum() * np.logaddexp.reduce(alpha * log_support) - alpha * (n * log_support).sum()

    best = minimize_scalar(unlikeliness, bounds=(-2, 4), method="bounded").x
    return round(float(best), 2) + 0.0  # no -0.00


@check("two calls differ")
def _fresh(draws: _Draws) -> str:
    calls = draws.calls()
    if (draws.weight > 0).sum() < 2 or min(map(len, calls)) < 100:
        raise NotTried("needs two items with clicks, and 100 draws in a call")
    seen: dict[bytes, int] = {}
    for number, call in enumerate(calls, start=1):
        before = seen.setdefault(np.ascontiguousarray(call).tobytes(), number)
        if before != number:
            raise Failed(f"call {number} repeats the draws of call {before}: a fixed batch, or a seed set inside?")
    return f"{len(calls)} calls of {len(calls[0]):,} draws, all different"


CHECKS: list[Check] = [_in_range, _clicked, _last, _distribution, _fresh]
