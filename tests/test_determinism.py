"""Same seed, same machine, same result, bit for bit on the CPU: in one process and in two, whatever else happens."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import catches, in_two_processes
from logs import ByLastClick, random_log, tiny

import gru4rec_lite as g4r
from gru4rec_lite import clicks, gru4rec, training
from gru4rec_lite.cells import CELLS
from gru4rec_lite.losses import LOSSES
from gru4rec_lite.network import EMBEDDINGS, OUTPUTS

ROOT = Path(__file__).parents[1]
DROPOUT = {"dropout_embed": 0.2, "dropout_hidden": 0.3}
SETTINGS: dict[str, dict[str, Any]] = {
    **{f"{cell}, {embedding}": {"cell": cell, "embedding": embedding} for cell in CELLS for embedding in EMBEDDINGS},
    **{f"{loss}": {"loss": loss, "momentum": 0.3, **DROPOUT} for loss in LOSSES},
    **{f"{output}": {"output": output, "loss": "top1"} for output in OUTPUTS},
    "two layers": {"layers": (6, 5), **DROPOUT},
    "uniform negatives": {"sample_alpha": 0.0},
    "no negatives": {"n_samples": 0},
}
BASELINES = ("Pop", "SPop", "ItemKNN", "BPRMF", "Markov", "SKNN", "VSKNN", "STAN")
TRAIN, TEST = random_log(40, seed=1), random_log(20, seed=2)


# everything there is, as hashes


def digest(result: Any) -> str:
    """A hash of all bits of a result: a frame, tensors, a dataclass, numbers."""
    if is_dataclass(result) and not isinstance(result, type):
        result = asdict(result)
    if isinstance(result, pd.DataFrame):
        result = [list(result.columns), *(result[name].tolist() for name in result)]
    if isinstance(result, dict):
        result = sorted((str(name), digest(value)) for name, value in result.items())
    if isinstance(result, torch.Tensor):
        result = result.detach().cpu().numpy()
    if isinstance(result, np.ndarray):
        result = (result.dtype.str, result.shape, result.tobytes())
    return hashlib.sha256(repr(result).encode()).hexdigest()[:16]  # repr gives a float back to the bit


def of_model(model) -> Iterator[tuple[str, Any]]:
    """What a fitted recommender comes to."""
    yield "what it learned", model.tensors()
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        yield "its file", np.frombuffer((Path(folder) / "model").read_bytes(), dtype=np.uint8)
    yield "lists", model.recommend_many([["a", "b"], ["j"], []], k=5)
    result = g4r.evaluate(model, TEST)
    yield "figures", result.frame()
    yield "intervals", result.interval(n=50)


def everything() -> Iterator[tuple[str, Any]]:
    models = {name: tiny(**settings) for name, settings in SETTINGS.items()}
    models |= {name: getattr(g4r.baselines, name)() for name in BASELINES}
    for name, model in models.items():
        train = TRAIN if name in BASELINES else (TRAIN, TEST, False)
        model.fit(*train) if isinstance(train, tuple) else model.fit(train)
        yield from ((f"{name}: {what}", result) for what, result in of_model(model))
        if name not in BASELINES:
            yield f"{name}: history", model.history.drop(columns="clicks_per_s")
    yield "comparison", g4r.compare(models["Pop"], models["two layers"], TEST)
    yield "simulated clicks", g4r.toyshop.simulate(50, seed=3)
    with tempfile.TemporaryDirectory() as folder:
        TRAIN.to_csv(Path(folder) / "log.csv", index=False)
        log = clicks.read(Path(folder) / "log.csv", "SessionId", "ItemId", "Time")
        yield "read", log
        yield "prepared", clicks.prepare(log, min_session=2, min_support=5, drop_repeats=True)


def hashes() -> dict[str, str]:
    return {name: digest(result) for name, result in everything()}


def with_other_random_use() -> dict[str, str]:
    """The same after, and amid, what a reader's own code may do."""
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    np.random.default_rng().normal(size=7), torch.randn(7), random.random()
    found = {}
    for name, result in everything():
        found[name] = digest(result)
        random.random(), np.random.rand(3), torch.rand(3)
        tiny(seed=len(found)).fit(random_log(5), progress=False) if len(found) % 20 == 0 else None
    return found


# the tests


@pytest.fixture(scope="module")
def here():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield hashes()
    torch.set_num_threads(before)


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def test_a_second_time_and_amid_other_random_use_everything_is_the_same(here):
    assert differing(here, with_other_random_use()) == []


@in_two_processes
def test_another_process_comes_to_the_same(here):
    # text is hashed with another seed there, so the order of sets differs
    hash_seed = "1" if os.environ.get("PYTHONHASHSEED", "random") != "1" else "2"
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    there = subprocess.run(
        [sys.executable, __file__], check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert differing(here, json.loads(there.stdout.splitlines()[-1])) == []


def test_these_tests_see_a_difference_of_one_bit():
    model = tiny().fit(TRAIN, progress=False)
    before = digest(model.tensors())
    with torch.no_grad():
        model.network.item_out[0, 0] = torch.nextafter(model.network.item_out[0, 0], torch.tensor(9.0))
    assert digest(model.tensors()) != before


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "no negatives"])
def test_another_seed_is_another_model(name):
    learned = {digest(tiny(**SETTINGS[name], seed=s).fit(TRAIN, progress=False).tensors()) for s in (1, 2, 3)}
    assert len(learned) == 3


def test_a_fit_a_list_and_a_bootstrap_leave_the_random_state_of_the_caller_alone():
    def states():
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()

    for model in (tiny(**DROPOUT), *(getattr(g4r.baselines, name)() for name in BASELINES)):
        before = states()
        list(of_model(model.fit(TRAIN)))
        assert states() == before, model
    before = states()
    g4r.compare(g4r.baselines.Pop().fit(TRAIN), g4r.baselines.Markov().fit(TRAIN), TEST)
    g4r.toyshop.simulate(20, seed=3)
    assert states() == before


def test_neither_the_progress_bar_nor_a_validation_changes_a_model(monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(training, "SECONDS_PER_UPDATE", 0.0)  # the bar reads the loss at every step
    plain = tiny(**DROPOUT).fit(TRAIN, progress=False).tensors()
    assert digest(tiny(**DROPOUT).fit(TRAIN, progress=True).tensors()) == digest(plain)
    assert "loss" in capsys.readouterr().err
    assert digest(tiny(**DROPOUT).fit(TRAIN, TEST, progress=False).tensors()) == digest(plain)


def check_ties(recommend):
    """Items of equal scores stand in the order of the item index, however many there are and however long the list."""
    for n, k in ((10, 3), (10, 10), (300, 20), (3000, 50)):
        items = [f"i{i:04d}" for i in range(n)]
        model = ByLastClick("ab", np.zeros((2, 2)), np.zeros(2))
        model.items = pd.Index(items)
        model.row = lambda _, n=n: np.arange(n) % 2  # half of them share first place
        assert recommend(model, k) == (items[1::2] + items[::2])[:k]


def lists_of(model, k):
    class AsRecommender(g4r.recommender.Recommender):
        items = model.items

        def scores(self, items, offsets, times):
            yield from (torch.as_tensor(block) for block in model.scores(items, offsets, times))

    return AsRecommender().recommend([], k)["ItemId"].tolist()


def test_ties_are_broken_by_the_item_index():
    check_ties(lists_of)
    catches(check_ties, lambda model, k: lists_of(model, k)[::-1])


def test_threads_change_a_model_by_rounding_alone():
    before, models = torch.get_num_threads(), {}
    log = g4r.toyshop.simulate(60, seed=0)
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            model = gru4rec.GRU4Rec(n_epochs=1, n_samples=512, compile=False, device="cpu").fit(log, progress=False)
            models.setdefault(threads, []).append(model.tensors())
    finally:
        torch.set_num_threads(before)
    (one,), (two, again) = models[1], models[2]
    assert digest(two) == digest(again)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=1e-3, atol=1e-4)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(hashes()))
