"""What an error tells one to do works when it is done."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import torch
from logs import click_log, random_log, tiny

from gru4rec_lite import GRU4Rec, Recommender, baselines, compare, evaluate
from gru4rec_lite.internal import files

LOG = random_log(items="abcdefgh")


def told(ask, error=ValueError) -> str:
    with pytest.raises(error) as caught:
        ask()
    return str(caught.value)


def followed(said: str, pattern: str, **names):
    """The value of the Python in an error's words."""
    return eval(re.search(pattern, said).group(1), names)


def test_a_model_that_has_not_learned_is_fitted_or_loaded(tmp_path):
    path = tmp_path / "model"
    baselines.Markov().fit(LOG).save(path)
    said = told(lambda: baselines.Markov().recommend(["a"]))
    assert followed(said, r"(Markov\.load\(path\))", Markov=baselines.Markov, path=path).recommend(["a"]) is not None


def test_load_on_a_model_says_what_to_write(tmp_path):
    path = tmp_path / "model"
    baselines.Pop().fit(LOG).save(path)
    said = told(lambda: baselines.Pop().load(path))
    assert len(followed(said, r"model = (Pop\.load\(path\))", Pop=baselines.Pop, path=path).items) == 8


def test_a_model_of_another_kind_is_loaded_by_its_own_class(tmp_path):
    path = tmp_path / "model"
    baselines.Pop().fit(LOG).save(path)
    said = told(lambda: GRU4Rec.load(path))
    assert len(followed(said, r"load it with (Pop\.load)", Pop=baselines.Pop)(path).items) == 8


def test_a_file_of_tensors_alone_is_no_model(tmp_path):
    files.write(tmp_path / "file", {"x": torch.ones(1)}, {})
    assert told(lambda: GRU4Rec.load(tmp_path / "file")).endswith("holds tensors, but not a model written by save")


def test_a_checkpoint_is_gone_on_from(tmp_path):
    path = tmp_path / "file"
    tiny(n_epochs=1).fit(LOG, progress=False, checkpoint=path)
    said = told(lambda: GRU4Rec.load(path))
    assert "fit(..., checkpoint=path, resume=True)" in said
    assert len(tiny(n_epochs=2).fit(LOG, progress=False, checkpoint=path, resume=True).history) == 2
    said = told(lambda: tiny(n_epochs=1).fit(LOG, progress=False, checkpoint=path, resume=True))
    enough = followed(said, r"give (\d+) or more")
    assert len(tiny(n_epochs=enough).fit(LOG, progress=False, checkpoint=path, resume=True).history) == 2


@pytest.mark.parametrize("decorated", [True, False])
def test_a_model_of_ones_own_is_saved_as_the_error_says(tmp_path, decorated):
    class Own(Recommender):
        def fit(self, train):
            self.items = baselines.Pop().fit(train).items
            return self

    Own = dataclass(eq=False)(Own) if decorated else Own
    said = told(lambda: Own().fit(LOG).save(tmp_path / "model"), NotImplementedError)
    assert "implement tensors() and restore()" in said
    Own.tensors, Own.restore = lambda self: {"x": torch.ones(1)}, lambda self, tensors: None
    Own().fit(LOG).save(tmp_path / "model")
    assert Own.load(tmp_path / "model").items.tolist() == list("abcdefgh")


def test_a_model_of_ones_own_with_settings_becomes_a_dataclass(tmp_path):
    class Plain(Recommender):
        def __init__(self, width):
            self.width, self.items = width, [1, 2]

        def tensors(self):
            return {"x": torch.ones(1)}

    assert "make it a dataclass" in told(lambda: Plain(3).save(tmp_path / "model"), NotImplementedError)
    assert list(tmp_path.iterdir()) == []

    @dataclass(eq=False)
    class Own(Recommender):
        width: int

        def __post_init__(self):
            self.items = [1, 2]

        tensors = Plain.tensors

        def restore(self, tensors):
            pass

    Own(3).save(tmp_path / "model")
    assert Own.load(tmp_path / "model").width == 3


@pytest.mark.parametrize("history", ["a", 5])
def test_a_single_item_is_put_in_a_list(history):
    model = baselines.Pop().fit(LOG)
    said = told(lambda: model.recommend(history))
    assert len(model.recommend(followed(said, r"here (\[.*\])"), unknown="ignore")) == 8


def test_half_a_letter_is_replaced():
    model = baselines.Pop().fit(LOG)
    said = told(lambda: model.recommend(["\ud800"]))
    value = followed(said, r"such as (value.*)$", value="\ud800")
    assert len(model.recommend([value], unknown="ignore")) == 8


@pytest.mark.parametrize("row", [torch.tensor([3.0, 2.0, 1.0]), torch.tensor([3.0, 2.0, 1.0]).numpy()])
def test_a_single_row_becomes_a_block(row):
    class Own:
        items = tuple("abc")
        hint = "scores"

        def scores(self, items, offsets, times):
            for _ in range(2):
                yield eval(self.hint, {"scores": row})

    model = Own()
    model.hint = re.search(r"a single row as (\S+)", told(lambda: evaluate(model, click_log("abc")))).group(1)
    assert evaluate(model, click_log("abc")).ranks.tolist() == [2, 3]


def test_models_that_know_different_items_are_fitted_on_the_same_clicks():
    one, other = baselines.Pop().fit(LOG), baselines.Pop().fit(click_log("xy"))
    assert "fit them on the same clicks" in told(lambda: compare(one, other, LOG))
    assert len(compare(one, baselines.Markov().fit(LOG), LOG)) == 2


def test_the_nearest_setting_is_one():
    said = told(lambda: GRU4Rec(dropout=0.5))
    for name in re.findall(r"'(\w+)'", said.partition("did you mean ")[2].partition("?")[0]):
        assert getattr(GRU4Rec(**{name: 0.5}), name) == 0.5


def test_a_file_of_somebody_else_is_removed_or_another_name_given(tmp_path):
    (tmp_path / "clicks.csv").write_text("mine")
    model = baselines.Pop().fit(LOG)
    assert "give another name, or remove it" in told(lambda: model.save(tmp_path / "clicks.csv"), OSError)
    model.save(tmp_path / "model")
    (tmp_path / "clicks.csv").unlink()
    model.save(tmp_path / "clicks.csv")
    assert len(baselines.Pop.load(tmp_path / "clicks.csv").items) == 8
