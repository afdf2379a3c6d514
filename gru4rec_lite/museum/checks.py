"""Checks of what `audit` cannot see from outside: dropout, initial weights, optimiser, cost, means, cells, click logs.

Each takes a piece of code, ours or a variant of it, returns nothing, and raises AssertionError if it is wrong. What
they compare with is computed here, by hand or by another library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .. import baselines, clicks, training
from ..cells import GRUCell
from ..network import Network
from ..optim import Adagrad

DAY = 86400.0


@contextmanager
def _same_draws() -> Iterator[None]:
    """Torch's global random numbers from a fixed seed; the caller's state is restored afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        yield


# --- the network


def dropout_zeroes_the_share_asked_for(within: Callable[[Network], AbstractContextManager[None]]) -> None:
    """T10, T11: in a cell that only passes its input on, dropouts of .1 (input) and .3 (state) leave .63.

    What is left is scaled up twice, to keep the expectation: tanh(½ / .9) / .7 from inputs of ½.
    """
    with _same_draws():
        network = Network(1, (200,), "rnn", "separate", dropout_embed=0.1, dropout_hidden=0.3).double().train()
        cell: Any = network.layers[0]
        cell.weight_ih.data.copy_(torch.eye(200))
        cell.weight_hh.data.zero_()
        with within(network):
            hidden = network(torch.full((500, 200), 0.5).double(), network.zeros(500))[0]
    share, left = (hidden == 0).double().mean().item(), math.tanh(0.5 / 0.9) / 0.7
    assert abs(share - 0.37) < 0.01, f"{share:.2f} of the numbers are zero, not .37"
    assert bool(((hidden - left).abs() < 1e-9)[hidden != 0].all()), "what is left is not scaled by 1/.9 and 1/.7"


def arithmetic_does_not_grow_with_the_catalogue(use: Callable[[Network, Tensor], Tensor]) -> None:
    """T12: counts products, not seconds: as many for 4,000 items as for 1,000, and the same result as by hand."""

    def operations(n_items: int) -> int:
        with FlopCounterMode(display=False) as counter:
            use(Network(n_items, (6,)), torch.tensor([3, 0, 3, 9]))
        return counter.get_total_flops()

    few, many = operations(1000), operations(4000)
    assert many == few, f"{few:,} operations with 1,000 items, {many:,} with 4,000"


def first_weights_are_glorot_uniform(make: Callable[..., Network]) -> None:
    """T16: weights within ±√(6 / (rows + columns)) of each gate's block, reaching that bound; biases zero."""
    with _same_draws():
        network = make(150, (60, 80), "gru", "separate")
    tables = [(name, getattr(network, name), 1) for name in ("item_in", "item_out")]
    weights = [(n, p, 3) for layer in network.layers for n, p in layer.named_parameters() if "weight" in n]
    for name, weight, gates in [*tables, *weights]:
        for block in weight.detach().chunk(gates):
            bound = math.sqrt(6 / sum(block.shape))
            largest = block.abs().max().item()
            assert 0.99 * bound < largest <= bound, f"{name}: the largest weight is {largest:.2f}, not {bound:.2f}"
    for name, parameter in network.named_parameters():
        assert "bias" not in name or not parameter.any(), f"{name} does not start at 0"


def settings_are_heard(make: Callable[..., Network]) -> None:
    """The network has the layers, cell, embedding, output and dropout that were asked for."""
    network = make(50, (7, 4), "lstm", "separate", 5, "elu", 0.7, 0.1, 0.4)
    asked = {
        "units": [(weight.shape[0] // 4, weight.shape[1]) for weight in _of_layers(network, "weight_hh")],
        "item_in": tuple(network.input_table.shape),
        "output": (network.output, network.elu),
        "dropout": (network.dropout_embed, network.dropout_hidden),
    }
    wanted = {"units": [(7, 7), (4, 4)], "item_in": (50, 5), "output": ("elu", 0.7), "dropout": (0.1, 0.4)}
    assert asked == wanted, f"asked for {wanted}, got {asked}"


def _of_layers(network: Network, name: str) -> list[Tensor]:
    return [dict(layer.named_parameters())[name] for layer in network.layers]


# --- cells


def a_gru_step_is_the_papers(step: Callable[[GRUCell, Tensor, Tensor], Tensor]) -> None:
    """T17: h' = (1 - z)·h + z·c, where z is how much *new* enters, with the reset before the product."""
    cell, x, h = _shaken(GRUCell(4, 5, reset="before"))
    (wr, wz, wc), (ur, uz, uc) = cell.weight_ih.chunk(3), cell.weight_hh.chunk(3)
    br, bz, bc = cell.bias_ih.chunk(3)
    r, z = (x @ wr.T + h @ ur.T + br).sigmoid(), (x @ wz.T + h @ uz.T + bz).sigmoid()
    wanted = (1 - z) * h + z * (x @ wc.T + (r * h) @ uc.T + bc).tanh()
    torch.testing.assert_close(step(cell, x, h.unsqueeze(1))[:, 0], wanted)


def a_gru_step_is_torchs(make: Callable[[int, int], GRUCell]) -> None:
    """T17: the same numbers as torch.nn.GRUCell with the same weights; no weights make the other form agree."""
    cell, x, h = _shaken(make(4, 5))
    theirs = nn.GRUCell(4, 5).double()
    weights: dict[str, Tensor] = {name: p.detach() for name, p in cell.named_parameters()}
    weights.setdefault("bias_hh", torch.zeros_like(weights["bias_ih"]))
    theirs.load_state_dict(weights)
    torch.testing.assert_close(cell(x, h.unsqueeze(1))[:, 0], theirs(x, h))


def _shaken(cell: GRUCell) -> tuple[GRUCell, Tensor, Tensor]:
    """The cell with random weights and biases, an input ``(3, 4)`` and a state ``(3, 5)``."""
    with _same_draws():
        for parameter in cell.double().parameters():
            nn.init.normal_(parameter, std=0.7)
        return cell, torch.randn(3, 4).double(), torch.randn(3, 5).double()


# --- training


def three_steps_of_adagrad_are_numpys(before: Callable[[Adagrad, int], Any]) -> None:
    """T15: three steps against the equations in NumPy; ``before(optimiser, step)`` is called before each."""
    weights, rng = torch.ones(2, 3, dtype=torch.float64), np.random.default_rng(0)
    optimiser = Adagrad({"w": weights}, 0.3, momentum=0.6)
    w, acc, v = np.ones((2, 3)), np.zeros((2, 3)), np.zeros((2, 3))
    for step in range(3):
        before(optimiser, step)
        g = rng.normal(size=(2, 3))
        optimiser.update("w", torch.from_numpy(g))
        acc += g**2
        v = 0.6 * v - 0.3 * g / np.sqrt(acc + 1e-6)
        w += v
        np.testing.assert_allclose(weights.numpy(), w, rtol=1e-9, err_msg=f"step {step + 1}")


def a_loss_that_is_no_number_stops_training(mean: Callable[..., float]) -> None:
    """``mean(total, clicks, epoch, step, learning_rate)`` of a total that is NaN must raise `training.Diverged`."""
    assert mean(torch.tensor(6.0), 4, 1, 2, 0.1) == 1.5
    try:
        mean(torch.tensor(math.nan), 4, 1, 2, 0.1)
    except training.Diverged:
        return
    raise AssertionError("the loss became NaN, and training went on")


def negatives_are_the_other_items(which: Callable[[Tensor, Tensor], Tensor]) -> None:
    """T20: against a double loop: neither a lane's own target nor the same item in another column is a negative."""
    candidates = torch.tensor([4, 1, 4, 2, 4, 1])
    wanted = [[other != own for other in candidates.tolist()] for own in candidates[:3].tolist()]
    assert which(candidates, candidates[:3]).tolist() == wanted


# --- means and click logs


def every_prediction_counts_the_same(mean: Callable[[np.ndarray, list[int]], float]) -> None:
    """T22: ranks 1, 20 and 21 are two hits of three, however the three are batched."""
    hits = (np.array([1, 20, 21]) <= 20).astype(float)
    for widths in ([3], [2, 1], [1, 2], [1, 1, 1]):
        assert math.isclose(mean(hits, widths), 2 / 3), f"batches of {widths}: {mean(hits, widths):.3f}, not .667"


def an_epochs_loss_counts_every_click_once(mean: Callable[[list[float], list[int]], float]) -> None:
    """A step of three clicks with loss 1 and a step of one with loss 4: 1.75 on average, (3 · 1 + 4) / 4."""
    found = mean([1.0, 4.0], [3, 1])
    assert math.isclose(found, 1.75), f"{found:.2f}, not 1.75"


def training_clicks_know_nothing_of_the_test(pipeline: Callable[..., Any]) -> None:
    """T25: what is trained on does not change with the test clicks.

    ``pipeline(log, days=..., min_support=...)`` -> (train, test).
    """
    other = LEAK.assign(ItemId=LEAK["ItemId"].where(LEAK["Time"] < DAY, "b"))  # other test clicks, same training clicks
    one, same = (pipeline(log, days=1, min_support=5)[0]["ItemId"].tolist() for log in (LEAK, other))
    assert one == same, "an item is trained on because of its test clicks"


def items_come_from_the_training_clicks(encode: Callable[[pd.DataFrame, pd.DataFrame], Any]) -> None:
    """T25: an item that occurs only in the test is unknown; ``encode(train, test)`` -> two `clicks.Sessions`."""
    train, test = encode(*clicks.split_by_time(LEAK, 1, verbose=False))
    assert train.index.tolist() == ["a", "b", "c"], f"items {train.index.tolist()}, and d is in no training click"
    assert (test.items < 0).sum() == 1


def a_model_learns_from_the_training_clicks(fit: Callable[[Any, pd.DataFrame, pd.DataFrame], Any]) -> None:
    """T25: popularity counts training clicks: b comes before the rare c, which is popular only in the test."""
    train, test = clicks.split_by_time(LEAK, 1, verbose=False)
    listed = fit(baselines.Pop(), train, test).recommend([], k=4)["ItemId"].tolist()
    assert listed == ["a", "b", "c"], f"the list is {listed}"


def row_labels_do_not_matter(drop: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """T26: (i, i, j) becomes (i, j) in two concatenated files, whose row labels repeat; nothing else is dropped."""
    one, other = log_of("iij", "kl"), log_of("mn", "opp").assign(SessionId=lambda log: log["SessionId"] + 2)
    both = pd.concat([one, other])
    assert both.index.has_duplicates
    left = "".join(drop(both)["ItemId"])
    assert left == "ijklmnop", f"left of iij kl mn opp: {left}"


def log_of(*sessions: str) -> pd.DataFrame:
    """Sessions one after another, a click a second: ``log_of("abc", "bd")``."""
    rows = [(number, item) for number, session in enumerate(sessions) for item in session]
    return pd.DataFrame(rows, columns=["SessionId", "ItemId"]).assign(Time=np.arange(len(rows), dtype=float))


# on the first day c is rare and b is not; five days later c is popular, and d is new; row labels repeat
LEAK = pd.concat(
    [
        log_of(*["ab"] * 6, "ac"),
        log_of(*["ac"] * 9, "ad").assign(
            SessionId=lambda log: log["SessionId"] + 100, Time=lambda log: log["Time"] + 5 * DAY
        ),
    ]
)
