"""Execute the chapters and store them in a form that diffs well; fill in what comes from elsewhere (fill_pages.py).

python tools/refresh_notebooks.py                             all chapters, and the numbers in book/*.md and README.md
python tools/refresh_notebooks.py book/06_batching.ipynb      only these
python tools/refresh_notebooks.py --no-run                    fill and tidy, keep the stored outputs
python tools/refresh_notebooks.py --check                     write nothing, name the files that --no-run would change
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

import nbformat
from fill_pages import ROOT, PageError, fill, with_install_cell
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from steady import ENVIRONMENT, machine, on_toyshop

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def pages() -> list[Path]:
    """Every page that can be refreshed."""
    texts = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md"]
    return [*sorted((ROOT / "book").glob("*.ipynb")), *(page for page in texts if page.exists())]


def execute(nb: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook in place and record on which machine; with BOOK_POSTERS set, widgets leave a still picture."""
    os.environ.update(ENVIRONMENT, BOOK_POSTERS="1")
    client = NotebookClient(nb, timeout=600, store_widget_state=False, resources={"metadata": {"path": str(folder)}})
    client.create_kernel_manager().transport_encryption = "auto"  # else the kernel warns of unencrypted connections
    client.execute()
    nb.metadata["made_on"] = machine()


def tidy(nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what changes from run to run: widget views, stderr, timings, versions, random ids."""
    made_on = {"made_on": nb.metadata.made_on} if "made_on" in nb.metadata else {}
    nb.metadata, nb.nbformat_minor = nbformat.from_dict(METADATA | made_on), 5
    ids: set[str] = set()
    count = 0
    for cell in nb.cells:
        cell.source = cell.source.strip("\n")
        cell["id"] = stable_id(cell, ids)
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = cell.execution_count and count  # cells that never ran keep None
            cell.outputs = tidy_outputs(cell.outputs, count)
    return nb


def stable_id(cell: nbformat.NotebookNode, taken: set[str]) -> str:
    """An id made of the cell's content, so that a new cell does not change the others' ids."""
    digest = hashlib.sha256(f"{cell.cell_type}:{cell.source}".encode()).hexdigest()
    name = next(digest[i : i + 8] for i in range(50) if digest[i : i + 8] not in taken)
    taken.add(name)
    return name


def tidy_outputs(outputs: list, count: int) -> list:
    """Outputs without stderr and widget views; neighbouring prints become one (a kernel cuts them anywhere)."""
    kept: list = []
    for out in outputs:
        if out.output_type == "stream":
            if out.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += out.text
                continue
        if "execution_count" in out:
            out["execution_count"] = count
        if "data" in out:
            out["data"].pop(WIDGET_VIEW, None)  # without its model, it shows an error in JupyterLab
        kept.append(out)
    return kept


def refreshed(page: Path, run: bool) -> str:
    """The text that the page should have."""
    if page.suffix == ".md":
        return fill(page.read_text("utf8"))
    nb = with_install_cell(nbformat.reads(page.read_text("utf8"), 4))
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = fill(cell.source)
    if run:
        execute(nb, page.parent)
    return nbformat.writes(tidy(nb), 4) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    parser.add_argument("--no-run", action="store_true", help="do not execute")
    parser.add_argument("pages", nargs="*", type=Path)
    args = parser.parse_args()
    run = not (args.check or args.no_run)
    if run and (why := on_toyshop()):
        print(f"note: do not commit these outputs: {why}")
    stale = []
    for page in args.pages or pages():
        start = time.perf_counter()
        try:
            new = refreshed(page, run)
        except (PageError, CellExecutionError) as error:
            sys.exit(f"{page.name}: {error}")
        if new != page.read_text("utf8"):
            stale.append(page.name)
            if not args.check:
                from gru4rec_lite.internal import atomic  # late: imports torch

                atomic.write(page, [new.encode()])
        if run and page.suffix == ".ipynb":
            print(f"{page.name}: {time.perf_counter() - start:.0f} s")
    if args.check and stale:
        sys.exit(f"stale or untidy: {', '.join(stale)}; run make refresh (or tools/refresh_notebooks.py --no-run)")
    if stale:
        print(f"changed: {', '.join(stale)}")


if __name__ == "__main__":
    main()
