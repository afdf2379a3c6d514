"""Run a fast part of the package's tests on the newest other Python here, at the versions of requirements.txt.

python tools/other_python.py install FOLDER      make a virtual environment there; if that fails, the last line says why
python tools/other_python.py test FOLDER         run the tests, a few minutes

Only the package: no Sphinx, no browser. For Linux x86_64 the index has torch only with CUDA, a few gigabytes: if that
takes longer than LIMIT, or the disk is too small, there is no environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from steady import ENVIRONMENT

ROOT = Path(__file__).parent.parent
NEWEST_FIRST = ("python3.14", "python3.13", "python3.12", "python3.11")
LIMIT, SPACE = 900, 15e9  # seconds, bytes
WANTED = (
    "torch numpy pandas pyarrow pooch tqdm safetensors scipy "
    "anywidget ipywidgets matplotlib nbformat nbclient ipykernel pytest pytest-xdist hypothesis nbval pyyaml hatchling"
).split()
TESTS = (
    "clicks times ids frames reading bad_files datasets files recommender settings spelling network cells losses "
    "sampling batching training gru4rec whole_sessions optim metrics evaluation baselines widgets plots"
).split()


def other() -> str | None:
    """The newest Python here of another version than this one."""
    for name in NEWEST_FIRST:
        found = subprocess.run([ROOT / "tools/find_python.sh", name], capture_output=True, text=True)
        if found.returncode == 0 and name != "python{}.{}".format(*sys.version_info):
            return found.stdout.strip()
    return None


def pins() -> list[str]:
    """The lines of requirements.txt that the package and its tests need."""
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text("utf8").splitlines()]
    named = {re.split(r"[=<>; ]", line)[0].lower(): line for line in lines if line}
    return [named[name] for name in WANTED]


def install(folder: Path) -> str:
    """Make the environment; return why there is none, or ""."""
    python = other()
    if python is None:
        return "skipped: there is no other Python here"
    if shutil.disk_usage(folder.parent).free < SPACE:
        return f"skipped: less than {SPACE / 1e9:.0f} GB are free for {python}'s packages"
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--only-binary", ":all:", "-c", "requirements.txt", *pins()]
    try:
        subprocess.run(command, cwd=ROOT, check=True, timeout=LIMIT, stderr=subprocess.PIPE, text=True)
    except subprocess.TimeoutExpired:
        return f"skipped: the packages for {python} did not arrive within {LIMIT} s"
    except subprocess.CalledProcessError as error:
        return f"skipped: the packages for {python} are unavailable here: {error.stderr.strip().splitlines()[-1]}"
    return ""


def test(folder: Path) -> int:
    """Run the tests from this checkout; return pytest's exit status."""
    python = folder / "bin/python"
    version = "import sys, steady; print('Python', sys.version.split()[0], 'on', steady.machine(), flush=True)"
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tools'}"}
    subprocess.run([python, "-c", version], env=environment, check=True)
    files = [f"tests/test_{name}.py" for name in TESTS]
    command = [python, "-m", "pytest", "-q", "-rfEs", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", *files]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def main(command: str, folder: Path) -> int:
    """The exit status: 0 if there is an environment, or if its tests pass."""
    if command == "test":
        return test(folder)
    why = install(folder)
    print(why)
    return 1 if why else 0  # not sys.exit(why), which takes "" for a failure too


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).absolute()))
