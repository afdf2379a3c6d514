"""The tiny GRU4Rec that the widgets Network and Session open with, and what they can show of other models.

Its weights ship with the package (``tiny_model.safetensors``, made by ``tools/tiny_model.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
import traitlets as t
from torch import Tensor

from ..cells import GRUCell
from ..gru4rec import GRU4Rec
from ..metrics import largest
from ._base import ACCENT, INK, BookWidget

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE = "tiny_model.safetensors"
MOST_ITEMS, MOST_UNITS, MOST_CLICKS = 256, 32, 40
EXAMPLES = {  # of the toyshop: sessions that end with a guide, which visitors of every price line read
    "a budget camper": ["mat-foam-budget", "stove-gas-budget", "guide-stove"],
    "a light traveller": ["mat-folding-ultralight", "stove-wood-ultralight", "guide-stove"],
    "a hiker": ["boots-trail-classic", "jacket-down-classic", "backpack-daypack-classic", "guide-backpack"],
    "back and forth": ["boots-hiking-budget", "guide-boots", "boots-hiking-budget", "guide-boots"],
}


def load() -> GRU4Rec:
    """The default model, on the CPU: 16 units, trained on simulated clicks of the toyshop's 160 items."""
    with as_file(files(__package__) / FILE) as path:
        return GRU4Rec.load(path, device="cpu")


class ModelWidget(BookWidget):
    """What Network and Session share: a model's weights for the page, and a session of its items.

    Args:
        model: a trained `GRU4Rec` that `drawable` accepts; None: the tiny one.
        clicks: item ids, oldest first; None: the first example.

    Traits: ``shop`` (items and weights), ``examples`` ([name, items] pairs), ``clicks`` (items as text).
    """

    most_clicks = MOST_CLICKS
    fewest_clicks = 0
    shop = t.Dict().tag(sync=True)
    examples = t.Any().tag(sync=True)
    clicks = t.Any().tag(sync=True)  # Any: so that even a wrong type gets our own error

    def __init__(self, model: GRU4Rec | None = None, clicks: Iterable[Any] | None = None, **kwargs: Any):
        self.model = load() if model is None else drawable(model)
        names = self.model.items.astype(str)
        examples: dict[str, list[str]] = EXAMPLES if model is None else own_examples(self.model)
        self._number = {name: number for number, name in enumerate(names)}
        super().__init__(
            shop={"items": names.tolist(), **weights(self.model)},
            examples=[[name, items] for name, items in examples.items()],
            clicks=next(iter(examples.values())) if clicks is None else clicks,
            **kwargs,
        )

    @t.validate("clicks")
    def _validate_clicks(self, proposal) -> list[str]:
        clicks = proposal["value"]
        if isinstance(clicks, str) or not isinstance(clicks, Iterable):
            raise ValueError(f"clicks={clicks!r}: must be a list of the model's items, here [{clicks!r}]")
        clicks = [str(item) for item in clicks]
        if not self.fewest_clicks <= len(clicks) <= self.most_clicks:
            allowed = f"{self.fewest_clicks} to {self.most_clicks}"
            raise ValueError(f"clicks has {len(clicks)} clicks: the picture takes {allowed}")
        for item in clicks:
            if item not in self._number:
                some = ", ".join(list(self._number)[:3])
                raise ValueError(f"clicks: {item!r} is not an item of the model; its {len(self._number)}: {some}, ...")
        return clicks

    def numbers(self) -> list[int]:
        """The clicks as item numbers."""
        return [self._number[item] for item in self.clicks]


def drawable(model: Any) -> GRU4Rec:
    """The model, or a ValueError that says why it cannot be drawn."""
    if not isinstance(model, GRU4Rec):
        raise ValueError(f"model={model!r}: must be a trained GRU4Rec, or None for the tiny one in the package")
    model._check_fitted()
    network, n_items = model.network, len(model.items)
    limits = [
        (len(model.layers) == 1, f"layers={model.layers!r}: the picture takes one layer, such as (16,)"),
        (max(model.layers) <= MOST_UNITS, f"layers={model.layers!r}: the picture takes at most {MOST_UNITS} units"),
        (model.cell in ("gru", "gru-paper"), f"cell={model.cell!r}: the picture takes 'gru' or 'gru-paper'"),
        (
            network.output == "linear" and model.loss == "cross-entropy",
            f"loss={model.loss!r} with output {network.output!r}: the picture shows the softmax of cross-entropy, "
            "so it takes loss='cross-entropy' with output='linear'",
        ),
        (
            network.input_table.shape[1] <= 3 * MOST_UNITS,
            f"embedding_size={model.embedding_size!r}: the picture takes at most {3 * MOST_UNITS}",
        ),
        (n_items <= MOST_ITEMS, f"model has {n_items:,} items: the picture takes at most {MOST_ITEMS}"),
        (model.items.astype(str).is_unique, "model: two of its items have the same name as text"),
        (all(p.isfinite().all() for p in network.parameters()), "model: some of its weights are not finite"),
    ]
    for fits, message in limits:
        if not fits:
            raise ValueError(message)
    return model


def weights(model: GRU4Rec) -> dict[str, Any]:
    """The cell's name and all parameters as lists, each number in as few digits as identify its float32."""
    named = {name.removeprefix("layers.0."): tensor for name, tensor in model.network.state_dict().items()}
    named["bias_out"] = named["bias_out"].squeeze(1)
    return {"cell": model.cell, **{name: _short(tensor.cpu().numpy().tolist()) for name, tensor in named.items()}}


def _short(values: Any) -> Any:
    """Nested lists of float32 numbers, rounded to the nine digits that distinguish them all: 0.125 stays 0.125."""
    if isinstance(values, list):
        return [_short(v) for v in values]
    return next(short for digits in range(1, 10) if _same(short := float(f"{values:.{digits}g}"), values))


def _same(short: float, value: float) -> bool:
    return torch.tensor(short, dtype=torch.float32).item() == value


@torch.no_grad()
def follow(model: GRU4Rec, numbers: list[int]) -> list[dict[str, Tensor]]:
    """Of each click x, before, r, z, candidate and after, ``(H,)`` each, and its scores and probabilities, ``(N,)``."""
    network, steps = model.network, []
    layer, before = network.layers[0], network.zeros(1)
    assert isinstance(layer, GRUCell)  # `drawable` makes sure
    for number in numbers:
        x = network.input_table[[number]]
        gates, hidden = layer.input_gates(x), before[0][:, 0]
        weight, bias = layer.weight_hh.chunk(3), getattr(layer, "bias_hh", gates.new_zeros(gates.shape[1])).chunk(3)
        entering = gates.chunk(3, dim=1)
        r, z = ((entering[b] + F.linear(hidden, weight[b], bias[b])).sigmoid() for b in range(2))
        product = F.linear(hidden if layer.reset == "after" else r * hidden, weight[2], bias[2])
        candidate = (entering[2] + (r * product if layer.reset == "after" else product)).tanh()
        after, before = network(x, before)  # the model's own step, from which it would recommend
        scores = network.score_all(after)
        parts = {"x": x, "before": hidden, "r": r, "z": z, "candidate": candidate, "after": after, "scores": scores}
        parts["probabilities"] = scores.softmax(1)
        steps.append({name: part[0].cpu() for name, part in parts.items()})
    return steps


@torch.no_grad()
def ranked(model: GRU4Rec, hidden: Tensor) -> list[tuple[str, float]]:
    """Every item, as text, with its probability from this state ``(H,)``: best first, ties by place."""
    network = model.network
    scores = network.score_all(hidden[None].to(network.item_out.device)).cpu()
    _, best = largest(scores, len(model.items))
    shares = scores.softmax(1)[0, best[0]].tolist()
    return list(zip(model.items[best[0].numpy()].astype(str), shares, strict=True))


def draw_vector(axes: Axes, values: list[float]) -> None:
    """A vector as bars, filled above zero and hollow below, as in the page."""
    faces = [ACCENT if v >= 0 else "white" for v in values]
    axes.bar(range(1, len(values) + 1), values, color=faces, edgecolor=[ACCENT if v >= 0 else INK for v in values])
    axes.axhline(0, color=INK, linewidth=0.8)


def own_examples(model: GRU4Rec) -> dict[str, list[str]]:
    """Three sessions that follow the model's own lists: from one of its best first items on to the best new ones."""
    examples = {}
    for first in range(min(3, len(model.items))):
        session: list[Any] = []
        for _ in range(min(5, len(model.items))):
            best = model.recommend(session, k=len(model.items), exclude=session)["ItemId"]
            session.append(best.iloc[0 if session else first])
        examples[f"its own list, from no. {first + 1}"] = [str(item) for item in session]
    return examples
