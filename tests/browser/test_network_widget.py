"""The Network widget where readers meet it: in the static page of chapter 05, moved by real keys."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from in_page import COMPUTE, first_widget, press

from gru4rec_lite.widgets import tiny_model

PAGE = "05_network.html"
STAGES = ["one-hot", "embedding", "gates", "candidate", "new state", "scores"]
EXAMPLES = list(tiny_model.EXAMPLES.values())
SHOWN = {"x": 2, "before": 2, "r": 3, "z": 3, "candidate": 4, "after": 5}  # vector -> the stage that fills it


@pytest.fixture(scope="module")
def model():
    return tiny_model.load()


@pytest.fixture
def widget(page):
    """The first Network widget of the chapter, without motion."""
    page.emulate_media(reduced_motion="reduce")
    return first_widget(page, PAGE, "network")


def push(widget, name: str) -> None:
    widget.get_by_role("button", name=name, exact=True).focus()
    press(widget.page, "Enter")


def vector(widget, name: str) -> list[float]:
    """The numbers that the first row of bars of this name draws; none while it is empty."""
    bars = widget.locator(f'[data-vector="{name}"]').first.locator("rect[data-v]")
    return [float(v) for v in bars.evaluate_all("(all) => all.map((bar) => bar.dataset.v)")]


def listed(widget) -> list[str]:
    return widget.locator(".g4r-top button").evaluate_all("(all) => all.map((b) => b.dataset.item)")


def clicks(widget) -> list[str]:
    return widget.locator(".g4r-clicks button").all_inner_texts()


def result(widget, name: str) -> float:
    """What stands behind the last = of a line of the equations."""
    text = widget.locator(f'[data-value="{name}"]').inner_text()
    return float(text.split("=")[-1].replace("−", "-").replace("%", ""))


def torch_parts(model, session: list[str]) -> dict[str, np.ndarray]:
    """The last click's x, state before and after by torch's own cell; gates and candidate from the equations."""
    net = model.network
    layer, units = net.layers[0], model.layers[0]
    cell = torch.nn.GRUCell(net.item_out.shape[1], units)
    cell.load_state_dict({name: getattr(layer, name) for name in cell.state_dict()})
    after = torch.zeros(1, units)
    with torch.no_grad():
        for item in session:
            x, before = net.item_out[[model.items.get_loc(item)]], after
            after = cell(x, before)
        a, b = x @ cell.weight_ih.T + cell.bias_ih, before @ cell.weight_hh.T + cell.bias_hh
        r, z = (a + b)[:, :units].sigmoid(), (a + b)[:, units : 2 * units].sigmoid()
        candidate = (a[:, 2 * units :] + r * b[:, 2 * units :]).tanh()
    parts = {"x": x, "before": before, "r": r, "z": z, "candidate": candidate, "after": after}
    return {name: part[0].numpy() for name, part in parts.items()}


def check(widget, model) -> None:
    """Everything that the widget shows of its click at its stage, against torch and `recommend`."""
    click, stage = (int(widget.get_attribute(f"data-{name}")) for name in ("click", "stage"))
    session = clicks(widget)[:click]
    for name, values in torch_parts(model, session).items():
        seen = vector(widget, name)
        if stage < SHOWN[name]:
            assert seen == [], (name, stage)
        else:
            np.testing.assert_allclose(seen, values, atol=2e-4, err_msg=name)
    if stage == 6:
        top, scores = listed(widget), model.recommend(session, k=len(model.items)).set_index("ItemId")["score"]
        assert len(set(top)) == 8
        assert (np.diff([*scores[top], scores.drop(top).max()]) < 1e-5).all()  # in order, near ties either way
    else:
        assert set(listed(widget)) == {""}
    lit = widget.locator("section").nth(1).locator(".g4r-lit")
    assert [int(n) for n in lit.evaluate_all("(all) => all.map((c) => c.dataset.cell)")] == [
        model.items.get_loc(session[-1])
    ]


# ---- the numbers -----------------------------------------------------------------------------------------------------
def test_every_stage_of_every_click_shows_torchs_numbers(widget, model):
    check(widget, model)  # as it opens
    push(widget, "Reset")
    seen = []
    while True:
        check(widget, model)
        seen.append((int(widget.get_attribute("data-click")), int(widget.get_attribute("data-stage"))))
        if widget.get_by_role("button", name="Step", exact=True).get_attribute("aria-disabled") == "true":
            break
        push(widget, "Step")
    assert seen == [(c, s) for c in (1, 2, 3) for s in range(1, 7)]
    push(widget, "Back")
    assert widget.get_attribute("data-stage") == "5"


@pytest.mark.parametrize("seed", range(3))
def test_any_session_of_the_readers_shows_torchs_numbers(widget, model, seed):
    rng = np.random.default_rng(seed)
    widget.get_by_label("Session", exact=True).select_option(str(seed % len(EXAMPLES)))
    session = clicks(widget)
    for place in range(len(session)):
        widget.locator(".g4r-clicks button").nth(place).focus()
        press(widget.page, "Enter")
        wish = str(rng.choice(model.items))
        widget.get_by_label("Clicked item").select_option(wish)
        session[place] = wish
        assert clicks(widget) == session
        check(widget, model)
    assert widget.get_by_label("Session", exact=True).input_value() == "own"


def test_the_equations_of_each_unit_carry_its_numbers(widget, model):
    slider, parts = widget.get_by_role("slider", name="Unit"), torch_parts(model, EXAMPLES[0])
    slider.press("Home")
    for unit in range(model.layers[0]):
        lines = {"r": "r", "z": "z", "ĥ": "candidate", "h′": "after"}
        assert {line: result(widget, line) for line in lines} == pytest.approx(
            {line: parts[name][unit] for line, name in lines.items()}, abs=0.0051
        )
        slider.press("ArrowRight")


def test_a_score_is_the_sum_of_its_products_and_the_bias(widget, model):
    best = model.recommend(EXAMPLES[0], k=8)
    state, net = torch_parts(model, EXAMPLES[0])["after"], model.network
    for place in (0, 3, 7):
        row = widget.locator(".g4r-top button").nth(place)
        row.focus()
        press(widget.page, "Enter")
        assert row.get_attribute("aria-pressed") == "true"
        number = model.items.get_loc(best["ItemId"][place])
        np.testing.assert_allclose(vector(widget, "product"), state * net.item_out[number].detach().numpy(), atol=2e-4)
        assert result(widget, "s") == pytest.approx(best["score"][place], abs=0.0051)
        shares = net.score_all(torch.from_numpy(state)[None]).softmax(1)[0]
        assert result(widget, "p") == pytest.approx(100 * shares[number].item(), abs=0.051)


def test_the_first_click_finds_an_empty_state(widget):
    push(widget, "Reset")
    push(widget, "Step")
    assert vector(widget, "before") == [0.0] * 16
    push(widget, "Step")
    assert "This is the first click: h is zero." in widget.get_by_role("status").inner_text()


def differences(page, source: str) -> int:
    """How many of the examples the given JavaScript answers otherwise than torch."""
    model = tiny_model.load()
    shop = {"items": model.items.tolist(), **tiny_model.weights(model)}
    cases = [{"shop": shop, "clicks": clicks, "click": len(clicks)} for clicks in EXAMPLES]
    answers = page.evaluate(COMPUTE, [source, cases])
    wrong = 0
    for clicks, answer in zip(EXAMPLES, answers, strict=True):
        parts = torch_parts(model, clicks)
        wrong += not all(np.allclose(answer[name], part, atol=1e-5) for name, part in parts.items())
    return wrong


# ---- controls and words ----------------------------------------------------------------------------------------------
def test_keys_choose_items(widget):
    widget.get_by_label("Clicked item").focus()
    press(widget.page, "ArrowDown")
    assert clicks(widget)[2] != EXAMPLES[0][2]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_part_that_a_step_computes_is_in_view_and_so_are_the_buttons(widget, width):
    widget.page.set_viewport_size({"width": width, "height": 844})
    push(widget, "Reset")
    for _ in STAGES:
        buttons = widget.get_by_role("button", name="Step", exact=True).bounding_box()
        heading = widget.locator(".g4r-part.g4r-on .g4r-title").first.bounding_box()
        below = widget.locator(".g4r-steps").bounding_box()
        assert 0 <= buttons["y"] < 844
        assert below["y"] + below["height"] <= heading["y"] + 1 < 844
        push(widget, "Step")


def test_the_status_says_each_stage_in_words_and_the_part_is_marked(widget):
    push(widget, "Reset")
    told, marked = [], []
    for _ in STAGES:
        told.append(widget.get_by_role("status").inner_text())
        marked.append(widget.locator(".g4r-part.g4r-on .g4r-title").first.inner_text()[0])
        push(widget, "Step")
    assert [text.split(": ")[1].split(".")[0] for text in told] == STAGES
    assert marked == list("123336")
