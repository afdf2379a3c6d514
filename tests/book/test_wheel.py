"""An installed package is whole: the wheel carries the data folder and every widget's JavaScript."""

from __future__ import annotations

import subprocess
import sys
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
    kept = [
        path for path in (ROOT / "gru4rec_lite").rglob("*") if path.suffix in (".py", ".js", ".css", ".safetensors")
    ]
    assert kept
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
