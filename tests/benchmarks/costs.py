"""What a training step costs: against the catalogue, the batch, the units; and a whole fit against the clicks.

    python tests/benchmarks/costs.py

Configuration B with one thing changed at a time, on one thread: only the ratios along a curve mean anything, so the
points of a curve are measured in interleaved rounds. The steps touch rows of the whole catalogue; no curve starts with
what another one left in a cache.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

import log
import machine
from peers import Settings, model, ours
from rounds import Clock, Side, median, play

from gru4rec_lite.training import STEPS_PER_DRAW

BASE = Settings(batch_size=64, units=100, n_samples=2048)  # configuration B
CATALOGUE = (3_000, 30_000, 300_000, 3_000_000)
BATCH = (16, 32, 64, 128, 256, 512)
UNITS = (50, 100, 200, 400, 800)
CLICKS = (30_000, 100_000, 300_000, 1_000_000)
IN_BATCH = Settings(batch_size=512, units=100)  # for whole fits: few and cheap steps


def step(settings: Settings, compile: bool = False, n_items: int = log.ITEMS) -> Side:
    """A side that trains on a log that clicks every item and is long enough for a window of full width."""
    sessions = max(log.SESSIONS, int(0.26 * n_items), settings.batch_size * 2 * STEPS_PER_DRAW)
    return partial(ours, partial(log.make, n_items, sessions), settings, STEPS_PER_DRAW, compile=compile)


def fit(n_clicks: int, clock: Clock) -> None:
    """A side that fits one epoch, from the DataFrame to the model."""
    clicks = log.make(n_items=6_000, n_sessions=n_clicks // 4)
    while True:
        clock.begin()
        model(IN_BATCH, n_epochs=1, compile=False).fit(clicks, progress=False)
        clock.end()


def curve(of: str, sides: dict[int, Side], side: str, unit: str, rounds: int, per_window: int) -> None:
    """Measure, print and record one curve, in ``unit`` (ms a step, or s)."""
    scale = 1000 / per_window if unit == "ms/step" else 1.0
    taken = play({(str(at), 1): run for at, run in sides.items()}, rounds)
    cost = {int(name): scale * median(seconds) for (name, _), (seconds, _) in taken.items()}
    rows, before = [], None
    for at, value in cost.items():
        grown = "" if before is None else f"  {at / before:.3g} × the {of}: {value / cost[before]:.2f} × the time"
        print(f"{of:<9} {at:>9,}  {side:<8} {value:9.3g} {unit}{grown}", flush=True)
        rows.append({"configuration": f"{of} {at}", "side": side, "threads": 1, "median": value, "unit": unit})
        before = at
    machine.record([row | {"benchmark": "cost", "rounds": rounds} for row in rows])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only", nargs="+", choices=("catalogue", "batch", "units", "clicks"))
    given = arguments.parse_args()
    machine.introduce()
    steps = {
        "catalogue": {n: partial(step, BASE, n_items=n) for n in CATALOGUE},
        "batch": {n: partial(step, replace(BASE, batch_size=n)) for n in BATCH},
        "units": {n: partial(step, replace(BASE, units=n)) for n in UNITS},
    }
    for of, points in steps.items():
        if given.only and of not in given.only:
            continue
        for side in ("eager", "compiled") if of == "catalogue" else ("eager",):  # neither may touch the whole table
            sides = {at: make(compile=side == "compiled") for at, make in points.items()}
            curve(of, sides, side, "ms/step", given.rounds, STEPS_PER_DRAW)
    if not given.only or "clicks" in given.only:
        curve("clicks", {n: partial(fit, n) for n in CLICKS}, "eager", "s", given.rounds, 1)


if __name__ == "__main__":
    main()
