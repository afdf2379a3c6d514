"""The network: item table → recurrent layers → scores of some candidates, or of the whole catalogue.

The tables are only ever touched by rows, so that a training step costs the same whatever the size of the catalogue: it
gathers the rows it needs, differentiates with respect to them, and hands their gradients back to the optimiser.

Source: Hidasi et al., ICLR 2016, §3.1 and figure 1; the shared table: Hidasi & Karatzoglou, CIKM 2018, §4.4
(constrained embedding).
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batching import side_by_side
from .cells import CELLS, Cell, glorot_blocks_, weights
from .internal import rules
from .internal.checks import require_sessions

EMBEDDINGS = ("one-hot", "separate", "shared")
OUTPUTS = ("linear", "tanh", "elu")


class Network(nn.Module):
    """Item table, recurrent layers, output table.

    Args:
        n_items: catalogue size N.
        layers: units of each recurrent layer, first to last.
        cell: "gru" | "gru-paper" | "lstm" | "rnn".
        embedding: "one-hot" (the table's rows are the first layer's gate sums), "separate" (a table of its own), or
            "shared" (one table for input and output, as wide as the last layer).
        embedding_size: width of a separate embedding; None: the width of the first layer.
        output: "linear" | "tanh" | "elu", applied to the scores.
        elu: the ELU levels off at minus this; above 0.
        dropout_embed, dropout_hidden: drop probabilities of the input rows and of each layer's hidden state.
        generator: source of the initial weights; None: torch's global one, as for any module.

    Parameters: ``item_in`` ``(N, W)`` (absent when shared), ``item_out`` ``(N, H)``, ``bias_out`` ``(N, 1)``, and the
    layers' own.
    """

    @rules.arguments(
        n_items=rules.whole(),
        layers=rules.units,
        cell=rules.one_of(*CELLS),
        embedding=rules.one_of(*EMBEDDINGS),
        embedding_size=rules.optional(rules.whole()),
        output=rules.one_of(*OUTPUTS),
        elu=rules.positive,
        dropout_embed=rules.share,
        dropout_hidden=rules.share,
    )
    def __init__(
        self,
        n_items: int,
        layers: tuple[int, ...] = (100,),
        cell: str = "gru",
        embedding: str = "shared",
        embedding_size: int | None = None,
        output: str = "linear",
        elu: float = 0.5,
        dropout_embed: float = 0.0,
        dropout_hidden: float = 0.0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.n_items, self.output, self.elu = n_items, output, elu
        self.dropout_embed, self.dropout_hidden = dropout_embed, dropout_hidden
        first, last = layers[0], layers[-1]
        n_in = {"one-hot": None, "separate": embedding_size or first, "shared": last}[embedding]
        widths = zip((n_in, *layers[:-1]), layers, strict=True)
        cells = [CELLS[cell](width, units, generator=generator) for width, units in widths]
        self.layers, gates = nn.ModuleList(cells), cells[0].n_gates
        if embedding != "shared":
            self.item_in = weights(n_items, gates * first if n_in is None else n_in)
            glorot_blocks_(self.item_in, gates if n_in is None else 1, columns=True, generator=generator)
        self.item_out, self.bias_out = weights(n_items, last), weights(n_items, 1)
        glorot_blocks_(self.item_out, 1, generator=generator)
        nn.init.zeros_(self.bias_out)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the parameters that are updated by rows; the others are updated whole."""
        return ("item_in", "item_out", "bias_out") if hasattr(self, "item_in") else ("item_out", "bias_out")

    @property
    def input_table(self) -> Tensor:
        """``(N, W)``; the same storage as the output table if the embedding is shared."""
        return self.item_in if hasattr(self, "item_in") else self.item_out

    def zeros(self, lanes: int) -> list[Tensor]:
        """The state before the first click, ``(lanes, S, H)`` of each layer."""
        return [cast(Cell, layer).zeros(lanes) for layer in self.layers]

    def masks(self, lanes: int, generator: torch.Generator | None = None) -> list[Tensor | None]:
        """Dropout's factors for a step: 0 with probability p, else 1/(1-p); None where nothing is dropped.

        Args:
            lanes: b, at least 1.
            generator: source of the random numbers; None: torch's global one, as ``F.dropout`` uses.

        Returns:
            ``(b, W)`` for the input rows, then ``(b, H)`` for the hidden state of each layer; all None in evaluation.
        """
        widths = [(self.input_table.shape[1], self.dropout_embed)]
        widths += [(cast(Cell, layer).units, self.dropout_hidden) for layer in self.layers]
        empty = self.bias_out.new_empty
        return [
            empty(lanes, width).bernoulli_(1 - p, generator=generator).div_(1 - p or 1) if self.training and p else None
            for width, p in widths
        ]

    def forward(
        self, rows: Tensor, state: list[Tensor], masks: list[Tensor | None] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """One click of every lane.

        Args:
            rows: ``(b, W)`` the clicked items' rows of the input table.
            state: ``(b, S, H)`` of each layer.
            masks: dropout masks, see `masks`; None: drawn here, in training mode.

        Returns:
            ``(b, H)`` hidden state of the last layer, and the new state of each layer. In training mode, the hidden
            state *after dropout* is both passed on to the next layer and carried to the next step.
        """
        of_rows, *of_layers = self.masks(len(rows)) if masks is None else masks
        x = dropped(rows, of_rows)
        new_state = []
        for layer, before, mask in zip(self.layers, state, of_layers, strict=True):
            after = layer(x, before)
            x = dropped(after[:, 0], mask)
            new_state.append(torch.cat((x.unsqueeze(1), after[:, 1:]), dim=1))
        return x, new_state

    def score(self, hidden: Tensor, rows: Tensor, bias: Tensor) -> Tensor:
        """Scores of the candidates whose output rows and biases are given: ``(b, H), (C, H), (C, 1) -> (b, C)``."""
        if bias.shape != (len(rows), 1):  # a single bias would be broadcast to every candidate
            raise ValueError(
                f"bias={tuple(bias.shape)}: must be ({len(rows)}, 1), one for each row of {tuple(rows.shape)}"
            )
        scores = torch.addmm(bias.squeeze(1), hidden, rows.T)
        if self.output == "tanh":
            return scores.tanh()
        return F.elu(scores, self.elu) if self.output == "elu" else scores

    def score_all(self, hidden: Tensor) -> Tensor:
        """Scores of the whole catalogue: ``(b, H) -> (b, N)``."""
        return self.score(hidden, self.item_out, self.bias_out)


def dropped(x: Tensor, mask: Tensor | None) -> Tensor:
    """``x`` times a dropout mask, if there is one."""
    return x if mask is None else x * mask


def hidden_states(network: Network, items: np.ndarray, offsets: np.ndarray) -> Tensor:
    """Hidden state of the last layer after every click but the last of each session, without dropout.

    Each layer transforms the inputs of all clicks in one product; only the state is computed click by click.

    Args:
        network: its device does the work.
        items: ``(n,)`` item numbers, session after session; -1 for an unknown item, which changes no state.
        offsets: ``(S + 1,)``; session s is ``items[offsets[s]:offsets[s + 1]]``.

    Returns:
        ``(P, H)`` in session order.
    """
    _check_clicks(items, offsets, network.n_items)
    click, widths, place = side_by_side(offsets)
    device = network.item_out.device
    clicked = torch.from_numpy(items[click]).to(device)
    x, known = network.input_table[clicked.clamp(min=0)], (clicked >= 0)[:, None, None].split(widths)
    some_unknown = bool((items[click] < 0).any())
    for layer in (cast(Cell, module) for module in network.layers):
        state, after = layer.zeros(len(offsets) - 1), [x.new_empty(0, layer.units)]
        for gates, is_known in zip(layer.input_gates(x).split(widths), known, strict=True):
            before = state[: len(gates)]
            state = layer.step(gates, before)
            if some_unknown:
                state = torch.where(is_known, state, before)
            after.append(state[:, 0])
        x = torch.cat(after)
    return x[torch.from_numpy(place).to(device)]


def _check_clicks(items: np.ndarray, offsets: np.ndarray, n_items: int) -> None:
    """ValueError unless these are sessions; looks only at the items that are played here."""
    here = items[offsets[0] : offsets[-1]] if isinstance(items, np.ndarray) and items.ndim == 1 else items
    require_sessions(here, offsets - offsets[0], n_items)
