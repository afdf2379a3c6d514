"""The Session widget: its JavaScript under node, against `recommend` and torch; its Python side."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers import in_order, near_ties_aside
from test_widgets import node_compute
from test_widgets_network import KINDS, by_hand, random_model, random_sessions

from gru4rec_lite import widgets
from gru4rec_lite.widgets import _base, tiny_model

JAVASCRIPT = _base.source("_tiny_model.js", "session.js")


def random_cases(n_each: int, seed: int = 0) -> tuple[list[dict], list[tuple]]:
    """What the page is given (of the tiny model and of random ones; empty sessions too), with model and session."""
    models = [tiny_model.load(), *(random_model(seed + s, *kind) for s, kind in enumerate(KINDS))]
    cases, known = [], []
    for s, model in enumerate(models):
        shop = {"items": model.items.astype(str).tolist(), **tiny_model.weights(model)}
        for i, session in enumerate([[], *random_sessions(model, n_each, seed + s)]):
            memory = ("kept", "zero")[i % 2]
            cases.append({"shop": shop, "clicks": list(map(str, session)), "memory": memory})
            known.append((model, session))
    return cases, known


def differs(case: dict, answer: dict, known: tuple) -> str | None:
    """The first thing in which the page's answer differs from `recommend` or from torch, or None."""
    model, session = known
    kept = session if case["memory"] == "kept" else session[-1:]
    kept_before = session[:-1] if case["memory"] == "kept" else session[-2:-1]
    listed = model.recommend(kept, k=len(model.items))
    if len(answer["list"]) != len(listed) or not in_order([row["item"] for row in answer["list"]], listed):
        return "the list is not that of recommend"
    if not np.allclose([row["score"] for row in answer["list"]], listed["score"], atol=1e-4):
        return "scores"
    shares = np.exp(listed["score"] - listed["score"].max())
    if not np.allclose([row["probability"] for row in answer["list"]], shares / shares.sum(), atol=1e-5):
        return "probabilities"
    then = model.recommend(kept_before, k=len(model.items))["ItemId"].astype(str).tolist()
    rose = [then.index(row["item"]) + 1 - row["rank"] if session else 0 for row in answer["list"]]
    if not near_ties_aside([row["rose"] for row in answer["list"]], rose):
        return "places won"
    units = model.layers[0]
    for name, history in (("hidden", kept), ("was", kept_before)):
        state = by_hand(model, history)[-1]["after"] if history else np.zeros(units)
        if not np.allclose(answer[name], state, atol=1e-5):
            return f"{name}: {answer[name]}, torch {state}"
    return None


def test_its_lists_are_those_of_recommend_and_its_states_torchs(tmp_path):
    cases, known = random_cases(8)
    answers = node_compute(cases, JAVASCRIPT, tmp_path)
    assert [d for d in map(differs, cases, answers, known) if d] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(1 - old[u]) * candidate[u]", "(1 + old[u]) * candidate[u]"),
        ('memory === "kept" && steps', 'memory !== "kept" && steps'),
        ("placeThen.get(i) - (place + 1)", "placeThen.get(i) + (place + 1)"),
        ("steps.at(-2)?.after ?? zero)", "steps.at(-1)?.after ?? zero)"),  # compared with itself
        ("scores[b] - scores[a]", "scores[a] - scores[b]"),
        ("p / total", "p * total"),
    ],
)
def test_a_wrong_sign_in_the_javascript_is_caught(tmp_path, right, wrong):
    assert JAVASCRIPT.count(right) == 1
    cases, known = random_cases(4, seed=30)
    answers = node_compute(cases, JAVASCRIPT.replace(right, wrong), tmp_path)
    assert any(map(differs, cases, answers, known))


# ---- the object ------------------------------------------------------------------------------------------------------
def test_it_opens_after_an_example():
    widget = widgets.Session()
    assert widget.clicks == next(iter(tiny_model.EXAMPLES.values()))
    assert widget.memory == "kept"


def test_no_click_yet_is_fine_and_tells_what_the_biases_say():
    text = repr(widgets.Session(clicks=[]))
    best = tiny_model.load().recommend([], k=1)["ItemId"].item()
    assert f"before any click: {best} with" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": 5}, "model=5: must be a trained GRU4Rec"),
        ({"clicks": ["piano"]}, "clicks: 'piano' is not an item of the model"),
        ({"clicks": ["guide-stove"] * 41}, "clicks has 41 clicks: the picture takes 0 to 40"),
        ({"memory": "half"}, "memory='half': must be 'kept' or 'zero'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        widgets.Session(**arguments)


def test_a_later_wrong_click_is_refused_and_changes_nothing():
    widget = widgets.Session(clicks=["guide-tent"])
    with pytest.raises(ValueError, match="piano"):
        widget.clicks = ["guide-tent", "piano"]
    assert widget.clicks == ["guide-tent"]


@pytest.mark.parametrize("memory", ["kept", "zero"])
def test_the_text_form_names_the_first_of_the_list(memory):
    widget = widgets.Session(clicks=["mat-folding-ultralight", "stove-wood-ultralight", "guide-stove"], memory=memory)
    history = widget.clicks if memory == "kept" else widget.clicks[-1:]
    first, second, third = tiny_model.load().recommend(history, k=3)["ItemId"]
    assert f": {first} with" in repr(widget)
    assert f"then {second} and {third}." in repr(widget)
    assert first.endswith("-ultralight") == (memory == "kept")  # after a guide, only the state knows the price line


def test_the_picture_is_drawn_and_moves_with_the_clicks(monkeypatch):
    monkeypatch.setenv("BOOK_POSTERS", "1")
    widget = widgets.Session()
    first, again = (widget._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert first == again
    widget.clicks = []
    assert widget._repr_mimebundle_()[0]["image/png"] != first
