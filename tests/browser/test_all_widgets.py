"""What all widgets of the book share, tried on each as its chapter shows it: keys, names, looks, motion, time, an end.

What a widget shows of its own, and whether its numbers are the package's, is in its own file (test_gates_widget.py, …).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import test_batching_widget
import test_gates_widget
import test_losses_widget
import test_network_widget
import test_ranking_widget
import test_sampling_widget
import test_session_widget
from in_page import CONTROLS, NAME, axe, first_widget, press, theme, told

from gru4rec_lite import widgets
from gru4rec_lite.losses import LOSSES
from gru4rec_lite.widgets import ranking, tiny_model
from gru4rec_lite.widgets.gates import GATES, WEIGHTS

EXAMPLES = list(tiny_model.EXAMPLES.values())


def push(widget, name: str) -> None:
    widget.get_by_role("button", name=name, exact=True).press("Enter")


def button(name: str) -> Callable:
    return lambda widget: push(widget, name)


def slide(name: str) -> Callable:
    return lambda widget: widget.get_by_role("slider", name=name, exact=True).press("ArrowRight")


def data(*names: str) -> Callable:
    return lambda widget: tuple(int(widget.get_attribute(f"data-{name}")) for name in names)


@dataclass
class Kind:
    """What is to be known of a widget to try what it shares with the others."""

    chapter: str
    controls: list[str]  # names in the order of the Tab key, as patterns
    move: Callable  # one move by hand that is seen
    change: dict  # a field that Python changes
    moves: bool = False  # whether the move slides something
    presets: str | None = None  # name of the list of ready-made settings
    own: Callable | None = None  # a move that makes the setting the reader's own
    at: Callable | None = None  # where a play is; none where nothing plays
    bar: tuple[str, str] | None = None  # Back and Step of a bar that goes from place to place
    again: int = 0  # which place a play begins anew with
    flip: tuple[str, str] = ("", "")  # a sign of its arithmetic, and the wrong one
    differences: Callable | None = None


BAR = ["Back", "Step", "Play", "Reset"]
NEGATIVE = ("(1 - old[u]) * candidate[u]", "(1 + old[u]) * candidate[u]")
KINDS = {
    "batching": Kind(
        "06_batching.html",
        [*BAR, "Lanes B", "Example", "Session lengths"],
        button("Step"), {"step": 4}, moves=True,
        presets="Example", own=lambda w: w.get_by_label("Session lengths").fill("3 3 3"),
        at=data("step"), bar=("Back", "Step"),
        flip=("[r.position + 1]", "[r.position - 1]"), differences=test_batching_widget.differences,
    ),
    "gates": Kind(
        "04_gates.html",
        [*BAR, "Cell", "Clicks", "x of this click", "reset gate r", "update gate z", "weight U of h",
         "Sliders set", "Let the cell decide"],
        button("Back"), {"step": 2}, moves=True,
        presets="Clicks", own=slide("x of this click"),
        at=data("step"), bar=("Back", "Step"),
        flip=("bend = 1 - after * after", "bend = 1 + after * after"), differences=test_gates_widget.differences,
    ),
    "losses": Kind(
        "08_losses.html",
        ["Loss", "Scores", "Negatives", "Bars reach",
         "score of the target", *(f"score of negative {j}" for j in (1, 2, 3)), "score of the added negatives",
         "Step", "Play", "Reset", "Negatives added"],
        button("Step"), {"target": 5},
        presets="Scores", own=slide("score of the target"),
        at=lambda w: w.get_by_role("slider", name="score of the target").get_attribute("aria-valuetext"),
        flip=("(j.slope + j.pull) / n", "(j.slope - j.pull) / n"), differences=test_losses_widget.differences,
    ),
    "network": Kind(
        "05_network.html",
        ["Session", "Clicked item", *(f"follow click {i}: .+" for i in (1, 2, 3)), *BAR, "Unit",
         *(f"{i}: .+" for i in range(1, 9))],
        button("Back"), {"stage": 2},
        presets="Session", own=lambda w: w.get_by_label("Clicked item").select_option("guide-tent"),
        at=data("click", "stage"), bar=("Back", "Step"),
        flip=NEGATIVE, differences=test_network_widget.differences,
    ),
    "ranking": Kind(
        "02_ranking.html",
        ["Clicked", "List length k", "Ties", "Scores", *(f"score of {item}" for item in ranking.SHOP),
         "Sampled negatives n", "Draw again"],
        slide("score of lamp"), {"target": "tent"}, moves=True,
        presets="Scores", own=slide("score of map"),
        flip=("+ SHARE[rule] * equal", "- SHARE[rule] * equal"), differences=test_ranking_widget.differences,
    ),
    "sampling": Kind(
        "07_sampling.html",
        ["Draw again", "Play", "100 more", "Reset", "Lanes B", "Extra samples S", "alpha", "Lane", "Column", "logq",
         "Catalogue N"],
        button("Draw again"), {"draw": 7},
        at=data("draw"),
        flip=("-logq * Math.log", "logq * Math.log"), differences=test_sampling_widget.differences,
    ),
    "session": Kind(
        "05_network.html",
        ["Undo", "Step", "Play", "Reset", "Example", "State", *(f"{i}: .+" for i in range(1, 11)),
         "Find an item and click it", *[".+"] * 8],
        button("Undo"), {"memory": "zero"}, moves=True,
        presets="Example", own=lambda w: w.locator(".g4r-top button").nth(4).press("Enter"),
        at=lambda w: (w.locator(".g4r-history li[data-item]").count(),), bar=("Undo", "Step"), again=1,
        flip=NEGATIVE, differences=test_session_widget.differences,
    ),
}  # fmt: skip
NAMES = list(KINDS)
FAST = {"gates", "losses", "sampling"}  # whose plays a screen reader does not read along

# States in which a widget has most to show, or least room.
LONG = [[f"{letter}{i}" for i in range(1, n + 1)] for letter, n in zip("ABCDE", (16, 2, 3, 9, 1), strict=True)]
CLICKS = [["a rather long name", -9.5], ["–", 0], *[["tent", 1.25]] * 6]
LOOKS = [
    ("batching", {"sessions": LONG, "batch_size": 6, "step": 2}),
    *(("gates", {"cell": cell, "clicks": CLICKS, "held": {g: [1, None] * 4 for g in GATES[cell]}}) for cell in WEIGHTS),
    *(("losses", {"loss": loss, "negatives": [2, 0, -1, -120.25, -2, -3, -4, 9.75], "added": 2048}) for loss in LOSSES),
    ("network", {}),
    ("network", {"click": 2, "stage": 3}),
    ("ranking", {}),
    ("sampling", {"batch_size": 6, "n_samples": 12, "lane": 6, "column": 18}),
    ("session", {}),
]
# What is told where a reader writes what makes no sense.
WRONG = {"batching": ("Session lengths", "none"), "session": ("Find an item", "piano")}


def ident(case) -> str:
    return "-".join([case[0], *(str(case[1][key]) for key in ("cell", "loss", "stage") if key in case[1])])


def looked_at(page, case):
    """A widget in a state of LOOKS, with an error told where it can have one."""
    name, state = case
    page.emulate_media(reduced_motion="reduce")
    widget = first_widget(page, KINDS[name].chapter, name, **state)
    if name in WRONG:
        label, text = WRONG[name]
        widget.get_by_label(label).fill(text)
        assert widget.locator(".g4r-error").inner_text()
    return widget


def opened(page, name: str, **more):
    return first_widget(page, KINDS[name].chapter, name, **more)


def shown(widget) -> list[str]:
    """All that a widget tells: its words, numbers, and where its sliders and lists stand."""
    return widget.evaluate(
        """(root) => [root.innerText, ...[...root.querySelectorAll("svg")].map((s) => s.ariaLabel + s.textContent),
                      ...[...root.querySelectorAll("input, select")].map((c) => c.value)]"""
    )


# ---- keys and names --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_the_keyboard_reaches_every_control_in_order_and_each_has_a_name(page, name):
    widget, expected = opened(page, name), KINDS[name].controls
    controls = [control for control in widget.locator(CONTROLS).all() if control.is_visible()]
    controls[0].focus()
    names = []
    for _ in expected:
        names.append(page.evaluate(f"({NAME})(document.activeElement)"))
        press(page, "Tab")
    wrong = [pair for pair in zip(expected, names, strict=True) if not re.fullmatch(*pair)]
    assert wrong == []
    assert page.evaluate("document.activeElement.closest('.g4r')") is None  # and then the widget is left
    assert len(controls) == len(expected)
    # else JupyterLab takes their keys; a drawing that scrolls by keys says so too
    held = widget.locator(f"{CONTROLS}, .g4r-scroll").evaluate_all(
        "(all) => all.map((c) => c.dataset.lmSuppressShortcuts)"
    )
    assert set(held) == {"true"}


# ---- looks -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("case", LOOKS, ids=ident)
def test_it_fits_a_phone_and_fingers(page, case):
    page.set_viewport_size({"width": 390, "height": 844})
    widget = looked_at(page, case)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    frame = widget.bounding_box()
    assert frame["x"] >= 0
    assert frame["x"] + frame["width"] <= 390
    # a finger is 40 px wide; what is drawn wider than the phone scrolls in a box of its own
    for control in widget.locator(CONTROLS).all():
        if control.is_visible():
            box = control.bounding_box()
            assert min(box["width"], box["height"]) >= 40, control.evaluate("(c) => c.outerHTML")
    outside = """(root) => {
        const edge = root.getBoundingClientRect().right + 1;
        const all = [...root.querySelectorAll("*")].filter((e) => !e.parentElement.closest("svg, select, .g4r-scroll"));
        const textEnd = (text) => {
            const range = new Range();
            range.selectNode(text);
            return range.getBoundingClientRect().right;
        };
        const texts = (e) => [...e.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
        const ends = (e) => [e.getBoundingClientRect().right, ...texts(e).map(textEnd)];
        return all.filter((e) => Math.max(...ends(e)) > edge).map((e) => e.outerHTML);
    }"""
    assert widget.evaluate(outside) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", LOOKS, ids=ident)
def test_axe_finds_nothing_and_texts_in_pictures_stand_out(page, case, scheme):
    widget = looked_at(page, case)
    theme(widget, scheme)
    found = axe(page, context=".g4r")
    assert not found, told(found)
    page.set_viewport_size({"width": 1280, "height": 4000})  # axe looks at no text of an SVG
    faint = widget.evaluate(CONTRAST)
    assert faint == []


# Texts of drawings with a contrast of less than 4.5 to what is painted below them.
CONTRAST = """(root) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255);
    };
    const over = ([r, g, b, a], below) => [r, g, b].map((v, i) => a * v + (1 - a) * below[i]);
    const light = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
    const paint = (element) => {
        const style = getComputedStyle(element);
        if (!(element instanceof SVGElement)) return style.backgroundColor;
        return ["rect", "circle"].includes(element.tagName) && style.fill !== "none" ? style.fill : "transparent";
    };
    return [...root.querySelectorAll("svg text")].map((text) => {
        const { left, width, top, height } = text.getBoundingClientRect();
        const below = document.elementsFromPoint(left + width / 2, top + height / 2);
        if (!below.includes(text)) return null; // scrolled out of sight in a box of its own
        const layers = below.slice(below.indexOf(text) + 1).map((e) => rgba(paint(e))).reverse();
        const ground = layers.reduce((under, layer) => over(layer, under), [1, 1, 1]);
        const [a, b] = [over(rgba(getComputedStyle(text).fill), ground), ground].map(luminance);
        return [text.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    }).filter((seen) => seen && seen[0] && seen[1] < 4.5);
}"""


@pytest.mark.parametrize("name", NAMES)
def test_the_theme_of_the_page_beats_that_of_the_system(page, name):
    # set and read in one go: the book's theme answers a change of the system by setting its own
    read = """(root, theme) => (document.documentElement.dataset.theme = theme,
        getComputedStyle(root).getPropertyValue("--accent").trim())"""
    widget, seen = opened(page, name), {}
    for system in ("light", "dark"):
        page.emulate_media(color_scheme=system)
        for scheme in ("light", "dark"):
            seen[system, scheme] = widget.evaluate(read, scheme)
    assert seen["light", "light"] == seen["dark", "light"] != seen["light", "dark"] == seen["dark", "dark"]


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_who_wants_no_motion_gets_none(page, name, motion):
    page.emulate_media(reduced_motion=motion)
    # animations and smooth scrolling are counted as they are asked for: they may be over before anybody looks
    page.add_init_script("""window.motions = 0;
        const ways = { animate: () => true, scrollIntoView: (way) => way?.behavior === "smooth" };
        for (const [name, moves] of Object.entries(ways)) {
            const own = Element.prototype[name];
            Element.prototype[name] = function (...given) {
                if (moves(...given)) window.motions += 1;
                return own.apply(this, given);
            };
        }""")
    widget = opened(page, name)
    page.evaluate("window.motions = 0")
    KINDS[name].move(widget)
    moved = page.evaluate("window.motions") > 0
    transitions = widget.evaluate("(root) => root.getAnimations({ subtree: true }).length > 0")
    moves = KINDS[name].moves or name == "network"
    assert (moved, transitions and motion == "reduce") == (moves and motion == "no-preference", False)


# ---- time ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [name for name in NAMES if KINDS[name].bar])
def test_step_and_back_go_from_place_to_place_and_stop_at_the_ends(page, name):
    page.emulate_media(reduced_motion="reduce")
    widget, kind = opened(page, name), KINDS[name]
    back, step = (widget.get_by_role("button", name=text, exact=True) for text in kind.bar)
    disabled = lambda: tuple(b.get_attribute("aria-disabled") == "true" for b in (back, step))  # noqa: E731
    push(widget, "Reset")
    assert disabled() == (True, False)
    places, told = [kind.at(widget)], [shown(widget)]
    step.focus()
    while not disabled()[1]:
        press(page, "Enter")
        places.append(kind.at(widget))
        told.append(shown(widget))
    press(page, "Space")  # nothing is after the last
    assert kind.at(widget) == places[-1]
    assert page.evaluate("document.activeElement.textContent") == kind.bar[1]  # the focus is not lost
    assert len(places) > 3
    assert sorted(set(places)) == places
    back.focus()
    for place, text in list(zip(places, told, strict=True))[-2::-1]:
        press(page, "Enter")
        assert kind.at(widget) == place
        if name != "network":  # which tells what it told on the way up, but for the click that a list stands for
            assert shown(widget)[1:] == text[1:]
    press(page, "Enter")
    assert (kind.at(widget), disabled()) == (places[0], (True, False))


@pytest.mark.parametrize("name", [name for name in NAMES if KINDS[name].at])
def test_play_goes_on_pauses_and_a_move_by_hand_ends_it(page, name):
    page.emulate_media(reduced_motion="reduce")
    page.clock.install()
    widget, kind = opened(page, name), KINDS[name]
    play, hand = widget.locator(".g4r-main"), (kind.bar or ("", "Draw again" if name == "sampling" else "Step"))[1]
    push(widget, "Reset")
    places = [kind.at(widget)]

    def seen(after: int) -> str:
        page.clock.run_for(after)
        places.append(kind.at(widget))
        return play.inner_text()

    play.press("Enter")
    assert seen(0) == "Pause"
    assert (widget.get_by_role("status").get_attribute("aria-live") == "off") == (name in FAST)
    assert seen(2000) == "Pause"
    assert len(set(places)) == 3  # at once, and again by itself
    play.press("Enter")
    assert seen(0) == seen(9000) == "Play"
    assert places[-1] == places[-3]
    play.press("Enter")
    push(widget, hand)
    assert seen(0) == seen(9000) == "Play"
    assert places[-1] == places[-2] != places[-3]


@pytest.mark.parametrize("name", [name for name in NAMES if KINDS[name].bar])
def test_play_stops_at_the_end_and_begins_anew(page, name):
    page.emulate_media(reduced_motion="reduce")
    page.clock.install()
    widget, kind = opened(page, name), KINDS[name]
    play, step = widget.locator(".g4r-main"), widget.get_by_role("button", name=kind.bar[1], exact=True)
    push(widget, "Reset")
    first = kind.at(widget)
    play.press("Enter")
    page.clock.run_for(60_000)
    assert (play.inner_text(), step.get_attribute("aria-disabled")) == ("Play", "true")
    play.press("Enter")
    assert (play.inner_text(), kind.at(widget)) == ("Pause", (kind.again,) if kind.again else first)


@pytest.mark.parametrize("name", [name for name in NAMES if KINDS[name].presets])
def test_ready_made_settings_are_chosen_left_and_found_again(page, name):
    page.emulate_media(reduced_motion="reduce")
    widget, kind = opened(page, name), KINDS[name]
    presets = widget.get_by_label(kind.presets, exact=True)
    keys = presets.locator("option").evaluate_all("(all) => all.map((o) => o.value)")
    names = presets.locator("option").all_text_contents()
    opening, told = presets.input_value(), {}
    assert opening == keys[0] != "own"
    assert (keys[-1], names[-1]) == ("own", "your own")
    for key in [*keys[1:-1], opening]:
        presets.select_option(key)
        assert presets.input_value() == key
        told[key] = shown(widget)
    assert len({str(text) for text in told.values()}) == len(keys) - 1
    kind.own(widget)
    assert presets.input_value() == "own"
    assert shown(widget) not in told.values()
    presets.select_option(opening)
    assert widget.get_by_role("status").inner_text() in told[opening][0]
    presets.select_option("own")  # says nothing, and changes nothing
    assert widget.get_by_role("status").inner_text() in told[opening][0]


# ---- more than one, and none -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_two_on_a_page_leave_each_other_alone(page, name):
    page.emulate_media(reduced_motion="reduce")
    first = opened(page, name, twice=True)
    second = page.locator(f".g4r-{name}").nth(1)
    before = shown(first)
    assert shown(second) == before
    ids = page.locator(".g4r [id]").evaluate_all("(all) => all.map((e) => e.id)")
    assert len(set(ids)) == len(ids)
    KINDS[name].move(first)
    after = shown(first)
    assert after != before
    assert shown(second) == before
    KINDS[name].move(second)
    assert shown(second) == after


# A model as Jupyter's, that notes who listens; timers, observers and the page's own listeners are counted, too.
UNMOUNT = """async ([source, state, change]) => {
    const timers = new Set(), observers = new Set(), listeners = new Set(), handlers = new Map();
    const [set, clear, Observer] = [setInterval, clearInterval, ResizeObserver];
    window.setInterval = (...given) => { const id = set(...given); timers.add(id); return id; };
    window.clearInterval = (id) => { timers.delete(id); clear(id); };
    window.ResizeObserver = class extends Observer {
        observe(node) { observers.add(this); super.observe(node); }
        disconnect() { observers.delete(this); super.disconnect(); }
    };
    for (const target of [window, document]) {
        target.addEventListener = (name) => listeners.add(name);
    }
    const model = {
        get: (k) => state[k],
        set(k, v) { state[k] = v; for (const f of handlers.get(`change:${k}`) ?? []) f(); },
        save_changes() {},
        on(name, f) { handlers.set(name, (handlers.get(name) ?? new Set()).add(f)); },
        off(name, f) { handlers.get(name)?.delete(f); },
    };
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { default: widget } = await import(url);
    const el = document.createElement("div");
    document.body.append(el);
    const clean = widget.render({ model, el });
    const count = () => [[...handlers.values()].reduce((n, all) => n + all.size, 0), timers.size, observers.size];
    const told = () => el.querySelector('[role="status"]').textContent;
    const before = told();
    for (const [k, v] of Object.entries(change)) model.set(k, v);
    const follows = told() !== before;
    el.querySelector(".g4r-main").click();
    const busy = count();
    clean();
    return [follows, busy, count(), listeners.size];
}"""


@pytest.mark.parametrize("name", NAMES)
def test_it_follows_python_and_a_removed_one_leaves_nothing_behind(page, name):
    state = getattr(widgets, name.title())().get_state()
    source, kind = state["_esm"], KINDS[name]
    page.goto(f"{page.base}/_static/")  # a page of the book's without any script
    follows, busy, left, listeners = page.evaluate(UNMOUNT, [source, state, kind.change])
    assert follows
    assert busy[0] > 1
    assert busy[1:] == [1 if kind.at else 0, 1]
    assert (left, listeners) == ([0, 0, 0], 0)


# ---- the numbers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_the_browser_computes_what_the_package_does_and_one_flipped_sign_is_seen(page, name):
    source, (right, wrong) = getattr(widgets, name.title())._esm, KINDS[name].flip
    assert KINDS[name].differences(page, source) == 0
    assert source.count(right) == 1
    assert KINDS[name].differences(page, source.replace(right, wrong)) > 0
