"""The Batching widget where readers meet it: in the static page of chapter 06, and in JupyterLab with a kernel."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from in_page import COMPUTE, first_widget, press
from playwright.sync_api import TimeoutError as PlaywrightTimeout

import gru4rec_lite
from gru4rec_lite.batching import SessionParallel
from gru4rec_lite.widgets.batching import padding

PAGE = "06_batching.html"


def lettered(lengths: list[int]) -> list[list[str]]:
    """The sessions that the widget makes of these lengths: A1, A2, …"""
    return [[f"{chr(65 + s)}{i + 1}" for i in range(n)] for s, n in enumerate(lengths)]


def expected_steps(sessions: list[list], batch_size: int) -> list[dict]:
    """The package's plan, with the items' own names."""
    flat, offsets = [item for items in sessions for item in items], np.cumsum([0, *map(len, sessions)])
    return [
        {
            "inputs": [flat[i] for i in step.inputs],
            "targets": [flat[i] for i in step.targets],
            "resets": step.resets.tolist(),
            "lanes": step.lanes.tolist(),
        }
        for step in SessionParallel(np.arange(len(flat)), offsets, batch_size)
    ]


def python_text(values: list) -> str:
    return f"[{', '.join(map(str, values))}]"


def code(widget) -> dict[str, str]:
    """The lines of 'The same step in code'."""
    return {node.get_attribute("data-value"): node.inner_text() for node in widget.locator("code[data-value]").all()}


def number(widget, name: str) -> int:
    return int(widget.locator(f'[data-value="{name}"]').inner_text())


def step_of(widget) -> tuple[int, int]:
    return int(widget.get_attribute("data-step")), int(widget.get_attribute("data-steps"))


@pytest.fixture
def widget(page):
    """The first Batching widget of the chapter, at rest, without motion."""
    page.emulate_media(reduced_motion="reduce")
    return first_widget(page, PAGE, "batching")


def set_sessions(widget, lengths: list[int], batch_size: int) -> None:
    """By keyboard only: type the lengths, move the slider, go to step 1."""
    page = widget.page
    widget.get_by_label("Session lengths").focus()
    press(page, "ControlOrMeta+a")
    page.keyboard.type(" ".join(map(str, lengths)))
    widget.get_by_role("slider", name="Lanes B").focus()
    press(page, "Home", *["ArrowRight"] * (batch_size - 1))
    widget.get_by_role("button", name="Reset").focus()
    press(page, "Enter")


# ---- the numbers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lengths", "batch_size"), [([4, 2, 6, 3, 5], 2), ([1, 3, 1, 5, 2, 2], 3), ([2, 3], 6), ([3, 12], 1)]
)
def test_every_step_shows_what_the_package_yields(widget, lengths, batch_size):
    set_sessions(widget, lengths, batch_size)
    sessions = lettered(lengths)
    steps = expected_steps(sessions, batch_size)
    widget.get_by_role("button", name="Step").focus()
    for n, step in enumerate(steps):
        assert step_of(widget) == (n + 1, len(steps))
        shown = code(widget)
        assert {name: shown[name] for name in step} == {name: python_text(values) for name, values in step.items()}
        rows = widget.locator("tbody tr:not(.g4r-gone)")
        cells = [[cell.inner_text().split("\n") for cell in row.locator("td").all()] for row in rows.all()]
        assert [[chip.inner_text() for chip in row.locator(".g4r-pair .g4r-chip").all()] for row in rows.all()] == [
            list(pair) for pair in zip(step["inputs"], step["targets"], strict=True)
        ]
        assert [row[2][0] for row in cells] == ["yes" if reset else "no" for reset in step["resets"]]
        assert [row[3][0] for row in cells] == ["0" if reset else f"h from step {n}" for reset in step["resets"]]
        press(widget.page, "Enter")
    assert step_of(widget) == (len(steps), len(steps))  # the last Enter had nothing left to do


@pytest.mark.parametrize(
    ("lengths", "batch_size"), [([4, 3, 6, 2, 5, 2, 3], 3), ([3, 2, 12, 2, 3, 2], 5), ([4, 4, 4, 4], 2)]
)
def test_the_price_of_padding_is_counted_right(widget, lengths, batch_size):
    set_sessions(widget, lengths, batch_size)
    cells, pairs = padding(lettered(lengths), batch_size), sum(lengths) - len(lengths)
    assert number(widget, "padded-cells") == len(cells)
    assert number(widget, "padded-wasted") == len(cells) - pairs
    assert number(widget, "padded-steps") == max(step for step, *_ in cells) + 1
    assert number(widget, "parallel-cells") == pairs
    assert number(widget, "parallel-wasted") == 0
    assert number(widget, "parallel-steps") == len(expected_steps(lettered(lengths), batch_size))
    assert widget.locator('[data-kind="pad"]').count() == len(cells) - pairs
    assert widget.locator('[data-kind="pair"]').count() == 2 * pairs  # both pictures hold every pair once


def differences(page, source: str) -> int:
    """How many of 60 random cases the given JavaScript answers otherwise than the package."""
    rng = np.random.default_rng(0)
    cases = []
    while len(cases) < 60:
        lengths = rng.integers(1, 12, size=rng.integers(1, 14)).tolist()
        if max(lengths) > 1:
            cases.append({"sessions": lettered(lengths), "batch_size": int(rng.integers(1, 9))})
    answers = page.evaluate(COMPUTE, [source, cases])
    names = ("inputs", "targets", "resets", "lanes")
    seen = [[{name: step[name] for name in names} for step in answer["steps"]] for answer in answers]
    wasted = [answer["padded"]["wasted"] for answer in answers]
    return sum(
        steps != expected_steps(**case) or w != sum(not cell[-1] for cell in padding(**case))
        for case, steps, w in zip(cases, seen, wasted, strict=True)
    )


# ---- controls --------------------------------------------------------------------------------------------------------
def test_the_status_says_in_words_what_happens(widget):
    set_sessions(widget, [3, 2, 2, 4], 2)
    status, page = widget.get_by_role("status"), widget.page
    assert status.inner_text() == "Step 1 of 5. 2 lanes start a session, each with a zero state."
    widget.get_by_role("button", name="Step").focus()
    press(page, "Enter")
    assert status.inner_text() == "Step 2 of 5. Lane 2 starts session C: its state is set to zero."
    press(page, "Enter")
    assert status.inner_text() == (
        "Step 3 of 5. Lane 1 starts session D: its state is set to zero. "
        "No session is left for lane 2: the batch shrinks to 1 row."
    )
    press(page, "Enter")
    assert status.inner_text() == "Step 4 of 5. The lane goes on with its state."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4 x 3", "“x” is not a number of clicks"),
        ("4 0", "“0” is not"),
        ("4 17", "“17” is not"),
        ("", "such as 4 2 6 3 5"),
        ("1 1", "one click has no next click"),
        ("2 " * 13, "13 sessions do not fit: use at most 12"),
    ],
)
def test_lengths_that_make_no_sense_are_told_and_change_nothing(widget, text, message):
    before, field = code(widget), widget.get_by_label("Session lengths")
    field.fill(text)
    assert message in widget.locator(".g4r-error").inner_text()
    assert (field.get_attribute("aria-invalid"), code(widget)) == ("true", before)
    field.fill("5 5")
    assert (field.get_attribute("aria-invalid"), widget.locator(".g4r-error").inner_text()) == ("false", "")
    assert code(widget)["offsets"] == "[0, 5, 10]"


def test_the_line_that_a_control_touches_is_marked(widget):
    marked = lambda: [line.get_attribute("data-term") for line in widget.locator(".g4r-on").all()]  # noqa: E731
    set_sessions(widget, [6, 6], 2)
    press(widget.page, "Shift+Tab", "Shift+Tab", "Enter")  # Step
    assert marked() == ["inputs", "targets"]
    widget.get_by_role("slider").press("ArrowLeft")
    assert marked() == ["batch_size"]
    widget.get_by_label("Example").select_option(label="all equal")
    assert "offsets" in marked()


# ---- JupyterLab ------------------------------------------------------------------------------------------------------
@pytest.fixture
def lab(tmp_path):
    """Address of a JupyterLab of its own, on loopback, in an empty folder with one notebook."""
    notebook = {
        "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {"cell_type": "code", "id": name, "metadata": {}, "outputs": [], "execution_count": None, "source": source}
            for name, source in [
                ("draw", "from gru4rec_lite import widgets\nwidget = widgets.Batching()\nwidget"),
                ("tell", "print('told', widget.step, widget.batch_size, [len(s) for s in widget.sessions])"),
            ]
        ],
    }  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    (work / "try.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(tmp_path / name) for name in ("SETTINGS", "WORKSPACES")}
    package = str(Path(gru4rec_lite.__file__).parents[1])
    environment = os.environ | own | {"PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    options += [f"--ServerApp.root_dir={work}", "--IdentityProvider.token=", "--LabApp.news_url=None"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(command, env=environment, cwd=work, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/api", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


def run_cell(page, number: int):
    """Run a cell of JupyterLab's notebook as a reader does; again, where the keys came before JupyterLab listened.

    While a notebook opens, its cells are drawn anew and lose the focus, and a key pressed then is nobody's.
    """
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    waiting = cell.locator(".jp-InputArea-prompt").get_by_text("[ ]:")
    for _ in range(12):
        try:
            if (asked := page.locator(".jp-Dialog .jp-mod-accept")).count():  # of a slow server JupyterLab asks
                asked.last.click(timeout=15_000)
            cell.locator(".cm-content").click(timeout=15_000)
            press(page, "Shift+Enter")
            return waiting.wait_for(state="hidden", timeout=15_000)
        except PlaywrightTimeout:
            pass
    raise AssertionError(f"cell {number} does not run: {page.locator('body').inner_text()[-2000:]}")


def test_in_jupyterlab_the_keys_move_the_widget_and_python_knows(browser, lab):
    context = browser.new_context(viewport={"width": 1280, "height": 1400}, reduced_motion="reduce")
    context.set_default_timeout(180_000)  # a kernel that imports torch beside another test process, on a slow machine
    outside, uncaught = [], []

    def refuse(route):
        outside.append(route.request.url)
        route.abort()

    context.route(lambda url: not url.startswith((lab, "data:", "blob:")), refuse)
    page = context.new_page()
    page.on("pageerror", lambda error: uncaught.append(str(error)))
    page.goto(f"{lab}/lab/tree/try.ipynb?reset")
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    run_cell(page, 0)
    widget = page.locator(".g4r-batching")
    widget.locator("svg").first.wait_for()
    assert step_of(widget) == (3, 7)

    widget.get_by_role("button", name="Step").focus()
    press(page, "Enter", "Space")
    assert step_of(widget) == (5, 7)
    widget.get_by_role("slider", name="Lanes B").focus()
    press(page, "ArrowLeft")
    assert number(widget, "parallel-steps") == len(expected_steps(lettered([4, 3, 6, 2, 5, 2, 3]), 2))
    widget.get_by_label("Session lengths").focus()
    press(page, "ControlOrMeta+a")
    page.keyboard.type("3 8 2 6")  # digits are JupyterLab's keys for headings: they must stay in the field
    steps = expected_steps(lettered([3, 8, 2, 6]), 2)
    assert step_of(widget) == (5, len(steps))
    assert code(widget)["inputs"] == python_text(steps[4]["inputs"])

    run_cell(page, 1)
    page.get_by_text("told 5 2 [3, 8, 2, 6]").wait_for()
    context.close()
    assert (outside, uncaught) == ([], [])
