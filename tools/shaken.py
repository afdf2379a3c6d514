"""Shaken arithmetic: every float32 product of torch comes out a few units in the last place off, as on another machine.

    python tools/shaken.py                             ten seeds: chapters, snippets of pages, tests that run models
    python tools/shaken.py --seeds 3 book/09_training.ipynb tests/test_whole_sessions.py
    SHAKEN=3,2 pytest -p shaken tests/test_whole_sessions.py   seed 3, two threads (with tools/ on PYTHONPATH)

Another processor, library or number of threads adds up a product in another order, so its last digits differ. Here we
imitate that: each element of a product is multiplied by 1 ± up to four units in the last place. No cell and no test may
fail because of it, and no printed verdict may change (verdicts.py says what a verdict is). Odd seeds run with one
thread, even ones with two.

The noise depends only on the seed, the operation, the shapes and strides of its inputs, and the number of threads: the
same call gives the same bits again, as on a real machine, while another batch width, or another row of the same batch,
gives different ones. No generator of torch is touched. float64, integers, NumPy products and other devices are
unchanged.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ULPS = 4
POOL = 1_000_003  # number of factors; a prime, so that the rows of a large product do not repeat each other
# Everything else ends in these: matmul, linear, einsum, mv, their gradients, and what the compiler leaves to libraries.
PRODUCTS = ("mm", "addmm", "addmm_", "bmm", "baddbmm", "baddbmm_", "addmv", "addmv_", "dot")
SEEDS = 10
COUNT: Counter[str] = Counter()  # products shaken in this process
ROOT = Path(__file__).parents[1]
CHAPTERS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "book").glob("*.ipynb"))
SNIPPETS = "tests/book/test_faq.py"  # the code snippets of pages
OF_MODELS = """audit baselines batching bpr_mf cells compiling determinism evaluation exercises exercises_gates
    exercises_losses exercises_museum exercises_network exercises_sampling files gru4rec losses museum
    network optim products properties recommender settings training whole_sessions widgets_network""".split()
TESTS = [f"tests/test_{name}.py" for name in OF_MODELS]
CHEAP = [
    SNIPPETS,
    *(f"tests/test_{name}.py" for name in ("gru4rec", "network", "recommender", "training", "whole_sessions")),
]


@contextmanager
def shaken(seed: int, threads: int | None = None, ulps: int = ULPS) -> Iterator[None]:
    """Shake the float32 products of this process on the CPU: forwards, backwards and in compiled code.

    Args:
        seed: each seed stands for another machine.
        threads: number of torch's threads in this context; None leaves it unchanged.
        ulps: the largest error of an element, in units in the last place.
    """
    import torch

    kept = torch.get_num_threads()
    steps = torch.randint(-ulps, ulps + 1, (POOL,), generator=torch.Generator().manual_seed(seed)).repeat(2)
    factors = (1 + steps * 2.0**-23).float()
    library = torch.library.Library("aten", "IMPL", "CPU")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Warning only once for all operators")  # intended
        for name in PRODUCTS:
            packet = getattr(torch.ops.aten, name)
            for op in (getattr(packet, overload) for overload in packet.overloads()):
                if torch._C._dispatch_has_kernel_for_dispatch_key(op.name(), "CPU"):
                    kernel = torch.library.get_kernel(op, "CPU").call_boxed
                    product = _product(op.name(), kernel, factors, seed)
                    library.impl(op, product, "CPU", with_keyset=True, allow_override=True)
    torch.set_num_threads(threads or kept)
    try:
        yield
    finally:
        torch.set_num_threads(kept)
        library._destroy()


def _product(name: str, kernel: Callable[..., Any], factors: Any, seed: int) -> Callable[..., Any]:
    """The operation by torch's own kernel, with its result multiplied by the noise."""
    import torch

    noise: dict[tuple, Any] = {}  # views of the factors, if there are enough of them

    def product(keyset: Any, *args: Any, **kwargs: Any) -> Any:
        out = kernel(keyset, *args, **kwargs)
        if out.dtype != torch.float32:
            return out
        COUNT[name] += 1
        key = (torch.get_num_threads(), *((a.shape, a.stride()) for a in args if isinstance(a, torch.Tensor)))
        if key in noise:
            return out.mul_(noise[key])
        text, size = repr((seed, name, key)).encode(), out.numel()
        first = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) % POOL
        if size > POOL:
            return out.mul_(factors[first : first + POOL].repeat(-(-size // POOL))[:size].view(out.shape))
        noise[key] = factors[first : first + size].view(out.shape)
        return out.mul_(noise[key])

    return product


def start(seed: int, threads: int) -> None:
    """Shake this process until its end: for a kernel's first cell."""
    _FOR_GOOD.append(shaken(seed, threads))
    _FOR_GOOD[-1].__enter__()


_FOR_GOOD: list[Any] = []  # else they are garbage-collected, which ends them


def pytest_configure() -> None:
    """As a plugin of pytest."""
    start(*map(int, os.environ["SHAKEN"].split(",")))


def environment(seed: int, threads: int) -> dict[str, str]:
    """The environment of a shaken process. Unlike steady.py, it does not limit instructions: any machine will do."""
    path = os.pathsep.join(filter(None, [str(ROOT / "tools"), str(ROOT), os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "SHAKEN": f"{seed},{threads}", "OMP_NUM_THREADS": str(threads), "BOOK_POSTERS": "1"}
    # waiting threads sleep and leave the processor to others; on a busy machine, two would spin for each other
    return os.environ | own | {"OMP_WAIT_POLICY": "passive", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1"}


def run_notebook(path: Path, seed: int, threads: int, keep: Path | None = None) -> tuple[list[str], int]:
    """Execute a notebook shaken: a line for each cell that fails or differs from its stored outputs in words.

    Also returns the number of shaken products; if it is 0, another seed changes nothing.
    """
    import nbformat
    from nbclient import NotebookClient
    from verdicts import changed

    stored, nb = nbformat.read(path, 4), nbformat.read(path, 4)
    nb.cells.insert(0, nbformat.v4.new_code_cell(f"import shaken; shaken.start({seed}, {threads}); del shaken"))
    client = NotebookClient(nb, timeout=3600, allow_errors=True, resources={"metadata": {"path": str(path.parent)}})
    client.create_kernel_manager().transport_encryption = "auto"  # else the kernel warns that it listens unencrypted
    nb.cells.append(nbformat.v4.new_code_cell("import shaken; print(shaken.COUNT.total())"))
    client.execute(env=environment(seed, threads))
    if nb.cells.pop(0).outputs:
        raise RuntimeError(f"{path}: the products could not be shaken")
    count = int(nb.cells.pop().outputs[0]["text"])
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, keep / f"{path.stem}-{seed}-{threads}.ipynb")
    pairs = [(was, now) for was, now in zip(stored.cells, nb.cells, strict=True) if now.cell_type == "code"]
    problems = []
    for number, (was, now) in enumerate(pairs, 1):
        errors = [f"{out.ename}: {out.evalue}".split("\n")[0] for out in now.outputs if out.output_type == "error"]
        problems += [f"cell {number} fails: {error}" for error in errors]
        problems += [] if errors else [f"cell {number}: {line}" for line in changed(was.outputs, now.outputs)]
    return problems, count


def run_tests(paths: list[str], seed: int, threads: int) -> list[str]:
    """Run tests shaken: a line for each that fails."""
    command = [sys.executable, *"-m pytest -q -p shaken -p no:cacheprovider --tb=line -rfE".split(), *paths]
    run = subprocess.run(command, cwd=ROOT, env=environment(seed, threads), capture_output=True, text=True)
    problems = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if run.returncode and not problems:
        problems = [f"pytest ended with {run.returncode}: {(run.stdout + run.stderr)[-500:]}"]
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(1, SEEDS + 1)], help="1 to 10 if not given")
    parser.add_argument("--keep", type=Path, help="a folder for the executed notebooks")
    parser.add_argument("paths", nargs="*", help="notebooks and test files; if none is named, all")
    args = parser.parse_intermixed_args()
    paths = args.paths or [*CHAPTERS, SNIPPETS, *TESTS]
    failed, runs, unshaken = 0, 0, set()
    for seed, path in itertools.product(args.seeds, paths):
        threads, begin, count = 2 - seed % 2, time.perf_counter(), -1
        if (path, threads) in unshaken:
            continue  # there was no product, so it would be the same run again
        if path.endswith(".ipynb"):
            problems, count = run_notebook(ROOT / path, seed, threads, args.keep)
        else:
            problems = run_tests([path], seed, threads)
        if count == 0:
            unshaken.add((path, threads))
        runs, failed = runs + 1, failed + bool(problems)
        head = f"seed {seed}, {threads} thread{'s' * (threads > 1)}, {path}, {time.perf_counter() - begin:.0f} s"
        head += f", {count:,} products:" if count >= 0 else ":"
        print(head, "\n    ".join([f"{len(problems)} problems", *problems]) if problems else "holds", flush=True)
    if failed:
        sys.exit(f"{failed} of {runs} runs fail under shaken arithmetic")


if __name__ == "__main__":
    main()
