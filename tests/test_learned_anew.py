"""A model that learns anew, is changed, copied, or loaded with other settings: its lists are of what it is now."""

from __future__ import annotations

import copy
import pickle
import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import assert_same_list
from logs import click_log, random_log, tiny

from gru4rec_lite import GRU4Rec, baselines, evaluate
from gru4rec_lite.internal import checkpoints
from gru4rec_lite.recommender import Recommender

LOG, LATER = random_log(seed=1), random_log(items="jihgfedzyx", seed=2)  # "b" is not there any more, "z" is new
MODELS = [tiny, baselines.Markov, baselines.ItemKNN, baselines.VSKNN, baselines.SPop]
each_model = pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)


def fit(model, log):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(log, progress=False) if isinstance(model, GRU4Rec) else model.fit(log)


# sessions that go on


@each_model
@pytest.mark.parametrize("asked_before", [True, False])
def test_a_session_goes_on_with_a_model_that_has_learned_anew(make, asked_before):
    model = fit(make(), LOG)
    stream = model.stream()
    for item in "bade":
        stream.click(item)
    if asked_before:
        stream.recommend()
    fit(model, LATER)
    assert_same_list(stream.recommend(), model.recommend(list("bade"), unknown="ignore"))
    stream.click("z")
    assert_same_list(stream.recommend(), model.recommend(list("badez"), unknown="ignore"))
    assert stream.history == list("badez")


def test_a_session_goes_on_with_a_network_of_another_width_and_the_same_items():
    model = fit(tiny(), LOG)
    stream = model.stream()
    stream.click("a")
    model.layers, model.cell = (9, 4), "lstm"
    fit(model, LOG)
    assert_same_list(stream.recommend(), model.recommend(["a"]))


@each_model
@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))],
    ids=["copy", "deep", "pickle"],
)
def test_a_copy_of_a_session_and_the_session_go_their_own_ways(make, copied):
    model = fit(make(), LOG)
    stream = model.stream()
    for item in "ab":
        stream.click(item)
    other = copied(stream)
    other.click("c")
    stream.click("d")
    assert (stream.history, other.history) == (list("abd"), list("abc"))
    assert (len(stream.times), len(other.times)) == (3, 3)
    for one in (stream, other):
        assert_same_list(one.recommend(), model.recommend(one.history))


# models whose scores somebody changes


class Turned(GRU4Rec):
    def scores(self, items, offsets, times=None):
        for block in super().scores(items, offsets, times):
            yield -block


class OnlyLists(GRU4Rec):
    def last_scores(self, items, offsets, times):
        for block in super().last_scores(items, offsets, times):
            yield -block


class TurnedPop(baselines.Pop):
    def scores(self, items, offsets, times):
        for block in super().scores(items, offsets, times):
            yield -block


def turned_in_place():
    model = fit(tiny(), LOG)
    scores = model.scores
    model.scores = lambda *log: (-block for block in scores(*log))
    return model


@pytest.mark.parametrize(
    ("make", "plain"),
    [
        (lambda: fit(Turned(**vars_of_tiny()), LOG), lambda: fit(tiny(), LOG)),
        (lambda: fit(OnlyLists(**vars_of_tiny()), LOG), lambda: fit(tiny(), LOG)),
        (turned_in_place, lambda: fit(tiny(), LOG)),
        (lambda: fit(TurnedPop(), LOG), lambda: fit(baselines.Pop(), LOG)),
    ],
    ids=["scores", "last_scores", "in place", "of a baseline"],
)
def test_who_changes_the_scores_changes_every_list(make, plain):
    model, plain = make(), plain()
    expected = plain.recommend(["a", "b"], len(plain.items)).assign(score=lambda rows: -rows["score"])
    stream = model.stream()
    stream.click("a")
    stream.click("b")
    for rows in (
        model.recommend(["a", "b"]),
        model.recommend_many([["a", "b"]])[["ItemId", "score"]],
        stream.recommend(),
    ):
        assert_same_list(rows, expected.sort_values("score", ascending=False, kind="stable"))


def vars_of_tiny():
    return {name: getattr(tiny(), name) for name in ("layers", "batch_size", "n_samples", "n_epochs", "device")}


def test_a_model_whose_scores_are_ours_keeps_its_short_cuts():
    class Noted(GRU4Rec):
        def fit(self, train, **more):
            return super().fit(train, **more)

    assert type(fit(Noted(**vars_of_tiny()), LOG).stream()) is type(fit(tiny(), LOG).stream())


# loading


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", "bpr"), ("output", "tanh"), ("layers", [7]), ("cell", "rnn"), ("embedding", "one-hot"), ("elu", 0.9),
        ("embedding_size", 4),
    ],
)  # fmt: skip
def test_a_loaded_model_keeps_the_settings_that_its_scores_rest_on(name, value, tmp_path):
    fit(tiny(), LOG).save(tmp_path / "model")
    with pytest.raises(ValueError, match=f"^{name}=.*: the model in .*model has learned with .*, make a new GRU4Rec"):
        GRU4Rec.load(tmp_path / "model", **{name: value})


def test_a_setting_that_is_the_same_or_waits_for_the_next_fit_may_be_given_while_loading(tmp_path):
    model = fit(tiny(), LOG)
    model.save(tmp_path / "model")
    again = GRU4Rec.load(tmp_path / "model", layers=[6], loss="cross-entropy", seed=9, n_epochs=1, device="cpu")
    assert (again.seed, again.n_epochs) == (9, 1)
    assert again.recommend(["a"]).equals(model.recommend(["a"]))


def test_a_setting_that_is_no_field_is_not_lost_in_silence(tmp_path):
    class Scaled(GRU4Rec):
        def __init__(self, *settings, scale=1.0, **more):
            super().__init__(*settings, **more)
            self.scale = scale

    with pytest.raises(
        NotImplementedError, match=r"Scaled: make it a dataclass of its settings.*'scale' is not a field"
    ):
        fit(Scaled(scale=2.0, **vars_of_tiny()), LOG).save(tmp_path / "model")

    @dataclass(eq=False)
    class Right(GRU4Rec):
        scale: float = 1.0

    class Passed(Right):
        def __init__(self, *settings, **more):
            super().__init__(*settings, **more)

    for kind in (Right, Passed):
        fit(kind(scale=2.0, **vars_of_tiny()), LOG).save(tmp_path / "model")
        assert kind.load(tmp_path / "model").scale == 2.0


# a fit that fails


def test_a_fit_that_fails_before_its_first_step_leaves_the_model_as_it_was(tmp_path, monkeypatch):
    model = fit(tiny(), LOG)
    before, ranks, history = model.recommend(["a"]), evaluate(model, LOG), model.history

    def full(*rest):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "require_room", full)
    with pytest.raises(OSError, match="No space"):
        model.fit(LATER, progress=False, checkpoint=tmp_path / "run")
    assert model.recommend(["a"]).equals(before)
    assert evaluate(model, LOG) == ranks
    assert model.history.equals(history)


# mistakes


@pytest.mark.parametrize("kind", [GRU4Rec, baselines.Pop])
def test_a_forgotten_pair_of_brackets_is_named(kind):
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'train'"):
        kind.fit(LOG)


@pytest.mark.parametrize("make", [tiny, baselines.Pop], ids=lambda make: make.__name__)
def test_ids_in_tensors_are_ids(make):
    model = fit(make(), click_log([7, 8, 9], [7, 8], [7, 9], [7, 1]))
    expected = model.recommend([7, 8], exclude=[9])
    for given in (torch.tensor([7, 8]), [torch.tensor(7), 8], list(torch.tensor([7, 8])), torch.tensor([7.0, 8.0])):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert model.recommend(given, exclude=torch.tensor([9])).equals(expected)
            assert model.recommend(given, exclude=[torch.tensor(9)]).equals(expected)
    many = model.recommend_many(torch.tensor([[7, 8], [9, 7]]))
    assert many.equals(model.recommend_many([[7, 8], [9, 7]]))
    stream = model.stream()
    stream.click(torch.tensor(7))
    stream.click(np.int64(8))
    assert_same_list(stream.recommend(exclude=[9]), expected)


def test_a_recommender_of_ones_own_whose_items_are_made_anew_each_time_has_sessions():
    class Own(Recommender):
        @property
        def items(self):
            return ["a", "b", "c"]

        def scores(self, items, offsets, times):
            for begin, end in pairwise(offsets):
                for click in range(begin, end - 1):
                    yield torch.eye(3)[items[click]][None]

    stream = Own().stream()
    for item in "abc":
        stream.click(item)
        assert stream.recommend(1)["ItemId"].tolist() == [item]
