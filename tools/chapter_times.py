"""Say how long each chapter took in the last build, and where the book is; fail if a chapter did not run to its end.

python tools/chapter_times.py [BUILD_FOLDER [CHAPTER ...]]        default: _build, and every chapter of the contents
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def chapters() -> list[str]:
    """Names of all notebooks in the table of contents, in order."""
    toc = yaml.safe_load((ROOT / "book/_toc.yml").read_text("utf8"))
    names = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [name for name in names if (ROOT / "book" / f"{name}.ipynb").exists()]


def main() -> None:
    build = Path(sys.argv[1] if len(sys.argv) > 1 else "_build")
    record = json.loads((build / "executed.json").read_text("utf8"))
    failed = []
    for name in sys.argv[2:] or chapters():
        run = record.get(name, {"seconds": None, "succeeded": False})
        print(
            f"  {name:<16} {run['seconds']:6.1f} s" if run["succeeded"] else f"  {name:<16} was not executed to its end"
        )
        failed += [] if run["succeeded"] else [name]
    if failed:
        sys.exit(1)
    print(f"The book: {build / 'html' / 'index.html'}")


if __name__ == "__main__":
    main()
