"""The Batching widget: lanes that play sessions one after another, beside the padded batches of the same sessions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from ..batching import SessionParallel
from ._base import ACCENT, INK, PALE, BookWidget, source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LANES, MOST_SESSIONS, MOST_CLICKS = 6, 24, 40
LENGTHS = (4, 3, 6, 2, 5, 2, 3)  # clicks of the sessions that the widget opens with
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWX"  # the sessions' names in the picture


class Batching(BookWidget):
    """Step the lanes of session-parallel mini-batches through their sessions.

    Args:
        sessions: lists of items, one list per session, e.g. your own clicks; at most 24 sessions of at most 40 clicks,
            one of them with two or more. Default: seven sessions A to G; the third click of B is called B3.
        batch_size: lanes B, 1 to 6.

    It opens on the first step at which a lane has just taken another session. ``step`` counts from 1.

    Raises:
        ValueError: sessions or batch_size that cannot be drawn.
    """

    _esm, _css = source("batching.js"), source("batching.css")
    sessions = t.Any().tag(sync=True)  # Any: so that even a wrong type gets our own error
    batch_size = t.Any().tag(sync=True)
    step = t.Any().tag(sync=True)

    def __init__(self, sessions: Iterable[Iterable] | None = None, batch_size: int = 3, **kwargs: Any):
        if sessions is None:
            sessions = [[f"{LETTERS[s]}{i + 1}" for i in range(n)] for s, n in enumerate(LENGTHS)]
        sessions, batch_size = checked_sessions(sessions), whole("batch_size", batch_size, 1, MOST_LANES)
        kwargs.setdefault("step", opening_step(sessions, batch_size))
        super().__init__(sessions=sessions, batch_size=batch_size, **kwargs)

    @t.validate("sessions")
    def _validate_sessions(self, proposal) -> list[list[str]]:
        return checked_sessions(proposal["value"])

    @t.validate("batch_size")
    def _validate_batch_size(self, proposal) -> int:
        return whole("batch_size", proposal["value"], 1, MOST_LANES)

    @t.validate("step")
    def _validate_step(self, proposal) -> int:
        return whole("step", proposal["value"], 1)

    def alt_text(self) -> str:
        sessions, rows = self.sessions, plan(self.sessions, self.batch_size)
        now, last = min(self.step, rows[-1][0] + 1), rows[-1][0] + 1
        reads = [f"{sessions[s][p]} → {sessions[s][p + 1]}" for step, _, s, p in rows if step == now - 1]
        padded = padding(sessions, self.batch_size)
        wasted = sum(not is_click for *_, is_click in padded)
        return (
            f"Session-parallel mini-batches of {len(sessions)} sessions on {self.batch_size} lanes, "
            f"step {now} of {last}: the lanes read and predict {', '.join(reads)}. {len(rows)} cells and none wasted; "
            f"padding computes {len(padded)}, {wasted} of them wasted."
        )

    def poster(self) -> Figure:
        from matplotlib.figure import Figure

        rows, padded = plan(self.sessions, self.batch_size), padding(self.sessions, self.batch_size)
        steps, padded_steps = rows[-1][0] + 1, padded[-1][0] + 1
        now, columns = min(self.step, steps) - 1, max(steps, padded_steps)
        wasted = sum(not is_click for *_, is_click in padded)
        figure = Figure(figsize=(8, 1.6 + 0.56 * self.batch_size), layout="constrained")
        upper, lower = figure.subplots(2, sharex=True)
        draw(upper, [(*row, True) for row in rows], now, columns, self.batch_size)
        draw(lower, padded, now, columns, self.batch_size)
        heading = {"loc": "left", "fontsize": 10}
        upper.set_title(f"Session-parallel: {steps} steps, {len(rows)} cells, none wasted", **heading)
        lower.set_title(f"Padding: {padded_steps} steps, {len(padded)} cells, {wasted} wasted (×)", **heading)
        note = f"Step {now + 1} is marked. A bar: the state is set to zero. Run the cell to step and to change lanes."
        figure.supxlabel(note, fontsize=9)
        return figure


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """The value as an int, or a ValueError that says what is allowed."""
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_whole or value < low or (high is not None and value > high):
        allowed = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name}={value!r}: must be a whole number {allowed}")
    return int(value)


def checked_sessions(sessions: Any) -> list[list[str]]:
    """Sessions as lists of text, or a ValueError that says what cannot be drawn and the remedy."""
    if isinstance(sessions, str) or not isinstance(sessions, Iterable):
        raise ValueError(
            f"sessions={sessions!r}: must be a list of sessions, such as [['tent', 'mat'], ['map', 'rope']]"
        )
    checked = []
    for s, items in enumerate(sessions):
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise ValueError(f"sessions[{s}]={items!r}: must be a list of items, such as ['tent', 'mat']")
        checked.append([str(item) for item in items])
        if not 1 <= len(checked[-1]) <= MOST_CLICKS:
            raise ValueError(f"sessions[{s}] has {len(checked[-1])} clicks: the picture takes 1 to {MOST_CLICKS}")
    if not 1 <= len(checked) <= MOST_SESSIONS:
        raise ValueError(f"sessions has {len(checked)} sessions: the picture takes 1 to {MOST_SESSIONS}")
    if max(map(len, checked)) < 2:
        raise ValueError("sessions: at least one session must have two clicks, since one click has no next click")
    return checked


def plan(sessions: list[list[str]], batch_size: int) -> list[tuple[int, int, int, int]]:
    """Every row of `SessionParallel` over these sessions: (step, lane, session, position), steps and lanes from 0."""
    offsets = np.cumsum([0, *map(len, sessions)])
    clicks = np.arange(offsets[-1])  # as items: each click is its own number, which gives its session and position
    rows, lanes = [], None
    for n, step in enumerate(SessionParallel(clicks, offsets, batch_size)):
        lanes = step.lanes.numpy() if lanes is None else lanes[step.lanes.numpy()]
        session = np.searchsorted(offsets, step.inputs.numpy(), side="right") - 1
        position = step.inputs.numpy() - offsets[session]
        rows += [(n, *row) for row in zip(lanes.tolist(), session.tolist(), position.tolist(), strict=True)]
    return rows


def padding(sessions: list[list[str]], batch_size: int) -> list[tuple[int, int, int, int, bool]]:
    """Every cell of padded batches, B sessions at a time: (step, row, session, position, whether it holds a click)."""
    playable = [s for s, items in enumerate(sessions) if len(items) > 1]
    cells, first = [], 0
    for at in range(0, len(playable), batch_size):
        batch = playable[at : at + batch_size]
        width = max(len(sessions[s]) for s in batch) - 1
        cells += [(first + i, row, s, i, i + 1 < len(sessions[s])) for row, s in enumerate(batch) for i in range(width)]
        first += width
    return sorted(cells)


def opening_step(sessions: list[list[str]], batch_size: int) -> int:
    """The first step, after the very first, at which a lane starts a session; 1 where there is none."""
    return next((n + 1 for n, _, _, position in plan(sessions, batch_size) if n and position == 0), 1)


def draw(axes: Axes, cells: list[tuple[int, int, int, int, bool]], now: int, columns: int, lanes: int) -> None:
    """Lanes (down) against steps (across): the still picture of the widget's two grids."""
    from matplotlib.patches import Rectangle

    for step, row, session, position, is_click in cells:
        current = is_click and step == now
        face = ACCENT if current else PALE if is_click and step < now else "white"
        line = "-" if is_click else ":"
        axes.add_patch(Rectangle((step + 0.05, row + 0.07), 0.9, 0.86, fc=face, ec="#8b9198", ls=line))
        text = f"{LETTERS[session]}{position + 1}" if is_click else "×"
        axes.text(step + 0.5, row + 0.52, text, ha="center", va="center", fontsize=9, color="white" if current else INK)
        if position == 0:
            axes.add_patch(Rectangle((step + 0.05, row + 0.07), 0.09, 0.86, color="white" if current else INK))
    axes.add_patch(Rectangle((now, -0.02), 1, lanes + 0.04, fill=False, edgecolor=ACCENT, linewidth=1.8))
    axes.set(xlim=(-0.05, columns + 0.05), ylim=(lanes + 0.1, -0.1), xticks=[], yticks=[i + 0.5 for i in range(lanes)])
    axes.set_yticklabels([f"lane {i + 1}" for i in range(lanes)], fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
