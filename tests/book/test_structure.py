"""Every chapter keeps to the template that readers learn to know (CONTRIBUTING.md names its sections)."""

from __future__ import annotations

import itertools
import re

import fill_pages
import nbformat
import pytest
import refresh_notebooks
import yaml
from chapter import BOOK, CHAPTERS, FENCE, MATH, alt_texts, blocks, code_cells, folded, markdown, prose, read, within

SECTIONS = {  # heading: required?
    "Predict": True, "By hand": True, "See it": False, "The equation": False, "In code": False,
    "The package's version": False, "On real clicks": True, "Spot the bug": False, "Exercises": True, "Quiz": True,
    "What to remember": True,
    "The paper and this chapter": True, "Further reading": False,
}  # fmt: skip
KINDS = ("warm-up", "build", "explore")
PUBLISHED_TABLE = re.compile(r"<!--published: .*?-->\s*\n(\|.*\n?)+")
THREE_DIGITS = re.compile(r"\d*\.\d{3}(?!\d)")

every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
TEXTS = [*CHAPTERS, *sorted(BOOK.glob("*.md"))]
every_text = pytest.mark.parametrize("page", TEXTS, ids=lambda path: path.stem)
every_page = pytest.mark.parametrize("page", [*TEXTS, BOOK.parent / "README.md"], ids=lambda path: path.stem)


@pytest.fixture
def chapter(path):
    return read(path)


def test_there_are_chapters():
    assert CHAPTERS


@every_chapter
def test_the_first_cell_says_what_the_chapter_is(path, chapter):
    first = chapter.cells[0].source
    assert re.match(rf"# {int(path.stem[:2])} · \S.*\n", first), "# N · Name, with the file's number"
    goals = first.split("**You will be able to**")[1].split("**")[0]
    assert 2 <= len(re.findall(r"^- [a-z]", goals, re.MULTILINE)) <= 6, "2 to 6 points, each beginning with a verb"
    assert "**Before you start:**" in first
    time = re.search(r"\*\*Time:\*\* (\d+) minutes to read, (\d+) seconds to run", first)
    assert time, "**Time:** N minutes to read, N seconds to run"
    assert int(time[1]) >= len(prose(markdown(chapter)).split()) / 250, "nobody reads that fast"


@every_chapter
def test_sections_stand_in_their_order(chapter):
    titles = [block.title for block in blocks(chapter) if block.level == 2]
    known = [next((name for name in SECTIONS if re.match(rf"{name}(:|$)", title)), None) for title in titles]
    standing = [name for name in known if name]
    assert standing == [name for name in SECTIONS if name in standing], "in this order, each once"
    assert [name for name, required in SECTIONS.items() if required and name not in standing] == []
    free = [i for i, name in enumerate(known) if name is None]
    assert all(known.index("By hand") < i < known.index("Exercises") for i in free), f"sections out of place: {titles}"


@every_chapter
def test_headings_skip_no_level(chapter):
    levels = [block.level for block in blocks(chapter)][1:]
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


@every_chapter
def test_a_question_comes_first(chapter):
    predict = next(block for block in blocks(chapter) if block.title.startswith("Predict"))
    assert "?" in predict.title + predict.text


@every_chapter
def test_every_exercise_has_a_check_a_hint_and_a_solution(chapter):
    exercises = within(chapter, "Exercises")
    assert 2 <= len(exercises) <= 4
    kinds = []
    for number, exercise in enumerate(exercises, 1):
        heading = re.match(rf"Exercise {number} · ({'|'.join(KINDS)}): \S", exercise.title)
        assert heading, f"### Exercise {number} · {'|'.join(KINDS)}: what to do"
        kinds.append(heading[1])
        assert any(re.search(r"\bexercises\.\w+\(", code) for code in exercise.code), (
            f"{exercise.title}: no automatic check"
        )
        assert [summary for summary, _ in folded(exercise.text)] == ["Hint", "Solution"], exercise.title
        (_, hint), (_, answer) = folded(exercise.text)
        assert len(prose(hint).split()) >= 4, exercise.title
        assert re.search(r"<!--solution: \w+-->\s+```python\n.+?```\s+<!--/solution-->", answer, re.DOTALL), (
            exercise.title
        )
    assert sorted(kinds, key=KINDS.index) == kinds, "from warm-up to explore"


@every_chapter
def test_every_choice_of_the_quiz_is_answered(chapter):
    questions = within(chapter, "Quiz")
    assert 2 <= len(questions) <= 6
    for number, question in enumerate(questions, 1):
        assert question.title.startswith(f"Question {number}")
        choices = folded(question.text)
        assert len(choices) >= 2, question.title
        assert len({summary for summary, _ in choices}) == len(choices), "a choice twice"
        right = [body for _, body in choices if body.startswith("**Right.**")]
        wrong = [body for _, body in choices if body.startswith("**Not quite.**")]
        assert len(right) == 1, question.title
        assert len(right) + len(wrong) == len(choices), question.title
        assert all(len(prose(body).split()) >= 8 for _, body in choices), (
            f"{question.title}: a choice without its reason"
        )


@every_chapter
def test_what_to_remember_is_a_short_list(chapter):
    remember = next(block for block in blocks(chapter) if block.title.startswith("What to remember"))
    assert 3 <= len(re.findall(r"^[-*] |^\d+\. ", remember.text, re.MULTILINE)) <= 7


@every_chapter
def test_markdown_inside_details_is_rendered(chapter):
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            assert cell.source.count("<details>") == cell.source.count("</details>")
            assert not re.search(r"</summary>[^\n]*\n(?!\n)", cell.source), "a blank line after </summary>"
            assert not re.search(r"\S[^\n]*\n</details>", cell.source), "a blank line before </details>"


def test_every_picture_says_what_it_shows():
    alts = [(path.stem, alt) for path in CHAPTERS for alt in alt_texts(read(path))]
    assert [(name, alt) for name, alt in alts if len(alt) < 40] == []
    texts = [alt for _, alt in alts]
    assert sorted(texts) == sorted(set(texts)), "two pictures with the same alt text"


@every_chapter
def test_outputs_hold_no_error_and_no_warning(chapter):
    outputs = [out for cell in code_cells(chapter) for out in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]
    assert not [out for out in outputs if "g4r-toyshop-box" in str(out)], "stored outputs are those of the real clicks"


@every_chapter
def test_it_is_executed_tidy_and_filled_in(path, chapter):
    assert all(cell.execution_count for cell in code_cells(chapter))
    assert path.read_text("utf8") == refresh_notebooks.refreshed(path, run=False), "make refresh"


@every_chapter
def test_its_size_is_that_of_one_sitting(path, chapter):
    code = [  # that a reader sees: how a picture is drawn is folded away
        line
        for cell in code_cells(chapter)
        if "hide-input" not in cell.metadata.get("tags", [])
        for line in cell.source.split("\n")
    ]
    assert 10 <= len(code_cells(chapter)) <= 25
    assert len([line for line in code if line.strip() and not line.lstrip().startswith("#")]) <= 150
    assert 1200 <= len(prose(markdown(chapter)).split()) <= 3000
    assert path.stat().st_size <= 600_000


@every_chapter
def test_the_install_cell_comes_before_all_code(chapter):
    config = yaml.safe_load((fill_pages.ROOT / "_config.yml").read_text("utf8"))
    first = code_cells(chapter)[0]
    assert f'git+{config["repository"]["url"]}"' in first.source
    assert first.source == fill_pages.install_cell()
    assert len(first.source.split("\n")) <= 8


@every_text
def test_plain_markdown_only(page):
    text = page_text(page)
    assert not re.search(r"\{[a-z][\w:-]*\}`", text), "a MyST role shows raw in Jupyter and Colab"
    assert not re.search(r"^(:::|```\{|%%|\(\w+\)=)", text, re.MULTILINE), (
        "a MyST directive shows raw in Jupyter and Colab"
    )


@every_text
def test_links_lead_to_pages_that_exist(page):
    links = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page_text(page)))
    local = [link.split("#")[0] for link in links if not re.match(r"https?://|mailto:|#", link)]
    assert [link for link in local if not (BOOK / link).is_file()] == []


@every_text
def test_measured_numbers_stand_between_markers(page):
    text = PUBLISHED_TABLE.sub("", FENCE.sub("", page_text(page)))
    text = fill_pages.NUMBER.sub("", re.sub(r"`[^`\n]+`|https?://\S+", "", MATH.sub("", text)))
    assert THREE_DIGITS.findall(text) == []


def test_the_contents_list_every_chapter():
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text("utf8"))
    listed = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    assert [name for name in listed if re.match(r"\d\d_", name)] == [path.stem for path in CHAPTERS]
    assert all(part["caption"] for part in toc["parts"])


def test_a_notebook_is_valid_nbformat():
    for path in CHAPTERS:
        nbformat.validate(read(path))


@every_page
def test_no_line_begins_with_a_marker(page):
    """Markdown would take it for a block of HTML and break the paragraph there."""
    assert not re.findall(r"^<!--g4r[^>]*-->", page_text(page), re.MULTILINE)


@every_page
def test_a_test_or_file_that_a_page_names_exists(page):
    """`tests/test_losses.py::test_name` in running text; a name may leave out what a parametrised test adds in []."""
    root, text = BOOK.parent, page_text(page)
    named = re.findall(r"`((?:tests|gru4rec_lite|tools|data)/[\w./-]+)(?:::(\w+))?`", text)
    assert [path for path, _ in named if not (root / path).exists()] == []
    assert [
        f"{path}::{name}"
        for path, name in named
        if name and not re.search(rf"^def {name}\(", (root / path).read_text("utf8"), re.MULTILINE)
    ] == []


def page_text(page) -> str:
    return markdown(read(page)) if page.suffix == ".ipynb" else page.read_text("utf8")
