"""Paths that begin with ~ mean the home folder; what goes into a header is JSON, or refused by name."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from logs import random_log, tiny

from gru4rec_lite import baselines, datasets, experiments
from gru4rec_lite.internal import checkpoints, checks, files, jsonable

LOG = random_log(items="abcdefgh")


@pytest.fixture
def home(monkeypatch, tmp_path):
    """The home folder, and another one to stand in."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "home"
    assert list((tmp_path / "here").iterdir()) == []  # above all no folder of the name ~


@pytest.mark.parametrize("kind", [str, Path])
def test_a_model_is_saved_and_loaded_at_home(home, kind):
    model = baselines.Markov().fit(LOG)
    model.save(kind("~/models/one"))
    assert (home / "models" / "one").is_file()
    assert baselines.Markov.load(kind("~/models/one")).recommend(["a"]).equals(model.recommend(["a"]))
    assert baselines.Markov.load(home / "models" / "one").kappa == 1.0


def test_a_checkpoint_is_written_and_read_at_home(home):
    once = tiny(n_epochs=1).fit(LOG, progress=False, checkpoint="~/training")
    assert (home / "training").is_file()
    again = tiny(n_epochs=2).fit(LOG, progress=False, checkpoint="~/training", resume=True)
    assert len(again.history) == 2
    assert again.history["loss"].iloc[0] == once.history["loss"].iloc[0]
    with pytest.warns(UserWarning, match="2 epochs of an earlier training") as caught:
        tiny(n_epochs=1).fit(LOG, progress=False, checkpoint="~/training")
    assert caught[0].filename == __file__


def test_a_click_log_at_home_is_not_overwritten(home):
    (home / "clicks.csv").write_text("mine")
    with pytest.raises(FileExistsError, match=r"no model file of gru4rec_lite"):
        baselines.Pop().fit(LOG).save("~/clicks.csv")
    assert (home / "clicks.csv").read_text() == "mine"


def test_a_missing_file_at_home_is_named_in_full(home):
    with pytest.raises(FileNotFoundError, match=str(home / "none")):
        baselines.Pop.load("~/none")


def test_the_mirror_of_data_sets_may_be_at_home(home, monkeypatch):
    monkeypatch.setenv("GRU4REC_LITE_DATA", "~/data")
    assert datasets.REGISTRY["eshop"].places()[0].is_relative_to(home / "data" / "eshop")


def test_tables_are_written_at_home(home, monkeypatch):
    one = experiments.Run({"model": "M", "seed": 1}, {}, lambda: {"mrr@20": 0.5}, "clicks")
    monkeypatch.setitem(experiments.TABLES, "one", experiments.Table(lambda out: iter([one]), ("metrics",)))
    experiments.main(["one", "--out", "~/tables"])
    assert experiments.read(home / "tables" / "one.csv")["mrr@20"].tolist() == [0.5]


@pytest.mark.parametrize("path", ["a~", "~", "x/~/y"])
def test_a_tilde_elsewhere_is_a_letter(home, path):
    assert checks.as_path("path", path) == (home if path == "~" else Path(path))


def test_a_home_of_nobody_is_refused(home):
    for ask in (baselines.Pop().fit(LOG).save, baselines.Pop.load):
        with pytest.raises(ValueError, match=r"^path='~nobody-of-that-name/x': must be a path that can be resolved"):
            ask("~nobody-of-that-name/x")


# headers


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"n": np.int64(3)}, r"^header\['n'\]=np.int64\(3\): must be something that JSON can hold"),
        ({"s": {"deep": [1, 2, {"x": {3}}]}}, r"^header\['s'\]\['deep'\]\[2\]\['x'\]=\{3\}: must be"),
        ({"a": np.arange(3)}, r"^header\['a'\]=ndarray \(3,\) of int64: must be"),
        ({"t": torch.ones(2)}, r"^header\['t'\]=Tensor \(2,\) of float32: must be"),
        ({"b": b"abc"}, r"^header\['b'\]=b'abc': must be"),
        ({"c": 1 + 2j}, r"^header\['c'\]=\(1\+2j\): must be"),
        ({"when": pd.Timestamp(0)}, r"^header\['when'\]=Timestamp.*: must be"),
        ({"p": Path("x")}, r"^header\['p'\]=PosixPath\('x'\): must be"),
        ({("a", "b"): 1}, r"^header, key=\('a', 'b'\): must be"),
        ({"k": {np.int64(3): 1}}, r"^header\['k'\], key=np.int64\(3\): must be"),
    ],
)
def test_what_json_cannot_hold_is_named_with_its_place_and_nothing_is_written(tmp_path, value, says):
    with pytest.raises(ValueError, match=says):
        files.write(tmp_path / "file", {"x": torch.ones(1)}, value)
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_holds_itself_is_refused():
    ring: list = []
    ring.append(ring)
    with pytest.raises(ValueError, match=r"JSON can hold.*Circular"):
        jsonable.to_json(ring, "ring")


def test_an_identity_that_is_no_json_is_named():
    with pytest.raises(ValueError, match=r"^valid=ndarray .*: must be something that JSON can hold"):
        checkpoints.Checkpoint("file", torch.nn.Linear(1, 1), None, {"valid": np.arange(0)})


def test_what_json_can_hold_comes_back(tmp_path):
    value = {"none": None, "text": "ö", "list": [1, 2.5, [True]], "dict": {"a": {}}, "big": 2**70, "inf": math.inf}
    files.write(tmp_path / "file", {"x": torch.ones(1)}, value)
    header = files.read(tmp_path / "file")[1]
    assert value.items() <= header.items()


@pytest.mark.parametrize("around", [torch.float64, "meta"])
def test_a_file_is_read_as_it_was_written_whatever_torchs_defaults_are(tmp_path, around):
    tensors = {"a": torch.arange(3.0), "b": torch.arange(3), "c": torch.ones(2).half()}
    if around == "meta":
        with torch.device("meta"):
            files.write(tmp_path / "file", tensors, {})
            found, _ = files.read(tmp_path / "file")
            assert files.from_bytes(files.to_bytes(["ö"])) == ["ö"]
    else:
        torch.set_default_dtype(around)
        try:
            files.write(tmp_path / "file", tensors, {})
            found, _ = files.read(tmp_path / "file")
        finally:
            torch.set_default_dtype(torch.float32)
    assert all(torch.equal(found[name], t) and found[name].dtype == t.dtype for name, t in tensors.items())
    assert {t.device.type for t in found.values()} == {"cpu"}


def test_a_home_that_cannot_be_found_is_refused(monkeypatch):
    def no_home(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    with pytest.raises(ValueError, match=r"^path='~/x': must be a path that can be resolved .Could not determine home"):
        baselines.Pop.load(os.path.join("~", "x"))
