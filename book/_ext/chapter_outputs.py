"""Sphinx extension: how chapters run in a build, alt texts of figures, and a record of what was executed.

* A figure's alt text travels in its output's metadata (``metadata["image/png"]["alt"]``, see ``plots.show``). myst-nb
  copies only width and height from there; here the alt text reaches the page's ``<img>`` too.
* ``_build/executed.json`` says of each chapter how many seconds it ran and whether it got through: for the table that
  ``make book`` prints (tools/chapter_times.py), and for the test that no chapter was left out.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from docutils import nodes
from jupyter_client import KernelManager
from myst_nb.core.render import NbElementRenderer
from myst_nb.sphinx_ import NbMetadataCollector

sys.path.append(str(Path(__file__).parents[2] / "tools"))
from steady import ENVIRONMENT

myst_nb_render_image = NbElementRenderer.render_image


def render_image(self, data):
    """myst-nb's ``render_image``, and the alt text of the output's metadata."""
    rendered = myst_nb_render_image(self, data)
    alt = data.output_metadata.get(data.mime_type, {}).get("alt")
    for node in rendered:
        if alt and isinstance(node, nodes.image):
            node["alt"] = alt
    return rendered


def announce(app, docname, source):
    """Say which chapter runs: with a quiet Sphinx the only sign of life."""
    if app.env.doc2path(docname).endswith(".ipynb"):
        print(f"  running {docname} ...", flush=True)


def write_record(app, exception):
    """Write ``executed.json`` beside the ``html`` folder, also when a chapter failed."""
    pages = NbMetadataCollector.get_doc_data(app.env)
    runs = {name: pages[name]["exec_data"] for name in sorted(pages) if pages[name].get("exec_data")}
    record = {name: {"seconds": run["runtime"], "succeeded": run["succeeded"]} for name, run in runs.items()}
    Path(app.outdir).parent.joinpath("executed.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf8")


def setup(app):
    os.environ.update(ENVIRONMENT)  # for the kernels: a page shows what the stored notebook shows
    KernelManager.transport_encryption.default_value = "auto"  # else every kernel warns that it listens unencrypted
    NbElementRenderer.render_image = render_image
    app.connect("source-read", announce)
    app.connect("build-finished", write_record)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
