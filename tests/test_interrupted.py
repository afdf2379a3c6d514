"""Training that is killed at any moment and resumed ends as if nothing had happened, to the bit.

Processes are killed in four ways: with SIGKILL after a random time, at any line of the code that writes and reads the
checkpoint, at any training step or validation, and at any byte of a write. The tests take a sample; for a longer
campaign:

    python tests/test_interrupted.py 200        # kills of each way, in minutes; prints how many were survived, n/n
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from logs import random_log, tiny

from gru4rec_lite import gru4rec, training
from gru4rec_lite.internal import atomic, checkpoints, files

ROOT = Path(__file__).parents[1]
EPOCHS = 4
KEPT = "momentum, LSTM, two layers, the best epoch kept"
RUNS = {
    "plain": {"settings": {}},
    "dropout": {"settings": {"dropout_embed": 0.2, "dropout_hidden": 0.3, "cell": "gru-paper", "embedding": "one-hot"}},
    KEPT: {
        "settings": {
            "cell": "lstm", "layers": (6, 5), "momentum": 0.4, "loss": "bpr-max", "embedding": "separate", "bpreg": 0.5,
            "learning_rate": 0.6,
        },
        "valid": True, "keep_best": True,
    },
}  # fmt: skip
WAYS = ("time", "line", "step", "byte")
FOREVER = 10**9

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are forked, and killed with SIGKILL")


# the process that is killed


def write_in_place(path, parts):
    with open(path, "wb") as file:
        file.writelines(parts)


def restore_but_the_optimiser(checkpoint, restore=checkpoints.Checkpoint.restore):
    tensors = {name: tensor.clone() for name, tensor in checkpoint.optimiser.state.items()}
    restored = restore(checkpoint)
    for name, tensor in tensors.items():
        checkpoint.optimiser.state[name].copy_(tensor)
    return restored


BROKEN = {
    "written in place": (atomic, "write", write_in_place),
    "the optimiser forgotten": (checkpoints.Checkpoint, "restore", restore_but_the_optimiser),
}


def fit(run: str, folder: Path, way: str, when: float, broken: str) -> None:
    """Train, from the checkpoint where there is one, and leave the model in the folder; die on the way if told to."""
    log, valid, kept = random_log(60, seed=1), random_log(20, seed=3), RUNS[run]
    seen = Counter()
    if broken:
        setattr(*BROKEN[broken])

    def die_at_last() -> None:
        seen[way] += 1
        if seen[way] == when:
            os.kill(os.getpid(), signal.SIGKILL)

    if way == "line":

        def at_line(frame, event, _):
            if frame.f_code.co_filename in (atomic.__file__, checkpoints.__file__, files.__file__):
                if event == "line":
                    die_at_last()
                return at_line

        sys.settrace(at_line)
    elif way == "step":
        for module, name in ((training, "train_step"), (gru4rec, "evaluate")):
            setattr(module, name, after(die_at_last, getattr(module, name)))
    elif way == "byte":
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel ends the process when a file becomes longer
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(when), int(when)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    model = tiny(n_epochs=EPOCHS, **kept["settings"]).fit(
        log, valid if "valid" in kept else None, progress=False, checkpoint=folder / "run", resume=True,
        keep_best=kept.get("keep_best", False),
    )  # fmt: skip
    sys.settrace(None)
    out = folder.with_suffix(".out")
    model.save(out)
    out.with_suffix(".json").write_text(json.dumps([model.history.to_dict("records"), seen[way]]))


def after(first, then):
    def both(*args, **kwargs):
        first()
        return then(*args, **kwargs)

    return both


def nursery() -> None:
    """Bears a process for every line of stdin, a list of the arguments of `fit`, and tells how each ended.

    Each begins with everything imported, which takes seconds; none is born of one that has trained.
    """
    torch.set_num_threads(1)
    for line in sys.stdin:
        run, folder, way, when, broken = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                fit(run, Path(folder), way, when, broken)
            except BaseException as error:
                Path(folder).with_suffix(".error").write_text(repr(error))
                os._exit(1)
            os._exit(0)
        if way == "time":
            time.sleep(when)
            os.kill(pid, signal.SIGKILL)  # not waited for yet, so the number is still its own
        _, status = os.waitpid(pid, 0)
        print(status, flush=True)


class Nursery:
    def __init__(self):
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def killed(self, run: str, folder: Path, way: str = "", when: float = FOREVER, broken: str = "") -> bool:
        """Fit in a process of its own; whether it was killed and did not come to its end."""
        print(json.dumps([run, str(folder), way, when, broken]), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline())
        error = folder.with_suffix(".error")
        assert not (os.WIFEXITED(status) and status), error.read_text()
        return os.WIFSIGNALED(status)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Whole:
    """The uninterrupted run: what every other must come to, and how long it is, in each way to measure that."""

    def __init__(self, nursery: Nursery, run: str, folder: Path):
        self.run, self.nursery, folder = run, nursery, folder / "whole"
        folder.mkdir(parents=True)
        self.lasts = {}
        for way in ("line", "step", ""):
            began = time.perf_counter()
            assert not nursery.killed(run, folder, way)
            self.model, self.history, self.lasts[way] = came_to(folder)
            self.checkpoint = (folder / "run").read_bytes()
            (folder / "run").unlink()
        self.lasts |= {"byte": len(self.checkpoint), "time": time.perf_counter() - began}

    def draw(self, way: str, rng: random.Random) -> float:
        return rng.uniform(0, self.lasts[way]) if way == "time" else rng.randrange(1, self.lasts[way])

    def survives(self, folder: Path, ways, rng: random.Random, broken: str = "") -> int:
        """Kill in each of these ways, resuming after each, and compare the end; how often it was killed."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        neighbour = folder / f".other.{'a' * 8}.unfinished"  # another training writes in the same folder
        neighbour.write_text("half")
        kills = sum(self.dies(folder, way, self.draw(way, rng), broken) for way in ways)
        assert not self.nursery.killed(self.run, folder, broken=broken)
        model, history, _ = came_to(folder)
        assert model.keys() == self.model.keys()
        assert all(torch.equal(tensor, self.model[name]) for name, tensor in model.items())
        assert history == self.history
        assert {path.name for path in folder.iterdir()} == {"run", neighbour.name}
        return kills

    def dies(self, folder: Path, way: str, when: float, broken: str) -> bool:
        """Whether it was killed; what it left behind is whole, and no more than it had come to."""
        killed = self.nursery.killed(self.run, folder, way, when, broken)
        if (folder / "run").exists():
            history = without_speed(files.read(folder / "run")[1]["history"])
            assert history == self.history[: len(history)]
            assert history
        unfinished = [path for path in folder.iterdir() if path.name.startswith(".run.")]
        assert len(unfinished) <= 1  # those of earlier kills are gone
        return killed


def came_to(folder: Path) -> tuple[dict, list, int]:
    """Weights, history and how many places to die a process went past; the files are taken away."""
    out = folder.with_suffix(".out")
    tensors, _ = files.read(out)
    history, seen = json.loads(out.with_suffix(".json").read_text())
    out.unlink()
    return tensors, without_speed(history), seen


def without_speed(history: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "clicks_per_s"} for row in history]


# the tests


@pytest.fixture(scope="module")
def a_nursery():
    opened = Nursery()
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=RUNS)
def whole(request, a_nursery, tmp_path_factory):
    return Whole(a_nursery, request.param, tmp_path_factory.mktemp("run"))


def test_the_whole_run_is_what_it_is_meant_to_be(whole):
    assert [row["epoch"] for row in whole.history] == list(range(1, EPOCHS + 1))
    assert whole.lasts["line"] > 100
    assert whole.lasts["step"] > 10 * EPOCHS
    if whole.run == KEPT:  # an epoch before the last one is best, so that it has to be remembered
        assert max(range(EPOCHS), key=lambda epoch: whole.history[epoch]["mrr"]) < EPOCHS - 1


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_training_goes_on_as_if_it_had_never_stopped(whole, tmp_path, way):
    rng, kills = random.Random(f"{whole.run} {way}"), 0
    while kills < 6:
        kills += whole.survives(tmp_path / "killed", ("step", way), rng)


def test_it_may_be_killed_again_and_again(whole, tmp_path):
    ways = ("byte", "step", "byte", "line", "byte", "time")
    assert whole.survives(tmp_path / "killed", ways, random.Random(0)) >= 3  # some come after the end


def test_a_kill_between_write_and_rename_leaves_a_file_that_the_next_training_removes(a_nursery, tmp_path):
    folder = tmp_path / "killed"
    folder.mkdir()
    assert a_nursery.killed("plain", folder, "byte", 1000)
    (left,) = folder.iterdir()
    assert left.name.startswith(".run.")
    assert left.stat().st_size == 1000
    assert not a_nursery.killed("plain", folder)
    assert [path.name for path in folder.iterdir()] == ["run"]


@pytest.mark.parametrize("broken", BROKEN)
def test_these_tests_would_notice(whole, broken, tmp_path):
    with pytest.raises((AssertionError, ValueError)):
        whole.survives(tmp_path / "killed", ("step", "byte") * 3, random.Random(0), broken)


# the campaign


def campaign(wanted: int) -> None:
    for run in RUNS:
        opened, rng = Nursery(), random.Random(time.time_ns())
        with tempfile.TemporaryDirectory() as folder:
            whole = Whole(opened, run, Path(folder))
            for way in WAYS:
                kills = 0
                while kills < wanted // len(RUNS):
                    kills += whole.survives(Path(folder) / "killed", ("step", way, way), rng)
                print(f"{run}: {way}: {kills}/{kills} kills survived", flush=True)
        opened.close()


if __name__ == "__main__":
    nursery() if sys.argv[1] == "--nursery" else campaign(int(sys.argv[1]))
