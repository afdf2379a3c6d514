"""The Ranking widget where readers meet it: in the static page of chapter 02, moved by real keys and by a pointer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from in_page import COMPUTE, first_widget, press

from gru4rec_lite import metrics
from gru4rec_lite.widgets.ranking import SHOP, expected_recall, ranked

PAGE = "02_ranking.html"


@pytest.fixture
def widget(page):
    """The first Ranking widget of the chapter, at rest, without motion."""
    page.emulate_media(reduced_motion="reduce")
    return first_widget(page, PAGE, "ranking")


def bar(widget, item: str):
    return widget.get_by_role("slider", name=f"score of {item}", exact=True)


def set_scores(widget, scores: dict[str, float]) -> None:
    """By keyboard only: a bar's least score is 0, and each key moves it by a half."""
    for item, score in scores.items():
        bar(widget, item).focus()
        press(widget.page, "Home", *["ArrowRight"] * int(2 * score))


def shown(widget) -> dict[str, float]:
    """The scores that the bars tell."""
    rows = widget.locator(".g4r-bar").all()
    return {row.get_attribute("data-item"): float(row.locator("output").inner_text()) for row in rows}


def listed(widget, which: int = 0) -> list[str]:
    """Items of the ranked list (0) or of the sample (1), from the top."""
    return [line.get_attribute("data-item") for line in widget.locator("ol").nth(which).locator("li").all()]


def value(widget, name: str) -> str:
    return widget.locator(f'[data-value="{name}"]').inner_text()


def result(widget, name: str) -> float:
    """What stands behind the last = of a line of 'What it earns'."""
    return float(value(widget, name).split("=")[-1])


def rules(widget) -> dict[str, list[float]]:
    rows = widget.locator("tr[data-rule]").all()
    return {
        row.get_attribute("data-rule"): [float(cell.inner_text()) for cell in row.locator("td").all()] for row in rows
    }


def package(scores: dict[str, float], target: str, k: int, ties: str) -> list[float]:
    """Rank, Recall@k and MRR@k of the package."""
    row = torch.tensor([list(scores.values())], dtype=torch.float64)
    rank = metrics.rank_of_target(row, torch.tensor([list(scores).index(target)]), ties).numpy()
    return [rank.item(), metrics.recall_at(rank, k).item(), metrics.mrr_at(rank, k).item()]


# ---- the numbers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(3))
def test_moved_by_keys_it_shows_what_the_package_ranks(widget, seed):
    rng = np.random.default_rng(seed)
    items = list(SHOP)
    set_scores(widget, dict(zip(rng.permutation(items)[:5].tolist(), rng.integers(3, 7, 5).tolist(), strict=True)))
    target, k, n_sampled = str(rng.choice(items)), int(rng.integers(2, 10)), int(rng.integers(2, 9))
    widget.get_by_label("Clicked").select_option(target)
    for name, steps in (("List length k", k), ("Sampled negatives n", n_sampled)):
        widget.get_by_role("slider", name=name).focus()
        press(widget.page, "Home", *["ArrowRight"] * (steps - 1))
    for ties in metrics.TIES:
        widget.get_by_label("Ties").select_option(ties)
        scores = shown(widget)
        rank, recall, mrr = package(scores, target, k, ties)
        assert result(widget, "rank") == rank
        assert result(widget, "recall") == recall
        assert value(widget, "mrr").startswith("1 / " if recall else "0, since")
        assert listed(widget) == ranked(scores, target, ties)
        assert float(value(widget, "full-recall")) == recall
        assert float(value(widget, "full-mrr")) == pytest.approx(mrr, abs=0.005)
        expected = expected_recall(scores, target, k, ties, n_sampled)
        assert float(value(widget, "expected-recall")) == pytest.approx(expected, abs=0.005)
        sample = listed(widget, 1)
        assert len(sample) == n_sampled + 1
        assert result(widget, "sample") == package({i: scores[i] for i in sample}, target, k, ties)[0]
    for rule, cells in rules(widget).items():
        assert cells == pytest.approx(package(scores, target, k, rule), abs=0.005)


def test_equal_scores_earn_nothing_or_everything(widget):
    widget.get_by_label("Scores").select_option(label="all scores equal")
    assert set(shown(widget).values()) == {5.0}
    assert rules(widget) == {"conservative": [12, 0, 0], "median": [6.5, 0, 0], "standard": [1, 1, 1]}


def test_a_bar_follows_the_pointer(widget):
    lamp = bar(widget, "lamp")
    lamp.scroll_into_view_if_needed()
    box = lamp.bounding_box()
    middle = box["y"] + box["height"] / 2
    mouse = widget.page.mouse
    mouse.move(box["x"] + 0.7 * box["width"], middle)
    mouse.down()
    mouse.move(box["x"] + 0.97 * box["width"], middle, steps=8)
    mouse.up()
    assert shown(widget)["lamp"] >= 9.5
    assert result(widget, "rank") == 1
    assert listed(widget)[0] == "lamp"
    assert widget.get_by_label("Scores").input_value() == "own"
    widget.get_by_label("Scores").select_option(label="as at first")
    assert shown(widget) == SHOP


def test_a_sample_is_drawn_again_and_the_mean_over_all_stays(widget):
    again = widget.get_by_role("button", name="Draw again")
    again.focus()
    samples, means = set(), set()
    for _ in range(12):
        samples.add(tuple(sorted(listed(widget, 1))))
        means.add((value(widget, "expected-hits"), value(widget, "expected-recall")))
        press(widget.page, "Enter")
    assert len(samples) > 6
    # "lamp" is a miss only where the three that stand before it all come into the sample of five: C(8, 2) of C(11, 5)
    assert means == {("434", "0.94")}


def test_a_sample_of_all_others_is_the_full_ranking(widget):
    widget.get_by_role("slider", name="Sampled negatives n").press("End")
    assert listed(widget, 1) == listed(widget)
    assert result(widget, "sample") == result(widget, "rank")
    assert value(widget, "expected-recall") == value(widget, "full-recall")


def differences(page, source: str) -> int:
    """How many of 60 random cases the given JavaScript answers otherwise than the package."""
    rng = np.random.default_rng(0)
    cases = []
    for draw in range(60):
        names = [f"i{j}" for j in range(rng.integers(3, 12))]
        scores = (rng.integers(-3, 4, len(names)) / 2).tolist()
        cases.append(
            {
                "scores": [list(pair) for pair in zip(names, scores, strict=True)],
                "target": names[rng.integers(len(names))], "k": int(rng.integers(1, len(names) + 1)),
                "ties": metrics.TIES[draw % 3], "n_sampled": int(rng.integers(1, len(names))), "draw": draw,
            }
        )  # fmt: skip
    wrong = 0
    for case, answer in zip(cases, page.evaluate(COMPUTE, [source, cases]), strict=True):
        scores, rest = dict(case["scores"]), {name: case[name] for name in ("target", "k", "ties")}
        expected = expected_recall(scores, n_sampled=case["n_sampled"], **rest)
        seen = [answer["rank"], answer["hit"], answer["reciprocal"]]
        wrong += seen != package(scores, **rest) or abs(answer["expected"]["recall"] - expected) > 1e-9
    return wrong


# ---- controls and words ----------------------------------------------------------------------------------------------
def test_a_bar_keeps_the_focus_and_tells_its_place(widget):
    lamp = bar(widget, "lamp")
    assert lamp.get_attribute("aria-valuetext") == "7, rank 4"
    lamp.focus()
    press(widget.page, "ArrowRight")
    assert lamp.get_attribute("aria-valuetext") == "7.5, rank 3"
    assert bar(widget, "rope").get_attribute("aria-valuetext") == "7, place 4"
    assert widget.page.evaluate("document.activeElement.getAttribute('aria-label')") == "score of lamp"


def test_the_status_says_in_words_what_happens(widget):
    status = widget.get_by_role("status")
    assert status.inner_text() == (
        "lamp, the item clicked, is at rank 4 of 12: 2 items score higher and 1 has the same score. "
        "It is not among the first 3: a miss."
    )
    widget.get_by_label("Ties").select_option("median")
    assert "at rank 3.5 of 12" in status.inner_text()
    widget.get_by_label("Clicked").select_option("tent")
    assert status.inner_text() == (
        "tent, the item clicked, is at rank 2 of 12: 1 item scores higher. It is among the first 3: a hit."
    )


def test_the_line_that_a_control_touches_is_marked(widget):
    marked = lambda: [line.get_attribute("data-term") for line in widget.locator(".g4r-on").all()]  # noqa: E731
    bar(widget, "map").press("ArrowRight")
    assert marked() == ["rank"]
    widget.get_by_role("slider", name="List length k").press("ArrowRight")
    assert marked() == ["recall", "mrr"]
    widget.get_by_role("button", name="Draw again").press("Enter")
    assert marked() == ["sample"]


def test_the_list_is_cut_after_k(widget):
    cut = lambda: widget.locator("ol").first.locator(".g4r-cut").get_attribute("data-item")  # noqa: E731
    assert cut() == listed(widget)[2]
    widget.get_by_role("slider", name="List length k").press("ArrowRight")
    assert cut() == listed(widget)[3]


def test_readers_own_scores_are_drawn_and_keep_their_ties(page):
    """Names like numbers, scores below 0 and off the bars' steps, a whole catalogue of 24."""
    scores = [[str(n), round(-1.3 + 0.37 * (n // 2), 2)] for n in range(24, 0, -1)]
    page.emulate_media(reduced_motion="reduce")
    state = {"scores": scores, "target": "9", "k": 5, "ties": "standard", "n_sampled": 10, "draw": 1}
    widget = first_widget(page, PAGE, "ranking", **state)
    assert listed(widget) == ranked(dict(scores), "9", "standard")
    assert result(widget, "rank") == package(dict(scores), "9", 5, "standard")[0]
    bar(widget, "9").press("End")  # as far as the bar goes
    assert float(bar(widget, "9").input_value()) >= max(dict(scores).values())
    assert result(widget, "rank") == 1


def test_all_samples_are_as_many_as_it_says(widget):
    widget.get_by_role("slider", name="Sampled negatives n").press("Home")
    assert "all 11 samples" in widget.locator(".g4r-verdict").inner_text()
    others = [score for item, score in SHOP.items() if item != "lamp"]
    hits = sum(sum(s >= SHOP["lamp"] for s in sample) < 3 for sample in itertools.combinations(others, 1))
    assert value(widget, "expected-hits") == str(hits)
