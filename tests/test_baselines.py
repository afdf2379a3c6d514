"""Popularity and Markov against loops, and what holds for every baseline (checks T29, T33)."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from logs import all_scores, click_log, random_log, random_sessions

from gru4rec_lite import clicks, evaluate
from gru4rec_lite.baselines import BPRMF, SKNN, STAN, VSKNN, ByHistory, ItemKNN, Markov, Pop, SPop
from gru4rec_lite.museum.evaluation import LooksAhead

SESSIONS = random_sessions(40, items="abcdef")
TEST = ["abc", "fedcba", "aa", "b"]
KINDS = [Pop, SPop, ItemKNN, BPRMF, Markov, SKNN, VSKNN, STAN]
MODELS = pytest.mark.parametrize("make", [*KINDS, lambda: Markov(kappa=0.0), lambda: Markov(kappa=30.0)])


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


@pytest.mark.parametrize("kappa", [True, -1, -1e-9, float("nan"), float("inf"), "1", None])
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
    model = make().fit(click_log("a", *"bbbb"))
    assert model.items.tolist() == ["a", "b"]
    score = model.recommend([]).set_index("ItemId")["score"]
    if isinstance(model, (ItemKNN, BPRMF, SKNN)):  # which have nothing to say of a session without clicks
        assert np.isfinite(score).all()
    else:
        assert score["b"] >= score["a"]  # equal for counting alone


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


class Reversed(ByHistory):
    """Likes what was clicked longest ago, and says at what time it was asked."""

    def fit(self, train):
        self.items, self.asked = clicks.encode(train).index, []
        return self

    def score(self, history, now):
        self.asked.append(now)
        scores = np.zeros(len(self.items))
        scores[history] = np.arange(len(history), 0, -1)
        return scores


def test_a_recommender_of_ones_own_needs_one_function():
    model = Reversed().fit(click_log("abcd"))
    log = clicks.encode(click_log("bd", ["a", "NEW", "c", "b"], "d", ["NEW", "a"]), model.items)
    rows = all_scores(model, log.items, log.offsets)  # clicks come at 0, 1, 2, ... seconds
    assert rows.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [2, 0, 1, 0], [0, 0, 0, 0]]
    assert model.asked == [0, 2, 2, 4, 7]  # the time of the last known click
    assert model.recommend(["c", "a"])["ItemId"].tolist()[:2] == ["c", "a"]
    assert len(model.asked) == 6  # a list needs the last row alone
    assert evaluate(model, click_log("bb", "cac")).ranks.tolist() == [1, 4, 1]


def test_blocks_of_rows_may_be_cut_anywhere(monkeypatch):
    whole = scored(SPop().fit(click_log(*SESSIONS)), TEST)
    for size in (1, 2, 3, 100):
        monkeypatch.setattr("gru4rec_lite.baselines.by_history.rows_at_once", lambda n, size=size: size)
        assert torch.equal(scored(SPop().fit(click_log(*SESSIONS)), TEST), whole)


@pytest.mark.parametrize("model", [SKNN(k=np.int64(5)), ItemKNN(lam=np.float32(5)), Markov(np.float64(2.0))], ids=repr)
def test_settings_may_be_numbers_of_numpy(model, tmp_path):
    model.fit(click_log(*SESSIONS)).save(tmp_path / "model")
    assert torch.equal(scored(type(model).load(tmp_path / "model"), TEST), scored(model, TEST))
