"""Compare the outputs of two runs of a chapter.

The rules are nbval's: the text of every kind of output is compared, sanitised by tests/nbval_sanitize.cfg; pixels and
random ids are not; stderr that is not stored is a difference. ``digits=False`` leaves out numbers, and the spaces and
rules of tables that depend on their widths, for machines that round in another order (steady.py).
"""

from __future__ import annotations

import difflib
import re
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode
from nbval.plugin import coalesce_streams, get_sanitize_patterns

ROOT = Path(__file__).parent.parent
NUMBER = re.compile(r"[-+−]?(\d[\d,]*\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
LEFT_OUT = {"image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json"}
SANITIZE = get_sanitize_patterns((ROOT / "tests/nbval_sanitize.cfg").read_text("utf8"))


def words(text: str) -> str:
    """A text without its numbers, and without what depends on their widths."""
    return re.sub(r"[\s─-]+", " ", NUMBER.sub("#", text)).strip()


def said(cell: NotebookNode, digits: bool = True) -> list[str]:
    """What a cell put out, as lines that name the kind of output first: ``stdout: ...``."""
    texts = []
    for out in coalesce_streams(deepcopy(cell.outputs)):
        if out.output_type == "stream":
            texts.append((out.name, out.text))
        elif out.output_type == "error":
            texts.append(("error", f"{out.ename}: {out.evalue}"))
        texts += [(kind, text) for kind, text in out.get("data", {}).items() if kind not in LEFT_OUT]
    lines = []
    for kind, text in sorted(texts, key=lambda one: one[0]):  # nbval: order counts within a kind only
        for pattern, replacement in SANITIZE:
            text = re.sub(pattern, replacement, text)
        lines += [f"{kind}: {line if digits else words(line)}" for line in text.split("\n")]
    return lines


def differences(stored: NotebookNode, executed: NotebookNode, digits: bool = True) -> list[str]:
    """A text for each code cell whose outputs differ: its number among the code cells, and the differing lines.

    Raises:
        ValueError: the two are not runs of the same cells.
    """
    pairs = [[cell for cell in nb.cells if cell.cell_type == "code"] for nb in (stored, executed)]
    if [cell.source.strip() for cell in pairs[0]] != [cell.source.strip() for cell in pairs[1]]:
        raise ValueError("the executed cells are not those of the notebook: run make book")
    found = []
    for number, (a, b) in enumerate(zip(*pairs, strict=True), 1):
        lines = difflib.unified_diff(said(a, digits), said(b, digits), "stored", "executed", lineterm="", n=0)
        if text := "\n".join(line for line in lines if not line.startswith("@@")):
            found.append(f"code cell {number}\n{text}")
    return found
