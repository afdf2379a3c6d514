"""Training against an oracle that shares no code with it.

The package lays sessions out as a plan, gathers rows and updates rows. The oracle, `Dense`, plays sessions from a
queue, keeps each session's state under the session's own name, multiplies one-hot matrices with whole tables, sums over
the catalogue (each item times how often it is a candidate) and updates whole tables under a mask.
"""

from __future__ import annotations

import random
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from helpers import Watch, assert_same_bits, catches, copies, random_log, seeded
from torch import Tensor
from torch.testing import assert_close

from gru4rec_lite import GRU4Rec, losses, training
from gru4rec_lite.batching import SessionParallel, Step
from gru4rec_lite.museum import training as museum
from gru4rec_lite.network import EMBEDDINGS, Network
from gru4rec_lite.optim import Adagrad
from gru4rec_lite.sampling import NegativeSampler

CPU = torch.device("cpu")
OUTPUT = {"cross-entropy": "linear", "bpr": "tanh", "top1": "tanh", "bpr-max": "elu", "top1-max": "tanh"}
each_loss = pytest.mark.parametrize("loss", list(losses.LOSSES))
each_embedding = pytest.mark.parametrize("embedding", EMBEDDINGS)

N_ITEMS, BATCH, N_SAMPLES, ALPHA = 9, 4, 5, 0.5
LENGTHS = [3, 6, 2, 2, 4, 1, 7, 3, 3]  # more sessions than lanes, and a tail that gets narrower lane by lane


@pytest.fixture(autouse=True)
def _same_draws_every_time():
    with seeded(3, 1):
        yield


# --- the oracle


def play(lengths, batch_size):
    """Session-parallel steps as lists of (session, position), from a queue of sessions and a list of lanes."""
    queue = [s for s, n in enumerate(lengths) if n > 1]
    lanes = [(queue.pop(0), 0) for _ in range(min(batch_size, len(queue)))]
    while lanes:
        yield lanes
        after = []
        for session, position in lanes:
            if position + 2 < lengths[session]:
                after.append((session, position + 1))
            elif queue:
                after.append((queue.pop(0), 0))
        lanes = after


def run_cell(kind: str, x: Tensor, h: Tensor, c: Tensor, w: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One click of a cell: hidden state and memory (which only the LSTM has)."""
    w_ih, w_hh, b = w["weight_ih"], w["weight_hh"], w["bias_ih"]
    if kind == "gru":
        return torch.gru_cell(x, h, w_ih, w_hh, b, w["bias_hh"]), c
    if kind == "lstm":
        return torch.lstm_cell(x, (h, c), w_ih, w_hh, b, torch.zeros_like(b))
    if kind == "rnn":
        return torch.rnn_tanh_cell(x, h, w_ih, w_hh, b, torch.zeros_like(b)), c
    (wr, wz, wc), (ur, uz, uc), (br, bz, bc) = w_ih.chunk(3), w_hh.chunk(3), b.chunk(3)
    r, z = torch.sigmoid(x @ wr.T + h @ ur.T + br), torch.sigmoid(x @ wz.T + h @ uz.T + bz)
    return (1 - z) * h + z * torch.tanh(x @ wc.T + (r * h) @ uc.T + bc), c


def loss_over_catalogue(name: str, s: Tensor, y: int, count: Tensor) -> Tensor:
    """One lane: scores of all items, its target, and how often each other item is among its candidates."""
    count = count.clone()
    count[y] = 0  # neither the target nor an accidental hit is a negative
    if count.sum() == 0:
        return s.sum() * 0
    w = count * s.exp()
    if name == "cross-entropy":
        return torch.log(s[y].exp() + w.sum()) - s[y]
    win, lose = torch.sigmoid(s[y] - s), torch.sigmoid(s - s[y])
    if name == "bpr":
        return -(count * win.log()).sum() / count.sum()
    if name == "top1":
        return (count * (lose + torch.sigmoid(s**2))).sum() / count.sum()
    w = w / w.sum()
    if name == "bpr-max":
        return -(w * win).sum().log() + 0.7 * (w * s**2).sum()
    return (w * (lose + torch.sigmoid(s**2))).sum()


class Dense:
    """The whole model as full matrices, trained step by step."""

    def __init__(self, weights, cell, embedding, loss, items, offsets, lr, momentum, logq):
        self.w = {name: p.clone() for name, p in weights.items()}
        self.cell, self.embedding, self.loss, self.lr, self.momentum, self.logq = (
            cell,
            embedding,
            loss,
            lr,
            momentum,
            logq,
        )
        self.items, self.offsets = items, offsets
        self.acc = {name: np.zeros(p.shape) for name, p in weights.items()}
        self.v = {name: np.zeros(p.shape) for name, p in weights.items()}
        self.states: dict[int, list] = {}  # of each session, one (hidden, memory) per layer

    def step(self, rows: list[tuple[int, int]], samples: list[int]) -> float:
        first = [self.offsets[session] + position for session, position in rows]
        inputs, targets = [self.items[i] for i in first], [self.items[i + 1] for i in first]
        w = {name: p.clone().requires_grad_() for name, p in self.w.items()}
        n_layers = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("layers."))

        x = F.one_hot(torch.tensor(inputs), N_ITEMS).double()
        if self.embedding != "one-hot":
            x = x @ w["item_in" if self.embedding == "separate" else "item_out"]
        states: list[list] = [[] for _ in rows]
        for layer in range(n_layers):
            cell_w = {name.split(".")[2]: p for name, p in w.items() if name.startswith(f"layers.{layer}.")}
            if self.embedding == "one-hot" and layer == 0:
                cell_w["weight_ih"] = w["item_in"].T
            units = cell_w["weight_hh"].shape[1]
            zero = (torch.zeros(units).double(),) * 2
            before = [self.states[s][layer] if position else zero for s, position in rows]
            h, c = (torch.stack(part) for part in zip(*before, strict=True))
            h, c = run_cell(self.cell, x, h, c, cell_w)
            for row, (new_h, new_c) in enumerate(zip(h.detach(), c.detach(), strict=True)):
                states[row].append((new_h, new_c))  # one-step back-propagation: only numbers are carried
            x = h
        for (session, _), state in zip(rows, states, strict=True):
            self.states[session] = state

        scores = x @ w["item_out"].T + w["bias_out"].T
        if OUTPUT[self.loss] != "linear":
            scores = torch.tanh(scores) if OUTPUT[self.loss] == "tanh" else F.elu(scores, 0.5)
        if self.logq:
            support = np.bincount(self.items, minlength=N_ITEMS)
            q = (len(rows) - 1) * support / support.sum() + len(samples) * support**ALPHA / (support**ALPHA).sum()
            scores = scores - self.logq * torch.from_numpy(np.log(q))
        count = torch.from_numpy(np.bincount([*targets, *samples], minlength=N_ITEMS)).double()
        loss = sum(loss_over_catalogue(self.loss, s, y, count) for s, y in zip(scores, targets, strict=True)) / len(
            rows
        )
        grads = torch.autograd.grad(loss, list(w.values()))

        candidates = {*targets, *samples}
        touched = {
            "item_in": {*inputs},
            "item_out": candidates | ({*inputs} if self.embedding == "shared" else set()),
            "bias_out": candidates,
        }
        for name, grad in zip(w, grads, strict=True):
            g = grad.numpy()
            some = sorted(touched[name]) if name in touched else slice(None)
            self.acc[name][some] += g[some] ** 2
            self.v[name][some] = self.momentum * self.v[name][some] - self.lr * g[some] / np.sqrt(
                self.acc[name][some] + 1e-6
            )
            self.w[name][some] += torch.from_numpy(self.v[name][some])
        return loss.item()


# --- T31


def setup(
    loss="cross-entropy",
    embedding="shared",
    cell="gru",
    layers=(6,),
    batch=BATCH,
    n_samples=N_SAMPLES,
    lengths=LENGTHS,
    **more,
):
    """What a training needs, on a small log, in float64."""
    items, offsets = random_log(list(lengths), N_ITEMS, seed=4)
    with seeded(3, 0):
        network = Network(N_ITEMS, layers, cell, embedding, output=OUTPUT[loss], **more).double()
    support = torch.from_numpy(np.bincount(items, minlength=N_ITEMS))
    return SimpleNamespace(
        items=items,
        offsets=offsets,
        network=network,
        optimiser=Adagrad(dict(network.named_parameters()), 0.2, 0.3),
        loss=partial(losses.bpr_max, bpreg=0.7) if loss == "bpr-max" else losses.LOSSES[loss],
        plan=SessionParallel(items, offsets, batch),
        sampler=NegativeSampler(support, n_samples, ALPHA),
    )


def check_against_dense(loss, embedding, cell="gru", layers=(6,), logq=0.0, break_step=lambda step: step):
    s = setup(loss, embedding, cell, layers)
    oracle = Dense(
        copies(dict(s.network.named_parameters())), cell, embedding, loss, s.items, s.offsets, 0.2, 0.3, logq
    )
    samples = s.sampler.draw(len(s.plan))
    state = s.network.zeros(BATCH)
    steps = list(play(LENGTHS, BATCH))
    assert len(steps) == len(s.plan)
    for rows, step, extra in zip(steps, s.plan, samples, strict=True):
        step_loss, state = training.train_step(
            s.network, s.optimiser, s.loss, break_step(step), extra, state, s.sampler, logq
        )
        assert_close(step_loss.item(), oracle.step(rows, extra.tolist()), rtol=1e-9, atol=1e-9)
        for name, parameter in s.network.named_parameters():
            assert_close(parameter.detach(), oracle.w[name], rtol=1e-7, atol=1e-9)


@each_loss
@each_embedding
def test_losses_and_updated_weights_equal_the_dense_model(loss, embedding):
    check_against_dense(loss, embedding)


@pytest.mark.parametrize("cell", ["gru-paper", "lstm", "rnn"])
@each_embedding
def test_losses_and_updated_weights_equal_the_dense_model_for_each_cell(cell, embedding):
    check_against_dense("cross-entropy", embedding, cell)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@each_embedding
def test_losses_and_updated_weights_equal_the_dense_model_for_layers_of_other_widths(cell, embedding):
    check_against_dense("bpr-max", embedding, cell, layers=(4, 7, 6))


@pytest.mark.parametrize("logq", [0.5, 1.0])
def test_losses_and_updated_weights_equal_the_dense_model_with_logq(logq):
    check_against_dense("cross-entropy", "shared", logq=logq)


def test_the_small_log_has_what_the_oracle_must_see():
    s = setup()
    steps = list(s.plan)
    widths = [len(step.inputs) for step in steps]
    assert widths[-1] == 1  # the tail narrows to one lane
    assert sorted(set(widths)) == [1, 2, 3, 4]
    moved = [step.lanes.tolist() for step in steps if step.lanes.tolist() != list(range(len(step.lanes)))]
    assert moved  # a lane in the middle ends, so others move up
    assert any(step.resets.any() and not step.resets.all() for step in steps)
    assert any(len(set(step.inputs.tolist())) < len(step.inputs) for step in steps)
    assert any(len(set(step.targets.tolist())) < len(step.targets) for step in steps)
    assert any(set(step.inputs.tolist()) & set(step.targets.tolist()) for step in steps)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda step: step._replace(resets=torch.zeros_like(step.resets)), id="never reset"),
        pytest.param(lambda step: step._replace(resets=torch.ones_like(step.resets)), id="reset at every step"),
        pytest.param(lambda step: step._replace(lanes=torch.arange(len(step.lanes))), id="another lane's state"),
        pytest.param(lambda step: step._replace(targets=step.targets.roll(1)), id="another lane's target"),
    ],
)
def test_the_dense_model_catches_a_broken_step(broken):
    catches(check_against_dense, "cross-entropy", "shared", "gru", (6,), 0.0, broken)


# --- one-step back-propagation


def test_the_gradient_does_not_reach_the_step_before():
    s = setup()
    state = s.network.zeros(BATCH)
    for step in s.plan:
        before = [layer.clone().requires_grad_() for layer in state]
        step_loss, state = training.train_step(
            s.network, s.optimiser, s.loss, step, s.sampler.draw(1)[0], before, s.sampler
        )
        assert not step_loss.requires_grad
        assert not any(layer.requires_grad for layer in state)
    assert all(p.grad is None for p in s.network.parameters())


# --- T12: a step costs what it touches


def wide_step(embedding, n_items=3000, n_samples=20):
    with seeded(3, 0):
        network = Network(n_items, (6,), "gru", embedding).double()
    optimiser = Adagrad(dict(network.named_parameters()), 0.2, 0.3)
    for tensor in optimiser.state.values():
        tensor.fill_(0.5)  # velocity everywhere: a dense update would move every row
    step = Step(torch.tensor([5, 7, 2999]), torch.tensor([7, 7, 0]), torch.tensor([True, False, True]), torch.arange(3))
    sampler = NegativeSampler(torch.ones(n_items), n_samples, 0.0)
    return network, optimiser, step, sampler


@each_embedding
def test_a_step_changes_only_the_rows_that_it_touches(embedding):
    network, optimiser, step, sampler = wide_step(embedding)
    samples = sampler.draw(1)[0]
    before = copies({**dict(network.named_parameters()), **optimiser.state})
    training.train_step(network, optimiser, losses.cross_entropy, step, samples, network.zeros(3), sampler, 1.0)
    inputs, candidates = {5, 7, 2999}, {7, 0, *samples.tolist()}
    touched = {
        "item_in": inputs,
        "item_out": candidates | (inputs if embedding == "shared" else set()),
        "bias_out": candidates,
    }
    after = {**dict(network.named_parameters()), **optimiser.state}
    for name in network.tables:
        for kind in ("", "acc.", "velocity."):
            changed = (after[kind + name] != before[kind + name]).any(dim=1)
            assert set(changed.nonzero().flatten().tolist()) == touched[name]


@each_embedding
def test_a_step_makes_no_number_per_item_of_the_catalogue(embedding):
    network, optimiser, step, sampler = wide_step(embedding)
    seen = []

    def loss(scores, is_negative):
        seen.append((scores.shape, is_negative.shape))
        return losses.cross_entropy(scores, is_negative)

    known = [*network.parameters(), *optimiser.state.values(), sampler.popularity, sampler.probability]
    samples, state = sampler.draw(1)[0], network.zeros(3)
    with Watch() as watch:
        training.train_step(network, optimiser, loss, step, samples, state, sampler, 1.0)
    assert seen == [((3, 23), (3, 23))]  # b lanes, b + n_samples candidates
    assert watch.widest(known) <= 26  # candidates, and in the shared table the inputs too


# --- nothing that waits for the device


@each_loss
@each_embedding
def test_a_step_runs_on_the_meta_device(loss, embedding):
    meta = torch.device("meta")
    network = Network(50, (6, 4), "gru", embedding, output=OUTPUT[loss], dropout_embed=0.1, dropout_hidden=0.2).to(meta)
    optimiser = Adagrad(dict(network.named_parameters()), 0.1, 0.1)
    sampler = NegativeSampler(torch.ones(50), 7, 0.5, meta)
    step = Step(*(values.to(meta) for values in (torch.arange(3), torch.arange(3), torch.ones(3) > 0, torch.arange(3))))
    step_loss, state = training.train_step(
        network,
        optimiser,
        losses.LOSSES[loss],
        step,
        sampler.draw(2)[0],
        network.zeros(5),
        sampler,
        float(loss == "cross-entropy"),
    )
    assert step_loss.device.type == "meta"
    assert [s.shape for s in state] == [(3, 1, 6), (3, 1, 4)]


@each_loss
@each_embedding
def test_a_step_never_makes_the_host_wait(loss, embedding):
    s = setup(loss, embedding, dropout_embed=0.1, dropout_hidden=0.2)
    samples, state = s.sampler.draw(1)[0], s.network.zeros(BATCH)
    with Watch() as watch:
        training.train_step(s.network, s.optimiser, s.loss, next(iter(s.plan)), samples, state, s.sampler, 0.0)
    assert watch.made
    assert watch.waits == []


def test_the_watch_sees_what_makes_the_host_wait():
    x = torch.rand(5)
    for wait in (
        lambda: x[0].item(),
        lambda: x[x > 0.5],
        lambda: bool(x.sum() > 0),
        lambda: x.unique(),
        lambda: x.nonzero(),
    ):
        with Watch() as watch:
            wait()
        assert watch.waits


def test_an_epoch_waits_once_however_many_steps_it_has():
    for lengths in (LENGTHS, LENGTHS * 5):
        s = setup(lengths=lengths)
        with Watch() as watch:
            list(run(s, epochs=1))
        assert watch.waits == ["_local_scalar_dense"]


def meta_epoch(lengths, monkeypatch):
    """An epoch on a device that has shapes and no numbers, where reading one fails: its plan, and what was watched."""
    s, meta = setup(lengths=lengths, dropout_embed=0.1, dropout_hidden=0.2), torch.device("meta")
    network = s.network.to(meta)
    plan = SessionParallel(s.items, s.offsets, BATCH, meta)
    sampler = NegativeSampler(torch.ones(N_ITEMS), N_SAMPLES, ALPHA, meta)
    optimiser = Adagrad(dict(network.named_parameters()), 0.1, 0.1)
    monkeypatch.setattr(training, "_finite", lambda total, *rest: total)  # the one value that is read, at the end
    with Watch() as watch:
        list(training.train(network, optimiser, s.loss, plan, sampler, range(1, 2), 1.0, progress=False))
    return plan, watch


def test_an_epoch_reads_nothing_from_the_device_and_copies_nothing_to_it_step_by_step(monkeypatch):
    plan, watch = meta_epoch(LENGTHS * 50, monkeypatch)
    n_chunks = sum(1 for _ in plan.chunks())
    assert len(plan) > 20 * n_chunks
    assert watch.waits == []
    assert 0 < len(watch.copies) <= 4 * n_chunks  # inputs, targets, resets, and which rows go on


def test_the_watch_sees_copies_between_devices():
    with Watch() as watch:
        torch.ones(3).to("meta").add(1)
    assert watch.copies == ["_to_copy"]


# --- epochs


def run(s, epochs=2, first=1, seed=42, logq=0.0):
    return training.train(
        s.network, s.optimiser, s.loss, s.plan, s.sampler, range(first, first + epochs), logq, seed, progress=False
    )


def weights_after(epochs=2, seed=42, **settings):
    s = setup(dropout_embed=0.2, dropout_hidden=0.3, **settings)
    list(run(s, epochs, seed=seed))
    return torch.cat([p.detach().flatten() for p in s.network.parameters()])


@each_embedding
def test_the_same_seed_gives_the_same_weights_bit_for_bit_and_another_seed_others(embedding):
    assert_same_bits(weights_after(embedding=embedding), weights_after(embedding=embedding))
    assert not torch.equal(weights_after(embedding=embedding), weights_after(embedding=embedding, seed=43))


def test_the_callers_random_state_is_left_alone_and_does_not_matter():
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    expected = weights_after()
    assert_same_bits(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert random.getstate() == before[2]
    s = setup(dropout_embed=0.2, dropout_hidden=0.3)
    for _ in run(s):
        assert_same_bits(torch.get_rng_state(), before[0])
        before = (torch.rand(3), torch.get_rng_state())[1:]  # the caller draws between epochs
    assert_same_bits(torch.cat([p.detach().flatten() for p in s.network.parameters()]), expected)


def test_a_generator_of_ones_own_seeds_no_other(monkeypatch):
    touched = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", touched.append)
    before = torch.get_rng_state()
    torch.rand(1, generator=training.generator(1, 2, CPU))
    assert touched == []
    assert_same_bits(torch.get_rng_state(), before)


def test_an_epoch_depends_on_its_number_and_not_on_what_ran_before():
    s = setup(dropout_embed=0.2, dropout_hidden=0.3)
    list(run(s, epochs=1))
    list(run(s, epochs=1, first=2))
    assert_same_bits(torch.cat([p.detach().flatten() for p in s.network.parameters()]), weights_after(epochs=2))


def test_seed_and_epoch_are_not_interchangeable():
    def draw(seed, epoch):
        return torch.rand(4, generator=training.generator(seed, epoch, CPU)).tolist()

    draws = [tuple(draw(seed, epoch)) for seed in range(5) for epoch in range(5)]
    assert len(set(draws)) == 25


def test_samples_differ_between_steps_and_epochs_and_each_draw_is_used(monkeypatch):
    s = setup(lengths=LENGTHS * 5, n_samples=30)
    used, step_of = [], training.train_step

    def spy(network, optimiser, loss, step, samples, *rest):
        used.append(tuple(samples.tolist()))
        return step_of(network, optimiser, loss, step, samples, *rest)

    monkeypatch.setattr(training, "train_step", spy)
    monkeypatch.setattr(training, "STEPS_PER_DRAW", 4)  # several draws in an epoch
    list(run(s, epochs=2))
    assert len(used) == 2 * len(s.plan)
    assert len(s.plan) > 12
    assert len(set(used)) == len(used)


def test_no_samples_are_needed():
    for name in losses.LOSSES:
        s = setup(name, n_samples=0)
        assert all(np.isfinite(epoch.loss) for epoch in run(s))


def test_logq_without_samples_survives_a_tail_of_one_lane():
    # the last lane is alone with its target, so nothing is expected among the candidates: q = 0, its logarithm -inf
    s = setup(n_samples=0)
    assert s.plan.widths[-1] == 1
    assert all(np.isfinite(epoch.loss) for epoch in run(s, logq=1.0))
    assert all(p.isfinite().all() for p in s.network.parameters())


def test_a_batch_of_one_lane_trains():
    for n_samples in (0, 3):
        s = setup(batch=1, n_samples=n_samples)
        assert all(np.isfinite(epoch.loss) for epoch in run(s))


def test_the_network_trains_with_dropout_and_is_left_in_evaluation_mode():
    s = setup(dropout_hidden=0.5)
    modes = []
    loss = s.loss
    s.loss = lambda *a: (modes.append(s.network.training), loss(*a))[1]
    for _ in run(s):
        assert not s.network.training
    assert all(modes)


def test_training_that_is_interrupted_is_left_in_evaluation_mode():
    s = setup(dropout_hidden=0.5)

    def stop(*arguments):
        raise KeyboardInterrupt

    s.loss = stop
    with pytest.raises(KeyboardInterrupt):
        list(run(s))
    assert not s.network.training


# --- what an epoch reports


def losses_and_widths(**settings):
    """Each step's mean loss and width of one epoch, from the steps themselves."""
    s = setup(**settings)
    step_losses, loss = [], s.loss

    def spy(*arguments):
        lanes = loss(*arguments)
        step_losses.append(lanes.mean().item())
        return lanes

    s.loss = spy
    (epoch,) = run(s, epochs=1)
    return epoch, np.array(step_losses), s.plan.widths


def check_mean_over_clicks(mean):
    epoch, step_losses, widths = losses_and_widths()
    assert mean(step_losses, widths) == pytest.approx(epoch.loss, rel=1e-9)


def test_the_loss_of_an_epoch_is_the_mean_over_clicks_not_over_steps():
    check_mean_over_clicks(lambda step_losses, widths: sum(step_losses * widths) / sum(n - 1 for n in LENGTHS))
    catches(check_mean_over_clicks, museum.mean_of_step_means)


def test_clicks_per_second_counts_every_click_that_has_a_next_one(monkeypatch):
    clock = iter(range(0, 1000, 10))  # ten seconds between two looks at the clock
    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    (epoch,) = run(setup(), epochs=1)
    looks = next(clock) // 10 - 1
    assert epoch.clicks_per_s == pytest.approx(sum(n - 1 for n in LENGTHS) / (10 * looks))


def test_the_bar_counts_every_click_once_and_shows_the_loss(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    bars = []

    class Bar:
        def __init__(self, total, **options):
            self.total, self.options, self.n, self.text = total, options, 0, []
            bars.append(self)

        def update(self, n):
            self.n += n

        def set_postfix_str(self, text):
            self.text.append(text)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(training, "tqdm", Bar)
    monkeypatch.setattr(training, "SECONDS_PER_UPDATE", 0.0)  # look after every step
    s = setup()
    epochs = list(training.train(s.network, s.optimiser, s.loss, s.plan, s.sampler, range(1, 3)))
    assert [bar.total for bar in bars] == [bar.n for bar in bars] == [sum(n - 1 for n in LENGTHS)] * 2
    assert [bar.text[-1] for bar in bars] == [f"loss {epoch.loss:.4f}" for epoch in epochs]
    assert len(bars[0].text) == len(s.plan)
    assert not bars[0].options["leave"]


def test_epochs_are_numbered_as_asked():
    assert [epoch.number for epoch in run(setup(), epochs=3, first=4)] == [4, 5, 6]


# --- learning


def train_on(items, session_length, lr, batch, epochs, **settings):
    s = setup(**settings)
    s.optimiser = Adagrad(dict(s.network.named_parameters()), lr)
    s.plan = SessionParallel(items, np.arange(0, len(items) + 1, session_length), batch)
    s.sampler = NegativeSampler(torch.bincount(torch.from_numpy(items), minlength=N_ITEMS), N_SAMPLES, ALPHA)
    return s.network, list(run(s, epochs))


@torch.no_grad()
def first_after(network, *sessions: list[int]) -> list[int]:
    """The best item after the last click of each session."""
    state = network.zeros(len(sessions))
    for clicked in zip(*sessions, strict=True):
        hidden, state = network(network.input_table[list(clicked)], state)
    return network.score_all(hidden).argmax(dim=1).tolist()


@each_loss
@each_embedding
def test_the_loss_falls_on_a_cycle_and_the_next_item_comes_first(loss, embedding):
    cycle = np.tile([0, 1, 2, 3, 4], 24)  # sessions of 6: after 0 comes 1, after 1 comes 2 ...
    network, epochs = train_on(cycle, 6, 0.3, 10, epochs=4, loss=loss, embedding=embedding)
    assert epochs[-1].loss < 0.9 * epochs[0].loss
    assert first_after(network, [0, 1], [1, 2], [2, 3], [3, 4], [4, 0]) == [2, 3, 4, 0, 1]


def test_memory_is_learned_although_the_gradient_spans_one_step():
    # 4 is followed by 0 in sessions that began with 1, by 2 in those that began with 3: the last click cannot tell
    network, _ = train_on(np.tile([1, 4, 0, 3, 4, 2], 100), 3, 0.1, 10, epochs=10, layers=(16,))
    assert first_after(network, [1, 4], [3, 4]) == [0, 2]


def log_of(items: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"SessionId": np.repeat(np.arange(10), 3), "ItemId": items, "Time": np.arange(30.0)})


def test_item_ids_that_are_text_train_the_same_model():
    numbers = np.random.default_rng(0).integers(0, 8, 30).tolist()
    settings = {"layers": (5,), "n_samples": 6, "n_epochs": 2, "batch_size": 3, "device": "cpu"}
    one = GRU4Rec(**settings).fit(log_of(numbers), progress=False)
    other = GRU4Rec(**settings).fit(log_of([f"item {n}" for n in numbers]), progress=False)
    for ours, theirs in zip(one.network.parameters(), other.network.parameters(), strict=True):
        assert_same_bits(ours, theirs)


# --- divergence


def check_divergence_is_reported(first=1):
    s = setup()
    s.network.float()
    s.optimiser = Adagrad(dict(s.network.named_parameters()), 1e30)
    before = torch.get_rng_state()
    try:
        list(run(s, first=first))
    except training.Diverged as error:
        message = str(error)
    else:
        raise AssertionError("a loss that is not a number was passed over")
    assert f"epoch {first}" in message
    assert f"step {len(s.plan)}" in message
    assert "learning_rate=2.5e+29" in message  # the remedy: a quarter of what it was
    assert "1e+30" in message
    assert_same_bits(torch.get_rng_state(), before)


@pytest.mark.parametrize("first", [1, 4])
def test_a_loss_that_is_no_number_stops_training_and_says_where_and_what_to_do(first):
    check_divergence_is_reported(first=first)
    with museum.nan_in_silence():
        catches(check_divergence_is_reported, first)


def test_diverged_is_a_value_error():
    assert issubclass(training.Diverged, ValueError)


@pytest.mark.parametrize("without", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
def test_training_asks_for_the_gradients_it_needs_whatever_the_caller_does(without):
    log = pd.DataFrame({"SessionId": [1, 1, 1, 2, 2], "ItemId": [1, 2, 3, 2, 1], "Time": range(5)})
    settings = {"layers": (4,), "n_samples": 3, "n_epochs": 2, "device": "cpu"}
    with without():
        model = GRU4Rec(**settings).fit(log, progress=False)
    assert model.history["loss"].tolist() == GRU4Rec(**settings).fit(log, progress=False).history["loss"].tolist()
