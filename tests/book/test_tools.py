"""What `make refresh` fills in and tidies; which Python and which kind of machine the tools find."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import fill_pages
import nbformat
import other_python
import pytest
import refresh_notebooks
import steady
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

SOLUTIONS = '''\
from __future__ import annotations


def other(x):
    return 0


def double(x):
    """Twice x."""

    return 2 * x
'''


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small repository: a table of results and a file of solutions."""
    (tmp_path / "data/results").mkdir(parents=True)
    (tmp_path / "data/results/training.csv").write_text(
        "dataset,model,seed,recall@20,gain,n,seconds\n"
        "eshop,Markov,1,0.6984,-0.0121,12561,0.5\neshop,GRU4Rec,1,0.71,0.5,12561,36.5\n"
        "eshop,GRU4Rec,2,0.72,0.5,12561,38.5\ntoyshop,Markov,1,0.1,0,9,1\n"
    )
    (tmp_path / "gru4rec_lite/solutions").mkdir(parents=True)
    (tmp_path / "gru4rec_lite/solutions/sessions.py").write_text(SOLUTIONS)
    monkeypatch.setattr(fill_pages, "ROOT", tmp_path)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("training/eshop/Markov/recall@20", ".698"),
        ("training/eshop/GRU4Rec/recall@20", ".715"),  # the mean of two seeds
        ("training/*/Markov/recall@20", ".399"),  # of two data sets
        ("training/toyshop/recall@20", ".100"),  # a key left out
        ("training/eshop/Markov/gain", "−.012"),
        ("training/eshop/Markov/n", "12,561"),
        ("training/eshop/GRU4Rec/seconds", "37.5"),
    ],
)
def test_a_marker_names_a_number(path, text):
    assert fill_pages.fill(f"a <!--g4r {path}-->?<!--/--> b") == f"a <!--g4r {path}-->{text}<!--/--> b"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "path", ["training/eshop/Makrov/recall@20", "training/eshop/Markov/recall", "nothing/eshop/recall@20"]
)
def test_a_marker_that_names_nothing_is_an_error(path):
    with pytest.raises(fill_pages.PageError, match=path.split("/")[0]):
        fill_pages.fill(f"<!--g4r {path}--><!--/-->")


@pytest.mark.usefixtures("root")
def test_a_solution_is_the_functions_source():
    text = "<details>\n\n<!--solution: double-->\nold\n<!--/solution-->\n\n</details>"
    filled = fill_pages.fill(text)
    code = filled.split("```python\n")[1].split("```")[0]
    names = {}
    exec(code, names)
    assert names["double"](4) == 8
    assert names["double"].__doc__ == "Twice x."
    assert "old" not in filled
    assert "def other" not in filled
    assert fill_pages.fill(filled) == filled


@pytest.mark.usefixtures("root")
def test_a_solution_that_does_not_exist_is_an_error():
    with pytest.raises(fill_pages.PageError, match="treble"):
        fill_pages.fill("<!--solution: treble--><!--/solution-->")


def test_a_chapter_gets_one_install_cell_below_its_title():
    nb = new_notebook(cells=[new_markdown_cell("# 1 · Name"), new_code_cell("import torch")])
    twice = fill_pages.with_install_cell(fill_pages.with_install_cell(nb))
    assert [cell.cell_type for cell in twice.cells] == ["markdown", "code", "code"]
    assert twice.cells[1].source == fill_pages.install_cell()


def test_where_the_first_cell_installs_it_says_how_a_running_jupyter_learns_of_the_widgets():
    lines = fill_pages.install_cell().splitlines()
    assert len(lines) <= 8
    assert lines[-2].strip().startswith("%pip install")
    assert re.match(r" +print\(.*reload this page", lines[-1])  # within the if: silent where nothing is installed


def messy() -> nbformat.NotebookNode:
    view = {"model_id": "5f2e", "version_major": 2}
    metadata = {"execution": {"iopub.status.busy": "12:00"}, "tags": ["hide-input"]}
    outputs = [
        new_output("stream", name="stdout", text="a\n"),
        new_output("stream", name="stderr", text="warning\n"),
        new_output("stream", name="stdout", text="b\n"),
        new_output("execute_result", {"text/plain": "x", refresh_notebooks.WIDGET_VIEW: view}, execution_count=7),
    ]
    return new_notebook(
        metadata={"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.11.7"}},
        cells=[
            new_markdown_cell("# 1 · Name\n\n", metadata={"editable": True}),
            new_code_cell("x\n", execution_count=7, metadata=metadata, outputs=outputs),
            new_code_cell("x"),
        ],
    )


def test_tidying_drops_what_changes_from_run_to_run():
    nb = refresh_notebooks.tidy(messy())
    assert nb.metadata == refresh_notebooks.METADATA
    assert [dict(cell.metadata) for cell in nb.cells] == [{}, {"tags": ["hide-input"]}, {}]
    assert [cell.execution_count for cell in nb.cells[1:]] == [1, None]  # the second never ran
    prints, result = nb.cells[1].outputs
    assert (prints.name, prints.text) == ("stdout", "a\nb\n")
    assert dict(result.data) == {"text/plain": "x"}
    assert result.execution_count == 1
    assert len({cell.id for cell in nb.cells}) == 3
    nbformat.validate(nb)


def test_tidying_twice_changes_nothing():
    once = nbformat.writes(refresh_notebooks.tidy(messy()))
    assert nbformat.writes(refresh_notebooks.tidy(nbformat.reads(once, 4))) == once


def test_a_new_cell_leaves_the_other_ids_alone():
    before = [cell.id for cell in refresh_notebooks.tidy(messy()).cells]
    longer = messy()
    longer.cells.insert(1, new_markdown_cell("new"))
    after = [cell.id for cell in refresh_notebooks.tidy(longer).cells]
    assert after[:1] + after[2:] == before


def test_tidying_keeps_the_machine_on_which_outputs_were_made():
    nb = messy()
    nb.metadata["made_on"] = "Linux x86_64, a processor"
    assert refresh_notebooks.tidy(nb).metadata.made_on == "Linux x86_64, a processor"


def test_a_run_says_on_what_machine_it_was_made(tmp_path):
    nb = new_notebook(metadata=refresh_notebooks.METADATA, cells=[new_code_cell("print(1)")])
    refresh_notebooks.execute(nb, tmp_path)
    assert nb.metadata.made_on == steady.machine()
    assert nb.cells[0].outputs[0].text == "1\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("vendor_id\t: Intel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon", "Intel family 6 model 143"),
        ("vendor_id\t: AMD\ncpu family\t: 25\nmodel\t\t: 1\n\nvendor_id\t: Other", "AMD family 25 model 1"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "implementer 0x41 part 0xd0c"),
    ],
)  # fmt: skip
def test_a_processor_has_a_name(tmp_path, cpuinfo, name):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert steady.processor(tmp_path / "cpuinfo") == name


def test_a_processor_that_the_system_does_not_describe_has_a_name_too(tmp_path):
    assert steady.processor(tmp_path / "nothing")


@pytest.fixture
def pyenv(tmp_path, monkeypatch):
    """A shim python3.99 that runs nothing, behind it a Python that does; and a python3.98 that is too old."""
    for folder, name, text in [
        ("shims", "python3.99", "echo 'pyenv: python3.99: command not found' >&2; exit 127"),
        ("versions/3.99.0/bin", "python3.99", f'exec {sys.executable} "$@"'),
        ("versions/3.98.0/bin", "python3.98", "exit 1"),
    ]:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / folder / name).chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/shims{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def find_python(*names: str) -> subprocess.CompletedProcess:
    return subprocess.run([fill_pages.ROOT / "tools/find_python.sh", *names], capture_output=True, text=True)


def test_the_python_behind_a_shim_is_found(pyenv):
    assert Path(find_python("python3.99").stdout.strip()) == pyenv / "versions/3.99.0/bin/python3.99"
    assert find_python(sys.executable).stdout.strip() == sys.executable


@pytest.mark.parametrize("name", ["python3.98", "python3.97"])
@pytest.mark.usefixtures("pyenv")
def test_a_python_that_is_too_old_or_missing_is_refused(name):
    run = find_python(name)
    assert run.returncode == 1
    assert (run.stdout, "make book PYTHON=" in run.stderr) == ("", True)


def test_the_other_python_is_none_of_this_version(monkeypatch, tmp_path):
    monkeypatch.setattr(other_python, "NEWEST_FIRST", ("python3.97", "python{}.{}".format(*sys.version_info)))
    assert other_python.other() is None
    assert other_python.install(tmp_path / "other") == "skipped: there is no other Python here"


@pytest.mark.usefixtures("pyenv")
def test_an_other_python_whose_packages_are_not_to_be_had_is_skipped_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(other_python, "NEWEST_FIRST", ("python3.99",))
    monkeypatch.setattr(other_python, "SPACE", 0)
    monkeypatch.setattr(other_python, "pins", lambda: ["./no-such-folder"])
    why = other_python.install(tmp_path / "other")
    assert re.fullmatch(r"skipped: the packages for .*python3\.99 are unavailable here: .*no-such-folder.*", why)
    monkeypatch.setattr(other_python, "SPACE", 1e30)
    assert re.fullmatch(r"skipped: less than .* GB are free .*", other_python.install(tmp_path / "third"))


@pytest.mark.parametrize(("why", "status"), [("", 0), ("skipped: there is none", 1)])
def test_the_exit_status_says_whether_there_is_another_python(why, status, monkeypatch, capsys):
    """CI runs the tests there if it is 0."""
    monkeypatch.setattr(other_python, "install", lambda folder: why)
    assert other_python.main("install", Path("other")) == status
    assert capsys.readouterr().out.splitlines()[-1] == why


def test_the_other_python_gets_the_versions_of_this_one():
    assert len(other_python.pins()) == len(other_python.WANTED)
    assert all("==" in pin for pin in other_python.pins())
    missing = [name for name in other_python.TESTS if not (fill_pages.ROOT / f"tests/test_{name}.py").exists()]
    assert missing == []
