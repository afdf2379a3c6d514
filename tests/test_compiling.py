"""The compiled step against the step as it is: same weights, same batches, same samples, step by step."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import assert_same_bits, catches, random_log, seeded
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from gru4rec_lite import GRU4Rec, clicks, losses, toyshop, training
from gru4rec_lite.batching import SessionParallel, Step
from gru4rec_lite.cells import CELLS
from gru4rec_lite.internal import checkpoints
from gru4rec_lite.internal.compiling import CompiledStep, NotCompiled
from gru4rec_lite.network import EMBEDDINGS, Network
from gru4rec_lite.optim import Adagrad
from gru4rec_lite.sampling import NegativeSampler
from gru4rec_lite.training import pays_to_compile

# CI has a compiler: there a test that cannot compile fails (pyproject.toml makes NotCompiled an error); elsewhere it is
# left out
needs_compiler = pytest.mark.skipif(
    not os.environ.get("CI") and not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler"
)
OUTPUT = {"cross-entropy": "linear", "bpr": "tanh", "top1": "tanh", "bpr-max": "elu", "top1-max": "tanh"}
N_ITEMS, BATCH, N_SAMPLES = 20, 5, 6
LENGTHS = [3, 6, 2, 2, 4, 1, 7, 3, 3, 5, 2, 8, 2, 4, 4, 3]


@pytest.fixture(autouse=True)
def _same_draws_every_time():
    with seeded(3, 1):
        yield


def setup(
    loss="cross-entropy", embedding="shared", layers=(6,), cell="gru", momentum=0.3, n_samples=N_SAMPLES, **dropout
):
    """Twin trainings, ``(one, other)``, each with a network and an optimiser of its own; and what they share."""
    items, offsets = random_log(LENGTHS, N_ITEMS, seed=4)
    twins = []
    for _ in range(2):
        with seeded(3, 0):
            network = Network(N_ITEMS, layers, cell, embedding, output=OUTPUT[loss], **dropout).train()
        twins.append((network, Adagrad(dict(network.named_parameters()), 0.2, momentum)))
    return SimpleNamespace(
        twins=twins,
        loss=partial(losses.bpr_max, bpreg=0.7) if loss == "bpr-max" else losses.LOSSES[loss],
        plan=SessionParallel(items, offsets, BATCH),
        sampler=NegativeSampler(torch.ones(N_ITEMS) + torch.arange(N_ITEMS), n_samples, 0.5),
        logq=float(loss == "cross-entropy"),
    )


def check_steps_agree(compiled: CompiledStep, **settings) -> None:
    s = setup(**settings)
    (one, one_optimiser), (other, other_optimiser) = s.twins
    state, other_state = one.zeros(BATCH), other.zeros(BATCH)
    compared = 0
    for step, samples in zip(s.plan, s.sampler.draw(len(s.plan)), strict=True):
        if len(step.inputs) < BATCH:
            break
        loss, state = training.train_step(one, one_optimiser, s.loss, step, samples, state, s.sampler, s.logq)
        loss_, other_state = compiled(other, other_optimiser, s.loss, step, samples, other_state, s.sampler, s.logq)
        assert_close(loss_, loss, rtol=0, atol=1e-4)
        for ours, theirs in zip(other.parameters(), one.parameters(), strict=True):
            assert_close(ours.detach(), theirs.detach(), rtol=0, atol=1e-4)
        for ours, theirs in zip(other_state, state, strict=True):
            assert_close(ours, theirs, rtol=0, atol=1e-4)
        compared += 1
    for name, tensor in one_optimiser.state.items():
        assert_close(other_optimiser.state[name], tensor, rtol=1e-4, atol=1e-4)
    assert compared > 6  # more than one session of each lane


@needs_compiler
@pytest.mark.parametrize("e", range(len(EMBEDDINGS)), ids=EMBEDDINGS)
@pytest.mark.parametrize("loss", list(losses.LOSSES))
def test_compiled_and_uncompiled_steps_agree(loss, e):
    """Every loss with every embedding, each of both with one layer and with two: a compilation takes seconds."""
    embedding, layers = EMBEDDINGS[e], [(6,), (5, 6)][(list(losses.LOSSES).index(loss) + e) % 2]
    check_steps_agree(CompiledStep(training.train_step), loss=loss, embedding=embedding, layers=layers)


@needs_compiler
@pytest.mark.parametrize("cell", sorted(set(CELLS) - {"gru"}))
def test_compiled_and_uncompiled_steps_agree_for_each_cell(cell):
    check_steps_agree(CompiledStep(training.train_step), cell=cell)


@needs_compiler
def test_compiled_and_uncompiled_steps_agree_where_more_rows_are_touched_than_the_table_has():
    for momentum in (0.0, 0.3):  # the whole table is updated, or not
        check_steps_agree(CompiledStep(training.train_step), n_samples=N_ITEMS + 1, momentum=momentum)


def test_a_step_that_carries_another_state_is_caught():
    def forgets(network, optimiser, loss, step, samples, state, *rest):
        state = [torch.zeros_like(s) for s in state]
        return training.train_step(network, optimiser, loss, step, samples, state, *rest)

    catches(lambda step: check_steps_agree(step), forgets)


# --- a whole training


def fit(seed: int, compile: bool, **settings) -> list[float]:
    """The loss of each epoch on a small log."""
    settings = {"layers": (16,), "n_samples": 32, "batch_size": 16, "n_epochs": 3, "dropout_hidden": 0.3} | settings
    model = GRU4Rec(**settings, seed=seed, compile=compile, device="cpu")
    log = toyshop.simulate(300, seed=1)
    return model.fit(log, progress=False).history["loss"].tolist()


def check_same_curve(compiled: list[float], as_it_is: list[float]) -> None:
    """The same negatives, the same dropout: what is left is rounding, which some sixty steps carry on."""
    assert_close(compiled, as_it_is, rtol=1e-3, atol=0)


@needs_compiler
@pytest.mark.parametrize("seed", [0, 1])
def test_a_compiled_training_is_the_uncompiled_one_up_to_rounding(seed):
    dropout = {"dropout_hidden": 0.3, "dropout_embed": 0.2}
    as_it_is = fit(seed, compile=False, **dropout)
    check_same_curve(fit(seed, compile=True, **dropout), as_it_is)
    catches(check_same_curve, fit(seed, False, dropout_hidden=0.3), as_it_is)  # other masks are noticed


@needs_compiler
def test_the_same_seed_compiled_gives_the_same_weights_bit_for_bit():
    log, weights = toyshop.simulate(100, seed=1), []
    for _ in range(2):
        model = GRU4Rec(layers=(8,), n_samples=8, n_epochs=2, compile=True, device="cpu").fit(log, progress=False)
        weights.append(torch.cat([p.detach().flatten() for p in model.network.parameters()]))
    assert_same_bits(*weights)


def wide_run(n_items: int) -> list[torch.Tensor]:
    """The weights after ten compiled steps with so many rows that the compiler puts several threads to work."""
    items = torch.randint(n_items, (10, 2, 64), generator=torch.Generator().manual_seed(1))
    with seeded(3, 0):
        network = Network(n_items, (32,)).train()
    optimiser, compiled = Adagrad(dict(network.named_parameters()), 0.1), CompiledStep(training.train_step)
    sampler, state = NegativeSampler(torch.arange(1, n_items + 1), 2048, 1.0), network.zeros(64)
    with seeded(3, 1):
        for (inputs, targets), samples in zip(items, sampler.draw(10), strict=True):
            step = Step(inputs, targets, torch.zeros(64) > 0, torch.arange(64))
            _, state = compiled(network, optimiser, losses.cross_entropy, step, samples, state, sampler)
    return [p.detach() for p in network.parameters()]


@needs_compiler
@pytest.mark.parametrize("n_items", [300, 5000], ids=["more rows than items", "more items than rows"])
def test_two_threads_give_the_same_weights_every_time(n_items):
    kept = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        first = wide_run(n_items)
        for _ in range(3):
            for ours, theirs in zip(wide_run(n_items), first, strict=True):
                assert_same_bits(ours, theirs)
    finally:
        torch.set_num_threads(kept)


@needs_compiler
def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    log, file = toyshop.simulate(100, seed=1), tmp_path / "run.safetensors"
    settings = {"layers": (8,), "n_samples": 8, "dropout_hidden": 0.3, "compile": True, "device": "cpu"}
    whole = GRU4Rec(n_epochs=3, **settings).fit(log, progress=False)
    GRU4Rec(n_epochs=1, **settings).fit(log, progress=False, checkpoint=file)
    halves = GRU4Rec(n_epochs=3, **settings).fit(log, progress=False, checkpoint=file, resume=True)
    for ours, theirs in zip(halves.network.parameters(), whole.network.parameters(), strict=True):
        assert_same_bits(ours, theirs)


def test_a_resumed_training_is_compiled_if_the_whole_of_it_was_to_be(tmp_path, monkeypatch):
    asked, file = [], tmp_path / "run.safetensors"
    monkeypatch.setattr(training, "CompiledStep", lambda step: asked.append(step) or step)
    monkeypatch.setattr(training, "PAYS_FROM", 4 * 4 * 0.5e-3)  # of six epochs of four steps, not of one
    settings = {"layers": (8,), "n_samples": 8, "n_epochs": 6, "batch_size": 16, "device": "cpu"}

    class Stopped(Exception):
        pass

    def stop(self, history, best, write=checkpoints.Checkpoint.write):
        write(self, history, best)
        raise Stopped

    sessions = pd.DataFrame({"SessionId": np.repeat(range(16), 5), "ItemId": range(80), "Time": range(80)})
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoint, "write", stop)
        with pytest.raises(Stopped):
            GRU4Rec(**settings).fit(sessions, progress=False, checkpoint=file)
    GRU4Rec(**settings).fit(sessions, progress=False, checkpoint=file, resume=True)
    assert len(asked) == 2
    GRU4Rec(**settings | {"n_epochs": 1}).fit(sessions, progress=False)
    assert len(asked) == 2


@needs_compiler
def test_one_compilation_serves_every_step_of_every_epoch(monkeypatch):
    s = setup(dropout_hidden=0.2)
    (network, optimiser), _ = s.twins
    run = training.train(
        network, optimiser, s.loss, s.plan, s.sampler, range(1, 4), s.logq, progress=False, compile=True
    )

    class Once(CompiledStep):
        def __call__(self, *arguments):
            with torch.compiler.set_stance("default" if self._run is None else "fail_on_recompile"):
                return super().__call__(*arguments)

    monkeypatch.setattr(training, "CompiledStep", Once)
    assert [epoch.number for epoch in run] == [1, 2, 3]


def test_many_models_in_one_process_each_get_their_own(monkeypatch):
    compile_with, ran = torch.compile, []

    def backend(graph, inputs):  # as torch.compile, without the minutes
        ran.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda step, options, **rest: compile_with(step, backend=backend, **rest))
    for units in range(3, 15):  # torch gives up on a function after eight variants
        check_steps_agree(CompiledStep(training.train_step), layers=(units,))
    assert len(ran) == 12


def test_the_tail_of_an_epoch_is_not_compiled(monkeypatch):
    widths = []

    class Spy:
        def __init__(self, step):
            self.step = step

        def __call__(self, network, optimiser, loss, step, *rest):
            widths.append(len(step.inputs))
            return self.step(network, optimiser, loss, step, *rest)

    monkeypatch.setattr(training, "CompiledStep", Spy)
    s = setup()
    list(training.train(*s.twins[0], s.loss, s.plan, s.sampler, range(1, 2), progress=False, compile=True))
    assert set(widths) == {BATCH}
    assert len(widths) == (s.plan.widths == BATCH).sum() < len(s.plan)


# --- when it is used, and when it cannot be


def compiles(monkeypatch, **settings) -> bool:
    """Whether fit asks for a compiled step."""
    asked = []
    monkeypatch.setattr(training, "CompiledStep", lambda step: asked.append(step) or step)
    log = random_click_log()
    GRU4Rec(layers=(8,), n_samples=8, n_epochs=2, device="cpu", **settings).fit(log, progress=False)
    return bool(asked)


def random_click_log():
    return clicks.prepare(toyshop.simulate(60, seed=2), verbose=False)


def test_auto_compiles_a_run_that_is_long_enough_to_pay(monkeypatch):
    assert not compiles(monkeypatch)
    assert not compiles(monkeypatch, compile=False)
    assert compiles(monkeypatch, compile=True)
    monkeypatch.setattr(training, "PAYS_FROM", 0.0)
    assert compiles(monkeypatch)
    assert not compiles(monkeypatch, compile=False)


def test_longer_runs_and_larger_networks_pay_sooner():
    plan = setup().plan  # 5 lanes
    small, large = Network(50, (10,)), Network(50, (1000,))
    assert not pays_to_compile("auto", small, plan, 10, n_epochs=100)
    assert pays_to_compile("auto", small, plan, 10, n_epochs=100_000)
    assert pays_to_compile("auto", large, plan, 2048, n_epochs=10_000)
    assert not pays_to_compile("auto", small, plan, 2048, n_epochs=1000)
    assert pays_to_compile("auto", large, plan, 2048, n_epochs=1000)
    assert pays_to_compile(True, small, plan, 10, n_epochs=1)
    assert not pays_to_compile(False, large, plan, 2048, n_epochs=10**6)


def test_auto_compiles_only_where_torchs_compiler_is_at_home():
    assert not pays_to_compile("auto", Network(50, (1000,)).to("meta"), setup().plan, 2048, n_epochs=10**6)


def test_where_nothing_can_be_compiled_training_goes_on_and_says_so_once(monkeypatch):
    def cannot(step, **options):
        def run(*arguments):
            raise torch._dynamo.exc.TorchDynamoException("no working C++ compiler\nhere\n\nand a long explanation")

        return run

    monkeypatch.setattr(torch, "compile", cannot)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        losses_ = fit(1, compile=True)
    assert [w.category for w in caught] == [NotCompiled]
    message = str(caught[0].message)
    assert "no working C++ compiler" in message
    assert "long explanation" not in message
    assert "install a C++ compiler" in message
    assert losses_ == fit(1, compile=False)


def test_where_torch_refuses_to_begin_training_goes_on_as_well(monkeypatch):
    def refuses(step, **options):
        raise RuntimeError("torch.compile is not supported on this Python")

    monkeypatch.setattr(torch, "compile", refuses)
    with pytest.warns(NotCompiled, match="not supported on this Python"):
        losses_ = fit(1, compile=True)
    assert losses_ == fit(1, compile=False)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (lambda: FlopCounterMode(display=False), "dispatch mode"),
        (lambda: torch.compiler.set_stance("fail_on_recompile"), "stance"),
        (torch.autograd.graph.save_on_cpu, "saved tensor hooks"),
    ],
    ids=["counting operations", "told to fail", "saved tensors"],
)
def test_in_a_mode_of_the_caller_that_torch_cannot_compile_training_goes_on_as_it_is(mode, reason):
    with mode(), pytest.warns(NotCompiled, match=reason):
        losses_ = fit(1, compile=True)
    assert losses_ == fit(1, compile=False)


def test_what_goes_wrong_while_a_step_runs_is_not_taken_for_a_failed_compilation(monkeypatch):
    def runs_out_of_memory(step, **options):
        def run(*arguments):
            raise torch.OutOfMemoryError("no memory left")

        return run

    monkeypatch.setattr(torch, "compile", runs_out_of_memory)
    with pytest.raises(torch.OutOfMemoryError, match="no memory left"):
        fit(1, compile=True)


@needs_compiler
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the widths are those of x86")
def test_runs_with_other_widths_of_instructions_may_share_torchs_memory_on_disk(tmp_path):
    """torch itself would hand one run the code of the other, which then reads beyond its tensors."""
    program = """
import warnings
from gru4rec_lite import GRU4Rec, toyshop
from gru4rec_lite.internal import compiling
warnings.simplefilter("error", compiling.NotCompiled)
log = toyshop.simulate(60, seed=1)
settings = dict(layers=(8,), n_samples=8, n_epochs=1, dropout_hidden=0.0, device="cpu")
one, other = (GRU4Rec(**settings, compile=c).fit(log, progress=False).history["loss"][0] for c in (True, False))
assert abs(one - other) < 1e-4, (one, other)
"""
    bare = {name: value for name, value in os.environ.items() if name != "ATEN_CPU_CAPABILITY"}
    bare["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path)
    for width in ({}, {"ATEN_CPU_CAPABILITY": "avx2"}, {}):
        subprocess.run([sys.executable, "-c", program], check=True, env=bare | width)


def test_where_the_environment_switches_compiling_off_training_says_nothing():
    with torch._dynamo.config.patch(disable=True), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(1, compile=True) == fit(1, compile=False)


@needs_compiler
def test_what_fails_at_the_first_step_has_changed_nothing(monkeypatch):
    """A compiler that breaks off half-way: the step is then done once, not one and a half times."""

    def backend(graph, inputs):
        raise OSError("no space left on the device")

    compile_with = torch.compile
    monkeypatch.setattr(torch, "compile", lambda step, options, **rest: compile_with(step, backend=backend, **rest))
    with pytest.warns(NotCompiled, match="no space left"):
        check_steps_agree(CompiledStep(training.train_step))


@pytest.mark.parametrize("compile", ["yes", None, 1, "True"])
def test_another_value_of_compile_is_refused(compile):
    with pytest.raises(ValueError, match=f"compile={compile!r}: must be 'auto', True or False"):
        GRU4Rec(compile=compile)
