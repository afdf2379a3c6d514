"""The Sampling widget: which candidates a step scores, how often each item is among them, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import traitlets as t
from torch import Tensor

from ..sampling import NegativeSampler, negatives
from ._base import ACCENT, INK, PALE, BookWidget, source
from .batching import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST_ITEMS, MOST_ITEMS, MOST_DRAWS = 2, 24, 1000
FEWEST_LANES, MOST_LANES, MOST_SAMPLES = 2, 6, 12
SMALLEST_CATALOGUE, LARGEST_CATALOGUE = 100, 1_000_000
OPENING_DRAW = 20  # enough draws for the bars to say something, few enough for each to move them
SHOP = {  # a small outdoor shop of 1,000 clicks, so that shares can be read off
    "socks": 400, "mug": 200, "lamp": 130, "mat": 90, "tent": 60,
    "rope": 45, "map": 30, "stove": 20, "knife": 15, "tarp": 10,
}  # fmt: skip
SYNCED = {"to_json": lambda support, widget: list(map(list, support.items())), "from_json": lambda pairs, widget: pairs}


class Sampling(BookWidget):
    """Draw a step's candidates again and again: positives, negatives, accidental hits, and how often each item comes.

    Args:
        support: training clicks of each item, e.g. ``{"tent": 60, "lamp": 130, ...}`` or
            ``train["ItemId"].value_counts().head(12)``; 2 to 24 items. Default: a shop of ten.
        batch_size: lanes B, 2 to 6.
        n_samples: extra samples S of a step, 0 to 12.
        alpha: 0 draws the extra samples uniformly, 1 by popularity.
        logq: strength of the logQ correction, 0 to 1.

    ``draw`` counts the steps drawn so far; ``lane`` and ``column`` choose a cell, from 1; ``n_items`` is the catalogue
    N of the cost. All four may be given. It opens on a draw with accidental hits, where there is one.

    Raises:
        ValueError: an argument that cannot be drawn.
    """

    _esm, _css = source("_sampling_math.js", "sampling.js"), source("sampling.css")
    support = t.Any().tag(sync=True, **SYNCED)  # Any: so that even a wrong type gets our own error
    batch_size = t.Any().tag(sync=True)
    n_samples = t.Any().tag(sync=True)
    alpha = t.Any().tag(sync=True)
    logq = t.Any().tag(sync=True)
    draw = t.Any().tag(sync=True)
    lane = t.Any().tag(sync=True)
    column = t.Any().tag(sync=True)
    n_items = t.Any().tag(sync=True)

    def __init__(
        self, support: Mapping[Any, int] | None = None, batch_size: int = 4, n_samples: int = 6, alpha: float = 0.75,
        logq: float = 1.0, **kwargs: Any,
    ):  # fmt: skip
        support = checked_support(SHOP if support is None else support)
        batch_size, n_samples = checked_size("batch_size", batch_size), checked_size("n_samples", n_samples)
        alpha = share("alpha", alpha)
        draw, lane, column = opening(support, batch_size, n_samples, alpha)
        if not {"draw", "lane", "column"} & kwargs.keys():
            kwargs |= {"draw": draw, "lane": lane, "column": column}
        kwargs = {"draw": OPENING_DRAW, "lane": 1, "column": 1, "n_items": 37_483} | kwargs
        super().__init__(support=support, batch_size=batch_size, n_samples=n_samples, alpha=alpha, logq=logq, **kwargs)

    @t.validate("support")
    def _validate_support(self, proposal) -> dict[str, int]:
        return checked_support(proposal["value"])

    @t.validate("batch_size", "n_samples")
    def _validate_size(self, proposal) -> int:
        return checked_size(proposal["trait"].name, proposal["value"])

    @t.validate("alpha", "logq")
    def _validate_share(self, proposal) -> float:
        return share(proposal["trait"].name, proposal["value"])

    @t.validate("draw")
    def _validate_draw(self, proposal) -> int:
        return whole("draw", proposal["value"], 1, MOST_DRAWS)

    @t.validate("lane")  # the matrix may shrink: a lane or column beyond it is drawn as its last
    def _validate_lane(self, proposal) -> int:
        return whole("lane", proposal["value"], 1, MOST_LANES)

    @t.validate("column")
    def _validate_column(self, proposal) -> int:
        return whole("column", proposal["value"], 1, MOST_LANES + MOST_SAMPLES)

    @t.validate("n_items")
    def _validate_n_items(self, proposal) -> int:
        return whole("n_items", proposal["value"], SMALLEST_CATALOGUE, LARGEST_CATALOGUE)

    def candidates(self) -> Tensor:
        """Candidates of the current step, by place in ``support``: the lanes' targets first, ``(B + S,)`` int64."""
        return drawn(self.support, self.batch_size, self.n_samples, self.alpha, self.draw)

    def alt_text(self) -> str:
        lanes, candidates, items = self.batch_size, self.candidates(), list(self.support)
        n_cells, n_negatives = lanes * len(candidates), int(negatives(candidates, candidates[:lanes]).sum())
        targets = ", ".join(items[item] for item in candidates[:lanes])
        extra = ", ".join(items[item] for item in candidates[lanes:]) or "none"
        most = next(iter(self.support))
        sampler = NegativeSampler(torch.tensor(list(self.support.values())), self.n_samples, self.alpha)
        expected = sampler.expected_count(torch.tensor([0]), lanes).item()
        return (
            f"Score matrix of {lanes} lanes and {len(candidates)} candidates: the lanes' targets {targets}; extra "
            f"samples, drawn by popularity^{self.alpha:g}: {extra}. {lanes} positives, {n_negatives} negatives, "
            f"{n_cells - lanes - n_negatives} accidental hits. A lane expects {most}, the most clicked, "
            f"{expected:.2f} times among its other candidates."
        )

    def poster(self) -> Figure:
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle

        items, lanes, candidates = list(self.support), self.batch_size, self.candidates()
        is_negative = negatives(candidates, candidates[:lanes])
        figure = Figure(figsize=(8, 1.5 + 0.36 * lanes + 0.22 * len(items)), layout="constrained")
        heights = (1.2 + 0.36 * lanes, 0.3 + 0.22 * len(items))
        upper, lower = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
        axes = upper.subplots()
        for i in range(lanes):
            for c in range(len(candidates)):
                kind = "P" if c == i else "N" if is_negative[i, c] else "H"
                face, line = (ACCENT, "-") if kind == "P" else ("white", "-") if kind == "N" else (PALE, "--")
                axes.add_patch(Rectangle((c + 0.05, i + 0.07), 0.9, 0.86, fc=face, ec="#8b9198", ls=line))
                bold = "normal" if kind == "N" else "bold"
                ink = "white" if kind == "P" else INK
                axes.text(c + 0.5, i + 0.53, kind, ha="center", va="center", fontsize=9, weight=bold, color=ink)
        axes.axvline(lanes, color=INK, linewidth=1.6)
        names = [items[item] for item in candidates]
        axes.set(xlim=(0, len(names)), ylim=(lanes, 0))
        axes.set_xticks([c + 0.5 for c in range(len(names))], names, fontsize=8, rotation=30, ha="right")
        axes.set_yticks(
            [i + 0.5 for i in range(lanes)], [f"lane {i + 1}: {names[i]}" for i in range(lanes)], fontsize=9
        )
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title("P positive · N negative · H accidental hit", loc="left", fontsize=10)

        sampler = NegativeSampler(torch.tensor(list(self.support.values())), self.n_samples, self.alpha)
        terms = (
            (f"Other lanes' targets, (b − 1) · supp / Σ supp, b = {lanes}", (lanes - 1) * sampler.popularity),
            (
                f"Extra samples, S · p(alpha), S = {self.n_samples}, alpha = {self.alpha:g}",
                self.n_samples * sampler.probability,
            ),
        )
        left, right = lower.subplots(1, 2, sharex=True, sharey=True)
        for axes, (title, expected) in zip((left, right), terms, strict=True):
            axes.barh(range(len(items)), expected.numpy(), color=ACCENT, alpha=0.5)
            axes.set_yticks(range(len(items)), [f"{item} ({n})" for item, n in self.support.items()], fontsize=8)
            axes.tick_params(axis="x", labelsize=8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title(title, loc="left", fontsize=9)
        left.invert_yaxis()
        lower.supxlabel("expected count in a step. Run the cell to draw again and to turn alpha.", fontsize=9)
        return figure


def checked_support(support: Any) -> dict[str, int]:
    """Clicks of each item, its name as text, most clicked first, or a ValueError that says what cannot be drawn."""
    if isinstance(support, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in support):
        pairs = support  # the page sends pairs, since JavaScript would reorder {"10": .., "9": ..}
    elif hasattr(support, "items"):  # a dict, or a pandas Series
        pairs = list(support.items())
    else:
        raise ValueError(f"support={support!r}: must give the clicks of each item, such as {{'tent': 60, 'lamp': 130}}")
    checked = {str(item): whole(f"support[{item!r}]", clicks, 0) for item, clicks in pairs}
    if len(checked) < len(pairs):
        raise ValueError("support: two items have the same name as text")
    if not FEWEST_ITEMS <= len(checked) <= MOST_ITEMS:
        raise ValueError(f"support has {len(checked)} items: the picture takes {FEWEST_ITEMS} to {MOST_ITEMS}")
    if not any(checked.values()):
        raise ValueError("support: no item has a click, so none can be drawn; at least one must have some")
    return dict(sorted(checked.items(), key=lambda pair: -pair[1]))


def checked_size(name: str, value: Any) -> int:
    """Lanes or samples as an int, or a ValueError."""
    low, high = {"batch_size": (FEWEST_LANES, MOST_LANES), "n_samples": (0, MOST_SAMPLES)}[name]
    return whole(name, value, low, high)


def share(name: str, value: Any) -> float:
    """The value as a float from 0 to 1, or a ValueError."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f"{name}={value!r}: must be a number from 0 to 1")
    return float(value)


def random(seed: int) -> Iterator[float]:
    """Random numbers below 1, the same as in `sampling.js`. Source: mulberry32, T. Ettinger, public domain."""
    state, word = seed * 0x9E3779B9, 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & word
        x = (state ^ state >> 15) * (state | 1) & word
        x = (x + ((x ^ x >> 7) * (x | 61) & word) & word) ^ x
        yield (x ^ x >> 14) / 2**32


def drawn(support: dict[str, int], batch_size: int, n_samples: int, alpha: float, draw: int) -> Tensor:
    """Candidates of the ``draw``-th step, as `sampling.js` draws them, by place in ``support``: ``(B + S,)`` int64."""
    clicks = np.array(list(support.values()), dtype=float)
    weights = np.where(clicks > 0, clicks**alpha, 0.0)
    places = []
    for weight, seed, n in ((clicks, 2 * draw, batch_size), (weights, 2 * draw + 1, n_samples)):
        so_far = weight.cumsum()
        points = so_far[-1] * np.fromiter(islice(random(seed), n), float)
        places.append(np.searchsorted(so_far, points, side="right"))
    return torch.from_numpy(np.concatenate(places))


def opening(support: dict[str, int], batch_size: int, n_samples: int, alpha: float) -> tuple[int, int, int]:
    """The draw to open on, and a lane and a column to point at: an accidental hit, among targets and samples if any."""
    best = (OPENING_DRAW, 1, 2)
    for draw in range(OPENING_DRAW, OPENING_DRAW + 40):
        candidates = drawn(support, batch_size, n_samples, alpha, draw)
        hits = ~negatives(candidates, candidates[:batch_size])
        hits.fill_diagonal_(False)
        among_targets, among_samples = hits[:, :batch_size].any(), hits[:, batch_size:].any()
        if among_samples or (among_targets and not n_samples):
            lane, column = hits.nonzero()[-1].tolist()
            best = (draw, lane + 1, column + 1)
            if among_targets:
                break
    return best
