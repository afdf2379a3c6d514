"""Seconds and bytes of the batch plan of an epoch: ``python tests/benchmarks/plan.py``.

For 1, 2, 4 and 8 million sessions of 4 clicks in the mean, as many as RSC15 has: the plan itself, its steps written
chunk by chunk, a run through all of them one by one, and the host memory that it takes besides the clicks.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc

import machine
import numpy as np

from gru4rec_lite.batching import SessionParallel


def sessions(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Item numbers and offsets of n sessions of 2 and more clicks, 4 in the mean."""
    rng = np.random.default_rng(seed)
    lengths = 1 + rng.geometric(1 / 3, n)
    return rng.integers(0, 37_483, lengths.sum()), np.concatenate(([0], lengths.cumsum()))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--millions", type=float, nargs="+", default=[1, 2, 4, 8])
    arguments.add_argument("--batch-size", type=int, nargs="+", default=[32, 512])
    given = arguments.parse_args()
    for batch_size in given.batch_size:
        for millions in given.millions:
            items, offsets = sessions(int(millions * 1e6))
            began = time.perf_counter()
            plan = SessionParallel(items, offsets, batch_size)
            laid_out = time.perf_counter() - began
            began = time.perf_counter()
            for _ in plan.chunks():
                pass
            written = time.perf_counter() - began
            rows, began = 0, time.perf_counter()
            for step in plan:
                rows += len(step.inputs)
            iterated = time.perf_counter() - began
            assert rows == len(items) - (len(offsets) - 1)  # every pair once
            tracemalloc.start()
            plan = SessionParallel(items, offsets, batch_size)
            kept, peak = tracemalloc.get_traced_memory()
            for _ in plan:
                pass
            peak = max(peak, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            print(
                f"{batch_size:>4} lanes  {millions:>4g} million sessions, {len(items) / 1e6:5.1f} million clicks: "
                f"plan {laid_out:5.2f} s, chunks {written:5.2f} s, {(laid_out + written) / millions:.2f} s a million; "
                f"all {len(plan):,} steps one by one {iterated:5.2f} s ({iterated / len(plan) * 1e6:.1f} µs each); "
                f"{kept / len(items):.1f} bytes a click kept, {peak / len(items):.1f} at most"
            )
            name = {"benchmark": "plan", "configuration": f"{millions:g}M sessions, {batch_size} lanes", "threads": 1}
            machine.record([name | {"side": "ours", "median": laid_out + written, "unit": "s", "rounds": 1}])


if __name__ == "__main__":
    main()
