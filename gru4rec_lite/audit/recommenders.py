"""Checks of a recommender: sessions differ in one thing, and its answers must differ only where that thing matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from . import leaks, lists, shapes
from .probe import Probe, Session, apart, change
from .report import Check, Failed, NotTried, Report, check, name_of, run, share


def recommender(model: Any, train: pd.DataFrame | None = None, test: pd.DataFrame | None = None) -> Report:
    """Audit any recommender: it has ``items`` and ``scores(items, offsets, times)``, as `evaluate` needs them.

    Args:
        model: ours or yours; ``recommend`` and ``stream`` are tried if it has them. Its blocks of scores may be
            tensors or arrays, and ``scores`` need not take times.
        train, test: the click logs of an experiment, to look for leaks between them.

    Raises:
        ValueError: the model has no items or no scores.
        ClickLogError: a log that cannot be used.
    """
    return run(name_of(model), CHECKS, Probe(model, train, test))


@check("two calls give the same scores", "B1")
def _steady(probe: Probe) -> str:
    sessions = probe.sessions([4, 2, 7, 3, 2, 30, 2, 5])
    first, again = probe.rows(sessions), probe.rows(sessions)
    probe.rows(probe.sessions([5, 3]))
    words = change(first, again, sessions) or change(first, probe.rows(sessions), sessions)
    if words:
        probe.is_steady = False
        raise Failed(
            f"asked again about the same sessions, {words}: is dropout still on (model.eval()), or does a state "
            f"survive from one call to the next?"
        )
    return f"asked three times about the same sessions, {sum(map(len, first))} rows are the same"


@check("rows come in session order")
def _order(probe: Probe) -> str:
    sessions = probe.sessions([3, 7, 2, 5, 4, 9, 2])
    together, alone = np.concatenate(probe.rows(sessions)), np.concatenate([probe.alone(s) for s in sessions])
    if not apart(alone, together).any():
        return f"{len(alone)} rows are where those of each session alone would be"
    place = [np.flatnonzero(apart(np.tile(row, (len(together), 1)), together) == 0) for row in alone]
    if not all(map(len, place)):
        raise NotTried("rows change with the rest of the batch, see below, so their order is unknown")
    probe.in_place = False
    moved = [(i, int(found[0])) for i, found in enumerate(place) if i not in found]
    raise Failed(
        f"the rows are right, but {share(len(moved), len(alone), 'are in the wrong place')} (row {moved[0][0]} at "
        f"{moved[0][1]}, for example): are sessions sorted by length and not put back in order?"
    )


@check("other sessions in the batch change nothing")
def _company(probe: Probe) -> str:
    asked, after = probe.sessions([4, 2, 6, 3, 5]), probe.sessions([9, 2, 30, 3])
    together = probe.rows([*asked, *after])[: len(asked)]
    others = probe.rows([*asked, *map(probe.other, after)])[: len(asked)]
    for company, found in (("others", others), ("left out", probe.rows(asked))):
        words = change(together, found, asked)
        if words:
            probe.is_crowded = True
            raise Failed(
                f"when the sessions after them are {company}, {words}: does padding leak into the scores, or a "
                f"statistic of the whole batch?"
            )
    return f"{sum(map(len, together))} rows stay the same when the sessions after them change or are left out"


@check("state is reset between sessions", "B1")
def _reset(probe: Probe) -> str:
    before, asked, between = probe.many(), *(probe.sessions([4, 2, 6, 3, 5, 2, 4, 3, 2, 5, 3, 4]) for _ in range(2))

    def rows(change_them: Any) -> list[np.ndarray]:  # the sessions asked about stand between the changed ones
        pairs = [s for pair in zip(map(change_them, between), asked, strict=True) for s in pair]
        return probe.rows([*map(change_them, before), *pairs], last=len(pairs))[1::2]

    one, two = rows(lambda session: session), rows(probe.other)
    words = change(one, two, asked)
    if words and probe.is_crowded:
        raise Failed(f"when the sessions before them change, {words}; but so they do with those after them, see above")
    if words:
        first = sum(bool(apart(a[:1], b[:1]).any()) for a, b in zip(one, two, strict=True))
        raise Failed(
            f"the state survives from one session to the next: when the sessions before them change, {words}; "
            f"{first} of {len(asked)} first rows are among them. Is the hidden state set to zero where a session "
            f"starts, in evaluation, too?"
        )
    return f"{sum(map(len, one))} rows stay the same when the {len(before)} sessions before them change"


@check("later clicks change no earlier row")
def _causal(probe: Probe) -> str:
    by = []  # for each session and cut: the rows before the cut, last one first
    for session in probe.sessions([6] * 6):
        rows = probe.alone(session)
        by += [apart(rows[:cut], probe.alone(probe.other(session, cut))[:cut])[::-1] for cut in range(1, 6)]
    every, nearest = np.concatenate(by), np.array([rows[0] for rows in by])
    if every.any():
        raise Failed(
            f"rows see clicks that had not happened yet: {share(int((every > 0).sum()), len(every), 'rows')} change "
            f"with later clicks (largest difference {every.max():.2g}), and "
            f"{share(int((nearest > 0).sum()), len(by), 'change')} with the very click that they predict: is the "
            f"target fed as input, or is the attention mask missing?"
        )
    return f"{len(every)} rows stay the same when the clicks after them change"


@check("a prefix scores as in its whole session")
def _prefix(probe: Probe) -> str:
    sessions = probe.sessions([6, 3, 9, 4])
    whole = [probe.alone(session) for session in sessions]
    cut = [probe.alone(Session(*(part[: t + 1] for part in s)))[-1] for s in sessions for t in range(1, len(s.items))]
    by = apart(np.concatenate(whole), np.stack(cut))
    if by.any():
        raise Failed(
            f"{share(int((by > 0).sum()), len(by), 'rows')} change when the session is cut after them (largest "
            f"difference {by.max():.2g}): padding on the left, or positions counted from the end, reveal how many "
            f"clicks are still to come"
        )
    return f"{len(by)} rows are the same when the session is cut after them"


@check("an unknown click changes no state", "B9")
def _unknown(probe: Probe) -> str:
    sessions, places = probe.sessions([6] * 6), [1, 2, 3, 4, 5, 0]

    def with_click(number: int) -> list[Session]:
        before = [max(place - 1, 0) for place in places]
        return [
            Session(np.insert(s.items, place, number), np.insert(s.times, place, s.times[at]))
            for s, place, at in zip(sessions, places, before, strict=True)
        ]

    def rows(asked: Sequence[Session]) -> np.ndarray:  # all but the row after that click alone, which may be anything
        return np.concatenate([probe.alone(s)[place == 0 :] for s, place in zip(asked, places, strict=True)])

    if probe.count(with_click(-1)) == sum(len(s.items) - 1 for s in sessions):
        raise Failed(
            "clicks on unknown items are left out: their rows, whose targets cannot be hit, are lost, and the "
            "clicks around them become neighbours"
        )
    due = []
    for session, place in zip(sessions, places, strict=True):
        known = probe.alone(session)
        due.append(np.insert(known, place, known[place - 1], axis=0) if place else known)
    nothing_known = Session(np.full(3, -1), sessions[0].times[:3])
    if np.isnan(np.concatenate(list(probe.blocks([nothing_known])))).any():
        raise Failed("after unknown clicks only, scores are not numbers: is it a mean over no clicks?")
    found = rows(with_click(-1))
    by = apart(np.concatenate(due), found)
    if not by.any():
        return f"{len(by)} rows of sessions with an unknown click equal those without it"
    as_if = [
        f", as if it were item {number}{why}"
        for number, why in ((probe.n_items - 1, ", the last one (index -1)"), (0, ""))
        if not apart(rows(with_click(number)), found).any()
    ]
    raise Failed(
        f"an unknown click (-1) changes the state{''.join(as_if[:1])}: "
        f"{share(int((by > 0).sum()), len(by), 'rows')}, largest difference {by.max():.2g}"
    )


@check("scores tell items apart")
def _ties(probe: Probe) -> str:
    sessions, where = probe.sessions([6] * 20), "random sessions"
    if probe.test is not None:
        number, where = probe.numbers(probe.test.index)[probe.test.items], "test sessions"
        cut = probe.test.offsets[1:-1]
        both = zip(np.split(number, cut), np.split(probe.test.times, cut), strict=True)
        sessions = [Session(*s) for s in both if len(s[0]) > 1][: int(np.clip(2e6 / probe.n_items, 5, 200))]
    rows, targets = np.concatenate(probe.rows(sessions)), np.concatenate([s.items[1:] for s in sessions])
    rows, targets = rows[targets >= 0], targets[targets >= 0]
    if probe.n_items < 2 or not len(rows):
        raise NotTried("needs two items and a known next click")
    if (rows == rows[:, :1]).all():
        raise Failed(
            f"all {len(rows)} rows are constant, every item as good as any other: counting ties for the target "
            f"(standard) gives Recall@1 = 1, against it (conservative) 0"
        )
    target = rows[np.arange(len(rows)), targets][:, None]
    best, worst = (rows > target).sum(axis=1) + 1, (rows >= target).sum(axis=1)
    k, tied = min(20, max(1, probe.n_items // 5)), int((best < worst).sum())
    seen = f"{share(tied, len(rows), 'targets')} share their score with other items ({where})"
    if tied:
        kind, strict = (f"{(rank <= k).mean():.3f}" for rank in (best, worst))
        seen += f": Recall@{k} is {kind} if they count behind it (standard), {strict} if before it (conservative)"
    return seen


CHECKS: list[Check] = [
    shapes.predictions, shapes.few, shapes.columns, shapes.numbers, _steady, _order, _company, _reset, _causal, _prefix,
    _unknown, _ties, lists.recommend, lists.stream, leaks.catalogue, leaks.sessions, leaks.times,
]  # fmt: skip
