"""A chapter as the structure test sees it: its headings with what stands below each, its prose, its figures."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = sorted(BOOK.glob("[0-9][0-9]_*.ipynb"))
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
MATH = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)


@dataclass
class Block:
    """A heading, the text below it up to the next heading, and the code cells there."""

    level: int
    title: str
    text: str = ""
    code: list[str] = field(default_factory=list)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(nb: nbformat.NotebookNode) -> list:
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def markdown(nb: nbformat.NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def blocks(nb: nbformat.NotebookNode) -> list[Block]:
    """All headings of a chapter in order."""
    found = [Block(0, "")]
    for cell in nb.cells:
        if cell.cell_type == "code":
            found[-1].code.append(cell.source)
            continue
        in_fence = False
        for line in cell.source.split("\n"):
            in_fence ^= line.startswith("```")
            heading = re.match(r"(#+) (.*)", line)
            if heading and not in_fence:
                found.append(Block(len(heading[1]), heading[2]))
            else:
                found[-1].text += line + "\n"
        found[-1].text += "\n"
    return found


def within(nb: nbformat.NotebookNode, section: str) -> list[Block]:
    """The level-3 blocks of a level-2 section."""
    inside, found = False, []
    for block in blocks(nb):
        if block.level == 2:
            inside = block.title.startswith(section)
        elif inside and block.level == 3:
            found.append(block)
    return found


def prose(text: str) -> str:
    """Markdown without code, formulas, comments and tags."""
    text = re.sub(r"`[^`\n]+`", " ", FENCE.sub(" ", text))
    return re.sub(r"<[^>]+>", " ", re.sub(r"<!--.*?-->", " ", MATH.sub(" ", text), flags=re.DOTALL))


def folded(text: str) -> list[tuple[str, str]]:
    """(summary, body) of every <details>."""
    found = re.findall(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", text, re.DOTALL)
    return [(summary.strip(), body.strip()) for summary, body in found]


def alt_texts(nb: nbformat.NotebookNode) -> list[str]:
    """Alt texts of every picture: of Markdown, of tags, of outputs ("" where one has none)."""
    text = FENCE.sub("", markdown(nb))
    found = re.findall(r"!\[(.*?)\]\(", text)
    found += [(re.search(r'alt="(.*?)"', tag) or ["", ""])[1] for tag in re.findall(r"<img[^>]*>", text)]
    for cell in code_cells(nb):
        for out in cell.outputs:
            found += [
                out.metadata.get(kind, {}).get("alt", "") for kind in out.get("data", {}) if kind.startswith("image/")
            ]
    return found
