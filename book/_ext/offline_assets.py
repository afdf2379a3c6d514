"""Sphinx extension: everything that a built page loads comes from the book's own ``_static``.

Adds the widget loader and MathJax at build time, after Jupyter Book has scanned ``_static`` (it puts every ``*.js`` and
``*.css`` that it finds there on every page). With it, a built page asks no other host for anything.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from sphinx.errors import ExtensionError

HERE = Path(__file__).parent
LOADER = "vendor/mini-widgets.js"
MATHJAX = "vendor/mathjax/tex-mml-chtml.js"
MATHJAX_FONTS = "output/chtml/fonts/woff-v2"
# Search shows an excerpt of each hit, which it fetches; a browser forbids that to pages opened from the disk.
SEARCH_FROM_DISK = 'if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;'


def mathjax_folder() -> Path:
    """The ``es5`` folder of MathJax 3 inside the PyPI package django-static-mathjax (import name ``mathjax``)."""
    spec = importlib.util.find_spec("mathjax")
    for location in (spec.submodule_search_locations or []) if spec else []:
        es5 = Path(location, "static/mathjax/es5")
        if (es5 / "tex-mml-chtml.js").is_file():
            return es5
    raise ExtensionError("MathJax is missing: pip install django-static-mathjax==3.2.2.1")


def use_local_files(app, config):
    """Point Sphinx and myst-nb at our files; at ``config-inited``: later, every build would be taken for a full one."""
    config.nb_ipywidgets_js = {LOADER: {}}
    config.mathjax_path = MATHJAX


def gather(app):
    """Lay the files out in a temporary folder, and have Sphinx copy it."""
    if app.builder.format != "html":
        return
    app.gathered_assets = Path(tempfile.mkdtemp(prefix="book-assets-"))
    vendor = app.gathered_assets / "vendor"
    (vendor / "mathjax" / MATHJAX_FONTS).parent.mkdir(parents=True)
    shutil.copy(HERE / "static/mini-widgets.js", vendor)
    es5 = mathjax_folder()
    shutil.copy(es5 / "tex-mml-chtml.js", vendor / "mathjax")
    shutil.copytree(es5 / MATHJAX_FONTS, vendor / "mathjax" / MATHJAX_FONTS)
    app.config.html_static_path.append(str(app.gathered_assets))


def mend_scripts(app, pagename, templatename, context, doctree):
    """Drop inline scripts that Sphinx 7.4 emits twice, and sphinx-thebe's (a CDN's address; twice, a SyntaxError)."""
    seen, keep = set(), []
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body")
        name = str(getattr(script, "filename", script) or "")
        if "sphinx-thebe.js" in name or (body and ("THEBE_JS_URL" in body or body in seen)):
            continue
        seen.add(body)
        keep.append(script)
    context["script_files"][:] = keep


def clean(app, exception):
    """Remove the temporary folder, also after a failed build."""
    if hasattr(app, "gathered_assets"):
        shutil.rmtree(app.gathered_assets, ignore_errors=True)


def setup(app):
    app.add_js_file(None, body=SEARCH_FROM_DISK)
    app.connect("config-inited", use_local_files, priority=100)
    app.connect("builder-inited", gather)
    app.connect("html-page-context", mend_scripts, priority=900)
    app.connect("build-finished", clean)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
