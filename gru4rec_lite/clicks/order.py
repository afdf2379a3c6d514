"""Sort and pick the rows of a long log: a few plain passes over integers, with as little new memory as possible.

Touching new memory for the first time costs as much as the work on it. Hence the loops over ``BLOCK`` rows at a time,
and results that reuse the memory of an argument.
"""

from __future__ import annotations

import numpy as np

BLOCK = 2**18  # rows that fit into the processor's cache


def in_order(group: np.ndarray, times: np.ndarray) -> np.ndarray:
    """``(n,)`` row numbers in order of group (integers from 0), then time, then row."""
    rows = in_time(times)
    order = _argsort(pick(group, rows))
    return pick(rows, order, out=order)


def in_time(times: np.ndarray) -> np.ndarray:
    """``(n,)`` row numbers in order of time (int64 or float64 seconds), then row."""
    ticks = times.astype(np.int64)
    if times.dtype.kind == "i" or np.array_equal(ticks, times):
        return _argsort(ticks)
    ticks = np.rint(times * 1000).astype(np.int64)
    if np.array_equal(ticks / 1000, times):  # whole milliseconds
        return _argsort(ticks)
    return _argsort(np.unique(times, return_inverse=True)[1])


def _argsort(values: np.ndarray) -> np.ndarray:
    """``(n,)`` row numbers in order of int64 value, then row, in the memory of ``values``.

    A value and its row are packed into one integer, so that a plain sort is enough: several times faster than argsort.
    """
    n = len(values)
    bits = n.bit_length()
    if (values[1:] >= values[:-1]).all():
        return np.arange(n)
    low, high = int(values.min()), int(values.max())
    if high - low >= 2 ** (63 - bits):
        return np.argsort(values, kind="stable")
    values -= low
    values <<= bits
    for start in range(0, n, BLOCK):
        values[start : start + BLOCK] |= np.arange(start, min(start + BLOCK, n))
    values.sort()
    values &= 2**bits - 1
    return values


def pick(values: np.ndarray, rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """``values[rows]``, integers as int64; ``out`` may be ``rows``."""
    if out is None:
        out = np.empty(len(rows), dtype=np.int64 if values.dtype.kind == "i" else values.dtype)
    for start in range(0, len(rows), BLOCK):
        out[start : start + BLOCK] = values[rows[start : start + BLOCK]]
    return out


def squeeze(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """``values[good]``, in the memory of ``values``."""
    end = 0
    for start in range(0, len(values), BLOCK):
        some = values[start : start + BLOCK][good[start : start + BLOCK]]
        values[end : end + len(some)] = some
        end += len(some)
    return values[:end]


def differ(values: np.ndarray) -> np.ndarray:
    """``(n,)`` bool, whether a value differs from the one before it; True for the first."""
    result = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=result[1:])
    return result


def repeated(group: np.ndarray, times: np.ndarray, what: np.ndarray) -> np.ndarray:
    """``(n,)`` bool, whether a row equals an earlier one in all three; rows are in order of group, then time."""
    result = np.zeros(len(group), dtype=bool)
    tied = ~(differ(group) | differ(times))
    if tied.any():
        run = np.cumsum(~tied)
        tied[:-1] |= tied[1:]
        rows = np.flatnonzero(tied)
        run, what = run[rows], what[rows]
        order = in_order(run, what)
        result[rows[order]] = ~(differ(run[order]) | differ(what[order]))
    return result
