"""Popularity and Markov against loops (checks T29, T33)."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from logs import all_scores, click_log, random_log, random_sessions

from gru4rec_lite import clicks, evaluate
from gru4rec_lite.baselines import Markov, Pop
from gru4rec_lite.museum.evaluation import LooksAhead

SESSIONS = random_sessions(40, items="abcdef")
TEST = ["abc", "fedcba", "aa", "b"]
MODELS = pytest.mark.parametrize("make", [Pop, Markov, lambda: Markov(kappa=0.0), lambda: Markov(kappa=30.0)])


def markov_by_loop(history: str, kappa: float) -> list[float]:
    """P(j | last click) from the definition, by counting characters."""
    clicked = [item for item in history if item in "abcdef"]
    followers = Counter(j for session in SESSIONS for i, j in pairwise(session) if clicked and i == clicked[-1])
    popularity = Counter("".join(SESSIONS))
    total = sum(popularity.values())
    return [(followers[j] + kappa * popularity[j] / total) / (sum(followers.values()) + kappa) for j in "abcdef"]


def scored(model, sessions):
    log = clicks.encode(click_log(*sessions), model.items)
    return all_scores(model, log.items, log.offsets)


def test_pop_scores_an_item_by_its_clicks():
    counts = Counter("".join(SESSIONS))
    model = Pop().fit(click_log(*SESSIONS))
    rows = scored(model, TEST)
    assert rows.tolist() == [[counts[item] for item in "abcdef"]] * 8  # 2 + 5 + 1 predictions


def test_pop_recommends_the_same_to_everybody():
    model = Pop().fit(click_log("aab", "abc", "cab"))
    for history in ([], ["c"], list("abc")):
        assert model.recommend(history).values.tolist() == [["a", 4], ["b", 3], ["c", 2]]


@pytest.mark.parametrize("kappa", [0.5, 1.0, 20.0])
def test_markov_counts_what_came_next(kappa):
    model = Markov(kappa).fit(click_log(*SESSIONS))
    expected = [markov_by_loop(session[:t], kappa) for session in TEST for t in range(1, len(session))]
    np.testing.assert_allclose(scored(model, TEST), expected)


def test_markov_scores_are_probabilities():
    rows = scored(Markov().fit(click_log(*SESSIONS)), TEST)
    np.testing.assert_allclose(rows.sum(dim=1), 1)
    assert (rows > 0).all()  # the whole catalogue is possible


def test_markov_does_not_count_across_sessions():
    model = Markov(kappa=0.0).fit(click_log("ab", "cd"))  # b c are neighbours in the log, not in a session
    assert scored(model, ["ba"]).tolist() == [[0, 0, 0, 0]]


def test_markov_does_not_look_into_the_session_before():
    model = Markov().fit(click_log(*SESSIONS))
    both = scored(model, ["ab", ["NEW", "a"]])
    np.testing.assert_allclose(both[1], markov_by_loop("", 1.0))


@pytest.mark.parametrize(
    ("history", "counts"), [("a", "a"), (["a", "NEW"], "a"), (["NEW"], ""), (["NEW", "b", "NEW", "NEW"], "b")]
)
def test_markov_goes_by_the_last_known_click(history, counts):
    model = Markov().fit(click_log(*SESSIONS))
    np.testing.assert_allclose(scored(model, [[*history, "a"]])[-1], markov_by_loop(counts, 1.0))


def test_kappa_zero_is_counting_alone():
    model = Markov(kappa=0.0).fit(click_log(*SESSIONS))
    np.testing.assert_allclose(
        scored(model, TEST), [markov_by_loop(s[:t], 0.0) for s in TEST for t in range(1, len(s))]
    )


def test_kappa_zero_and_nothing_seen_prefers_nobody():
    model = Markov(kappa=0.0).fit(click_log("ab", "cb"))  # nothing ever followed b
    assert len(set(scored(model, ["ba"])[0].tolist())) == 1
    assert evaluate(model, click_log("ba")).ranks.tolist() == [3]  # conservative: constant scores earn nothing


def test_a_large_kappa_is_popularity():
    markov, pop = Markov(kappa=1e9).fit(click_log(*SESSIONS)), Pop().fit(click_log(*SESSIONS))
    np.testing.assert_allclose(
        scored(markov, TEST), scored(pop, TEST) / scored(pop, TEST).sum(dim=1, keepdim=True), atol=1e-6
    )


def test_nothing_clicked_is_popularity():
    popularity = Counter("".join(SESSIONS))
    expected = sorted("abcdef", key=lambda item: (-popularity[item], item))
    for model in (Pop(), Markov(kappa=0.5)):
        assert model.fit(click_log(*SESSIONS)).recommend([])["ItemId"].tolist() == expected


def test_more_kappa_moves_towards_popularity():
    pop = scored(Markov(kappa=1e12).fit(click_log(*SESSIONS)), TEST)
    distance = [
        (scored(Markov(kappa).fit(click_log(*SESSIONS)), TEST) - pop).abs().sum() for kappa in (0.1, 1.0, 10.0, 100.0)
    ]
    assert distance == sorted(distance, reverse=True)


@pytest.mark.parametrize("kappa", [-1, -1e-9, float("nan"), float("inf"), "1", None])
def test_a_kappa_out_of_range_is_named(kappa):
    with pytest.raises(ValueError, match=r"kappa=.*: must be"):
        Markov(kappa=kappa)


@MODELS
def test_save_and_load(make, tmp_path):
    model = make().fit(click_log(*SESSIONS))
    model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    assert torch.equal(scored(loaded, TEST), scored(model, TEST))
    assert loaded.items.equals(model.items)
    assert repr(loaded) == repr(model)


@MODELS
def test_fitting_again_forgets(make):
    again = make().fit(random_log()).fit(click_log(*SESSIONS))
    assert torch.equal(scored(again, TEST), scored(make().fit(click_log(*SESSIONS)), TEST))


@MODELS
def test_one_click_sessions_teach_popularity_alone(make):
    model = make().fit(click_log("a", "b", "b"))
    assert model.items.tolist() == ["a", "b"]
    rows = scored(model, ["ab"])
    assert rows[0, 1] >= rows[0, 0]


@MODELS
def test_the_training_log_is_left_as_it_was(make):
    train = random_log()
    before = train.copy()
    make().fit(train)
    assert train.equals(before)


def assert_later_clicks_change_nothing(model):
    one, two = scored(model, ["abcde"]), scored(model, ["abcff"])
    assert torch.equal(one[:3], two[:3])  # after a, ab, abc


@MODELS
def test_later_clicks_change_no_earlier_score(make):
    assert_later_clicks_change_nothing(make().fit(click_log(*SESSIONS)))


def test_the_causality_check_catches_an_off_by_one():
    with pytest.raises(AssertionError):
        assert_later_clicks_change_nothing(LooksAhead(Markov().fit(click_log(*SESSIONS))))
