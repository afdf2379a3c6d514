"""Checks of a loss: scores are moved, and the loss and its gradient must move as those of a ranking loss do."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from ..internal.checks import require_that
from . import compared, equations
from .equations import EQUATIONS
from .lanes import Lanes, all_close, close
from .probe import SEED
from .report import Check, Failed, NotTried, Report, check, name_of, run, share

FAR_BELOW = {"-200 and 0": (-200.0, [0.0, 0.0, 0.0]), "-10,000 and 10,000": (-1e4, [1e4, 3.0, -5e3])}
FAR_ABOVE = {"0 and -200": (0.0, [-200.0, -200.0, -210.0]), "10,000 and -10,000": (1e4, [-1e4, -9e3, -1e4])}
EXHIBITS = {"cross-entropy": "B4", "bpr": "B13", "top1": "B12", "bpr-max": "B5"}


def loss(fn: Callable, like: str | None = None, **settings: float) -> Report:
    """Audit any loss that ranks a target above negatives.

    Args:
        fn: ``(scores (B, C), is_negative (B, C) bool) -> (B,)``, where candidate ``i < B`` is lane ``i``'s target. Also
            accepted: ``fn(scores)``, which takes every other candidate for a negative; a single number as result, the
            mean or the sum over lanes; and a NumPy function, whose gradient is then taken by difference quotients.
        like: "cross-entropy" | "bpr" | "top1" | "bpr-max" | "top1-max": also compare value and gradient with this
            loss's equation in the paper.
        settings: settings of that equation (``bpreg``), passed to ``fn`` if it takes them.

    Raises:
        ValueError: ``fn`` is not a function, ``like`` is unknown, or its equation has no such setting.
    """
    require_that("fn", fn, callable(fn), "a function of scores (B, C) and is_negative (B, C)")
    if like is not None and like not in EQUATIONS:
        raise ValueError(f"like={like!r}: must be one of {', '.join(EQUATIONS)}")
    taken = set(inspect.signature(EQUATIONS[like]).parameters) if like else set()
    if set(settings) - taken:
        raise ValueError(f"{', '.join(sorted(set(settings) - taken))}: not a setting of like={like!r}")
    exhibit = EXHIBITS.get(like or "", "")
    equal = [
        check("the value is that of the equation", exhibit)(compared.value),
        check("the gradient is that of the equation", exhibit)(compared.gradient),
    ]
    return run(name_of(fn), [*CHECKS, *equal], Lanes(fn, like, settings))


@check("one loss for each lane")
def _shape(loss: Lanes) -> str:
    scores, is_negative = loss.example(hits=False)
    value, _ = loss.first_call(scores, is_negative)
    loss.is_scalar = value.size == 1
    if not loss.is_scalar and value.shape not in ((len(scores),), (len(scores), 1)):
        raise Failed(f"shape {value.shape} for scores of shape {scores.shape}: expected ({len(scores)},) or one number")
    if not np.isfinite(value).all():
        raise Failed(f"{share(int((~np.isfinite(value)).sum()), value.size, 'losses')} of plain scores are not numbers")
    seen = f"{len(scores)} losses for {len(scores)} lanes"
    if loss.is_scalar:
        loss.is_sum = loss.grows(scores[0], is_negative[0])
        word = "their sum, which grows with the batch" if loss.is_sum else "their mean"
        seen = f"one number for all lanes, {word}; lanes are evaluated one by one"
    found, _ = loss.one_by_one(scores, is_negative)
    same = [like for like in EQUATIONS if all_close(found, equations.values(like, scores, is_negative))]
    return seen + "".join(f"; they are those of {like}" for like in same)


@check("lanes do not influence each other", "B5")
def _apart(loss: Lanes) -> str:
    scores, is_negative = loss.example(hits=False)
    together, alone = loss.call(scores, is_negative)[0].ravel(), loss.one_by_one(scores, is_negative)[0]
    if loss.is_scalar:
        alone = np.array([alone.sum() if loss.is_sum else alone.mean()])
    if not all_close(together, alone):
        worst = int(np.argmax(np.abs(together - alone)))
        who, average = ("the batch", "on average ") if loss.is_scalar else (f"lane {worst}", "")
        raise Failed(
            f"{who} costs {together[worst]:.4g}; among copies of itself a lane costs {average}{alone[worst]:.4g}: "
            f"does it take one logarithm of a mean over the whole matrix?"
        )
    return f"each of {len(scores)} lanes costs the same among other lanes and among copies of itself"


@check("only negatives count")
def _only_negatives(loss: Lanes) -> str:
    if not loss.takes_negatives:
        loss.spares_hits = False
        raise NotTried("it takes no is_negative, so an accidental hit (the target again) counts against its own lane")
    scores, is_negative = loss.example()
    ignored = ~(is_negative | np.eye(*scores.shape).astype(bool))
    value, slope = loss.each(scores, is_negative)
    moved, _ = loss.each(np.where(ignored, scores + 5.0, scores), is_negative)
    changed = ~close(value, moved)
    pull = np.abs(slope[ignored]).max()
    if changed.any() or not pull < 1e-4:
        loss.spares_hits = False
        raise Failed(
            f"{int(ignored.sum())} candidates are not negatives (accidental hits), yet adding 5 to their scores "
            f"changes {share(int(changed.sum()), len(value), 'losses')}; their gradient is up to {pull:.2g}, expected 0"
        )
    return f"the scores of {int(ignored.sum())} accidental hits change nothing and get no gradient"


@check("the target is pulled up, negatives are pushed down")
def _signs(loss: Lanes) -> str:
    _, target, negatives = loss.lane(0.0, [0.0] * 4)
    slope = loss.each(*loss.example())[1].diagonal()
    if not (target < 0 and (negatives > 0).all() and (slope < 0).all()):
        raise Failed(
            f"all scores 0: gradient {target:.3g} on the target (below 0 pulls it up), {negatives.min():.3g} to "
            f"{negatives.max():.3g} on negatives; {share(int((slope < 0).sum()), len(slope), 'targets')} of random "
            f"scores are pulled up"
        )
    return f"all scores 0: gradient {target:.3g} on the target, {negatives.min():.3g} on each of 4 negatives"


@check("a perfect ranking costs nothing", "B4 B5 B13")
def _perfect(loss: Lanes) -> str:
    costs = {(n, target): loss.lane(target, [0.0] * n)[0] for n, target in ((5, 40.0), (1, 40.0), (5, 80.0))}
    many, one, higher = costs.values()
    if abs(many) < 1e-4 > abs(one):
        return f"a target at 40 and negatives at 0 cost {abs(many):.2g}"
    if np.allclose([one, higher], many, rtol=1e-4):
        return (
            f"a constant {many:.3g} stays, whatever the target's score and the number of negatives: a term of the "
            f"negatives alone, such as σ(r²) = .5 in TOP1"
        )
    why = ""
    if np.isclose(many, np.log(2) / 6, rtol=1e-2):
        why = ": ln 2 / (n + 1), as if the target were among its own n negatives"
    elif np.isclose(many, np.log(np.e + 5) - 1, rtol=1e-2):
        why = ": ln(e + n) - 1, as if the scores went through a softmax twice"
    raise Failed(
        f"a target at 40 and negatives at 0 cost {many:.3g} with five negatives, {one:.3g} with one, {higher:.3g} with "
        f"five and a target at 80{why}"
    )


@check("the target's own score is not regularised", "B12")
def _own_score(loss: Lanes) -> str:
    _, target, _ = loss.lane(1.0, [-40.0] * 5)
    if not abs(target) < 1e-4:
        raise Failed(
            f"target at 1, negatives at -40: nothing is left to gain, yet the target's gradient is {target:.3g}: is "
            f"its own score in the regularisation, or in the softmax over the negatives?"
        )
    return f"target at 1, negatives at -40: the target's gradient is {abs(target):.1g}"


@check("a lane without negatives costs nothing")
def _no_negatives(loss: Lanes) -> str:
    asked = [(np.array([[1.5]]), np.array([[False]]))]
    if loss.takes_negatives:
        asked.append((np.array([[1.5, 0.5, -2.0]]), np.array([[False] * 3])))
    for scores, is_negative in asked:
        try:
            value, slope = loss.one_by_one(scores, is_negative)
        except ValueError as error:
            return f"it is refused with a ValueError: {error}"
        if not (abs(value[0]) < 1e-6 and (np.abs(slope) < 1e-6).all()):
            what = " (ln 2: a win against itself)" if np.isclose(value[0], np.log(2)) else ""
            raise Failed(
                f"a lane without negatives costs {value[0]:.3g}{what}, with gradients up "
                f"to {np.abs(slope).max():.3g}; both should be 0"
            )
    return "loss 0 and gradient 0"


@check("a hopeless target still gets its gradient", "B18")
def _hopeless(loss: Lanes) -> str:
    (_, near, _), (value, far, _) = (loss.lane(at, [0.0, 0.0]) for at in (-20.0, -60.0))
    is_bounded = loss.like in (None, "top1", "top1-max") and abs(near) < 0.5
    if is_bounded and np.isfinite(far):
        return (
            f"{near:.2g} for a target 20 below two negatives: a bounded loss, like TOP1. If it should not be bounded "
            f"(cross-entropy, BPR and BPR-max give -1), that is the bug"
        )
    if not abs(far) > 0.5 * max(abs(near), 0.5):
        why = "is it the logarithm of a softmax, kept above 0 by an epsilon?"
        if abs(near) < 0.5:
            why = "do the scores go through a softmax or a sigmoid before the loss applies its own?"
        raise Failed(
            f"a target 60 below two negatives costs {value:.4g} and gets gradient {far:.2g}; 20 below it gets "
            f"{near:.2g}: {why}"
        )
    return f"a target 60 below two negatives costs {value:.5g} and gets gradient {far:.3g}"


def _finite(loss: Lanes, cases: dict[str, tuple[float, list[float]]], why: str) -> str:
    for what, (target, negatives) in cases.items():
        value, slope, slopes = loss.lane(target, negatives)
        if not np.isfinite([value, slope, *slopes]).all():
            raise Failed(f"target and negatives at {what}: loss {value:.4g}, target's gradient {slope:.4g}. {why}")
    return f"loss and gradient are finite with target and negatives at {', or '.join(cases)}"


@check("a hopeless target gives a finite loss", "B10")
def _finite_below(loss: Lanes) -> str:
    return _finite(loss, FAR_BELOW, "Is it the logarithm of a sum that was rounded to 0?")


@check("negatives far below the target give a number", "B19")
def _finite_above(loss: Lanes) -> str:
    why = "Is the softmax over negatives masked by multiplying with 0, which leaves 0/0?"
    seen = _finite(loss, FAR_ABOVE, why)
    near, far, farther = (loss.lane(0.0, [at] * 3)[0] for at in (-50.0, -90.0, -200.0))
    if not (all_close(far, farther) if all_close(near, far) else far < farther):  # constant, or regularised
        raise Failed(
            f"target at 0, negatives falling from -50 to -90 to -200: the loss is {near:.4g}, {far:.4g}, then "
            f"{farther:.4g}. {why}"
        )
    return seen


@check("order of negatives and lanes does not matter")
def _order(loss: Lanes) -> str:
    scores, is_negative = loss.example(hits=False)
    negatives = [2.0, -1.0, 0.5, 3.0]
    value, _, slopes = loss.lane(0.7, negatives)
    turned, _, turned_slopes = loss.lane(0.7, negatives[::-1])
    if not all_close([value, *slopes], [turned, *turned_slopes[::-1]]):
        raise Failed(f"four negatives cost {value:.4g}, in reverse order {turned:.4g}, or the gradients do not follow")
    order = np.random.default_rng(SEED).permutation(len(scores))
    columns = np.append(order, np.arange(len(scores), scores.shape[1]))
    first, (second, _) = loss.call(scores, is_negative)[0], loss.call(scores[np.ix_(order, columns)], is_negative)
    if not all_close(first if loss.is_scalar else first.ravel()[order], second.reshape(first.shape).ravel()):
        raise Failed("when lanes and their targets' columns change places, their losses do not follow")
    return "losses and gradients move with them"


CHECKS: list[Check] = [
    _shape, _apart, _only_negatives, _signs, _perfect, _own_score, _no_negatives, _hopeless, _finite_below,
    _finite_above, _order,
]  # fmt: skip
