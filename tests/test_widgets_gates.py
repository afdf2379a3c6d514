"""The Gates widget: its JavaScript under node, against the package's cells and torch's gradient; its Python side."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
import torch
from test_widgets import node_compute
from torch import nn

from gru4rec_lite import cells, widgets
from gru4rec_lite.widgets import _base
from gru4rec_lite.widgets.gates import GATES, WEIGHTS, played

SOURCE = _base.source("_gates_math.js", "gates.js")
COLUMNS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # of a row [W, U, b, d]
close = pytest.approx


def random_cases(n: int, seed: int = 0) -> list[dict]:
    """Random clicks, weights and steps, cell after cell; in half of the cases some gates are held at some clicks."""
    rng, cases = np.random.default_rng(seed), []
    for k in range(n):
        n_clicks, held = int(rng.integers(2, 9)), {}
        if k % 8 >= 4:
            for name in "rzifo":
                values = rng.random(n_clicks).round(2).tolist()
                held[name] = [v if rng.random() < 0.5 else None for v in values]
        weights = {cell: rng.normal(0, 1, (len(rows), len(rows[0]))).tolist() for cell, rows in WEIGHTS.items()}
        clicks = [[f"i{j}", float(x)] for j, x in enumerate(rng.normal(0, 1, n_clicks))]
        step = int(rng.integers(1, n_clicks + 1))
        cases.append({"clicks": clicks, "cell": list(WEIGHTS)[k % 4], "weights": weights, "held": held, "step": step})
    return cases


def package_cell(name: str, rows: list[list[float]]) -> cells.Cell:
    cell = cells.CELLS[name](1, 1).double()
    with torch.no_grad():
        for column, values in zip(COLUMNS, zip(*rows, strict=True), strict=False):
            parameter = getattr(cell, column)
            parameter.copy_(torch.tensor(values, dtype=torch.float64).view_as(parameter))
    return cell


def by_equation(name: str, rows: list[list[float]], x, state, held: dict[str, float | None]):
    """New state from the equations, with a held gate as a constant: what no cell of the package can do."""
    W, U, b, *d = torch.tensor(rows, dtype=torch.float64).T
    d = d[0] if d else torch.zeros_like(b)
    h = state[0, 0, 0]

    def gate(row: int, letter: str):
        value = held.get(letter)
        return (
            (W[row] * x + U[row] * h + b[row] + d[row]).sigmoid()
            if value is None
            else torch.tensor(value, dtype=torch.float64)
        )

    if name == "rnn":
        new = [(W[0] * x + U[0] * h + b[0]).tanh()]
    elif name == "lstm":
        i, f, o = gate(0, "i"), gate(1, "f"), gate(3, "o")
        c = f * state[0, 1, 0] + i * (W[2] * x + U[2] * h + b[2]).tanh()
        new = [o * c.tanh(), c]
    elif name == "gru":
        r, z = gate(0, "r"), gate(1, "z")
        new = [z * h + (1 - z) * (W[2] * x + b[2] + r * (U[2] * h + d[2])).tanh()]
    else:
        r, z = gate(0, "r"), gate(1, "z")
        new = [(1 - z) * h + z * (W[2] * x + U[2] * (r * h) + b[2]).tanh()]
    return torch.stack(new).view(1, -1, 1)


def expected(case: dict, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States after every click; gradients of h after the step's click at the states and at the inputs up to it."""
    rows, clicks, held = case["weights"][name], case["clicks"], case["held"]
    cell = package_cell(name, rows)
    inputs = [torch.tensor([[x]], dtype=torch.float64, requires_grad=True) for _, x in clicks]
    states = [cell.zeros(1).requires_grad_()]
    for k, x in enumerate(inputs):
        here = {letter: held[letter][k] for letter in GATES[name] if letter in held}
        free = all(value is None for value in here.values())
        states.append(cell(x, states[-1]) if free else by_equation(name, rows, x[0, 0], states[-1], here))
    last = states[case["step"]][0, 0, 0]
    now = case["step"]
    grads = torch.autograd.grad(last, states[1 : now + 1] + inputs[:now], allow_unused=True, retain_graph=True)
    grads = [torch.zeros(1, 1, 1) if g is None else g for g in grads]
    values = torch.stack(states[1:])[:, 0, :, 0].detach().numpy()
    return values, torch.stack(grads[:now])[:, 0, :, 0].numpy(), np.array([g.item() for g in grads[now:]])


def differs(case: dict, answer: dict) -> str | None:
    """The first thing in which the widget's answer differs from the package and from torch's gradient, or None."""
    states, reach, at_x = expected(case, case["cell"])
    steps = answer["steps"]
    if not np.allclose([s["after"] for s in steps], states, atol=1e-10):
        return f"{case['cell']} states: {[s['after'] for s in steps]}, package {states.tolist()}"
    if not np.allclose([r["state"] for r in answer["reach"]], reach, atol=1e-10):
        return f"{case['cell']} gradient at the states: {answer['reach']}, torch {reach.tolist()}"
    if not np.allclose([r["x"] for r in answer["reach"]], at_x, atol=1e-10):
        return f"{case['cell']} gradient at x: {answer['reach']}, torch {at_x.tolist()}"
    if not np.allclose([r["state"] for r in answer["other_reach"]], expected(case, answer["other"])[1], atol=1e-10):
        return f"the gradient of {answer['other']}"
    for k, seen in enumerate(steps):
        if not np.isclose(seen["kept"] + seen["fresh"], seen["after"][-1]):
            return f"kept and new at click {k + 1} do not add up"
        if seen["before"] != (steps[k - 1]["after"] if k else [0.0] * states.shape[1]):
            return f"the state before click {k + 1}"
        for letter, gate in seen["gates"].items():
            held = case["held"].get(letter, [None] * len(steps))[k]
            if gate["held"] != (held is not None) or (held is not None and gate["value"] != held):
                return f"gate {letter} at click {k + 1}: {gate}, held {held}"
        if "parts" in seen and not np.isclose(sum(seen["parts"]), seen["jacobian"][0][0]):
            return f"the parts of the factor at click {k + 1}"
    return None


# ---- the arithmetic --------------------------------------------------------------------------------------------------
def test_the_widget_computes_the_packages_states_and_torchs_gradients(tmp_path):
    cases = random_cases(400)
    answers = node_compute(cases, SOURCE, tmp_path)
    assert [m for m in map(differs, cases, answers) if m] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("U * h + b + d;", "U * h - b + d;"),
        ("sigmoid(total)", "sigmoid(-total)"),
        ("held === null ? value * (1 - value) : 0", "value * (1 - value)"),  # a held gate still has a slope
        ("U * h : U * h + d;", "U * h : U * h;"),  # torch's second bias stands inside the reset
        ("r.value * product)", "r.value + product)"),
        ("const fresh = paper ? z.value : 1 - z.value", "const fresh = z.value"),  # one meaning of z for both
        ("turn = paper ? 1 : -1", "turn = 1"),
        ("(candidate - h) * z.by_h", "(candidate + h) * z.by_h"),
        ("bend * (W + product * r.by_x)", "bend * (W - product * r.by_x)"),
        ("fresh * bend * product * r.by_h", "fresh * product * r.by_h"),
        ("f.by_h * c + i.by_h", "f.by_h * c - i.by_h"),
        ("[c_by_h, f.value]", "[f.value, c_by_h]"),  # transposed
        ("open * c_by_x + o.by_x * shown", "open * c_by_x"),
        ("jacobian[j][k]", "jacobian[k][j]"),
        ("bend = 1 - after * after", "bend = 1 + after * after"),
        ("(k === 0 ? 1 : 0)", "1"),
        ('["o", 3]', '["o", 1]'),
        ("state = seen.after", "state = before"),
    ],
)
def test_a_wrong_rule_in_the_javascript_is_caught(tmp_path, right, wrong):
    assert right in SOURCE
    cases = random_cases(48)
    answers = node_compute(cases, SOURCE.replace(right, wrong, 1), tmp_path)
    assert any(map(differs, cases, answers))


def test_the_parts_of_the_factor_are_what_they_are_called(tmp_path):
    """With both gates held where the cell had put them, straight and candidate are all that is left."""
    for cell in ("gru-paper", "gru"):
        case = random_cases(1, seed=3)[0] | {"cell": cell}
        (free,) = node_compute([case], SOURCE, tmp_path)
        held = {letter: [s["gates"][letter]["value"] for s in free["steps"]] for letter in "rz"}
        (fixed,) = node_compute([case | {"held": held}], SOURCE, tmp_path)
        for a, b in zip(free["steps"], fixed["steps"], strict=True):
            assert b["jacobian"][0][0] == close(a["parts"][0] + a["parts"][1])
            keep = a["gates"]["z"]["value"] if cell == "gru" else 1 - a["gates"]["z"]["value"]
            assert a["parts"][0] == close(keep)


def test_the_still_picture_and_the_text_show_the_same():
    for case in random_cases(80, seed=1):
        held = case["held"] | {"z": [0.0, 1.0] + [None] * (len(case["clicks"]) - 2)}  # the ends, too
        case = case | {"held": held}
        name, now = case["cell"], case["step"]
        states, reach = played(case["clicks"], name, case["weights"][name], held, now)
        known, known_reach, _ = expected(case, name)
        np.testing.assert_allclose(states, known[:now], atol=1e-10)
        np.testing.assert_allclose(reach, known_reach, atol=1e-10)


def opening(tmp_path, **arguments) -> dict:
    """What the page draws when this widget opens."""
    widget = widgets.Gates(**arguments)
    state = {name: getattr(widget, name) for name in ("clicks", "cell", "weights", "held", "step")}
    return node_compute([state], SOURCE, tmp_path)[0]


# ---- what it is there to show ----------------------------------------------------------------------------------------
def test_the_opening_gru_keeps_the_tent_and_the_rnn_does_not(tmp_path):
    gru, rnn = (opening(tmp_path, cell=cell, step=8) for cell in ("gru-paper", "rnn"))
    assert gru["steps"][7]["after"][0] > 0.8 * gru["steps"][0]["after"][0]
    assert rnn["steps"][7]["after"][0] < 0.3 * rnn["steps"][0]["after"][0]
    assert gru["reach"][0]["state"][0] > 5 * rnn["reach"][0]["state"][0]


def test_a_shut_update_gate_passes_the_whole_gradient(tmp_path):
    shut = opening(tmp_path, held={"z": [1] + [0] * 7}, step=8)
    assert {s["after"][0] for s in shut["steps"]} == {shut["steps"][0]["after"][0]}
    assert [r["state"] for r in shut["reach"]] == [[1]] * 8


def test_the_same_z_means_the_opposite_in_torchs_form(tmp_path):
    paper, torchs = (opening(tmp_path, cell=cell, held={"z": 0.05}) for cell in ("gru-paper", "gru"))
    assert paper["steps"][3]["parts"][0] == close(0.95)
    assert torchs["steps"][3]["parts"][0] == close(0.05)


# ---- the object ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", list(WEIGHTS))
def test_a_cell_of_ones_own_brings_its_weights(name, tmp_path):
    torch.manual_seed(0)
    cell = cells.CELLS[name](1, 1)
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    answer = opening(tmp_path, cell=cell, step=8)
    state = cell.zeros(1)
    for _, x in widgets.Gates().clicks:
        state = cell(torch.tensor([[x]]), state)
    assert answer["steps"][-1]["after"] == close(state.flatten().tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clicks": 5}, "clicks=5: must be pairs (item, x)"),
        ({"clicks": "ab"}, "clicks='ab': must be pairs"),
        ({"clicks": [1, 2]}, "clicks[0]=1: must be a pair"),
        ({"clicks": [("a", 1), ("b", 4)]}, "clicks[1]: x=4: must be a number from -3 to 3"),
        ({"clicks": [("a", 1), ("b", float("nan"))]}, "clicks[1]: x=nan"),
        ({"clicks": [("a", 1)]}, "clicks has 1 clicks: the picture takes 2 to 12"),
        ({"cell": "grru"}, "cell='grru': must be one of gru-paper, gru, lstm, rnn"),
        ({"cell": 3}, "cell=3"),
        ({"cell": cells.RNNCell(2, 1)}, "must be a cell of gru4rec_lite.cells with one input and one unit"),
        ({"cell": cells.RNNCell(None, 1)}, "with one input and one unit"),
        ({"held": 0.5}, "held=0.5: must give values of gates"),
        ({"held": {"q": 0.5}}, "held['q']: there is no such gate"),
        ({"held": {"z": 1.5}}, "held['z']=1.5: must be numbers from 0 to 1"),
        ({"held": {"z": "1"}}, "held['z']='1'"),
        ({"held": {"z": [0.5]}}, "held['z'] has 1 values: must be one for each of the 8 clicks"),
        ({"step": 0}, "step=0: must be a whole number of at least 1"),
        ({"step": True}, "step=True"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        widgets.Gates(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("step", 0, "step=0"), ("cell", "x", "cell='x'"), ("held", {"z": [2]}, "held['z']"),
        ("weights", {}, "weights['gru-paper']"),
    ],
)  # fmt: skip
def test_a_later_wrong_value_is_refused_and_changes_nothing(name, value, message):
    widget = widgets.Gates()
    before = getattr(widget, name)
    with pytest.raises(ValueError, match=re.escape(message)):
        setattr(widget, name, value)
    assert getattr(widget, name) == before


def test_the_text_form_says_what_is_shown_and_follows_it():
    widget = widgets.Gates()
    assert repr(widget) == repr(widgets.Gates())
    assert "a GRU (paper) after click 6 of 8: h was 0.74, 0.71, 0.68, 0.66, 0.65, 0.63; 0.75 of its gradient" in repr(
        widget
    )
    widget.held = {"z": [0.0] * 8}
    assert "z held by the reader: h was 0.00, 0.00" in repr(widget)
    widget.step = 1
    assert "after click 1 of 8" in repr(widget)
    assert "no click is before it" in repr(widget)


@pytest.mark.parametrize("cell", list(WEIGHTS))
def test_a_picture_is_drawn_where_notebooks_are_refreshed_and_moves_with_the_widget(monkeypatch, cell):
    monkeypatch.setenv("BOOK_POSTERS", "1")
    widget = widgets.Gates(cell=cell)
    first, again = (widget._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert base64.b64decode(first).startswith(b"\x89PNG")
    assert first == again
    widget.step += 1
    assert widget._repr_mimebundle_()[0]["image/png"] != first


def test_a_saved_page_holds_all_that_the_widget_draws_from():
    state = widgets.Gates(held={"z": 0.5}).get_state()
    assert (state["_esm"], state["_css"]) == (SOURCE, _base.source("gates.css"))
    assert (state["cell"], state["step"], state["held"]) == ("gru-paper", 6, {"z": [0.5] * 8})
    assert (len(state["clicks"]), list(state["weights"])) == (8, list(WEIGHTS))
