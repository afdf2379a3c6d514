"""What the tests of the widgets share: opening one as its chapter shows it, pressing keys, axe, themes."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

from axe_playwright_python.sync_playwright import Axe

# Runs `compute` of the given source in the browser.
COMPUTE = """async ([source, cases]) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { compute } = await import(url);
    return cases.map(compute);
}"""
STATE = re.compile(r'(<script type="application/vnd\.jupyter\.widget-state\+json">)(.*?)(</script>)', re.DOTALL)
ARTICLE = re.compile(r'(<article class="bd-article">)(.*)(</article>)', re.DOTALL)
VIEW = """<div class="cell docutils container"><div class="cell_output docutils container">
<script type="application/vnd.jupyter.widget-view+json">{"model_id": "%s"}</script></div></div>"""
CONTROLS = "button, input, select"
# A control's name as a screen reader says it, near enough: all are labelled in one of these ways.
NAME = """(e) => e.getAttribute("aria-label") ?? (e.labels?.[0] ?? e).textContent"""


def only_widgets(page: str, names: list[str], state: str = "{}") -> str:
    """The HTML of a chapter's page with nothing in its article but the first widget of each name, and no formulas.

    What is left is the page's own: its theme and scripts, its loader of widgets, their JavaScript and opening state.
    A name that stands twice is two widgets. ``state``: JSON of fields to open with in place of the chapter's.
    """
    models = json.loads(STATE.search(page)[2])["state"]
    views = []
    for name in names:
        kind = f"gru4rec_lite.widgets.{name}.{name.title()}"
        ids = re.findall(r'"model_id": "(\w+)"', page)
        model = next(models[i] for i in ids if models[i]["state"].get("_anywidget_id") == kind)
        views.append(f"widget{len(views)}")
        models[views[-1]] = model | {"state": model["state"] | json.loads(state)}
    text = json.dumps({"state": {i: models[i] for i in models if i not in ids}}).replace("</", "<\\/")
    page = STATE.sub(lambda script: script[1] + text + script[3], page)
    article = "<section>" + "".join(VIEW % i for i in views) + "</section>"
    page = re.sub(
        r'(<article class="bd-article">).*(</article>)', lambda a: a[1] + article + a[2], page, flags=re.DOTALL
    )
    page = re.sub(r'(nav-link" href="#)[^"]*', r"\1", page)  # the contents of the page lead nowhere
    return re.sub(r'<script [^>]*src="[^"]*mathjax[^"]*"></script>', "", page)


def first_widget(page, chapter: str, name: str, *, twice: bool = False, **state):
    """The first widget of that name in a chapter's page, drawn. state: fields to open with; twice: two of them."""
    asked = {"only": [name] * (1 + twice), "state": json.dumps(state)}
    page.goto(f"{page.base}/{chapter}?{urlencode(asked, doseq=True)}")
    page.wait_for_function("document.documentElement.dataset.widgets")
    widget = page.locator(f".g4r-{name}").first
    widget.locator("svg").first.wait_for()
    return widget


def press(page, *keys: str) -> None:
    """Press keys in a browser, one after the other."""
    for key in keys:
        page.keyboard.press(key)


def theme(widget, scheme: str) -> None:
    """The page in its light or dark theme, and the system, too."""
    widget.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    widget.page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", scheme)


def axe(page, **settings) -> list[dict]:
    """What axe finds. Only violations are asked for: lists of what is right take as long to make as to find."""
    options = {"preload": False, "resultTypes": ["violations"]}  # preload fetches styles at a wrong path
    return Axe().run(page, options=options, **settings).response["violations"]


def told(violations: list[dict]) -> str:
    return "\n".join(f"{v['id']}: {[n['html'][:160] for n in v['nodes'][:3]]}" for v in violations)
