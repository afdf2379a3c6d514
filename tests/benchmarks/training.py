"""Clicks per second of training: cornac's GRU4Rec, a plain one, ours as it is and compiled.

    python tests/benchmarks/training.py            some minutes; writes data/results/speed.csv and the figure
    python tests/benchmarks/training.py --quick    seconds; writes nothing

Rounds are interleaved, every side runs with one thread and with two; medians, and each side's better number of threads.
"""

from __future__ import annotations

import argparse
import importlib.util
from functools import partial

import log
import machine
from peers import OURS, SIDES, Settings
from rounds import best, median, play

CONFIGURATIONS = {
    "A": Settings(batch_size=32, units=100),
    "B": Settings(batch_size=64, units=100, n_samples=2048),
    "C": Settings(batch_size=240, units=512, n_samples=2048, loss="bpr-max"),
    "D": Settings(batch_size=240, units=512, n_samples=2048),
    "E": Settings(batch_size=50, units=1000),
}
GOALS = {"A": 3.0, "B": 1.6, "C": 1.2, "D": 1.2, "E": 2.5}  # times cornac
# steps of a window: the others' and ours; rounds
WINDOWS = {"A": (256, 1024), "B": (128, 512), "C": (32, 64), "D": (32, 64), "E": (32, 64)}
ROUNDS = {"A": 7, "B": 7, "C": 5, "D": 5, "E": 5}


def measure(name: str, sides: dict, threads: tuple[int, ...], rounds: int, windows: tuple[int, int]):
    """Median clicks per second of each side and number of threads."""
    settings, (peers, ours) = CONFIGURATIONS[name], windows
    window = {side: ours if side in OURS else peers for side in sides}
    taken = play(
        {(side, n): partial(run, log.make, settings, window[side]) for side, run in sides.items() for n in threads},
        rounds,
    )
    return {
        (side, n): window[side] * settings.batch_size / median(seconds) for (side, n), (seconds, _) in taken.items()
    }


def report(name: str, speed: dict, rounds: int) -> list[dict]:
    """Print a configuration's table; its rows."""
    unit, rows = "clicks/s", []
    sides = list(dict.fromkeys(side for side, _ in speed))
    for (side, n), value in speed.items():
        rows.append({"side": side, "threads": n, "median": value, "unit": unit})
    for side in sides:
        n, value = best(speed, side)
        settings = CONFIGURATIONS[name]
        ms = 1000 * settings.batch_size / value
        line = f"{name}  {side:<9} {value:>9,.0f} {unit} {ms:7.2f} ms/step, {n} thread(s)"
        if side in OURS:
            for peer in ("cornac", "plain"):
                if peer in sides:
                    ratio = value / best(speed, peer)[1]
                    line += f"  {ratio:.2f} × {peer}"
                    rows.append({"side": f"{side} against {peer}", "threads": "best", "median": ratio, "unit": "ratio"})
            line += f"  (goal {GOALS[name]} × cornac)"
        print(line, flush=True)
    return [row | {"benchmark": "training", "configuration": name, "rounds": rounds} for row in rows]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="configuration A, one short round; writes nothing")
    arguments.add_argument("--rounds", type=int, help="of every configuration; else as many as it needs")
    arguments.add_argument("--only", nargs="+", choices=CONFIGURATIONS, default=list(CONFIGURATIONS))
    given = arguments.parse_args()
    machine.introduce()
    sides = SIDES
    if importlib.util.find_spec("cornac") is None:
        print("cornac is not installed (pip install 'gru4rec_lite[bench]'): measured without it")
        sides = {name: side for name, side in SIDES.items() if name != "cornac"}
    if given.quick:
        report("A", measure("A", sides, (1,), 1, (64, 64)), 1)
        return
    for name in given.only:
        rounds = given.rounds or ROUNDS[name]
        speed = measure(name, sides, (1, 2), rounds, WINDOWS[name])
        machine.record(report(name, speed, rounds))


if __name__ == "__main__":
    main()
