"""The Session widget where readers meet it: in the static page of chapter 05, moved by real keys."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from in_page import COMPUTE, first_widget, press

from gru4rec_lite.widgets import tiny_model

PAGE = "05_network.html"
EXAMPLES = list(tiny_model.EXAMPLES.values())


@pytest.fixture(scope="module")
def model():
    return tiny_model.load()


@pytest.fixture
def widget(page):
    """The first Session widget of the chapter, at rest, without motion."""
    page.emulate_media(reduced_motion="reduce")
    return first_widget(page, PAGE, "session")


def push(widget, name: str) -> None:
    widget.get_by_role("button", name=name, exact=True).focus()
    press(widget.page, "Enter")


def find_and_click(widget, item: str) -> None:
    """By keyboard only: type the name, go to the item's button, press it."""
    field = widget.get_by_label("Find an item")
    field.focus()
    press(widget.page, "ControlOrMeta+a")
    widget.page.keyboard.type(item)
    press(widget.page, "Tab", "Enter")


def clicked(widget) -> list[str]:
    return [line.get_attribute("data-item") for line in widget.locator(".g4r-history li[data-item]").all()]


def listed(widget) -> list[str]:
    return widget.locator(".g4r-top button").evaluate_all("(all) => all.map((b) => b.dataset.item)")


def check(widget, model, session: list[str], before: list[str]) -> None:
    """History, list, probabilities, movement and state that the page shows, against `recommend` and torch's cell."""
    expected = model.recommend(session, k=len(model.items))
    shares = np.exp(expected["score"] - expected["score"].max())
    shares = (100 * shares / shares.sum())[:10]
    top, scores = listed(widget), expected.set_index("ItemId")["score"]
    assert len(set(top)) == 10
    assert (np.diff([*scores[top], scores.drop(top).max()]) < 1e-5).all()  # in order, near ties either way
    told = [float(text.rstrip(" %")) for text in widget.locator(".g4r-top em").all_inner_texts()]
    assert told == pytest.approx(shares.tolist(), abs=0.051)
    if clicked(widget):
        then = model.recommend(before, k=len(model.items))["ItemId"].tolist()
        rose = widget.locator(".g4r-moved").evaluate_all("(all) => all.map((m) => Number(m.dataset.rose))")
        moved = np.abs(np.subtract(rose, [then.index(item) - place for place, item in enumerate(top)]))
        assert moved.max() <= 1  # by such a tie
        assert moved.sum() <= 2
    bars = widget.locator('[data-vector="h"] rect[data-v]').evaluate_all("(all) => all.map((b) => Number(b.dataset.v))")
    np.testing.assert_allclose(bars, torch_state(model, session), atol=2e-4)


def torch_state(model, session: list[str]) -> np.ndarray:
    net = model.network
    cell = torch.nn.GRUCell(net.item_out.shape[1], model.layers[0])
    cell.load_state_dict({name: getattr(net.layers[0], name) for name in cell.state_dict()})
    state = torch.zeros(1, model.layers[0])
    with torch.no_grad():
        for item in session:
            state = cell(net.item_out[[model.items.get_loc(item)]], state)
    return state[0].numpy()


# ---- the numbers -----------------------------------------------------------------------------------------------------
def test_it_opens_after_an_example(widget, model):
    assert clicked(widget) == EXAMPLES[0]
    check(widget, model, EXAMPLES[0], EXAMPLES[0][:-1])


@pytest.mark.parametrize("seed", range(2))
def test_each_click_shows_what_recommend_lists(widget, model, seed):
    rng = np.random.default_rng(seed)
    push(widget, "Reset")
    check(widget, model, [], [])
    session: list[str] = []
    for n in range(6):
        if n % 2:  # an item of the list
            place = int(rng.integers(10))
            item = listed(widget)[place]
            widget.locator(".g4r-top button").nth(place).focus()
            press(widget.page, "Enter")
        else:
            item = str(rng.choice(model.items))
            find_and_click(widget, item)
        session.append(item)
        assert clicked(widget) == session
        check(widget, model, session, session[:-1])
    widget.get_by_label("State", exact=True).select_option("zero")
    check(widget, model, session[-1:], session[-2:-1])
    widget.get_by_label("State", exact=True).select_option("kept")
    push(widget, "Undo")
    assert clicked(widget) == session[:-1]
    check(widget, model, session[:-1], session[:-2])


def test_examples_are_stepped_and_left(widget, model):
    step = widget.get_by_role("button", name="Step", exact=True)
    for number, script in enumerate(EXAMPLES):
        widget.get_by_label("Example").select_option(str(number))
        assert clicked(widget) == script
        assert step.get_attribute("aria-disabled") == "true"
        push(widget, "Reset")
        for n in range(1, len(script) + 1):
            push(widget, "Step")
            assert clicked(widget) == script[:n]
            check(widget, model, script[:n], script[: n - 1])
    push(widget, "Undo")
    find_and_click(widget, "guide-tent")
    assert widget.get_by_label("Example").input_value() == "own"
    assert step.get_attribute("aria-disabled") == "true"


def test_the_state_remembers_the_price_line(widget):
    """What the chapter tells: after a guide, only the state knows whose list it is."""
    lines = lambda: [item.rsplit("-", 1)[1] for item in listed(widget)[:5]]  # noqa: E731
    for number, line in ((0, "budget"), (1, "ultralight")):
        widget.get_by_label("Example").select_option(str(number))
        assert lines() == [line] * 5
    widget.get_by_label("State", exact=True).select_option("zero")
    assert len(set(lines())) > 1


def differences(page, source: str) -> int:
    """How many of the examples, cut after each click, the given JavaScript answers otherwise than torch's cell."""
    model = tiny_model.load()
    shop = {"items": model.items.tolist(), **tiny_model.weights(model)}
    sessions = [script[:n] for script in EXAMPLES for n in range(len(script) + 1)]
    answers = page.evaluate(COMPUTE, [source, [{"shop": shop, "clicks": s, "memory": "kept"} for s in sessions]])
    pairs = zip(sessions, answers, strict=True)
    return sum(not np.allclose(answer["hidden"], torch_state(model, s), atol=1e-5) for s, answer in pairs)


# ---- controls and words ----------------------------------------------------------------------------------------------
def test_the_search_shows_what_has_every_word(widget, model):
    field, shelf = widget.get_by_label("Find an item"), widget.locator(".g4r-shelf")
    field.focus()
    widget.page.keyboard.type("ultra Tent")
    found = shelf.locator("button").all_inner_texts()
    assert found == [item for item in model.items if "tent" in item and "ultra" in item]
    press(widget.page, "ControlOrMeta+a")
    widget.page.keyboard.type("budget")
    every = sum("budget" in item for item in model.items)
    assert shelf.locator("button").count() == 8
    assert f"and {every - 8} more" in shelf.inner_text()
    press(widget.page, "ControlOrMeta+a")
    widget.page.keyboard.type("piano")
    assert "No item has this in its name." in widget.locator(".g4r-error").inner_text()
    assert field.get_attribute("aria-invalid") == "true"


def test_a_pressed_row_keeps_the_focus_and_tells_how_it_moved(widget):
    widget.locator(".g4r-top button").nth(2).focus()
    press(widget.page, "Enter", "Enter")
    assert len(clicked(widget)) == len(EXAMPLES[0]) + 2
    label = widget.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("3: ")
    assert "place" in label


def test_the_status_says_what_the_click_did(widget, model):
    push(widget, "Reset")
    first = model.recommend([], k=1)["ItemId"].item()
    assert widget.get_by_role("status").inner_text().startswith("No click yet: the state is zero")
    assert f"{first} is first with" in widget.get_by_role("status").inner_text()
    find_and_click(widget, "guide-mat")
    change = torch_state(model, ["guide-mat"])
    unit = int(np.abs(change).argmax())
    told = widget.get_by_role("status").inner_text().replace("−", "-")
    assert told.startswith("Click 1: guide-mat.")
    assert f"Unit {unit + 1} of the state changed most, from 0.00 to {change[unit]:.2f}" in told


def test_forty_clicks_are_all_that_fit(widget):
    push(widget, "Reset")
    widget.locator(".g4r-top button").first.focus()
    press(widget.page, *["Enter"] * 42)
    assert len(clicked(widget)) == 40
    assert "40 clicks are all that fit here." in widget.get_by_role("status").inner_text()
