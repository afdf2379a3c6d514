"""Run every test in one pytest, in two processes: package, notebooks, their structure, built pages in a browser.

    python tools/run_tests.py [arguments for pytest]

Notebooks' outputs are compared with the stored ones (strict nbval), unless they cannot be equal here (steady.py): then
they only have to run.
"""

from __future__ import annotations

import os
import subprocess
import sys

from fill_pages import ROOT
from steady import ENVIRONMENT, unlike_stored

why = unlike_stored()
if why:
    print(f"Notebooks are run but their outputs are not compared: {why}.")
nbval = "--nbval-sanitize-with tests/nbval_sanitize.cfg --nbval-cell-timeout 600".split()
nbval += ["--nbval-lax" if why else "--nbval"]
options = "-q -rfEs -n 2 --dist loadfile".split()
command = [sys.executable, "-m", "pytest", *options, *nbval, *(sys.argv[1:] or ["tests", "book"])]
sys.exit(subprocess.run(command, cwd=ROOT, env=os.environ | ENVIRONMENT).returncode)
