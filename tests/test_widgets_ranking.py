"""The Ranking widget: its JavaScript under node, against the package and a list of all samples; its Python side."""

from __future__ import annotations

import base64
import itertools
import json
import re

import numpy as np
import pytest
import torch
from test_widgets import node_compute

from gru4rec_lite import metrics, widgets
from gru4rec_lite.widgets import _base
from gru4rec_lite.widgets.ranking import SHOP, expected_recall, ranked

PLACE = {"conservative": 1, "median": 1 / 2, "standard": 0}


def random_cases(n: int, seed: int = 0) -> list[dict]:
    """States with few distinct scores, so that most have ties; items whose names look like numbers, out of order."""
    rng = np.random.default_rng(seed)
    cases = []
    for draw in range(1, n + 1):
        n_items = int(rng.integers(3, 10))
        names = [str(name) for name in rng.permutation(n_items)]
        scores = rng.integers(-3, int(rng.integers(-2, 6)), n_items) / 2
        cases.append(
            {
                "scores": [list(pair) for pair in zip(names, scores.tolist(), strict=True)],
                "target": names[rng.integers(n_items)], "k": int(rng.integers(1, n_items + 1)),
                "ties": metrics.TIES[draw % 3], "n_sampled": int(rng.integers(1, n_items)), "draw": draw,
            }
        )  # fmt: skip
    return cases


def package_rank(scores: list[list], target: str, ties: str) -> float:
    names, values = zip(*scores, strict=True)
    place = torch.tensor([names.index(target)])
    return metrics.rank_of_target(torch.tensor([values], dtype=torch.float64), place, ties).item()


def earned(rank: float, k: int) -> tuple[float, float]:
    return metrics.recall_at(np.array([rank]), k).item(), metrics.mrr_at(np.array([rank]), k).item()


def all_samples(case: dict) -> np.ndarray:
    """Recall@k and MRR@k of every sample there is, each ranked by the package: ``(samples, 2)``."""
    own = [pair for pair in case["scores"] if pair[0] == case["target"]]
    others = [pair for pair in case["scores"] if pair[0] != case["target"]]
    return np.array(
        [
            earned(package_rank([*own, *drawn], case["target"], case["ties"]), case["k"])
            for drawn in itertools.combinations(others, case["n_sampled"])
        ]
    )


def differs(case: dict, answer: dict) -> str | None:
    """The first thing in which the widget's answer differs from the package or from all samples, or None."""
    scores, target, k, of = case["scores"], case["target"], case["k"], dict(case["scores"])
    for rule in metrics.TIES:
        rank = package_rank(scores, target, rule)
        if answer["rules"][rule] != {"rank": rank, "hit": earned(rank, k)[0], "reciprocal": earned(rank, k)[1]}:
            return f"{rule}: {answer['rules'][rule]}, package rank {rank}"
    if answer["rank"] != package_rank(scores, target, case["ties"]):
        return "the rank is not that of the chosen rule"
    order = answer["order"]
    if sorted(order) != sorted(of) or [of[i] for i in order] != sorted(of.values(), reverse=True):
        return f"order: {order}"
    if order.index(target) + 1 != np.floor(answer["rank"]):
        return f"the target stands at {order.index(target) + 1}, rank {answer['rank']}"
    if answer["above"] + answer["equal"] + answer["below"] + 1 != len(of):
        return "the counts do not add up"

    sample = answer["sample"]
    if len(set(sample["drawn"])) != case["n_sampled"] or not set(sample["drawn"]) <= set(of) - {target}:
        return f"drawn: {sample['drawn']}"
    rank = package_rank([p for p in scores if p[0] in {*sample["drawn"], target}], target, case["ties"])
    if (sample["rank"], sample["hit"], sample["reciprocal"]) != (rank, *earned(rank, k)):
        return f"sample: {sample}, package rank {rank}"
    if sample["order"] != [i for i in order if i in {*sample["drawn"], target}] and sample["equal"] == 0:
        return f"order of the sample: {sample['order']}"

    each, expected = all_samples(case), answer["expected"]
    if (expected["samples"], expected["hits"]) != (len(each), each[:, 0].sum()):
        return f"expected: {expected}, all samples {len(each)}, hits {each[:, 0].sum()}"
    if not np.allclose([expected["recall"], expected["mrr"]], each.mean(axis=0)):
        return f"expected: {expected}, all samples {each.mean(axis=0)}"
    true_ranks = np.arange(1, len(of) + 1)
    if [c["rank"] for c in answer["curve"]] != true_ranks.tolist():
        return "the curve's ranks"
    if [c["full"] for c in answer["curve"]] != metrics.recall_at(true_ranks, k).tolist():
        return "the curve of full ranking"
    closed = metrics.sampled_recall_at(true_ranks, k, len(of), case["n_sampled"])
    return None if np.allclose([c["sampled"] for c in answer["curve"]], closed) else "the curve of the sample"


# ---- the arithmetic --------------------------------------------------------------------------------------------------
def test_the_widget_ranks_as_the_package_does(tmp_path):
    cases = random_cases(300)
    answers = node_compute(cases, _base.source("ranking.js"), tmp_path)
    assert [m for m in map(differs, cases, answers) if m] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("filter(([, score]) => score > own).length", "filter(([, score]) => score < own).length"),  # the worst first
        ("score === own).length", "score >= own).length"),  # better ones counted twice
        ("1 + above + SHARE[rule] * equal", "1 + above - SHARE[rule] * equal"),
        ("1 + above + SHARE[rule]", "above + SHARE[rule]"),  # ranks from 0
        ("rank <= k ? 1", "rank < k ? 1"),
        ("conservative: 1, median: 1 / 2, standard: 0 }", "conservative: 0, median: 1 / 2, standard: 1 }"),
        ("b[1] - a[1]", "a[1] - b[1]"),
        ("n_items - 1 - above - equal;", "n_items - above - equal;"),  # the target drawn against itself
        ("choose(below, n_sampled - a - e)", "choose(below, n_sampled - a)"),
        ("choose(n_items - 1, n_sampled)", "choose(n_items, n_sampled)"),
        ("reciprocals += ways * reciprocal", "reciprocals -= ways * reciprocal"),
    ],
)
def test_a_wrong_rule_in_the_javascript_is_caught(tmp_path, right, wrong):
    source = _base.source("ranking.js")
    assert source.count(right) == 1
    cases = random_cases(60)
    assert any(map(differs, cases, node_compute(cases, source.replace(right, wrong), tmp_path)))


def test_every_sample_is_drawn_equally_often(tmp_path):
    scores = [[name, 0.0] for name in "abcdef"]
    state = {"scores": scores, "target": "c", "k": 1, "ties": "median", "n_sampled": 2}
    answers = node_compute([state | {"draw": d} for d in range(1, 4001)], _base.source("ranking.js"), tmp_path)
    _, times = np.unique(["".join(sorted(a["sample"]["drawn"])) for a in answers], return_counts=True)
    assert len(times) == 10  # two of five
    assert ((times - 400) ** 2 / 400).sum() < 27.9  # chi-square with 9 degrees of freedom, 99.9 %


def test_a_draw_is_the_same_for_every_reader(tmp_path):
    cases = random_cases(5)
    first, again = (node_compute(cases, _base.source("ranking.js"), tmp_path) for _ in range(2))
    assert first == again


def test_the_still_picture_shows_the_same(tmp_path):
    cases = random_cases(120, seed=1)
    for case, answer in zip(cases, node_compute(cases, _base.source("ranking.js"), tmp_path), strict=True):
        scores = dict(case["scores"])
        rest = {name: case[name] for name in ("target", "ties")}
        assert ranked(scores, **rest) == answer["order"]
        found = expected_recall(scores, k=case["k"], n_sampled=case["n_sampled"], **rest)
        assert found == pytest.approx(all_samples(case)[:, 0].mean())


@pytest.mark.parametrize("ties", ["conservative", "standard"])
def test_the_chance_in_a_sample_is_the_packages(ties):
    for case in random_cases(60, seed=2):
        rank = package_rank(case["scores"], case["target"], ties)
        n_items, n_sampled = len(case["scores"]), case["n_sampled"]
        closed = metrics.sampled_recall_at(np.array([rank]), case["k"], n_items, n_sampled)[0]
        found = expected_recall(dict(case["scores"]), case["target"], case["k"], ties, n_sampled)
        assert found == pytest.approx(closed)


# ---- the object ------------------------------------------------------------------------------------------------------
def test_it_opens_on_a_tie_that_decides():
    widget, ranks = widgets.Ranking(), {}
    for ties in metrics.TIES:
        ranks[ties] = package_rank(list(SHOP.items()), widget.target, ties)
    assert ranks == {"conservative": widget.k + 1, "median": widget.k + 0.5, "standard": widget.k}


def test_readers_own_scores_keep_their_order_and_become_text():
    widget = widgets.Ranking({9: np.float32(0.5), 10: 2, "mat": -1}, target=10, k=np.int64(2))
    assert widget.scores == {"9": 0.5, "10": 2.0, "mat": -1.0}
    assert (widget.target, widget.n_sampled, json.dumps(widget.k)) == ("10", 2, "2")
    assert widget.get_state()["scores"] == [["9", 0.5], ["10", 2.0], ["mat", -1.0]]  # JSON objects would be reordered


def test_a_target_is_chosen_where_none_is_given():
    assert widgets.Ranking({"a": 3.0, "b": 1.0, "c": 2.0}).target == "c"


def test_scores_from_the_page_are_scores_again():
    widget = widgets.Ranking()
    widget.set_state({"scores": [["a", 1.0], ["lamp", 2.0], ["c", 0.0], ["d", 4], ["e", 5], ["f", 6]]})
    assert list(widget.scores.items())[:2] == [("a", 1.0), ("lamp", 2.0)]


FOUR = {"a": 1, "b": 2, "c": 3, "d": 4}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": 5}, "scores=5: must give the score of each item"),
        ({"scores": [1, 2, 3]}, "scores=[1, 2, 3]: must give the score of each item"),
        ({"scores": {"a": 1, "b": float("nan"), "c": 2}}, "scores['b']=nan: must be a finite number"),
        ({"scores": {"a": 1, "b": float("inf"), "c": 2}}, "scores['b']=inf"),
        ({"scores": {"a": 1, "b": "2", "c": 2}}, "scores['b']='2'"),
        ({"scores": {"a": 1, "b": True, "c": 2}}, "scores['b']=True"),
        ({"scores": {"1": 1, 1: 2, "c": 2}}, "two items have the same name"),
        ({"scores": {"a": 1, "b": 2}}, "scores has 2 items: the picture takes 3 to 24"),
        ({"scores": dict.fromkeys(range(25), 1.0)}, "scores has 25 items"),
        ({"scores": FOUR, "target": "e"}, "target='e': must be one of a, b, c, d"),
        ({"scores": FOUR, "k": 0}, "k=0: must be a whole number from 1 to 4"),
        ({"scores": FOUR, "k": 5}, "k=5"),
        ({"scores": FOUR, "n_sampled": 4}, "n_sampled=4: must be a whole number from 1 to 3"),
        ({"ties": "lucky"}, "ties='lucky': must be one of conservative, standard, median"),
        ({"draw": 0}, "draw=0"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        widgets.Ranking(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("k", 13, "k=13"), ("target", "moon", "target='moon'"), ("scores", FOUR, "target='lamp'"), ("ties", 1, "ties=1")],
)
def test_a_later_wrong_value_is_refused_and_changes_nothing(name, value, message):
    widget = widgets.Ranking()
    before = getattr(widget, name)
    with pytest.raises(ValueError, match=message):
        setattr(widget, name, value)
    assert getattr(widget, name) == before


def test_the_text_form_says_what_is_shown_and_follows_it():
    widget = widgets.Ranking()
    assert repr(widget) == repr(widgets.Ranking())
    assert "lamp was clicked: rank 4 with conservative ties, Recall@3 0, MRR@3 0." in repr(widget)
    assert "a hit in 94% of all samples" in repr(widget)  # 1 - C(8, 2) / C(11, 5): all three that outrank it are drawn
    widget.ties = "standard"
    assert "rank 3 with standard ties, Recall@3 1, MRR@3 0.33" in repr(widget)


def test_a_picture_is_drawn_where_notebooks_are_refreshed_and_moves_with_the_widget(monkeypatch):
    monkeypatch.setenv("BOOK_POSTERS", "1")
    widget = widgets.Ranking()
    first, again = (widget._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert base64.b64decode(first).startswith(b"\x89PNG")
    assert first == again
    widget.ties = "standard"
    assert widget._repr_mimebundle_()[0]["image/png"] != first


def test_a_saved_page_holds_all_that_the_widget_draws_from():
    state = widgets.Ranking(n_sampled=4).get_state()
    assert (state["_esm"], state["_css"]) == (_base.source("ranking.js"), _base.source("ranking.css"))
    assert state["scores"] == [list(pair) for pair in SHOP.items()]
    shown = [state[name] for name in ("target", "k", "ties", "n_sampled", "draw")]
    assert shown == ["lamp", 3, "conservative", 4, 1]
