"""The Gates widget: one unit of a GRU, LSTM or RNN through a short session, and how far back its gradient reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
import traitlets as t
from torch import Tensor

from ..cells import CELLS, Cell, GRUCell, LSTMCell, RNNCell
from ._base import ACCENT, INK, PALE, BookWidget, source
from .batching import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST_CLICKS, MOST_CLICKS, LARGEST_X = 2, 12, 3.0
SESSION = [
    ["tent", 1.0], ["mug", -0.2], ["map", 0.1], ["rope", -0.3],
    ["hat", 0.2], ["lamp", -0.4], ["sock", 0.0], ["mat", 0.3],
]  # fmt: skip  # x: how much the click looks like a tent
# Rows [W, U, b, d] of a unit that watches for tents: x opens the update gate, everything else leaves it nearly shut.
WEIGHTS = {
    "gru-paper": [[-2.0, 0.5, 1.0], [4.0, 0.5, -2.5], [1.5, 0.8, 0.0]],
    "gru": [[-2.0, 0.5, 1.0, 0.0], [-4.0, -0.5, 2.5, 0.0], [1.5, 0.8, -0.5, 0.5]],  # torch's z keeps the old
    "lstm": [[4.0, 0.5, -2.0], [-3.0, 0.5, 2.5], [1.5, 0.8, 0.0], [1.0, 0.5, 1.0]],
    "rnn": [[1.5, 0.8, 0.0]],
}
GRU_GATES = {"r": 0, "z": 1}  # and their rows
GATES = {"gru-paper": GRU_GATES, "gru": GRU_GATES, "lstm": {"i": 0, "f": 1, "o": 3}, "rnn": {}}
TITLES = {"gru-paper": "GRU (paper)", "gru": "GRU (torch)", "lstm": "LSTM", "rnn": "RNN"}


class Gates(BookWidget):
    """Step one unit of a recurrent cell through a session; hold its gates, see how far back its gradient reaches.

    Args:
        clicks: pairs (item, x), 2 to 12 of them; x, from -3 to 3, is all that the cell sees of the click. Default: a
            tent and seven other things.
        cell: "gru-paper" | "gru" | "lstm" | "rnn", or a cell of `cells` with one input and one unit, whose weights are
            taken.
        held: gates that you set, from 0 to 1: ``{"z": 0.05}`` at every click, or ``{"z": [1, 0, None, ...]}`` click by
            click, None where the cell decides. Gates: r, z of the GRU, i, f, o of the LSTM.
        step: the click that it opens at, counted from 1.

    Raises:
        ValueError: an argument that cannot be drawn.
    """

    _esm, _css = source("_gates_math.js", "gates.js"), source("gates.css")
    clicks = t.Any().tag(sync=True)  # Any: so that even a wrong type gets our own error
    cell = t.Any().tag(sync=True)
    weights = t.Any().tag(sync=True)
    held = t.Any().tag(sync=True)
    step = t.Any().tag(sync=True)

    def __init__(
        self, clicks: Iterable[tuple[Any, float]] | None = None, cell: str | Cell = "gru-paper",
        held: Mapping[str, Any] | None = None, step: int | None = None, **kwargs: Any,
    ):  # fmt: skip
        session = checked_clicks(SESSION if clicks is None else clicks)
        weights = dict(WEIGHTS)
        if isinstance(cell, Cell):
            cell, rows = weights_of(cell)
            weights[cell] = rows
        held = {name: spread(name, value, len(session)) for name, value in checked_mapping(held or {}).items()}
        step = max(1, len(session) - 2) if step is None else step
        super().__init__(clicks=session, cell=cell, weights=weights, held=held, step=step, **kwargs)

    @t.validate("clicks")
    def _validate_clicks(self, proposal) -> list[list]:
        return checked_clicks(proposal["value"])

    @t.validate("cell")
    def _validate_cell(self, proposal) -> str:
        if not isinstance(proposal["value"], str) or proposal["value"] not in CELLS:
            allowed = f"must be one of {', '.join(WEIGHTS)}, or a cell with one input and one unit"
            raise ValueError(f"cell={proposal['value']!r}: {allowed}")
        return proposal["value"]

    @t.validate("weights")
    def _validate_weights(self, proposal) -> dict[str, list[list[float]]]:
        weights = proposal["value"]
        for cell, rows in WEIGHTS.items():
            given = weights.get(cell) if isinstance(weights, Mapping) else None
            given_rows = given if isinstance(given, list) else []
            fits = [*map(len, given_rows)] == [*map(len, rows)]
            if not fits or not all(is_number(w) for row in given_rows for w in row):
                allowed = f"must be {len(rows)} rows of {len(rows[0])} finite numbers"
                raise ValueError(f"weights[{cell!r}]={given!r}: {allowed}")
        return dict(weights)

    @t.validate("held")
    def _validate_held(self, proposal) -> dict[str, list[float | None]]:
        values = checked_mapping(proposal["value"])
        return {name: spread(name, value, len(value)) for name, value in values.items()}

    @t.validate("step")
    def _validate_step(self, proposal) -> int:
        return whole("step", proposal["value"], 1)

    def alt_text(self) -> str:
        now = min(self.step, len(self.clicks))
        states, reach = played(self.clicks, self.cell, self.weights[self.cell], self.held, now)
        name = "c after click 1" if self.cell == "lstm" else "click 1"
        back = f"{reach[0, -1]:.2g} of its gradient reaches {name}" if now > 1 else "no click is before it"
        gates = [gate for gate in GATES[self.cell] if gate in self.held]
        held = f", {' and '.join(gates)} held by the reader" if gates else ""
        return (
            f"One unit of a {TITLES[self.cell]} after click {now} of {len(self.clicks)}{held}: "
            f"h was {', '.join(f'{h:.2f}' for h in states[:, 0].tolist())}; {back}."
        )

    def poster(self) -> Figure:
        from matplotlib.figure import Figure

        now, other = min(self.step, len(self.clicks)), "gru-paper" if self.cell == "rnn" else "rnn"
        figure = Figure(figsize=(8, 4), layout="constrained")
        upper, lower = figure.subplots(2, sharex=True)
        at = range(1, now + 1)
        states, reach = played(self.clicks, self.cell, self.weights[self.cell], self.held, now)
        others, other_reach = played(self.clicks, other, self.weights[other], self.held, now)
        for axes, own, beside in (
            (upper, states[:, 0], others[:, 0]),
            (lower, reach[:, -1].abs(), other_reach[:, -1].abs()),
        ):
            axes.bar(at, own.tolist(), width=0.5, color=ACCENT, label=TITLES[self.cell])
            label = f"{TITLES[other]}, same clicks"
            axes.plot(at, beside.tolist(), "--o", color=INK, markerfacecolor=PALE, label=label)
            axes.axhline(0, color=INK, linewidth=0.8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=9)
        lower.set_xticks(range(1, len(self.clicks) + 1), [f"{item}\n{x:g}" for item, x in self.clicks])
        upper.legend(frameon=False, fontsize=9)
        upper.set_title("The state h after each click", loc="left", fontsize=10)
        name = "memory c" if self.cell == "lstm" else "state"
        title = f"The gradient of h after click {now} that reaches the {name} after each"
        lower.set_title(title, loc="left", fontsize=10)
        figure.supxlabel("Run the cell to step, to hold the gates and to change the cell.", fontsize=9)
        return figure


def is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def checked_clicks(clicks: Any) -> list[list]:
    """Clicks as [item, x] lists, or a ValueError that says what cannot be drawn."""
    if isinstance(clicks, str) or not isinstance(clicks, Iterable):
        raise ValueError(f"clicks={clicks!r}: must be pairs (item, x), such as [('tent', 1.0), ('mug', -0.2)]")
    checked = []
    for k, given in enumerate(clicks):
        pair = [] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
        if len(pair) != 2:
            raise ValueError(f"clicks[{k}]={given!r}: must be a pair (item, x), such as ('tent', 1.0)")
        item, x = pair
        if not is_number(x) or abs(x) > LARGEST_X:
            raise ValueError(f"clicks[{k}]: x={x!r}: must be a number from {-LARGEST_X:g} to {LARGEST_X:g}")
        checked.append([str(item), float(x)])
    if not FEWEST_CLICKS <= len(checked) <= MOST_CLICKS:
        raise ValueError(f"clicks has {len(checked)} clicks: the picture takes {FEWEST_CLICKS} to {MOST_CLICKS}")
    return checked


def checked_mapping(held: Any) -> dict[str, Any]:
    """Held gates by name, or a ValueError that names the gates there are."""
    if not isinstance(held, Mapping):
        raise ValueError(f"held={held!r}: must give values of gates, such as {{'z': 0.05}}")
    for name in held:
        if not any(name in gates for gates in GATES.values()):
            raise ValueError(f"held[{name!r}]: there is no such gate: r, z (GRU), i, f, o (LSTM)")
    return dict(held)


def spread(name: str, value: Any, n_clicks: int) -> list[float | None]:
    """A held gate's value at each click, or a ValueError that says what is allowed."""
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value] * n_clicks
    for v in values:
        if v is not None and not (is_number(v) and 0 <= v <= 1):
            raise ValueError(f"held[{name!r}]={value!r}: must be numbers from 0 to 1, or None where the cell decides")
    if len(values) != n_clicks:
        raise ValueError(f"held[{name!r}] has {len(values)} values: must be one for each of the {n_clicks} clicks")
    return [None if v is None else float(v) for v in values]


def weights_of(cell: Cell) -> tuple[str, list[list[float]]]:
    """The name of a cell with one input and one unit, and its rows [W, U, b] or, in torch's GRU, [W, U, b, d]."""
    kinds = {RNNCell: "rnn", LSTMCell: "lstm", GRUCell: "gru" if getattr(cell, "reset", "") == "after" else "gru-paper"}
    weight = getattr(cell, "weight_ih", None)
    if type(cell) not in kinds or weight is None or weight.shape[1] != 1 or cell.units != 1:
        raise ValueError(f"cell={cell!r}: must be a cell of gru4rec_lite.cells with one input and one unit")
    columns = [weight[:, 0], cell.weight_hh[:, 0], cell.bias_ih, *([cell.bias_hh] if hasattr(cell, "bias_hh") else [])]
    return kinds[type(cell)], torch.stack(columns, dim=1).tolist()


def loaded(name: str, rows: list[list[float]], held: dict[str, float | None]) -> Cell:
    """The package's cell with these weights. A held gate sees no input: its bias alone sets its value."""
    cell, rows = CELLS[name](1, 1).double(), [list(row) for row in rows]
    for gate, row in GATES[name].items():
        if held.get(gate) is not None:
            rows[row] = [0.0, 0.0, torch.tensor(held[gate], dtype=torch.float64).logit().item(), 0.0]
    with torch.no_grad():
        for k, parameter in enumerate((cell.weight_ih, cell.weight_hh, cell.bias_ih)):
            parameter.copy_(torch.tensor([row[k] for row in rows], dtype=torch.float64).view_as(parameter))
        if isinstance(bias_hh := getattr(cell, "bias_hh", None), torch.Tensor):
            bias_hh.copy_(torch.tensor([row[3] for row in rows], dtype=torch.float64))
    return cell


def played(
    clicks: list[list], name: str, rows: list[list[float]], held: dict[str, list], now: int
) -> tuple[Tensor, Tensor]:
    """States after the clicks up to ``now``, and the gradient of the last h at each of them: ``(now, S)`` twice."""
    at = lambda k: {gate: values[k] for gate, values in held.items() if k < len(values)}  # noqa: E731
    cells = [loaded(name, rows, at(k)) for k in range(now)]
    states = [cells[0].zeros(1).requires_grad_()]
    for k, cell in enumerate(cells):
        states.append(cell(torch.tensor([[clicks[k][1]]], dtype=torch.float64), states[-1]))
    reach = torch.autograd.grad(states[-1][0, 0, 0], states[1:])
    return torch.stack(states[1:]).detach()[:, 0, :, 0], torch.stack(reach)[:, 0, :, 0]
