"""What an argument must be, and so the values that it may not have, each with the message that it must give."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from logs import random_log, tiny

import gru4rec_lite as g4r
from gru4rec_lite import clicks

NAN, INF, HALF = float("nan"), float("inf"), "\ud800"  # half a letter: text that no file can hold
TYPE, RANGE, CORRUPT = "wrong type", "out of range", "corrupt"


CLE = clicks.ClickLogError
LOG = random_log()
ITEMS, OFFSETS, TIMES = np.array([0, 1, 2, 1, 0]), np.array([0, 3, 5]), np.arange(5.0)
SCORES, NEGATIVE = torch.arange(15.0).reshape(3, 5), ~torch.eye(3, 5, dtype=torch.bool)
SUPPORT = torch.tensor([2.0, 2.0, 1.0])


class Bad(NamedTuple):
    """A value that must be refused; ``says`` is a pattern of the message, and None: ``argument=value: must be``."""

    kind: str
    value: Any
    says: str | None = None
    error: type[Exception] = ValueError


def bad(kind: str, *values: Any, says: str | None = None, error: type[Exception] = ValueError) -> list[Bad]:
    return [Bad(kind, value, says, error) for value in values]


def whole(least: int = 1) -> list[Bad]:
    return bad(TYPE, "3", 2.5, True, None, NAN, [3]) + bad(RANGE, least - 1, -7)


def number(*outside: float, more: tuple = ()) -> list[Bad]:
    return bad(TYPE, "0.5", None, True, [0.5], *more) + bad(RANGE, *outside, NAN)


def choice(*others: Any) -> list[Bad]:
    return bad(TYPE, None, 3, ["a"]) + bad(RANGE, "nonsense", *others)


def flag() -> list[Bad]:
    return bad(TYPE, "no", None, 1, [])


def log(empty: bool = False, column: str = "SessionId") -> list[Bad]:
    """A click log: what stands for one, columns that are missing or twice, ids and times that are none."""
    good = random_log().rename(columns={"SessionId": column})
    columns, half = [column, "ItemId", "Time"], pd.Series([HALF] * len(good), dtype=object)
    frames = {
        f"{c!r} is missing.*Remedy: rename": good.drop(columns=c) for c in columns
    } | {
        f"{c!r} occurs 2 times": pd.concat([good, good[[c]]], axis=1) for c in columns
    } | {
        f"{c!r}: an empty field is not (an id|a time).*First bad row: 1 .*Remedy": good.assign(**{c: None})
        for c in columns
    } | {
        "'ItemId': 1.5 is not an id here.*First bad row: 1 .*Remedy": good.assign(ItemId=1.5),
        "'ItemId': True is not an id here": good.assign(ItemId=True),
        r"'ItemId': '\\ud800' is not Unicode text.*Remedy": good.assign(ItemId=half),
        "'Time': 'soon' is neither.*First bad row: 1 .*Remedy": good.assign(Time="soon"),
        "'Time': nan is not a time|'Time': an empty field": good.assign(Time=NAN),
        "'Time': inf is not a time": good.assign(Time=INF),
        "'Time': 20141030 is a date written as a number.*Remedy": good.assign(Time=20141030),
        f"{column!r}: .*is a list, and each row is a whole session": good.assign(**{column: [["a"]] * len(good)}),
        "'Time': .*cannot be seconds.*milliseconds": good.assign(Time=1.6e12),
    }  # fmt: skip
    return (
        bad(TYPE, "log.csv", None, [("s", "i", 1)], good.to_dict("list"), good["ItemId"],
            says="must be a pandas DataFrame.*not a .*Remedy", error=clicks.ClickLogError)
        + [Bad(CORRUPT, frame, says, clicks.ClickLogError) for says, frame in frames.items()]
        + ([] if empty else bad(RANGE, good.iloc[:0], says="is empty.*Remedy", error=clicks.ClickLogError))
    )  # fmt: skip


def ids(name: str) -> list[Bad]:
    """A list of item ids."""
    wrong = rf"^{name}=.*: must be a list of item ids"
    return (
        bad(TYPE, "a", None, 3, b"a", iter("ab"), LOG, says=wrong)
        + bad(CORRUPT, [["a"]], [{}], [{"a"}], says=rf"^{name}\[0\]=.*: must be one item id")
        + bad(CORRUPT, [HALF], says=rf"^{name}\[0\]='.ud800': must be Unicode text")
    )  # fmt: skip


def times(of: str = "times") -> list[Bad]:
    seconds = r"Column 'times': .*First bad row"
    return (
        bad(TYPE, 3, "ab", {1: 2}, says=rf"^{of}=.*: must be a list of")
        + bad(RANGE, [], [1.0], [1.0, 2.0, 3.0], says=rf"^{of}: \d .*; give one")
        + bad(CORRUPT, [1.0, "x"], [NAN, 1.0], [1e12, 1.0], [None, None], says=seconds)
    )


def items_of_sessions() -> list[Bad]:
    return (
        bad(TYPE, None, "abc", 3, [0.0, 1.5, 2.0, 1.0, 0.0], list("abcde"))
        + bad(RANGE, [0, 1, -2, 1, 0], says=r"^items\[2\]=-2: must be (at least|from) -1")
        + bad(CORRUPT, [[0], [1], [2], [1], [0]])
        + bad(CORRUPT, [0, 1, 2], says=r"^offsets=\[0, 3, 5\]: must be .*3, the number of clicks")
    )


def offsets_of_sessions() -> list[Bad]:
    return (
        bad(TYPE, None, "x", 5, [0.0, 3.0, 5.0])
        + bad(RANGE, [0, 3, 9], says=r"^offsets=\[0, 3, 9\]: must be where .*at most 5")
        + bad(RANGE, [-1, 3, 5], says=r"^offsets\[0\]=-1: must be at least 0")
        + bad(CORRUPT, [0, 4, 3, 5], says=r"^offsets=\[0, 4, 3, 5\]: .*never decreasing")
        + bad(CORRUPT, [[0, 5]])
        + bad(CORRUPT, [], says=r"^offsets=\[\]: must be")
    )


def as_arrays(rows: list[Bad]) -> list[Bad]:
    """The same for a model, which takes NumPy's arrays alone; and items beyond its catalogue."""
    values = [np.asarray(row.value) if isinstance(row.value, list) else row.value for row in rows]
    named = "items" if any("items" in (row.says or "") for row in rows) else "offsets"
    more = bad(TYPE, [0, 1, 2, 1, 0], says=rf"^{named}=.*: must be a NumPy array")
    if named == "items":
        more += bad(RANGE, np.array([0, 1, 999, 1, 0]), says=r"^items\[2\]=999: must be from -1 to \d+")
    return [row._replace(value=value) for row, value in zip(rows, values, strict=True)] + more


def scores_of_loss() -> list[Bad]:
    return (
        bad(TYPE, None, SCORES.numpy(), SCORES.long(), says="^scores=")
        + bad(RANGE, torch.zeros(5, 3), says=r"^scores=.*\(5, 3\): must be .*B at most C")
        + bad(CORRUPT, SCORES[0], SCORES[None], says=r"^scores=.*: must be a tensor \(B, C\)")
        + bad(CORRUPT, SCORES[:2], SCORES[:, :4], says=r"^is_negative=.*: must be bool, with the shape of scores")
    )


def is_negative() -> list[Bad]:
    return (
        bad(TYPE, None, NEGATIVE.numpy(), says="^is_negative=")
        + bad(TYPE, NEGATIVE.float(), NEGATIVE.long(), says=r"^is_negative=torch\.\w+, \(3, 5\): must be bool")
        + bad(RANGE, NEGATIVE[:1], NEGATIVE[:, :1], NEGATIVE[:2], says="^is_negative=.*: must be bool, with the shape")
        + bad(CORRUPT, NEGATIVE[0], says=r"^is_negative=.*: must be a tensor")
    )


def numbers_of_items(name: str) -> list[Bad]:
    dimensions = rf"^{name}=.*: must be a tensor of 1 dimension of int64"
    return (
        bad(TYPE, None, [0, 1], torch.tensor([0.0, 1.0]), says=dimensions)
        + bad(CORRUPT, torch.ones(2, 2).long(), says=dimensions)
    )  # fmt: skip


def column(*missing: str) -> list[Bad]:
    return bad(TYPE, 3, ["a"]) + bad(RANGE, *missing, says="Column '.*' is missing: the log has", error=CLE)


def model() -> list[Bad]:
    return bad(TYPE, None, "m", LOG.to_numpy(), g4r.GRU4Rec, says=r"^(model|other)=.*: must be a recommender") + bad(
        RANGE, tiny(), g4r.baselines.Pop(), says=r"^(model|other): this \w+ has not learned anything yet.*fit"
    )


def group() -> list[Bad]:
    return (
        bad(TYPE, None, "x", 3, says=r"^group: \(\) labels for 112 predictions; give one for each")
        + bad(RANGE, [1], says=r"^group: \(1,\) labels for 112 predictions; give one for each")
        + bad(
            CORRUPT,
            [None] * 112,
            [NAN] * 112,
            np.array([1, "a"] * 56, dtype=object),
            says="^group=.*: must be labels of one kind",
        )
    )


def ranks() -> list[Bad]:
    return (
        bad(TYPE, None, "x", ["a", "b"], [True])
        + bad(RANGE, [0.0, 1.0], says=r"^ranks\[0\]=0.0: must be at least 1")
        + bad(CORRUPT, [1.0, NAN], says=r"^ranks\[1\]=nan: must be at least 1")
        + bad(CORRUPT, [[1.0, 2.0]])
    )  # fmt: skip


def given(rows: list[Bad]) -> list[Bad]:
    """The same where None is the default."""
    return [row for row in rows if row.value is not None]


def drawn(name: str, *values: Any) -> list[Bad]:
    """Lists of what cannot be drawn."""
    return bad(CORRUPT, *values, says=rf"^{name}\[0\]=.*: must be")
