"""What the tests of the widgets share: opening one in its chapter, pressing keys, axe, a phone and fingers."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

# Runs `compute` of the given source in the browser.
COMPUTE = """async ([source, cases]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { compute } = await import(url);
    return cases.map(compute);
}"""


def first_widget(page, chapter: str, name: str):
    """The first widget of that name in a chapter's page, drawn."""
    page.goto(f"{page.base}/{chapter}")
    page.wait_for_selector(f'.mini-widget[data-ready="true"] .g4r-{name} svg')
    return page.locator(f".g4r-{name}").first


def press(page, *keys: str) -> None:
    """Press keys in a browser, one after the other."""
    for key in keys:
        page.keyboard.press(key)


def theme(widget, scheme: str) -> None:
    """The page in its light or dark theme, and the system, too."""
    widget.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    widget.page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", scheme)


def axe_is_silent(page, context: str) -> None:
    """Assert that axe finds nothing at all in what the selector names."""
    found = Axe().run(page, context=context, options={"preload": False}).response["violations"]
    assert not found, "\n".join(f"{v['id']}: {[n['html'][:160] for n in v['nodes'][:3]]}" for v in found)


def fits_a_phone_and_fingers(page, controls: list) -> None:
    """Assert that the page is no wider than a phone, and that no control is smaller than a finger."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in controls:
        box = control.bounding_box()
        assert min(box["width"], box["height"]) >= 40, control.evaluate("(c) => c.outerHTML")
