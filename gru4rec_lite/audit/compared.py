"""A loss compared with the paper's equation: value and gradient, on random scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import equations
from .equations import EQUATIONS
from .lanes import Lanes, close
from .report import Failed, NotTried, share


def value(loss: Lanes) -> str:
    return _compared(loss, "losses", lambda found: found[0], equations.values)


def gradient(loss: Lanes) -> str:
    return _compared(loss, "gradients", lambda found: found[1], equations.gradients)


def _compared(loss: Lanes, what: str, part: Callable, equation: Callable[..., np.ndarray]) -> str:
    if loss.like is None:
        raise NotTried("needs like=, one of " + ", ".join(EQUATIONS))
    found, due = [], []
    for seed, scale in ((1, 0.3), (2, 2.0), (3, 2.0)):
        scores, is_negative = loss.example(seed, scale, hits=loss.spares_hits and seed > 1)
        found.append(part(loss.each(scores, is_negative)).ravel())
        due.append(equation(loss.like, scores, is_negative, **loss.settings).ravel())
    ours, theirs = np.concatenate(due), np.concatenate(found)
    bad = ~close(theirs, ours)
    if bad.any():
        worst = int(np.nanargmax(np.abs(theirs - ours))) if np.isfinite(theirs).all() else int(np.argmax(bad))
        raise Failed(
            f"{share(int(bad.sum()), len(ours), what)} differ from {loss.like}'s: {theirs[worst]:.4g} where its "
            f"equation gives {ours[worst]:.4g}{_pattern(theirs, ours)}"
        )
    return f"{len(ours)} {what} equal those of {loss.like}'s equation, written as a loop in double precision"


def _pattern(theirs: np.ndarray, ours: np.ndarray) -> str:
    some = np.abs(ours) > 1e-3
    ratio, gap = theirs[some] / ours[some], theirs - ours
    if np.isfinite(ratio).all() and ratio.std() < 1e-3 * abs(ratio.mean()):
        return f", always {ratio.mean():.4g} times it"
    if np.isfinite(gap).all() and gap.std() < 1e-3 * abs(gap.mean()):
        return f", always {gap.mean():+.4g}"
    return ""
