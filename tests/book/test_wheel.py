"""An installed package is whole: the wheel carries the data folder, every widget's JavaScript, and its types."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHERE = (
    "import gru4rec_lite.datasets as d; print(d.__file__, d.folder(), (d.folder() / 'README.md').is_file(), sep='\\n')"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_its_widgets_and_its_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    kinds = (".py", ".js", ".css", ".safetensors", ".typed")
    kept = [path for path in (ROOT / "gru4rec_lite").rglob("*") if path.suffix in kinds]
    assert {path.suffix for path in kept} == set(kinds)
    assert {str(path.relative_to(ROOT)) for path in kept} <= names
    data = [path for path in (ROOT / "data").rglob("*") if path.is_file()]
    assert data
    assert {f"gru4rec_lite/_data/{path.relative_to(ROOT / 'data')}" for path in data} <= names
    assert not [name for name in names if name.startswith(("tests/", "book/", "tools/"))]


def test_an_installed_copy_finds_its_data_and_a_checkout_finds_its_own(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)  # what pip does with a pure wheel
    for home, folder in ((tmp_path, tmp_path / "gru4rec_lite/_data"), (ROOT, ROOT / "data")):
        run = subprocess.run([sys.executable, "-c", WHERE], cwd=home, capture_output=True, text=True, check=True)
        module, data, has_readme = run.stdout.split("\n")[:3]
        assert Path(module).is_relative_to(home)
        assert (Path(data), has_readme) == (folder, "True")


def test_an_installed_widget_reads_its_own_javascript(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    names = [path.stem for path in (tmp_path / "gru4rec_lite/widgets").glob("[a-z]*.js")]
    assert names
    code = f"import gru4rec_lite.widgets as w; print([len(getattr(w, name.title())._esm) > 100 for name in {names}])"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str([True] * len(names))


USER = """\
import gru4rec_lite as g4r
from gru4rec_lite.losses import cross_entropy

model = g4r.GRU4Rec(n_epochs=1)
reveal_type(model.n_epochs)
reveal_type(g4r.evaluate)
reveal_type(cross_entropy)
g4r.GRU4Rec(n_epochs="three")
"""


def test_a_users_type_checker_knows_the_types_of_an_installed_copy(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    (tmp_path / "user.py").write_text(USER)
    command = [sys.executable, "-m", "mypy", "--python-executable", "venv/bin/python", "--disable-error-code"]
    command += ["import-not-found", "--follow-imports", "silent", "--no-incremental", "user.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    notes = [line.split('"')[1] for line in run.stdout.splitlines() if "Revealed type" in line]
    errors = [line for line in run.stdout.splitlines() if ": error: " in line]
    assert notes[0].endswith("int")
    assert [note.startswith("def (") for note in notes[1:]] == [True, True], run.stdout
    assert [error.split(":")[1] for error in errors] == ["8"], run.stdout + run.stderr
    assert 'expected "int"' in errors[0]
