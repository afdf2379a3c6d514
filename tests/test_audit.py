"""Each check of an audit passes on ours and fails on something broken; a check that cannot fail checks nothing."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from logs import by_last_click, click_log, random_log, tiny
from torch import nn
from torch.nn.utils.rnn import pad_sequence

import gru4rec_lite as g4r
from gru4rec_lite import audit, museum
from gru4rec_lite.audit import batching, equations, losses, recommenders, sampling
from gru4rec_lite.batching import SessionParallel, Step, padded
from gru4rec_lite.museum import batching as bad_plans
from gru4rec_lite.museum import evaluation as bad_evaluations
from gru4rec_lite.museum import losses as bad_losses
from gru4rec_lite.sampling import NegativeSampler

ITEMS = "abcdefghijkl"
TRAIN, TEST = random_log(80, ITEMS), random_log(20, ITEMS, seed=1)
TEST = TEST.assign(SessionId=TEST["SessionId"] + 1000, Time=TEST["Time"] + 1e6)


def seen(report: audit.Report, check: str) -> str:
    return report[check].seen


def assert_ok(report: audit.Report, not_tried: int = 0) -> None:
    assert report.ok, str(report)
    assert report.frame()["passed"].isna().sum() == not_tried, report


# --- recommenders


class Plain:
    """A reader's own recommender: `nn.GRU`, sessions padded on the right, a batch at a time."""

    def __init__(self, batch_size: int = 8, items: str = ITEMS):
        self.items, self.batch_size = list(items), batch_size
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.table, self.gru = nn.Embedding(len(items), 6), nn.GRU(6, 8, batch_first=True)
            self.out = nn.Linear(8, len(items))

    def scores(self, items, offsets, times):
        sessions = [torch.from_numpy(items[a:b]) for a, b in pairwise(offsets)]
        for first in range(0, len(sessions), self.batch_size):
            yield from self.of(sessions[first : first + self.batch_size])

    @torch.no_grad()
    def of(self, sessions):
        """Scores ``(L - 1, N)`` of each session."""
        clicks = pad_sequence([F.pad(s[s >= 0], (0, 1)) for s in sessions], batch_first=True)  # at least one
        hidden = F.pad(self.gru(self.table(clicks))[0], (0, 0, 1, 0))  # (b, T + 1, H), zeros before the first click
        return [self.out(h[(s >= 0).cumsum(0)[:-1]]) for h, s in zip(hidden, sessions, strict=True)]


class WholeBatchesOnly(Plain):
    def scores(self, items, offsets, times):
        whole = (len(offsets) - 1) // self.batch_size * self.batch_size
        return super().scores(items, offsets[: whole + 1], times)


class NeedsABatch(Plain):
    def scores(self, items, offsets, times):
        offsets[np.arange(self.batch_size)]  # IndexError with fewer sessions
        return super().scores(items, offsets, times)


class GhostClass(Plain):
    def of(self, sessions):
        return [F.pad(rows, (0, 1)) for rows in super().of(sessions)]


class Diverged(Plain):
    def of(self, sessions):
        return [rows.index_fill(1, torch.tensor([3]), float("nan")) for rows in super().of(sessions)]


class DropoutStillOn(Plain):
    def of(self, sessions):
        return [F.dropout(rows, 0.2) for rows in super().of(sessions)]


class PaddedLeft(Plain):
    """The GRU runs through the padding, whose embedding is zero but whose biases move the state."""

    @torch.no_grad()
    def of(self, sessions):
        longest = max(map(len, sessions))
        clicks = torch.stack([F.pad(s, (longest - len(s), 0), value=-1) for s in sessions])
        hidden = self.gru(self.table(clicks.clamp(min=0)) * (clicks >= 0)[..., None])[0]
        return [self.out(h[longest - len(s) : -1]) for h, s in zip(hidden, sessions, strict=True)]


class StateKeptBetweenCalls(Plain):
    state = 0.0

    def of(self, sessions):
        rows = [rows + self.state for rows in super().of(sessions)]
        self.state = 0.1 * rows[-1].sum(dim=0).tanh() if len(rows[-1]) else self.state
        return rows


class LeaksAHundredth(Plain):
    """One percent of what came before."""

    def of(self, sessions):
        rows = super().of(sessions)
        return [r + 0.01 * (rows[i - 1][-1:] if i and len(rows[i - 1]) else 0) for i, r in enumerate(rows)]


class BatchStatistic(Plain):
    def of(self, sessions):
        rows = super().of(sessions)
        return [r - torch.cat(rows).mean(dim=0) for r in rows]


class SortedByLength(Plain):
    def scores(self, items, offsets, times):
        sessions = sorted((torch.from_numpy(items[a:b]) for a, b in pairwise(offsets)), key=len, reverse=True)
        return iter(self.of(sessions))


class CountsFromTheEnd(Plain):
    def of(self, sessions):
        return [
            rows + torch.arange(len(rows), 0, -1)[:, None] * torch.eye(len(ITEMS))[0] for rows in super().of(sessions)
        ]


class LastIsMinusOne(Plain):
    def scores(self, items, offsets, times):
        return super().scores(items % len(ITEMS), offsets, times)


class UnknownDropped(Plain):
    def scores(self, items, offsets, times):
        kept = np.concatenate([[0], (items >= 0).cumsum()])
        return super().scores(items[items >= 0], kept[offsets], times)


class MeanOfKnown(Plain):
    """Divides by the number of known clicks."""

    def of(self, sessions):
        known = [(s >= 0).cumsum(0)[:-1, None] for s in sessions]
        return [r * 0 + r * n / n for r, n in zip(super().of(sessions), known, strict=True)]


class Constant(Plain):
    def of(self, sessions):
        return [torch.ones_like(rows) for rows in super().of(sessions)]


class WorstFirst(Plain):
    def recommend(self, history, k):
        items = np.array([self.items.index(i) for i in [*history, history[-1]]])
        row = torch.cat(list(self.scores(items, np.array([0, len(items)]), None)))[-1]
        return [self.items[i] for i in row.argsort()[:k]]


class StreamGoesOn(Plain):
    """Streams of one model share their clicks."""

    def __init__(self):
        super().__init__()
        self.clicks = []

    def stream(self):
        return self

    def click(self, item):
        self.clicks.append(item)

    def recommend(self, k):
        items = np.array([self.items.index(i) for i in [*self.clicks, self.clicks[-1]]])
        row = torch.cat(list(self.scores(items, np.array([0, len(items)]), None)))[-1]
        return [(self.items[i], row[i].item()) for i in row.argsort(descending=True)[:k]]


def popular(*logs: pd.DataFrame):
    return g4r.baselines.Pop().fit(pd.concat(logs, ignore_index=True))


BROKEN = {
    "every prediction has its row": WholeBatchesOnly(),
    "few sessions are enough": NeedsABatch(),
    "one column for each item": GhostClass(),
    "every score is a number": Diverged(),
    "two calls give the same scores": DropoutStillOn(),
    "rows come in session order": SortedByLength(),
    "other sessions in the batch change nothing": BatchStatistic(),
    "state is reset between sessions": bad_evaluations.StateNotReset(Plain()),
    "later clicks change no earlier row": bad_evaluations.LooksAhead(Plain()),
    "a prefix scores as in its whole session": CountsFromTheEnd(),
    "an unknown click changes no state": bad_evaluations.UnknownBecomesAnItem(Plain()),
    "scores tell items apart": Constant(),
    "a list shows the best scores": WorstFirst(),
    "click by click gives the same scores": StreamGoesOn(),
    "the catalogue comes from training clicks alone": popular(TRAIN, click_log("ayz")),
    "no session is in both logs": (popular(TRAIN), TRAIN, pd.concat([TRAIN[:5], TEST])),
    "training ends before the test begins": (popular(TRAIN), TRAIN, TEST.assign(Time=TEST["Time"] - 1e6)),
}


@pytest.mark.parametrize("check", BROKEN)
def test_a_broken_recommender_fails_its_check(check):
    given = BROKEN[check] if isinstance(BROKEN[check], tuple) else (BROKEN[check], TRAIN, TEST)
    report = audit.recommender(*given)
    assert report[check].passed is False, report


@pytest.mark.parametrize("check", ["one column for each item", "every score is a number", "scores tell items apart",
                                   "state is reset between sessions", "rows come in session order"])  # fmt: skip
def test_a_bug_fails_no_check_but_its_own(check):
    assert audit.recommender(BROKEN[check]).failed == (check,)


def test_every_check_of_a_recommender_can_fail():
    assert list(BROKEN) == [check.name for check in recommenders.CHECKS]


def test_a_readers_own_recommender_passes():
    assert_ok(audit.recommender(Plain(), TRAIN, TEST), not_tried=2)  # it has neither recommend nor stream
    assert_ok(audit.recommender(by_last_click()), not_tried=5)  # blocks are arrays, and there are no logs


@pytest.mark.parametrize("cell", ["gru", "gru-paper", "lstm", "rnn"])
def test_ours_passes(cell):
    model = tiny(cell=cell, layers=(6, 5), embedding="separate", dropout_hidden=0.5).fit(TRAIN, progress=False)
    assert_ok(audit.recommender(model, TRAIN, TEST))


@pytest.mark.parametrize("name", [name for name in g4r.baselines.__all__ if name != "ByHistory"])
def test_baselines_pass(name):
    assert_ok(audit.recommender(getattr(g4r.baselines, name)().fit(TRAIN), TRAIN, TEST))


def test_the_oracle_passes():
    assert_ok(audit.recommender(g4r.toyshop.Oracle(reload=g4r.toyshop.RELOAD)), not_tried=3)


def test_one_item_or_two_are_enough():
    for log in (click_log("aa", "aaa"), click_log("ab", "aba")):
        assert not set(audit.recommender(popular(log), log).failed) - {"scores tell items apart"}


def test_scores_without_times_in_one_block_and_in_half_precision():
    class Whole(Plain):
        def scores(self, items, offsets):
            return torch.cat(list(super().scores(items, offsets, None))).requires_grad_()

    assert_ok(audit.recommender(Whole()), not_tried=5)

    class Half(Plain):
        def of(self, sessions):
            return [rows.bfloat16() for rows in super().of(sessions)]

    assert audit.recommender(Half())["one column for each item"].passed


def test_rounding_is_no_difference_and_a_hundredth_is():
    class Rounded(Plain):
        def of(self, sessions):
            return [rows + 1e-5 * torch.randn(rows.shape) for rows in super().of(sessions)]

    assert_ok(audit.recommender(Rounded()), not_tried=5)
    assert "state is reset between sessions" in audit.recommender(LeaksAHundredth(batch_size=1000)).failed


def test_an_item_that_is_there_twice_is_named():
    report = audit.recommender(Plain(items="abcdefghijka"), TRAIN, TEST)
    assert report.failed == ("one column for each item",)
    assert "holds 'a' more than once" in seen(report, "one column for each item")


def test_infinite_scores_are_compared_too():
    class Without(Plain):
        def of(self, sessions):
            return [rows.index_fill(1, torch.tensor([0]), -torch.inf) for rows in super().of(sessions)]

    report = audit.recommender(Without())
    assert_ok(report, not_tried=5)
    assert "are infinite" in seen(report, "every score is a number")


def test_clicked_items_may_be_left_out_of_lists():
    model = popular(TRAIN)
    model.recommend = lambda history, k, *rest: g4r.baselines.Pop.recommend(model, history, k, exclude=history)
    report = audit.recommender(model)
    assert_ok(report, not_tried=3)
    assert "clicked items left out" in seen(report, "a list shows the best scores")


def test_messages_of_a_recommender_tell_what_to_look_for():
    def said(model, check: str) -> str:
        return seen(audit.recommender(model), check)

    assert "31 of 31 rows change" in said(BROKEN["state is reset between sessions"], "state is reset between sessions")
    assert "model.eval()" in said(DropoutStillOn(), "two calls give the same scores")
    assert "from one call to the next" in said(StateKeptBetweenCalls(), "two calls give the same scores")
    assert "13 columns for 12 items: an extra class" in said(GhostClass(), "one column for each item")
    assert "index -1" in said(LastIsMinusOne(), "an unknown click changes no state")
    assert "left out: their rows, whose targets cannot be hit, are lost" in said(
        UnknownDropped(), "an unknown click changes no state"
    )
    assert "after unknown clicks only" in said(MeanOfKnown(), "an unknown click changes no state")
    assert "sorted by length" in said(SortedByLength(), "rows come in session order")
    assert "30 of 30 change with the very click" in said(
        BROKEN["later clicks change no earlier row"], "later clicks change no earlier row"
    )
    assert "a session of two clicks: it raised IndexError" in said(NeedsABatch(), "few sessions are enough")
    assert "but so they do with those after them" in said(BatchStatistic(), "state is reset between sessions")
    report = audit.recommender(popular(TRAIN, TEST.assign(ItemId="new")), TRAIN, TEST.assign(ItemId="new"))
    assert "'new', for example" in seen(report, "the catalogue comes from training clicks alone")
    assert "1 of them in the test log" in seen(report, "the catalogue comes from training clicks alone")


def test_a_gru_that_runs_through_padding_is_found():
    found = audit.recommender(PaddedLeft())["other sessions in the batch change nothing"]
    assert found.passed is False
    assert "does padding leak into the scores" in found.seen


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        (lambda n: n, "one for each click"),
        (lambda n: max(n - 2, 0), "one too few per session"),
        (lambda n: 1, "one per session"),
        (lambda n: 2 * n, "some come twice"),
    ],
)
def test_a_wrong_number_of_rows_is_explained(rows, hint):
    class Wrong(Plain):
        def scores(self, items, offsets, times):
            return (torch.zeros(rows(n), len(ITEMS)) for n in np.diff(offsets).tolist())

    assert hint in seen(audit.recommender(Wrong()), "every prediction has its row")


def test_ties_are_told_and_no_failure():
    log = click_log(*["ab"] * 3, *["cd"] * 2, *["ef"] * 2)
    report = audit.recommender(
        popular(log), log, TEST.assign(ItemId=["c", "e"] * (len(TEST) // 2) + ["c"] * (len(TEST) % 2))
    )
    assert report["scores tell items apart"].passed
    assert "Recall@1 is" in seen(report, "scores tell items apart")


def test_what_is_no_recommender_is_refused():
    with pytest.raises(ValueError, match=r"must be fitted, and have items and scores\(items, offsets, times\)"):
        audit.recommender(g4r.GRU4Rec())
    with pytest.raises(ValueError, match="items are empty"):
        audit.recommender(by_last_click(""))
    with pytest.raises(g4r.clicks.ClickLogError, match="ItemId"):
        audit.recommender(Plain(), TRAIN.drop(columns="ItemId"))


# --- losses


def no_gradient(scores, is_negative):
    return g4r.losses.bpr(scores, is_negative).detach()


def whole_matrix(scores, is_negative):
    return g4r.losses.bpr(scores, is_negative) * scores.abs().mean()


def by_place(scores, is_negative):
    return g4r.losses.bpr(scores * torch.linspace(1, 2, scores.shape[1]), is_negative)


def mean_of_all(scores, is_negative):
    return (F.softplus(scores - scores.diagonal()[:, None]) * is_negative).sum(dim=1) / is_negative.sum(dim=1)


BAD_LOSSES = {
    "one loss for each lane": (lambda scores, is_negative: scores, None),
    "lanes do not influence each other": (bad_losses.bpr_max_of_the_matrix, None),
    "only negatives count": (
        lambda scores, _: F.cross_entropy(scores, torch.arange(len(scores)), reduction="none"),
        None,
    ),
    "the target is pulled up, negatives are pushed down": (lambda s, n: -g4r.losses.bpr(s, n), None),
    "a perfect ranking costs nothing": (bad_losses.cross_entropy_of_softmax, None),
    "the target's own score is not regularised": (bad_losses.top1_with_target, None),
    "a lane without negatives costs nothing": (mean_of_all, None),
    "a hopeless target still gets its gradient": (bad_losses.saturated_cross_entropy, None),
    "a hopeless target gives a finite loss": (bad_losses.unguarded_bpr_max, None),
    "negatives far below the target give a number": (bad_losses.bpr_max_masked_by_zero, None),
    "order of negatives and lanes does not matter": (by_place, None),
    "the value is that of the equation": (bad_losses.bpr_max_without_regularisation, "bpr-max"),
    "the gradient is that of the equation": (bad_losses.bpr_max_without_regularisation, "bpr-max"),
}


@pytest.mark.parametrize("check", BAD_LOSSES)
def test_a_broken_loss_fails_its_check(check):
    fn, like = BAD_LOSSES[check]
    report = audit.loss(fn, like)
    assert report[check].passed is False, report


def test_every_check_of_a_loss_can_fail():
    assert list(BAD_LOSSES) == [finding.check for finding in audit.loss(g4r.losses.bpr).findings]


@pytest.mark.parametrize(
    ("fn", "like", "check"),
    [
        (bad_losses.bpr_with_target, "bpr", "a perfect ranking costs nothing"),
        (bad_losses.top1_with_target, "top1", "a perfect ranking costs nothing"),
        (bad_losses.bpr_max_with_target, "bpr-max", "a perfect ranking costs nothing"),
        (bad_losses.cross_entropy_of_softmax, "cross-entropy", "a hopeless target still gets its gradient"),
        (lambda s, n: s.diagonal().square() + g4r.losses.bpr(s, n), None, "the target's own score is not regularised"),
        (lambda s, n: whole_matrix(s, n).mean(), None, "lanes do not influence each other"),
    ],
)  # fmt: skip
def test_more_broken_losses(fn, like, check):
    assert check in audit.loss(fn, like).failed


@pytest.mark.parametrize("like", g4r.losses.LOSSES)
def test_our_losses_pass(like):
    report = audit.loss(g4r.losses.LOSSES[like], like=like)
    assert_ok(report)
    assert f"those of {like}" in seen(report, "one loss for each lane")
    assert_ok(audit.loss(g4r.losses.LOSSES[like]), not_tried=2)


def test_settings_go_to_the_equation_and_to_the_loss():
    assert_ok(audit.loss(g4r.losses.bpr_max, like="bpr-max", bpreg=0.3))
    assert_ok(audit.loss(lambda s, n: g4r.losses.bpr_max(s, n, 0.3), like="bpr-max", bpreg=0.3))
    assert not audit.loss(lambda s, n: g4r.losses.bpr_max(s, n, 0.3), like="bpr-max").ok
    with pytest.raises(ValueError, match=r"like='bprmax': must be one of cross-entropy, bpr, top1, bpr-max, top1-max"):
        audit.loss(g4r.losses.bpr, like="bprmax")
    with pytest.raises(ValueError, match="bpreg: not a setting of like='bpr'"):
        audit.loss(g4r.losses.bpr, like="bpr", bpreg=1.0)


def test_other_ways_to_call_a_loss():
    def mean(scores):
        return F.cross_entropy(scores, torch.arange(len(scores)))

    class Sum(nn.Module):
        def forward(self, scores):
            return F.cross_entropy(scores, torch.arange(len(scores)), reduction="sum")

    for fn, word in ((mean, "mean"), (Sum(), "sum")):
        report = audit.loss(fn, like="cross-entropy")
        assert_ok(report, not_tried=1)  # what is no negative it is not told
        assert f"their {word}" in seen(report, "one loss for each lane")
    assert_ok(audit.loss(lambda s, n: g4r.losses.bpr(s, n).mean(), like="bpr"))
    assert_ok(audit.loss(lambda s, n: g4r.losses.bpr(s, n)[:, None], like="bpr"))


def test_a_loss_in_numpy_passes_and_its_bug_is_found():
    def bpr(scores, is_negative):
        pairs = np.logaddexp(0, scores - np.diagonal(scores)[:, None]) * is_negative
        return pairs.sum(axis=1) / np.maximum(is_negative.sum(axis=1), 1)

    assert_ok(audit.loss(bpr, like="bpr"))
    assert "a perfect ranking costs nothing" in audit.loss(lambda s, n: bpr(s, np.ones_like(n))).failed


def test_messages_of_a_loss_tell_what_to_look_for():
    report = audit.loss(bad_losses.cross_entropy_of_softmax)
    assert "through a softmax twice" in seen(report, "a perfect ranking costs nothing")
    assert "among its own n negatives" in seen(
        audit.loss(bad_losses.bpr_with_target), "a perfect ranking costs nothing"
    )
    report = audit.loss(bad_losses.saturated_cross_entropy)
    assert "costs 55.26 and gets gradient -0.0044" in seen(report, "a hopeless target still gets its gradient")
    report = audit.loss(lambda s, n: 2 * g4r.losses.bpr(s, n), like="bpr")
    assert "always 2 times it" in seen(report, "the value is that of the equation")
    assert "always 2 times it" in seen(report, "the gradient is that of the equation")
    report = audit.loss(lambda s, n: 1 + g4r.losses.bpr(s, n), like="bpr")
    assert "always +1" in seen(report, "the value is that of the equation")
    assert "no gradient flows back" in seen(audit.loss(no_gradient), "one loss for each lane")
    refuses = lambda s, n: g4r.losses.bpr(s, n) if n.any() else {}[0]  # noqa: E731
    assert "it raised KeyError: 0 (test_audit.py" in seen(audit.loss(refuses), "a lane without negatives costs nothing")


def test_a_clear_refusal_of_a_lane_without_negatives_will_do():
    def fn(scores, is_negative):
        if not is_negative.any(dim=1).all():
            raise ValueError("no negatives")
        return g4r.losses.bpr(scores, is_negative)

    report = audit.loss(fn)
    assert report["a lane without negatives costs nothing"].passed
    assert "ValueError: no negatives" in seen(report, "a lane without negatives costs nothing")


def test_equations_have_the_values_that_a_hand_finds():
    zeros = [0.0, 0.0, 0.0]
    assert equations.cross_entropy(0.0, zeros) == pytest.approx(np.log(4))
    assert equations.bpr(0.0, zeros) == equations.bpr_max(0.0, zeros) == pytest.approx(np.log(2))
    assert equations.top1(0.0, zeros) == equations.top1_max(0.0, zeros) == pytest.approx(1.0)
    # one negative at 1, target at 1: ln 2 + bpreg · 1², and ½ + σ(1)
    assert equations.bpr_max(1.0, [1.0], bpreg=0.5) == pytest.approx(np.log(2) + 0.5)
    assert equations.top1(1.0, [1.0]) == pytest.approx(0.5 + 1 / (1 + np.exp(-1)))
    # two negatives of weights ¾ and ¼, as far below the target as above it
    high, low = np.log(3), 0.0
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    assert equations.top1_max(0.0, [high, low]) == pytest.approx(
        0.75 * (sigmoid(high) + sigmoid(high**2)) + 0.25 * (0.5 + 0.5)
    )


# --- batches


def shifted(items, offsets, batch_size):
    """The classic: inputs and targets are the log and the log shifted, cut into lanes."""
    starts = np.isin(np.arange(len(items) - 1), offsets)
    return [Step(*map(torch.tensor, ([i], [j], [s], [0]))) for i, j, s in zip(items, items[1:], starts, strict=False)]


def in_two_halves(items, offsets, batch_size):
    middle = len(offsets) // 2
    yield from SessionParallel(items, offsets[: middle + 1], batch_size)
    yield from SessionParallel(items, offsets[middle:], batch_size)


def rows_stay(items, offsets, batch_size):
    for step in SessionParallel(items, offsets, batch_size):
        yield step._replace(lanes=torch.arange(len(step.inputs)))


def one_click_sessions_crash(items, offsets, batch_size):
    if (np.diff(offsets) < 2).any():
        raise IndexError("a session has no second click")
    return SessionParallel(items, offsets, batch_size)


def of_plan(variant):
    return lambda items, offsets, batch_size: variant(SessionParallel(items, offsets, batch_size))


BAD_BATCHES = {
    "every adjacent pair is there once": of_plan(bad_plans.tail_dropped),
    "no pair joins two sessions": shifted,
    "a reset where a session starts, and only there": of_plan(bad_plans.reset_mask_reapplied),
    "a lane plays its session in order": rows_stay,
    "full width until the tail": in_two_halves,
    "few sessions are enough": bad_plans.needs_a_full_batch,
    "awkward logs are played, too": one_click_sessions_crash,
}


@pytest.mark.parametrize("check", BAD_BATCHES)
def test_broken_batches_fail_their_check(check):
    report = audit.batches(BAD_BATCHES[check])
    assert report[check].passed is False, report
    if check not in ("every adjacent pair is there once", "no pair joins two sessions"):
        assert report.failed == (check,)  # and no other


def test_every_check_of_batches_can_fail():
    assert list(BAD_BATCHES) == [check.name for check in batching.CHECKS]


def test_a_loss_in_which_a_lane_alone_is_special_is_judged_among_others():
    def fn(scores, n_samples=0):  # a setting, not the negatives
        assert scores.shape[0] == scores.shape[1] > 1 or scores.numel() == 1, "square batches only"
        return F.cross_entropy(scores, torch.arange(len(scores))) if len(scores) > 1 else scores.sum() * 0

    assert_ok(audit.loss(fn, like="cross-entropy"), not_tried=1)


def test_negatives_that_sink_must_not_change_a_loss_that_was_won():
    def guarded(scores, is_negative):  # as B19, but an epsilon hides 0/0
        power = (scores * is_negative - (scores * is_negative).amax(dim=1, keepdim=True)).exp() * is_negative
        win = (power / (power.sum(dim=1, keepdim=True) + 1e-24) * (scores.diagonal()[:, None] - scores).sigmoid()).sum(
            dim=1
        )
        return -(win + 1e-24).log()

    found = audit.loss(guarded)["negatives far below the target give a number"]
    assert found.passed is False
    assert "falling from -50 to -90 to -200" in found.seen or "gradient nan" in found.seen


def test_our_batches_pass():
    assert_ok(audit.batches(SessionParallel))
    assert_ok(audit.batches(padded), not_tried=1)  # its width
    assert_ok(audit.batches(lambda *log: (step[:3] for step in SessionParallel(*log))))  # nobody says the lanes
    numpy = lambda *log: [tuple(part.numpy() for part in step) for step in SessionParallel(*log)]  # noqa: E731
    assert_ok(audit.batches(numpy))


def test_batches_of_a_log_with_repeats():
    rng = np.random.default_rng(0)
    items, offsets = rng.integers(0, 9, 200), np.array([0, 4, 9, 10, 30, 45, 60, 62, 120, 124, 130, 200])
    plan = SessionParallel(items, offsets, 3)
    assert_ok(audit.batches(plan, items, offsets, 3), not_tried=2)
    for variant, check in (
        (bad_plans.reset_mask_reapplied, "a reset where a session starts, and only there"),
        (bad_plans.tail_dropped, "every adjacent pair is there once"),
    ):
        assert audit.batches(variant(plan), items, offsets, 3).failed == (check,)
    report = audit.batches(shifted(items, offsets, 1), items, offsets, 1)
    assert {"every adjacent pair is there once", "no pair joins two sessions"} <= set(report.failed)
    assert "a lane plays its session in order" in audit.batches(rows_stay(items, offsets, 3), items, offsets).failed
    assert "full width until the tail" in audit.batches(plan, items, offsets, 2).failed  # wider than it should be
    with pytest.raises(ValueError, match="items, offsets: needed"):
        audit.batches(plan)


def test_padding_on_either_side_and_padding_that_is_taken_for_clicks():
    def left(items, offsets, batch_size):
        for batch in padded(items, offsets, batch_size):
            yield tuple(part.flip(1) for part in batch)  # cells from right to left: order within a session is lost

    def rolled(items, offsets, batch_size):
        for inputs, targets, real in padded(items, offsets, batch_size):
            shift = real.shape[1] - real.sum(dim=1)
            yield tuple(
                torch.stack([row.roll(int(n)) for row, n in zip(part, shift, strict=True)])
                for part in (inputs, targets, real)
            )

    def unmasked(items, offsets, batch_size):
        return (
            (inputs, targets, torch.ones_like(real)) for inputs, targets, real in padded(items, offsets, batch_size)
        )

    assert_ok(audit.batches(rolled), not_tried=1)
    assert audit.batches(left).failed == (
        "a reset where a session starts, and only there", "a lane plays its session in order"
    )  # fmt: skip
    assert "every adjacent pair is there once" in audit.batches(unmasked).failed


def test_messages_of_batches_tell_what_to_look_for():
    report = audit.batches(BAD_BATCHES["a reset where a session starts, and only there"])
    found = seen(report, "a reset where a session starts, and only there")
    assert "B=2: 18 of 29 resets (62%) hit a running session" in found  # it hides at large batches
    assert "B=32: 8 of 169 resets (5%)" in found
    report = audit.batches(lambda *log: (s._replace(inputs=s.targets, targets=s.inputs) for s in SessionParallel(*log)))
    assert "input and target are swapped" in seen(report, "every adjacent pair is there once")
    report = audit.batches(lambda *log: ((s.inputs, s.targets) for s in SessionParallel(*log)))
    report_of_all = audit.batches(
        lambda *log: (s._replace(targets=torch.cat((s.targets, s.targets))) for s in SessionParallel(*log))
    )
    assert "step 0 has 1 inputs, 2 targets" in seen(report_of_all, "every adjacent pair is there once")
    assert "a step of 2 parts" in seen(report, "every adjacent pair is there once")


def test_steps_that_break_off_are_not_taken_for_missing_pairs():
    items, offsets = np.arange(9), np.array([0, 4, 9])

    def breaks_off():
        yield from list(SessionParallel(items, offsets, 2))[:2]
        crashes()

    report = audit.batches(breaks_off(), items, offsets)
    assert report.failed == ("every adjacent pair is there once",)
    assert "it raised KeyError: 'no such <item>' (test_audit.py" in seen(report, "every adjacent pair is there once")


def test_batches_without_end_are_left():
    def endless(*log):
        while len(SessionParallel(*log)):
            yield from SessionParallel(*log)

    assert "still going after" in seen(audit.batches(endless), "every adjacent pair is there once")


# --- samplers

SUPPORT = np.array([0, 50, 3, 1, 400, 20, 20, 7, 90, 5])


def draws(support=SUPPORT, alpha=0.75, low=0):
    share = np.where(support > 0, support.astype(float) ** alpha, 0.0)
    rng = np.random.default_rng(0)
    return lambda n: rng.choice(len(support), n, p=share / share.sum()) + low


def uniform(low, high):
    rng = np.random.default_rng(0)
    return lambda n: rng.integers(low, high, n)


BAD_DRAWS = {
    "draws are item numbers": (draws(low=1), 0.75),
    "an item without clicks is never drawn": (uniform(0, 10), 0.0),
    "the last item can be drawn": (uniform(1, 9), 0.0),
    "draws follow popularity to the power alpha": (draws(alpha=1.0), 0.75),
    "two calls differ": (lambda n: draws()(n), 0.75),  # a seed set inside
}


@pytest.mark.parametrize("check", BAD_DRAWS)
def test_a_broken_sampler_fails_its_check(check):
    draw, alpha = BAD_DRAWS[check]
    report = audit.sampler(draw, SUPPORT, alpha)
    assert report[check].passed is False, report


def test_every_check_of_a_sampler_can_fail():
    assert list(BAD_DRAWS) == [check.name for check in sampling.CHECKS]


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.75, 1.0])
def test_our_sampler_passes(alpha):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        support = torch.from_numpy(SUPPORT)
        sampler = NegativeSampler(support, 100, alpha)
        report = audit.sampler(lambda n: sampler.draw(n // 100), support, alpha)
    assert_ok(report)
    found = seen(report, "draws follow popularity to the power alpha")
    assert abs(float(re.search(r"alpha = (\S+) fits best", found)[1]) - alpha) < 0.02


def test_many_rare_items_share_a_cell():
    support = np.ones(50_000, dtype=int)
    support[:10] = 1000
    report = audit.sampler(draws(support, alpha=1.0), support, 1.0)
    assert_ok(report, not_tried=2)  # all items have clicks, and the last is too rare to be missed
    assert not audit.sampler(draws(support, alpha=0.9), support, 1.0).ok


def test_messages_of_a_sampler_tell_what_to_look_for():
    def said(draw, check: str, alpha: float = 0.75) -> str:
        return seen(audit.sampler(draw, SUPPORT, alpha), check)

    name = "draws follow popularity to the power alpha"
    assert "it looks like alpha = 1.00, where 0.75 is intended" in said(draws(alpha=1.0), name)
    assert "counted from 1" in said(uniform(1, 11), "draws are item numbers")
    fixed = draws()(10_000)
    assert "right overall, but single items" in said(lambda n: fixed, name)
    assert "call 2 repeats the draws of call 1" in said(lambda n: fixed, "two calls differ")
    assert "draw(10000) returns nothing" in said(lambda n: [], "draws are item numbers")


def test_a_support_that_is_none_is_refused():
    for support in ([], [0, 0], [[1, 2]], [-1, 2]):
        with pytest.raises(ValueError, match="support: must be one count for each item"):
            audit.sampler(draws(), support, 1.0)


# --- reports


def crashes(*given):
    raise KeyError("no such <item>")


def test_a_crash_is_a_failed_check_told_once():
    class Crashing(Plain):
        scores = crashes

    for report in (
        audit.recommender(Crashing()),
        audit.loss(crashes),
        audit.batches(crashes),
        audit.sampler(crashes, SUPPORT, 1),
    ):
        first = report.findings[0]
        assert first.passed is False
        assert first.seen.startswith("it raised KeyError: 'no such <item>' (test_audit.py, line ")
        assert first.seen.endswith("in crashes)")
        assert not any(finding.passed for finding in report.findings)
        assert all(finding.seen.startswith("not tried") for finding in report.findings if finding.passed is None)
        assert [finding.passed for finding in report.findings].count(None) >= len(report.findings) - 3


def test_a_report_as_table_text_and_html():
    report = audit.loss(lambda s, n: crashes() if s.diagonal().max() > 5000 else g4r.losses.bpr(s, n))
    assert not report.ok
    frame = report.frame()
    assert list(frame) == ["check", "passed", "seen", "exhibit"]
    assert frame["passed"].dtype == "boolean"
    assert tuple(frame["check"][~frame["passed"].fillna(True)]) == report.failed
    text = repr(report)
    assert text.splitlines()[0].startswith("audit of <lambda>: ")
    assert "✗ negatives far below the target give a number  [museum B19]" in text
    assert "✓ the target is pulled up, negatives are pushed down" in text
    assert "– the value is that of the equation" in text
    assert max(map(len, text.splitlines())) <= 100
    html = report._repr_html_()
    assert "&lt;item&gt;" in html
    assert "<item>" not in html
    assert html.count("<tr>") == len(frame) + 1


def test_require_names_what_failed():
    audit.loss(g4r.losses.bpr).require()
    audit.loss(g4r.losses.bpr).require("only negatives count", "one loss for each lane")
    report = audit.loss(bad_losses.bpr_with_target)
    with pytest.raises(
        AssertionError, match=r"(?s)audit of bpr_with_target.*only negatives count: .*a perfect ranking"
    ):
        report.require()
    with pytest.raises(AssertionError, match="a perfect ranking costs nothing"):
        report.require("a perfect ranking costs nothing")
    report.require("lanes do not influence each other")
    with pytest.raises(AssertionError, match=r"not tried: the value is that of the equation: .* needs like="):
        report.require("the value is that of the equation")
    with pytest.raises(ValueError, match="check='no such check': must be one of one loss for each lane"):
        report.require("no such check")


def test_names_of_exhibits_are_of_the_museum():
    reports = (audit.loss(g4r.losses.bpr), audit.batches(SessionParallel), audit.recommender(Plain()))
    numbers = {number for report in reports for finding in report.findings for number in finding.exhibit.split()}
    assert numbers == {"B1", "B2", "B3", "B4", "B5", "B8", "B9", "B10", "B12", "B13", "B15", "B17", "B18", "B19"}
    assert losses.EXHIBITS.keys() <= equations.EQUATIONS.keys()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: audit.loss(3), "fn=3: must be a function"),
        (lambda: audit.batches(None), "batcher=None: must be steps, or a function"),
        (
            lambda: audit.batches([], items=[1, 2], offsets=[0, 5]),
            r"offsets=\[0, 5\]: must be where",
        ),
        (lambda: audit.batches([], items=[1, 2], offsets=[0, 2], batch_size=0), "batch_size=0: must be a whole number"),
        (lambda: audit.sampler(None, [1, 2], 0.5), "draw=None: must be a function"),
        (lambda: audit.sampler(list, "many", 0.5), "support: must be one count for each item"),
        (lambda: audit.sampler(list, [-1, 2], 0.5), "support: must be one count for each item"),
        (lambda: audit.sampler(list, [1, 2], 2), "alpha=2: must be a number of at least 0, at most 1"),
        (lambda: audit.sampler(list, [1, 2], "x"), "alpha='x': must be a number"),
        (lambda: museum.code(3), "variant=3: must be a function or a method"),
    ],
)
def test_what_cannot_be_audited_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
