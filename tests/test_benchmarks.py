"""The benchmark compares like with like: every side computes the same losses, step after step."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from gru4rec_lite import training
from gru4rec_lite.batching import SessionParallel
from gru4rec_lite.losses import LOSSES
from gru4rec_lite.network import Network
from gru4rec_lite.optim import Adagrad
from gru4rec_lite.sampling import NegativeSampler

N_ITEMS, LANES, UNITS, N_SAMPLES, N_STEPS = 400, 3, 8, 6, 12


@pytest.fixture
def peers(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    return importlib.import_module("peers")


@pytest.fixture
def steps() -> list:
    """Steps and their samples; no accidental hits, which cornac would treat in another way."""
    shuffled = torch.randperm(N_ITEMS, generator=torch.Generator().manual_seed(0))
    items, samples = shuffled[:300].numpy(), shuffled[300:]
    plan = SessionParallel(items, range(0, 301, 10), LANES)
    return [(step, samples[torch.arange(i, i + N_SAMPLES)]) for i, step in zip(range(N_STEPS), plan, strict=False)]


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    return Network(N_ITEMS, (UNITS,), "gru", "shared", None, "linear", 0.5, 0.0, 0.0)


def our_losses(network, peers, steps, loss: str) -> torch.Tensor:
    network.output = "elu" if loss == "bpr-max" else "linear"
    optimiser = Adagrad(dict(network.named_parameters()), peers.LEARNING_RATE)
    sampler = NegativeSampler(torch.ones(N_ITEMS), N_SAMPLES, peers.ALPHA)
    function = partial(LOSSES[loss], bpreg=peers.BPREG) if loss == "bpr-max" else LOSSES[loss]
    state, losses = network.zeros(LANES), []
    for step, samples in steps:
        value, state = training.train_step(network, optimiser, function, step, samples, state, sampler)
        losses.append(value)
    return torch.stack(losses)


def copy_weights(network: Network, cell: torch.nn.GRUCell, item: torch.Tensor) -> None:
    with torch.no_grad():
        item[:N_ITEMS] = network.item_out
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(cell, name).copy_(getattr(network.layers[0], name))


@pytest.mark.parametrize("loss", ["cross-entropy", "bpr-max"])
def test_the_plain_side_trains_as_ours(peers, network, steps, loss):
    plain = peers.Plain(N_ITEMS, peers.Settings(LANES, UNITS, N_SAMPLES, loss))
    copy_weights(network, plain.gru, plain.item.weight)
    state, losses = torch.zeros(LANES, UNITS), []
    for step, samples in steps:
        value, state = plain.step(step, samples, state)
        losses.append(value)
    assert_close(torch.stack(losses), our_losses(network, peers, steps, loss), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("loss", ["cross-entropy", "bpr-max"])
def test_cornac_trains_as_ours(peers, network, steps, loss):
    """Its own fit, with our batches and candidates in the place of its iterator's."""
    pytest.importorskip("cornac", reason="extra [bench]")
    recom = importlib.import_module("cornac.models.gru4rec.recom_gru4rec")
    parts = importlib.import_module("cornac.models.gru4rec.gru4rec")
    functions = importlib.import_module("cornac.models.seq_utils.losses")
    losses, original, reset = (
        [],
        functions.LOSS_FUNCTIONS[loss],
        parts.GRU4RecModel._reset_weights_to_compatibility_mode,
    )

    def batches(**_):
        for step, samples in steps:
            yield step.inputs.numpy(), torch.cat((step.targets, samples)).numpy(), step.resets.int().numpy(), step.lanes

    def noted(*arguments, **settings):
        losses.append(original(*arguments, **settings))
        return losses[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recom, "io_iter", batches)
        patch.setitem(functions.LOSS_FUNCTIONS, loss, noted)
        patch.setattr(
            parts.GRU4RecModel,
            reset.__name__,
            lambda theirs: copy_weights(network, theirs.G[0], theirs.Wy.weight.data),
        )
        log = importlib.import_module("log").make(N_ITEMS, 300)
        settings = peers.Settings(LANES, UNITS, N_SAMPLES, loss)
        peers.cornac_model(settings, n_epochs=1).fit(peers.cornac_data(log))
    assert len(losses) == N_STEPS
    assert_close(torch.stack(losses).detach(), our_losses(network, peers, steps, loss), atol=1e-5, rtol=1e-4)
