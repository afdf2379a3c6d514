"""The rooms of the package: who may import from whom, and the map of it in CONTRIBUTING.md."""

from __future__ import annotations

import draw_map
import pytest

ROOF = {"widgets", "plots", "experiments", "museum", "exercises", "solutions"}


def house(folder, **files: str):
    """A folder with a package of these modules ("a__b" lies in the package a)."""
    package = folder / draw_map.PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in files.items():
        path = (package / name.replace("__", "/")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return folder


def module_graph(root=draw_map.ROOT) -> dict[str, set[str]]:
    known = draw_map.modules(root)
    return {name: draw_map.imports(name, known) for name in known}


def test_no_two_modules_import_each_other_all_round():
    """Not for types, and not inside of a function."""
    assert draw_map.circle(module_graph()) == []
    list(draw_map.floors(draw_map.rooms()))  # or ValueError


@pytest.mark.parametrize(
    "back",
    [
        "from .a import f\n",
        "from . import a\n",
        "import gru4rec_lite.a\n",
        "def g():\n    from .a import f\n",
        "if TYPE_CHECKING:\n    from .a import f\n",
    ],
)
def test_a_circle_is_found_however_it_is_closed(tmp_path, back):
    root = house(tmp_path, a="from .b import g\n", b="from .c import h\n", c=back, d="from .a import f\n")
    way = draw_map.circle(module_graph(root))
    assert way[0] == way[-1]
    assert {name[-1] for name in way} == {"a", "b", "c"}
    with pytest.raises(ValueError, match="import each other: "):
        list(draw_map.floors(draw_map.rooms(root)))


def test_a_room_stands_above_all_that_it_imports(tmp_path):
    root = house(tmp_path, a="", b__x="from ..a import f\n", b__y="from .x import g\n", c="from .b.y import h\n", d="")
    assert list(draw_map.floors(draw_map.rooms(root))) == [["a", "d"], ["b"], ["c"]]


def test_internal_stands_under_all():
    assert draw_map.rooms()["internal"] == set()


def test_nothing_but_the_roof_imports_the_roof():
    graph = draw_map.rooms()
    assert graph.keys() >= ROOF
    assert {name: below & ROOF for name, below in graph.items() if name not in ROOF and below & ROOF} == {}


def test_losses_cells_metrics_and_clicks_import_no_topic():
    graph = draw_map.rooms()
    for name in ("losses", "cells", "metrics", "clicks"):
        assert graph[name] <= {"internal"}, name


def test_the_map_in_contributing_is_drawn_from_the_code():
    page = (draw_map.ROOT / "CONTRIBUTING.md").read_text("utf8")
    assert draw_map.MAP.search(page).group() == draw_map.drawn(), "python tools/draw_map.py writes it"


def test_every_room_says_in_a_sentence_what_it_is():
    assert [room for room in draw_map.rooms() if not 20 <= len(draw_map.about(room)) <= 160] == []
