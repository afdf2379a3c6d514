"""Model files: whole or not at all, the same in a new process, and nothing in them is ever executed (check T29)."""

from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from logs import all_scores, random_log, tiny
from logs import click_log as click_log_of
from safetensors.torch import load_file, save_file

from gru4rec_lite import GRU4Rec, baselines, files
from gru4rec_lite import clicks as click_log

ROOT = Path(__file__).parents[1]
LOG = click_log.encode(random_log(seed=1))


def scores(model):
    return all_scores(model, LOG.items, LOG.offsets)


@pytest.fixture(scope="module")
def model():
    return tiny(layers=(6, 4), cell="lstm", embedding="separate", loss="bpr-max", bpreg=0.5, elu=0.7).fit(
        random_log(), progress=False
    )


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def rewritten(path, tensors=lambda t: t, header=lambda h: h):
    """The same file after somebody meddled with it."""
    old_tensors, old_header = files.read(path)
    save_file(tensors(old_tensors), path, {"gru4rec_lite": json.dumps(header({"format": files.FORMAT, **old_header}))})
    return path


def without(key):
    return lambda old: {name: value for name, value in old.items() if name != key}


def with_settings(**changed):
    return lambda header: {**header, "settings": {**header["settings"], **changed}}


def with_items(tensors, items):
    return {**tensors, "items.json": files.to_bytes(items)}


# round trips


def test_what_is_written_is_read(tmp_path):
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor([2**60]), "empty": torch.zeros(0, 3)}
    header = {"text": "Größe 👟", "numbers": [1, 2.5, None, 2**53 + 1], "nested": {"x": [True]}}
    files.write(tmp_path / "deep" / "er" / "file", tensors, header)
    read, back = files.read(tmp_path / "deep" / "er" / "file")
    assert {name: value for name, value in back.items() if name != "format"} == header
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert torch.equal(read[name], tensor)
        assert read[name].dtype == tensor.dtype


@pytest.mark.parametrize("cell", ["gru", "gru-paper", "lstm", "rnn"])
@pytest.mark.parametrize("embedding", ["one-hot", "separate", "shared"])
def test_a_loaded_model_scores_the_same_bit_for_bit(tmp_path, cell, embedding):
    model = tiny(cell=cell, embedding=embedding, layers=(5, 4), n_epochs=1).fit(random_log(), progress=False)
    model.save(tmp_path / "model")
    loaded = GRU4Rec.load(tmp_path / "model")
    assert torch.equal(scores(loaded), scores(model))
    assert loaded.items.equals(model.items)
    assert repr(loaded) == repr(model)  # all settings


def test_a_new_process_gives_the_same_scores_and_settings(model, path, tmp_path):
    script = """
import sys, numpy as np, torch
from gru4rec_lite import GRU4Rec
model, log = GRU4Rec.load(sys.argv[1]), np.load(sys.argv[2])
scores = torch.cat(list(model.scores(log["items"], log["offsets"], log["times"])))
np.savez(sys.argv[3], scores=scores.numpy(), items=list(model.items), settings=repr(model))
"""
    log, out = tmp_path / "log.npz", tmp_path / "out.npz"
    np.savez(log, items=LOG.items, offsets=LOG.offsets, times=LOG.times)
    command = [sys.executable, "-c", script, str(path), str(log), str(out)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path)
    there = np.load(out)
    assert np.array_equal(there["scores"], scores(model).numpy())
    assert there["items"].tolist() == model.items.tolist()
    assert str(there["settings"]) == repr(model)


def test_a_loaded_model_can_be_trained_again_as_if_new(model, path):
    again = GRU4Rec.load(path).fit(random_log(), progress=False)
    assert torch.equal(scores(again), scores(model))


def test_settings_can_be_replaced_when_loading(path):
    assert GRU4Rec.load(path, device="cpu").device == "cpu"


def test_a_setting_that_does_not_exist_cannot_be_replaced(path):
    with pytest.raises((TypeError, ValueError), match="colour"):
        GRU4Rec.load(path, colour="red")


# refused


def test_a_file_of_another_model_says_whose_it_is(path, tmp_path):
    with pytest.raises(ValueError, match=r"holds a GRU4Rec, not a Pop; load it with GRU4Rec\.load"):
        baselines.Pop.load(path)
    baselines.Pop().fit(random_log()).save(tmp_path / "pop")
    with pytest.raises(ValueError, match=r"holds a Pop, not a GRU4Rec; load it with Pop\.load"):
        GRU4Rec.load(tmp_path / "pop")


def test_a_checkpoint_is_not_a_model_and_says_what_to_do_with_it(tmp_path):
    tiny().fit(random_log(), progress=False, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(ValueError, match="resume"):
        GRU4Rec.load(tmp_path / "checkpoint")


def test_no_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        GRU4Rec.load(tmp_path / "nowhere")


@pytest.mark.parametrize("keep", [0, 1, 8, 100, -1])
def test_a_truncated_file_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"model\.safetensors: not a model file of gru4rec_lite, or damaged"):
        GRU4Rec.load(path)


@pytest.mark.parametrize("content", [b"", b"SessionId,ItemId,Time\n1,2,3\n", bytes(5000), b"\xff" * 5000])
def test_a_foreign_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a model file of gru4rec_lite"):
        GRU4Rec.load(path)


@pytest.mark.parametrize(
    "metadata", [None, {"format": "pt"}, {"gru4rec_lite": "{"}, {"gru4rec_lite": "{}"}, {"gru4rec_lite": "[]"}]
)
def test_safetensors_of_others_are_refused(path, metadata):
    save_file({"weight": torch.zeros(3)}, path, metadata)
    with pytest.raises(ValueError, match="not a model file of gru4rec_lite"):
        GRU4Rec.load(path)


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        (files.FORMAT + 1, "install a newer gru4rec_lite"),
        ("next", "install a newer gru4rec_lite"),
        (1, "fit the model again and save it"),
    ],
)
def test_a_file_of_another_version_says_so(path, version, remedy):
    rewritten(path, header=lambda header: {**header, "format": version})
    with pytest.raises(ValueError, match=f"format {version}, this version reads {files.FORMAT}; {remedy}"):
        GRU4Rec.load(path)


TAMPERED = {
    "a tensor is missing": {"tensors": without("item_out")},
    "a tensor too many": {"tensors": lambda old: {**old, "extra": torch.zeros(2)}},
    "a tensor of another shape": {"tensors": lambda old: {**old, "item_out": old["item_out"][:, :-1].contiguous()}},
    "an item is missing": {"tensors": lambda old: with_items(old, files.from_bytes(old["items.json"])[:-1])},
    "no items": {"tensors": without("items.json")},
    "items that are no list": {"tensors": lambda old: with_items(old, 5)},
    "items that are no JSON": {"tensors": lambda old: {**old, "items.json": torch.tensor([91, 49], dtype=torch.uint8)}},
    "items that are no text": {"tensors": lambda old: {**old, "items.json": torch.tensor([255], dtype=torch.uint8)}},
    "no model": {"header": without("model")},
    "no settings": {"header": without("settings")},
    "a setting that does not exist": {"header": with_settings(colour="red")},
    "a setting out of range": {"header": with_settings(dropout_hidden=2.0)},
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_file_is_refused(path, change):
    rewritten(path, **change)
    with pytest.raises(ValueError):
        GRU4Rec.load(path)


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("save", [lambda bomb, path: path.write_bytes(pickle.dumps(bomb)), torch.save])
def test_a_pickle_is_refused_and_not_executed(tmp_path, save):
    save(Bomb(tmp_path / "boom"), tmp_path / "model")
    with pytest.raises(ValueError, match="not a model file"):
        GRU4Rec.load(tmp_path / "model")
    assert not (tmp_path / "boom").exists()


def test_saving_and_loading_never_pickle(model, path, monkeypatch, tmp_path):
    def never(*args, **kwargs):
        raise AssertionError("pickled")

    for module, name in (
        (pickle, "loads"),
        (pickle, "load"),
        (pickle, "Unpickler"),
        (torch, "load"),
        (pickle, "dumps"),
        (torch, "save"),
    ):
        monkeypatch.setattr(module, name, never)
    model.save(tmp_path / "again")
    GRU4Rec.load(path)


def test_the_file_is_tensors_and_json(model, path):
    tensors = load_file(path)
    assert set(tensors) == {*model.network.state_dict(), "items.json"}
    assert tensors["items.json"].dtype == torch.uint8
    assert json.loads(bytes(tensors["items.json"].tolist())) == model.items.tolist()
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]["gru4rec_lite"])
    assert header["settings"]["loss"] == "bpr-max"


def header_bytes(path):
    return int.from_bytes(path.read_bytes()[:8], "little")


def test_a_larger_catalogue_makes_no_larger_header(tmp_path):
    # the format allows 100 MB of header: 2.5 million UUIDs would fill it
    sizes = []
    for n in (100, 2_000):
        ids = [f"{i:036x}" for i in range(n)]
        log = click_log_of(*(ids[i : i + 20] for i in range(0, n, 20)))
        tiny(n_epochs=1).fit(log, progress=False, checkpoint=tmp_path / "checkpoint").save(tmp_path / "model")
        assert GRU4Rec.load(tmp_path / "model").items.tolist() == ids
        sizes.append([header_bytes(tmp_path / name) for name in ("model", "checkpoint")])
    assert np.ptp(sizes, axis=0).max() < 100  # shapes and offsets have more digits


@pytest.mark.parametrize(
    "ids", [[1, 2], [2**63, 2**64 - 1], [-1, 2**63], [2**70, -(2**70)], ["a", "Größe 👟"], ["", '"', "\\"]]
)
def test_ids_of_any_size_are_kept_in_a_file(tmp_path, ids):
    model = baselines.Pop()
    model.items, model.support = pd.Index(ids), torch.ones(len(ids), dtype=torch.float64)
    model.save(tmp_path / "model")
    assert baselines.Pop.load(tmp_path / "model").items.equals(model.items)


# whole or not at all


@pytest.mark.parametrize("broken", ["os.replace", "gru4rec_lite.files.save"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_whole_and_no_other(model, path, monkeypatch, broken, error):
    def fails(*args, **kwargs):
        raise error

    before = path.read_bytes()
    monkeypatch.setattr(broken, fails)
    with pytest.raises(type(error)):
        baselines.Pop().fit(random_log()).save(path)
    monkeypatch.undo()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


@pytest.mark.parametrize("broken", ["os.fsync", "os.replace"])
def test_a_full_disk_is_named_with_the_file_and_what_became_of_it(path, monkeypatch, broken):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(broken, full)
    with pytest.raises(OSError, match=r"No space left on device.* untouched.*model\.safetensors") as caught:
        baselines.Pop().fit(random_log()).save(path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_content_is_on_the_disk_before_the_name(path, monkeypatch):
    done, replace = [], os.replace

    def fsync(file):
        done.append(("fsync", os.fstat(file).st_size))

    def renamed(old, new):
        done.append(("replace", Path(old).stat().st_size))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", renamed)
    baselines.Pop().fit(random_log()).save(path)
    size = path.stat().st_size
    assert done == [("fsync", size), ("replace", size)]


def test_a_file_is_replaced_and_nothing_else_is_left(path):
    baselines.Pop().fit(random_log()).save(path)
    baselines.Pop.load(path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="permissions of posix")
def test_a_model_file_can_be_read_by_whom_any_new_file_can(model, tmp_path):
    before = os.umask(0o022)
    try:
        model.save(tmp_path / "model")
    finally:
        os.umask(before)
    assert oct((tmp_path / "model").stat().st_mode & 0o777) == oct(0o644)


def test_a_path_may_be_text(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save("here")
    GRU4Rec.load("here")


# fingerprint


def test_a_fingerprint_changes_with_any_click():
    items, offsets = np.array([1, 2, 3, 4]), np.array([0, 2, 4])
    prints = {
        files.fingerprint(items, offsets),
        files.fingerprint(items[::-1], offsets),
        files.fingerprint(np.array([1, 2, 3, 5]), offsets),
        files.fingerprint(items, np.array([0, 3, 4])),
    }
    assert len(prints) == 4
    assert files.fingerprint(items.copy(), offsets.copy()) == files.fingerprint(items, offsets)
