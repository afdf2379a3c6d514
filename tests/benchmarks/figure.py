"""Draw ``data/results/speed.csv``, what was measured last, into the picture that README shows."""

from __future__ import annotations

from pathlib import Path

import machine
import pandas as pd

from gru4rec_lite import plots

PICTURE = Path(__file__).parents[2] / "book/_static/speed.png"


def main() -> None:
    figure, words = plots.speed(pd.read_csv(machine.TABLE))
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    print(f"{PICTURE.name}, {PICTURE.stat().st_size / 1000:.0f} kB; in words: {words}")


if __name__ == "__main__":
    main()
