"""The Losses widget where readers meet it: in the static page of chapter 08, moved by real keys and by a pointer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from in_page import COMPUTE, first_widget, press

from gru4rec_lite import losses
from gru4rec_lite.museum.losses import saturated_cross_entropy
from gru4rec_lite.widgets.losses import COUNTS, NAMES

PAGE = "08_losses.html"
PAPER = ["cross-entropy", "bpr", "top1"]


@pytest.fixture
def widget(page):
    """The first Losses widget of the chapter, at rest, without motion."""
    page.emulate_media(reduced_motion="reduce")
    return first_widget(page, PAGE, "losses")


def bar(widget, whose: str):
    return widget.get_by_role("slider", name=f"score of {whose}", exact=True)


def choose(widget, label: str, option: str) -> None:
    widget.get_by_label(label, exact=True).select_option(option)


def set_score(widget, whose: str, score: float) -> None:
    """By keyboard only: from a bar's end, and each key moves it by a tenth."""
    bar(widget, whose).focus()
    end, way = ("Home", "ArrowRight") if score < 0 else ("End", "ArrowLeft")
    press(widget.page, end, *[way] * round(10 * (10 - abs(score))))


def read(text: str) -> float:
    return float({"not a number": "nan", "∞": "inf", "–": "nan"}.get(text, text.replace("−", "-").replace(",", "")))


def rows(widget) -> dict[str, tuple[float, float]]:
    """Score and gradient of each row: target, 1, 2, …, added."""
    found = widget.locator(".g4r-force[data-score]").all()
    return {
        row.get_attribute("data-score"): (read(row.locator("output").inner_text()), read(row.locator("b").inner_text()))
        for row in found
    }


def table(widget, which: str) -> list[float]:
    return [read(cell.inner_text()) for cell in widget.locator(f'tr[data-row="{which}"] td').all()]


def line(widget, term: str) -> str:
    return widget.locator(f'[data-term="{term}"] code').inner_text()


def by_torch(name: str, scores: list[float], **settings) -> tuple[float, list[float]]:
    """The package's loss and torch's gradient; the target stands first."""
    row = torch.tensor([scores], dtype=torch.float64, requires_grad=True)
    value = losses.LOSSES[name](row, torch.tensor([[False, *[True] * (len(scores) - 1)]]), **settings)
    value.sum().backward()
    return value.item(), row.grad[0].tolist()


def near(expected):
    return pytest.approx(expected, abs=6e-4, nan_ok=True)


def agrees(widget, loss: str, added: int, bpreg: float = 0.0, compared: list[str] = PAPER) -> None:
    """Every number of the bars, the equation and the table against torch."""
    shown = rows(widget)
    own = [score for key, (score, _) in shown.items() if key != "added"]
    everything = [*own, *[shown["added"][0]] * added]
    hardest = 1 + int(np.argmax(own[1:]))
    assert [row.get_attribute("data-row") for row in widget.locator("tr[data-row]").all()][: len(compared)] == compared
    for name in compared:
        settings = {"bpreg": bpreg} if name == "bpr-max" else {}
        value, gradient = by_torch(name, everything, **settings)
        assert table(widget, name) == near([value, gradient[0], gradient[hardest], sum(gradient)])
        if name == loss:
            each = gradient[: len(own)] + ([gradient[-1]] if added else [float("nan")])
            assert [g for _, g in shown.values()] == near(each)
            assert read(line(widget, "loss").split("= ")[-1]) == near(value)
            assert f"{NAMES[name]} is {value:.3f}." in widget.get_by_role("status").inner_text()


# ---- the numbers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(2))
def test_moved_by_keys_it_shows_what_torch_computes(widget, seed):
    rng = np.random.default_rng(seed)
    n = 2 + 2 * seed
    widget.get_by_role("slider", name="Negatives", exact=True).focus()
    press(widget.page, "Home", *["ArrowRight"] * (n - 1))
    whose = ["the target", *(f"negative {j}" for j in range(1, n + 1)), "the added negatives"]
    wanted = [*rng.integers(-40, 50, n + 1) / 10, -3.5]
    for name, score in zip(whose, wanted, strict=True):
        set_score(widget, name, score)
    assert [score for score, _ in rows(widget).values()] == pytest.approx(wanted)
    assert widget.get_by_label("Scores", exact=True).input_value() == "own"
    more = widget.get_by_role("slider", name="Negatives added")
    for added in (0, 64):
        more.focus()
        press(widget.page, "Home", *["ArrowRight"] * COUNTS.index(added))
        for loss in losses.LOSSES:
            choose(widget, "Loss", loss)
            agrees(widget, loss, added, compared=PAPER if loss in PAPER else list(losses.LOSSES))


def test_a_pull_to_zero_is_turned_up_in_bpr_max_only(widget):
    pull = widget.get_by_role("slider", name="λ (bpreg)")
    assert not pull.is_visible()
    choose(widget, "Loss", "bpr-max")
    pull.focus()
    press(widget.page, "Home", *["ArrowRight"] * 7)
    agrees(widget, "bpr-max", 0, bpreg=0.7, compared=list(losses.LOSSES))


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_the_equation_shows_the_touched_scores_term_and_gradient(widget, loss):
    choose(widget, "Loss", loss)
    settings = {"bpreg": 0.0} if loss == "bpr-max" else {}
    assert widget.locator(".g4r-on").get_attribute("data-term") == "loss"
    for row, whose in enumerate(["the target", "negative 1", "negative 2", "negative 3"]):
        bar(widget, whose).focus()
        marked = [term.get_attribute("data-term") for term in widget.locator(".g4r-on").all()]
        assert marked == (["term", "gradient"] if row or loss == "cross-entropy" else ["gradient"])
        assert read(line(widget, "gradient").split("= ")[-1]) == near(by_torch(loss, [1, 2, 0, -1], **settings)[1][row])
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    if loss == "top1":
        assert line(widget, "term") == "σ(−1 − 1) + σ((−1)²) = 0.119 + 0.731 = 0.850"
        assert sigmoid(-2) + sigmoid(1) == pytest.approx(0.850, abs=5e-4)
    if loss == "bpr":
        assert line(widget, "term") == "−ln σ(1 + 1) = 0.127"
        assert -np.log(sigmoid(2)) == pytest.approx(0.127, abs=5e-4)


@pytest.mark.parametrize("preset", ["ahead", "top", "equal", "far"])
def test_presets(widget, preset):
    choose(widget, "Scores", preset)
    for loss in PAPER:
        choose(widget, "Loss", loss)
        agrees(widget, loss, 0)
    target, first, *_ = [score for score, _ in rows(widget).values()]
    holds = {"ahead": target < first, "top": target > first, "equal": target == first, "far": target < first - 100}
    assert holds[preset]


def test_the_cross_entropy_of_32_bits_is_torchs(widget):
    ways = {
        "stable": losses.cross_entropy, "guarded": saturated_cross_entropy,
        "plain": lambda scores, _: -scores.softmax(dim=1).diagonal().log(),
    }  # fmt: skip
    choose(widget, "Scores", "far")
    for target in (-110, -60, -40):
        bar(widget, "the target").focus()
        press(widget.page, "Home", *["ArrowRight"] * (150 + target))
        for name, loss in ways.items():
            scores = torch.tensor([[target, 0.0, -1.0, -2.0]], requires_grad=True)
            value = loss(scores, torch.tensor([[False, True, True, True]]))
            value.sum().backward()
            assert table(widget, name) == near([value.item(), scores.grad[0, 0].item()])
    choose(widget, "Loss", "bpr")
    assert not widget.get_by_text("Cross-entropy in 32 bits").is_visible()


def test_the_curves_say_what_is_left_of_the_push(widget):
    widget.get_by_role("slider", name="Negatives added").press("End")
    told = [
        widget.locator(f'[data-picture="{name}"] svg').get_attribute("aria-label").replace("−", "-")
        for name in ("up", "down")
    ]
    for name in PAPER:
        _, few = by_torch(name, [1, 2, 0, -1])
        _, many = by_torch(name, [1, 2, 0, -1, *[-8] * 2048])
        assert f"{NAMES[name]} {-few[0]:.3f}, with 2,048 added " in told[0]
        assert f"{NAMES[name]} {few[1]:.3f}, with 2,048 added " in told[1]
        parts = [next(p for p in text.split(". ", 1)[1].rstrip(".").split("; ") if NAMES[name] in p) for text in told]
        assert [float(p.split("added ")[1]) for p in parts] == pytest.approx([-many[0], many[1]], abs=5e-4, rel=0.06)
    agrees(widget, "cross-entropy", 2048)
    assert widget.get_by_role("status").inner_text().endswith(", with 2,048 negatives added.")


def test_step_follows_the_gradient_and_reset_comes_back(widget):
    before = [score for score, _ in rows(widget).values()]
    widget.get_by_role("button", name="Step").focus()
    press(widget.page, "Enter")
    _, gradient = by_torch("cross-entropy", [1, 2, 0, -1])
    after = [score for score, _ in rows(widget).values()]
    assert after[:4] == pytest.approx(np.array([1, 2, 0, -1]) - gradient, abs=6e-3)
    assert after[4] == -8  # none is added, so none is pushed
    widget.get_by_role("button", name="Reset").focus()
    press(widget.page, "Enter")
    assert [score for score, _ in rows(widget).values()] == before


def test_top1_played_pulls_the_negatives_to_zero(page):
    page.clock.install()
    widget = first_widget(page, PAGE, "losses", loss="top1", target=1, negatives=[1, 1, 1])
    widget.get_by_role("button", name="Play").press("Enter")
    page.clock.run_for(2300)
    shown = [score for score, _ in rows(widget).values()]
    assert shown[0] > 1.1
    assert max(shown[1:4]) < 0.9


def test_a_bar_follows_the_pointer(widget):
    target = bar(widget, "the target")
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    middle, mouse = box["y"] + box["height"] / 2, widget.page.mouse
    mouse.move(box["x"] + 0.55 * box["width"], middle)
    mouse.down()
    mouse.move(box["x"] + 0.9 * box["width"], middle, steps=8)
    mouse.up()
    assert rows(widget)["target"][0] == pytest.approx(8, abs=0.5)
    agrees(widget, "cross-entropy", 0)


def differences(page, source: str) -> int:
    """How many of 40 random cases the given JavaScript answers otherwise than torch."""
    rng, cases = np.random.default_rng(0), []
    for i in range(40):
        target, low, *negatives = rng.uniform(-1, 1, 2 + rng.integers(1, 8)) * (2, 10, 150)[i % 3]
        cases.append({"target": target, "low": low, "negatives": negatives, "added": 4 * (i % 2), "bpreg": i % 3 / 2})
    wrong = 0
    for case, answer in zip(cases, page.evaluate(COMPUTE, [source, cases]), strict=True):
        scores, found, expected = [case["target"], *case["negatives"], *[case["low"]] * case["added"]], [], []
        for name in losses.LOSSES:
            settings = {"bpreg": case["bpreg"]} if name == "bpr-max" else {}
            value, gradient = by_torch(name, scores, **settings)
            seen = answer["losses"][name]
            found += [seen["value"], seen["gradient"]["target"], *seen["gradient"]["each"][: len(case["negatives"])]]
            expected += [value, *gradient[: 1 + len(case["negatives"])]]
        wrong += not np.allclose(found, expected, atol=1e-9)
    return wrong


# ---- controls and words ----------------------------------------------------------------------------------------------
def test_a_bar_keeps_the_focus_and_tells_its_gradient(widget):
    hard = bar(widget, "negative 1")
    assert hard.get_attribute("aria-valuetext") == "2, gradient +0.644, pushed down"
    hard.focus()
    press(widget.page, "ArrowRight")
    assert hard.get_attribute("aria-valuetext").startswith("2.1, gradient +0.6")
    assert bar(widget, "the added negatives").get_attribute("aria-valuetext") == "−8, none added yet"
    assert widget.page.evaluate("document.activeElement.getAttribute('aria-label')") == "score of negative 1"


def test_bars_reach_further_where_the_scores_do(widget):
    reach = widget.get_by_label("Bars reach")
    choose(widget, "Scores", "far")
    assert reach.input_value() == "150"
    assert bar(widget, "the target").get_attribute("min") == "-150"
    choose(widget, "Scores", "top")
    assert reach.input_value() == "10"
    reach.select_option("150")
    assert bar(widget, "the target").get_attribute("max") == "150"


def test_the_status_says_in_words_what_happens(widget):
    status = widget.get_by_role("status")
    assert status.inner_text() == (
        "Cross-entropy is 1.440. A step of training pushes the target up (gradient −0.763) and negative 1, the "
        "hardest, down (+0.644)."
    )
    choose(widget, "Loss", "top1")
    choose(widget, "Scores", "far")
    assert "pushes the target hardly at all" in status.inner_text()


# ---- looks -----------------------------------------------------------------------------------------------------------
def test_arrows_point_against_the_gradient(widget):
    """The target to the right, the hardest negative to the left: where the tips are, not what the text says."""
    tip = """(row) => {
        const [picture, tip] = ["svg", ".g4r-tip"].map((of) => row.querySelector(of).getBoundingClientRect());
        const middle = (picture.left + picture.right) / 2;
        return [tip.left - middle, tip.right - middle].map((x) => (2 * x) / picture.width);
    }"""
    target, hard = (widget.locator(f'[data-score="{key}"]').evaluate(tip) for key in ("target", "1"))
    assert max(target) == pytest.approx(0.763, abs=0.05)
    assert min(hard) == pytest.approx(-0.644, abs=0.05)


def test_readers_own_scores_are_drawn(page):
    """Scores off the bars' steps and beyond ±10, all eight negatives."""
    negatives = [0.123, 12.5, -3, 4, 5, 6, 7, 8]
    state = {"target": 0.456, "negatives": negatives, "loss": "top1-max", "added": 1, "low": -20, "bpreg": 1}
    widget = first_widget(page, PAGE, "losses", **state)
    texts = widget.locator(".g4r-force output").all_text_contents()
    assert texts == ["0.46", "0.12", "12.5", "−3", "4", "5", "6", "7", "8", "−20"]
    assert widget.get_by_label("Scores", exact=True).locator("option").first.text_content() == "as at first"
