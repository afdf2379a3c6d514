"""Run every test in one pytest, in two processes: package, chapters' outputs, built pages in a browser.

    python tools/run_tests.py [arguments for pytest]

Chapters are not run again: the outputs of `make book` are compared with the stored ones (tests/book/test_outputs.py).
A chapter named as argument (book/06_batching.ipynb) is run by nbval, cell by cell, and nothing is compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import nbformat
from fill_pages import ROOT
from steady import ENVIRONMENT, machine, on_toyshop


def compared() -> str:
    """One line: this machine, and what chapters' outputs are compared with."""
    made_on = Counter(
        nbformat.read(path, 4).metadata.get("made_on", "unknown") for path in (ROOT / "book").glob("*.ipynb")
    )
    if why := on_toyshop():
        return f"{machine()}: {why}, and their outputs are not compared."
    equal = made_on.pop(machine(), 0)
    others = "; ".join(f"of {n} only the words (stored on {other})" for other, n in made_on.items())
    return f"{machine()}: of {equal} chapters all digits are compared" + (f", {others}." if others else ".")


os.environ |= ENVIRONMENT  # before NumPy and torch are imported
print(compared(), flush=True)
options = "-q -rfExXs -n 2 --dist loadfile --nbval-lax --nbval-cell-timeout 600".split()
command = [sys.executable, "-m", "pytest", *options, *(sys.argv[1:] or ["tests"])]
sys.exit(subprocess.run(command, cwd=ROOT).returncode)
