"""The Network widget: one click on its way through the network, from one-hot to a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import traitlets as t

from ._base import ACCENT, source
from .batching import whole
from .tiny_model import ModelWidget, draw_vector, follow, ranked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..gru4rec import GRU4Rec

STAGES = ("one-hot", "embedding", "gates", "candidate", "new state", "scores")


class Network(ModelWidget):
    """Follow one click through a trained GRU4Rec: one-hot, embedding row, gates, candidate, new state, scores.

    Args:
        model: a trained GRU4Rec of one layer with cell "gru" or "gru-paper" and cross-entropy, of at most 256 items
            and 32 units, e.g. your own. None: a tiny one of the toyshop's 160 items and 16 units.
        clicks: the session's items, oldest first, 1 to 8. Default: a session that ends with a buying guide.
        click: which of them to follow, from 1. Default: the last.
        stage: how far it has got, from 1 (one-hot) to 6 (scores).

    Raises:
        ValueError: a model, clicks, click or stage that cannot be drawn.
    """

    _esm, _css = source("_tiny_model.js", "network.js"), source("_tiny_model.css", "network.css")
    fewest_clicks, most_clicks = 1, 8
    click = t.Any().tag(sync=True)
    stage = t.Any().tag(sync=True)

    def __init__(
        self, model: GRU4Rec | None = None, clicks: Iterable[Any] | None = None, click: int | None = None,
        stage: int = len(STAGES), **kwargs: Any,
    ):  # fmt: skip
        super().__init__(model, clicks, **kwargs)
        self.click = len(self.clicks) if click is None else click
        self.stage = whole("stage", stage, 1, len(STAGES))

    @t.validate("click")
    def _validate_click(self, proposal) -> int:
        return whole("click", proposal["value"], 1, self.most_clicks)

    @t.validate("stage")
    def _validate_stage(self, proposal) -> int:
        return whole("stage", proposal["value"], 1, len(STAGES))

    def alt_text(self) -> str:
        click = min(self.click, len(self.clicks))
        item, step = self.clicks[click - 1], follow(self.model, self.numbers()[:click])[-1]
        (first, share), *_ = ranked(self.model, step["after"])
        return (
            f"Click {click} of {len(self.clicks)}, {item}, on its way through a GRU4Rec of {len(self._number)} items "
            f"and {self.model.layers[0]} units, at stage {self.stage} of {len(STAGES)}, {STAGES[self.stage - 1]}. "
            f"At the end {first} is first with {share:.1%}."
        )

    def poster(self) -> Figure:
        from matplotlib.figure import Figure

        click = min(self.click, len(self.clicks))
        step = follow(self.model, self.numbers()[:click])[-1]
        figure = Figure(figsize=(8, 5), layout="constrained")
        grid = figure.add_gridspec(6, 2, width_ratios=(1, 1))
        rows = [
            ("x: its row", "x", 2), ("h before", "before", 2), ("r: reset", "r", 3), ("z: update", "z", 3),
            ("ĥ: candidate", "candidate", 4), ("h′ after", "after", 5),
        ]  # fmt: skip
        for place, (name, key, stage) in enumerate(rows):
            axes = figure.add_subplot(grid[place, 0])
            if stage <= self.stage:
                draw_vector(axes, step[key].tolist())
            axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
            axes.set(xticks=[], yticks=[], **({} if key == "x" else {"ylim": (0 if key in "rz" else -1.05, 1.05)}))
        right = figure.add_subplot(grid[:, 1])
        best = ranked(self.model, step["after"])[:8] if self.stage == len(STAGES) else []
        right.barh([item for item, _ in best[::-1]], [100 * share for _, share in best[::-1]], color=ACCENT)
        right.set_title("The most likely next clicks, in %", loc="left", fontsize=10)
        right.spines[["top", "right"]].set_visible(False)
        right.tick_params(labelsize=9)
        note = f"Click {click} of {len(self.clicks)}: {self.clicks[click - 1]}. Run the cell to step."
        figure.supxlabel(note, fontsize=9)
        return figure
