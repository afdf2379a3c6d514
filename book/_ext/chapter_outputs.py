"""Sphinx extension: how chapters run in a build, alt texts of figures, and a record of what was executed.

* ``_build/executed/`` keeps the notebooks as they ran, for the test that compares their outputs with the stored ones
  (myst-nb keeps them too, in ``jupyter_execute``, but after merging streams, with every print there twice).
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

import nbformat
from docutils import nodes
from jupyter_client import KernelManager
from myst_nb.core.execute.direct import NotebookClientDirect
from myst_nb.core.render import NbElementRenderer
from myst_nb.sphinx_ import NbMetadataCollector

sys.path.append(str(Path(__file__).parents[2] / "tools"))
from steady import ENVIRONMENT

myst_nb_render_image = NbElementRenderer.render_image
myst_nb_execute = NotebookClientDirect.start_client


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


def execute_and_keep(client, folder):
    """myst-nb's execution of a chapter, then a copy of the notebook in ``folder``."""
    kept = folder / client.path.name
    kept.unlink(missing_ok=True)
    myst_nb_execute(client)
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(client.notebook, kept)


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
    folder = Path(app.outdir).parent / "executed"
    NotebookClientDirect.start_client = lambda client: execute_and_keep(client, folder)
    if (os.cpu_count() or 1) > 1:  # jupyter-book has no option for it; its extensions do not say that they allow it
        app.parallel, app.is_parallel_allowed = 2, lambda kind: kind == "read"
    app.connect("source-read", announce)
    app.connect("build-finished", write_record)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
