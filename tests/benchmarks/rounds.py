"""Interleaved rounds: each side in a process of its own, and one of them working at a time.

A machine that gets slower or busier while a benchmark runs then slows all sides alike, and no side meets threads,
memory or compiled code that another left behind. A side prepares itself (data, weights, warm-up, compiling) before its
first window, and what it prepared lasts for all rounds.
"""

from __future__ import annotations

import multiprocessing
import signal
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import torch

WARM_UP = 8  # steps before an epoch's first window; the very first of them compiles
PATIENCE = 300  # seconds that a side may prepare itself or work in a window

Side = Callable[["Clock"], None]  # prepares itself, then works from window to window until `Stop`; small when pickled
Name = tuple[str, int]  # a side and its number of threads


class Stop(Exception):
    """All rounds are done."""


class Clock:
    """A side's end of the line to the round master."""

    def __init__(self, line: Connection):
        self._line, self._began = line, None
        self.extra = 0.0  # seconds that each window is charged for work done outside

    def begin(self) -> None:
        """Wait for this side's turn; `Stop` if there is none any more."""
        self._line.send("ready")
        if self._line.recv() == "stop":
            raise Stop
        self._began = time.perf_counter()

    def end(self, note: Any = None) -> None:
        """Hand in the seconds since `begin`, and what was found."""
        self._line.send((time.perf_counter() - self._began + self.extra, note))

    def steps(self, steps: Iterable, window: int, last: int) -> Iterator:
        """Pass the steps of an epoch on, timing ``window`` of them at a time, and end the epoch before step ``last``.

        A window lasts from the moment when a step is there until the step ``window`` later is: so many whole steps, and
        the making of as many batches.
        """
        for i, step in enumerate(steps):
            if i >= WARM_UP and (i - WARM_UP) % window == 0:
                if i > WARM_UP:
                    self.end()
                if i + window > last:
                    return
                self.begin()
            yield step
        raise ValueError(f"the epoch ended within a window of {window} steps: the log is too short")


def play(sides: dict[Name, Side], rounds: int) -> dict[Name, tuple[list[float], list[Any]]]:
    """Seconds and notes of each side's windows, a window of each side in each round.

    Raises:
        RuntimeError: a side failed; says how.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through `finally`, so that no worker is left working
    context, lines, workers = multiprocessing.get_context("forkserver"), {}, []
    context.set_forkserver_preload(["gru4rec_lite"])  # imported once; it starts no thread
    windows: dict[Name, tuple[list[float], list[Any]]] = {name: ([], []) for name in sides}
    try:
        for name, side in sides.items():
            lines[name], theirs = context.Pipe()
            workers.append(context.Process(target=_work, args=(side, name[1], theirs)))
            workers[-1].start()
            theirs.close()  # or nobody would notice when the worker dies
            _answer(lines[name], name)  # ready; one at a time here too: threads that wait for each other stall
        for number in range(rounds):
            turn = list(sides)[number % len(sides) :] + list(sides)[: number % len(sides)]  # nobody is always first
            for name in turn:
                lines[name].send("go")
                seconds, note = _answer(lines[name], name)
                windows[name][0].append(seconds)
                windows[name][1].append(note)
                _answer(lines[name], name)  # ready again
    finally:
        for line in lines.values():
            with suppress(OSError):
                line.send("stop")
            line.close()
        for worker in workers:
            worker.join(timeout=2)
            worker.kill()  # those that are not waiting
    return windows


def _work(side: Side, threads: int, line: Connection) -> None:
    torch.set_num_threads(threads)
    try:
        side(Clock(line))
    except (Stop, OSError, EOFError):
        pass
    except BaseException:
        with suppress(OSError):
            line.send(RuntimeError(traceback.format_exc()))


def _answer(line: Connection, name: Name) -> Any:
    if not line.poll(PATIENCE):
        raise RuntimeError(f"{name[0]} on {name[1]} thread(s) has said nothing for {PATIENCE} s")
    try:
        answer = line.recv()
    except EOFError:
        raise RuntimeError(f"{name[0]} on {name[1]} thread(s) died without a word: out of memory?") from None
    if isinstance(answer, RuntimeError):
        raise RuntimeError(f"{name[0]} on {name[1]} thread(s) failed:\n{answer}")
    return answer


def best(medians: dict[Name, float], side: str, largest: bool = True) -> tuple[int, float]:
    """The number of threads on which a side did best, and how well."""
    of_side = {threads: value for (name, threads), value in medians.items() if name == side}
    threads = (max if largest else min)(of_side, key=of_side.__getitem__)
    return threads, of_side[threads]


def median(seconds: list[float]) -> float:
    return statistics.median(seconds)
