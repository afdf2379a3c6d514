"""The Gates widget where readers meet it: in the static page of chapter 04, moved by real keys and by a pointer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from in_page import COMPUTE, CONTROLS, NAME, first_widget, press

from gru4rec_lite import cells
from gru4rec_lite.widgets.gates import GATES, SESSION, WEIGHTS

PAGE = "04_gates.html"
SLIDERS = {"r": "reset gate r", "z": "update gate z", "i": "input gate i", "f": "forget gate f", "o": "output gate o"}
COLUMNS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # of a row [W, U, b, d]


@pytest.fixture
def widget(page):
    """The first Gates widget of the chapter, at rest, without motion."""
    page.emulate_media(reduced_motion="reduce")
    return first_widget(page, PAGE, "gates")


def slider(widget, name: str):
    return widget.get_by_role("slider", name=name, exact=True)


def slide(widget, name: str, steps: int) -> None:
    """By keyboard only: to the left end, then so many steps to the right."""
    slider(widget, name).focus()
    press(widget.page, "Home", *["ArrowRight"] * steps)


def push(widget, name: str, times: int = 1) -> None:
    widget.get_by_role("button", name=name).focus()
    press(widget.page, *["Enter"] * times)


def choose(widget, label: str, option: str) -> None:
    widget.get_by_label(label, exact=True).select_option(option)


def go(widget, click: int) -> None:
    push(widget, "Reset")
    push(widget, "Step", click - 1)


def click(widget) -> int:
    return int(widget.get_attribute("data-step"))


def numbers(widget, selector: str) -> list[float]:
    texts = widget.locator(selector).all_text_contents()
    return [float(text.strip("×()").replace("−", "-").replace("–", "nan")) for text in texts]


def by_package(cell: str, xs: list[float], held: dict[str, list[float | None]] | None = None, U: float | None = None):
    """States ``(T, S)``, gradients of the last h at the states ``(T, S)`` and at x ``(T,)``, factors ``(T,)``.

    Where gates are held the package's cell gets their weights made anew: W = U = 0 and a bias that makes the value.
    """
    rows = torch.tensor(WEIGHTS[cell], dtype=torch.float64)
    if U is not None:
        rows[0 if cell == "rnn" else 2, 1] = U
    inputs = [torch.tensor([[x]], dtype=torch.float64, requires_grad=True) for x in xs]
    unit = cells.CELLS[cell](1, 1).double()
    states = [unit.zeros(1).requires_grad_()]
    for k, x in enumerate(inputs):
        own = rows.clone()
        for name, row in GATES[cell].items():
            if held and name in held and held[name][k] is not None:
                own[row] = 0
                own[row, 2] = torch.tensor(held[name][k], dtype=torch.float64).logit()
        unit = cells.CELLS[cell](1, 1).double()
        with torch.no_grad():
            for column, values in zip(COLUMNS, own.T, strict=False):
                getattr(unit, column).copy_(values.view_as(getattr(unit, column)))
        states.append(unit(x, states[-1]))
    grads = torch.autograd.grad(states[-1][0, 0, 0], states[1:] + inputs, retain_graph=True)
    n = len(xs)
    last = states[1].shape[1] - 1
    factors = [
        torch.autograd.grad(states[k + 1][0, last, 0], states[k], retain_graph=True)[0][0, last, 0] for k in range(n)
    ]
    flat = lambda many: torch.stack(list(many))[:, 0, :, 0].detach().numpy()  # noqa: E731
    return flat(states[1:]), flat(grads[:n]), np.array([g.item() for g in grads[n:]]), np.array(factors)


def near(expected):
    """As near as two digits, or as three of a small gradient, can tell."""
    return pytest.approx(np.array(expected).tolist(), abs=0.0051, rel=0.006, nan_ok=True)


def agrees(widget, cell: str, xs: list[float], **settings) -> None:
    """Every number of the pictures and of the equation against the package and torch's gradient."""
    now = click(widget)
    states, reach, at_x, factors = by_package(cell, xs[:now], **settings)
    for k, name in enumerate("hc"[: states.shape[1]]):
        assert numbers(widget, f'[data-after="{name}"]') == near(states[:, k])
    assert numbers(widget, '[data-arrives="h"]') == near(reach[:, 0])
    assert numbers(widget, '[data-arrives="x"]') == near(at_x)
    assert numbers(widget, "[data-factor]") == near(factors[1:])
    if cell == "lstm":
        assert numbers(widget, '[data-arrives="c"]')[:-1] == near(reach[:-1, 1])
    other = "gru-paper" if cell == "rnn" else "rnn"
    beside = by_package(other, xs[:now], **settings)[1][:, 0]
    rings = [ring.get_attribute("data-other") for ring in widget.locator("[data-other]").all()]
    assert [float(text.replace("−", "-")) for text in rings] == near(beside)
    (shown,) = numbers(widget, 'span[data-number="factor"]')
    assert shown == near(factors[-1])
    if cell != "rnn":
        kept, fresh = (numbers(widget, f'em[data-number="{part}"]')[0] for part in ("kept", "fresh"))
        assert kept + fresh == pytest.approx(states[-1, -1], abs=0.011)
    name = "c after " if cell == "lstm" else ""
    if now > 1:
        said = widget.get_by_role("status").inner_text().split("gradient of 1 at this h, ")[1].split(" reaches ")
        assert float(said[0].replace("−", "-")) == near(reach[0, -1])
        assert said[1] == f"{name}click 1."


XS = [x for _, x in SESSION]


# ---- the numbers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cell", list(WEIGHTS))
def test_stepped_by_keys_it_shows_what_the_package_and_torch_compute(widget, cell):
    choose(widget, "Cell", cell)
    go(widget, 1)
    for now in range(1, 9):
        assert click(widget) == now
        agrees(widget, cell, XS)
        push(widget, "Step")
    assert click(widget) == 8  # nothing is after the last


@pytest.mark.parametrize("cell", list(WEIGHTS))
def test_x_and_u_moved_by_keys(widget, cell):
    choose(widget, "Cell", cell)
    slider(widget, "x of this click").focus()
    press(widget.page, "End", "ArrowLeft", "ArrowLeft")
    xs = [*XS[:5], 0.8, *XS[6:]]
    assert widget.get_by_label("Clicks", exact=True).input_value() == "own"
    agrees(widget, cell, xs)
    slide(widget, "weight U of h", 37)  # from −2 by tenths
    agrees(widget, cell, xs, U=1.7)


@pytest.mark.parametrize(("cell", "gate"), [(cell, gate) for cell, gates in GATES.items() for gate in gates])
def test_a_gate_held_by_keys_at_every_click_and_at_one(widget, cell, gate):
    choose(widget, "Cell", cell)
    slide(widget, SLIDERS[gate], 6)
    held = {gate: [0.3] * 8}
    agrees(widget, cell, XS, held=held)
    assert slider(widget, SLIDERS[gate]).get_attribute("aria-valuetext") == "0.30, held"
    choose(widget, "Sliders set", "one")
    slide(widget, SLIDERS[gate], 18)
    held[gate][5] = 0.9
    agrees(widget, cell, XS, held=held)
    push(widget, "Step")
    agrees(widget, cell, XS, held=held)
    marks = widget.locator(f'[data-gate="{gate}"]').evaluate_all("(all) => all.map((g) => g.dataset.held)")
    assert marks == ["true"] * 7
    push(widget, "Let the cell decide")
    agrees(widget, cell, XS)
    assert "held" not in slider(widget, SLIDERS[gate]).get_attribute("aria-valuetext")


@pytest.mark.parametrize(("cell", "key", "value"), [("gru-paper", "Home", 0.0), ("gru", "End", 1.0)])
def test_a_nearly_shut_gate_can_be_shut(widget, cell, key, value):
    """The cell's z of 0.02 stands at the slider's end already: the browser sees no move, the widget does."""
    choose(widget, "Cell", cell)
    slider(widget, "update gate z").focus()
    press(widget.page, key)
    assert slider(widget, "update gate z").get_attribute("aria-valuetext") == f"{value:.2f}, held"
    agrees(widget, cell, XS, held={"z": [value] * 8})
    assert numbers(widget, '[data-arrives="h"]') == [1] * 6  # all of the gradient passes


@pytest.mark.parametrize("preset", ["mixed", "fade", "silent", "turns"])
def test_ready_made_sessions(widget, preset):
    choose(widget, "Clicks", preset)
    choose(widget, "Cell", "rnn")
    xs = {"mixed": XS, "fade": [1, *[0] * 7], "silent": [0] * 8, "turns": [1, -1] * 4}[preset]
    agrees(widget, "rnn", xs)
    if preset == "silent":  # h stays 0 and each factor is U itself: it explodes
        slide(widget, "weight U of h", 35)
        agrees(widget, "rnn", xs, U=1.5)
        assert numbers(widget, '[data-arrives="h"]')[0] == pytest.approx(1.5**5, rel=0.006)


def differences(page, source: str) -> int:
    """Sessions of random x for which the source differs, in the browser, from the package's cells and torch."""
    rng = np.random.default_rng(0)
    cases = []
    for k in range(40):
        clicks = [[f"i{j}", float(x)] for j, x in enumerate(rng.normal(0, 1, 6))]
        cases.append({"clicks": clicks, "cell": list(WEIGHTS)[k % 4], "weights": WEIGHTS, "held": {}, "step": 6})
    wrong = 0
    for case, answer in zip(cases, page.evaluate(COMPUTE, [source, cases]), strict=True):
        states, reach, at_x, _ = by_package(case["cell"], [x for _, x in case["clicks"]])
        wrong += not (
            np.allclose([s["after"] for s in answer["steps"]], states)
            and np.allclose([r["state"] for r in answer["reach"]], reach)
            and np.allclose([r["x"] for r in answer["reach"]], at_x)
        )
    return wrong


# ---- controls and words ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cell", list(WEIGHTS))
def test_a_cell_has_sliders_for_its_own_gates(widget, cell):
    choose(widget, "Cell", cell)
    names = [c.evaluate(NAME) for c in widget.locator(CONTROLS).all() if c.is_visible()]
    gates = [SLIDERS[gate] for gate in GATES[cell]]
    assert names[4:] == ["Cell", "Clicks", "x of this click", *gates, "weight U of h"] + (
        ["Sliders set", "Let the cell decide"] if gates else []
    )


def test_nothing_is_held_and_nothing_is_before_the_first_click(widget):
    push(widget, "Reset")
    assert widget.get_by_role("button", name="Let the cell decide").get_attribute("aria-disabled") == "true"
    assert "There is no earlier click to reach back to." in widget.get_by_role("status").inner_text()


def test_a_click_is_chosen_by_pointer_and_a_gate_is_held_by_it(widget):
    widget.locator('[data-click="3"] .g4r-hit').click(position={"x": 10, "y": 10})
    assert click(widget) == 3
    agrees(widget, "gru-paper", XS)
    z = slider(widget, "update gate z")
    box = z.bounding_box()
    z.click(position={"x": box["width"] - 2, "y": box["height"] / 2})
    assert z.get_attribute("aria-valuetext") == "1.00, held"
    agrees(widget, "gru-paper", XS, held={"z": [1.0] * 8})


def test_the_term_that_a_control_touches_is_marked(widget):
    marked = lambda: set(  # noqa: E731
        widget.locator(".g4r-equation b.g4r-on").evaluate_all("(all) => all.map((b) => b.dataset.term)")
    )
    assert marked() == {"h"}
    slide(widget, "update gate z", 4)
    assert marked() == {"z"}
    slide(widget, "reset gate r", 4)
    assert marked() == {"candidate"}
    push(widget, "Step")
    assert marked() == {"h"}


def test_the_status_says_in_words_what_happens(widget):
    assert widget.get_by_role("status").inner_text() == (
        "Click 6 of 8: lamp, x = −0.4. The update gate keeps 98 % of h and lets 2 % of ĥ in: h goes from 0.65 to 0.63. "
        "Of a gradient of 1 at this h, 0.75 reaches click 1."
    )


def test_readers_own_session_is_drawn(page):
    """Twelve clicks with long names and large x, weights beyond the sliders' ends."""
    weights = WEIGHTS | {"lstm": [list(row) for row in WEIGHTS["lstm"]]}
    weights["lstm"][2][1] = 3.456
    clicks = [[f"a long name {k}", -2.75 if k % 2 else 3] for k in range(12)]
    state = {"clicks": clicks, "cell": "lstm", "weights": weights, "held": {"f": [0.123] * 12}, "step": 99}
    widget = first_widget(page, PAGE, "gates", **state)
    told = widget.locator("input").evaluate_all("(all) => all.map((input) => input.ariaValueText)")
    assert {"−2.75", "0.12, held", "3.46"} <= set(told)
    assert widget.locator("[data-reach]").count() == click(widget) == 12
