"""The built book, served on loopback and driven with a real browser.

``page`` notes every console error, failed request and request to another host, and fails the test that met one.
"""

from __future__ import annotations

import functools
import http.server
import io
import os
import shutil
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from in_page import only_widgets

HTML = Path(os.environ.get("BOOK_HTML", Path(__file__).parents[2] / "_build/html"))
CHROMIUMS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)  # fmt: skip
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def built_pages() -> list[str]:
    """Names of all built pages but the redirect at index.html; one without a book, so that tests fail, not vanish."""
    return sorted(path.name for path in HTML.glob("*.html") if path.name != "index.html") or ["index.html"]


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def send_head(self):
        """A file; with ``?only=name`` a chapter with nothing of its text but widgets, see `only_widgets`."""
        asked = parse_qs(urlsplit(self.path).query)
        if "only" not in asked:
            return super().send_head()
        text = Path(self.translate_path(self.path)).read_text(encoding="utf-8")
        page = only_widgets(text, asked["only"], asked.get("state", ["{}"])[0]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        return io.BytesIO(page)


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built book."""
    if not (HTML / "index.html").exists():
        pytest.fail(f"there is no book in {HTML}: make book", pytrace=False)
    return HTML


@pytest.fixture(scope="session")
def book_url(html):
    """Address of the built book, served on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(html)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def browser(html):
    """Chromium; without one the tests are skipped, or fail where G4R_REQUIRE_BROWSER=1."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *CHROMIUMS))), None)
    if program is None:
        give_up = pytest.fail if os.environ.get("G4R_REQUIRE_BROWSER") == "1" else pytest.skip
        give_up("no Chromium: apt install chromium, or brew install --cask chromium, or CHROMIUM=/path/to/it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(browser, book_url):
    """A fresh page; ``page.base`` is the book's address. Nothing but the book can be reached from it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)  # a machine may be slow
    own = (book_url, HTML.as_uri(), "data:", "blob:")
    errors = []

    def guard(route):
        if route.request.url.startswith(own):
            route.continue_()
        else:
            errors.append(f"request to another host: {route.request.url}")
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.on("console", lambda message: errors.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(f"uncaught: {error}"))
    page.on(
        "response",
        lambda response: errors.append(f"{response.status} {response.url}") if response.status >= 400 else None,
    )
    page.base = book_url
    yield page
    context.close()
    assert not errors, errors
