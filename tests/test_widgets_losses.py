"""The Losses widget: its JavaScript under node, against the package and torch's autograd; its Python side."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import torch
from test_widgets import node_compute

from gru4rec_lite import losses, widgets
from gru4rec_lite.museum.losses import saturated_cross_entropy
from gru4rec_lite.widgets import _base
from gru4rec_lite.widgets.losses import COUNTS

SOURCE = _base.source("_losses_math.js", "losses.js")
CURVE = (0, 1, 64, 2048)  # the counts at which the curves are compared
FLOAT32 = {
    "stable": losses.cross_entropy,
    "plain": lambda scores, _: -scores.softmax(dim=1)[:, 0].log(),
    "guarded": saturated_cross_entropy,
}


def random_cases(n: int, seed: int = 0) -> list[dict]:
    """States with scores of all sizes, also far beyond what an exponential takes, and some that are equal."""
    rng, cases = np.random.default_rng(seed), []
    for i in range(n):
        size = (1, 5, 40, 150)[i % 4]
        target, low, *negatives = rng.uniform(-size, size, 2 + rng.integers(1, 9)).round(int(i % 3)).tolist()
        cases.append(
            {
                "target": target, "negatives": negatives, "low": low, "added": int(rng.choice(COUNTS[:8])),
                "loss": "bpr", "bpreg": float(rng.choice([0, 0.3, 2])),
            }
        )  # fmt: skip
    return cases


def by_torch(loss, target: float, negatives: list[float], dtype=torch.float64, **settings) -> tuple[float, list[float]]:
    """Value and gradient on target and negatives."""
    scores = torch.tensor([[target, *negatives]], dtype=dtype, requires_grad=True)
    value = loss(scores, torch.tensor([[False, *[True] * len(negatives)]]), **settings)
    value.sum().backward()
    return value.item(), scores.grad[0].tolist()


def close(found, expected) -> bool:
    found = np.array([np.nan if x is None else x for x in np.ravel(found)], dtype=float)
    return np.allclose(found, np.ravel(expected), rtol=1e-9, atol=1e-9)


def differs(case: dict, answer: dict) -> str | None:
    """The first thing in which the widget's answer differs from the package and autograd, or None."""
    target, own = case["target"], case["negatives"]
    hardest = int(np.argmax(own))
    if answer["hardest"] != hardest:
        return f"hardest: {answer['hardest']}"
    for name, loss in losses.LOSSES.items():
        settings = {"bpreg": case["bpreg"]} if name == "bpr-max" else {}
        value, gradient = by_torch(loss, target, [*own, *[case["low"]] * case["added"]], **settings)
        seen = answer["losses"][name]
        each = gradient[
            1 : 1 + len(own) + (case["added"] > 0)
        ]  # the added ones are all alike: the first stands for them
        if not close(seen["value"], value):
            return f"{name}: {seen['value']}, torch {value}"
        if not close([seen["gradient"]["target"], *seen["gradient"]["each"]], [gradient[0], *each]):
            return f"{name}: {seen['gradient']}, torch {gradient[0], *each}"
        if not close(seen["gradient"]["sum"], sum(gradient)):
            return f"{name}: sum {seen['gradient']['sum']}, torch {sum(gradient)}"
        for count in CURVE:
            point = answer["curve"][COUNTS.index(count)]
            _, gradient = by_torch(loss, target, [*own, *[case["low"]] * count], **settings)
            if point["added"] != count or not close(list(point[name].values()), [-gradient[0], gradient[1 + hardest]]):
                return f"{name}: {point} with {count} added, torch {-gradient[0], gradient[1 + hardest]}"
    return None


def differs_in_32_bits(target: float, negatives: list[float], seen: dict) -> str | None:
    """The first of the three cross-entropies that is not what torch makes of it in 32 bits, or None."""
    for name, loss in FLOAT32.items():
        value, gradient = by_torch(loss, target, negatives, torch.float32)
        found = np.array([np.nan if x is None else x for x in seen[name].values()], dtype=float)
        expected = [value if np.isfinite(value) else np.nan, gradient[0]]  # JSON has no infinity
        if not np.allclose(found, expected, rtol=2e-4, atol=2e-6, equal_nan=True):
            return f"{name} of {target}, {negatives}: {found}, torch {expected}"
    return None


# ---- the arithmetic --------------------------------------------------------------------------------------------------
def test_the_widget_agrees_with_the_package_and_autograd(tmp_path):
    cases = random_cases(80)
    assert [m for m in map(differs, cases, node_compute(cases, SOURCE, tmp_path)) if m] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ahead: sigmoid(score - target)", "ahead: sigmoid(target - score)"),
        ("sigmoid(score ** 2)", "sigmoid(score)"),
        ("pull: 2 * score", "pull: -2 * score"),
        ("logWin: -softplus", "logWin: softplus"),
        ("Math.exp(score - rivals)", "Math.exp(score - all)"),  # the target in the softmax over the negatives
        ("loss(all - target, -sum", "loss(all - target, sum"),
        ("-sum((j) => j.ahead) / n", "sum((j) => j.ahead) / n"),
        ("(j.slope + j.pull) / n", "(j.slope - j.pull) / n"),
        ("(j) => j.ahead / n)", "(j) => j.ahead)"),  # summed where it should be averaged
        ("-logWins + bpreg", "-logWins - bpreg"),
        ("rivals + 2 * j.logWin", "rivals + j.logWin"),
        ("- top1Max + j.slope", "+ top1Max + j.slope"),
        ("counts[i] * Math.exp", "Math.exp"),  # all the added ones counted once
        ("up: -gradient", "up: gradient"),
        ("indexOf(Math.max(", "indexOf(Math.min("),
    ],
)
def test_a_flipped_sign_in_the_javascript_is_caught(tmp_path, right, wrong):
    assert SOURCE.count(right) == 1
    cases = random_cases(12)
    assert any(map(differs, cases, node_compute(cases, SOURCE.replace(right, wrong), tmp_path)))


def in_32_bits(folder, javascript: str) -> list[str]:
    """What of the three cross-entropies is not as in torch, at the scores themselves and along the curves."""
    cases = [case | {"added": min(case["added"], 4)} for case in random_cases(60, seed=3)]
    wrong = []
    for case, answer in zip(cases, node_compute(cases, javascript, folder), strict=True):
        negatives = [*case["negatives"], *[case["low"]] * case["added"]]
        best = max(case["negatives"])
        points = [(case["target"], answer["float32"])]
        points += [(best - seen["below"], seen) for seen in answer["falling"][::13]]
        for target, seen in points:
            # from about 87 below, a processor may keep or drop the last few bits: there it may differ
            if not 86 < max(negatives) - target < 105:
                wrong.append(differs_in_32_bits(target, negatives, seen))
    return [m for m in wrong if m]


def test_three_cross_entropies_are_rounded_as_torch_rounds_them(tmp_path):
    assert in_32_bits(tmp_path, SOURCE) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("round(-1 / inside)", "round(1 / inside)"),
        ("round(p + 1e-24)", "round(p + 1e-12)"),
        ("round(target - all)", "round(all - target)"),
        ("round = Math.fround", "round = (x) => x"),  # 64 bits never round to 0 here
    ],
)
def test_a_wrong_rounding_is_caught(tmp_path, right, wrong):
    assert SOURCE.count(right) == 1
    assert in_32_bits(tmp_path, SOURCE.replace(right, wrong))


def test_the_unguarded_form_dies_and_the_guarded_one_falls_asleep(tmp_path):
    """The check of B18: 60 below two others, a loss of 60.693 and a gradient of -1; and further down."""
    state = {"added": 0, "low": -8, "bpreg": 0, "loss": "bpr", "negatives": [0, 0]}
    near, far = node_compute([state | {"target": -60}, state | {"target": -110}], SOURCE, tmp_path)
    assert near["float32"]["stable"] == {"value": pytest.approx(60.693, abs=1e-3), "gradient": -1}
    assert near["float32"]["guarded"]["gradient"] == pytest.approx(-0.00436, abs=1e-4)
    assert near["float32"]["plain"]["gradient"] == pytest.approx(-1, abs=1e-5)
    assert far["float32"]["plain"] == {"value": None, "gradient": None}  # infinite, and not a number
    assert far["float32"]["guarded"] == {"value": pytest.approx(55.262, abs=1e-3), "gradient": 0}
    assert far["float32"]["stable"]["gradient"] == -1
    assert far["losses"]["bpr"]["gradient"]["target"] == pytest.approx(-1)
    assert abs(far["losses"]["top1"]["gradient"]["target"]) < 1e-40  # TOP1 gives up on what is hopeless


def test_averaging_over_solved_negatives_starves_and_cross_entropy_stays(tmp_path):
    """What the notes of the widget and the chapter say of the opening state."""
    state = widgets.Losses().get_state()
    state = {name: state[name] for name in ("target", "negatives", "loss", "added", "low", "bpreg")}
    (answer,) = node_compute([state], SOURCE, tmp_path)
    first, last = answer["curve"][0], answer["curve"][-1]
    kept = {name: last[name]["up"] / first[name]["up"] for name in losses.LOSSES}
    assert max(kept["bpr"], kept["top1"]) < 0.003
    assert kept["cross-entropy"] > 1
    assert min(kept["bpr-max"], kept["top1-max"]) > 0.7


# ---- the object ------------------------------------------------------------------------------------------------------
def test_it_takes_numbers_of_any_kind():
    widget = widgets.Losses(np.float32(0.5), (x for x in (1, np.int64(2))), loss="bpr-max", added=np.int64(64))
    assert (widget.target, widget.negatives, widget.added) == (0.5, [1.0, 2.0], 64)
    assert json.dumps([widget.target, widget.negatives, widget.added]) == "[0.5, [1.0, 2.0], 64]"
    assert widget.compared() == list(losses.LOSSES)
    assert widgets.Losses(loss="top1").compared() == ["cross-entropy", "bpr", "top1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": float("nan")}, "target=nan: must be a number from -150 to 150"),
        ({"target": "1"}, "target='1'"),
        ({"target": True}, "target=True"),
        ({"target": 151}, "target=151"),
        ({"low": float("-inf")}, "low=-inf"),
        ({"negatives": 2.0}, "negatives=2.0: must be a list of scores"),
        ({"negatives": "12"}, "negatives='12': must be a list of scores"),
        ({"negatives": []}, "negatives has 0 scores: the picture takes 1 to 8"),
        ({"negatives": [0.0] * 9}, "negatives has 9 scores"),
        ({"negatives": [0.0, None]}, "negatives[1]=None: must be a number from -150 to 150"),
        ({"loss": "hinge"}, "loss='hinge': must be one of cross-entropy, bpr, top1, bpr-max, top1-max"),
        ({"loss": ["bpr"]}, "loss=['bpr']"),
        ({"added": -1}, "added=-1: must be a whole number from 0 to 2048"),
        ({"added": 3}, "added=3: must be 0 or a power of two up to 2048"),
        ({"added": 4.0}, "added=4.0"),
        ({"bpreg": 3}, "bpreg=3: must be a number from 0 to 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        widgets.Losses(**arguments)


def test_a_later_wrong_value_is_refused_and_changes_nothing():
    widget = widgets.Losses()
    with pytest.raises(ValueError, match="negatives has 0 scores"):
        widget.negatives = []
    assert widget.negatives == [2.0, 0.0, -1.0]


def test_the_text_form_says_what_is_shown_and_follows_it():
    widget = widgets.Losses()
    assert repr(widget) == repr(widgets.Losses())
    total = np.exp([1, 2, 0, -1]).sum()
    p = np.exp([1, 2]) / total
    assert f"is {-np.log(p[0]):.3f}, its gradient {p[0] - 1:+.3f} on the target and {p[1]:+.3f} on" in repr(widget)
    assert "BPR 0.37, 0.00067" in repr(widget)
    widget.loss = "top1-max"
    assert "TOP1-max with 0 negatives added" in repr(widget)
    assert "BPR-max 0.55" in repr(widget)


def test_a_picture_is_drawn_where_notebooks_are_refreshed_and_moves_with_the_widget(monkeypatch):
    monkeypatch.setenv("BOOK_POSTERS", "1")
    widget = widgets.Losses()
    first, again = (widget._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert base64.b64decode(first).startswith(b"\x89PNG")
    assert first == again
    widget.negatives = [0.0]
    assert widget._repr_mimebundle_()[0]["image/png"] != first


def test_a_saved_page_holds_all_that_the_widget_draws_from():
    state = widgets.Losses(added=8).get_state()
    assert (state["_esm"], state["_css"]) == (SOURCE, _base.source("losses.css"))
    shown = [state[name] for name in ("target", "negatives", "loss", "added", "low", "bpreg")]
    assert shown == [1.0, [2.0, 0.0, -1.0], "cross-entropy", 8, -8.0, 0.0]


def test_it_needs_no_other_host_and_only_the_plain_model():
    assert set(re.findall(r"https?://[^\"'`\s]+", SOURCE)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"^\s*import\b|\bimport\(|\brequire\(|\bfetch\(", SOURCE, re.MULTILINE)
    assert set(re.findall(r"\bmodel\.(\w+)", SOURCE)) <= {"get", "set", "save_changes", "on", "off"}
