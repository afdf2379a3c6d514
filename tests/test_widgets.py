"""The widgets' Python side, and their JavaScript's arithmetic under node, against the package and brute force."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gru4rec_lite import widgets
from gru4rec_lite.batching import SessionParallel
from gru4rec_lite.widgets import _base
from gru4rec_lite.widgets.batching import padding, plan

SOURCES = [getattr(widgets, name)._esm for name in widgets.__all__]


# ---- Batching: the arithmetic ----------------------------------------------------------------------------------------
def random_cases(n: int, seed: int = 0) -> list[dict]:
    """Sessions of 1 to 9 clicks, items numbered from 100, with fewer and with more sessions than lanes."""
    rng, cases = np.random.default_rng(seed), []
    while len(cases) < n:
        lengths = rng.integers(1, 10, size=rng.integers(1, 13))
        if lengths.max() > 1:
            items = iter(range(100, 100 + lengths.sum()))
            sessions = [[next(items) for _ in range(length)] for length in lengths]
            cases.append({"sessions": sessions, "batch_size": int(rng.integers(1, 8))})
    return cases


def by_hand(sessions: list[list[int]], batch_size: int) -> list[list[tuple]]:
    """Each step's rows (lane, session, input, target, reset, row before). A lane holds the clicks yet to be read."""
    waiting = [(s, list(items)) for s, items in enumerate(sessions) if len(items) > 1]
    lanes: list = [None] * batch_size
    row_before = list(range(batch_size))
    steps = []
    while True:
        starts = set()
        for lane in range(batch_size):
            if lanes[lane] is None and waiting:
                lanes[lane] = waiting.pop(0)
                starts.add(lane)
        playing = [lane for lane in range(batch_size) if lanes[lane]]
        if not playing:
            return steps
        rows = [(x, lanes[x][0], lanes[x][1][0], lanes[x][1][1], x in starts, row_before[x]) for x in playing]
        steps.append(rows)
        for row, lane in enumerate(playing):
            row_before[lane] = row
            lanes[lane][1].pop(0)
            if len(lanes[lane][1]) == 1:  # the last click has only been a target
                lanes[lane] = None


def padded_by_hand(sessions: list[list[int]], batch_size: int) -> tuple[int, int, int]:
    """Steps, cells and wasted cells of padded batches, counted in arrays that are really padded."""
    playable = [items for items in sessions if len(items) > 1]
    steps = cells = wasted = 0
    for at in range(0, len(playable), batch_size):
        batch = playable[at : at + batch_size]
        grid = np.full((len(batch), max(map(len, batch)) - 1), -1)
        for row, items in zip(grid, batch, strict=True):
            row[: len(items) - 1] = items[:-1]
        steps, cells, wasted = steps + grid.shape[1], cells + grid.size, wasted + int((grid < 0).sum())
    return steps, cells, wasted


def node_compute(cases: list[dict], javascript: str, folder) -> list[dict]:
    """What `compute` of this JavaScript answers to each case, under node."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("no node: the same comparison runs in the browser")
    (folder / "widget.mjs").write_text(javascript, encoding="utf-8")
    (folder / "cases.json").write_text(json.dumps(cases))
    (folder / "run.mjs").write_text(
        'import { readFileSync } from "node:fs"; import { compute } from "./widget.mjs";\n'
        'const cases = JSON.parse(readFileSync(new URL("cases.json", import.meta.url)));\n'
        "console.log(JSON.stringify(cases.map(compute)));\n"
    )
    done = subprocess.run([program, folder / "run.mjs"], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def mismatch(case: dict, answer: dict) -> str | None:
    """The first thing in which the widget's answer differs from the package or from brute force, or None."""
    sessions, batch_size = case["sessions"], case["batch_size"]
    steps, hand = answer["steps"], by_hand(sessions, batch_size)
    offsets = np.cumsum([0, *map(len, sessions)])
    package = list(SessionParallel(np.concatenate(sessions), offsets, batch_size))
    if not len(steps) == len(hand) == len(package):
        return f"steps: {len(steps)}, by hand {len(hand)}, package {len(package)}"
    for step, rows, ours in zip(steps, hand, package, strict=True):
        for name in ("inputs", "targets", "resets", "lanes"):
            if step[name] != getattr(ours, name).tolist():
                return f"{name}: {step[name]}, package {getattr(ours, name).tolist()}"
        theirs = list(zip(*(step[name] for name in ("inputs", "targets", "resets", "lanes")), strict=True))
        if [(r["lane"], r["session"], *x) for r, x in zip(step["rows"], theirs, strict=True)] != rows:
            return f"rows: {step['rows']}, by hand {rows}"
    pairs = sum(len(items) - 1 for items in sessions)
    padded, parallel = answer["padded"], answer["parallel"]
    if (padded["steps"], padded["cells"], padded["wasted"]) != padded_by_hand(sessions, batch_size):
        return f"padded: {padded}"
    if (parallel["steps"], parallel["cells"], parallel["wasted"]) != (len(hand), pairs, 0):
        return f"parallel: {parallel}"
    if padded["learned"][-1] != pairs:
        return f"padded learns {padded['learned']} of {pairs}"
    if parallel["missing"] != len(hand) * batch_size - pairs or answer["offsets"] != offsets.tolist():
        return f"missing {parallel['missing']} or offsets {answer['offsets']}"
    if parallel["learned"] != np.cumsum([len(rows) for rows in hand]).tolist():
        return f"learned: {parallel['learned']}"
    return None


def test_the_widget_lays_out_the_plan_of_the_package(tmp_path):
    cases = random_cases(150)
    answers = node_compute(cases, _base.source("batching.js"), tmp_path)
    assert [m for m in map(mismatch, cases, answers) if m] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("[r.position + 1]", "[r.position - 1]"),  # the target is the click before
        ("r.position === 0)", "r.position !== 0)"),  # resets turned round
        ("position + 2 <", "position + 3 <"),  # the last pair of a session is dropped
        ("waiting.shift()", "waiting.pop()"),  # the newest session first
        (".length >= 2)", ".length >= 3)"),  # sessions of two clicks skipped
        ("(r) => r.before", "(r) => r.lane"),  # the row's own lane for its place in the step before
        ("cells - sum(used)", "cells + sum(used)"),
        ("Math.max(...members", "Math.min(...members"),  # padded to the shortest
    ],
)
def test_a_wrong_rule_in_the_javascript_is_caught(tmp_path, right, wrong):
    source = _base.source("batching.js")
    assert source.count(right) == 1
    cases = random_cases(40)
    assert any(map(mismatch, cases, node_compute(cases, source.replace(right, wrong), tmp_path)))


def test_the_still_picture_shows_the_same_plan():
    for case in random_cases(40, seed=1):
        sessions, batch_size = case["sessions"], case["batch_size"]
        steps = enumerate(by_hand(sessions, batch_size))
        expected = [(n, lane, s, sessions[s].index(item)) for n, rows in steps for lane, s, item, *_ in rows]
        assert plan(sessions, batch_size) == expected
        cells = padding(sessions, batch_size)
        counts = (cells[-1][0] + 1, len(cells), sum(not is_click for *_, is_click in cells))
        assert counts == padded_by_hand(sessions, batch_size)


# ---- Batching: the object --------------------------------------------------------------------------------------------
def test_it_opens_where_a_lane_has_just_taken_another_session():
    assert widgets.Batching().step == 3
    assert widgets.Batching([["a", "b"], ["c", "d", "e"]], batch_size=2).step == 1  # no lane ever takes another


def test_readers_own_clicks_are_shown_as_text():
    widget = widgets.Batching((np.array([7, 8]), ("tent", "mat", "map")), batch_size=np.int64(2))
    assert widget.sessions == [["7", "8"], ["tent", "mat", "map"]]
    assert json.dumps(widget.batch_size) == "2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size=0: must be a whole number from 1 to 6"),
        ({"batch_size": 7}, "batch_size=7"),
        ({"batch_size": "3"}, "batch_size='3'"),
        ({"batch_size": True}, "batch_size=True"),
        ({"sessions": 5}, "sessions=5: must be a list of sessions"),
        ({"sessions": "abc"}, "sessions='abc': must be a list of sessions"),
        ({"sessions": ["ab", "cd"]}, "sessions[0]='ab': must be a list of items"),
        ({"sessions": []}, "sessions has 0 sessions"),
        ({"sessions": [["a", "b"]] * 25}, "sessions has 25 sessions: the picture takes 1 to 24"),
        ({"sessions": [["a", "b"], []]}, "sessions[1] has 0 clicks: the picture takes 1 to 40"),
        ({"sessions": [["a"], ["b"]]}, "at least one session must have two clicks"),
        ({"step": 0}, "step=0: must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        widgets.Batching(**arguments)


def test_a_later_wrong_value_is_refused_and_changes_nothing():
    widget = widgets.Batching()
    with pytest.raises(ValueError, match="batch_size=9"):
        widget.batch_size = 9
    assert widget.batch_size == 3


@pytest.mark.parametrize("name", widgets.__all__)
def test_a_misspelt_setting_is_refused(name):
    with pytest.raises(ValueError, match=f"clickz='tent': {name} has no such setting"):
        getattr(widgets, name)(clickz="tent")


def test_a_stage_is_never_left_open():
    with pytest.raises(ValueError, match="stage=None"):
        widgets.Network(stage=None)


def test_the_text_form_names_this_step_and_is_the_same_every_time():
    first, second = repr(widgets.Batching()), repr(widgets.Batching())
    assert first == second
    assert "step 3 of 7" in first
    assert "A3 → A4, D1 → D2, C3 → C4" in first
    assert "padding computes 29, 11 of them wasted" in first


def test_the_text_form_follows_the_step():
    widget = widgets.Batching()
    widget.step = 7
    assert "step 7 of 7: the lanes read and predict E4 → E5." in repr(widget)


def test_a_picture_is_drawn_only_where_notebooks_are_refreshed(monkeypatch):
    widget = widgets.Batching()
    monkeypatch.delenv("BOOK_POSTERS", raising=False)
    data, _ = widget._repr_mimebundle_()
    assert set(data) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert data["text/plain"] == repr(widget)
    monkeypatch.setenv("BOOK_POSTERS", "1")
    first, again = (widget._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert base64.b64decode(first).startswith(b"\x89PNG")
    assert first == again


def test_the_picture_moves_with_the_widget(monkeypatch):
    monkeypatch.setenv("BOOK_POSTERS", "1")
    widget = widgets.Batching()
    before = widget._repr_mimebundle_()[0]["image/png"]
    widget.step += 1
    assert widget._repr_mimebundle_()[0]["image/png"] != before


# ---- every widget ----------------------------------------------------------------------------------------------------
def test_the_package_and_its_list_of_widgets_load_without_anywidget():
    code = (
        "import sys, gru4rec_lite as g\n"
        "names = g.widgets.__all__\n"
        "assert not {'anywidget', 'ipywidgets', 'matplotlib'} & set(sys.modules), 'loaded'\n"
        "sys.modules['anywidget'] = None\n"
        "try: getattr(g.widgets, names[0])\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "pip install anywidget" in done.stdout, done.stderr


def test_a_widget_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Gatez"):
        _ = widgets.Gatez


@pytest.mark.parametrize("javascript", SOURCES)
def test_a_widget_needs_no_other_host_and_only_the_plain_model(javascript):
    assert set(re.findall(r"https?://[^\"'`\s]+", javascript)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"^\s*import\b|\bimport\(|\brequire\(|\bfetch\(", javascript, re.MULTILINE)
    assert set(re.findall(r"\bmodel\.(\w+)", javascript)) <= {"get", "set", "save_changes", "on", "off"}


def test_a_saved_page_holds_all_that_the_widget_draws_from():
    state = widgets.Batching(batch_size=2).get_state()
    assert state["_esm"] == _base.source("batching.js")
    assert state["_css"] == _base.source("batching.css")
    assert (state["batch_size"], state["step"], len(state["sessions"])) == (2, 3, 7)
