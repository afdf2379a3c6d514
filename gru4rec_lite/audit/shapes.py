"""What scores must be before anything can be compared: a row for each prediction, a column for each item, numbers."""

from __future__ import annotations

import numpy as np

from .probe import Probe
from .report import Failed, check, crash, share

UNEQUAL = [4, 1, 2, 7, 1, 3, 2, 30, 2, 5]  # clicks of each session; two sessions have one click, so no prediction
FEW = {"a session of two clicks": [2], "a session of six": [6], "two sessions": [3, 5], "three sessions": [1, 4, 2]}


@check("every prediction has its row", "B3")
def predictions(probe: Probe) -> str:
    seen = []
    for sessions in (probe.sessions(UNEQUAL), probe.many()):
        clicks = [len(s.items) for s in sessions]
        due, got = sum(n - 1 for n in clicks), probe.count(sessions)
        if got != due:
            raise Failed(f"{got:,} rows, but {due:,} are expected for {len(clicks)} sessions; {_why(got, clicks)}")
        seen.append(f"{due:,} rows for {len(clicks)} sessions")
    return f"{' and '.join(seen)}, one for each click but the last"


def _why(got: int, clicks: list[int]) -> str:
    per_session = "that is one per session: every click but the first is to be predicted, not just the last"
    known = {
        sum(clicks): "that is one for each click: after a session's last click there is nothing to predict",
        sum(clicks) - 1: "that is what one long session would have: are the offsets used?",
        sum(max(n - 2, 0) for n in clicks): "that is one too few per session: is the row after the first click there?",
        len(clicks): per_session,
        sum(n > 1 for n in clicks): per_session,
    }
    lost = "does the loop end when no session is left to start, or when a batch is not full?"
    return known.get(got, lost if got < sum(clicks) - len(clicks) else "some come twice, or belong to no prediction")


@check("few sessions are enough", "B17")
def few(probe: Probe) -> str:
    bad = []
    for what, lengths in FEW.items():
        try:
            got, due = probe.count(probe.sessions(lengths)), sum(n - 1 for n in lengths)
        except Exception as error:
            bad.append(f"{what}: {crash(error)}")
        else:
            bad += [f"{what}: {got} rows, but {due} are expected"] if got != due else []
    if bad:
        raise Failed(f"{'; '.join(bad)}. Does it need as many sessions as a batch has lanes, or at least two lanes?")
    return f"all rows are there for {', '.join(FEW)}"


@check("one column for each item", "B9")
def columns(probe: Probe) -> str:
    if not probe.items.is_unique:
        twice = probe.items[probe.items.duplicated()].tolist()[0]
        raise Failed(f"the item index holds {twice!r} more than once")
    widths = {block.shape[1] for block in probe.blocks(probe.sessions(UNEQUAL)) if len(block)}
    if widths != {probe.n_items}:
        ghost = ": an extra class for padding or for unknown items?" if widths == {probe.n_items + 1} else ""
        raise Failed(f"{', '.join(map(str, sorted(widths)))} columns for {probe.n_items:,} items{ghost}")
    return f"{probe.n_items:,} columns for {probe.n_items:,} items"


@check("every score is a number")
def numbers(probe: Probe) -> str:
    scores = np.concatenate([block.ravel() for block in probe.blocks(probe.sessions(UNEQUAL))])
    bad, infinite = int(np.isnan(scores).sum()), int(np.isinf(scores).sum())
    if bad:
        raise Failed(f"{share(bad, len(scores), 'scores')} are not a number: did the training diverge?")
    if infinite:
        return f"no NaN; {share(infinite, len(scores), 'scores')} are infinite, which ties those items"
    return f"{len(scores):,} scores from {scores.min():.3g} to {scores.max():.3g}"
