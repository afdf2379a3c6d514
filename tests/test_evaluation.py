"""Evaluation against loops over a tiny log (checks T3, T23, T24, T28; bugs B1, B9)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import Watch, assert_same_ranks
from logs import by_last_click, click_log, random_log, random_sessions, tiny

from gru4rec_lite import baselines, clicks, compare, evaluate, gru4rec, metrics, recommender
from gru4rec_lite.museum import evaluation as broken

MODELS = {
    "GRU4Rec": lambda: tiny(layers=(6, 5), dropout_hidden=0.0),
    "LSTM": lambda: tiny(cell="lstm", embedding="separate"),
    "Pop": baselines.Pop,
    "Markov": baselines.Markov,
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]().fit(
        random_log(), **({"progress": False} if request.param in ("GRU4Rec", "LSTM") else {})
    )


@pytest.fixture(scope="module")
def gru():
    return MODELS["GRU4Rec"]().fit(random_log(), progress=False)


def ranks_by_loop(recommender, sessions):
    """Conservative rank of every known target, and how many targets are unknown."""
    number = {item: i for i, item in enumerate(recommender.items)}
    ranks, n_unknown = [], 0
    for session in sessions:
        clicked = [number.get(item, -1) for item in session]
        for t in range(1, len(session)):
            if clicked[t] < 0:
                n_unknown += 1
                continue
            scores = recommender.row(clicked[:t])
            ranks.append(sum(score >= scores[clicked[t]] for score in scores))
    return ranks, n_unknown


def ranks_by_session(model, test) -> dict:
    """Session id -> the ranks inside it."""
    result = evaluate(model, test)
    ids = clicks.encode(test, model.items).ids
    return {ids[s]: result.ranks[result.sessions == s].tolist() for s in np.unique(result.sessions)}


def test_recall_and_mrr_equal_the_loop():
    recommender, sessions = by_last_click(), random_sessions(20, items="abcdefghijXYZ", seed=3)
    ranks, n_unknown = ranks_by_loop(recommender, sessions)
    result = evaluate(recommender, click_log(*sessions), cutoffs=(1, 3, 10))
    assert result.ranks.tolist() == ranks
    assert (result.n_predictions, result.n_unknown) == (len(ranks), n_unknown)
    assert n_unknown > 0
    for k in (1, 3, 10):
        hits = [rank <= k for rank in ranks]
        reciprocal = [1 / rank if rank <= k else 0 for rank in ranks]
        assert result.recall[k] == pytest.approx(sum(hits) / len(ranks))
        assert result.mrr[k] == pytest.approx(sum(reciprocal) / len(ranks))
        assert result.recall_all[k] == pytest.approx(sum(hits) / (len(ranks) + n_unknown))
        assert result.mrr_all[k] == pytest.approx(sum(reciprocal) / (len(ranks) + n_unknown))
    assert result.recall[10] == 1  # the whole catalogue


def ranks_one_by_one(recommender, sessions, ties):
    """Every known target's rank, session by session, click by click, item by item."""
    number = {item: i for i, item in enumerate(recommender.items)}
    ranks = []
    for session in sessions:
        clicked = [number.get(item, -1) for item in session]
        for t in range(1, len(session)):
            if clicked[t] < 0:
                continue
            scores = recommender.row(clicked[:t])
            above = sum(scores[j] > scores[clicked[t]] for j in range(len(scores)))
            equal = sum(scores[j] == scores[clicked[t]] for j in range(len(scores)) if j != clicked[t])
            ranks.append(1 + above + {"standard": 0, "median": equal / 2, "conservative": equal}[ties])
    return ranks


@pytest.mark.parametrize("ties", metrics.TIES)
@pytest.mark.parametrize("values", [1, 3, 10**9])  # few distinct scores: many ties
@pytest.mark.parametrize("rows", [1, 4, 10**6])
@pytest.mark.parametrize("compared_at_once", [1, 13, 10**9])
def test_every_rank_is_that_of_the_brute_force(monkeypatch, ties, values, rows, compared_at_once):
    recommender = by_last_click(seed=values % 97)
    rng = np.random.default_rng(rows)
    recommender.table = rng.integers(values, size=(10, 10)).astype(np.float32)
    recommender.start = rng.integers(values, size=10).astype(np.float32)
    sessions = [*random_sessions(25, items="abcdefghijXYZ", seed=rows), "a", "X", "XY", "Xa", "aXYb"]
    expected = ranks_one_by_one(recommender, sessions, ties)
    row_by_row = recommender.scores
    recommender.scores = lambda *log: in_blocks(np.concatenate(list(row_by_row(*log))), rows)
    monkeypatch.setattr(metrics, "COMPARED_AT_ONCE", compared_at_once)
    result = evaluate(recommender, click_log(*sessions), ties=ties)
    assert result.ranks.tolist() == expected
    assert result.n_unknown == sum(item not in "abcdefghij" for session in sessions for item in session[1:])
    assert result.recall[5] == pytest.approx(sum(rank <= 5 for rank in expected) / len(expected))


class ClickByClick:
    """A GRU4Rec as the equations say it: one session, one click and one row of scores at a time."""

    def __init__(self, model):
        self.model, self.items = model, model.items

    @torch.no_grad()
    def row(self, history):
        network = self.model.network
        state = network.zeros(1)
        hidden = state[-1][:, 0]
        for item in history:
            if item >= 0:
                hidden, state = network(network.input_table[[item]], state)
        return network.score_all(hidden)[0].tolist()


@pytest.mark.parametrize("ties", metrics.TIES)
@pytest.mark.parametrize("scores_at_once", [1, 10**7])
@pytest.mark.parametrize("settings", [{"layers": (6, 5)}, {"cell": "lstm", "loss": "top1", "embedding": "one-hot"}])
def test_every_rank_of_a_network_is_that_of_the_brute_force(monkeypatch, ties, scores_at_once, settings):
    model = tiny(**settings).fit(random_log(), progress=False)
    model.network.double()
    sessions = [*random_sessions(25, items="abcdefghijXYZ", seed=1), "a", "X", "XY", "Xa", "aXYb"]
    monkeypatch.setattr(recommender, "SCORES_AT_ONCE", scores_at_once)
    monkeypatch.setattr(gru4rec, "STATES_AT_ONCE", scores_at_once)
    result = evaluate(model, click_log(*sessions), ties=ties)
    assert result.ranks.tolist() == ranks_one_by_one(ClickByClick(model), sessions, ties)


def test_the_device_is_asked_once(gru):
    with Watch() as watch:
        evaluate(gru, random_log(40, seed=3))
    assert watch.waits == ["index", "_local_scalar_dense"]  # which predictions count, and whether one is NaN


def in_blocks(rows, size):
    return iter(np.split(rows, range(size, len(rows), size)))


def test_blocks_may_be_cut_anywhere():
    recommender, test = by_last_click(), random_log(seed=4)
    one_by_one = evaluate(recommender, test)
    row_by_row = recommender.scores
    for size in (2, 3, 1000):
        recommender.scores = lambda *log, size=size: in_blocks(np.concatenate(list(row_by_row(*log))), size)
        assert np.array_equal(evaluate(recommender, test).ranks, one_by_one.ranks)


def test_the_tie_rule_is_passed_on():
    flat = by_last_click("abcd")
    flat.table[:], flat.start[:] = 0, 0
    ranks = {
        ties: evaluate(flat, click_log("ab"), ties=ties).ranks.tolist()
        for ties in ("standard", "median", "conservative")
    }
    assert ranks == {"standard": [1], "median": [2.5], "conservative": [4]}


def test_frame_and_interval_tell_the_same_as_the_result():
    result = evaluate(by_last_click(), random_log(seed=5), cutoffs=(2, 5))
    frame = result.frame().set_index("cutoff")
    assert list(result.frame().columns) == ["cutoff", "recall", "mrr", "recall_all", "mrr_all"]
    for name in frame.columns:
        assert frame[name].to_dict() == getattr(result, name)
    interval = result.interval()
    assert list(interval.columns) == ["metric", "cutoff", "value", "low", "high"]
    for row in interval.itertuples():
        assert row.value == getattr(result, row.metric)[row.cutoff]
        assert row.low < row.value < row.high
    wider = result.interval(level=0.99)
    assert (wider["low"] <= interval["low"]).all()
    assert (wider["high"] >= interval["high"]).all()
    assert result.interval(seed=0).equals(interval)


# unknown items: T24


def assert_unknown_policy(wrap=lambda recommender: recommender, prepare=lambda test: test):
    """[a, NEW, b]: NEW is a target that is counted and cannot be hit; b is predicted from a alone."""
    recommender = by_last_click("abc", seed=3)
    result = evaluate(wrap(recommender), prepare(click_log(["c", "NEW", "b"])), cutoffs=(1, 3))
    assert (result.n_predictions, result.n_unknown) == (1, 1)
    number_b, after_c = 1, recommender.table[2]
    assert result.ranks.tolist() == [(after_c >= after_c[number_b]).sum()]
    assert result.recall[3] == 1
    assert result.recall_all[3] == 1 / 2
    assert result.mrr_all[3] == result.mrr[3] / 2


def test_an_unknown_click_changes_no_state_and_an_unknown_target_is_counted():
    assert_unknown_policy()


def test_the_policy_check_catches_unknown_items_dropped_in_silence():
    with pytest.raises(AssertionError):
        assert_unknown_policy(prepare=lambda test: broken.unknown_items_dropped(test, pd.Index(list("abc"))))


def test_the_policy_check_catches_an_unknown_click_fed_as_an_item_B9():
    with pytest.raises(AssertionError):
        assert_unknown_policy(wrap=broken.UnknownBecomesAnItem)


def test_unknown_clicks_change_no_state_of_any_model(model):
    with_unknown = ranks_by_session(model, click_log(["a", "NEW", "NEW", "b", "c"], ["NEW", "b", "NEW", "a"]))
    without = ranks_by_session(model, click_log("abc", "ba"))
    assert len(with_unknown[1]) == 2  # b, predicted before any known click, is one prediction more
    assert_same_ranks([*with_unknown[0], *with_unknown[1][1:]], [*without[0], *without[1]])


def test_unknown_first_clicks_leave_a_network_where_it_begins(gru):
    assert_same_ranks(
        ranks_by_session(gru, click_log(["NEW", "a", "b"]))[0],
        ranks_by_session(gru, click_log(["NEWER", "NEW", "a", "b"]))[0],
    )


def test_an_all_unknown_session_adds_no_prediction_and_no_nan():
    recommender, known = by_last_click(), random_sessions(5)
    alone = evaluate(recommender, click_log(*known))
    beside = evaluate(recommender, click_log(*known, ["NEW", "NEWER", "NEW"]))
    assert beside.n_unknown == 2
    assert beside.recall == alone.recall
    assert beside.mrr == alone.mrr


NOTHING_TO_PREDICT = [click_log(["X", "Y"]), click_log("a", "b"), click_log()]


@pytest.mark.parametrize("test", NOTHING_TO_PREDICT, ids=["unknown", "short", "empty"])
def test_nothing_to_predict_is_not_a_number_and_warns(model, test):
    with pytest.warns(UserWarning, match="no prediction"):
        result = evaluate(model, test)
    assert result.n_predictions == 0
    for figures in (result.recall, result.mrr, result.recall_all, result.mrr_all):
        assert list(figures) == [5, 10, 20]
        assert np.isnan(list(figures.values())).all()
    assert result.frame().drop(columns="cutoff").isna().all(axis=None)


def test_the_warning_points_at_the_line_that_asked():
    with pytest.warns(UserWarning, match="no prediction") as caught:
        evaluate(by_last_click(), click_log())
    assert caught[0].filename == __file__


@pytest.mark.parametrize("test", NOTHING_TO_PREDICT, ids=["unknown", "short", "empty"])
@pytest.mark.filterwarnings("ignore:no prediction")
def test_nothing_to_predict_has_an_interval_of_nothing(test):
    result = evaluate(by_last_click(), test)
    assert result.interval()[["value", "low", "high"]].isna().all(axis=None)
    assert compare(by_last_click(), by_last_click(), test)[["difference", "low", "high"]].isna().all(axis=None)


# sessions do not meet: T3


def assert_sessions_do_not_meet(model):
    """Evaluating [A, B] and [B] gives the same ranks inside B."""
    sessions = random_sessions(8, seed=6)
    together = ranks_by_session(model, click_log(*sessions))
    alone = [ranks_by_session(model, click_log(session))[0] for session in sessions]
    assert_same_ranks(np.concatenate(list(together.values())), np.concatenate(alone))


@pytest.mark.parametrize("at_once", [1, 100])
def test_a_session_is_ranked_as_if_it_were_alone(model, monkeypatch, at_once):
    monkeypatch.setattr(gru4rec, "STATES_AT_ONCE", at_once)
    assert_sessions_do_not_meet(model)


def test_the_session_check_catches_a_state_that_is_not_reset_B1(gru):
    with pytest.raises(AssertionError):
        assert_sessions_do_not_meet(broken.StateNotReset(gru))


def test_the_order_of_the_sessions_changes_no_rank(model):
    sessions = random_sessions(15, seed=7)
    forward, backward = (ranks_by_session(model, click_log(*order)) for order in (sessions, sessions[::-1]))
    assert_same_ranks(
        np.concatenate([forward[s] for s in range(15)]), np.concatenate([backward[s] for s in reversed(range(15))])
    )


@pytest.mark.parametrize("states_at_once", [1, 60, 200, 10**6])
@pytest.mark.parametrize("scores_at_once", [1, 2, 30, 10**6])
def test_the_size_of_a_block_changes_no_rank(gru, monkeypatch, states_at_once, scores_at_once):
    test = random_log(13, seed=8)
    before = evaluate(gru, test).ranks
    monkeypatch.setattr(gru4rec, "STATES_AT_ONCE", states_at_once)
    monkeypatch.setattr(recommender, "SCORES_AT_ONCE", scores_at_once)
    assert_same_ranks(evaluate(gru, test).ranks, before)


@pytest.mark.parametrize("rows_at_once", [1, 7])
def test_the_size_of_a_block_changes_no_rank_of_a_baseline(monkeypatch, rows_at_once):
    for name in ("Pop", "Markov"):
        monkeypatch.undo()
        fitted = getattr(baselines, name)().fit(random_log())
        before = evaluate(fitted, random_log(seed=8)).ranks
        monkeypatch.setattr(recommender, "SCORES_AT_ONCE", rows_at_once * len(fitted.items))
        assert np.array_equal(evaluate(fitted, random_log(seed=8)).ranks, before)


def test_evaluating_leaves_the_test_log_as_it_was(model):
    test = random_log(seed=9)
    before = test.copy()
    evaluate(model, test)
    assert test.equals(before)


def test_shuffled_rows_change_no_metric():
    train, test = random_log(seed=10), random_log(seed=11)
    shuffled_train, shuffled_test = (log.sample(frac=1, random_state=0) for log in (train, test))
    for name in ("GRU4Rec", "Markov"):
        quiet = {"progress": False} if name == "GRU4Rec" else {}
        first = evaluate(MODELS[name]().fit(train, **quiet), test)
        second = evaluate(MODELS[name]().fit(shuffled_train, **quiet), shuffled_test)
        assert np.array_equal(first.ranks, second.ranks)
        assert first.frame().equals(second.frame())


# compare


@pytest.fixture(scope="module")
def rivals():
    train = random_log(200, seed=12)
    return baselines.Markov(kappa=5.0).fit(train), baselines.Markov(kappa=200.0).fit(train), random_log(200, seed=13)


def test_the_difference_is_the_difference_of_two_evaluations(rivals):
    model, other, test = rivals
    table = compare(model, other, test, cutoff=3).set_index("metric")
    first, second = evaluate(model, test, (3,)), evaluate(other, test, (3,))
    assert list(table.index) == ["recall", "mrr"]
    for metric in table.index:
        a, b = getattr(first, metric)[3], getattr(second, metric)[3]
        assert table.loc[metric, "model"] == a
        assert table.loc[metric, "other"] == b
        assert table.loc[metric, "difference"] == pytest.approx(a - b)
        assert table.loc[metric, "low"] < table.loc[metric, "difference"] < table.loc[metric, "high"]


def test_a_model_differs_from_itself_by_nothing(rivals):
    model, _, test = rivals
    assert (compare(model, model, test)[["difference", "low", "high"]] == 0).all(axis=None)


def test_swapping_the_models_turns_the_sign(rivals):
    model, other, test = rivals
    one, two = compare(model, other, test, cutoff=3), compare(other, model, test, cutoff=3)
    np.testing.assert_allclose(one["difference"], -two["difference"])
    np.testing.assert_allclose(one[["low", "high"]], -two[["high", "low"]])


def test_the_paired_interval_is_narrower_than_two_apart(rivals):
    model, other, test = rivals
    paired = compare(model, other, test, cutoff=3).set_index("metric").loc["recall"]
    first, second = evaluate(model, test), evaluate(other, test)
    apart = metrics.bootstrap(first.ranks <= 3, first.sessions, seed=1) - metrics.bootstrap(
        second.ranks <= 3, second.sessions, seed=2
    )
    low, high = np.quantile(apart, [0.025, 0.975])
    assert paired["high"] - paired["low"] < 0.8 * (high - low)


def test_models_with_different_catalogues_are_not_compared(rivals):
    model, _, test = rivals
    with pytest.raises(ValueError, match="different items"):
        compare(model, baselines.Pop().fit(click_log("ab")), test)


def test_the_order_of_a_catalogue_does_not_matter_to_compare():
    def upside_down(recommender):
        turned = by_last_click(recommender.items[::-1])
        turned.table, turned.start = recommender.table[::-1, ::-1], recommender.start[::-1]
        turned.scores = lambda *log, scores=turned.scores: (np.ascontiguousarray(block) for block in scores(*log))
        return turned

    recommender = by_last_click()
    assert (compare(recommender, upside_down(recommender), random_log(seed=14))["difference"] == 0).all()


# wrong arguments


@pytest.mark.parametrize("cutoffs", [(), (0,), (5, -1), 20, (2.5,), ("5",)])
def test_cutoffs_that_make_no_sense_are_named(cutoffs):
    with pytest.raises(ValueError, match="cutoffs="):
        evaluate(by_last_click(), random_log(), cutoffs=cutoffs)


def test_a_repeated_cutoff_is_no_trouble():
    assert evaluate(by_last_click(), random_log(), cutoffs=(5, 5)).frame()["cutoff"].isin([5]).all()


def test_a_tie_rule_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="ties='lucky': must be one of"):
        evaluate(by_last_click(), random_log(), ties="lucky")


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_share(level):
    with pytest.raises(ValueError, match=f"level={level}: must be a number above 0, below 1"):
        evaluate(by_last_click(), random_log()).interval(level)


def test_a_score_that_is_not_a_number_is_no_matter_where_nothing_is_counted():
    recommender = by_last_click()
    recommender.table[0] = np.nan  # after a comes only an unknown item
    assert evaluate(recommender, click_log("bc", ["a", "NEW"])).n_predictions == 1


def test_scores_that_are_not_numbers_are_refused():
    recommender = by_last_click()
    recommender.table[:] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        evaluate(recommender, random_log())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda blocks: blocks[:-1],  # a row is missing
        lambda blocks: [*blocks, blocks[0]],  # a row too many
        lambda blocks: [np.zeros((1, 11)), *blocks[1:]],  # an item too many
        lambda blocks: [],
    ],
)
def test_scores_of_the_wrong_shape_are_refused(spoil):
    recommender = by_last_click()
    recommender.scores = lambda *log, scores=recommender.scores: iter(spoil(list(scores(*log))))
    with pytest.raises(ValueError, match="scores gave"):
        evaluate(recommender, random_log())


def test_a_model_that_has_not_learned_says_so():
    for model in (tiny(), baselines.Pop(), baselines.Markov()):
        with pytest.raises(ValueError, match="fit"):
            evaluate(model, random_log())


def test_a_log_without_the_columns_is_refused():
    with pytest.raises(clicks.ClickLogError, match="ItemId"):
        evaluate(by_last_click(), random_log().drop(columns="ItemId"))


# --- by position, by popularity --------------------------------------------------------------------------------------

TRAIN = ["abab", "abc", "acb", "bad", "abe"]
PARTED = ["abca", "ba", ["NEW", "b", "a"], "cdb", "ebad"]


def parted(cutoff: int = 2):
    """A result, and by a loop: (clicks before the target, the target, its rank) of every prediction."""
    model = baselines.Markov().fit(click_log(*TRAIN))
    result = evaluate(model, click_log(*PARTED), (cutoff,))
    predictions = [(t, session[t]) for session in PARTED for t in range(1, len(session))]
    return result, [(*prediction, rank) for prediction, rank in zip(predictions, result.ranks, strict=True)]


def assert_groups(frame, column, groups):
    assert frame[column].tolist() == sorted(groups)
    for row in frame.to_dict("records"):
        ranks = groups[row[column]]
        assert row["n_predictions"] == len(ranks)
        assert row["recall"] == pytest.approx(np.mean([rank <= 2 for rank in ranks]))
        assert row["mrr"] == pytest.approx(np.mean([1 / rank if rank <= 2 else 0 for rank in ranks]))
        assert row["recall_low"] <= row["recall"] <= row["recall_high"]
        assert row["mrr_low"] <= row["mrr"] <= row["mrr_high"]


@pytest.mark.parametrize("longest", [2, 3, 10])
def test_by_position_counts_the_clicks_before_the_target(longest):
    result, predictions = parted()
    groups: dict[int, list] = {}
    for position, _, rank in predictions:
        groups.setdefault(min(position, longest), []).append(rank)
    assert_groups(result.by_position(cutoff=2, longest=longest), "position", groups)


def test_by_popularity_cuts_the_items_into_groups_of_as_many_clicks():
    result, predictions = parted()
    # clicks in TRAIN: e 1, d 1, c 2, a 6, b 6 of 16: the rarest three have a quarter of them, a more than half
    group_of = {"e": 1, "d": 1, "c": 1, "a": 3, "b": 4}
    groups: dict[int, list] = {}
    for _, target, rank in predictions:
        groups.setdefault(group_of[target], []).append(rank)
    assert_groups(result.by_popularity(click_log(*TRAIN), cutoff=2), "popularity", groups)


def test_by_popularity_puts_items_that_train_lacks_with_the_rare_ones():
    result, predictions = parted()
    frame = result.by_popularity(click_log("aabbb"), cutoff=2, bins=2).set_index("popularity")  # c, d and e are unknown
    counts = {
        1: sum(target != "b" for _, target, _ in predictions),
        2: sum(target == "b" for _, target, _ in predictions),
    }
    assert frame["n_predictions"].to_dict() == counts


def test_groups_of_nothing_have_the_same_columns():
    model = baselines.Markov().fit(click_log(*TRAIN))
    with pytest.warns(UserWarning, match="no prediction"):
        result = evaluate(model, click_log("a"), (2,))
    whole, _ = parted()
    for frame, full in ((result.by_position(), whole.by_position()), (result.by([]), whole.by(whole.targets))):
        assert frame.empty
        assert frame.columns.tolist() == full.columns.tolist()


@pytest.mark.parametrize(("name", "value"), [("cutoff", 0), ("longest", 0), ("longest", 2.5)])
def test_a_bad_argument_of_a_group_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}: must be a whole number of at least 1"):
        parted()[0].by_position(**{name: value})


@pytest.mark.parametrize("bins", [0, 2.5, True])
def test_a_bad_number_of_bins_is_named(bins):
    with pytest.raises(ValueError, match=f"bins={bins}: must be a whole number of at least 1"):
        parted()[0].by_popularity(click_log(*TRAIN), bins=bins)


def test_groups_together_are_the_whole():
    result, _ = parted()
    frame = result.by_position(cutoff=2)
    assert frame["n_predictions"].sum() == result.n_predictions
    assert np.average(frame["recall"], weights=frame["n_predictions"]) == pytest.approx(result.recall[2])


def test_groups_of_ones_own():
    result, _ = parted()
    frame = result.by(np.where(result.targets == "a", "a", "other"), cutoff=2)
    assert frame["group"].tolist() == ["a", "other"]
    with pytest.raises(ValueError, match=r"group: \(3,\) labels for 11 predictions"):
        result.by(np.arange(3))
