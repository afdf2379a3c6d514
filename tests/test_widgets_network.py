"""The Network widget: its JavaScript under node, against torch's own GRU cell; the tiny model that it opens with."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import in_order
from test_widgets import node_compute

import gru4rec_lite as g4r
from gru4rec_lite import widgets
from gru4rec_lite.widgets import _base, tiny_model

JAVASCRIPT = _base.source("_tiny_model.js", "network.js")
KINDS = [(cell, embedding) for cell in ("gru", "gru-paper") for embedding in ("shared", "separate", "one-hot")]


def random_model(seed: int, cell: str = "gru", embedding: str = "shared", n_items: int = 23, **settings) -> g4r.GRU4Rec:
    """A model that has learned nothing, with large weights and biases, and numbers for item ids."""
    settings = {"layers": (6,), "embedding_size": 4 if embedding == "separate" else None, "device": "cpu", **settings}
    model = g4r.GRU4Rec(cell=cell, embedding=embedding, seed=seed, **settings)
    model.items = pd.Index(range(100, 100 + n_items))
    model._build()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def random_sessions(model: g4r.GRU4Rec, n: int, seed: int) -> list[list]:
    rng = np.random.default_rng(seed)
    return [rng.choice(model.items.to_numpy(), rng.integers(1, 9)).tolist() for _ in range(n)]


def random_cases(n_each: int, seed: int = 0) -> tuple[list[dict], list[tuple]]:
    """What the page is given, and beside each case its model and session."""
    cases, known = [], []
    for s, kind in enumerate(KINDS):
        model = random_model(seed + s, *kind)
        shop = {"items": model.items.astype(str).tolist(), **tiny_model.weights(model)}
        for session in random_sessions(model, n_each, seed + s):
            cases.append({"shop": shop, "clicks": list(map(str, session)), "click": len(session)})
            known.append((model, session))
    return cases, known


def by_hand(model: g4r.GRU4Rec, session: list) -> list[dict[str, np.ndarray]]:
    """Every click's parts, from the equations in float64 NumPy (paper) or torch's own cell (its new state)."""
    p = {name: tensor.double().numpy() for name, tensor in model.network.state_dict().items()}
    w_h, table = p["layers.0.weight_hh"], p.get("item_in", p["item_out"])
    w_x = p.get("layers.0.weight_ih", np.eye(table.shape[1]))  # rows of a one-hot input's table are gate sums already
    units = w_h.shape[1]
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    own = torch.nn.GRUCell(w_x.shape[1], units, dtype=torch.float64)
    h, steps = np.zeros(units), []
    for item in session:
        x = table[model.items.get_loc(item)]
        a = w_x @ x + p["layers.0.bias_ih"]
        if model.cell == "gru":
            bias = p["layers.0.bias_hh"]
            tensors = (w_x, w_h, p["layers.0.bias_ih"], bias)
            own.load_state_dict(dict(zip(own.state_dict(), map(torch.from_numpy, tensors), strict=True)))
            after = own(torch.from_numpy(x)[None], torch.from_numpy(h)[None])[0].detach().numpy()
            b = w_h @ h + bias
            r, z = sigmoid(a + b)[:units], sigmoid(a + b)[units : 2 * units]
            candidate = np.tanh(a[2 * units :] + r * b[2 * units :])
        else:
            b = w_h @ h
            r, z = sigmoid(a + b)[:units], sigmoid(a + b)[units : 2 * units]
            candidate = np.tanh(a[2 * units :] + w_h[2 * units :] @ (r * h))
            after = (1 - z) * h + z * candidate
        scores = p["item_out"] @ after + p["bias_out"][:, 0]
        steps.append({"x": x, "before": h, "r": r, "z": z, "candidate": candidate, "after": after, "scores": scores})
        steps[-1]["probabilities"] = np.exp(scores) / np.exp(scores).sum()
        h = after
    return steps


def differs(case: dict, answer: dict, known: tuple) -> str | None:
    """The first thing in which the page's answer differs from torch or from the model, or None."""
    model, session = known
    for page, hand in zip(answer["steps"], by_hand(model, session), strict=True):
        for name, values in hand.items():
            if not np.allclose(page[name], values, atol=1e-5):
                return f"{name}: {page[name]}, by hand {values}"
    listed = model.recommend(session, k=len(model.items))
    if len(answer["order"]) != len(listed) or not in_order([case["shop"]["items"][i] for i in answer["order"]], listed):
        return f"list: {answer['order']}, recommend {listed}"
    size = tuple(model.network.input_table.shape)
    if answer["lookup"] != {"rows": size[0], "width": size[1], "products": size[0] * size[1]}:
        return f"lookup {answer['lookup']}, table {size}"
    return None


# ---- the arithmetic --------------------------------------------------------------------------------------------------
def test_the_page_computes_torchs_states_and_the_models_lists(tmp_path):
    cases, known = random_cases(8)
    answers = node_compute(cases, JAVASCRIPT, tmp_path)
    assert [d for d in map(differs, cases, answers, known) if d] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(1 - old[u]) * candidate[u]", "(1 + old[u]) * candidate[u]"),
        ("sigmoid(input[b][u] + state[b][u])", "sigmoid(input[b][u] - state[b][u])"),
        ("(paper ? 1 - share : share)", "(paper ? share : 1 - share)"),  # z of the wrong convention
        ("paper ? before.map((h, u) => r[u] * h) : before", "before"),  # the paper's reset forgotten
        ("r[u] * state[2][u]", "state[2][u]"),  # torch's reset forgotten
        ("b * H + u", "((b ^ 1) % 3) * H + u"),  # gate blocks mistaken for one another
        ("+ shop.bias_out[i]", "- shop.bias_out[i]"),
        ("scores[b] - scores[a]", "scores[a] - scores[b]"),
        ("(shop.item_in ?? shop.item_out)[item]", "shop.item_out[item]"),
        ("steps.at(-1)?.after ??", "steps.at(-1)?.before ??"),  # the state of the click before is lost
    ],
)
def test_a_wrong_sign_or_place_in_the_javascript_is_caught(tmp_path, right, wrong):
    assert JAVASCRIPT.count(right) == 1
    cases, known = random_cases(3, seed=20)
    try:
        answers = node_compute(cases, JAVASCRIPT.replace(right, wrong), tmp_path)
        assert any(map(differs, cases, answers, known))
    except (subprocess.CalledProcessError, ValueError, TypeError):
        pass  # vectors of other lengths: seen, too


@pytest.mark.parametrize(("cell", "embedding"), KINDS)
def test_the_still_picture_draws_the_same_parts(cell, embedding):
    model = random_model(3, cell, embedding)
    session = random_sessions(model, 1, seed=5)[0]
    ours = tiny_model.follow(model, [model.items.get_loc(item) for item in session])
    for step, hand in zip(ours, by_hand(model, session), strict=True):
        for name, values in hand.items():
            np.testing.assert_allclose(step[name], values, atol=2e-5, err_msg=name)
    ranked = tiny_model.ranked(model, ours[-1]["after"])
    assert len(ranked) == len(model.items)
    assert in_order([item for item, _ in ranked], model.recommend(session, k=99))
    assert sum(share for _, share in ranked) == pytest.approx(1)


# ---- the tiny model --------------------------------------------------------------------------------------------------
def test_the_tiny_model_comes_along_and_is_small():
    path = Path(tiny_model.__file__).with_name(tiny_model.FILE)
    assert path.stat().st_size <= 100_000
    model = tiny_model.load()
    assert (model.layers, len(model.items), model._device.type) == ((16,), 160, "cpu")
    assert set(model.items) == set(g4r.toyshop.process().items)


def test_its_numbers_are_the_pages():
    """Three digits each: what travels in the page is what Python computes with."""
    model = tiny_model.load()
    shown = tiny_model.weights(model)
    for name, parameter in model.network.state_dict().items():
        values = shown[name.removeprefix("layers.0.")]
        assert torch.equal(torch.tensor(values), parameter.squeeze(1) if name == "bias_out" else parameter)
        assert all(re.fullmatch(r"-?\d\.\d{1,3}", text) for text in re.findall(r"-?[\d.e-]+", json.dumps(values)))
    assert len(json.dumps(shown)) < 40_000


def test_it_has_learned_to_remember():
    """Better than the last click alone, on sessions it has not seen; and below what is possible."""
    clicks = g4r.clicks.prepare(g4r.toyshop.simulate(1500, seed=77), min_session=2, min_support=1, drop_repeats=True)
    test = g4r.evaluate(tiny_model.load(), clicks, cutoffs=(10,))
    train = g4r.clicks.prepare(g4r.toyshop.simulate(30_000, seed=0), min_session=2, min_support=1, drop_repeats=True)
    markov = g4r.evaluate(g4r.baselines.Markov().fit(train), clicks, cutoffs=(10,))
    ceiling = g4r.toyshop.Oracle().ceiling(clicks, (10,))["recall"].item()
    assert markov.recall[10] + 0.02 < test.recall[10] < ceiling


def test_its_examples_are_sessions_that_the_shop_can_make():
    shop = g4r.toyshop.process()
    for name, session in tiny_model.EXAMPLES.items():
        belief = shop.start * shop.emission[:, shop.items.get_loc(session[0])]
        for item in session[1:]:
            belief = (belief @ shop.transition) * shop.emission[:, shop.items.get_loc(item)]
        assert belief.sum() > 0, name


def test_the_stored_weights_are_those_of_the_recipe():
    tool = Path(__file__).parents[1] / "tools/tiny_model.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# ---- the object ------------------------------------------------------------------------------------------------------
def test_it_opens_on_the_last_click_at_its_end():
    widget = widgets.Network()
    assert (widget.clicks, widget.click, widget.stage) == (next(iter(tiny_model.EXAMPLES.values())), 3, 6)


def test_readers_own_model_is_shown_with_sessions_that_follow_its_lists():
    model = random_model(1, "gru-paper")
    widget = widgets.Network(model)
    assert widget.shop["cell"] == "gru-paper"
    (_, session), *others = widget.examples
    assert len(others) == 2
    assert session[0] == str(model.recommend([], k=1)["ItemId"].item())
    assert widget.clicks == session
    assert widgets.Network(model, clicks=[103, 101]).clicks == ["103", "101"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": (5, 6)}, "layers=(5, 6): the picture takes one layer"),
        ({"layers": (33,)}, "layers=(33,): the picture takes at most 32 units"),
        ({"cell": "lstm"}, "cell='lstm': the picture takes 'gru' or 'gru-paper'"),
        ({"loss": "bpr-max"}, "loss='bpr-max' with output 'elu'"),
        ({"output": "tanh"}, "loss='cross-entropy' with output 'tanh'"),
        ({"n_items": 257}, "model has 257 items: the picture takes at most 256"),
        ({"embedding": "separate", "embedding_size": 97}, "embedding_size=97: the picture takes at most 96"),
    ],
)
@pytest.mark.parametrize("widget", ["Network", "Session"])
def test_a_model_that_cannot_be_shown_is_refused_by_name(widget, settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(widgets, widget)(random_model(0, **settings))


def test_weights_that_are_not_numbers_and_names_alike_are_refused():
    model = random_model(0)
    with torch.no_grad():
        model.network.bias_out[3] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        widgets.Network(model)
    model = random_model(0, n_items=2)
    model.items = pd.Index([1, "1"], dtype=object)
    with pytest.raises(ValueError, match="the same name as text"):
        widgets.Network(model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "gru"}, "model='gru': must be a trained GRU4Rec"),
        ({"model": g4r.GRU4Rec()}, "has not learned anything yet"),
        ({"clicks": "guide-stove"}, "clicks='guide-stove': must be a list of the model's items"),
        ({"clicks": 3}, "clicks=3: must be a list"),
        ({"clicks": ["guide-stove", "piano"]}, "clicks: 'piano' is not an item of the model"),
        ({"clicks": []}, "clicks has 0 clicks: the picture takes 1 to 8"),
        ({"clicks": ["guide-stove"] * 9}, "clicks has 9 clicks: the picture takes 1 to 8"),
        ({"click": 0}, "click=0: must be a whole number from 1 to 8"),
        ({"stage": 7}, "stage=7: must be a whole number from 1 to 6"),
        ({"stage": "gates"}, "stage='gates'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        widgets.Network(**arguments)


def test_the_text_form_tells_click_stage_and_list():
    text = repr(widgets.Network())
    assert text == repr(widgets.Network())
    best = tiny_model.load().recommend(tiny_model.EXAMPLES["a budget camper"], k=1)["ItemId"].item()
    assert "Click 3 of 3, guide-stove" in text
    assert f"at stage 6 of 6, scores. At the end {best} is first with" in text


def test_the_picture_is_drawn_and_moves_with_the_stage(monkeypatch):
    monkeypatch.setenv("BOOK_POSTERS", "1")
    widget = widgets.Network()
    first, again = (widget._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert base64.b64decode(first).startswith(b"\x89PNG")
    assert first == again
    widget.stage = 3
    assert widget._repr_mimebundle_()[0]["image/png"] != first


@pytest.mark.parametrize("name", ["Network", "Session"])
def test_a_saved_page_holds_all_that_the_widget_draws_from(name):
    state = getattr(widgets, name)().get_state()
    own = name.lower()
    assert state["_esm"] == _base.source("_tiny_model.js", f"{own}.js")
    assert state["_css"] == _base.source("_tiny_model.css", f"{own}.css")
    json.dumps({key: state[key] for key in ("shop", "examples", "clicks")})
    assert not re.search(r"^\s*import\b|\bimport\(|\bfetch\(", state["_esm"], re.MULTILINE)
    assert set(re.findall(r"\bmodel\.(\w+)", state["_esm"])) <= {"get", "set", "save_changes", "on", "off"}
    assert len((Path(_base.__file__).parent / f"{own}.js").read_bytes()) < 20_500
