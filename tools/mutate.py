"""Mutation testing: break the package in many small ways, one at a time, and see whether the tests notice.

    python tools/mutate.py [losses metrics ...] [--jobs 2] [--sample 100]

The changes are mutmut's operators (`<` to `<=`, `+` to `-`, an argument dropped, a value set to None, ...). Each module
is tested by its own test file only. A mutant exists only in memory: everything else is imported once, then each mutant
gets a forked child that imports the package with this one module changed and runs the tests, quick ones first, until
one fails. A child that fails, crashes, or takes far more time or memory than the unchanged package has killed its
mutant.

Not mutated: annotations, docstrings, decorators, `raise` statements, and texts passed to guards
(tests/test_bad_input.py reads messages). Survivors that no test can tell from the original are explained in
tests/mutation.md: a survivor counts as explained if its changed line is in backticks in the section of its module.
Needs `fork`: Linux or macOS.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import gc
import importlib
import json
import math
import os
import random
import re
import resource
import signal
import sys
import tempfile
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

# before torch is imported, since a process with threads cannot fork
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TORCHINDUCTOR_COMPILE_THREADS"), "1")

import libcst as cst
import pytest
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).resolve().parents[1]
TESTS_OF = {  # module: its test file
    "losses": "test_losses.py",
    "metrics": "test_metrics.py",
    "batching": "test_batching.py",
    "sampling": "test_sampling.py",
    "optim": "test_optim.py",
    "cells": "test_cells.py",
    **{f"clicks/{name}": "test_clicks.py" for name in ("columns", "cutting", "encoding", "filters", "order")},
    "clicks/times": "test_times.py",
    "clicks/timeless": "test_times.py",
    "clicks/ids": "test_ids.py",
    "clicks/frames": "test_frames.py",
}
OPTIONS = "-x -q --tb=no -p no:cacheprovider -p no:unraisableexception".split()
MEMORY = 16 * 2**30  # bytes of address space that a child may use; torch alone maps about 4 GiB


# --- mutants


class Finder(cst.CSTVisitor):
    """Collect what mutmut's operators would put in place of each node, except for what we do not mutate."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode]] = []
        self.guards = 0  # number of guard calls around this node

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.Annotation, cst.Decorator, cst.Raise, cst.Import, cst.ImportFrom)):
            return False
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in ("len", "isinstance"):
            return False  # as in mutmut: None in their place fails at once
        if self.guards and isinstance(node, (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString)):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                self.found += [(node, changed) for changed in operator(node)]
        self.guards += is_guard(node)
        return True

    def on_leave(self, node: cst.CSTNode) -> None:
        self.guards -= is_guard(node)


def is_guard(node: cst.CSTNode) -> bool:
    """Whether a node calls a function or method that only checks: its texts are messages."""
    name = getattr(node, "func", None)
    name = name.attr if isinstance(name, cst.Attribute) else name
    return isinstance(name, cst.Name) and re.match(r"_?(require|check|refuse)", name.value) is not None


def mutants(source: str) -> list[str]:
    """All mutants of this source that are different programs, each once."""
    module = cst.parse_module(source)
    parts = [module.code_for_node(statement) for statement in module.body]
    head, tail = source.split("".join(parts))
    different = []
    for place, statement in enumerate(module.body):
        finder, seen = Finder(), {ast.dump(ast.parse(parts[place]))}
        statement.visit(finder)
        for node, changed in finder.found:
            part = module.code_for_node(statement.deep_replace(node, changed))
            with suppress(SyntaxError):
                tree = ast.dump(ast.parse(part))
                if tree not in seen:
                    seen.add(tree)
                    different.append(head + "".join([*parts[:place], part, *parts[place + 1 :]]) + tail)
    return different


def changes(source: str, mutant: str) -> list[str]:
    """The changed lines, prefixed by - and +, without trailing comments."""
    lines = difflib.unified_diff(source.splitlines(), mutant.splitlines(), n=0, lineterm="")
    shown = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return [f"{line[0]} {line[1:].split('  # ')[0].strip()}" for line in shown]


# --- runs


class Mutated(SourceFileLoader):
    """Find and load one module of the package from a text that is not its file's."""

    def __init__(self, name: str, text: str):
        super().__init__(name, str(ROOT.joinpath(*name.split(".")).with_suffix(".py")))
        self.text = text

    def get_code(self, fullname: str) -> Any:
        return compile(self.text, self.path, "exec", dont_inherit=True)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        return spec_from_file_location(fullname, self.path, loader=self) if fullname == self.name else None


class Watch:
    """A pytest plugin that runs tests in order of duration, and measures durations."""

    def __init__(self, durations: dict[str, float]):
        self.known, self.durations = durations, {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: self.known.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.durations[report.nodeid] = self.durations.get(report.nodeid, 0.0) + report.duration


def child(module: str, text: str, durations: dict[str, float], seconds: float, out: Path | None = None) -> int:
    """Process id of a fork that runs the module's tests on this text of it; it exits with pytest's status."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        signal.alarm(math.ceil(20 * seconds))  # wall-clock time, in case it only sleeps
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds),) * 2)
        with suppress(ValueError, OSError):  # macOS lacks this limit
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.meta_path.insert(0, Mutated("gru4rec_lite." + module.replace("/", "."), text))
        watch = Watch(durations)
        code = int(pytest.main([*OPTIONS, f"tests/{TESTS_OF[module]}"], [watch]))
        if out is not None:
            ours = [n for n, mod in sys.modules.items() if str(getattr(mod, "__file__", None)).startswith(str(ROOT))]
            others = [n for n in sys.modules if n not in ours and not n.startswith("gru4rec_lite")]
            out.write_text(json.dumps([watch.durations, others]))
    finally:
        os._exit(code)


def baseline(module: str, text: str) -> tuple[dict[str, float], float]:
    """Durations of the tests and total processor seconds on unchanged code; also imports here what they import."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "seen.json"
        for _ in range(2):  # in the second run, everything is imported
            pid = child(module, text, {}, 600.0, out)
            _, status, used = os.wait4(pid, 0)
            if status != 0:
                sys.exit(f"tests/{TESTS_OF[module]} fails on {module} as it is: run it by itself")
            durations, imported = json.loads(out.read_text())
            for name in imported:
                if name not in sys.modules:
                    with suppress(Exception):
                        importlib.import_module(name)
    gc.freeze()  # nothing here is garbage by now: children need not search it, which took most of their time
    return durations, used.ru_utime + used.ru_stime


def survivors(module: str, jobs: int, sample: int) -> tuple[int, list[list[str]]]:
    """How many mutants were tried, and the changed lines of those that all tests pass."""
    text = (ROOT / "gru4rec_lite" / f"{module}.py").read_text()
    every = mutants(text)
    if sample < len(every):
        every = random.Random(0).sample(every, sample)
    durations, seconds = baseline(module, text)
    print(f"{module}: {len(every)} mutants, {seconds:.1f} s for all {len(durations)} tests", flush=True)
    waiting, running, alive = list(enumerate(every)), {}, []
    while waiting or running:
        while waiting and len(running) < jobs:
            number, mutant = waiting.pop(0)
            running[child(module, mutant, durations, 10 + 10 * seconds)] = number
        pid, status = os.wait()
        number = running.pop(pid)
        if status == 0:
            alive.append(number)
    return len(every), [changes(text, every[number]) for number in sorted(alive)]


def explained(module: str) -> set[str]:
    """Changed lines that tests/mutation.md explains in the section of this module."""
    pages = ROOT / "tests" / "mutation.md"
    sections = re.split(r"^## ", pages.read_text() if pages.exists() else "", flags=re.MULTILINE)
    return {line for part in sections if part.split()[:1] == [module] for line in re.findall(r"`(.+?)`", part)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(TESTS_OF))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="children at a time (default: all processors)")
    parser.add_argument("--sample", type=int, default=10**9, help="number of mutants per module, drawn at random")
    options = parser.parse_args()
    unknown = set(options.modules) - set(TESTS_OF)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(TESTS_OF)}")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    rows = ["| module | mutants | killed | survived | explained | score |", "|---|---:|---:|---:|---:|---:|"]
    for module in options.modules or TESTS_OF:
        n, alive = survivors(module, options.jobs, options.sample)
        known = explained(module)
        unseen = [lines for lines in alive if not known.issuperset(line[2:] for line in lines if line[0] == "+")]
        for lines in unseen:
            print("  " + "\n  ".join(lines), end="\n\n")
        killed = n - len(alive)
        rows.append(f"| {module} | {n} | {killed} | {len(alive)} | {len(alive) - len(unseen)} | {killed / n:.1%} |")
        print(rows[-1], flush=True)
    print("\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
