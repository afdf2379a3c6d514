"""The Sampling widget where readers meet it: in the static page of chapter 07, moved by real keys, taps and clicks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from in_page import COMPUTE, first_widget, press

from gru4rec_lite.sampling import NegativeSampler, correct_logq, negatives
from gru4rec_lite.widgets.sampling import SHOP, drawn

PAGE = "07_sampling.html"
ITEMS, CLICKS = list(SHOP), torch.tensor(list(SHOP.values()))


@pytest.fixture
def widget(page):
    """The first Sampling widget of the chapter, at rest, without motion."""
    page.emulate_media(reduced_motion="reduce")
    return first_widget(page, PAGE, "sampling")


def slide(widget, name: str, steps: int) -> None:
    """By keyboard only: to the left end, then so many steps to the right."""
    widget.get_by_role("slider", name=name, exact=True).focus()
    press(widget.page, "Home", *["ArrowRight"] * steps)


def push(widget, name: str, times: int = 1) -> None:
    widget.get_by_role("button", name=name).focus()
    press(widget.page, *["Enter"] * times)


def draws(widget) -> int:
    return int(widget.get_attribute("data-draw"))


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", "").replace(",", "").strip("()"))


def value(widget, name: str) -> str:
    return widget.locator(f'[data-value="{name}"]').inner_text()


def result(widget, name: str) -> float:
    """What stands behind the last = of a line."""
    return number(value(widget, name).split("=")[-1])


def matrix(widget) -> tuple[np.ndarray, np.ndarray]:
    """Kinds and scores of the cells: ``(B, B + S)`` each."""
    cells = widget.locator(".g4r-cell").all()
    lanes = max(int(cell.get_attribute("data-lane")) for cell in cells)
    kinds = [cell.locator(".g4r-letter").text_content() for cell in cells]
    scores = [number(cell.locator("[data-score]").text_content()) for cell in cells]
    return np.array(kinds).reshape(lanes, -1), np.array(scores).reshape(lanes, -1)


def feet(widget, name: str) -> list[float]:
    return [number(text) for text in widget.locator(f'[data-foot="{name}"]').all_text_contents()]


def chart(widget, which: int, column: str) -> list[float]:
    """A column of numbers of the chart of the other lanes' targets (0) or of the extra samples (1)."""
    return [
        number(text)
        for text in widget.locator(".g4r-chart + .g4r-scroll")
        .nth(which)
        .locator(f'[data-value="{column}"]')
        .all_text_contents()
    ]


# ---- the numbers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("seed", "n_samples"), [(0, 0), (1, 7), (2, 12)])
def test_moved_by_keys_it_shows_what_the_package_says(widget, seed, n_samples):
    rng = np.random.default_rng(seed)
    lanes, alpha, logq, steps = int(rng.integers(2, 7)), int(rng.integers(0, 21)) / 20, int(rng.integers(1, 11)) / 10, 4
    slide(widget, "Lanes B", lanes - 2)
    slide(widget, "Extra samples S", n_samples)
    slide(widget, "alpha", round(20 * alpha))
    slide(widget, "logq", round(10 * logq))
    push(widget, "Reset")
    push(widget, "Draw again", steps - 1)
    lane, column = int(rng.integers(lanes)), int(rng.integers(lanes + n_samples))
    widget.get_by_label("Lane", exact=True).select_option(str(lane + 1))
    widget.get_by_label("Column", exact=True).select_option(str(column + 1))
    assert draws(widget) == steps

    candidates = drawn(SHOP, lanes, n_samples, alpha, steps)
    is_negative = negatives(candidates, candidates[:lanes]).numpy()
    kinds, scores = matrix(widget)
    names = np.where(is_negative, "N", "H")
    np.fill_diagonal(names, "P")
    assert (kinds == names).all()
    options = widget.get_by_label("Column", exact=True).locator("option").all_text_contents()
    assert options == [f"{c}: {ITEMS[j]}" for c, j in enumerate(candidates, 1)]

    sampler = NegativeSampler(CLICKS, n_samples, alpha)
    q = sampler.expected_count(candidates, lanes)
    corrected = correct_logq(torch.from_numpy(scores), q, logq).numpy()
    assert feet(widget, "q") == pytest.approx(q.tolist(), abs=0.0051)
    assert feet(widget, "logQ") == pytest.approx((corrected - scores)[0], abs=0.0051)
    item = int(candidates[column])
    assert result(widget, "q") == pytest.approx(q[column].item(), abs=0.0051)
    assert result(widget, "p") == pytest.approx(sampler.probability[item].item(), abs=0.00051)
    assert result(widget, "logq") == pytest.approx(corrected[lane, column], abs=0.0051)
    said_no = value(widget, "negative").endswith(": no")
    assert said_no != is_negative[lane, column]

    every = [drawn(SHOP, lanes, n_samples, alpha, step).numpy() for step in range(1, steps + 1)]
    others = np.concatenate([np.delete(step[:lanes], lane) for step in every])
    samples = np.concatenate([step[lanes:] for step in every])
    for which, seen, share in ((0, others, sampler.popularity), (1, samples, sampler.probability)):
        assert chart(widget, which, "drawn") == np.bincount(seen, minlength=len(ITEMS)).tolist()
        assert chart(widget, which, "expected") == pytest.approx((len(seen) * share).tolist(), abs=0.051)
    times = int((others == item).sum() + (samples == item).sum())
    assert value(widget, "counted").startswith(f"{times} in {steps} steps")
    assert result(widget, "counted") == pytest.approx(steps * q[column].item(), abs=0.051)


def test_alpha_moves_the_samples_and_leaves_the_lanes_alone(widget):
    push(widget, "Reset")
    push(widget, "100 more", 3)
    assert draws(widget) == 301
    seen = {}
    bars = []
    for alpha in (0, 1):
        slide(widget, "alpha", 20 * alpha)
        left = widget.locator(".g4r-chart + .g4r-scroll").first.locator(".g4r-count, .g4r-tick")
        bars.append(left.evaluate_all("(all) => all.map((e) => e.outerHTML)"))
        seen[alpha] = chart(widget, 0, "drawn"), chart(widget, 1, "drawn")
    assert seen[0][0] == seen[1][0]
    assert bars[0] == bars[1]  # the picture does not move either
    socks = [samples[0] / sum(samples) for _, samples in seen.values()]
    assert socks == pytest.approx([0.1, 0.4], abs=0.05)
    assert seen[0][0][0] / sum(seen[0][0]) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("n_items", [100, 217, 37_483, 1_000_000])
def test_the_cost_is_counted(widget, n_items):
    n = widget.get_by_role("slider", name="Catalogue N")
    n.focus()
    press(widget.page, "Home")
    while number(n.get_attribute("aria-valuetext").split(" items")[0]) < n_items:
        press(widget.page, "ArrowRight")
    assert value(widget, "cost-all") == f"{n_items:,} · 100 = {100 * n_items:,}"
    assert result(widget, "cost-here") == 10 * 100
    assert result(widget, "cost-usual") == 2080 * 100
    line = widget.locator('[data-term="cost-usual"] small').inner_text()
    times = {100: "21 times more", 217: "9.6 times more", 37_483: "18 times fewer", 1_000_000: "481 times fewer"}
    assert line == times[n_items]
    named = {217: "as eshop", 37_483: "as in the paper"}.get(n_items, "items")
    assert n.get_attribute("aria-valuetext").endswith(named)


def differences(page, source: str) -> int:
    """How many of 60 random cases the given JavaScript answers otherwise than the package."""
    rng, cases = np.random.default_rng(0), []
    for draw in range(1, 61):
        clicks = [5, *rng.geometric(0.05, rng.integers(1, 9)).tolist()]
        cases.append(
            {
                "support": [[f"i{j}", n] for j, n in enumerate(clicks)], "batch_size": int(rng.integers(2, 7)),
                "n_samples": int(rng.integers(0, 13)), "alpha": float(rng.choice([0, 0.25, 1])), "logq": 1,
                "draw": draw, "lane": 1, "column": 1, "n_items": 1000,
            }
        )  # fmt: skip
    wrong = 0
    for case, answer in zip(cases, page.evaluate(COMPUTE, [source, cases]), strict=True):
        sampler = NegativeSampler(torch.tensor([n for _, n in case["support"]]), case["n_samples"], case["alpha"])
        candidates = torch.tensor(answer["candidates"])
        q = sampler.expected_count(candidates, case["batch_size"])
        corrected = correct_logq(torch.tensor(answer["scores"], dtype=torch.float64), q, 1)
        same = np.allclose(answer["corrected"], corrected) and np.allclose(answer["probability"], sampler.probability)
        wrong += not same or answer["is_negative"] != negatives(candidates, candidates[: case["batch_size"]]).tolist()
    return wrong


# ---- controls and words ----------------------------------------------------------------------------------------------
def test_it_stops_at_a_thousand_and_plays_anew_from_the_first(widget):
    push(widget, "Reset")
    assert widget.get_by_role("button", name="Reset").get_attribute("aria-disabled") == "true"
    push(widget, "100 more", 11)
    assert draws(widget) == 1000
    for name in ("Draw again", "100 more"):
        assert widget.get_by_role("button", name=name).get_attribute("aria-disabled") == "true"
    push(widget, "Draw again")
    assert draws(widget) == 1000
    push(widget, "Play")
    assert draws(widget) < 10
    push(widget, "Pause")


def test_a_cell_is_chosen_by_click(widget):
    widget.locator('.g4r-cell[data-lane="2"][data-column="2"]').click()
    assert widget.get_by_label("Lane", exact=True).input_value() == "2"
    assert widget.get_by_label("Column", exact=True).input_value() == "2"
    assert (
        "Lane 2 clicked knife; column 2 is knife: its own target, the positive."
        in widget.get_by_role("status").inner_text()
    )
    assert widget.locator(".g4r-chosen").count() == 1


def test_the_status_says_in_words_what_is_drawn(widget):
    assert widget.get_by_role("status").inner_text() == (
        "Step 20: 4 lanes score 10 candidates each: 4 positives, 30 negatives, 6 accidental hits. "
        "Lane 3 clicked socks; column 8 is socks again: an accidental hit, no negative."
    )
    slide(widget, "Extra samples S", 0)  # the chosen column is gone: the last one takes its place
    assert "4 lanes score 4 candidates each" in widget.get_by_role("status").inner_text()
    assert widget.get_by_label("Column", exact=True).input_value() == "4"
    assert "there are no extra samples" in widget.locator(".g4r-verdict").inner_text()


def test_the_term_that_a_control_touches_is_marked(widget):
    marked = lambda: [line.get_attribute("data-term") for line in widget.locator(".g4r-on").all()]  # noqa: E731
    assert marked() == ["negative"]
    touches = {"alpha": "p", "Lanes B": "q", "Extra samples S": "q", "logq": "logq", "Catalogue N": "cost-all"}
    for name, term in touches.items():
        widget.get_by_role("slider", name=name, exact=True).press("ArrowLeft")
        assert marked() == [term]
    push(widget, "Draw again")
    assert marked() == ["counted"]
    widget.get_by_label("Column", exact=True).select_option("1")
    assert marked() == ["negative"]


def test_what_is_chosen_from_a_list_comes_into_sight_on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    widget = first_widget(page, PAGE, "sampling", n_samples=12, batch_size=6)
    scrolls = widget.get_by_role("group", name="Score matrix, scrolls sideways")
    assert scrolls.get_attribute("tabindex") == "0"
    widget.get_by_label("Column", exact=True).select_option("18")
    frame, cell = scrolls.bounding_box(), widget.locator(".g4r-chosen").bounding_box()
    assert frame["x"] <= cell["x"]
    assert cell["x"] + cell["width"] <= frame["x"] + frame["width"] + 1


def test_readers_own_clicks_are_drawn(page):
    """A whole catalogue of 24 with long names, one item nobody clicked, and a catalogue size between the stops."""
    shop = {f"a rather long name {n}": 24 - n for n in range(1, 25)}
    state = {"support": [list(pair) for pair in shop.items()], "batch_size": 6, "n_samples": 12, "alpha": 0, "logq": 1}
    widget = first_widget(page, PAGE, "sampling", **state, draw=50, lane=6, column=18, n_items=12345)
    every = [drawn(shop, 6, 12, 0.0, step).numpy() for step in range(1, 51)]
    others = np.bincount(np.concatenate([step[:5] for step in every]), minlength=24)
    samples = np.bincount(np.concatenate([step[6:] for step in every]), minlength=24)
    assert chart(widget, 0, "drawn") == others.tolist()
    assert chart(widget, 1, "drawn") == samples.tolist()
    assert others[23] == samples[23] == 0
    assert value(widget, "cost-all") == "12,345 · 100 = 1,234,500"
