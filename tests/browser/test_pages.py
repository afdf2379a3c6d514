"""Every built page: quiet, self-contained, accessible in both themes, and narrow enough for a phone."""

from __future__ import annotations

import gzip

import pytest
from conftest import HTML, built_pages
from in_page import axe, told

PAGES = built_pages()
NOT_OURS = {"aria-required-children"}  # docutils' citation list
STICKS_OUT = """() => [...document.querySelectorAll("article *")]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("mjx-assistive-mml"))
    .filter((e) => {                                        // and no box around it scrolls
        for (let box = e.parentElement; box; box = box.parentElement)
            if (getComputedStyle(box).overflowX !== "visible" && box.getBoundingClientRect().right <= innerWidth + 1)
                return false;
        return true;
    }).slice(0, 3).map((e) => e.outerHTML.slice(0, 120))"""
UNFOLD = "document.querySelectorAll('details').forEach((d) => (d.open = true))"  # what is folded is read too


def settle(page):
    """Wait until the page's widgets and formulas are drawn, and say how many widgets there are."""
    page.wait_for_load_state("networkidle")
    page.wait_for_function(
        """() => (!document.querySelector('script[src*="mini-widgets.js"]') || document.documentElement.dataset.widgets)
                 && document.querySelectorAll("mjx-container").length >= document.querySelectorAll(".math").length"""
    )
    assert page.locator(".mini-widget:not([data-ready])").count() == 0
    return page.locator(".mini-widget").count()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_all_it_has(page, name):
    page.goto(f"{page.base}/{name}")
    settle(page)
    assert page.locator("main img:not([alt]), main img[alt='']").count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light(name):
    """Its own text with its widgets and all that they draw from, as a server sends it; pictures are files beside it."""
    assert len(gzip.compress((HTML / name).read_bytes())) < 150_000


@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_without_a_server(page, name):
    page.goto(f"{page.base}/{name}")
    widgets = settle(page)
    page.goto((HTML / name).as_uri())
    assert settle(page) == widgets


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(page, name, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{page.base}/{name}")
    settle(page)
    page.evaluate(UNFOLD)
    serious = [v for v in axe(page) if v["impact"] in ("serious", "critical") and v["id"] not in NOT_OURS]
    assert not serious, told(serious)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_on_a_phone(page, name):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{page.base}/{name}")
    settle(page)
    page.evaluate(UNFOLD)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(STICKS_OUT) == []


def test_search_finds_a_chapter_without_a_server(page):
    page.goto((HTML / "search.html").as_uri() + "?q=batching")
    page.wait_for_selector("#search-results li a")
