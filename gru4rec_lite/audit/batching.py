"""Checks of a batcher: its steps are played back, and every click must come from the right place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from ..internal.checks import require_sessions, require_that, require_whole
from .played import Played, made
from .probe import SEED, numpy
from .report import Check, Failed, NotTried, Report, check, crash, name_of, run, share

LANES = (1, 2, 7, 32)
FEW = {  # clicks of each session, and the number of lanes
    "one session in two lanes": ([4], 2),
    "two in two": ([4, 2], 2),
    "three in two": ([4, 2, 6], 2),
    "one in 32": ([4], 32),
    "three in 32": ([4, 2, 6], 32),
}
AWKWARD = {
    "50 clicks beside sessions of two": ([2, 50, 2, 2, 2, 2], 3),
    "sessions of one click among others": ([1, 3, 1, 1, 4, 1, 2, 1], 3),
    "as many sessions as lanes": ([3, 5, 2, 4], 4),
    "one session more than lanes": ([3, 5, 2, 4, 2], 4),
    "sessions of one click only": ([1, 1, 1], 2),
}
Plays = Callable[[], list[Played]]


def batches(batcher: Any, items: Any = None, offsets: Any = None, batch_size: int | None = None) -> Report:
    """Audit any batcher of sessions.

    Args:
        batcher: an iterable of steps, or a function ``make(items, offsets, batch_size)`` that returns one and is then
            tried on logs of all shapes. A step is (inputs, targets, resets), optionally followed by lanes, each
            ``(b,)``, as in `batching.Step`; without lanes, row i continues row i of the step before. Two-dimensional
            steps, (inputs, targets, real) of ``(b, T)`` each, are read as padded batches: each row is a session that
            starts from a zero state.
        items, offsets: the log that an iterable plays; session s is ``items[offsets[s]:offsets[s + 1]]``. Give every
            click a different item (``np.arange(n)``) if you can, so that every click can be followed.
        batch_size: number of lanes of an iterable, if they should be counted.

    Raises:
        ValueError: neither steps nor a function; an iterable without its log; a log that cannot be played.
    """
    is_either = callable(batcher) or isinstance(batcher, Iterable)
    require_that("batcher", batcher, is_either, "steps, or a function make(items, offsets, batch_size) returning them")
    require_whole("batch_size", 1 if batch_size is None else batch_size)
    if callable(batcher) and not isinstance(batcher, Iterable):
        return run(name_of(batcher), CHECKS, _Made(batcher), batcher)
    if items is None or offsets is None:
        raise ValueError("items, offsets: needed to know what an iterable should play; or pass make(items, offsets, B)")
    require_sessions(numpy(items), numpy(offsets))
    return run(name_of(batcher), CHECKS, _Given(batcher, numpy(items), numpy(offsets), batch_size), None)


class _Given:
    """One log and its steps, played once: a generator cannot be played again, nor after it has raised an error."""

    def __init__(self, batches: Any, *log: Any):
        self.batches, self.log = batches, log
        self.plays: list[Played] = []
        self.error: Exception | None = None

    def __call__(self) -> list[Played]:
        if self.error:
            raise self.error
        try:
            self.plays = self.plays or self.played()
        except Exception as error:
            self.error = error
            raise
        return self.plays

    def played(self) -> list[Played]:
        return [Played("", *self.log).read(self.batches)]


class _Made(_Given):
    """Logs of 5 B + 1 sessions for several B and, to test the tail, some of B, B + 1 and B + 2."""

    def played(self) -> list[Played]:
        rng = np.random.default_rng(SEED)
        logs = [(f"B={lanes}: ", 5 * lanes + 1, lanes) for lanes in LANES]
        logs += [(f"B={lanes}, {lanes + i} sessions: ", lanes + i, lanes) for lanes in LANES for i in range(3)]
        return [made(self.batches, rng.integers(2, 9, n).tolist(), lanes, what) for what, n, lanes in logs]


@check("every adjacent pair is there once", "B3 B8")
def _pairs(plays: Plays, make: Any) -> str:
    for played in plays():
        off = _lost(played)
        if off:
            raise Failed(played.what + off)
    return f"{sum(len(p.rows) for p in plays()):,} pairs, each as often as it occurs in the log"


def _lost(played: Played) -> str:
    """Describe which pairs are missing and which come too often."""
    got, total, text = Counter((row.click, row.target) for row in played.rows), sum(played.pairs.values()), []
    missing, extra = played.pairs - got, got - played.pairs
    n_missing, n_extra = sum(missing.values()), sum(extra.values())
    if missing:
        text.append(f"{share(n_missing, total, 'pairs')} ({n_missing / total:.0%}) never come")
        if played.is_unique:
            cut = [s for s in played.sessions if missing[s[-2], s[-1]]]
            text[-1] += f", and {share(len(cut), len(played.sessions), 'sessions')} are cut short"
    if extra:
        unknown = sum(n for pair, n in extra.items() if pair not in played.pairs)
        text.append(f"{n_extra - unknown:,} come too often, {unknown:,} are not neighbours in any session")
        if sum(n for (a, b), n in extra.items() if (b, a) in missing) > n_extra / 2:
            text[-1] += " (input and target are swapped)"
    elif missing:
        text[-1] += ": does the loop end when no session is left to start, or when a batch is not full?"
    return "; ".join(text)


@check("no pair joins two sessions")
def _joined(plays: Plays, make: Any) -> str:
    for played in plays():
        whole = [s.tolist() for s in np.split(played.items, played.offsets[1:-1]) if len(s)]
        firsts, lasts = {s[0] for s in whole}, {s[-1] for s in whole}
        follow = {(a[-1], b[0]) for a, b in pairwise(whole)}
        joined = [row for row in played.rows if (row.click, row.target) not in played.pairs]
        if played.is_unique:  # then whichever session the lane plays next
            joined = [row for row in joined if row.click in lasts and row.target in firsts]
        else:
            joined = [row for row in joined if (row.click, row.target) in follow]
        if joined:
            raise Failed(
                f"{played.what}{share(len(joined), len(played.rows), 'pairs')} go from a session's last click to the "
                f"first of another ({joined[0].click} to {joined[0].target}, for example): is the whole log shifted?"
            )
    return "no pair goes from a session's last click to the first of another"


@check("a reset where a session starts, and only there", "B2")
def _resets(plays: Plays, make: Any) -> str:
    bad, n = [], 0
    for played in plays():
        got = Counter(row.click for row in played.rows if row.resets)
        due = played.firsts & Counter(row.click for row in played.rows)
        late, lost, resets = sum((got - due).values()), sum((due - got).values()), sum(got.values())
        n += resets
        if late or lost:
            bad.append(
                f"{played.what}{share(late, resets, 'resets')} ({late / max(resets, 1):.0%}) hit a running session, "
                f"{share(lost, sum(due.values()), 'sessions')} start without one"
            )
    if bad:
        raise Failed(
            f"{'; '.join(bad[: len(LANES)])}. Is a mask made when a session ends, and applied again at later steps?"
        )
    return f"{n:,} resets, one where each session starts"


@check("a lane plays its session in order")
def _lanes(plays: Plays, make: Any) -> str:
    n = 0
    for played in plays():
        # resets may be wrong about which rows are inside a session; unique items are not
        amid = [row for row in played.rows if not (row.click in played.firsts if played.is_unique else row.resets)]
        wrong = [row for row in amid if row.before is None or row.before.target != row.click]
        n += len(amid)
        if wrong:
            was = "nothing" if wrong[0].before is None else f"target {wrong[0].before.target}"
            raise Failed(
                f"{played.what}{share(len(wrong), len(amid), 'rows')} continue with another session's state: at step "
                f"{wrong[0].step} a row feeds click {wrong[0].click}, and its lane had {was} before. Do states move up "
                f"with their rows when the batch shrinks?"
            )
    return f"{n:,} rows feed the click that was their lane's target before"


@check("full width until the tail")
def _width(plays: Plays, make: Any) -> str:
    seen = []
    for played in plays():
        if played.is_padded:
            raise NotTried("padded batches have no lanes: rows whose sessions have ended wait for the longest session")
        full = min(played.batch_size or max(played.widths, default=0), len(played.sessions))
        starts = [row.step for row in played.rows if row.resets or (played.is_unique and row.click in played.firsts)]
        started = np.bincount(starts, minlength=len(played.widths)).cumsum()
        for step, width in enumerate(played.widths):
            waiting = max(len(played.sessions) - int(started[step]), 0)
            if width > full or (width < full and waiting):
                raise Failed(
                    f"{played.what}step {step} has {share(width, full, 'rows')}, and {waiting} sessions wait to start"
                )
        tail = sum(width < full for width in played.widths)
        seen.append(f"{played.what}{len(played.widths) - tail} steps of {full}, then {tail} narrower")
    return "; ".join(seen[: len(LANES)])


def _tried(make: Any, cases: dict[str, tuple[list[int], int]], why: str) -> str:
    if make is None:
        raise NotTried("needs a function make(items, offsets, batch_size)")
    bad = []
    for what, (lengths, lanes) in cases.items():
        try:
            played = made(make, lengths, lanes)
        except Exception as error:
            bad.append(f"{what}: {error if isinstance(error, Failed) else crash(error)}")
            continue
        missing = played.pairs - Counter((row.click, row.target) for row in played.rows)
        if missing:
            bad.append(f"{what}: {share(sum(missing.values()), sum(played.pairs.values()), 'pairs')} never come")
        elif len(played.rows) != sum(played.pairs.values()):
            bad.append(f"{what}: {len(played.rows)} pairs, but {sum(played.pairs.values())} are expected")
    if bad:
        raise Failed("; ".join(bad) + why)
    return f"all pairs of {', '.join(cases)}"


@check("few sessions are enough", "B8 B17")
def _few(plays: Plays, make: Any) -> str:
    return _tried(make, FEW, ". Does it need as many sessions as a batch has lanes, or at least two lanes?")


@check("awkward logs are played, too", "B3")
def _awkward(plays: Plays, make: Any) -> str:
    return _tried(make, AWKWARD, "")


CHECKS: list[Check] = [_pairs, _joined, _resets, _lanes, _width, _few, _awkward]
