"""Networks gone wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..cells import GRUCell
from ..network import Network


@contextmanager
def dropouts(network: Network, embed: float, hidden: float) -> Iterator[None]:
    """Use other drop probabilities for a while; the variants below do this by mistake."""
    kept = network.dropout_embed, network.dropout_hidden
    network.dropout_embed, network.dropout_hidden = embed, hidden
    try:
        yield
    finally:
        network.dropout_embed, network.dropout_hidden = kept


def dead_dropout(network: Network):
    """B6: the dropout of a one-layer ``nn.GRU(dropout=p)``, which does nothing at all. Bit GRU4REC-pytorch."""
    return dropouts(network, 0.0, 0.0)


def embedding_dropout_for_one_hot_only(network: Network):
    """B6, another part: input rows are dropped out for one-hot input only. Bit GRU4REC-pytorch."""
    is_one_hot = not hasattr(network.layers[0], "weight_ih")
    return dropouts(network, network.dropout_embed if is_one_hot else 0.0, network.dropout_hidden)


def keep_for_drop(network: Network):
    """B8: the probability of keeping is taken for the probability of dropping. Bit GRU4Rec_TensorFlow."""
    return dropouts(network, 1.0 - network.dropout_embed, 1.0 - network.dropout_hidden)


def keep_for_drop_hidden(network: Network):
    """B8 where there is one dropout only, of the hidden state, as in GRU4Rec_TensorFlow."""
    return dropouts(network, network.dropout_embed, 1.0 - network.dropout_hidden)


def one_dropout_for_two(network: Network):
    """B10: one probability for the input rows and for the hidden state. Bit RecPack."""
    return dropouts(network, network.dropout_hidden, network.dropout_hidden)


def torch_initialisation(network: Network, generator: torch.Generator | None = None) -> None:
    """B10: torch's defaults, N(0, 1) tables and U(±1/√H) weights and biases, instead of Glorot's. Bit RecPack."""
    for name in network.tables:
        nn.init.normal_(getattr(network, name), generator=generator)
    for layer in network.layers:
        bound = dict(layer.named_parameters())["weight_hh"].shape[1] ** -0.5
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)


def score_all_then_pick(network: Network, hidden: Tensor, candidates: Tensor) -> Tensor:
    """B7: scores of the whole catalogue, columns picked afterwards. Bit GRU4REC-pytorch, Torch-GRU4Rec, RecPack."""
    return network.score_all(hidden)[:, candidates]


def score_all_then_pick_in_training(
    network: Network, candidates: Tensor, hidden: Tensor, rows: Tensor, bias: Tensor
) -> Tensor:
    """B7 in a training step, which differentiates with respect to the gathered rows and biases: the same gradients.

    They are put into copies of the tables; an item that is k times among the candidates gets 1/k of it each time.
    """
    share = 1 / candidates.bincount(minlength=network.n_items)[candidates].unsqueeze(1)
    whole = [
        table.detach().index_add(0, candidates, share * (part - part.detach()))  # adds zeros that carry the gradient
        for table, part in ((network.item_out, rows), (network.bias_out, bias))
    ]
    return type(network).score(network, hidden, *whole)[:, candidates]


def hard_coded(n_items: int, *settings: object, **more: object) -> Network:
    """B9: one layer of 100 units, one-hot input and dropout .25, whatever was asked for. Bit KerasGRU4Rec."""
    generator = next((one for one in (*settings, *more.values()) if isinstance(one, torch.Generator)), None)
    return Network(n_items, (100,), "gru", "one-hot", dropout_hidden=0.25, generator=generator)


def one_hot_matrix(network: Network, clicked: Tensor) -> Tensor:
    """B9: clicks become rows of zeros with a one, made on the CPU, and a product finds the rows of the table.

    Bit KerasGRU4Rec: B · N numbers are made, moved to the device and multiplied, where B rows could be read.
    """
    one_hot = F.one_hot(clicked.cpu(), network.n_items).float()
    return one_hot.to(network.input_table.device) @ network.input_table


def swapped_update_gate(cell: GRUCell, x: Tensor, state: Tensor) -> Tensor:
    """B14: z keeps what it should let in, h' = z·h + (1-z)·c, or the other way round. Bit several ports.

    Since σ(-x) = 1 - σ(x), flipped signs do it. Not wrong, but weights and figures no longer match the text.
    """
    blocks = {name: parameter.chunk(3) for name, parameter in cell.named_parameters()}
    return functional_call(cell, {name: torch.cat((r, -z, c)) for name, (r, z, c) in blocks.items()}, (x, state))


def untied(network: Network) -> Network:
    """No number: "shared" tables that start as copies and drift apart. No port has a shared table at all."""
    network.item_in = nn.Parameter(network.item_out.detach().clone())
    return network
