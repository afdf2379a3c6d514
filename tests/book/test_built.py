"""What the built book must hold, without a browser."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from chapter import CHAPTERS

BUILD = Path(os.environ.get("BOOK_HTML", Path(__file__).parents[2] / "_build/html")).parent


@pytest.fixture(scope="module")
def executed():
    record = BUILD / "executed.json"
    if not record.exists():
        pytest.fail(f"there is no book in {BUILD}: make book", pytrace=False)
    return json.loads(record.read_text("utf8"))


def test_every_chapter_was_executed_to_the_end(executed):
    assert {name for name, run in executed.items() if run["succeeded"]} == {path.stem for path in CHAPTERS}


@pytest.mark.usefixtures("executed")
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_page_shows_what_its_notebook_says(path):
    html = (BUILD / "html" / f"{path.stem}.html").read_text("utf8")
    solutions = len(re.findall(r"<!--solution: \w+-->", path.read_text("utf8")))
    assert len(re.findall(r"<!--solution: \w+-->\s*<div class=\"highlight-python", html)) == solutions > 0
    images = re.findall(r"<img[^>]*src=\"_images/[^>]*>", html)
    assert [image for image in images if not re.search(r'alt="[^"]{40,}"', image)] == []


@pytest.mark.usefixtures("executed")
def test_no_page_asks_another_host_for_anything():
    loads = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*\"[^>]*>")
    asked = {page.name: loads.findall(page.read_text("utf8")) for page in (BUILD / "html").glob("*.html")}
    assert {name: [tag for tag in tags if 'rel="canonical"' not in tag] for name, tags in asked.items()} == {
        name: [] for name in asked
    }
