from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest

from gru4rec_lite import GRU4Rec, baselines, clicks, compare, evaluate, toyshop

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


# --- the oracle ------------------------------------------------------------------------------------------------------


def tiny_process(seed: int, reload: float) -> toyshop.Process:
    """Three states and four items, all probabilities drawn at random; state 2 shows item 3 alone, as a guide does."""
    rng = np.random.default_rng(seed)
    start, transition, emission = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3), rng.dirichlet(np.ones(4), 3)
    emission[2], transition[2, 2] = [0, 0, 0, 1], 0
    transition[2] /= transition[2].sum()
    return toyshop.Process(pd.Index(list("abcd")), start, transition, emission, reload)


def probability(shop: toyshop.Process, clicked: tuple[int, ...]) -> float:
    """Of these clicks to be a session's first: summed over every path of states, and over reloads."""
    total = 0.0
    for path in product(range(3), repeat=len(clicked)):
        weight = shop.start[path[0]] * shop.emission[path[0], clicked[0]]
        for (s, s_next), (last, item) in zip(pairwise(path), pairwise(clicked), strict=True):
            shown = np.delete(shop.emission[s_next], last).sum()  # drawn again until it is another page
            moves = (1 - shop.reload) * shop.transition[s, s_next]
            step = moves * shop.emission[s_next, item] / shown if item != last and shown > 0 else 0.0
            weight *= step + (shop.reload if s == s_next and item == last else 0.0)
        total += weight
    return total


@pytest.mark.parametrize("reload", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_oracle_equals_the_enumeration_of_all_paths(seed, reload):
    shop, compared = tiny_process(seed, reload), 0
    for clicked in product(range(4), repeat=4):
        if probability(shop, clicked) < 1e-12:
            continue
        rows = toyshop.next_click(shop, np.array(clicked), np.array([0, 4]))
        for t in (1, 2, 3):
            so_far = probability(shop, clicked[:t])
            np.testing.assert_allclose(rows[t - 1], [probability(shop, (*clicked[:t], x)) / so_far for x in range(4)])
            compared += 1
    assert compared > 100


def rows_of(model, log: clicks.Sessions) -> np.ndarray:
    return np.concatenate([block.numpy() for block in model.scores(log.items, log.offsets, log.times)])


@pytest.fixture(scope="module")
def test_part() -> pd.DataFrame:
    return clicks.prepare(toyshop.simulate(4000, seed=1), drop_repeats=True, verbose=False)


def test_the_oracle_equals_the_forward_algorithm_session_by_session(test_part, monkeypatch):
    log = clicks.encode(test_part, SHOP.items)
    rows = rows_of(toyshop.Oracle(), log)
    np.testing.assert_allclose(rows, forward(log), atol=1e-12)
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    monkeypatch.setattr("gru4rec_lite.toyshop.oracle.BELIEFS_AT_ONCE", 1000)  # blocks of a few sessions
    np.testing.assert_allclose(rows_of(toyshop.Oracle(), log), rows)


def test_probabilities_are_those_of_what_happens():
    """Among predictions that an item has probability p to come next, it comes with frequency p; reloads included."""
    log = clicks.encode(clicks.prepare(toyshop.simulate(20_000, seed=2), min_session=2, verbose=False), SHOP.items)
    rows = rows_of(toyshop.Oracle(reload=toyshop.RELOAD), log)
    is_target = np.ones(len(log.items), dtype=bool)
    is_target[log.offsets[:-1]] = False
    happened = np.zeros_like(rows, dtype=bool)
    happened[np.arange(len(rows)), log.items[is_target]] = True
    assert (rows[happened] > 0).all()
    edges = np.quantile(rows[rows > 0], np.linspace(0, 1, 30))
    bins = np.digitize(rows, edges[1:-1])
    for b in range(29):
        here = (bins == b) & (rows > 0)
        expected, deviation = rows[here].sum(), np.sqrt((rows[here] * (1 - rows[here])).sum())
        assert abs(happened[here].sum() - expected) < 4 * deviation


def test_an_evaluation_agrees_with_the_ceiling_within_its_interval(test_part):
    oracle = toyshop.Oracle().fit(test_part)
    ceiling = oracle.ceiling(test_part, (5, 20)).set_index("cutoff")
    found = evaluate(oracle, test_part, (5, 20)).interval(0.999)
    for row in found.itertuples():
        assert row.low < ceiling.loc[row.cutoff, row.metric] < row.high
    assert (found["high"] - found["low"] < 0.03).all()


def test_the_ceiling_is_the_mean_of_what_the_lists_hold(test_part):
    log = clicks.encode(test_part, SHOP.items)
    rows = -np.sort(-forward(log), axis=1)
    for row in toyshop.Oracle().ceiling(test_part, (1, 7, 500)).itertuples():
        k = row.cutoff
        assert row.recall == pytest.approx(np.mean([sum(p[:k]) for p in rows]))
        assert row.mrr == pytest.approx(np.mean([sum(x / r for r, x in enumerate(p[:k], 1)) for p in rows]))


def test_no_recommender_beats_the_oracle_beyond_noise(test_part):
    train = clicks.prepare(toyshop.simulate(4000, seed=0), drop_repeats=True, verbose=False)
    models = [kind() for kind in (baselines.Pop, baselines.SPop, baselines.ItemKNN, baselines.Markov, baselines.VSKNN)]
    models.append(GRU4Rec(n_epochs=3, device="cpu"))
    for model in models:
        model.fit(train, **({"progress": False} if isinstance(model, GRU4Rec) else {}))
        for cutoff in (5, 20):
            assert (compare(model, toyshop.Oracle(), test_part, cutoff)["low"] < 0).all(), type(model).__name__


def test_what_it_infers_shows_in_its_lists():
    """The guide says neither trip nor line: the click before it does."""
    oracle = toyshop.Oracle()
    for line in toyshop.LINES:
        listed = oracle.recommend([f"tent-dome-{line}", "guide-tent"], k=5)["ItemId"]
        assert listed.str.endswith(line).sum() >= 4
    assert oracle.recommend([], k=160)["score"].sum() == pytest.approx(1)


def test_unknown_clicks_change_nothing_and_impossible_ones_start_anew():
    oracle = toyshop.Oracle()
    with pytest.warns(UserWarning, match="NEW"):
        listed = oracle.recommend(["tent-dome-budget", "NEW"])
    assert listed.equals(oracle.recommend(["tent-dome-budget"]))
    impossible = oracle.recommend(["guide-boots", "guide-pot"])  # no trip has both
    assert impossible["score"].notna().all()
    assert impossible["ItemId"].iloc[0].startswith("pot-")


def test_the_oracle_is_saved_with_its_setting(tmp_path):
    toyshop.Oracle(reload=0.05).save(tmp_path / "oracle")
    assert toyshop.Oracle.load(tmp_path / "oracle").reload == 0.05


@pytest.mark.parametrize("reload", [-0.1, 1, True, "0"])
def test_a_share_of_reloads_that_is_none_is_named(reload):
    with pytest.raises(ValueError, match=f"reload={reload!r}: must be"):
        toyshop.Oracle(reload=reload)


@pytest.mark.parametrize("cutoffs", [(0, 5), (), 5, (2.5,)])
def test_cutoffs_of_a_ceiling_that_make_no_sense_are_named(cutoffs, test_part):
    with pytest.raises(ValueError, match="cutoffs="):
        toyshop.Oracle().ceiling(test_part, cutoffs)


def test_a_log_without_predictions_has_no_ceiling(test_part):
    with pytest.warns(UserWarning, match="no prediction to count"):
        ceiling = toyshop.Oracle().ceiling(test_part.groupby("SessionId").head(1), (5,))
    assert ceiling["recall"].isna().all()
