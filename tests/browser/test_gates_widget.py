"""The Gates widget where readers meet it: in the static page of chapter 04, moved by real keys and by a pointer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from in_page import COMPUTE, axe_is_silent, first_widget, fits_a_phone_and_fingers, press, theme

from gru4rec_lite import cells
from gru4rec_lite.widgets import _base
from gru4rec_lite.widgets.gates import GATES, SESSION, WEIGHTS

PAGE = "04_gates.html"
SOURCE = _base.source("_gates_math.js", "gates.js")
SLIDERS = {"r": "reset gate r", "z": "update gate z", "i": "input gate i", "f": "forget gate f", "o": "output gate o"}
COLUMNS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # of a row [W, U, b, d]


@pytest.fixture
def widget(page):
    """The first Gates widget of the chapter, at rest, without motion."""
    page.emulate_media(reduced_motion="reduce")
    return opened(page)


def opened(page):
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


def wrong_in_browser(page, source: str) -> int:
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


def test_the_browser_computes_what_the_package_does(widget):
    assert wrong_in_browser(widget.page, SOURCE) == 0


@pytest.mark.parametrize(
    ("right", "wrong"), [("bend = 1 - after * after", "bend = 1 + after * after"), ("paper ? 1 : -1", "paper ? 1 : 1")]
)
def test_one_flipped_sign_is_seen(widget, right, wrong):
    assert SOURCE.count(right) == 1
    assert wrong_in_browser(widget.page, SOURCE.replace(right, wrong)) > 0


# ---- controls and words ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cell", list(WEIGHTS))
def test_the_keyboard_reaches_every_control_in_order(widget, cell):
    page = widget.page
    choose(widget, "Cell", cell)
    gates = [SLIDERS[gate] for gate in GATES[cell]]
    expected = ["Back", "Step", "Play", "Reset", "Cell", "Clicks", "x of this click", *gates, "weight U of h"]
    expected += ["Sliders set", "Let the cell decide"] if gates else []
    widget.get_by_role("button", name="Back").focus()
    names = []
    for _ in expected:
        names.append(page.evaluate("((e) => (e.labels?.[0] ?? e).textContent)(document.activeElement)"))
        press(page, "Tab")
    assert names == expected
    controls = widget.locator("button, input, select")
    assert set(controls.evaluate_all("(all) => all.map((c) => c.dataset.lmSuppressShortcuts)")) == {"true"}


def test_play_goes_to_the_end_and_starts_anew(page):
    page.clock.install()
    widget = opened(page)
    play = widget.locator(".g4r-main")
    play.focus()
    press(page, "Enter")
    assert (play.inner_text(), click(widget)) == ("Pause", 7)
    assert widget.get_by_role("status").get_attribute("aria-live") == "off"
    page.clock.run_for(1150)
    assert (play.inner_text(), click(widget)) == ("Play", 8)
    press(page, "Enter")
    assert (play.inner_text(), click(widget)) == ("Pause", 1)
    push(widget, "Step")  # a step by hand ends the play
    page.clock.run_for(3000)
    assert (play.inner_text(), click(widget)) == ("Play", 2)
    push(widget, "Back")
    assert click(widget) == 1
    for name in ("Back", "Let the cell decide"):
        assert widget.get_by_role("button", name=name).get_attribute("aria-disabled") == "true"
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


# ---- looks -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("cell", ["gru-paper", "lstm", "rnn"])
def test_axe_finds_nothing_in_the_widget(widget, scheme, cell):
    theme(widget, scheme)
    choose(widget, "Cell", cell)
    if cell == "lstm":
        slide(widget, SLIDERS["f"], 20)
    axe_is_silent(widget.page, ".g4r-gates")


@pytest.mark.parametrize("cell", list(WEIGHTS))
def test_it_fits_a_phone_and_fingers(widget, cell):
    page = widget.page
    page.set_viewport_size({"width": 390, "height": 844})
    choose(widget, "Cell", cell)
    for gate in GATES[cell]:
        slide(widget, SLIDERS[gate], 20)
    slide(widget, "x of this click", 3)
    page.wait_for_timeout(200)
    frame = widget.bounding_box()
    for line in widget.locator(".g4r-equation").all():
        ends = line.evaluate("(line) => [...line.children].map((c) => c.getBoundingClientRect().right)")
        assert max(ends) <= frame["x"] + frame["width"] + 1, line.get_attribute("aria-label")
    controls = widget.locator("button, input, select").all()
    fits_a_phone_and_fingers(page, [control for control in controls if control.is_visible()])


def test_readers_own_session_is_drawn_and_nothing_listens_on(widget):
    """Twelve clicks with long names and large x, weights beyond the sliders' ends."""
    seen = widget.page.evaluate(
        """async ([source, weights]) => {
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const { default: widget } = await import(url);
            weights.lstm[2][1] = 3.456;
            const clicks = Array.from({ length: 12 }, (_, k) => [`a long name ${k}`, k % 2 ? -2.75 : 3]);
            const state = { clicks, cell: "lstm", weights, held: { f: Array(12).fill(0.123) }, step: 99 };
            const handlers = new Map();
            const model = {
                get: (k) => state[k], set: (k, v) => { state[k] = v; handlers.get(`change:${k}`)?.(); },
                save_changes() {},
                on: (name, f) => handlers.set(name, f), off: (name) => handlers.delete(name),
            };
            const el = document.createElement("div");
            const clean = widget.render({ model, el });
            const told = [...el.querySelectorAll("input")].map((input) => input.getAttribute("aria-valuetext"));
            const all = [told, el.querySelectorAll("[data-reach]").length, handlers.size];
            clean();
            return [...all, handlers.size, state.weights.lstm[2][1]];
        }""",
        [SOURCE, WEIGHTS],
    )
    assert {"−2.75", "0.12, held", "3.46"} <= set(seen[0])
    assert seen[1:] == [12, 5, 0, 3.456]
