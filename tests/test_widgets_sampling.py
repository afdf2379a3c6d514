"""The Sampling widget: its JavaScript under node, against the package and plain counting; its Python side."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from test_widgets import node_compute

from gru4rec_lite import GRU4Rec, widgets
from gru4rec_lite.sampling import NegativeSampler, correct_logq, negatives
from gru4rec_lite.widgets import _base
from gru4rec_lite.widgets.sampling import SHOP, drawn

SOURCE = _base.source("_sampling_math.js", "sampling.js")


def random_cases(n: int, seed: int = 0) -> list[dict]:
    """States of small, skewed catalogues: most with accidental hits, some with items that nobody clicked."""
    rng = np.random.default_rng(seed)
    return [
        {
            "support": [[f"i{j}", int(k)] for j, k in enumerate([7, *rng.geometric(0.05, rng.integers(1, 9)) - 1])],
            "batch_size": int(rng.integers(2, 7)), "n_samples": int(rng.integers(0, 13)),
            "alpha": float(rng.choice([0, 0.25, 0.75, 1])), "logq": float(rng.choice([0, 0.5, 1])),
            "draw": int(rng.integers(1, 40)), "lane": int(rng.integers(1, 7)), "column": int(rng.integers(1, 19)),
            "n_items": int(rng.integers(100, 10**6)),
        }
        for _ in range(n)
    ]  # fmt: skip


def differs(case: dict, answer: dict) -> str | None:
    """The first thing in which the widget's answer differs from the package or from plain counting, or None."""
    lanes, n_samples = case["batch_size"], case["n_samples"]
    clicks = torch.tensor([k for _, k in case["support"]])
    sampler = NegativeSampler(clicks, n_samples, case["alpha"])
    everything = torch.arange(len(clicks))
    for name, value in (
        ("popularity", sampler.popularity),
        ("probability", sampler.probability),
        ("q", sampler.expected_count(everything, lanes)),
    ):
        if not np.allclose(answer[name], value, rtol=1e-12):
            return f"{name}: {answer[name]}, package {value}"

    candidates, targets = torch.tensor(answer["candidates"]), torch.tensor(answer["targets"])
    shape = (lanes, lanes + n_samples)
    if len(candidates) != shape[1] or candidates[:lanes].tolist() != targets.tolist():
        return f"candidates: {candidates}, targets {targets}"
    if not (clicks[candidates] > 0).all():
        return "an item was drawn that nobody clicked"
    is_negative = negatives(candidates, targets)
    if answer["is_negative"] != is_negative.tolist():
        return "negatives"
    kinds = np.array(answer["kinds"])
    own = np.eye(*shape, dtype=bool)
    if not ((kinds == "positive") == own).all() or not ((kinds == "hit") == (~is_negative.numpy() & ~own)).all():
        return f"kinds: {kinds}"
    if [answer[n] for n in ("positives", "negatives", "hits")] != [
        lanes, int(is_negative.sum()), int((~is_negative).sum()) - lanes,
    ]:  # fmt: skip
        return "the counts of the cells"

    scores = torch.tensor(answer["scores"], dtype=torch.float64)
    corrected = correct_logq(scores, sampler.expected_count(candidates, lanes), case["logq"])
    if tuple(scores.shape) != shape or not np.allclose(answer["corrected"], corrected, atol=1e-12):
        return f"corrected: {answer['corrected']}, package {corrected}"

    lane = min(case["lane"], lanes) - 1
    column = min(case["column"], shape[1]) - 1
    cell = answer["cell"]
    if (cell["item"], cell["target"]) != (candidates[column], targets[lane]) or cell["kind"] != kinds[lane, column]:
        return f"cell: {cell}"
    if cell["score"] != scores[lane, column]:
        return "the cell's score"

    counted = {"batch": np.zeros(len(clicks)), "samples": np.zeros(len(clicks))}
    for draw in range(1, case["draw"] + 1):
        before = {of: times.copy() for of, times in counted.items()}
        seen = drawn(dict(case["support"]), lanes, n_samples, case["alpha"], draw).numpy()
        np.add.at(counted["batch"], np.delete(seen[:lanes], lane), 1)
        np.add.at(counted["samples"], seen[lanes:], 1)
    if seen.tolist() != answer["candidates"]:
        return f"drawn: {answer['candidates']}, in Python {seen}"
    for of in counted:
        if answer["counted"][of] != counted[of].tolist() or answer["before"][of] != before[of].tolist():
            return f"counted {of}"
    expected = np.add(answer["expected"]["batch"], answer["expected"]["samples"])
    if not np.allclose(expected, case["draw"] * sampler.expected_count(everything, lanes)):
        return f"expected: {expected}"
    if not np.allclose(answer["expected"]["samples"], case["draw"] * n_samples * sampler.probability):
        return "expected of the samples"
    model = GRU4Rec()
    units = model.layers[-1]
    cost = {"all": case["n_items"], "here": shape[1], "usual": model.batch_size + model.n_samples}
    return None if answer["cost"] == {of: n * units for of, n in cost.items()} else f"cost: {answer['cost']}"


# ---- the arithmetic --------------------------------------------------------------------------------------------------
def test_the_widget_samples_as_the_package_says(tmp_path):
    cases = random_cases(300)
    assert [m for m in map(differs, cases, node_compute(cases, SOURCE, tmp_path)) if m] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("n > 0 ? n ** alpha : 0", "n ** alpha"),  # 0^0: an item without clicks is drawn
        ("n ** alpha", "n ** -alpha"),
        ("(batch_size - 1) * popularity[j]", "(batch_size + 1) * popularity[j]"),
        ("popularity[j] + n_samples", "popularity[j] - n_samples"),
        ("n_samples * probability[j])", "n_samples * popularity[j])"),
        ("-logq * Math.log", "logq * Math.log"),
        ("r + corrections[c]", "r - corrections[c]"),
        ("c === i ?", "j === target ?"),  # every hit taken for the positive
        ('j === target ? "hit"', 'false ? "hit"'),  # accidental hits taken for negatives
        ("if (i !== own)", "if (true)"),  # the lane's own column counted
        ("pick(weight, n_samples", "pick(clicks, n_samples"),  # alpha without effect
        ("draw * (batch_size - 1) * p", "draw * batch_size * p"),
        ("end > point", "end < point"),
        ("(batch_size + n_samples) * UNITS", "(batch_size - n_samples) * UNITS"),
    ],
)
def test_a_wrong_rule_in_the_javascript_is_caught(tmp_path, right, wrong):
    assert SOURCE.count(right) == 1
    cases = random_cases(60)
    assert any(map(differs, cases, node_compute(cases, SOURCE.replace(right, wrong), tmp_path)))


STATE = {
    "support": [list(pair) for pair in SHOP.items()], "batch_size": 6, "n_samples": 12, "alpha": 0.5, "logq": 1,
    "draw": 1000, "lane": 1, "column": 1, "n_items": 1000,
}  # fmt: skip


@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_what_is_drawn_follows_popularity_to_the_alpha(tmp_path, alpha):
    """`drawn` is compared with the JavaScript above; that both draw fairly is seen here, by chi-square."""
    (answer,) = node_compute([STATE | {"alpha": alpha}], SOURCE, tmp_path)
    clicks = np.array(list(SHOP.values()), dtype=float)
    batch, samples = np.array(answer["counted"]["batch"]), np.array(answer["counted"]["samples"])
    weight = clicks**alpha
    assert (batch.sum(), samples.sum()) == (5 * 1000, 12 * 1000)
    assert chisquare(batch, 5000 * clicks / clicks.sum()).pvalue > 1e-3
    assert chisquare(samples, 12000 * weight / weight.sum()).pvalue > 1e-3
    assert chisquare(samples, 12000 * clicks**0.7 / (clicks**0.7).sum()).pvalue < 1e-3  # it would notice another alpha


def test_targets_and_samples_of_the_same_step_are_independent(tmp_path):
    """Accidental hits come as often as chance says: Σ popularity · p for a lane and a sample."""
    answers = node_compute([STATE | {"draw": d, "alpha": 1} for d in range(1, 601)], SOURCE, tmp_path)
    hits = [np.equal(np.array(a["targets"])[:, None], a["candidates"][6:]).mean() for a in answers]
    popularity = np.array(list(SHOP.values())) / sum(SHOP.values())
    assert abs(np.mean(hits) - (popularity**2).sum()) < 4 * np.std(hits) / np.sqrt(len(hits))


def test_alpha_changes_the_samples_only_and_a_smaller_step_is_a_part_of_a_larger(tmp_path):
    cases = [STATE | {"draw": 9, "alpha": a} for a in (0, 1)] + [STATE | {"draw": 9, "batch_size": 3, "n_samples": 4}]
    uniform, popular, small = node_compute(cases, SOURCE, tmp_path)
    assert uniform["targets"] == popular["targets"]
    assert uniform["candidates"] != popular["candidates"]
    assert small["targets"] == popular["targets"][:3]
    (whole,) = node_compute([STATE | {"draw": 9}], SOURCE, tmp_path)
    assert small["candidates"][3:] == whole["candidates"][6:10]


# ---- the object ------------------------------------------------------------------------------------------------------
def test_it_opens_on_accidental_hits_among_targets_and_samples_and_points_at_one():
    widget = widgets.Sampling()
    candidates = widget.candidates()
    hits = ~negatives(candidates, candidates[: widget.batch_size])
    hits.fill_diagonal_(False)
    assert hits[:, :4].any()
    assert hits[:, 4:].any()
    assert hits[widget.lane - 1, widget.column - 1]
    assert widget.draw >= 20


def test_where_no_hit_can_be_it_still_opens():
    widget = widgets.Sampling(dict.fromkeys(range(24), 1), batch_size=2, n_samples=0)
    assert len(widget.candidates()) == 2
    assert 1 <= widget.column <= 2


def test_readers_own_clicks_become_text_most_clicked_first():
    pandas = pytest.importorskip("pandas")
    log = pandas.Series([9, 10, 10, 10, 7, 7])
    widget = widgets.Sampling(log.value_counts(sort=False), batch_size=np.int64(3))
    assert list(widget.support.items()) == [("10", 3), ("7", 2), ("9", 1)]
    assert widget.get_state()["support"] == [["10", 3], ["7", 2], ["9", 1]]  # JSON objects would be reordered
    assert json.dumps(widget.batch_size) == "3"


def test_support_from_the_page_is_support_again():
    widget = widgets.Sampling()
    widget.set_state({"support": [["a", 3], ["b", 1]], "alpha": 0, "draw": 7})
    assert (widget.support, widget.alpha, widget.draw) == ({"a": 3, "b": 1}, 0.0, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"support": 5}, "support=5: must give the clicks of each item"),
        ({"support": [1, 2]}, "support=[1, 2]: must give the clicks of each item"),
        ({"support": {"a": 1.5, "b": 2}}, "support['a']=1.5: must be a whole number of at least 0"),
        ({"support": {"a": -1, "b": 2}}, "support['a']=-1"),
        ({"support": {"a": True, "b": 2}}, "support['a']=True"),
        ({"support": {"1": 1, 1: 2}}, "two items have the same name"),
        ({"support": {"a": 1}}, "support has 1 items: the picture takes 2 to 24"),
        ({"support": dict.fromkeys(range(25), 1)}, "support has 25 items"),
        ({"support": {"a": 0, "b": 0}}, "no item has a click"),
        ({"batch_size": 1}, "batch_size=1: must be a whole number from 2 to 6"),
        ({"batch_size": 7}, "batch_size=7"),
        ({"n_samples": 13}, "n_samples=13: must be a whole number from 0 to 12"),
        ({"n_samples": -1}, "n_samples=-1"),
        ({"alpha": 1.1}, "alpha=1.1: must be a number from 0 to 1"),
        ({"alpha": "1"}, "alpha='1'"),
        ({"alpha": True}, "alpha=True"),
        ({"logq": float("nan")}, "logq=nan: must be a number from 0 to 1"),
        ({"draw": 0}, "draw=0: must be a whole number from 1 to 1000"),
        ({"lane": 0}, "lane=0"),
        ({"column": 19}, "column=19"),
        ({"n_items": 99}, "n_items=99: must be a whole number from 100 to 1000000"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        widgets.Sampling(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("alpha", 2, "alpha=2"),
        ("batch_size", 9, "batch_size=9"),
        ("support", {}, "support has 0"),
        ("draw", -1, "draw"),
    ],
)
def test_a_later_wrong_value_is_refused_and_changes_nothing(name, value, message):
    widget = widgets.Sampling()
    before = getattr(widget, name)
    with pytest.raises(ValueError, match=message):
        setattr(widget, name, value)
    assert getattr(widget, name) == before


def test_the_text_form_says_what_is_shown_and_follows_it():
    widget = widgets.Sampling()
    assert repr(widget) == repr(widgets.Sampling())
    names = [list(SHOP)[j] for j in widget.candidates()]
    assert f"targets {', '.join(names[:4])}; extra samples" in repr(widget)
    assert f"popularity^0.75: {', '.join(names[4:])}. " in repr(widget)
    hits = sum(a == b for i, a in enumerate(names[:4]) for c, b in enumerate(names) if c != i)
    assert f"4 positives, {36 - hits} negatives, {hits} accidental hits" in repr(widget)
    widget.alpha = 1
    assert f"socks, the most clicked, {3 * 0.4 + 6 * 0.4:.2f} times" in repr(widget)
    widget.n_samples = 0
    assert "extra samples, drawn by popularity^1: none." in repr(widget)


def test_a_picture_is_drawn_where_notebooks_are_refreshed_and_moves_with_the_widget(monkeypatch):
    monkeypatch.setenv("BOOK_POSTERS", "1")
    widget = widgets.Sampling()
    first, again = (widget._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert base64.b64decode(first).startswith(b"\x89PNG")
    assert first == again
    widget.alpha = 0
    assert widget._repr_mimebundle_()[0]["image/png"] != first


def test_a_saved_page_holds_all_that_the_widget_draws_from():
    state = widgets.Sampling(n_items=217, draw=3).get_state()
    assert (state["_esm"], state["_css"]) == (SOURCE, _base.source("sampling.css"))
    assert state["support"] == [list(pair) for pair in SHOP.items()]
    shown = [state[n] for n in ("batch_size", "n_samples", "alpha", "logq", "draw", "lane", "column", "n_items")]
    assert shown == [4, 6, 0.75, 1, 3, 1, 1, 217]
