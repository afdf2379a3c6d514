"""What the base class gives every model: recommend, recommend_many, stream, save and load."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import assert_same_list
from logs import click_log, random_log, random_sessions, tiny

from gru4rec_lite import Recommender, baselines, evaluate, gru4rec, recommender

ITEMS = pd.Index(list("abcdefgh"))


@dataclass(eq=False)
class Recent(Recommender):
    """Made for these tests: an item is worth a little of its own and 2^-age for each click, in clicks or in seconds."""

    use_times: bool = False

    def __post_init__(self):
        self.items = ITEMS
        self.own = np.random.default_rng(0).random(len(ITEMS))

    def row(self, clicked, times):
        scores = self.own.copy()
        ages = np.asarray(times)[-1] - times if self.use_times else np.arange(len(clicked))[::-1]
        for item, age in zip(clicked, ages, strict=True):
            if item >= 0:
                scores[item] += 2.0**-age
        return scores

    def scores(self, items, offsets, times):
        for begin, end in pairwise(offsets):
            for t in range(begin + 1, end):
                yield torch.tensor(self.row(items[begin:t].tolist(), times[begin:t].tolist()))[None]


def best(scores, k, exclude=()):
    """The k best items by sorting; equal scores in the order of the catalogue."""
    order = sorted(range(len(ITEMS)), key=lambda j: (-scores[j], j))
    return [(ITEMS[j], scores[j]) for j in order if ITEMS[j] not in exclude][:k]


def listed(frame):
    assert list(frame.columns) == ["ItemId", "score"]
    return list(frame.itertuples(index=False, name=None))


def numbers(history):
    return [ITEMS.get_loc(item) for item in history]


@pytest.fixture(scope="module", params=["Recent", "Pop", "Markov", "GRU4Rec"])
def model(request):
    if request.param == "Recent":
        return Recent()
    if request.param == "GRU4Rec":
        return tiny().fit(random_log(items="abcdefgh"), progress=False)
    return getattr(baselines, request.param)().fit(random_log(items="abcdefgh"))


@pytest.mark.parametrize("history", ["a", "abc", "hhhha", "cab" * 5])
@pytest.mark.parametrize("k", [1, 3, 8])
def test_recommend_is_sorting_the_scores(history, k):
    expected = best(Recent().row(numbers(history), [0] * len(history)), k)
    assert listed(Recent().recommend(list(history), k=k)) == expected


def test_equal_scores_keep_the_order_of_the_catalogue():
    constant = baselines.Pop().fit(click_log(reversed(range(300))))
    assert constant.recommend([7], k=300)["ItemId"].tolist() == list(range(300))


def test_twenty_items_unless_said_otherwise():
    many = baselines.Pop().fit(click_log(range(50)))
    assert len(many.recommend([1])) == 20


def test_more_than_the_catalogue_gives_the_whole_catalogue(model):
    assert sorted(model.recommend(["a"], k=1000)["ItemId"]) == list("abcdefgh")


@pytest.mark.parametrize("k", [0, -1, 2.5, "5", None])
def test_k_is_a_whole_number_of_at_least_one(k):
    model = tiny().fit(random_log(5), progress=False)
    with pytest.raises(ValueError, match="k="):
        Recent().recommend(["a"], k=k)
    with pytest.raises(ValueError, match="k="):
        model.stream().recommend(k)


def test_excluded_items_are_never_listed(model):
    everything = model.recommend(["a", "b"], k=8)
    without = model.recommend(["a", "b"], k=8, exclude=["c", "a", "a", "NEW"])
    expected = everything[~everything["ItemId"].isin(["a", "c"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(without, expected)


def test_excluding_everything_gives_an_empty_list(model):
    assert listed(model.recommend(["a"], exclude=list("abcdefgh"))) == []


def test_excluding_changes_no_later_list(model):
    before = model.recommend(["a"])
    model.recommend(["a"], exclude=["b"])
    pd.testing.assert_frame_equal(model.recommend(["a"]), before)


def test_unknown_ids_are_named_and_change_nothing(model):
    with pytest.warns(UserWarning, match="unknown items are left out: 'NEW'") as caught:
        with_unknown = model.recommend(["a", "NEW", "b"])
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the line of the caller, not ours
    if not isinstance(model, Recent):  # there, as here, an unknown click ages the others
        assert_same_list(with_unknown, model.recommend(["a", "b"]))


def test_many_histories_warn_where_they_were_asked(model):
    with pytest.warns(UserWarning, match="'NEW'") as caught:
        model.recommend_many([["NEW"]])
    assert {warning.filename for warning in caught} == {__file__}


def test_a_stream_warns_where_it_was_asked(model):
    stream = model.stream()
    with pytest.warns(UserWarning, match="'NEW'") as caught:  # noqa: PT031 (a model may notice at either)
        stream.click("NEW")
        stream.recommend()
    assert {warning.filename for warning in caught} == {__file__}


def test_only_unknown_ids_are_as_good_as_none(model):
    nothing = model.recommend([])
    with pytest.warns(UserWarning, match="'X', 'Y'"):
        unknown = model.recommend(["X", "Y", "X"])
    assert_same_list(unknown, nothing)


def test_a_known_history_warns_of_nothing(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.recommend(["a", "b"])
        model.recommend([])


def test_an_empty_history_is_answered(model):
    assert len(model.recommend([])) == 8
    if isinstance(model, baselines.Markov):
        popular = baselines.Pop().fit(random_log(items="abcdefgh"))
        assert model.recommend([], k=1)["ItemId"].tolist() == popular.recommend([], k=1)["ItemId"].tolist()


@pytest.mark.parametrize("history", ["abc", ""])
def test_a_text_is_not_a_history(history):
    with pytest.raises(ValueError, match="must be a list of item ids"):
        Recent().recommend(history)


def test_a_single_id_is_not_a_history():
    with pytest.raises(ValueError, match="must be a list of item ids"):
        Recent().recommend(5)


def test_a_text_is_not_a_list_to_exclude():
    # "ab" would quietly exclude a and b, "A13" nothing at all
    with pytest.raises(ValueError, match="exclude="):
        Recent().recommend(["a"], exclude="ab")


def test_a_history_may_be_anything_that_is_a_sequence(model):
    expected = model.recommend(["a", "b"])
    for history in (("a", "b"), np.array(["a", "b"]), pd.Series(["a", "b"], index=[5, 9]), pd.Index(["a", "b"])):
        pd.testing.assert_frame_equal(model.recommend(history), expected)


@pytest.mark.parametrize("to_id", [str, int, lambda i: -i, lambda i: i + 2**40, lambda i: f"Wanderschuh Größe {i} 👟"])
def test_ids_come_back_as_they_came(tmp_path, to_id):
    train = click_log(
        *[[to_id(i) for i in session] for session in np.random.default_rng(0).integers(1, 7, (20, 4)).tolist()]
    )
    for fitted in (baselines.Markov().fit(train), tiny(n_epochs=1).fit(train, progress=False)):
        fitted.save(tmp_path / "model")
        for model in (fitted, type(fitted).load(tmp_path / "model")):
            ids = model.recommend([to_id(1), to_id(2)])["ItemId"].tolist()
            assert {type(i) for i in ids} == {type(to_id(1))}
            assert sorted(ids) == sorted(to_id(i) for i in range(1, 7))


def test_integer_ids_are_not_found_by_their_text():
    model = baselines.Pop().fit(click_log([1, 2, 3]))
    with pytest.warns(UserWarning, match=r"'1' \(item ids here look like"):
        model.recommend(["1"])


def test_many_histories_are_many_times_one(model):
    histories = [list(session) for session in random_sessions(12, items="abcdefgh", seed=2)] + [[], ["a"]]
    many = model.recommend_many(histories, k=3)
    assert list(many.columns) == ["history", "rank", "ItemId", "score"]
    assert many["history"].tolist() == np.repeat(np.arange(14), 3).tolist()
    assert many["rank"].tolist() == [1, 2, 3] * 14
    for number, history in enumerate(histories):
        one = many[many["history"] == number][["ItemId", "score"]].reset_index(drop=True)
        assert_same_list(one, model.recommend(history, k=3))


def test_no_history_gives_no_list(model):
    many = model.recommend_many([])
    assert (list(many.columns), len(many)) == (["history", "rank", "ItemId", "score"], 0)


def test_a_stream_recommends_what_its_whole_history_would(model):
    stream, history = model.stream(), []
    assert_same_list(stream.recommend(4), model.recommend([], k=4))
    for item in "abcahhb":
        stream.click(item)
        history.append(item)
        assert_same_list(stream.recommend(4), model.recommend(history, k=4))
        assert_same_list(stream.recommend(4, exclude=["a"]), model.recommend(history, k=4, exclude=["a"]))


def test_a_stream_ignores_an_unknown_click(model):
    stream = model.stream()
    stream.click("a")
    before = stream.recommend()
    with pytest.warns(UserWarning, match="'NEW'"):  # noqa: PT031 (a model may notice at either)
        stream.click("NEW")
        after = stream.recommend()
    if not isinstance(model, Recent):
        pd.testing.assert_frame_equal(after, before)


def test_two_streams_do_not_meet(model):
    one, two = model.stream(), model.stream()
    for item in "abc":
        one.click(item)
        two.click("h")
    assert_same_list(one.recommend(), model.recommend(list("abc")))
    assert_same_list(two.recommend(), model.recommend(list("hhh")))


# times


@pytest.mark.parametrize(
    "times", [[0, 3, 4], pd.to_datetime(["2014-04-01 10:00:00", "2014-04-01 10:00:03", "2014-04-01 10:00:04"])]
)
def test_times_reach_the_model(times):
    model = Recent(use_times=True)
    assert listed(model.recommend(list("abc"), k=4, times=times)) == best(model.row(numbers("abc"), [0, 3, 4]), 4)
    stream = model.stream()
    for item, time in zip("abc", times, strict=True):
        stream.click(item, time)
    pd.testing.assert_frame_equal(stream.recommend(4), model.recommend(list("abc"), k=4, times=times))


def test_each_history_has_its_own_times():
    model = Recent(use_times=True)
    many = model.recommend_many([list("ab"), [], list("c")], k=8, times=[[0, 5], [], [9]])
    assert many[many["history"] == 0]["ItemId"].tolist() == [
        item for item, _ in best(model.row(numbers("ab"), [0, 5]), 8)
    ]


@pytest.mark.parametrize("times", [[], [0], [0, 1, 2]])
def test_there_is_one_time_for_each_click(times):
    with pytest.raises(ValueError, match="times"):
        Recent().recommend(["a", "b"], times=times)


@pytest.mark.parametrize("times", [[], [[0]], [[0], [1], [2]]])
def test_there_are_times_for_each_history(times):
    with pytest.raises(ValueError, match="times"):
        Recent().recommend_many([["a"], ["b"]], times=times)


# a recommender of one's own


def test_scores_may_be_tensors_that_are_still_being_trained():
    class Trained(Recent):
        def scores(self, *log):
            return (block.requires_grad_() * 1 for block in super().scores(*log))

    pd.testing.assert_frame_equal(Trained().recommend(["a", "b"]), Recent().recommend(["a", "b"]))
    assert evaluate(Trained(), click_log("abc")).ranks.tolist() == evaluate(Recent(), click_log("abc")).ranks.tolist()


def test_scores_may_be_arrays():
    class InNumpy(Recent):
        def scores(self, *log):
            return map(np.asarray, super().scores(*log))

    expected = Recent().recommend(["a", "b"], exclude=["c"])
    pd.testing.assert_frame_equal(InNumpy().recommend(["a", "b"], exclude=["c"]), expected)


class LastOnly(Recent):
    """Says by itself what comes last, in blocks of one size, and out of a table that must stay as it is."""

    def last_scores(self, items, offsets, times):
        rows = [self.row(items[a : b - 1].tolist(), times[a : b - 1].tolist()) for a, b in pairwise(offsets)]
        self.table = torch.tensor(np.array(rows))
        self.before = self.table.clone()
        return iter(self.table.split(2))

    def scores(self, *log):
        raise AssertionError("no other row is needed")


def test_a_model_may_score_the_last_prediction_alone():
    histories = [list("abc"), [], list("h"), list("ab"), list("hhhha")]
    alone = LastOnly()
    pd.testing.assert_frame_equal(
        alone.recommend_many(histories, k=3, exclude=["c"]), Recent().recommend_many(histories, k=3, exclude=["c"])
    )
    assert torch.equal(alone.table, alone.before)


def test_a_network_scores_the_last_prediction_alone(monkeypatch):
    model, scored = tiny().fit(random_log(), progress=False), []
    score_all = model.network.score_all
    monkeypatch.setattr(model.network, "score_all", lambda hidden: scored.append(len(hidden)) or score_all(hidden))
    model.recommend_many([list("abcabcabc"), list("ab"), []])
    assert sum(scored) == 3


@pytest.mark.parametrize("scores_at_once", [1, 50, 10**6])
def test_the_last_scores_are_the_last_rows_of_all_scores(model, monkeypatch, scores_at_once):
    monkeypatch.setattr(recommender, "SCORES_AT_ONCE", scores_at_once)
    monkeypatch.setattr(gru4rec, "STATES_AT_ONCE", scores_at_once)
    items, offsets = np.array([0, 1, -1, 2, 3, 4, 5, -1, 6]), np.array([0, 3, 5, 9])
    log = items, offsets, np.arange(9.0)
    rows = torch.cat(list(model.scores(*log)))[[1, 2, 5]]  # two, one and three predictions
    torch.testing.assert_close(torch.cat(list(model.last_scores(*log))), rows)


def test_a_score_of_minus_infinity_is_listed_and_what_is_excluded_is_not():
    model = Recent()
    model.own = np.where(np.arange(8) < 4, -np.inf, 0.0)
    assert model.recommend([], k=8, exclude=["a", "h"])["ItemId"].tolist() == list("efgbcd")


@pytest.mark.parametrize("id_", [2**63, 2**64, -(2**63) - 1, None, 1.5, "1", ("a", "b")])
@pytest.mark.parametrize("ids", [[1, 2], [2**63 - 1, 5], [2**63 + 1, 5], [-1, 2**70], ["a", "b"]])
def test_an_id_of_any_kind_is_looked_for_and_named_when_unknown(id_, ids):
    model = baselines.Pop()
    model.items, model.support = pd.Index(ids), torch.ones(2, dtype=torch.float64)
    with pytest.warns(UserWarning, match=re.escape(f"unknown items are left out: {id_!r}")):
        listed = model.recommend([ids[0], id_], exclude=[ids[1], id_])
    assert listed["ItemId"].tolist() == [ids[0]]


@pytest.mark.parametrize(("n_items", "rows"), [(1, 2_000_000), (30_043, 66), (10**6, 16), (4 * 10**6, 4), (10**9, 1)])
def test_a_block_of_scores_is_bounded_whatever_the_catalogue(n_items, rows):
    assert recommender.rows_at_once(n_items) == rows
    assert rows == 1 or rows * n_items <= 16_000_000


# before fit, and models that cannot be saved


@pytest.mark.parametrize("make", [tiny, baselines.Pop, baselines.Markov])
def test_nothing_is_recommended_or_saved_before_fit(make, tmp_path):
    for ask in (
        lambda model: model.recommend(["a"]),
        lambda model: model.recommend_many([["a"]]),
        lambda model: model.stream(),
        lambda model: model.save(tmp_path / "model"),
    ):
        with pytest.raises(ValueError, match=f"this {type(make()).__name__} has not learned anything yet: call fit"):
            ask(make())
    assert list(tmp_path.iterdir()) == []


def test_a_recommender_that_cannot_be_saved_says_what_to_write(tmp_path):
    with pytest.raises(NotImplementedError, match=r"Recent .*tensors.*restore"):
        Recent().save(tmp_path / "model")


def test_a_recommender_of_ones_own_is_evaluated():
    sessions = random_sessions(10, items="abcdefgh", seed=3)
    ranks = []
    for session in sessions:
        for t in range(1, len(session)):
            scores = Recent().row(numbers(session[:t]), list(range(t)))
            ranks.append((scores >= scores[numbers(session[t])[0]]).sum())
    assert evaluate(Recent(), click_log(*sessions)).ranks.tolist() == ranks
