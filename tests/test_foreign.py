"""Models that are not ours: what they give is taken where it is harmless, and refused by name where it is not."""

from __future__ import annotations

import copy
import functools
import re
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from logs import click_log

import gru4rec_lite as g4r
from gru4rec_lite import baselines, evaluate, toyshop

TEST = click_log("abc", "cab", "ba")  # five predictions
ITEMS = pd.Index(list("abc"))
TABLE = torch.tensor([[3.0, 2.0, 1.0]] * 5)
RANKS = evaluate(SimpleNamespace(items=ITEMS, scores=lambda *log: iter([TABLE])), TEST).ranks.tolist()


def foreign(given, items=ITEMS):
    return SimpleNamespace(items=items, scores=lambda items, offsets, times: given)


def readonly(array):
    array.flags.writeable = False
    return array


TAKEN = {
    "blocks": iter(TABLE.split(2)),
    "a list of blocks": list(TABLE.split(3)),
    "a tensor instead of blocks": TABLE,
    "an array instead of blocks": TABLE.numpy(),
    "arrays": iter(np.split(TABLE.numpy(), 5)),
    "lists of rows": iter([TABLE.tolist()]),
    "whole numbers": iter([TABLE.long()]),
    "small whole numbers": iter([TABLE.numpy().astype(np.uint8)]),
    "large whole numbers": iter([TABLE.numpy().astype(np.uint64)]),
    "half numbers": iter([TABLE.half()]),
    "brain numbers": iter([TABLE.bfloat16()]),
    "a data frame": iter([pd.DataFrame(TABLE.numpy())]),
    "blocks without rows": iter([TABLE[:0], TABLE[:2], TABLE[:0], TABLE[2:], np.empty((0, 3))]),
    "columns first": iter([np.asfortranarray(TABLE.numpy())]),
    "backwards": iter([TABLE.numpy()[::-1]]),
    "another byte order": iter([TABLE.numpy().astype(">f8")]),
    "read-only": iter([readonly(TABLE.numpy().copy())]),
    "broadcast": iter([np.broadcast_to(TABLE[0].numpy(), (5, 3))]),
    "with gradients": iter([TABLE.clone().requires_grad_()]),
    "sparse": iter([TABLE.to_sparse()]),
}


@pytest.mark.parametrize("how", TAKEN)
def test_scores_are_taken_in_any_form(how):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate(foreign(TAKEN[how]), TEST).ranks.tolist() == RANKS


def test_truth_values_are_scores_with_many_ties():
    hits = torch.tensor([[True, False, False]] * 5)
    assert evaluate(foreign(iter([hits])), TEST).ranks.tolist() == [1.0 if r == 1 else 3.0 for r in RANKS]


@pytest.mark.parametrize("items", [list("abc"), tuple("abc"), np.array(list("abc")), pd.Series(list("abc"))])
def test_items_may_stand_in_any_list(items):
    result = evaluate(foreign(iter([TABLE]), items), TEST)
    assert result.ranks.tolist() == RANKS
    assert result.targets.tolist() == list("bcaba")
    with pytest.warns(UserWarning, match="in the test look like 'x', in the model like 'a'"):
        evaluate(foreign(iter([TABLE[:1]]), items), click_log("xy"))


NONE_OF_5 = [
    ([TABLE[0]] * 5, "gave Tensor (3,) of float32: must yield blocks (p, 3) of numbers, a single row as scores[None]"),
    (TABLE[0], "a single row as scores[None]"),
    ([[3.0, 2.0, 1.0]], "a single row as scores[None]"),
    ([TABLE[:, :2]], "scores gave Tensor (5, 2) of float32: must yield blocks (p, 3)"),
    ([TABLE.T], "scores gave Tensor (3, 5) of float32: must yield blocks (p, 3)"),
    ([TABLE[None]], "scores gave Tensor (1, 5, 3) of float32"),
    ([np.zeros(0)], "scores gave ndarray (0,) of float64"),
    ([TABLE + 0j], "scores gave Tensor (5, 3) of complex64"),
    (None, "scores gave None: must yield blocks (p, 3), rows of scores"),
    (3.0, "scores gave 3.0: must yield blocks"),
    ([None], "scores gave None: must yield blocks (p, 3) of numbers"),
    ("abc", "scores gave 'a': must yield blocks (p, 3) of numbers"),
    ([[["a", "b", "c"]]], "must yield blocks (p, 3) of numbers"),
    ([[[1.0, 2.0], [1.0]]], "scores gave [[1.0, 2.0], [1.0]]: must yield blocks (p, 3) of numbers"),
    ([TABLE[:3]], "scores gave 3 rows for 5 predictions"),
    ([], "scores gave 0 rows for 5 predictions"),
    ([TABLE, TABLE], "scores gave a block (5, 3) where 0 rows of 3 scores are left"),
    ([TABLE * float("nan")], "scores: not a number (NaN)"),
    ([TABLE.half() * float("nan")], "scores: not a number (NaN)"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "says"), NONE_OF_5)
def test_what_is_no_table_of_scores_is_refused_in_words(given, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        evaluate(foreign(given), TEST)


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (list("aba"), "items must hold every item once, .*'a' again"),
        ("abc", "^items='abc': must be a list of item ids"),
        ({"a": 1, "b": 2, "c": 3}, "^items=.*: must be a list of item ids"),
        (None, "^model: this SimpleNamespace has not learned anything yet, it has no items"),
        (3, "^items=3: must be a list of item ids"),
        (["a", None, "c"], "^items: must hold an id in every place, but place 1 is empty"),
        (list("ab"), r"must yield blocks \(p, 2\)"),
    ],
)
def test_items_that_are_none_are_refused(items, says):
    with pytest.raises(ValueError, match=says):
        evaluate(foreign(iter([TABLE]), items), TEST)


# results


def test_results_are_equal_if_they_found_the_same():
    model = baselines.Pop().fit(TEST)
    one, two = evaluate(model, TEST), evaluate(model, TEST)
    assert one == two
    assert one == copy.deepcopy(one)
    assert (one != two) is False
    for name in ("ranks", "sessions", "positions", "targets"):
        other = copy.deepcopy(one)
        getattr(other, name)[-1] = getattr(other, name)[0] if name == "targets" else 7
        assert (one == other) == (one.targets[-1] == one.targets[0] if name == "targets" else False)
    assert one != evaluate(model, TEST, cutoffs=(5,))
    assert one != evaluate(model, TEST, ties="standard")
    assert one != evaluate(model, click_log("abc"))
    assert one != evaluate(model, click_log("abc", "cab", "ba", "ax"))
    assert one != 3
    assert one != None  # noqa: E711
    assert two in [one]
    with pytest.raises(TypeError, match="unhashable type: 'Result'"):
        hash(one)


# the caller's surroundings


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def warnings_as_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


AROUND = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default dtype": default_dtype,
    "default device": lambda: torch.device("meta"),
    "no grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "numpy's errors": lambda: np.errstate(all="raise"),
    "warnings as errors": warnings_as_errors,
}
SHOP = toyshop.simulate(60, seed=3)
BASELINES = ("Pop", "SPop", "ItemKNN", "BPRMF", "Markov", "SKNN", "VSKNN", "STAN", "Oracle")


def asked(name) -> list[pd.DataFrame]:
    """All that a model is asked for."""
    make = getattr(baselines, name, None) or toyshop.Oracle
    with tempfile.TemporaryDirectory() as folder:
        model = make().fit(SHOP)
        model.save(Path(folder) / "model")
        loaded = make.load(Path(folder) / "model")
    items = model.items.tolist()
    stream = model.stream()
    stream.click(items[3])
    result = evaluate(model, SHOP)
    return [
        result.frame(), result.interval(n=20), result.by_popularity(SHOP), g4r.compare(model, model, SHOP, n=20),
        model.recommend(items[:3], 5, exclude=items[:2]), model.recommend_many([[], items[2:4]], 5),
        stream.recommend(5), loaded.recommend(items[:3], 5),
    ]  # fmt: skip


expected = functools.cache(asked)  # for the surroundings of tests


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_the_same_whatever_surrounds_it(name, around):
    expected(name)
    with AROUND[around]():
        found = asked(name)
    for one, two in zip(expected(name), found, strict=True):
        pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("how", [np.asarray, torch.Tensor.tolist, torch.Tensor.clone])
def test_foreign_scores_are_the_same_whatever_surrounds_them(how, around):
    model = foreign([how(TABLE)])
    own = baselines.Pop().fit(TEST)
    own.last_scores = lambda *log: iter([how(TABLE[:1])])
    expected = own.recommend(["a"])
    with AROUND[around]():
        assert evaluate(model, TEST).ranks.tolist() == RANKS
        pd.testing.assert_frame_equal(own.recommend(["a"]), expected)


def test_nothing_to_count_is_no_figure_under_any_surroundings():
    for around in ("numpy's errors", "default device", "inference mode"):
        model = baselines.Pop().fit(TEST)
        with AROUND[around]():
            with pytest.warns(UserWarning, match="no prediction to count") as caught:
                result = evaluate(model, click_log("a"))
            assert np.isnan(list(result.recall.values())).all()
            assert result.frame().shape == (3, 5)
        assert {warning.filename for warning in caught} == {__file__}


def test_the_callers_random_numbers_are_left_alone():
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    for name in BASELINES:
        asked(name)
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


def test_dir_shows_what_is_loaded_late():
    assert {"widgets", "plots", "experiments", "museum", "audit", "GRU4Rec", "__version__"} <= set(dir(g4r))
    assert all(hasattr(g4r, name) for name in dir(g4r))
