"""The Ranking widget: scores to drag, the rank of the item clicked, and what it would seem to earn in a sample."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb, isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
import traitlets as t

from ..metrics import TIES, mrr_at, rank_of_target, recall_at
from ._base import ACCENT, INK, PALE, BookWidget, source
from .batching import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST_ITEMS, MOST_ITEMS = 3, 24
SHOP = {  # a small outdoor shop: "lamp" and "rope" tie, and the cut after k = 3 falls between them
    "tent": 8.0, "stove": 6.5, "lamp": 7.0, "map": 2.0, "mat": 5.5, "rope": 7.0,
    "boots": 9.0, "mug": 4.5, "knife": 6.0, "socks": 3.0, "tarp": 5.0, "compass": 1.5,
}  # fmt: skip
SYNCED = {"to_json": lambda scores, widget: list(map(list, scores.items())), "from_json": lambda pairs, widget: pairs}


class Ranking(BookWidget):
    """Drag the scores of one prediction and see the target's rank, Recall@k and MRR@k, and what a sample makes of them.

    Args:
        scores: score of each item, e.g. ``{"tent": 2.5, "lamp": 1.0, ...}``; 3 to 24 items. Default: a dozen.
        target: the item that was clicked. Default: the first of those with the median score.
        k: length of the list.
        ties: "conservative" | "standard" | "median", see `metrics.rank_of_target`.
        n_sampled: how many other items a sample holds; None: 5, or all that a smaller shop has.

    Raises:
        ValueError: an argument that cannot be drawn.
    """

    _esm, _css = source("ranking.js"), source("ranking.css")
    scores = t.Any().tag(sync=True, **SYNCED)  # Any: so that even a wrong type gets our own error
    target = t.Any().tag(sync=True)
    k = t.Any().tag(sync=True)
    ties = t.Any().tag(sync=True)
    n_sampled = t.Any().tag(sync=True)
    draw = t.Any().tag(sync=True)

    def __init__(
        self, scores: Mapping[Any, float] | None = None, target: Any = None, k: int = 3, ties: str = "conservative",
        n_sampled: int | None = None, **kwargs: Any,
    ):  # fmt: skip
        if scores is None:
            target = "lamp" if target is None else target
        scores = checked_scores(SHOP if scores is None else scores)
        if target is None:
            target = sorted(scores, key=scores.__getitem__, reverse=True)[len(scores) // 2]
        kwargs.setdefault("draw", 1)
        n_sampled = min(5, len(scores) - 1) if n_sampled is None else n_sampled
        super().__init__(scores=scores, target=target, k=k, ties=ties, n_sampled=n_sampled, **kwargs)

    @t.validate("scores")
    def _validate_scores(self, proposal) -> dict[str, float]:
        scores = checked_scores(proposal["value"])
        here = {"target": self.target, "k": self.k, "n_sampled": self.n_sampled}
        if None not in here.values():
            checked_target(here["target"], scores)
            whole("k", here["k"], 1, len(scores))
            whole("n_sampled", here["n_sampled"], 1, len(scores) - 1)
        return scores

    @t.validate("target")
    def _validate_target(self, proposal) -> str:
        return checked_target(proposal["value"], self.scores)

    @t.validate("k")
    def _validate_k(self, proposal) -> int:
        return whole("k", proposal["value"], 1, len(self.scores))

    @t.validate("n_sampled")
    def _validate_n_sampled(self, proposal) -> int:
        return whole("n_sampled", proposal["value"], 1, len(self.scores) - 1)

    @t.validate("draw")
    def _validate_draw(self, proposal) -> int:
        return whole("draw", proposal["value"], 1)

    @t.validate("ties")
    def _validate_ties(self, proposal) -> str:
        if proposal["value"] not in TIES:
            raise ValueError(f"ties={proposal['value']!r}: must be one of {', '.join(TIES)}")
        return proposal["value"]

    def alt_text(self) -> str:
        n_items, (rank, recall, mrr) = len(self.scores), measures(self.scores, self.target, self.k, self.ties)
        sampled = expected_recall(self.scores, self.target, self.k, self.ties, self.n_sampled)
        return (
            f"Scores of {n_items} items and their ranked list. {self.target} was clicked: rank {rank:g} with "
            f"{self.ties} ties, Recall@{self.k} {recall:g}, MRR@{self.k} {mrr:.2g}. Ranked among {self.n_sampled} "
            f"sampled items only, it would be a hit in {sampled:.0%} of all samples."
        )

    def poster(self) -> Figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 1.4 + 0.24 * len(self.scores)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        rank, recall, _ = measures(self.scores, self.target, self.k, self.ties)
        order = ranked(self.scores, self.target, self.ties)
        values = [self.scores[item] for item in order]
        faces = [ACCENT if item == self.target else PALE for item in order]
        left.barh(range(len(order)), values, color=faces, edgecolor="#8b9198")
        names = [f"{item} ({place})" for place, item in enumerate(order, 1)]
        names[order.index(self.target)] = f"clicked: {self.target} ({rank:g})"
        left.set_yticks(range(len(order)), names)
        left.axhline(self.k - 0.5, color=INK, linestyle="--", linewidth=1.6)
        left.invert_yaxis()
        left.set_title(f"Scores, best first; the list ends after k = {self.k}", loc="left", fontsize=10)
        n_items = len(order)
        ladder = {str(i): -float(i) for i in range(n_items)}
        chances = [expected_recall(ladder, str(i), self.k, self.ties, self.n_sampled) for i in range(n_items)]
        right.bar(range(1, n_items + 1), chances, color=ACCENT, alpha=0.5, label=f"among {self.n_sampled} sampled")
        right.step([0.5, self.k + 0.5, n_items + 0.5], [1, 1, 0], where="pre", color=INK, label="full ranking")
        right.axvline(rank, color=INK, linestyle=":", linewidth=1)
        right.set_xticks(range(1, n_items + 1, 1 if n_items < 14 else 3))
        right.legend(frameon=False, fontsize=8)
        right.set_title("Chance of a hit by true rank", loc="left", fontsize=10)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=9)
        said = "a hit" if recall else "a miss"
        figure.supxlabel(f"Rank {rank:g} of {n_items}, {said}. Run the cell to drag the scores.", fontsize=9)
        return figure


def checked_scores(scores: Any) -> dict[str, float]:
    """Score of each item, its name as text, or a ValueError that says what cannot be drawn."""
    if isinstance(scores, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in scores):
        scores = dict(scores)  # the page sends pairs, since JavaScript would reorder {"10": .., "9": ..}
    if not isinstance(scores, Mapping):
        raise ValueError(f"scores={scores!r}: must give the score of each item, such as {{'tent': 2.5, 'lamp': 1.0}}")
    checked = {}
    for item, score in scores.items():
        if isinstance(score, bool) or not isinstance(score, Real) or not isfinite(score):
            raise ValueError(f"scores[{item!r}]={score!r}: must be a finite number")
        checked[str(item)] = float(score)
    if len(checked) < len(scores):
        raise ValueError("scores: two items have the same name as text")
    if not FEWEST_ITEMS <= len(checked) <= MOST_ITEMS:
        raise ValueError(f"scores has {len(checked)} items: the picture takes {FEWEST_ITEMS} to {MOST_ITEMS}")
    return checked


def checked_target(target: Any, scores: dict[str, float]) -> str:
    """The target's name as text, or a ValueError that names the items there are."""
    if str(target) not in scores:
        raise ValueError(f"target={target!r}: must be one of {', '.join(scores)}")
    return str(target)


def measures(scores: dict[str, float], target: str, k: int, ties: str) -> tuple[float, float, float]:
    """Rank, Recall@k and MRR@k of this one prediction."""
    row = torch.tensor([list(scores.values())], dtype=torch.float64)
    rank = rank_of_target(row, torch.tensor([list(scores).index(target)]), ties).numpy()
    return rank.item(), recall_at(rank, k).item(), mrr_at(rank, k).item()


def ranked(scores: dict[str, float], target: str, ties: str) -> list[str]:
    """Items from the best score down; among equal ones, the target is where the tie rule puts it."""
    place = {"conservative": 1.0, "median": 0.5, "standard": 0.0}[ties]
    equal = [item for item in scores if scores[item] == scores[target] and item != target]
    equal.insert(int(place * len(equal)), target)
    better = sorted((item for item in scores if scores[item] > scores[target]), key=lambda item: -scores[item])
    worse = sorted((item for item in scores if scores[item] < scores[target]), key=lambda item: -scores[item])
    return better + equal + worse


def expected_recall(scores: dict[str, float], target: str, k: int, ties: str, n_sampled: int) -> float:
    """The mean Recall@k over all samples of ``n_sampled`` other items.

    Unlike `metrics.sampled_recall_at`, which knows only the rank, it knows how many items equal the target: "median"
    counts half of the sampled ones.
    """
    share = {"conservative": 1.0, "median": 0.5, "standard": 0.0}[ties]
    above = sum(score > scores[target] for score in scores.values())
    equal = sum(score == scores[target] for score in scores.values()) - 1
    below = len(scores) - 1 - above - equal
    hits = sum(
        comb(above, a) * comb(equal, e) * comb(below, n_sampled - a - e)
        for a in range(above + 1)
        for e in range(equal + 1)
        if a + e <= n_sampled and 1 + a + share * e <= k
    )
    return hits / comb(len(scores) - 1, n_sampled)
