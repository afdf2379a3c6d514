"""Print the package's requirements for the weekly canary run.

python tools/bounds.py oldest      torch==2.6, ...    every lower bound of pyproject.toml, exactly
python tools/bounds.py newest      torch>=2.6, ...    the same, for pip to take the newest
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf8"))["project"]
extras = project["optional-dependencies"]
for requirement in [*project["dependencies"], *extras["book"], *extras["test"]]:
    print(requirement.replace(">=", "==") if sys.argv[1] == "oldest" else requirement)
