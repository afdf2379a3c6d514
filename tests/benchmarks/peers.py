"""The sides of the benchmark of training: ours, the plain one, and cornac's.

Each is a function of the log and the settings that prepares itself and then trains epoch after epoch while the clock
takes the time of some steps of it. What differs from side to side is in the README here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain

import pandas as pd
import torch
import torch.nn.functional as F
from rounds import Clock
from torch import Tensor, nn

import gru4rec_lite.gru4rec
from gru4rec_lite import GRU4Rec, training
from gru4rec_lite import clicks as click_log
from gru4rec_lite.batching import CHUNK, STEPS, SessionParallel, Step
from gru4rec_lite.internal.products import onednn

Log = Callable[[], pd.DataFrame]  # made in the side's own process: it is too large to be sent there
FOREVER = 1_000_000  # epochs; the clock ends them
LEARNING_RATE, ALPHA, BPREG, ELU = 0.05, 0.75, 1.0, 0.5


@dataclass(frozen=True)
class Settings:
    """What all sides have in common; shared embedding, one layer, no dropout, no momentum, no logQ."""

    batch_size: int
    units: int
    n_samples: int = 0
    loss: str = "cross-entropy"  # or "bpr-max"


# ---- ours ----


class TimedPlan(SessionParallel):
    """The package's plan, whose steps go through a clock; each window is charged its share of laying the plan out."""

    clock: Clock
    window: int

    def __init__(self, *arguments):
        began = time.perf_counter()
        super().__init__(*arguments)
        self.layout = (time.perf_counter() - began) / len(self)  # seconds a step, as if the plan served one epoch only

    def __iter__(self):
        steps, began = super().__iter__(), time.perf_counter()
        first = next(steps)  # with it the whole first chunk
        a_step = self.layout + (time.perf_counter() - began) / min(
            max(1, CHUNK // int(self.widths[0])), STEPS, len(self)
        )
        self.clock.extra = self.window * a_step
        full = int((self.widths == self.widths[0]).sum())
        return self.clock.steps(chain([first], steps), self.window, full)


def ours(log: Log, settings: Settings, window: int, clock: Clock, compile: bool, products=nullcontext) -> None:
    """`GRU4Rec.fit`, as anyone calls it, its matrix products by torch's default or by oneDNN.

    Every window holds whole periods of the sampler: where it is shorter than one, the sampler draws once per window,
    more often than it would.
    """
    training.STEPS_PER_DRAW = min(training.STEPS_PER_DRAW, window)
    if window % training.STEPS_PER_DRAW:
        raise ValueError(f"window={window}: must be whole periods of {training.STEPS_PER_DRAW} steps")
    gru4rec_lite.gru4rec.SessionParallel = type("Plan", (TimedPlan,), {"clock": clock, "window": window})
    with products():
        model(settings, compile=compile).fit(log(), progress=False)


def model(settings: Settings, **more) -> GRU4Rec:
    """Our model of these settings."""
    return GRU4Rec(
        layers=(settings.units,), embedding="shared", loss=settings.loss, batch_size=settings.batch_size,
        n_samples=settings.n_samples, sample_alpha=ALPHA, logq=0.0, dropout_embed=0.0, dropout_hidden=0.0,
        learning_rate=LEARNING_RATE, momentum=0.0, **{"n_epochs": FOREVER, "device": "cpu"} | more,
    )  # fmt: skip


# ---- what one writes with torch's own parts ----


class Plain(nn.Module):
    """torch's embedding, GRU cell, Adagrad and cross-entropy; the gradient of the table is as large as the table."""

    def __init__(self, n_items: int, settings: Settings):
        super().__init__()
        self.loss = LOSSES[settings.loss]
        self.item, self.bias = nn.Embedding(n_items, settings.units), nn.Embedding(n_items, 1)
        self.gru = nn.GRUCell(settings.units, settings.units)
        nn.init.xavier_uniform_(self.item.weight)
        nn.init.zeros_(self.bias.weight)
        self.optimiser = torch.optim.Adagrad(  # with ε inside the root, as the others
            self.parameters(), lr=LEARNING_RATE, initial_accumulator_value=1e-6, eps=0.0
        )

    def step(self, step: Step, samples: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, and the state ``(b, H)`` after the step."""
        candidates = torch.cat((step.targets, samples))
        state = torch.where(step.resets[:, None], 0.0, state[step.lanes])
        state = self.gru(self.item(step.inputs), state)
        scores = state @ self.item(candidates).T + self.bias(candidates).squeeze(1)  # (b, C)
        loss = self.loss(scores, candidates[None, :] == step.targets[:, None])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach(), state.detach()


def cross_entropy(scores: Tensor, is_target: Tensor) -> Tensor:
    """Column i is lane i's own target; the same item elsewhere is no negative."""
    own = torch.arange(len(scores))
    accidental = is_target.clone()
    accidental[own, own] = False
    return F.cross_entropy(scores.masked_fill(accidental, -torch.inf), own)


def bpr_max(scores: Tensor, is_target: Tensor) -> Tensor:
    """The paper's, with its regularisation of scores."""
    scores = F.elu(scores, ELU)
    share = scores.masked_fill(is_target, -torch.inf).softmax(dim=1)
    win = (share * (scores.diagonal()[:, None] - scores).sigmoid()).sum(dim=1)
    return (-(win + 1e-24).log() + BPREG * (share * scores.square()).sum(dim=1)).mean()


LOSSES = {"cross-entropy": cross_entropy, "bpr-max": bpr_max}


def plain(log: Log, settings: Settings, window: int, clock: Clock) -> None:
    """A training loop over `Plain`, on our batches."""
    encoded = click_log.encode(log())
    TimedPlan.clock, TimedPlan.window = clock, window
    plan = TimedPlan(encoded.items, encoded.offsets, settings.batch_size)
    network = Plain(len(encoded.index), settings)
    weight, samples = torch.from_numpy(encoded.support).double() ** ALPHA, torch.empty(0, dtype=torch.int64)
    while True:
        state, total = torch.zeros(settings.batch_size, settings.units), torch.zeros(())
        for step in plan:
            if settings.n_samples:
                samples = torch.multinomial(weight, settings.n_samples, replacement=True)
            loss, state = network.step(step, samples, state)
            total += loss


# ---- cornac's ----


def cornac_data(log: pd.DataFrame):
    """cornac's own form of a log; made before any clock runs."""
    from cornac.data import SequentialDataset

    return SequentialDataset.from_sit(list(zip(log["SessionId"], log["ItemId"], log["Time"], strict=True)))


def cornac_model(settings: Settings, **more):
    """cornac's model of these settings."""
    from cornac.models import GRU4Rec

    return GRU4Rec(
        layers=[settings.units], loss=settings.loss, batch_size=settings.batch_size, n_sample=settings.n_samples,
        sample_alpha=ALPHA, constrained_embedding=True, bpreg=BPREG, elu_param=ELU, logq=0.0, dropout_p_embed=0.0,
        dropout_p_hidden=0.0, learning_rate=LEARNING_RATE, momentum=0.0, device="cpu", seed=42,
        **{"n_epochs": FOREVER} | more,
    )  # fmt: skip


def cornac(log: Log, settings: Settings, window: int, clock: Clock) -> None:
    """``fit`` of cornac's GRU4Rec, as anyone calls it."""
    from cornac.models.gru4rec import recom_gru4rec

    clicks = log()
    pairs = len(clicks) - clicks["SessionId"].nunique()
    last = int(0.9 * pairs / settings.batch_size)  # it shuffles, so the narrow steps at the end begin anywhere near it
    batches = recom_gru4rec.io_iter
    recom_gru4rec.io_iter = lambda **arguments: clock.steps(batches(**arguments), window, last)
    cornac_model(settings).fit(cornac_data(clicks))


SIDES = {
    "cornac": cornac,
    "plain": plain,
    "eager": partial(ours, compile=False),
    "compiled": partial(ours, compile=True),
    "onednn": partial(ours, compile=True, products=onednn),
}
OURS = ("eager", "compiled", "onednn")
