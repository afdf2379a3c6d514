"""Ids that a model does not know: one warning a call, a mistake in exclude is named, and `unknown` says what to do."""

from __future__ import annotations

import decimal
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from logs import click_log

from gru4rec_lite import baselines
from gru4rec_lite.streams import Stream


@pytest.fixture(scope="module")
def numbered():
    """Items 7, 8, 9."""
    return baselines.Pop().fit(click_log([7, 8, 9], [7, 8], [7, 9], [7, 1]))


@pytest.fixture(scope="module")
def named():
    """Items "7", "8", "9"."""
    return baselines.Pop().fit(click_log(["7", "8", "9"], ["7", "8"], ["7"]))


def ways(model, exclude, **more):
    """The list without these items, by every way to ask for it."""
    yield model.recommend([], 2, exclude=exclude, **more)["ItemId"].tolist()
    yield model.recommend_many([[], []], 2, exclude=exclude, **more)["ItemId"].tolist()[:2]
    yield Stream(model).recommend(2, exclude=exclude, **more)["ItemId"].tolist()


OTHER_KIND = [
    "7", b"7", None, float("nan"), 7.5, True, np.bool_(True), pd.Timestamp(7), ("7",), pd.NaT, pd.NA, np.str_("7"),
    decimal.Decimal("7.5"), float("inf"),
]  # fmt: skip


@pytest.mark.parametrize("one", OTHER_KIND, ids=repr)
def test_an_id_of_another_kind_in_exclude_is_named(numbered, one):
    says = f"exclude: no item can have the id {one!r} (item ids here look like 1)"
    with pytest.warns(UserWarning, match=re.escape(says)) as caught:
        assert list(ways(numbered, [one])) == [[7, 8]] * 3
    assert [str(warning.message) for warning in caught] == [says] * 3  # one a call
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("one", [7, 7.0, np.int8(7), np.uint64(7), np.float32(7), decimal.Decimal(7)], ids=repr)
def test_the_same_number_of_another_type_is_the_same_id(numbered, one):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(7 not in listed for listed in ways(numbered, [one]))
        numbered.recommend([one])


@pytest.mark.parametrize("exclude", [np.array([7, 8]), torch.tensor([7, 8]), pd.Series([7, 8.0, np.nan])[:2], {7, 8}])
def test_the_excluded_may_stand_in_any_list(numbered, exclude):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(ways(numbered, exclude)) == [[9, 1]] * 3


@pytest.mark.parametrize("one", [3, 10**30, -1, 2**63, np.uint64(2**64 - 1), 1e6])
def test_an_item_that_is_merely_not_there_is_excluded_in_silence(numbered, one):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(7 in listed for listed in ways(numbered, [one], unknown="raise"))


@pytest.mark.parametrize("one", [7, 7.0, True, None, b"7"])
def test_a_number_among_texts_is_named(named, one):
    with pytest.warns(UserWarning, match=r"exclude: no item can have the id .* \(item ids here look like '7'\)"):
        assert "7" in named.recommend([], exclude=[one])["ItemId"].tolist()


def test_of_a_mixed_list_the_mistakes_alone_are_named(numbered):
    with pytest.warns(UserWarning, match=r"the id '8', '9' \(") as caught:
        listed = numbered.recommend([], exclude=[7, "8", 5, "9", "8"])["ItemId"].tolist()
    assert sorted(listed) == [1, 8, 9]
    assert len(caught) == 1


def test_a_truth_value_is_no_item(numbered):
    """True equals 1 in Python, which is an item here."""
    with pytest.warns(UserWarning, match="unknown items are left out: True"):
        numbered.recommend([True])
    with pytest.warns(UserWarning, match=r"unknown items are left out: np.True_"):
        numbered.stream().click(np.bool_(True))


def test_a_float_that_may_stand_for_several_items_is_none_of_them():
    model = baselines.Pop().fit(click_log([2**60, 2**60 + 1, 5]))
    with pytest.warns(UserWarning, match=r"unknown items are left out: 1.15"):
        model.recommend([float(2**60)])
    assert model.recommend([], exclude=[2**60 + 1])["ItemId"].tolist() == [5, 2**60]


@pytest.mark.parametrize("model", ["numbered", "named"])
def test_integers_beyond_64_bits_are_unknown(model, request):
    with pytest.warns(UserWarning, match="left out: 1267650600228229401496703205376"):
        request.getfixturevalue(model).recommend([2**100])


# one warning a call


def test_a_thousand_histories_give_one_warning_that_counts_and_names_the_first(numbered):
    histories = [[7, 8, f"new-{number % 7}"] for number in range(1000)]
    with pytest.warns(UserWarning, match="unknown items") as caught:
        many = numbered.recommend_many(histories, 1, exclude=["x"])
    assert len(many) == 1000
    assert len(caught) == 1
    assert str(caught[0].message) == (
        "unknown items are left out: 'new-0', 'new-1', 'new-2', 'new-3', 'new-4' and 2 more, 1,000 of 3,000 clicks in "
        "1,000 histories (item ids here look like 1); "
        "exclude: no item can have the id 'x' (item ids here look like 1)"
    )


def test_a_stream_tells_of_an_unknown_click_once(numbered):
    stream = Stream(numbered)
    with pytest.warns(UserWarning, match="'new'"):
        stream.click("new")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream.click(7)
        assert stream.recommend(1)["ItemId"].tolist() == [7]
    assert stream.history == ["new", 7]


# what is to be done


def test_unknown_items_may_be_ignored(numbered):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbered.recommend(["new", 7], exclude=["7"], unknown="ignore")
        numbered.recommend_many([["new"], []], exclude=["7"], unknown="ignore")
        stream = Stream(numbered)
        stream.click("new", unknown="ignore")
        stream.recommend(exclude=["7"], unknown="ignore")


def test_unknown_items_may_be_refused(numbered):
    with pytest.raises(ValueError, match=r"^unknown items are left out: 'new'"):
        numbered.recommend(["new", 7], unknown="raise")
    with pytest.raises(ValueError, match="'new', 2 of 3 clicks in 2 histories"):
        numbered.recommend_many([["new"], ["new", 7]], unknown="raise")
    with pytest.raises(ValueError, match=r"^exclude: no item can have the id '7'"):
        numbered.recommend([7], exclude=["7"], unknown="raise")
    stream = Stream(numbered)
    with pytest.raises(ValueError, match="'new'"):
        stream.click("new", unknown="raise")
    assert (stream.history, stream.times) == ([], [])
    with pytest.raises(ValueError, match="'7'"):
        stream.recommend(exclude=["7"], unknown="raise")


@pytest.mark.parametrize("item", [torch.tensor([7]), pd.Series([7]), (7, [8]), frozenset([7]) | {8}], ids=repr)
def test_what_cannot_be_looked_for_is_no_item(numbered, item):
    if isinstance(item, frozenset):  # it can
        with pytest.warns(UserWarning, match="frozenset"):
            numbered.recommend([item])
        return
    for ask in (lambda: numbered.recommend([7, item]), lambda: numbered.recommend([7], exclude=[item])):
        with pytest.raises(ValueError, match=r"(history|exclude)\[\d\]=.*must be one item id"):
            ask()
    with pytest.raises(ValueError, match=r"^item=.*must be one item id"):
        numbered.stream().click(item)


def test_a_recommender_of_ones_own_may_keep_its_items_in_a_list():
    class Own(baselines.Pop):
        pass

    model = Own()
    model.items, model.support = [3, 1, 2], torch.tensor([1.0, 3.0, 2.0])
    assert model.recommend([3], exclude=[2])["ItemId"].tolist() == [1, 3]
    model.items = [3, 1, 3]
    with pytest.raises(ValueError, match="items: must hold every item once, but holds 3 again"):
        model.recommend([3])


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ([], "last_scores gave 0 rows for 2 histories"),
        ([torch.ones(1, 3)], "last_scores gave 1 rows for 2 histories"),
        ([torch.ones(3, 3)], "last_scores gave 3 rows for 2 histories"),
        ([torch.ones(3)] * 2, r"must yield blocks \(p, 3\) of numbers, a single row as scores\[None\]"),
        ([torch.ones(2, 4)], r"must yield blocks \(p, 3\)"),
        ([None], r"scores gave None: must yield blocks \(p, 3\)"),
    ],
)
def test_last_scores_that_are_no_scores_are_refused(blocks, says):
    class Own(baselines.Pop):
        def last_scores(self, *log):
            return iter(blocks)

    model = Own().fit(click_log([1, 2, 3]))
    with pytest.raises(ValueError, match=says):
        model.recommend_many([[1], [2]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64, torch.bool])
def test_scores_of_any_number_type_are_listed(dtype):
    class Own(baselines.Pop):
        def last_scores(self, *log):
            yield torch.tensor([[0.0, 1.0, 0.0]]).to(dtype)

    assert Own().fit(click_log([1, 2, 3])).recommend([1])["ItemId"].tolist() == [2, 1, 3]
