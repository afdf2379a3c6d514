"""Settings and attributes that a model does not have are refused, and the nearest setting is named."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import dataclass

import pytest
from logs import random_log, tiny

from gru4rec_lite import GRU4Rec, Recommender, baselines, toyshop

LOG = random_log()


@pytest.mark.parametrize(
    ("make", "given", "meant"),
    [
        (GRU4Rec, {"dropout": 0.5}, "did you mean 'dropout_embed' or 'dropout_hidden'"),
        (GRU4Rec, {"lr": 0.5}, "must be one of layers, cell"),
        (GRU4Rec, {"epochs": 5}, "'n_epochs'"),
        (GRU4Rec, {"learningrate": 5}, "'learning_rate'"),
        (GRU4Rec, {"layer": 5}, "'layers'"),
        (GRU4Rec, {"N_samples": 5}, "'n_samples'"),
        (baselines.Markov, {"kapa": 1.0}, "'kappa'"),
        (baselines.ItemKNN, {"neighbours": 3}, "'n_neighbours'"),
        (baselines.STAN, {"scale": 3}, "'item_scale' or 'click_scale' or 'session_scale'"),
        (baselines.BPRMF, {"factors": 3}, "'n_factors'"),
        (baselines.Pop, {"days": 3}, "must be one of none"),
        (toyshop.Oracle, {"relaod": 0.1}, "'reload'"),
    ],
)
def test_a_misspelt_setting_is_refused_and_the_nearest_named(make, given, meant):
    (name, value), *_ = given.items()
    with pytest.raises(ValueError, match=f"^{name}={value!r}: {make.__name__} has no such setting; .*{meant}"):
        make(**given)


def test_a_misspelt_setting_is_refused_while_loading(tmp_path):
    tiny(n_epochs=1).fit(LOG, progress=False).save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"^dropout=0.5: GRU4Rec has no such setting; did you mean 'dropout_"):
        GRU4Rec.load(tmp_path / "model", dropout=0.5)


@pytest.mark.parametrize(
    ("name", "meant"), [("dropout", "'dropout_hidden'"), ("lr", "learning_rate"), ("Loss", "'loss'")]
)
@pytest.mark.parametrize("fitted", [False, True])
def test_an_attribute_that_is_no_setting_is_refused(name, meant, fitted):
    model = tiny(n_epochs=1).fit(LOG, progress=False) if fitted else GRU4Rec()
    with pytest.raises(
        ValueError, match=f"GRU4Rec has no setting {name!r}, so setting it would change nothing; .*{meant}"
    ):
        setattr(model, name, 0.5)
    assert not hasattr(model, name)


def test_a_function_that_is_given_the_model_cannot_misspell_either():
    def tuned(model):
        model.kapa = 3.0

    with pytest.raises(ValueError, match="'kappa'"):
        tuned(baselines.Markov())


def test_settings_and_what_fit_learns_can_be_set():
    model = baselines.Markov()
    model.kappa, model._note, model.items, model.clock = 2.0, "mine", None, 3.0
    model.scores = model.scores
    model = baselines.Markov().fit(LOG)
    model.counts, model.popularity = model.counts, model.popularity
    assert model.kappa == 1.0


def test_a_class_of_ones_own_is_free():
    class Plain(Recommender):
        def __init__(self, width, **others):
            self.width, self.others = width, others

        def fit(self, train):
            self.learned = len(train)
            return self

    model = Plain(3, colour="red").fit(LOG)
    model.whatever = 1
    assert (model.width, model.others, model.learned) == (3, {"colour": "red"}, len(LOG))

    class Other(Recommender):
        def __init__(self, width):
            self.width = width

    with pytest.raises(ValueError, match="colour='red': Other has no such setting; must be one of width"):
        Other(width=3, colour="red")


def test_a_dataclass_of_ones_own_sets_what_it_likes_in_its_methods():
    @dataclass(eq=False)
    class Own(Recommender):
        width: int = 3

        def __post_init__(self):
            self.double = 2 * self.width

        def fit(self, train):
            self.learned = [setattr(self, "inner", one) for one in range(3)]

            def later():
                self.last = True

            later()
            self._helper()
            return self

        def _helper(self):
            self.helped = True

    model = Own().fit(LOG)
    assert (model.double, model.inner, model.last, model.helped) == (6, 2, True, True)
    model.helped = False  # there now
    model.width = 5
    with pytest.raises(ValueError, match=r"no setting 'widht'.*'width'"):
        model.widht = 5


def test_too_many_arguments_are_a_type_error():
    class Bare(Recommender):
        pass

    with pytest.raises(TypeError, match="takes no arguments"):
        Bare(1)
    with pytest.raises(ValueError, match="colour=1: Bare has no such setting"):
        Bare(colour=1)
    with pytest.raises(TypeError, match="positional"):
        baselines.Markov(1.0, 2.0)
    assert isinstance(Bare(), Bare)


def test_help_shows_the_settings():
    assert list(inspect.signature(GRU4Rec).parameters)[:3] == ["layers", "cell", "embedding"]
    assert not inspect.signature(baselines.Pop).parameters
    assert next(iter(inspect.signature(GRU4Rec().fit).parameters)) == "train"


def test_models_are_copied_and_pickled():
    model = baselines.Markov(2.0).fit(LOG)
    for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again.recommend(["a"]).equals(model.recommend(["a"]))
        assert again.kappa == 2.0


def test_load_on_a_model_is_refused(tmp_path):
    model = baselines.Markov(2.0).fit(LOG)
    model.save(tmp_path / "model")
    for one in (model, baselines.Markov()):
        with pytest.raises(ValueError, match=r"model = Markov\.load\(path\)"):
            one.load(tmp_path / "model")
    assert baselines.Markov.load(tmp_path / "model").kappa == 2.0
    assert inspect.getdoc(model.load) == inspect.getdoc(baselines.Markov.load)

    class Own(baselines.Markov):
        @classmethod
        def load(cls, path, **overrides):
            return super().load(path, **overrides)

    with pytest.raises(ValueError, match="holds a Markov, not a Own"):
        Own.load(tmp_path / "model")
