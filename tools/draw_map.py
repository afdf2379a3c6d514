"""The map of the package in CONTRIBUTING.md, drawn from the code.

    python tools/draw_map.py            writes it; a test finds an outdated one

A room is a module or a package directly in gru4rec_lite. It is on the lowest floor above every room that it imports
from, for whatever reason: for types too, and inside functions.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "gru4rec_lite"
MAP = re.compile(r"(?<=<!--map-->\n).*?(?=<!--/map-->)", re.DOTALL)


def modules(root: Path = ROOT) -> dict[str, Path]:
    """``gru4rec_lite.clicks.order`` -> its file; a package -> its ``__init__``."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, known: dict[str, Path]) -> set[str]:
    """Our modules that a module imports from, anywhere in it."""
    found: set[str] = set()
    here = name.split(".") if known[name].name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(known[name].read_text("utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names}
    return {one for one in found if one in known and one != name}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Names that import each other in a circle; none if there is no circle."""
    left = {name: set(below) for name, below in graph.items()}
    while free := [name for name, below in left.items() if not below & left.keys()]:
        for name in free:
            del left[name]
    way: list[str] = []
    while left and (not way or way[-1] not in way[:-1]):
        way.append(min(left[way[-1]] & left.keys()) if way else min(left))
    return way[way.index(way[-1]) :] if way else []


def rooms(root: Path = ROOT) -> dict[str, set[str]]:
    """Each room -> the rooms below it from which it imports."""
    known = modules(root)
    graph: dict[str, set[str]] = {}
    for name in known:
        if name != PACKAGE:
            below = {one.split(".")[1] for one in imports(name, known) if one != PACKAGE}
            graph.setdefault(name.split(".")[1], set()).update(below - {name.split(".")[1]})
    return graph


def floors(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """The rooms of each floor, from the ground up; ValueError if they import each other in a circle."""
    if way := circle(graph):
        raise ValueError(f"rooms import each other: {' -> '.join(way)}")
    placed: set[str] = set()
    while placed < graph.keys():
        floor = sorted(name for name, below in graph.items() if name not in placed and below <= placed)
        yield floor
        placed |= set(floor)


def about(room: str, root: Path = ROOT) -> str:
    """The first sentence of the room's docstring."""
    path = modules(root)[f"{PACKAGE}.{room}"]
    return " ".join((ast.get_docstring(ast.parse(path.read_text("utf8"))) or "").split("\n\n")[0].split())


def drawn(root: Path = ROOT) -> str:
    """The map as a table, the roof first."""
    graph = rooms(root)
    lines = ["| floor | room | what it is |", "|---|---|---|"]
    for number, floor in reversed(list(enumerate(floors(graph)))):
        lines += [f"| {number} | `{room}` | {about(room, root)} |" for room in floor]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    page = ROOT / "CONTRIBUTING.md"
    if len(sys.argv) > 1:
        print(drawn(Path(sys.argv[1]).resolve()))
    else:
        page.write_text(MAP.sub(lambda _: drawn(), page.read_text("utf8")))
