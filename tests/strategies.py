"""What the property tests draw: click logs of every valid kind, batches, scores, settings of a model.

`logs` puts on record (`hypothesis.event`, and the counter ``SEEN``) which features each log has;
`test_properties.test_every_feature_of_a_log_occurs` fails when one of them stops occurring. Draws are the same in every
run; with ``HYPOTHESIS_PROFILE=long`` there are ten times as many, and other ones in every run:

    HYPOTHESIS_PROFILE=long pytest tests/test_properties.py

``--hypothesis-show-statistics`` prints the events of each test.
"""

from __future__ import annotations

import datetime
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st

from gru4rec_lite import GRU4Rec
from gru4rec_lite.cells import CELLS
from gru4rec_lite.losses import LOSSES
from gru4rec_lite.network import EMBEDDINGS, OUTPUTS

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SEEN: Counter[str] = Counter()  # features of all the logs drawn so far


def examples(n: int, **more: Any) -> settings:
    """How many draws a property is tried on, ten times as many and never the same in a long run."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    more = {"phases": [Phase.explicit, Phase.generate, Phase.shrink]} | more  # to explain a failure takes a minute
    return settings(
        max_examples=n * 10 if LONG else n, derandomize=not LONG, deadline=None, database=None,
        suppress_health_check=slow, print_blob=LONG, **more,
    )  # fmt: skip


# --- ids


def _exact(low: int, high: int) -> st.SearchStrategy[int]:
    """Integers close together, anywhere, and at both ends of what a type holds."""
    ends = [
        *range(low, low + 3),
        *range(high - 2, high + 1),
        *(k for k in (-1, 0, 1, 7, 2**53 + 1) if low <= k <= high),
    ]
    close = st.integers(max(low, -3), min(high, 12))
    return st.one_of(close, close, st.sampled_from(ends), st.integers(low, high))


# blanks, names of missing values, numbers, texts of more letters than it looks, one whose order is another in UTF-16
ODD_TEXTS = [
    "", " ", "a", " a", "a ", "A", "7", "007", "7.0", "-1", "nan", "None", "True", "é", "e\u0301", "日本", "🛒",
    "\uffff", "a,b", 'a"b', "a\nb", "a\rb", "\r", "a\x00", "\x00", "a-1", "x" * 300, "[1, 2]", "1970-01-01",
]  # fmt: skip
texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=4))

INT64, UINT64 = (-(2**63), 2**63 - 1), (0, 2**64 - 1)
INTEGER_TYPES: dict[str, tuple[tuple[int, int], Any]] = {
    "int64": (INT64, "int64"), "int32": ((-(2**31), 2**31 - 1), "int32"), "int8": ((-128, 127), "int8"),
    "uint8": ((0, 255), "uint8"), "uint64": (UINT64, "uint64"), "Int64": (INT64, "Int64"),
    "Int8": ((-128, 127), "Int8"), "UInt64": (UINT64, "UInt64"),
    "integers as objects": (INT64, object), "large integers as objects": (UINT64, object),
    "categories of integers": (INT64, "category"), "Arrow's int64": (INT64, pd.ArrowDtype(pa.int64())),
}  # fmt: skip
TEXT_TYPES: dict[str, Any] = {
    "str": "str", "text as objects": object, "string[python]": "string[python]", "string[pyarrow]": "string[pyarrow]",
    "categories of text": "category", "Arrow's string": pd.ArrowDtype(pa.string()),
}  # fmt: skip


@st.composite
def id_columns(draw, n_ids: int, kind: str | None = None) -> tuple[list, Any, str]:
    """Different ids, the type of their column, and its name; of this kind ("text", "integer") or of any."""
    kinds = [*(TEXT_TYPES if kind != "integer" else ()), *(INTEGER_TYPES if kind != "text" else ())]
    name = draw(st.sampled_from(kinds))
    if name in TEXT_TYPES:
        return draw(st.lists(texts, min_size=n_ids, max_size=n_ids, unique=True)), TEXT_TYPES[name], name
    (low, high), dtype = INTEGER_TYPES[name]
    return draw(st.lists(_exact(low, high), min_size=n_ids, max_size=n_ids, unique=True)), dtype, name


# --- times: how a tick is written, and how many seconds it lasts

BERLIN = datetime.datetime(2023, 10, 29, 0, 30, tzinfo=datetime.UTC)  # in half an hour clocks go back there
Clock = tuple[Any, Fraction, Any]  # the time of tick 0, a tick in seconds, the column's type


CLOCKS: dict[str, Clock] = {
    "seconds": (0, Fraction(1), "int64"),
    "seconds of today": (1_700_000_000, Fraction(3600), "int64"),
    "seconds in 8 bits": (0, Fraction(2), "uint8"),
    "seconds in 32 bits": (-5, Fraction(1), "int32"),
    "Int64 seconds": (-100, Fraction(86400), "Int64"),
    "the last seconds there are": (10**11 - 40, Fraction(1), "uint64"),
    "float seconds": (1_700_000_000.0, Fraction(1, 10), "float64"),
    "milliseconds as floats": (1_700_000_000.0, Fraction(1, 1000), "float64"),
    "float seconds before 1970": (-1e9, Fraction(1, 7), "float64"),
    "float32 seconds": (0.0, Fraction(1, 4), "float32"),
    "Float64 seconds": (0.0, Fraction(1, 3), "Float64"),
    "Arrow's doubles": (0.0, Fraction(3600), pd.ArrowDtype(pa.float64())),
    "dates": (datetime.datetime(2024, 2, 28), Fraction(86400), "datetime64[us]"),
    "dates in nanoseconds": (datetime.datetime(2024, 1, 1), Fraction(1, 1000), "datetime64[ns]"),
    "dates in whole seconds": (datetime.datetime(1969, 12, 31, 23, 59, 50), Fraction(1), "datetime64[s]"),
    "dates in UTC": (datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), Fraction(1, 10**6), "datetime64[us, UTC]"),
    "dates in Berlin": (BERLIN, Fraction(900), "datetime64[ns, Europe/Berlin]"),
    "Arrow's timestamps": (datetime.datetime(2024, 1, 1), Fraction(60), pd.ArrowDtype(pa.timestamp("us"))),
}


def _time(clock: Clock, tick: int) -> tuple[Any, float]:
    """What stands in the column, and the same in seconds since 1970."""
    start, length, _ = clock
    if isinstance(start, datetime.datetime):
        at = start + datetime.timedelta(microseconds=int(tick * length * 10**6))
        zero = datetime.datetime(1970, 1, 1, tzinfo=start.tzinfo and datetime.UTC)
        return at, (at - zero) / datetime.timedelta(microseconds=1) / 1e6
    at = type(start)(start + tick * length)
    return at, float(np.float32(at)) if clock[2] == "float32" else float(at)


# --- frames


def _column(ids: list, dtype: Any) -> pd.Series:
    column = pd.Series(ids, dtype=object).astype(dtype)
    if dtype == "category":  # in an order of their own, and one that no row has
        spare = next(id for id in ("spare", "spare too", -7, -8) if isinstance(id, type(ids[0])) and id not in ids)
        column = column.cat.set_categories([spare, *column.cat.categories[::-1]], ordered=True)
    return column


def _repeated_labels(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(pd.Index(np.arange(len(frame)) % 2, name="ItemId"))


def _levels(frame: pd.DataFrame) -> pd.DataFrame:
    labels = pd.MultiIndex.from_arrays([["x"] * len(frame), range(len(frame))], names=["SessionId", None])
    return frame.set_axis(labels)


def _other_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """One with gaps, one without a name that is text, and two of the same name; and a note on the frame."""
    frame = frame.assign(price=np.where(np.arange(len(frame)) % 3, 1.5, np.nan), other=range(len(frame)))
    frame = pd.concat([frame, frame[["other"]]], axis=1).rename(columns={"price": 0})
    frame.attrs["source"] = ["a", "file"]
    return frame


def _two_files(frame: pd.DataFrame) -> pd.DataFrame:
    """Text in two pieces of memory, and labels that repeat."""
    half = len(frame) // 2
    return pd.concat([frame.iloc[:half].reset_index(drop=True), frame.iloc[half:].reset_index(drop=True)])


def _slice(frame: pd.DataFrame) -> pd.DataFrame:
    """Text and numbers that begin in the middle of their memory."""
    return pd.concat([frame.iloc[::-1], frame, frame.iloc[:1]], ignore_index=True).iloc[len(frame) : 2 * len(frame)]


FRAMES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "plain": lambda frame: frame,
    "repeated labels": _repeated_labels,
    "labels of several levels": _levels,
    "other columns": _other_columns,
    "two files put together": _two_files,
    "a slice of a longer log": _slice,
}


# --- logs


@dataclass
class Log:
    """A click log, and the same in plain Python."""

    frame: pd.DataFrame
    rows: list[tuple[Any, Any, float]]  # session, item, seconds
    ticks: list[int]  # the times as they were meant, before they were written in some type
    tick: Fraction  # in seconds

    def __post_init__(self):
        by_time = sorted(range(len(self.rows)), key=lambda row: self.rows[row][2])  # equal times: in order of rows
        self.sessions: dict[Any, list[int]] = {}  # rows of each, in order of their times
        for row in by_time:
            self.sessions.setdefault(self.rows[row][0], []).append(row)
        self.clicked = {s: [self.rows[row][1] for row in rows] for s, rows in self.sessions.items()}  # items
        self.items = [item for _, item, _ in self.rows]

    def pairs(self) -> Counter:
        """How often an item comes right after another one in a session."""
        return Counter(pair for items in self.clicked.values() for pair in pairwise(items))


def _somewhere(log: Log, holds: Callable[[int, int], bool]) -> bool:
    """Whether it holds for two rows one after the other in a session."""
    return any(holds(a, b) for rows in log.sessions.values() for a, b in pairwise(rows))


# what has tripped somebody up
HAS: dict[str, Callable[[Log], bool]] = {
    "exact duplicates": lambda log: len(set(log.rows)) < len(log.rows),
    "one-click session": lambda log: 1 in map(len, log.sessions.values()),
    "nothing but one-click sessions": lambda log: set(map(len, log.sessions.values())) == {1},
    "one session": lambda log: len(log.sessions) == 1,
    "one click": lambda log: len(log.rows) == 1,
    "one item": lambda log: len(set(log.items)) == 1,
    "equal times in a session": lambda log: _somewhere(log, lambda a, b: log.ticks[a] == log.ticks[b]),
    "sessions that start together": lambda log: (
        len({log.ticks[k[0]] for k in log.sessions.values()}) < len(log.sessions)
    ),
    "all at one time": lambda log: len(set(log.ticks)) == 1 < len(log.rows),
    "an immediate repeat": lambda log: _somewhere(log, lambda a, b: log.items[a] == log.items[b]),
    "an item comes back": lambda log: any(
        a == c != b for k in log.clicked.values() for a, b, c in zip(k, k[1:], k[2:], strict=False)
    ),
    "rows out of order": lambda log: log.ticks != sorted(log.ticks),
    "sessions interleaved": lambda log: sum(a[0] != b[0] for a, b in pairwise(log.rows)) >= len(log.sessions),
    "text ids of items": lambda log: isinstance(log.items[0], str),
    "text ids of sessions": lambda log: isinstance(log.rows[0][0], str),
    "integer ids of items": lambda log: isinstance(log.items[0], int),
    "negative ids": lambda log: any(isinstance(item, int) and item < 0 for item in log.items),
    "ids beyond int64": lambda log: any(isinstance(item, int) and item >= 2**63 for item in log.items),
    "numbers as text": lambda log: any(isinstance(item, str) and item.strip("-").isdigit() for item in log.items),
    "an empty text": lambda log: "" in log.items,
    "text beyond ASCII": lambda log: any(isinstance(item, str) and not item.isascii() for item in log.items),
    "times before 1970": lambda log: min(time for *_, time in log.rows) < 0,
}
FEATURES = {
    *HAS,
    *(f"{column}: {name}" for column in ("items", "sessions") for name in (*TEXT_TYPES, *INTEGER_TYPES)),
    *(f"times: {name}" for name in CLOCKS),
    *(f"frame: {name}" for name in FRAMES),
}


@st.composite
def logs(draw, trainable: bool = False, items: tuple[list, Any, str] | None = None) -> Log:
    """A click log of any valid kind; ``trainable``: with a session of two clicks, or more. ``items``: of these ids."""
    # a click is (session, item, tick) in small numbers, which repeat often; what these are called is drawn after that
    session, tick = st.integers(0, draw(st.sampled_from([0, 3, 6]))), st.integers(0, draw(st.sampled_from([0, 4, 20])))
    n_items = len(items[0]) if items else draw(st.sampled_from([1, 2, 5]))
    click = st.tuples(session, st.integers(0, n_items - 1), tick)
    clicks = draw(st.lists(click, min_size=2 if trainable else 1, max_size=20))
    if trainable and len({s for s, *_ in clicks}) == len(clicks):
        clicks.append((clicks[0][0], *clicks[-1][1:]))
    if draw(st.booleans()):
        clicks.sort(key=lambda click: click[2])
    sessions, session_type, session_name = draw(id_columns(7))
    item_ids, item_type, item_name = items or draw(id_columns(5))
    clock_name = draw(st.sampled_from(list(CLOCKS)))
    clock = CLOCKS[clock_name]
    times, in_seconds = zip(*(_time(clock, t) for *_, t in clicks), strict=True)
    columns = {
        "SessionId": _column([sessions[s] for s, *_ in clicks], session_type),
        "ItemId": _column([item_ids[i] for _, i, _ in clicks], item_type),
        "Time": pd.Series(times, dtype=None if isinstance(times[0], datetime.datetime) else object).astype(clock[2]),
    }
    frame = pd.DataFrame(columns)[draw(st.permutations(list(columns)))]
    name = draw(st.sampled_from(list(FRAMES)))
    frame = FRAMES[name](frame)
    rows = [(sessions[s], item_ids[i], time) for (s, i, _), time in zip(clicks, in_seconds, strict=True)]
    log = Log(frame, rows, [t for *_, t in clicks], clock[1])
    has = [name for name, holds in HAS.items() if holds(log)]
    for feature in (*has, f"items: {item_name}", f"sessions: {session_name}", f"times: {clock_name}", f"frame: {name}"):
        event(feature)
        SEEN[feature] += 1
    return log


# --- batches, scores, models

STEPS = {"lengths": st.lists(st.integers(0, 8), max_size=14), "batch_size": st.sampled_from([1, 2, 3, 4, 7, 40])}

extreme = st.sampled_from([1e4, -1e4, 0.0, 1.0, -1.0, 88.0, -104.0, 200.0, -200.0, 1e-3, 9999.0, 1e-30])
scores_in_range = st.one_of(extreme, st.floats(-1e4, 1e4, width=32), st.floats(-3, 3, width=32))


@st.composite
def score_matrices(draw) -> tuple[np.ndarray, np.ndarray]:
    """Scores ``(B, C)`` from -1e4 to 1e4, float32, and any negatives, lanes without one among them."""
    lanes, extra = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    shape = lanes, lanes + extra
    n = shape[0] * shape[1]
    values = draw(st.lists(scores_in_range, min_size=1, max_size=draw(st.sampled_from([2, n]))))
    scores = np.resize(np.array(values, dtype=np.float32), shape)  # few values repeat: equal scores
    mask = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))).reshape(shape)
    mask |= draw(st.booleans())
    np.fill_diagonal(mask, False)
    event(f"a lane without negatives: {not mask.any(axis=1).all()}")
    event(f"scores of 1e4: {bool((abs(scores) == 1e4).any())}")
    return scores, mask


@st.composite
def models(draw, **fixed: Any) -> GRU4Rec:
    """A GRU4Rec that trains in a blink, of every valid kind."""
    loss = draw(st.sampled_from(list(LOSSES)))
    embedding = draw(st.sampled_from(EMBEDDINGS))
    batch_size, n_samples = draw(st.integers(1, 4)), draw(st.sampled_from([0, 3]))
    chosen: dict[str, Any] = {
        "layers": draw(st.sampled_from([(4,), (3, 4)])), "cell": draw(st.sampled_from(list(CELLS))),
        "embedding": embedding,
        "embedding_size": draw(st.sampled_from([None, 2])) if embedding == "separate" else None, "loss": loss,
        "output": draw(st.sampled_from(["auto", *OUTPUTS])), "batch_size": max(batch_size, 1 + (n_samples == 0)),
        "n_samples": n_samples, "sample_alpha": draw(st.sampled_from([0.0, 0.75, 1.0])) if n_samples else 0.75,
        "logq": draw(st.sampled_from([None, 0.0, 0.5])) if loss == "cross-entropy" else None,
        "bpreg": draw(st.sampled_from([0.0, 1.0])) if loss == "bpr-max" else 1.0,
        "dropout_embed": draw(st.sampled_from([0.0, 0.9])), "dropout_hidden": draw(st.sampled_from([0.0, 0.5])),
        "learning_rate": draw(st.sampled_from([0.05, 0.5])), "momentum": draw(st.sampled_from([0.0, 0.5])),
        "n_epochs": 1, "compile": False, "seed": draw(st.integers(0, 3)), "device": "cpu",
    }  # fmt: skip
    for name in ("loss", "cell", "embedding"):
        event(f"{name}: {chosen[name]}")
    return GRU4Rec(**{**chosen, **fixed})
