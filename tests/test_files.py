"""Model files: whole or not at all, the same in a new process, and nothing in them is ever executed (check T29)."""

from __future__ import annotations

import ast
import contextlib
import errno
import hashlib
import itertools
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import in_two_processes
from logs import all_scores, random_log, tiny
from logs import click_log as click_log_of
from safetensors.torch import load_file, save_file
from safetensors.torch import save as safetensors_of

from gru4rec_lite import GRU4Rec, baselines, training
from gru4rec_lite import clicks as click_log
from gru4rec_lite.internal import atomic, files

try:
    import resource
except ImportError:  # Windows
    resource = None

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
    """The same file after somebody meddled with it who knows how to compute its sha256."""
    old_tensors, old_header = files.read(path)
    old_header.pop("format")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_require_numbers", lambda *_: None)
        files.write(path, tensors(old_tensors), header(old_header))
    return path


def without(key):
    return lambda old: {name: value for name, value in old.items() if name != key}


def with_settings(**changed):
    return lambda header: {**header, "settings": {**header["settings"], **changed}}


def with_items(tensors, items):
    return {**tensors, "items.json": files.to_bytes(items)}


# round trips


def test_what_is_written_is_read(tmp_path):
    tensors = {
        "a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor([2**60]), "empty": torch.zeros(0, 3),
        "ö": torch.tensor([True, False]), "zz": torch.arange(3).byte(), "half": torch.ones(3).half(),
    }  # fmt: skip
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


@in_two_processes
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
        (2, "fit the model again and save it"),
    ],
)
def test_a_file_of_another_version_says_so(path, version, remedy):
    rewritten(path, header=lambda header: {**header, "format": version, "colour": "of the future"})
    with pytest.raises(ValueError, match=f"format {version}, this version reads 3 and 4; {remedy}"):
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
    "a tensor of whole numbers": {"tensors": lambda old: {**old, "item_out": old["item_out"].int()}},
    "a tensor of twice the width": {"tensors": lambda old: {**old, "item_out": old["item_out"].double()}},
    "NaN": {"tensors": lambda old: {**old, "item_out": old["item_out"] * np.nan}},
    "an item twice": {"tensors": lambda old: with_items(old, ["a", "a", *files.from_bytes(old["items.json"])[2:]])},
    "a setting that does not exist": {"header": with_settings(colour="red")},
    "layers that no memory holds": {"header": with_settings(layers=[10**7, 10**7])},
    "a table that no memory holds": {"header": with_settings(embedding_size=10**12)},
    "a setting out of range": {"header": with_settings(dropout_hidden=2.0)},
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_file_is_refused(path, change):
    rewritten(path, **change)
    with pytest.raises(ValueError, match=None if "header" in change else "model.safetensors: "):
        GRU4Rec.load(path)


FORMAT_3 = ROOT / "tests/data/format_3.safetensors"  # a Pop, saved by the code of commit 0fce47a


@pytest.fixture(params=[3, 4])
def small(request, tmp_path):
    """A small file of each format that is read."""
    path = tmp_path / "small"
    if request.param == 3:
        shutil.copy(FORMAT_3, path)
    else:
        files.write(path, {"a": torch.arange(5.0), "b": torch.tensor([1, 2])}, {"model": "Größe 👟"})
    assert files.read(path)[1]["format"] == request.param
    return path


def test_a_changed_byte_anywhere_is_noticed(small):
    content = small.read_bytes()
    assert content[header_bytes(small) + 7] == ord(" "), "behind the header's JSON, where a tab would do as well"
    for at, byte in enumerate(content):
        for other in {byte ^ 1 << at % 8, (byte + 1 + at % 255) % 256, ord("\t")} - {byte}:
            small.write_bytes(content[:at] + bytes([other]) + content[at + 1 :])
            with pytest.raises(ValueError, match="small: "):
                files.read(small)


def test_two_bytes_that_changed_places_are_noticed(small):
    content = small.read_bytes()
    for at, (one, other) in enumerate(itertools.pairwise(content)):
        if one != other:
            small.write_bytes(content[:at] + bytes([other, one]) + content[at + 2 :])
            with pytest.raises(ValueError, match="small: "):
                files.read(small)


def test_a_file_cut_or_grown_anywhere_is_noticed(small):
    content = small.read_bytes()
    for other in (*(content[:length] for length in range(len(content))), content + b"\0", content + b" ", content * 2):
        small.write_bytes(other)
        with pytest.raises(ValueError, match="small: not a model file of gru4rec_lite, or damaged"):
            files.read(small)


def test_a_changed_byte_of_a_larger_file_is_noticed(path):
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for at in rng.integers(len(content), size=300):
        path.write_bytes(content[:at] + bytes([(content[at] + rng.integers(1, 256)) % 256]) + content[at + 1 :])
        with pytest.raises(ValueError, match=r"model\.safetensors: "):
            files.read(path)


def test_the_last_bytes_are_the_sha256_of_all_before(path):
    content = path.read_bytes()
    assert hashlib.sha256(content[:-32]).digest() == content[-32:]


def by_hand(tensors: dict[str, np.ndarray], header: dict) -> bytes:
    """A file of format 4 from its description alone: float32 arrays."""
    table, at = {"__metadata__": {"gru4rec_lite": json.dumps({"format": 4, **header})}}, 0
    for name, array in tensors.items():
        table[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    table["gru4rec_lite.sha256"] = {"dtype": "U8", "shape": [32], "data_offsets": [at, at + 32]}
    text = json.dumps(table).encode()
    content = struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in tensors.values())
    return content + hashlib.sha256(content).digest()


def test_a_file_made_by_hand_is_read(tmp_path):
    arrays = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(1, dtype=np.float32)}
    (tmp_path / "hand").write_bytes(by_hand(arrays, {"model": "none"}))
    tensors, header = files.read(tmp_path / "hand")
    assert header == {"format": 4, "model": "none"}
    assert set(tensors) == {"a", "b"}
    assert all(np.array_equal(tensors[name].numpy(), array) for name, array in arrays.items())


def as_format_3(path):
    """The file as the format before had it: the sha256 in hexadecimal, in the header, of the file with zeros there."""
    tensors, header = files.read(path)
    text = json.dumps({**header, "format": 3, "sha256": "0" * 64})
    content = safetensors_of(tensors, {"gru4rec_lite": text})
    path.write_bytes(content.replace(b"0" * 64, hashlib.sha256(content).hexdigest().encode(), 1))


def test_a_model_of_format_3_is_loaded_and_replaced(tmp_path):
    shutil.copy(FORMAT_3, tmp_path / "pop")
    pop = baselines.Pop.load(tmp_path / "pop")
    assert pop.items.tolist() == ["Größe 👟", "b", "c"]
    assert pop.support.tolist() == [3, 2, 1]
    pop.save(tmp_path / "pop")
    assert files.read(tmp_path / "pop")[1]["format"] == 4
    assert baselines.Pop.load(tmp_path / "pop").recommend(["b"]).equals(pop.recommend(["b"]))


def test_a_network_of_format_3_scores_the_same(model, path):
    as_format_3(path)
    assert files.peek(path)["format"] == 3
    assert torch.equal(scores(GRU4Rec.load(path)), scores(model))


def test_a_checkpoint_of_format_3_is_gone_on_from(tmp_path):
    train(tmp_path / "run", {"n_epochs": 1})
    as_format_3(tmp_path / "run")
    resumed = train(tmp_path / "run", {"n_epochs": 3}, resume=True)
    assert torch.equal(scores(resumed), scores(train(None, {"n_epochs": 3})))
    assert files.read(tmp_path / "run")[1]["format"] == 4


def test_the_same_is_written_as_the_same_bytes(model, tmp_path):
    for name in ("one", "two"):
        model.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    "metadata",
    ["[" * 200_000, '{"format": %s}' % ("9" * 10_000), "[3]", '"3"', "3", '{"format": 3, "sha256": 3}',
     '{"format": 3, "sha256": ""}', '{"format": 3}', json.dumps({"format": 3, "sha256": "0" * 64}),
     "[4]", '"4"', "4", '{"format": 4}', '{"format": 4, "sha256": ""}'],
    ids=lambda text: text[:28],
)  # fmt: skip
def test_a_header_of_any_kind_is_refused(path, metadata):
    save_file({"weight": torch.zeros(3)}, path, {"gru4rec_lite": metadata})
    with pytest.raises(ValueError, match=r"model\.safetensors: not a model file of gru4rec_lite, or damaged"):
        files.read(path)


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 2**32, 0, 1])
def test_a_header_of_any_length_is_refused(path, length):
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(ValueError, match="damaged"):
        files.read(path)


def test_a_file_overwritten_in_place_changes_no_model_that_was_loaded_from_it(tmp_path):
    # a map of the file into memory would let its bytes through, and cutting it would end the process
    baselines.Pop().fit(random_log()).save(tmp_path / "pop")
    loaded, content = baselines.Pop.load(tmp_path / "pop"), (tmp_path / "pop").read_bytes()
    before = loaded.support.clone()
    with open(tmp_path / "pop", "r+b") as file:
        file.write(bytes(len(content)))
    assert torch.equal(loaded.support, before)
    assert str(tmp_path) not in Path("/proc/self/maps").read_text() if Path("/proc/self/maps").exists() else True


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


def test_nothing_in_the_package_unpickles_or_evaluates_and_one_module_alone_downloads():
    # what SECURITY.md says
    calls, imports, package = set(), set(), ROOT / "gru4rec_lite"
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.Call):
                calls.add((ast.unparse(node.func), str(path.relative_to(package))))
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names]
                imports |= {
                    (name.split(".")[0], str(path.relative_to(package)))
                    for name in (*names, getattr(node, "module", None) or "")
                }
    executing = {"eval", "exec", "__import__", "torch.load", "np.load", "pd.read_pickle", "os.system", "yaml.load"}
    unpickling = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
    connecting = {"requests", "urllib", "http", "socket", "httpx", "aiohttp", "ftplib"}
    assert {name for name, _ in calls} & executing == set()
    assert {name for name, _ in imports} & unpickling == set()
    assert {file for name, file in imports if name == "subprocess"} == {"experiments/restamping.py"}
    assert {(name, file) for name, file in imports if name in connecting} == {("requests", "datasets/__init__.py")}


def test_the_file_is_tensors_and_json(model, path):
    tensors = load_file(path)
    assert set(tensors) == {*model.network.state_dict(), "items.json", "gru4rec_lite.sha256"}
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
        (tmp_path / "checkpoint").unlink(missing_ok=True)
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


@pytest.mark.parametrize("broken", [(os, "replace"), (files, "save")], ids=lambda broken: broken[1])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_whole_and_no_other(model, path, monkeypatch, broken, error):
    def fails(*args, **kwargs):
        raise error

    before = path.read_bytes()
    monkeypatch.setattr(*broken, fails)
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


def test_nan_is_not_written_and_the_old_file_stays(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"model\.safetensors: NaN in weights"):
        files.write(path, {"weights": torch.tensor([1.0, np.nan])}, {})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_link_stays_and_what_it_points_at_is_replaced(model, path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name, target in {"link": path, "to nothing yet": tmp_path / "elsewhere" / "new"}.items():
        link = tmp_path / name
        link.symlink_to(target)
        baselines.Pop().fit(random_log()).save(link)
        assert link.is_symlink()
        baselines.Pop.load(target)
        assert not target.is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="permissions of posix")
def test_a_private_file_stays_private_while_it_is_written_too(path):
    def modes():
        return {oct(p.stat().st_mode & 0o777) for p in path.parent.iterdir()}

    def parts():
        yield b"half"
        assert len(list(path.parent.iterdir())) == 2
        assert modes() == {oct(0o600)}

    path.chmod(0o600)
    atomic.write(path, parts())
    assert modes() == {oct(0o600)}


@pytest.mark.parametrize("name", ["run", "[a-z]*", "Größe 👟"])
def test_what_a_killed_writer_left_is_removed_by_the_next_and_nothing_else(tmp_path, name):
    left = tmp_path / f".{name}.{'0af9' * 2}.unfinished"
    others = [tmp_path / other for other in (
        f".{name}2.aaaaaaaa.unfinished", f".{name}.aaaaaaaa", f".{name}.xxxxxxxx.unfinished", ".b.aaaaaaaa.unfinished",
        f"{name}.aaaaaaaa.unfinished", f".{name}.aaaaaaaa.unfinished.csv",
    )]  # fmt: skip
    for file in (left, *others):
        file.write_text("half")
    files.write(tmp_path / name, {"x": torch.ones(1)}, {})
    assert {p.name for p in tmp_path.iterdir()} == {name, *(other.name for other in others)}


@pytest.mark.skipif(atomic.flock is None, reason="no locks here")
def test_what_another_is_writing_at_this_moment_stays(tmp_path):
    def parts():
        yield b"half"
        atomic.write(tmp_path / "run", [b"of another"])
        assert (tmp_path / "run").read_bytes() == b"of another"
        assert len(list(tmp_path.iterdir())) == 2  # and ours, half written
        yield b", whole"

    atomic.write(tmp_path / "run", parts())
    assert (tmp_path / "run").read_bytes() == b"half, whole"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.skipif(atomic.flock is None, reason="no locks here")
def test_a_file_taken_for_a_leftover_before_it_was_locked_is_begun_anew(tmp_path, monkeypatch):
    flock = atomic.flock

    def another_comes_first(file, how):
        monkeypatch.setattr(atomic, "flock", flock)
        atomic.write(tmp_path / "run", [b"of another"])
        assert [p.name for p in tmp_path.iterdir()] == ["run"]  # ours is gone
        flock(file, how)

    monkeypatch.setattr(atomic, "flock", another_comes_first)
    atomic.write(tmp_path / "run", [b"ours"])
    assert everything(tmp_path) == {tmp_path / "run": b"ours"}


@pytest.mark.skipif(atomic.flock is None, reason="no locks here")
def test_a_file_is_locked_until_it_has_moved(tmp_path, monkeypatch):
    replace = os.replace

    def another_comes_first(old, new):
        monkeypatch.setattr(os, "replace", replace)
        atomic.write(tmp_path / "run", [b"of another"])
        replace(old, new)

    monkeypatch.setattr(os, "replace", another_comes_first)
    atomic.write(tmp_path / "run", [b"ours"])
    assert everything(tmp_path) == {tmp_path / "run": b"ours"}


def test_many_writers_of_one_place_leave_a_whole_file_and_nothing_else(tmp_path):
    contents = [bytes([one]) * 50_000 for one in range(6)]
    seen, done = set(), threading.Event()

    def read_again_and_again():
        while not done.is_set():
            seen.add((tmp_path / "run").read_bytes())

    def write_again_and_again(content):
        for _ in range(40):
            atomic.write(tmp_path / "run", [content[:9], content[9:]])

    atomic.write(tmp_path / "run", [contents[0]])
    with ThreadPoolExecutor(len(contents) + 1) as pool:
        reading = pool.submit(read_again_and_again)
        writing = [pool.submit(write_again_and_again, content) for content in contents]
        failed = [error for one in writing if (error := one.exception())]
        done.set()
        reading.result()
    assert failed == []
    assert seen <= set(contents)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.skipif(os.name != "posix", reason="systems without locks")
def test_where_there_are_no_locks_files_are_whole_all_the_same(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(atomic, "flock", refuses)
    (tmp_path / ".run.0af90af9.unfinished").write_text("of whom?")
    atomic.write(tmp_path / "run", [b"ours"])
    assert everything(tmp_path) == {tmp_path / "run": b"ours", tmp_path / ".run.0af90af9.unfinished": b"of whom?"}


# places where nothing can be written, or must not


def train(path, settings=None, **fit):
    return tiny(**settings or {}).fit(random_log(), progress=False, checkpoint=path, **fit)


WRITERS = {
    "a model": lambda path: baselines.Pop().fit(random_log()).save(path),
    "a checkpoint": train,
    "a checkpoint resumed": lambda path: train(path, resume=True),
}


@pytest.fixture(params=WRITERS)
def writes(request, monkeypatch):
    """Saves a model, or begins to train with a checkpoint; an epoch is never reached."""

    def too_late(*_):
        raise AssertionError("trained before it was refused")

    monkeypatch.setattr(training, "train_step", too_late)
    return WRITERS[request.param]


def everything(folder):
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


FOREIGN = {
    "a click log": lambda path: path.write_text("SessionId,ItemId,Time\n1,2,3\n"),
    "a pickle": lambda path: torch.save({}, path),
    "safetensors of others": lambda path: save_file({"weight": torch.zeros(3)}, path, {"format": "pt"}),
    "a long line": lambda path: path.write_bytes(b"\xff" * 5000),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_is_not_ours_is_never_overwritten(writes, tmp_path, make):
    make(tmp_path / "clicks.csv")
    before = everything(tmp_path)
    with pytest.raises((FileExistsError, ValueError), match=r"no(t a)? model file of gru4rec_lite.*") as error:
        writes(tmp_path / "clicks.csv")
    assert "clicks.csv" in str(error.value)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("place", ["empty", "damaged", "older"])
def test_an_empty_file_and_any_file_of_ours_may_be_replaced(model, path, place):
    content = {
        "empty": b"",
        "damaged": path.read_bytes()[:-1],
        "older": path.read_bytes().replace(b"format", b"former"),
    }
    path.write_bytes(content[place])
    model.save(path)
    GRU4Rec.load(path)


def test_a_folder_is_refused(writes, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match=r"could not be written \(Is a directory\).*folder"):
        writes(tmp_path / "folder")
    assert everything(tmp_path) == {tmp_path / "folder": None}


@pytest.mark.skipif(os.name != "posix", reason="no named pipes")
def test_what_is_no_ordinary_file_is_refused(writes, tmp_path):
    os.mkfifo(tmp_path / "pipe")  # as root even /dev/null could be replaced
    with pytest.raises(OSError, match=r"no ordinary file.*pipe"):
        writes(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_taken_for_a_folder_is_refused(writes, path):
    before = everything(path.parent)
    with pytest.raises(OSError, match="could not be written") as error:
        writes(path / "inside")
    assert error.value.filename == str(path / "inside")
    assert everything(path.parent) == before


@pytest.mark.parametrize("path", ["", None, 5, b"bytes", ["a"]])
def test_what_is_no_path_is_refused(model, path):
    with pytest.raises(ValueError, match=r"path=.*must be the path of a file"):
        model.save(path)
    if path is not None:  # a checkpoint may be None: none is written
        for resume in (False, True):
            with pytest.raises(ValueError, match=r"checkpoint=.*must be the path of a file"):
                train(path, resume=resume)


def test_a_path_of_a_folder_that_is_not_there_yet_makes_it(tmp_path):
    train(tmp_path / "new" / "er" / "run")
    assert [p.name for p in (tmp_path / "new" / "er").iterdir()] == ["run"]


@contextlib.contextmanager
def unprivileged():
    """A folder of ours, and no rights but our own: root may write everywhere."""
    folder, is_root = Path(tempfile.mkdtemp()), os.geteuid() == 0
    if is_root:
        os.chown(folder, 65534, -1)
        os.setresuid(65534, 65534, 0)
    try:
        yield folder
    finally:
        if is_root:
            os.setresuid(0, 0, 0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="users of Linux")
def test_a_read_only_folder_is_refused(writes):
    with unprivileged() as folder:
        folder.chmod(0o500)
        with pytest.raises(PermissionError, match=r"Permission denied.*untouched.*run"):
            writes(folder / "run")
        assert everything(folder) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="users of Linux")
def test_a_write_protected_file_is_not_replaced(model, path, writes):
    pop = baselines.Pop().fit(random_log())
    with unprivileged() as folder:
        pop.save(folder / "kept")
        (folder / "kept").chmod(0o400)
        before = everything(folder)
        with pytest.raises((PermissionError, ValueError), match="kept"):
            writes(folder / "kept")
        with pytest.raises(PermissionError, match="Permission denied"):
            pop.save(folder / "kept")
        assert everything(folder) == before


# a full disk


def test_room_is_looked_for_before_the_first_epoch(monkeypatch, tmp_path):
    train(tmp_path / "run", {"n_epochs": 1})
    size, free = sum(t.nbytes for t in files.read(tmp_path / "run")[0].values()), [0]
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    train(None)
    for free[0], name, enough in ((2 * size - 1, "new", False), (2 * size, "new", True), (size - 1, "run", False)):
        if enough:  # two of a new one, as the second is written before the first goes
            train(tmp_path / name)
            (tmp_path / name).unlink()
            continue
        with pytest.raises(OSError, match=rf"No space left on device: 0\.0 MB are needed.*{name}") as error:
            train(tmp_path / name, resume=True)
        assert error.value.errno == errno.ENOSPC
        assert [p.name for p in tmp_path.iterdir()] == ["run"]


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own; needs the right to mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def short_files(size):
    """The system makes no file longer than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WIDE = {"layers": (40,), "n_epochs": 3}  # a checkpoint of some 80 kB


def test_a_small_disk_is_refused_before_an_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train_step", None)
    with small_disk(tmp_path, "120k"):
        with pytest.raises(OSError, match=r"No space left on device: 0\.\d MB are needed, 0\.1 are free.*run"):
            train(tmp_path / "run", WIDE)
        assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_leaves_the_last_epoch_whole(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk", "120k"), monkeypatch.context() as patch:
        patch.setattr(atomic.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))  # there was room at first
        with pytest.raises(OSError, match=r"could not be written \(No space left on device\).* untouched.*run"):
            train(tmp_path / "disk" / "run", WIDE)
        assert [p.name for p in (tmp_path / "disk").iterdir()] == ["run"]
        shutil.copy(tmp_path / "disk" / "run", tmp_path / "run")
    assert len(files.read(tmp_path / "run")[1]["history"]) == 1
    assert torch.equal(scores(train(tmp_path / "run", WIDE, resume=True)), scores(train(None, WIDE)))


@pytest.mark.skipif(resource is None, reason="limits of posix")
def test_a_write_that_fails_half_way_leaves_the_last_epoch_whole(tmp_path):
    train(tmp_path / "run", {**WIDE, "n_epochs": 1})
    before = everything(tmp_path)
    with (
        short_files(len(before[tmp_path / "run"]) // 2),
        pytest.raises(OSError, match=r"could not be written \(File too large\).* untouched.*run"),
    ):
        train(tmp_path / "run", WIDE, resume=True)
    assert everything(tmp_path) == before
    assert torch.equal(scores(train(tmp_path / "run", WIDE, resume=True)), scores(train(None, WIDE)))


# checkpoints


def test_a_trained_model_is_not_replaced_by_a_checkpoint(writes, model, path):
    before = path.read_bytes()
    if writes is not WRITERS["a model"]:
        with pytest.raises(ValueError, match=r"model\.safetensors: holds a trained GRU4Rec, not a checkpoint"):
            writes(path)
        assert path.read_bytes() == before


def test_an_earlier_training_is_replaced_after_a_warning_at_the_line_that_does_it(tmp_path):
    train(tmp_path / "run")
    with pytest.warns(UserWarning, match=r"run': 2 epochs of an earlier training.*resume=True") as caught:
        train(tmp_path / "run")
    assert caught[0].filename == __file__


def test_a_first_and_a_resumed_training_warn_of_nothing(tmp_path, recwarn):
    train(tmp_path / "run")
    train(tmp_path / "run", {"n_epochs": 3}, resume=True)
    assert not recwarn.list


LATER = random_log(seed=3)
REFUSED = {
    "another seed ": {"settings": {"seed": 1}, "valid": LATER},
    "another valid ": {},
    "n_epochs=1: the checkpoint has 2 epochs behind it": {"settings": {"n_epochs": 1}, "valid": LATER},
    "keep_best=True: the checkpoint holds no best epoch": {"valid": LATER, "keep_best": True},
    "'ItemId'": {"valid": LATER.drop(columns="ItemId")},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refused_training_leaves_model_and_checkpoint_as_they_were(tmp_path, reason):
    refused = REFUSED[reason]
    train(tmp_path / "run", valid=LATER)
    before = everything(tmp_path)
    fitted = tiny(**refused.get("settings", {})).fit(random_log(seed=1), progress=False)
    had = scores(fitted), fitted.history
    with pytest.raises(ValueError, match=reason):
        fitted.fit(
            random_log(), refused.get("valid"), progress=False, checkpoint=tmp_path / "run", resume=True,
            keep_best=refused.get("keep_best", False),
        )  # fmt: skip
    assert torch.equal(scores(fitted), had[0])
    assert fitted.history.equals(had[1])
    assert everything(tmp_path) == before


def test_a_bad_validation_log_is_refused_before_an_epoch(monkeypatch):
    monkeypatch.setattr(training, "train_step", None)
    with pytest.raises(click_log.ClickLogError, match="ItemId"):
        tiny().fit(random_log(), random_log().drop(columns="ItemId"), progress=False)


def first_row(tensors, key):
    return {**tensors, key: tensors[key][:1]}


MEDDLED = {
    "no history": {"header": without("history")},
    "no identity": {"header": without("identity")},
    "a history that is no list": {"header": lambda old: {**old, "history": 3}},
    "no optimiser": {"tensors": lambda old: {k: t for k, t in old.items() if not k.startswith("optimiser")}},
    "one of its tensors missing": {"tensors": without("optimiser/acc.item_out")},
    "a row that would be copied into all": {"tensors": lambda old: first_row(old, "optimiser/acc.item_out")},
    "a row of weights": {"tensors": lambda old: first_row(old, "network/item_out")},
    "other numbers": {"tensors": lambda old: {**old, "network/item_out": old["network/item_out"].double()}},
    "a best epoch of another network": {"tensors": lambda old: {**old, "best/item_out": torch.zeros(3, 3)}},
    "a tensor too many": {"tensors": lambda old: {**old, "network/extra": torch.zeros(3)}},
    "a group too many": {"tensors": lambda old: {**old, "extra": torch.zeros(3)}},
    "NaN": {"tensors": lambda old: {**old, "network/item_out": old["network/item_out"] * np.nan}},
}


@pytest.mark.parametrize("change", MEDDLED.values(), ids=MEDDLED)
def test_a_meddled_checkpoint_is_refused_with_its_name(tmp_path, change):
    train(tmp_path / "run")
    rewritten(tmp_path / "run", **change)
    before = everything(tmp_path)
    with pytest.raises(ValueError, match="run: "):
        train(tmp_path / "run", {"n_epochs": 3}, resume=True)
    assert everything(tmp_path) == before


def test_weights_that_went_astray_do_not_replace_the_last_good_checkpoint(monkeypatch, tmp_path):
    # the loss of the epoch was still a number: the last step did it
    train(tmp_path / "run", {"n_epochs": 1})
    before = (tmp_path / "run").read_bytes()
    epochs = training.train

    def astray(network, *args):
        for epoch in epochs(network, *args):
            network.item_out.data.fill_(np.nan)
            yield epoch

    monkeypatch.setattr(training, "train", astray)
    with pytest.raises(ValueError, match="run: NaN in network/item_out"):
        train(tmp_path / "run", resume=True)
    assert (tmp_path / "run").read_bytes() == before


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
