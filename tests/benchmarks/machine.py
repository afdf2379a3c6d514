"""Where and with what a figure was measured, and the table that it goes into."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from gru4rec_lite.internal import atomic

TABLE = Path(__file__).parents[2] / "data/results/speed.csv"
KEYS = ["benchmark", "configuration", "side", "threads"]  # what names a row
COLUMNS = [*KEYS, "median", "unit", "rounds", "machine", "versions", "date"]


def machine() -> str:
    """Processor, cores and system, in words."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = [line.split(":", 1) for line in Path("/proc/cpuinfo").read_text("utf8").splitlines() if ":" in line]
        said = {key.strip(): value.strip() for key, value in lines}
        name = f"{said.get('model name', name)} (family {said.get('cpu family', 'unknown')})"
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def versions() -> str:
    """Python's, and those of the packages that the figures depend on."""
    found = [f"python {platform.python_version()}"]
    for package in ("gru4rec_lite", "torch", "numpy", "cornac"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} none")
    return ", ".join(found)


def introduce() -> None:
    """Print machine and versions, and what else the machine is doing."""
    busy = f"; load before it began: {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{machine()}{busy}\n{versions()}", flush=True)


def record(rows: list[dict]) -> None:
    """Write rows (the keys, median, unit, rounds) into the table, in the place of older ones of the same names."""
    made = pd.DataFrame(rows).assign(machine=machine(), versions=versions(), date=datetime.date.today().isoformat())
    made["median"] = made["median"].map(lambda value: float(f"{value:.4g}"))
    made["threads"] = made["threads"].astype(str)  # "best" stands there too
    old = pd.read_csv(TABLE, dtype={"threads": str}) if TABLE.exists() else made.iloc[:0]
    table = pd.concat([old, made]).drop_duplicates(KEYS, keep="last").sort_values(KEYS)[COLUMNS]
    atomic.write(TABLE, [table.to_csv(index=False, lineterminator="\n").encode()])
