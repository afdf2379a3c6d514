"""Seconds and memory from a file of clicks to flat arrays: ``python tests/benchmarks/clicks.py [n_clicks]``.

The way that everybody goes: read, split_by_time, prepare and encode, train and test. Every run is a process of its own;
rounds are interleaved over the logs; medians are printed. A second, smaller size shows what grows faster than the log.
A log: sessions of 3.85 clicks in the mean over 180 days, items by Zipf's law.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

LOGS = {  # name: (ids are text, rows are shuffled, suffix)
    "integers, in order of time": (False, False, "csv"),
    "integers, shuffled": (False, True, "csv"),
    "text, shuffled": (True, True, "csv"),
    "text, shuffled, parquet": (True, True, "parquet"),
}
STAGES = ("read", "split", "prepare train", "prepare test", "encode train", "encode test")


def make_log(n_clicks: int, is_text: bool, shuffled: bool, n_items: int = 40_000, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / 3.85, int(n_clicks / 3.85))
    session = np.repeat(np.arange(len(lengths)), lengths)
    begin = 1_396_224_000 + np.sort(rng.integers(0, 180 * 86_400, len(lengths)))
    passed = rng.geometric(1 / 60, len(session)).cumsum()
    first = np.concatenate([[0], lengths.cumsum()[:-1]])
    times = begin[session] + passed - passed[first][session]
    share = (1 / np.arange(1, n_items + 1)).cumsum()
    item = rng.permutation(n_items)[np.searchsorted(share, rng.random(len(session)) * share[-1])]
    order = rng.permutation(len(session)) if shuffled else np.argsort(times, kind="stable")
    ids = {"SessionId": pa.array(session[order] + 1), "ItemId": pa.array(item[order] + 214_500_000)}
    if is_text:
        for column, letter in (("SessionId", "s"), ("ItemId", "sku-")):
            digits = pc.utf8_lpad(ids[column].cast(pa.string()), width=8, padding="0")
            ids[column] = pc.binary_join_element_wise(letter, digits, "")
    return pa.table({**ids, "Time": pa.array(times[order])})


def write_log(path: Path, n_clicks: int, is_text: bool, shuffled: bool) -> None:
    write = pa.csv.write_csv if path.suffix == ".csv" else pa.parquet.write_table
    write(make_log(n_clicks, is_text, shuffled), path)


def one_run(path: str) -> None:
    """Print the seconds of every stage and the peak of memory, as JSON."""
    from gru4rec_lite import clicks

    taken = []

    def timed(work):
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            result = work()
        taken.append(time.perf_counter() - began)
        return result

    log = timed(lambda: clicks.read(path))
    train, test = timed(lambda: clicks.split_by_time(log, days=14))
    train = timed(lambda: clicks.prepare(train, min_session=2, min_support=5, drop_repeats=True))
    test = timed(lambda: clicks.prepare(test, min_session=2, min_support=1, drop_repeats=True))
    encoded = timed(lambda: clicks.encode(train))
    timed(lambda: clicks.encode(test, encoded.index))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"clicks": len(log), "seconds": taken, "peak": peak}))


def measure(n_clicks: int, rounds: int, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name in names:
            is_text, shuffled, suffix = LOGS[name]
            paths[name] = Path(folder) / f"{len(paths)}.{suffix}"
            maker = multiprocessing.Process(target=write_log, args=(paths[name], n_clicks, is_text, shuffled))
            maker.start()  # a child's peak of memory starts at its parent's, so this process stays small
            maker.join()
        runs: dict[str, list[dict]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, path in paths.items():
                command = [sys.executable, __file__, "--path", str(path)]
                runs[name].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    made: list[dict] = []
    for name, found in runs.items():
        n, peak = found[0]["clicks"], statistics.median(run["peak"] for run in found)
        total = statistics.median(sum(run["seconds"]) for run in found)
        stages = zip(STAGES, zip(*(run["seconds"] for run in found), strict=True), strict=True)
        print(f"{n:>11,} clicks  {name:<27} {total:6.2f} s  {n / total:>10,.0f} clicks/s  peak {peak / 1e9:.2f} GB")
        print(" " * 20 + ", ".join(f"{stage} {statistics.median(taken):.2f}" for stage, taken in stages), flush=True)
        key = {"benchmark": "clicks", "configuration": f"{n / 1e6:.2g}M, {name}", "side": "ours", "rounds": rounds}
        made += [
            key | {"threads": "all", "median": total, "unit": "s"},
            key | {"threads": "peak", "median": peak / 1e9, "unit": "GB"},
        ]
    import machine  # late: pandas in this process would count in the peak of those that it starts

    machine.record(made)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("n_clicks", type=int, nargs="?", default=5_000_000)
    arguments.add_argument("--second", type=int, help="the second size; 0: none; default: a quarter of the first")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--logs", nargs="+", choices=LOGS, default=list(LOGS), metavar="LOG", help=", ".join(LOGS))
    arguments.add_argument("--path", help=argparse.SUPPRESS)  # one run, in its own process
    given = arguments.parse_args()
    if given.path:
        one_run(given.path)
        return
    for size in (given.n_clicks, given.n_clicks // 4 if given.second is None else given.second):
        if size:
            measure(size, given.rounds, given.logs)


if __name__ == "__main__":
    main()
