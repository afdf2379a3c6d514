"""The way Colab's users start: an empty folder, the bare .ipynb, a Python that has Jupyter and not the package.

The first cell installs it, here from a wheel (GRU4REC_LITE_SOURCE) of this checkout, and is asked: does it bring all
that the chapter imports? One chapter (WHOLE) then runs to its end. The others need not: `make book` runs each of them,
from an empty folder, too. PIP_CONSTRAINT keeps pip to the versions of requirements.txt. Chapters share one environment.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest
from chapter import CHAPTERS, code_cells, read

ROOT = Path(__file__).parents[2]
WHOLE = "09_training"  # trains, draws and shows a widget
RUN = """\
import sys, nbformat
from nbclient import NotebookClient
NotebookClient(nbformat.read(sys.argv[1], 4), timeout=900, kernel_name="python3").execute()
"""


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """(python, environment) of a machine like Colab's."""
    home = tmp_path_factory.mktemp("colab")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(home), str(ROOT)],
        check=True,
    )
    (wheel,) = home.glob("*.whl")
    unset = {"PYTHONPATH", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"}
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    environment |= {
        "PIP_CONSTRAINT": str(ROOT / "requirements.txt"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GRU4REC_LITE_SOURCE": str(wheel),
    }
    venv.create(home / "venv", with_pip=True)
    python = home / "venv/bin/python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "nbclient", "ipykernel"], env=environment, check=True, timeout=900
    )
    missing = subprocess.run(
        [python, "-c", "import gru4rec_lite"], cwd=home, env=environment, capture_output=True, text=True
    )
    assert "No module named 'gru4rec_lite'" in missing.stderr
    return python, environment


def imports(nb: nbformat.NotebookNode) -> str:
    """Every import of a chapter's code, and what its widgets and pictures import when they are first used."""
    trees = [ast.parse(cell.source) for cell in code_cells(nb)[1:]]
    found = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert found
    return "\n".join([ast.unparse(node) for node in found] + ["import gru4rec_lite.plots, gru4rec_lite.widgets"])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_installs_what_it_needs_in_an_empty_folder(path, colab, tmp_path):
    python, environment = colab
    nb = read(path)
    if path.stem != WHOLE:
        nb.cells = [code_cells(nb)[0], nbformat.v4.new_code_cell(imports(nb))]
    nbformat.write(nb, tmp_path / path.name)
    run = subprocess.run(
        [python, "-c", RUN, path.name], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1800
    )
    assert run.returncode == 0, run.stderr[-3000:]
    where = subprocess.run(
        [python, "-c", "import gru4rec_lite as g; print(g.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(python.parents[1])


def test_the_chapter_that_runs_to_its_end_is_one_of_the_book():
    assert WHOLE in [path.stem for path in CHAPTERS]
