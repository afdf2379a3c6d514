"""Whatever state of torch, NumPy, pandas or Python a caller is in: the same model, and the caller's state untouched.

`STATES` is the one list of these states. What changes the arithmetic itself (`ARITHMETIC`: the number of threads, the
processor's treatment of tiny numbers, faster products) is the caller's to choose and moves results by rounding; all
else must not move a bit.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import assert_same_ranks
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

import gru4rec_lite as g4r
from gru4rec_lite.internal import ambient

SETTINGS = {"layers": (12,), "n_epochs": 2, "n_samples": 40, "device": "cpu", "compile": False, "dropout_embed": 0.1}


@contextlib.contextmanager
def switched(switch, value, back):
    switch(value)
    try:
        yield
    finally:
        switch(back)


@contextlib.contextmanager
def in_time_zone(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        try:
            yield
        finally:
            patch.undo()
            time.tzset()


@contextlib.contextmanager
def warnings_as_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextlib.contextmanager
def text_as_objects():
    """As before pandas 3, which warns of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pd.option_context("future.infer_string", False):
            yield


@contextlib.contextmanager
def another_thread_that_draws():
    stop = threading.Event()

    def draw():
        while not stop.is_set():
            torch.rand(100), np.random.rand(100), random.random()
            time.sleep(0)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def collected_all_the_time():
    before = gc.get_threshold()
    with switched(lambda threshold: gc.set_threshold(*threshold), (50, 2, 2), before):
        yield


@contextlib.contextmanager
def nowhere_to_write():
    """As under pythonw, or in a service."""
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        yield


@contextlib.contextmanager
def all_at_once():
    with contextlib.ExitStack() as modes:
        for state in ALL_AT_ONCE:
            modes.enter_context(STATES[state]())
        yield


class Watching(TorchFunctionMode):
    """A mode of the caller's own, as profilers and default devices are."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


STATES = {
    "autocast to bfloat16": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", dtype=torch.float16),
    "autocast without a cache": lambda: torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False),
    "default type float64": lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
    "default type bfloat16": lambda: switched(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "default type float16": lambda: switched(torch.set_default_dtype, torch.float16, torch.float32),
    "default device, as a context": lambda: torch.device("meta"),
    "default device, as a setting": lambda: switched(torch.set_default_device, "meta", None),
    "no gradients": torch.no_grad,
    "gradients": torch.enable_grad,
    "inference mode": torch.inference_mode,
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True, check_nan=False),
    "hooks on saved tensors": torch.autograd.graph.save_on_cpu,
    "saved tensors forbidden": lambda: torch.autograd.graph.disable_saved_tensors_hooks("none here"),
    "saved tensors may be changed": torch.autograd.graph.allow_mutation_on_saved_tensors,
    "forward derivatives": torch.autograd.forward_ad.dual_level,
    "backward in one thread": lambda: torch.autograd.set_multithreading_enabled(False),
    "parameters are swapped when moved": lambda: switched(
        torch.__future__.set_swap_module_params_on_conversion, True, False
    ),
    "profiled": torch.autograd.profiler.profile,
    "deterministic": lambda: switched(torch.use_deterministic_algorithms, True, False),
    "a mode over torch's functions": Watching,
    "a mode over torch's operations": lambda: FlopCounterMode(display=False),
    "NumPy raises": lambda: np.errstate(all="raise"),
    "NumPy ignores": lambda: np.errstate(all="ignore"),
    "NumPy prints little": lambda: np.printoptions(precision=1, threshold=2),
    "pandas keeps text as objects": text_as_objects,
    "pandas keeps text in Python": lambda: pd.option_context("mode.string_storage", "python"),
    "pandas shows little": lambda: pd.option_context("display.max_rows", 1, "display.precision", 1),
    "warnings are errors": warnings_as_errors,
    "another time zone": lambda: in_time_zone("Asia/Kolkata"),
    "another thread draws": another_thread_that_draws,
    "garbage is collected all the time": collected_all_the_time,
    "nowhere to write": nowhere_to_write,
    "many states at once": all_at_once,
}
ALL_AT_ONCE = (
    "inference mode", "autocast to bfloat16", "default device, as a context", "a mode over torch's functions",
    "default type float64", "NumPy raises", "pandas keeps text in Python", "warnings are errors",
)  # fmt: skip
ARITHMETIC = {
    "one thread": lambda: switched(torch.set_num_threads, 1, torch.get_num_threads()),
    "two threads": lambda: switched(torch.set_num_threads, 2, torch.get_num_threads()),
    "three threads": lambda: switched(torch.set_num_threads, 3, torch.get_num_threads()),
    "denormals are flushed": lambda: switched(torch.set_flush_denormal, True, False),
    "faster products": lambda: switched(torch.set_float32_matmul_precision, "medium", "highest"),
}


def callers_state() -> dict:
    """What a caller could notice."""
    return {
        "default type": torch.get_default_dtype(), "default device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(), "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"), "autocast type": torch.get_autocast_dtype("cpu"),
        "cache": torch.is_autocast_cache_enabled(), "anomaly": torch.is_anomaly_enabled(),
        "threads": torch.get_num_threads(), "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(), "NumPy errors": np.geterr(),
        "filters": list(warnings.filters), "printing": np.get_printoptions(),
        "pandas": pd.get_option("mode.string_storage"), "zone": time.tzname,
    }  # fmt: skip


def random_states() -> tuple:
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()


@pytest.fixture(scope="module")
def log():
    clicks = g4r.toyshop.simulate(n_sessions=120, seed=1)
    clicks["Time"] = pd.to_datetime(clicks["Time"], unit="s")
    return g4r.clicks.split_by_time(clicks, days=4, verbose=False)


@pytest.fixture(scope="module")
def file(log, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "gru4rec.safetensors"
    g4r.GRU4Rec(**SETTINGS).fit(log[0], progress=False).save(path)
    return path


def fitted(train, test, file):
    model = g4r.GRU4Rec(**SETTINGS).fit(train, test, progress=False, keep_best=True)
    return {**model.tensors(), "history": torch.from_numpy(model.history[["loss", "recall", "mrr"]].to_numpy())}


def fitted_baselines(train, test, file):
    models = {name: getattr(g4r.baselines, name)() for name in ("Pop", "SPop", "ItemKNN", "BPRMF", "Markov", "VSKNN")}
    found = {}
    for name, model in models.items():
        result = g4r.evaluate(model.fit(train), test)
        found[name] = torch.from_numpy(np.append(result.ranks, result.mrr[20]))
    return found


def listed_by_baselines(train, test, file):
    found = {}
    for name in ("Pop", "SPop", "ItemKNN", "BPRMF", "Markov", "VSKNN", "STAN"):
        kind = getattr(g4r.baselines, name)
        kind().fit(train).save(file.with_name(name))
        model = kind.load(file.with_name(name))
        ids, stream = model.items.tolist(), model.stream()
        stream.click(ids[0], time=train["Time"].max())
        for rows in (
            model.recommend(ids[:3], 9, exclude=ids[4:6]),
            model.recommend_many([ids[:2], []], 5),
            stream.recommend(),
        ):
            found[f"{name} {len(found)}"] = torch.from_numpy(model.items.get_indexer(rows["ItemId"]))
            found[f"{name} {len(found)}"] = torch.from_numpy(rows["score"].to_numpy().copy())
    return found


def evaluated(train, test, file):
    result = g4r.evaluate(g4r.GRU4Rec.load(file, device="cpu"), test)
    return {"ranks": torch.from_numpy(result.ranks), "low": torch.from_numpy(result.interval()["low"].to_numpy())}


def recommended(train, test, file):
    model = g4r.GRU4Rec.load(file, device="cpu")
    ids = model.items.tolist()
    lists = [model.recommend(ids[:3], 9), model.recommend_many([ids[4:6], [], ids[:1]], 5, exclude=ids[:1])]
    stream = model.stream()
    for item in ids[3:7]:
        stream.click(item)
        lists.append(stream.recommend(4))
    items = [model.items.get_indexer(rows["ItemId"]) for rows in lists]
    return {
        "items": torch.from_numpy(np.concatenate(items)),
        "scores": torch.from_numpy(np.concatenate([rows["score"].to_numpy() for rows in lists])),
    }


def loaded(train, test, file):
    return dict(g4r.GRU4Rec.load(file, device="cpu").tensors())


def read_again(train, test, file):
    path = file.with_suffix(".csv")
    train.to_csv(path, index=False)
    clicks = g4r.clicks.prepare(g4r.clicks.read(path), min_support=2, drop_repeats=True, verbose=False)
    sessions = g4r.clicks.encode(clicks)
    return {name: torch.from_numpy(np.array(getattr(sessions, name))) for name in ("items", "offsets", "times")}


DEEDS = [fitted, fitted_baselines, listed_by_baselines, evaluated, recommended, loaded, read_again]
each_deed = pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)


@pytest.fixture(scope="module")
def calm(log, file):
    """What each deed gives where nothing is switched."""
    return {deed: deed(*log, file) for deed in DEEDS}


@each_deed
@pytest.mark.parametrize("state", STATES)
def test_a_callers_state_changes_nothing_and_is_left_as_it_was(state, deed, calm, log, file):
    with STATES[state]():
        before, random_before = callers_state(), random_states()
        found = deed(*log, file)
        after, random_after = callers_state(), random_states()
    assert after == before
    if state != "another thread draws":
        assert random_after == random_before
    assert_close(found, calm[deed], rtol=0, atol=0)


@each_deed
@pytest.mark.parametrize("state", ARITHMETIC)
def test_another_arithmetic_moves_results_by_rounding_alone(state, deed, calm, log, file):
    with ARITHMETIC[state]():
        before = callers_state()
        found = deed(*log, file)
        assert callers_state() == before
    if state == "faster products":  # in bfloat16 where the processor has it: three digits
        assert all(t.double().isfinite().all() for t in found.values())
    elif deed is evaluated:  # a rank may change where two scores are all but equal, and moves a metric by 1/36
        assert_same_ranks(found["ranks"], calm[deed]["ranks"])
        assert_close(found["low"], calm[deed]["low"], rtol=0, atol=0.03)
    elif deed is fitted_baselines:
        for name, ranks in found.items():
            assert_same_ranks(ranks, calm[deed][name])
    else:
        assert_close(found, calm[deed], rtol=1e-3, atol=1e-3)


def test_the_check_of_states_sees_another_model(calm, log, file):
    with pytest.raises(AssertionError):
        assert_close(fitted(log[1], log[1], file), calm[fitted], rtol=0, atol=0)


# --- beside other threads


def weights_of(train, seed=1, **settings):
    return dict(g4r.GRU4Rec(**SETTINGS | {"seed": seed} | settings).fit(train, progress=False).tensors())


MANY = [{"seed": 1}, {"seed": 2}, {"seed": 1, "dropout_hidden": 0.5}, {"seed": 1, "cell": "lstm", "layers": (8, 8)}]


@pytest.mark.parametrize("n_threads", [2, 4])
def test_fits_at_once_give_the_models_that_each_gives_alone(n_threads, log):
    alone = [weights_of(log[0], **settings) for settings in MANY]
    with ThreadPoolExecutor(n_threads) as pool:
        at_once = list(pool.map(lambda settings: weights_of(log[0], **settings), MANY))
    for one, other in zip(at_once, alone, strict=True):
        assert_close(one, other, rtol=0, atol=0)


def test_fits_in_an_event_loops_threads_are_those_alone(log):
    async def both():
        return await asyncio.gather(*(asyncio.to_thread(weights_of, log[0], seed) for seed in (1, 2)))

    for seed, found in zip((1, 2), asyncio.run(both()), strict=True):
        assert_close(found, weights_of(log[0], seed), rtol=0, atol=0)


def test_somebody_who_seeds_torch_all_the_time_changes_no_model(log):
    alone, stop = weights_of(log[0]), threading.Event()

    def seed():
        while not stop.is_set():
            torch.manual_seed(0), np.random.seed(0)
            time.sleep(0)

    thread = threading.Thread(target=seed)
    thread.start()
    try:
        found = weights_of(log[0])
    finally:
        stop.set()
        thread.join()
    assert_close(found, alone, rtol=0, atol=0)


def test_a_mode_of_one_thread_is_none_of_another(log, file):
    """Evaluating under autocast in one thread, training in another."""
    alone = weights_of(log[0]), evaluated(*log, file)

    def under_autocast():
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
            return [evaluated(*log, file) for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        training, evaluations = pool.submit(weights_of, log[0]), pool.submit(under_autocast)
        assert_close(training.result(), alone[0], rtol=0, atol=0)
        for found in evaluations.result():
            assert_close(found, alone[1], rtol=0, atol=0)


def test_one_model_serves_many_threads(log, file):
    model = g4r.GRU4Rec.load(file, device="cpu")
    histories = [model.items.tolist()[i : i + 4] for i in range(30)]
    expected = [model.recommend(history, 5) for history in histories]
    with ThreadPoolExecutor(4) as pool:
        for found, rows in zip(pool.map(lambda history: model.recommend(history, 5), histories), expected, strict=True):
            pd.testing.assert_frame_equal(found, rows, check_exact=True)


# --- the modes themselves


def test_modes_are_the_callers_again_between_two_blocks_and_after_an_error():
    class Model:
        _device = torch.device("cpu")

        @ambient.undisturbed()
        def blocks(self):
            for _ in range(2):
                yield torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.is_inference_mode_enabled()
            raise KeyError

        @ambient.undisturbed(grad=True)
        def fails(self):
            assert torch.is_grad_enabled()
            raise KeyError

    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        outside = callers_state()
        blocks = Model().blocks()
        for _ in range(2):
            assert next(blocks) == (False, False, False)
            assert callers_state() == outside
        with pytest.raises(KeyError):
            next(blocks)
        with pytest.raises(KeyError):
            Model().fails()
        assert callers_state() == outside


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps"])
def test_no_kind_of_autocast_is_left_on_for_fit_may_move_a_model_to_another_device(kind):
    before = torch.is_autocast_enabled(kind)
    torch.set_autocast_enabled(kind, True)  # torch.autocast would look for the device
    try:
        with ambient.own_modes(grad=True, device="cpu"):
            assert not torch.is_autocast_enabled(kind)
        assert torch.is_autocast_enabled(kind)
    finally:
        torch.set_autocast_enabled(kind, before)


def test_a_model_that_was_trained_or_loaded_in_inference_mode_can_be_trained_further(log, file):
    """Tensors made in inference mode could never have a gradient again."""
    with torch.inference_mode():
        models = g4r.GRU4Rec(**SETTINGS).fit(log[0], progress=False), g4r.GRU4Rec.load(file, device="cpu")
    for model in models:
        scores = model.network.score_all(model.network.zeros(2)[0][:, 0])
        scores.sum().backward()
        assert model.network.bias_out.grad is not None
