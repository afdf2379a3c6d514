"""Item-KNN against a triple loop, and what its regularisation is for."""

from __future__ import annotations

import numpy as np
import pytest
from logs import all_scores, click_log, random_sessions

from gru4rec_lite import clicks
from gru4rec_lite.baselines import ItemKNN, item_knn
from gru4rec_lite.baselines.item_knn import largest_of_each_row, shared_sessions

ITEMS = "abcdefgh"
SESSIONS = random_sessions(60, items=ITEMS)  # items repeat within sessions


def similarity_by_loop(i: str, j: str, lam: float, alpha: float) -> float:
    together = sum(i in session and j in session for session in SESSIONS)
    support = {item: sum(item in session for session in SESSIONS) for item in (i, j)}
    return 0.0 if i == j else together / ((support[i] + lam) ** alpha * (support[j] + lam) ** (1 - alpha))


def after(model, *histories):
    """Scores after the last click of each history."""
    log = clicks.encode(click_log(*[[*history, "a"] for history in histories]), model.items)
    return all_scores(model, log.items, log.offsets)[np.cumsum(np.diff(log.offsets) - 1) - 1].numpy()


@pytest.mark.parametrize(("lam", "alpha"), [(20.0, 0.5), (0.0, 0.5), (3.0, 0.2)])
def test_scores_equal_the_triple_loop(lam, alpha):
    model = ItemKNN(lam=lam, alpha=alpha).fit(click_log(*SESSIONS))
    for last, row in zip(ITEMS, after(model, *["h" + item for item in ITEMS]), strict=True):
        np.testing.assert_allclose(row, [similarity_by_loop(last, j, lam, alpha) for j in ITEMS])


def test_clicking_an_item_twice_in_a_session_counts_once():
    once, twice = (ItemKNN().fit(click_log(*sessions)) for sessions in (["ab", "ac"], ["abbb", "aac"]))
    np.testing.assert_allclose(after(once, "a", "b"), after(twice, "a", "b"))


def test_counting_clicks_instead_of_sessions_gives_other_numbers_where_items_repeat():
    """The loop of the authors' code equals Nᵀ B over clicks; with all-distinct sessions it is the same as Bᵀ B."""
    for sessions, same in ((SESSIONS, False), (["abc", "bd", "ca"], True)):
        log = clicks.encode(click_log(*sessions))
        counts = np.zeros((len(log), len(log.index)))
        np.add.at(counts, (np.repeat(np.arange(len(log)), np.diff(log.offsets)), log.items), 1)
        by_clicks = counts.T @ (counts > 0)
        np.fill_diagonal(by_clicks, 0)
        together, _ = shared_sessions(log.items, log.offsets, len(log.index))
        assert np.allclose(by_clicks, together.toarray()) == same


def test_a_pair_seen_once_is_no_better_than_one_seen_often():
    rare, often = "xy", ["ab"] * 30 + ["ac"] * 10
    model = ItemKNN(lam=20).fit(click_log(rare, *often))
    x, a = after(model, "x", "a")
    assert x[model.items.get_loc("y")] < a[model.items.get_loc("b")]
    model = ItemKNN(lam=0).fit(click_log(rare, *often))
    x, a = after(model, "x", "a")
    assert x[model.items.get_loc("y")] > a[model.items.get_loc("b")]  # without it, it would be


def test_only_the_nearest_are_kept():
    whole, few = (ItemKNN(n_neighbours=n).fit(click_log(*SESSIONS)) for n in (100, 3))
    for all_, kept in zip(after(whole, *ITEMS), after(few, *ITEMS), strict=True):
        assert (kept > 0).sum() == 3
        np.testing.assert_allclose(np.sort(kept)[-3:], np.sort(all_)[-3:])


def test_of_equal_ones_the_lower_columns_are_kept():
    log = clicks.encode(click_log("abcd"))
    together, _ = shared_sessions(log.items, log.offsets, 4)
    assert largest_of_each_row(together, 2).toarray().tolist() == [
        [0, 1, 1, 0],
        [1, 0, 1, 0],
        [1, 1, 0, 0],
        [1, 1, 0, 0],
    ]


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_items_may_be_looked_at_in_parts(monkeypatch, at_once):
    whole = ItemKNN(n_neighbours=4).fit(click_log(*SESSIONS))
    monkeypatch.setattr(item_knn, "ITEMS_AT_ONCE", at_once)
    np.testing.assert_array_equal(
        ItemKNN(n_neighbours=4).fit(click_log(*SESSIONS)).similarity.toarray(), whole.similarity.toarray()
    )


def test_it_goes_by_the_last_known_click_and_scores_nothing_before_one():
    model = ItemKNN().fit(click_log(*SESSIONS))
    by_last = after(model, "b", ["a", "b", "NEW"], ["NEW"])
    np.testing.assert_allclose(by_last[0], by_last[1])
    assert not by_last[2].any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_neighbours", 0),
        ("n_neighbours", 2.5),
        ("lam", -1),
        ("lam", "20"),
        ("alpha", 1.1),
        ("alpha", float("nan")),
        ("lam", float("inf")),
    ],
)
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name}=.*: must be a"):
        ItemKNN(**{name: value})
