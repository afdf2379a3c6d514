"""What a model must not have seen: its catalogue, the training log and the test log side by side."""

from __future__ import annotations

import pandas as pd

from ..clicks import Sessions
from .probe import Probe
from .report import Failed, NotTried, check, share


def _both(probe: Probe) -> tuple[Sessions, Sessions]:
    if probe.train is None or probe.test is None:
        raise NotTried("needs train= and test=")
    return probe.train, probe.test


@check("the catalogue comes from training clicks alone", "B15")
def catalogue(probe: Probe) -> str:
    if probe.train is None:
        raise NotTried("needs train=, and preferably test= too")
    trained = probe.train.index
    extra, missing = probe.items.difference(trained, sort=False), trained.difference(probe.items, sort=False)
    if len(extra):
        first = extra.tolist()[0]
        tested = "" if probe.test is None else f", {len(extra.intersection(probe.test.index))} of them in the test log"
        raise Failed(
            f"{share(len(extra), probe.n_items, 'items')} of the catalogue ({first!r}, for example) have no "
            f"training click{tested}: was the item map made from more than the training log?"
        )
    seen = f"all {probe.n_items:,} items have training clicks"
    if len(missing):
        seen += f"; {share(len(missing), len(trained), 'items')} of the training log are not among them"
    if probe.test is not None:
        n = int((probe.numbers(probe.test.index)[probe.test.items] < 0).sum())
        seen += f"; {share(n, len(probe.test.items), 'test clicks')} are on items that the model does not know"
    return seen


@check("no session is in both logs", "B15")
def sessions(probe: Probe) -> str:
    train, test = _both(probe)
    both = pd.Index(train.ids).intersection(pd.Index(test.ids))
    if len(both):
        example = both.tolist()[0]
        raise Failed(f"{share(len(both), len(test), 'test sessions')} are also in train ({example!r}, for example)")
    return f"{len(train):,} training sessions and {len(test):,} test sessions, none of them in both"


@check("training ends before the test begins", "B15")
def times(probe: Probe) -> str:
    train, test = _both(probe)
    begins, end = test.times[test.offsets[:-1]], train.times.max()
    early = int((begins <= end).sum())
    if early:
        raise Failed(
            f"{share(early, len(begins), 'test sessions')} begin before the last training click, so training already "
            f"knows what visitors do in those hours: is this a random split, or one by session id?"
        )
    return f"the last training click comes {begins.min() - end:,.0f} seconds before the first test session"
