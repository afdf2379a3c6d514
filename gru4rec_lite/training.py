"""The training loop: one step, one epoch, and nothing that waits for the device in between.

A step carries the hidden state on but never looks back through it: every step is detached (one-step back-propagation),
as in the paper's code. A step gathers the table rows that it touches, so its cost does not grow with the catalogue.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from tqdm.auto import tqdm

from .batching import SessionParallel, Step
from .internal import rules
from .internal.compiling import CompiledStep
from .network import Network
from .optim import Adagrad
from .sampling import NegativeSampler, correct_logq, negatives

STEPS_PER_DRAW = 256  # extra negatives are drawn for this many steps at a time,
SAMPLES_PER_DRAW = 524_288  # or for fewer, so as not to draw more than this (about 20 MB), but at least one
SECONDS_PER_UPDATE = 0.5  # how often the bar reads the loss from the device
PAYS_FROM = 10.0  # seconds that compiling must save; it takes 5 to 20 the first time, about 2 from torch's cache
# what compiling saves per step, measured on a CPU: most of the calls, and the passes over memory between matrix
# products, which grow with these
CALLS, PASSES = 0.5e-3, 4e-12  # seconds; seconds per operation of the products


class Diverged(ValueError):
    """The loss is no longer a number."""


def train_step(
    network: Network,
    optimiser: Adagrad,
    loss: Callable[[Tensor, Tensor], Tensor],
    step: Step,
    samples: Tensor,
    state: list[Tensor],
    sampler: NegativeSampler,
    logq: float = 0.0,
    masks: list[Tensor | None] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """One training step: b clicks in, b next clicks to be told from the other candidates.

    Args:
        network, optimiser: updated in place.
        loss: ``(b, C), (b, C) -> (b,)``, one of `losses`.
        step: inputs, targets, resets, lanes, each ``(b,)``.
        samples: ``(n_samples,)`` extra candidates shared by all lanes.
        state: the state of each layer after the step before, ``(b', S, H)`` with b' >= b.
        sampler: knows how often each candidate is expected, for logQ.
        logq: strength of the logQ correction.
        masks: of dropout, see `Network.masks`; None: the network draws them.

    Returns:
        the mean loss of the lanes (a tensor on the device), and the new state of each layer, ``(b, S, H)``, cut from
        its past.
    """
    # 1. the state each lane goes on with; a lane that starts a session starts from zero
    state = [s.index_select(0, step.lanes).masked_fill(step.resets[:, None, None], 0.0) for s in state]

    # 2. the rows this step touches, copied from the tables (shared: one table gives inputs and candidates)
    candidates = torch.cat((step.targets, samples))  # (C,)
    touched = {"item_in": step.inputs, "item_out": candidates, "bias_out": candidates}
    if "item_in" not in network.tables:
        touched = {"item_out": torch.cat((step.inputs, candidates)), "bias_out": candidates}
    rows = {name: optimiser.parameters[name].index_select(0, index) for name, index in touched.items()}
    layers = {name: p for name, p in optimiser.parameters.items() if name not in network.tables}

    # 3. forward: clicks → hidden state → scores of the candidates → loss
    def forward(rows: dict[str, Tensor], layers: dict[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
        inputs = rows.get("item_in", rows["item_out"])[: len(step.inputs)]
        hidden, new_state = functional_call(network, layers, (inputs, state, masks))
        scores = network.score(hidden, rows["item_out"][-len(candidates) :], rows["bias_out"])  # (b, C)
        if logq:
            scores = correct_logq(scores, sampler.expected_count(candidates, len(step.inputs)), logq)
        return loss(scores, negatives(candidates, step.targets)).mean(), new_state

    # 4. gradients of the rows and of the layers' weights, and their update
    mean_loss, new_state, row_grads, layer_grads = gradients(forward, rows, layers)
    for name, index in touched.items():
        optimiser.update_rows(name, index, row_grads[name])
    for name, grad in layer_grads.items():
        optimiser.update(name, grad)
    return mean_loss, new_state


def gradients(forward: Callable, rows: dict[str, Tensor], layers: dict[str, Tensor]) -> tuple:
    """What ``forward`` returns, a loss and a state, cut from their past; and the gradients of the loss, by name."""
    if torch.compiler.is_compiling():  # which cannot see through autograd.grad; as it is, torch.func is slower
        grads, (loss, state) = torch.func.grad_and_value(forward, argnums=(0, 1), has_aux=True)(rows, layers)
        return loss, state, *grads
    rows, layers = ({name: t.detach().requires_grad_() for name, t in part.items()} for part in (rows, layers))
    loss, state = forward(rows, layers)
    grads = iter(torch.autograd.grad(loss, [*rows.values(), *layers.values()]))
    row_grads, layer_grads = ({name: next(grads) for name in part} for part in (rows, layers))
    return loss.detach(), [s.detach() for s in state], row_grads, layer_grads


class Epoch(NamedTuple):
    """Summary of an epoch."""

    number: int  # 1 for the first
    loss: float  # mean over clicks
    clicks_per_s: float  # in the first epoch, compiling counts too


@rules.arguments(
    network=rules.that(lambda it: hasattr(it, "input_table"), "a network.Network"),
    optimiser=rules.that(lambda it: hasattr(it, "update_rows"), "an optim.Adagrad of its parameters"),
    sampler=rules.that(lambda it: hasattr(it, "popularity"), "a sampling.NegativeSampler"),
    plan=rules.that(
        lambda it: hasattr(it, "widths") and len(it) > 0,
        "a batching.SessionParallel with at least one step: one session must have two or more clicks",
    ),
    loss=rules.that(callable, "a function of scores and is_negative, such as losses.bpr"),
    epochs=rules.that(lambda it: isinstance(it, (range, list)), "the numbers of the epochs, such as range(1, 11)"),
    logq=rules.number(0, 1),
    seed=rules.whole(0),
    progress=rules.flag,
    compile=rules.flag,
)
def train(
    network: Network,
    optimiser: Adagrad,
    loss: Callable[[Tensor, Tensor], Tensor],
    plan: SessionParallel,
    sampler: NegativeSampler,
    epochs: range,
    logq: float = 0.0,
    seed: int = 42,
    progress: bool = True,
    compile: bool = False,
) -> Iterator[Epoch]:
    """Train epoch after epoch, yielding after each; what happens in between (validate, save) is up to the caller.

    An epoch's random numbers depend only on the seed and the epoch's number, so training resumed after epoch 3 goes on
    as if it had never stopped. They come from the epoch's own generator: other threads draw none of them, and the
    caller's random state is left alone.

    Args:
        compile: run the steps of full width compiled, with the same arithmetic up to rounding.

    Raises:
        Diverged: the loss is no longer a number.
    """
    full_width = CompiledStep(train_step) if compile else train_step
    for number in epochs:
        began = time.perf_counter()
        network.train()
        try:
            random = generator(seed, number, sampler.popularity.device)
            mean = _epoch(network, optimiser, loss, plan, sampler, logq, number, progress, full_width, random)
        finally:
            network.eval()  # also when a reader interrupts a long cell and continues with what was learned so far
        yield Epoch(number, mean, int(plan.widths.sum()) / (time.perf_counter() - began))


def _epoch(
    network, optimiser, loss, plan, sampler, logq: float, number: int, progress: bool, full_width: Callable,
    random: torch.Generator,
) -> float:  # fmt: skip
    """All steps of the plan; the mean loss."""
    hide = not progress or bool(os.environ.get("TQDM_DISABLE"))  # tqdm.auto forgets its own switch in a notebook
    state, total = network.zeros(int(plan.widths[0])), sampler.popularity.new_zeros(())
    clicks, read = 0, time.perf_counter()
    n_drawn = max(1, min(STEPS_PER_DRAW, SAMPLES_PER_DRAW // max(1, sampler.n_samples)))
    with tqdm(
        total=int(plan.widths.sum()), desc=f"epoch {number}", unit=" clicks", unit_scale=True, leave=False, disable=hide
    ) as bar:
        for i, step in enumerate(plan):
            if i % n_drawn == 0:
                draws = sampler.draw(n_drawn, random).unbind()
            samples, masks = draws[i % n_drawn], network.masks(len(step.inputs), random)
            run = full_width if len(step.inputs) == plan.widths[0] else train_step
            step_loss, state = run(network, optimiser, loss, step, samples, state, sampler, logq, masks)
            total += step_loss * len(step.inputs)  # stays on the device
            clicks += len(step.inputs)
            if not hide and time.perf_counter() - read > SECONDS_PER_UPDATE:
                bar.set_postfix_str(f"loss {_finite(total, clicks, number, i + 1, optimiser.lr):.4f}")
                bar.update(clicks - bar.n)
                read = time.perf_counter()
    return _finite(total, clicks, number, len(plan), optimiser.lr)


def _finite(total: Tensor, clicks: int, epoch: int, step: int, lr: float) -> float:
    mean = total.item() / clicks  # the only value read from the device
    if not np.isfinite(mean):
        raise Diverged(
            f"the loss became {mean} in epoch {epoch}, by step {step}: try learning_rate={lr / 4:g}, not {lr:g}"
        )
    return mean


def pays_to_compile(choice: str | bool, network: Network, plan: SessionParallel, n_samples: int, n_epochs: int) -> bool:
    """Whether to compile: ``choice`` itself, or for "auto" whether it pays for ``n_epochs`` of the plan."""
    if choice != "auto":
        return bool(choice)
    lanes, table = int(plan.widths.max(initial=0)), network.item_out
    weights = sum(p.numel() for p in network.layers.parameters()) + (lanes + n_samples) * table.shape[1]
    operations = 6 * lanes * weights  # multiply and add, forward and twice backward
    saved = {"cpu": CALLS + PASSES * operations, "cuda": CALLS}.get(table.device.type, 0.0)
    return n_epochs * int((plan.widths == lanes).sum()) * saved > PAYS_FROM


def generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """A generator on the device, seeded by seed and epoch alone (0: initial weights); nobody else draws from it."""
    number = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator("cpu" if device.type == "meta" else device).manual_seed(number)
