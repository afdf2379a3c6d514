"""The book's figures: one style, and a description for those who cannot see them."""

from __future__ import annotations

import base64
import io

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .evaluation import Result

# Okabe & Ito's colours, distinct for readers with any colour vision; markers repeat in grey what the colours say
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
SIDES = {  # programs in the training benchmark -> their names in its figure
    "plain": "plain PyTorch",
    "cornac": "cornac",
    "eager": "gru4rec_lite",
    "compiled": "gru4rec_lite compiled",
    "onednn": "gru4rec_lite compiled, oneDNN",
}


def axes(width: float = 7.2, height: float = 3.4, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of ``columns`` plots side by side (sizes in inches), in the book's style: figure, list of axes."""
    figure, grid = plt.subplots(1, columns, figsize=(width, height), layout="constrained", squeeze=False)
    for ax in grid[0]:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, list(grid[0])


def line(ax: Axes, x, y, label: str, number: int = 0) -> None:
    """A line in the book's colour and marker of this number, so that lines also differ by shape."""
    ax.plot(x, y, label=label, color=COLOURS[number % 6], marker=MARKERS[number % 6], markersize=5, linewidth=1.8)


def intervals(ax: Axes, names, values, low, high) -> None:
    """Values with their intervals, one row per name, the first on top."""
    rows = range(len(names))[::-1]
    for number, (row, value, a, b) in enumerate(zip(rows, values, low, high, strict=True)):
        ax.plot([a, b], [row, row], color=COLOURS[number % 6], linewidth=2.5)
        ax.plot(value, row, marker=MARKERS[number % 6], color=COLOURS[number % 6], markersize=7)
        ax.annotate(f"{value:.3f}", (value, row), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9)
    ax.set_yticks(list(rows), names)
    ax.set_ylim(-0.6, len(names) - 0.2)
    ax.margins(x=0.15)
    ax.grid(axis="x", color="0.9", linewidth=0.8)
    ax.grid(axis="y", visible=False)


def learning_curve(history: pd.DataFrame, rivals: dict[str, float]) -> tuple[Figure, str]:
    """Training loss and validation MRR@20 by epoch, beside rivals' MRR@20: the figure, and what it shows in words."""
    figure, (left, right) = axes(columns=2, height=3.0)
    line(left, history["epoch"], history["loss"], "training loss", 0)
    line(right, history["epoch"], history["mrr"], "GRU4Rec", 1)
    for (name, value), dashes in zip(rivals.items(), ("--", ":", "-.", "-"), strict=False):
        right.axhline(value, color="0.4", linestyle=dashes, label=name)
    for ax, label in ((left, "training loss"), (right, "validation MRR@20")):
        ax.set(xlabel="epoch", ylabel=label, xticks=history["epoch"])
    right.legend(frameon=False)
    loss, mrr = history["loss"].iloc[[0, -1]], history["mrr"].iloc[[0, -1]]
    lines = "; ".join(f"{name} is a level line at {value:.2f}" for name, value in rivals.items())
    return figure, (
        f"The training loss goes from {loss.iloc[0]:.2f} to {loss.iloc[1]:.2f}. MRR@20 on the validation days goes "
        f"from {mrr.iloc[0]:.2f} to {mrr.iloc[1]:.2f}; {lines}."
    )


def results(named: dict[str, Result], cutoff: int = 20) -> tuple[Figure, str]:
    """Recall@k and MRR@k of evaluations with their 95 % intervals: the figure, and what it shows in words."""
    figure, both = axes(columns=2, height=1.4 + 0.35 * len(named))
    words = []
    for ax, metric, label in zip(both, ("recall", "mrr"), (f"Recall@{cutoff}", f"MRR@{cutoff}"), strict=True):
        frames = [result.interval() for result in named.values()]
        rows = pd.concat([f[(f["metric"] == metric) & (f["cutoff"] == cutoff)] for f in frames])
        intervals(ax, list(named), rows["value"], rows["low"], rows["high"])
        ax.set_xlabel(label)
        said = zip(named, rows["value"], rows["low"], rows["high"], strict=True)
        words.append(
            f"{label}: " + ", ".join(f"{name} {v:.2f} ({low:.2f} to {high:.2f})" for name, v, low, high in said)
        )
    return figure, "; ".join(words) + "."


def speed(table: pd.DataFrame) -> tuple[Figure, str]:
    """Training clicks per second by configuration and side (``data/results/speed.csv``): the figure, and its words.

    Each side is shown at its better number of threads. Raises ValueError for a table without such rows.
    """
    rows = table[(table["benchmark"] == "training") & (table["unit"] == "clicks/s")]
    if rows.empty:
        raise ValueError("the table has no row of benchmark 'training' in clicks/s: run make bench")
    best = rows.groupby(["configuration", "side"])["median"].max().unstack()
    sides = [name for name in SIDES if name in best]
    figure, (ax,) = axes(height=1.5 + 0.5 * len(best))
    words = []
    for row, (name, of) in enumerate(best.iterrows()):
        ax.plot([of.min(), of.max()], [row, row], color="0.8", linewidth=2, zorder=1)
        said = [f"{SIDES[side]} {of[side]:,.0f}" for side in sides if of[side] == of[side]]
        words.append(f"{name}: {', '.join(said)}")
        fastest = max((side for side in ("eager", "compiled") if side in sides), key=of.get)
        if "cornac" in sides:
            times = f"{of[fastest] / of['cornac']:.1f} × cornac"
            ax.annotate(times, (of.max(), row), xytext=(9, 0), textcoords="offset points", va="center", fontsize=9)
            words[-1] += f" ({times})"
    for number, side in enumerate(sides):
        ax.plot(
            best[side], range(len(best)), linestyle="", label=SIDES[side],
            color=COLOURS[number], marker=MARKERS[number], markersize=7,
        )  # fmt: skip
    ax.set_yticks(range(len(best)), best.index)
    ax.set(xscale="log", xlabel="training clicks per second (logarithmic)", ylabel="configuration")
    ax.set_ylim(len(best) - 0.5, -0.5)  # the first on top
    ax.margins(x=0.2)
    ax.grid(axis="x", color="0.9", linewidth=0.8)
    ax.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure, f"Training clicks per second. {'; '.join(words)}."


def show(figure: Figure, alt: str) -> None:
    """Display a figure as a PNG that carries ``alt``, its description for readers who cannot see it, and close it."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)  # else the notebook shows it twice
    data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": alt}
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)
