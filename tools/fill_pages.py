"""Fill in what the pages take from elsewhere: the install cell, solutions, numbers.

* **Install cell**: the first code cell of every chapter; its URL is ``repository.url`` of ``_config.yml``.
* **Solutions**: between ``<!--solution: NAME-->`` and ``<!--/solution-->`` is the source of the function or class NAME
  in a module of ``gru4rec_lite/solutions/``.
* **Numbers**: ``<!--g4r training/eshop/Markov/recall@20-->.698<!--/-->`` is the mean of column ``recall@20`` over the
  rows of ``data/results/training.csv`` whose first column is ``eshop`` and second ``Markov``. Keys match the
  leading columns in order (a column ``seed`` is not a key), ``*`` matches any; keys left out at the end match all rows.
  Below 1: three digits without a leading zero; whole numbers: ``12,561``; others: one decimal.
"""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path
from statistics import fmean

import nbformat
import yaml

ROOT = Path(__file__).parent.parent
SOLUTION = re.compile(r"(<!--solution: *(\w+) *-->).*?(<!--/solution-->)", re.DOTALL)
NUMBER = re.compile(r"(<!--g4r ([^>]+?) *-->).*?(<!--/-->)", re.DOTALL)
INSTALL = """\
# Nothing happens here where the package is installed.
import importlib.util, os
if importlib.util.find_spec("gru4rec_lite") is None:      # in Colab, or in an empty folder
    source = os.environ.get("GRU4REC_LITE_SOURCE")        # a folder or a wheel; else the public repository
    package = f"{source}[book]" if source else "gru4rec_lite[book] @ git+URL"
    %pip install -q "{package}"
    print("Installed. In JupyterLab, reload this page once and run it again: it does not know the widgets yet.")"""


class PageError(Exception):
    """A page names something that does not exist."""


def install_cell() -> str:
    """Source of the install cell."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    return INSTALL.replace("URL", config["repository"]["url"])


def with_install_cell(nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with an up-to-date install cell; a chapter without one gets it after its first cell."""
    cell = next((c for c in nb.cells if "colab" in c.metadata.get("tags", [])), None)
    if cell is None:
        cell = nbformat.v4.new_code_cell()
        nb.cells.insert(1, cell)
    cell.source = install_cell()
    cell.metadata = nbformat.from_dict({"tags": ["colab", "hide-input"]})
    return nb


def solution(name: str) -> str:
    """Source of a function or class in ``gru4rec_lite/solutions/``, read without importing it (and torch)."""
    for module in sorted((ROOT / "gru4rec_lite/solutions").glob("*.py")):
        source = module.read_text("utf8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return ast.get_source_segment(source, node) or ""
    raise PageError(f"gru4rec_lite/solutions has no {name}")


def number(path: str) -> str:
    """The measured number that a marker names, formatted for print."""
    table, *keys, column = path.split("/")
    file = ROOT / f"data/results/{table}.csv"
    if not file.exists():
        raise PageError(f"{path}: there is no data/results/{table}.csv")
    with file.open(encoding="utf8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    key_columns = [name for name in (rows[0] if rows else []) if name != "seed"]
    found = [row for row in rows if all(key in ("*", row[name]) for key, name in zip(keys, key_columns, strict=False))]
    if not found or column not in found[0]:
        raise PageError(f"{path}: no such row or column in data/results/{table}.csv")
    return printed(fmean(float(row[column]) for row in found))


def printed(value: float) -> str:
    """.698, −.012, 12,561 or 37.2."""
    digits = (
        f"{abs(value):.3f}" if abs(value) < 1 else f"{abs(value):,.0f}" if value == int(value) else f"{abs(value):,.1f}"
    )
    return ("−" if value < 0 else "") + digits.removeprefix("0")


def fill(text: str) -> str:
    """A page's Markdown with its solutions and numbers filled in."""
    text = SOLUTION.sub(lambda m: f"{m[1]}\n\n```python\n{solution(m[2])}\n```\n\n{m[3]}", text)
    return NUMBER.sub(lambda m: f"{m[1]}{number(m[2])}{m[3]}", text)
