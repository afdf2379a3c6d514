"""The Losses widget: scores to drag, five losses of them, and the gradient that each loss sends to every score."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
import traitlets as t

from ..losses import LOSSES
from ._base import ACCENT, INK, BookWidget, source
from .batching import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FURTHEST, MOST_NEGATIVES = 150.0, 8
COUNTS = (0, *(2**i for i in range(12)))  # how many negatives can be added: 2,048 is our default n_samples
NAMES = {
    "cross-entropy": "Cross-entropy", "bpr": "BPR", "top1": "TOP1", "bpr-max": "BPR-max", "top1-max": "TOP1-max",
}  # fmt: skip
DASHES = {
    "cross-entropy": "-", "bpr": (0, (5, 2.5)), "top1": ":", "bpr-max": "-.", "top1-max": (0, (1, 1.5, 1, 4)),
}  # fmt: skip


class Losses(BookWidget):
    """Drag the scores of a target and its negatives; see each loss, its gradient on every score, and how it fades.

    Args:
        target: score of the target, -150 to 150.
        negatives: scores of its negatives, 1 to 8 of them.
        loss: "cross-entropy" | "bpr" | "top1" | "bpr-max" | "top1-max"; the last two bring each other into the picture.
        added: how many solved negatives to add: 0 or a power of two up to 2,048.
        low: the score of each of those.
        bpreg: weight of BPR-max's pull to zero, 0 to 2. Default 0, so that the pairs alone are seen.

    Raises:
        ValueError: an argument that cannot be drawn.
    """

    _esm, _css = source("_losses_math.js", "losses.js"), source("losses.css")
    target = t.Any().tag(sync=True)  # Any: so that even a wrong type gets our own error
    negatives = t.Any().tag(sync=True)
    loss = t.Any().tag(sync=True)
    added = t.Any().tag(sync=True)
    low = t.Any().tag(sync=True)
    bpreg = t.Any().tag(sync=True)

    def __init__(
        self, target: float = 1.0, negatives: Iterable[float] = (2.0, 0.0, -1.0), loss: str = "cross-entropy",
        added: int = 0, low: float = -8.0, bpreg: float = 0.0, **kwargs: Any,
    ):  # fmt: skip
        scores = {"target": target, "negatives": negatives, "low": low}
        super().__init__(loss=loss, added=added, bpreg=bpreg, **scores, **kwargs)

    @t.validate("target", "low")
    def _validate_score(self, proposal) -> float:
        return number(proposal["trait"].name, proposal["value"], -FURTHEST, FURTHEST)

    @t.validate("bpreg")
    def _validate_bpreg(self, proposal) -> float:
        return number("bpreg", proposal["value"], 0, 2)

    @t.validate("negatives")
    def _validate_negatives(self, proposal) -> list[float]:
        given = proposal["value"]
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise ValueError(f"negatives={given!r}: must be a list of scores, such as [2.0, 0.0, -1.0]")
        checked = [number(f"negatives[{j}]", score, -FURTHEST, FURTHEST) for j, score in enumerate(given)]
        if not 1 <= len(checked) <= MOST_NEGATIVES:
            raise ValueError(f"negatives has {len(checked)} scores: the picture takes 1 to {MOST_NEGATIVES}")
        return checked

    @t.validate("loss")
    def _validate_loss(self, proposal) -> str:
        if proposal["value"] not in list(LOSSES):
            raise ValueError(f"loss={proposal['value']!r}: must be one of {', '.join(LOSSES)}")
        return proposal["value"]

    @t.validate("added")
    def _validate_added(self, proposal) -> int:
        added = whole("added", proposal["value"], 0, COUNTS[-1])
        if added not in COUNTS:
            raise ValueError(f"added={added}: must be 0 or a power of two up to {COUNTS[-1]}")
        return added

    def compared(self) -> list[str]:
        """The losses that the table and the curves show."""
        return [name for name in LOSSES if self.loss.endswith("max") or not name.endswith("max")]

    def measured(self, loss: str, added: int) -> tuple[float, list[float]]:
        """Loss, and its gradient on target and negatives, with ``added`` negatives."""
        return measured(loss, self.target, [*self.negatives, *[self.low] * added], self.bpreg)

    def alt_text(self) -> str:
        value, gradient = self.measured(self.loss, self.added)
        hardest = self.negatives.index(max(self.negatives))
        counts = sorted({self.added, COUNTS[-1]})
        left = [
            f"{NAMES[name]} " + ", ".join(f"{-self.measured(name, n)[1][0]:.2g}" for n in counts)
            for name in self.compared()
        ]
        return (
            f"A target with score {self.target:.4g} and {len(self.negatives)} negatives, the hardest with "
            f"{self.negatives[hardest]:.4g}. {NAMES[self.loss]} with {self.added:,} negatives added is {value:.3f}, "
            f"its gradient {gradient[0]:+.3f} on the target and {gradient[1 + hardest]:+.3f} on the hardest negative. "
            f"Push on the target with {' and '.join(f'{n:,}' for n in counts)} negatives of {self.low:.4g} added: "
            f"{'; '.join(left)}."
        )

    def poster(self) -> Figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 2.6 + 0.3 * len(self.negatives)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1))
        value, gradient = self.measured(self.loss, self.added)
        scores = [self.target, *self.negatives]
        names = ["target", *(f"negative {j}" for j in range(1, len(scores)))]
        left.barh(range(len(scores)), scores, color=[ACCENT, *["#8b9198"] * len(self.negatives)], height=0.5)
        span = max(4.0, *map(abs, scores))
        for row, (score, slope) in enumerate(zip(scores, gradient[: len(scores)], strict=True)):
            end = score - slope * span / 3  # training moves a score against its gradient
            arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
            left.annotate("", (end, row + 0.38), (score, row + 0.38), arrowprops=arrow)
        left.set_yticks(range(len(scores)), [f"{n} ({g:+.2f})" for n, g in zip(names, gradient, strict=False)])
        left.set_xlim(-1.4 * span, 1.4 * span)
        left.set_ylim(len(scores) - 0.3, -0.6)
        left.axvline(0, color=INK, linewidth=0.8)
        left.set_title(f"Scores (gradient) of {NAMES[self.loss]} = {value:.3f}", loc="left", fontsize=10)
        for name in self.compared():
            pushes = [-self.measured(name, n)[1][0] for n in COUNTS]
            chosen = {"color": ACCENT, "linewidth": 2.6} if name == self.loss else {"color": INK, "linewidth": 1.4}
            right.plot(range(len(COUNTS)), pushes, linestyle=DASHES[name], label=NAMES[name], **chosen)
        right.axvline(COUNTS.index(self.added), color=INK, linestyle=":", linewidth=1)
        right.set_xticks([0, 1, 4, 7, 10, 12], [f"{COUNTS[i]:,}" for i in (0, 1, 4, 7, 10, 12)])
        right.set_xlabel(f"negatives of {self.low:.4g} added", fontsize=9)
        right.set_ylim(bottom=0)
        right.legend(frameon=False, fontsize=8)
        right.set_title("Push up on the target", loc="left", fontsize=10)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=9)
        figure.supxlabel("Arrows: where training pushes each score. Run the cell to drag the scores.", fontsize=9)
        return figure


def number(name: str, value: Any, low: float, high: float) -> float:
    """The value as a float, or a ValueError that says what is allowed."""
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:  # NaN fails too
        raise ValueError(f"{name}={value!r}: must be a number from {low:g} to {high:g}")
    return float(value)


def measured(loss: str, target: float, negatives: list[float], bpreg: float) -> tuple[float, list[float]]:
    """The package's loss on these scores, and torch's gradient of it on the target and on each negative."""
    scores = torch.tensor([[target, *negatives]], dtype=torch.float64, requires_grad=True)
    is_negative = torch.ones_like(scores, dtype=torch.bool)
    is_negative[0, 0] = False
    settings = {"bpreg": bpreg} if loss == "bpr-max" else {}
    value = LOSSES[loss](scores, is_negative, **settings).sum()
    return value.item(), torch.autograd.grad(value, scores)[0][0].tolist()
