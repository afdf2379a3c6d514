"""The Session widget: a visit to a small shop, click by click, with a trained model in the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import traitlets as t

from ._base import ACCENT, source
from .tiny_model import ModelWidget, draw_vector, follow, ranked

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from ..gru4rec import GRU4Rec

MEMORIES = ("kept", "zero")


class Session(ModelWidget):
    """Click through a shop and see the list and the state of a trained GRU4Rec change with each click.

    Args:
        model: a trained GRU4Rec of one layer with cell "gru" or "gru-paper" and cross-entropy, of at most 256 items
            and 32 units, e.g. your own; its lists here are those of ``model.recommend(clicks)``. None: a tiny one of
            the toyshop's 160 items and 16 units.
        clicks: items clicked so far, oldest first, at most 40. Default: a session that ends with a buying guide.
        memory: "kept": the state is kept between clicks; "zero": it is set to zero before each one.

    Raises:
        ValueError: a model or clicks that cannot be drawn.
    """

    _esm, _css = source("_tiny_model.js", "session.js"), source("_tiny_model.css", "session.css")
    memory = t.Any().tag(sync=True)

    def __init__(
        self, model: GRU4Rec | None = None, clicks: Iterable[Any] | None = None, memory: str = "kept", **kwargs: Any
    ):
        super().__init__(model, clicks, memory=memory, **kwargs)

    @t.validate("memory")
    def _validate_memory(self, proposal) -> str:
        if proposal["value"] not in MEMORIES:
            raise ValueError(f"memory={proposal['value']!r}: must be 'kept' or 'zero'")
        return proposal["value"]

    def now(self) -> tuple[Tensor, list[tuple[str, float]]]:
        """The state ``(H,)``, and every item with its probability, best first."""
        numbers = self.numbers() if self.memory == "kept" else self.numbers()[-1:]
        steps = follow(self.model, numbers)
        state = steps[-1]["after"] if steps else self.model.network.zeros(1)[0][0, 0].cpu()
        return state, ranked(self.model, state)

    def alt_text(self) -> str:
        (first, share), *others = self.now()[1][:3]
        clicked = f"after {', '.join(self.clicks)}" if self.clicks else "before any click"
        forgets = "" if self.memory == "kept" else ", set to zero before each click"
        return (
            f"A shop of {len(self._number)} items and a GRU4Rec of {self.model.layers[0]} units. The state{forgets} "
            f"and the list {clicked}: {first} with {share:.1%}, then {' and '.join(item for item, _ in others)}."
        )

    def poster(self) -> Figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        state, every = self.now()
        items, shares = zip(*reversed(every[:10]), strict=True)
        left.barh(items, [100 * s for s in shares], color=ACCENT)
        left.set_title("The most likely next clicks, in %", loc="left", fontsize=10)
        draw_vector(right, state.tolist())
        right.set_title("The state", loc="left", fontsize=10)
        right.set_xlabel("unit", fontsize=9)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=9)
        clicks = " → ".join(self.clicks[-4:]) or "no click yet"
        figure.supxlabel(f"Clicked: {clicks}. Run the cell to click on.", fontsize=9)
        return figure
