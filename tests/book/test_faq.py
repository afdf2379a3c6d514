"""The questions page keeps its word: ten questions, and every snippet runs, one after another."""

from __future__ import annotations

import re

import pytest
from chapter import BOOK

PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", ["faq.md", "faithfulness.md"])
def test_the_snippets_of_a_page_run_one_after_another(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # they save files
    snippets = PYTHON.findall((BOOK / name).read_text("utf8"))
    assert len(snippets) >= 3
    names: dict = {}
    for number, snippet in enumerate(snippets, 1):
        exec(compile(snippet, f"{name}, snippet {number}", "exec"), names)


def test_there_are_ten_questions_in_order():
    headings = re.findall(r"^## (.*)$", (BOOK / "faq.md").read_text("utf8"), re.MULTILINE)
    assert [heading.split(" · ")[0] for heading in headings] == [str(number) for number in range(1, 11)]
    assert [heading for heading in headings if not heading.endswith("?")] == []
