from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from gru4rec_lite import clicks, toyshop

SHOP = toyshop.process()


# --- the tables ------------------------------------------------------------------------------------------------------


def test_the_tables_are_probabilities():
    assert SHOP.start.sum() == pytest.approx(1)
    assert (np.concatenate([SHOP.start, SHOP.transition.ravel(), SHOP.emission.ravel()]) >= 0).all()
    np.testing.assert_allclose(SHOP.transition.sum(axis=1), 1)
    np.testing.assert_allclose(SHOP.emission.sum(axis=1), 1)


def test_there_are_at_least_150_readable_items_and_each_can_be_seen():
    assert len(SHOP.items) >= 150
    assert SHOP.items.is_unique
    assert SHOP.items.is_monotonic_increasing
    assert SHOP.items.str.fullmatch("[a-z]+(-[a-z]+)+").all()
    assert (SHOP.emission.max(axis=0) > 0).all()


def test_trip_and_line_never_change_and_a_guide_shows_neither():
    reachable = SHOP.transition > 0
    for _ in range(6):
        reachable = reachable | (reachable.astype(int) @ reachable.astype(int) > 0)
    groups = {tuple(np.flatnonzero(row)) for row in reachable}
    assert len(groups) == len(toyshop.TRIPS) * len(toyshop.LINES)
    guide = SHOP.emission[:, SHOP.items.get_loc("guide-stove")]
    assert set(guide) == {0, 1}
    assert guide.sum() == 3 * len(toyshop.LINES)  # three trips have a stove


# --- what is simulated is what the tables say ------------------------------------------------------------------------


def next_item(belief: np.ndarray, last: int, reload: float = SHOP.reload) -> np.ndarray:
    """``(N,)`` probabilities of the next item, summed state by state as the docstring tells the story."""
    probability = np.zeros(len(SHOP.items))
    for state in np.flatnonzero(belief):
        for follower in np.flatnonzero(SHOP.transition[state]):
            shown = SHOP.emission[follower].copy()
            shown[last] = 0  # the open page is drawn again
            probability += (1 - reload) * belief[state] * SHOP.transition[state, follower] * shown / shown.sum()
    probability[last] += reload
    return probability


def surprise(counts: np.ndarray, expected: np.ndarray) -> float:
    """How far chi-square lies above its mean, in standard deviations."""
    some = expected > 0
    assert counts[~some].sum() == 0
    assert counts.sum() == pytest.approx(expected.sum())
    freedom = some.sum() - 1
    return (((counts - expected)[some] ** 2 / expected[some]).sum() - freedom) / np.sqrt(2 * freedom)


@pytest.fixture(scope="module")
def many() -> clicks.Sessions:
    return clicks.encode(toyshop.simulate(60_000, seed=3), SHOP.items)


def test_the_first_click_is_drawn_from_start_and_emission(many):
    first = np.bincount(many.items[many.offsets[:-1]], minlength=len(SHOP.items))
    assert abs(surprise(first, len(many) * SHOP.start @ SHOP.emission)) < 4


@pytest.mark.parametrize("item", ["tent-dome-budget", "jacket-wind-classic", "lamp-bike-ultralight"])
def test_the_second_click_is_drawn_from_transition_emission_and_reload(many, item):
    last = SHOP.items.get_loc(item)
    starts = many.offsets[:-1][np.diff(many.offsets) > 1]
    second = np.bincount(many.items[starts[many.items[starts] == last] + 1], minlength=len(SHOP.items))
    belief = SHOP.start * SHOP.emission[:, last]
    expected = next_item(belief / belief.sum(), last) * second.sum()
    rare = expected < 5
    pooled = [np.append(counts[~rare], counts[rare].sum()) for counts in (second, expected)]
    assert abs(surprise(*pooled)) < 4


def test_lengths_are_geometric_with_the_mean_that_is_said(many):
    lengths = np.diff(many.offsets)
    assert lengths.min() == 1
    assert lengths.mean() == pytest.approx(toyshop.MEAN_CLICKS, rel=0.02)
    assert (lengths == 1).mean() == pytest.approx(1 / toyshop.MEAN_CLICKS, rel=0.05)


def test_a_few_items_have_most_of_the_clicks_and_none_is_too_rare():
    log = toyshop.simulate(20_000, seed=0)
    support = log["ItemId"].value_counts()
    assert len(support) == len(SHOP.items)
    assert support.iloc[:32].sum() > 0.5 * len(log)  # a fifth of the items
    assert support.iloc[0] > 20 * support.iloc[-1]
    assert support.iloc[-1] >= 50  # so that filtering by support changes nothing
    same = (log["ItemId"] == log["ItemId"].shift()) & (log["SessionId"] == log["SessionId"].shift())
    assert same.sum() / (len(log) - 20_000) == pytest.approx(SHOP.reload, rel=0.1)


# --- the log ---------------------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_log_and_another_seed_another():
    assert toyshop.simulate(50, seed=1).equals(toyshop.simulate(50, seed=1))
    assert not toyshop.simulate(50, seed=1).equals(toyshop.simulate(50, seed=2))


def test_sessions_are_numbered_by_their_start_and_their_clicks_are_seconds_apart():
    log = toyshop.simulate(2_000, seed=0)
    assert log.columns.tolist() == list(clicks.COLUMNS)
    pauses = log.groupby("SessionId")["Time"].diff().dropna()
    assert pauses.min() >= pd.Timedelta("1s")
    assert pauses.median() < pd.Timedelta("60s")
    begin = log.groupby("SessionId")["Time"].min()
    assert begin.index.tolist() == list(range(2_000))
    assert begin.is_monotonic_increasing
    assert 59 <= (begin.max() - begin.min()).days <= 60


def test_one_session_will_do():
    assert toyshop.simulate(1, seed=0)["SessionId"].unique().tolist() == [0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_sessions", 0), ("n_sessions", -1), ("n_sessions", 2.5), ("n_sessions", True), ("seed", -1), ("seed", None)],
)
def test_a_bad_argument_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name}={value!r} must be an integer of at least"):
        toyshop.simulate(**{"n_sessions": 10, "seed": 0, name: value})


# --- how well it can be predicted ------------------------------------------------------------------------------------


def recall_at(k: int, scores: np.ndarray, targets: np.ndarray) -> float:
    target = scores[np.arange(len(targets)), targets]
    return float(((scores >= target[:, None]).sum(axis=1) <= k).mean())


def forward(sessions: clicks.Sessions) -> np.ndarray:
    """``(P, N)`` exact next-click probabilities of a log without immediate repeats, by the forward algorithm."""
    rows = []
    for begin, end in pairwise(sessions.offsets):
        belief = SHOP.start * SHOP.emission[:, sessions.items[begin]]
        for last, item in pairwise(sessions.items[begin:end]):
            belief = belief / belief.sum()
            free = 1 - SHOP.emission[:, last]  # a guide's state is never followed by itself: 0 / 0 there means 0
            moved = np.divide(belief @ SHOP.transition, free, out=np.zeros_like(free), where=free > 0)
            probability = moved @ SHOP.emission
            probability[last] = 0
            rows.append(probability)
            belief = moved * SHOP.emission[:, item]
    return np.array(rows)


def last_clicks(sessions: clicks.Sessions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every prediction: the click before the last (N where there is none), the last, the target."""
    rows = [
        (items[t - 1] if t else len(SHOP.items), items[t], items[t + 1])
        for items in (sessions.items[begin:end] for begin, end in pairwise(sessions.offsets))
        for t in range(len(items) - 1)
    ]
    return tuple(np.array(rows).T)


@pytest.fixture(scope="module")
def recalls() -> dict[str, dict[int, float]]:
    """Recall@k of Markov of first and second order, and of the best possible prediction."""
    train, test = (
        clicks.encode(clicks.prepare(toyshop.simulate(n, seed), drop_repeats=True), SHOP.items)
        for n, seed in ((20_000, 0), (1_500, 1))
    )
    n = len(SHOP.items)
    before, last, target = last_clicks(train)
    first = np.zeros((n, n))
    np.add.at(first, (last, target), 1)
    first += train.support / train.support.sum()
    first /= first.sum(axis=1, keepdims=True)
    second = np.zeros((n + 1, n, n), dtype=np.float32)
    np.add.at(second, (before, last, target), 1)
    before, last, target = last_clicks(test)
    tables = {"first": first[last], "second": second[before, last] + 3 * first[last], "best": forward(test)}
    return {name: {k: recall_at(k, table, target) for k in (5, 20)} for name, table in tables.items()}


def test_the_forward_algorithm_is_the_sum_over_all_paths():
    session = clicks.Sessions(
        items=SHOP.items.get_indexer(
            ["jacket-rain-budget", "guide-jacket", "boots-hiking-classic", "stove-gas-budget"]
        ),
        offsets=np.array([0, 4]),
        times=np.arange(4.0),
        index=SHOP.items,
        ids=np.array([0]),
    )
    jacket, guide, boots, stove = session.items
    weight = {}  # of each path of states so far
    for state, probability in enumerate(SHOP.start):
        weight[state,] = probability * SHOP.emission[state, jacket]
    for last, item, row in zip((jacket, guide, boots), (guide, boots, stove), forward(session), strict=True):
        belief = np.zeros(len(SHOP.start))
        for path, probability in weight.items():
            belief[path[-1]] += probability
        np.testing.assert_allclose(row, next_item(belief / belief.sum(), last, reload=0), atol=1e-12)
        weight = {
            (*path, follower): probability
            * SHOP.transition[path[-1], follower]
            * shown
            / (1 - SHOP.emission[follower, last])
            for path, probability in weight.items()
            for follower in np.flatnonzero(SHOP.transition[path[-1]])
            if (shown := SHOP.emission[follower, item]) > 0 and probability > 0
        }


def test_two_clicks_of_memory_know_more_than_one(recalls):
    assert recalls["second"][5] > recalls["first"][5] + 0.02
    assert recalls["best"][5] > recalls["second"][5] + 0.02, "and more than two know more still"


def test_the_ceiling_is_clearly_above_markov_and_below_nine_tenths(recalls):
    assert recalls["first"][5] + 0.05 < recalls["best"][5] < 0.9
    assert recalls["first"][20] + 0.05 < recalls["best"][20] < 0.9
