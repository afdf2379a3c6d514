"""Every type of column as ids: accepted and given back, or an error whose remedy makes ids of it."""

from __future__ import annotations

import datetime as dt
import uuid
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from remedies import follow

from gru4rec_lite import clicks
from gru4rec_lite.clicks import ClickLogError

WHOLE = [3, 1, 3]
TEXT = ["b", "a", "b"]


def arrow(values, kind=None) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values, kind)])))


def dictionary(values, kind=None) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values, kind).dictionary_encode()])))


BITS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
ARROW_TEXT = (pa.string(), pa.large_string(), pa.string_view())
WALLS = [dt.datetime(2014, 4, 7, 10), dt.datetime(2014, 4, 7, 9), dt.datetime(2014, 4, 7, 10)]

ACCEPTED: dict[str, tuple[pd.Series, list]] = {
    **{kind: (pd.Series(WHOLE, dtype=kind), WHOLE) for kind in BITS},
    **{kind: (pd.Series(WHOLE, dtype=kind), WHOLE) for kind in (k.capitalize().replace("Ui", "UI") for k in BITS)},
    **{f"arrow {kind}": (arrow(WHOLE, getattr(pa, kind)()), WHOLE) for kind in BITS},
    **{f"a dictionary of {kind}": (dictionary(WHOLE, getattr(pa, kind)()), WHOLE) for kind in BITS},
    **{f"arrow {kind}": (arrow(TEXT, kind), TEXT) for kind in ARROW_TEXT},
    **{
        f"text ({kind})": (pd.Series(TEXT, dtype=kind), TEXT)
        for kind in (object, "str", "string[python]", "string[pyarrow]", "category", "U3")
    },
    "a dictionary of text": (dictionary(TEXT), TEXT),
    "a dictionary of long text": (dictionary(TEXT, pa.large_string()), TEXT),
    "a dictionary in two pieces": (
        pd.Series(
            pd.arrays.ArrowExtensionArray(
                pa.chunked_array([pa.array(TEXT[:1]).dictionary_encode(), pa.array(TEXT[1:]).dictionary_encode()])
            )
        ),
        TEXT,
    ),
    "objects of int": (pd.Series(WHOLE, dtype=object), WHOLE),
    "objects of NumPy's integers": (pd.Series([np.int8(3), np.int64(1), 3], dtype=object), WHOLE),
    "objects of NumPy's text": (pd.Series([np.str_("b"), "a", "b"], dtype=object), TEXT),
    "sparse integers": (pd.Series(pd.arrays.SparseArray([3, 1, 3])), WHOLE),
    "categories of integers": (pd.Series(WHOLE).astype("category"), WHOLE),
    "categories of int8": (pd.Series(WHOLE, dtype="int8").astype("category"), WHOLE),
    "categories of nullable integers": (pd.Series(WHOLE, dtype="Int16").astype("category"), WHOLE),
    "categories of objects of int": (
        pd.Series(pd.Categorical(WHOLE, categories=pd.Index([1, 3, 5], dtype=object))),
        WHOLE,
    ),
    "categories of arrow's text": (arrow(TEXT).astype("category"), TEXT),
    "categories of string[python]": (pd.Series(TEXT, dtype="string[python]").astype("category"), TEXT),
    "ordered categories": (pd.Series(pd.Categorical(TEXT, ["b", "z", "a"], ordered=True)), TEXT),
    "the largest of 64 bits": (pd.Series([2**64 - 1, 0, 2**64 - 1], dtype="UInt64"), [2**64 - 1, 0, 2**64 - 1]),
    "the largest of 64 bits in a dictionary": (
        dictionary([2**64 - 1, 0, 2**64 - 1], pa.uint64()),
        [2**64 - 1, 0, 2**64 - 1],
    ),
    "the largest of 64 bits in categories": (
        pd.Series([2**64 - 1, 0, 2**64 - 1], dtype="uint64").astype("category"),
        [2**64 - 1, 0, 2**64 - 1],
    ),
}

REFUSED: dict[str, tuple[pd.Series, str, list]] = {
    "whole floats": (pd.Series([3.0, 1.0, 3.0]), r"3.0 is not an id here \(floating\).*astype\('int64'\)", WHOLE),
    "floats": (pd.Series([3.5, 1.0, 3.5]), r"3.5 is not an id here.*astype\(str\)", ["3.5", "1.0", "3.5"]),
    "float32": (pd.Series([3.0, 1.0, 3.0], dtype="float32"), "int64", WHOLE),
    "float16": (pd.Series([3.5, 1.0, 3.5], dtype="float16"), "str", ["3.5", "1.0", "3.5"]),
    "nullable floats": (pd.Series([3.0, 1.0, 3.0], dtype="Float64"), "int64", WHOLE),
    "arrow's floats": (arrow([3.0, 1.0, 3.0]), "int64", WHOLE),
    "arrow's halffloats": (arrow(np.array([3, 1, 3], np.float16)), "int64", WHOLE),
    "a dictionary of floats": (dictionary([3.0, 1.0, 3.0]), "int64", WHOLE),
    "sparse floats": (pd.Series(pd.arrays.SparseArray([3.0, 1.0, 3.0])), "int64", WHOLE),
    "categories of floats": (pd.Series([3.0, 1.0, 3.0]).astype("category"), "int64", WHOLE),
    "truths": (pd.Series([True, False, True]), r"True is not an id here.*astype\(str\)", ["True", "False", "True"]),
    "nullable truths": (
        pd.Series([True, False, True], dtype="boolean"),
        "True is not an id here",
        ["True", "False", "True"],
    ),
    "arrow's truths": (arrow([True, False, True]), "True is not an id here", ["True", "False", "True"]),
    "categories of truths": (
        pd.Series([True, False, True]).astype("category"),
        "True is not an id here",
        ["True", "False", "True"],
    ),
    "whole Decimals": (pd.Series([Decimal(3), Decimal(1), Decimal(3)]), "int64", WHOLE),
    "Decimals": (pd.Series([Decimal("3.5"), Decimal(1), Decimal("3.5")]), "str", ["3.5", "1", "3.5"]),
    "arrow's decimals": (arrow([Decimal(3), Decimal(1), Decimal(3)], pa.decimal128(20, 0)), "int64", WHOLE),
    "arrow's decimals with cents": (
        arrow([Decimal("3.5"), Decimal(1), Decimal("3.5")], pa.decimal256(40, 2)),
        "str",
        ["3.50", "1.00", "3.50"],
    ),
    "complex numbers": (pd.Series([3j, 1, 3j]), "str", ["3j", "(1+0j)", "3j"]),
    "bytes": (pd.Series([b"b", b"a", b"b"], dtype=object), "b'b' is not an id here", TEXT),
    "arrow's binary": (arrow([b"b", b"a", b"b"]), "b'b' is not an id here", TEXT),
    "bytes that are no text": (
        pd.Series([b"\xff", b"a", b"\xff"], dtype=object),
        "is not an id here",
        [r"b'\xff'", "b'a'", r"b'\xff'"],
    ),
    "UUIDs": (
        pd.Series([uuid.UUID(int=3), uuid.UUID(int=1), uuid.UUID(int=3)]),
        "is not an id here",
        [str(uuid.UUID(int=k)) for k in WHOLE],
    ),
    "datetimes": (pd.Series(WALLS), "is not an id here", [str(wall) for wall in WALLS]),
    "datetimes with a zone": (
        pd.Series(WALLS).dt.tz_localize("UTC"),
        "is not an id here",
        [f"{wall}+00:00" for wall in WALLS],
    ),
    "arrow's timestamps": (arrow(WALLS), "is not an id here", [str(wall) for wall in WALLS]),
    "dates": (pd.Series([wall.date() for wall in WALLS], dtype=object), "is not an id here", ["2014-04-07"] * 3),
    "arrow's dates": (arrow([wall.date() for wall in WALLS]), "is not an id here", ["2014-04-07"] * 3),
    "times of day": (
        pd.Series([wall.time() for wall in WALLS]),
        "is not an id here",
        ["10:00:00", "09:00:00", "10:00:00"],
    ),
    "arrow's times of day": (
        arrow([wall.time() for wall in WALLS]),
        "is not an id here",
        ["10:00:00", "09:00:00", "10:00:00"],
    ),
    "timedeltas": (
        pd.Series(pd.to_timedelta(WHOLE, unit="s")),
        "is not an id here",
        [str(pd.Timedelta(k, "s")) for k in WHOLE],
    ),
    "arrow's durations": (arrow([dt.timedelta(seconds=k) for k in WHOLE]), "is not an id here", None),
    "periods": (
        pd.Series(pd.PeriodIndex(["2014-04", "2014-03", "2014-04"], freq="M")),
        "is not an id here",
        ["2014-04", "2014-03", "2014-04"],
    ),
    "intervals": (pd.Series(pd.cut([3, 1, 3], [0, 2, 4])), "is not an id here", ["(2, 4]", "(0, 2]", "(2, 4]"]),
    "tuples": (pd.Series([(3, "b"), (1, "a"), (3, "b")]), "is not an id here", ["(3, 'b')", "(1, 'a')", "(3, 'b')"]),
    "dicts": (
        pd.Series([{"id": 3}, {"id": 1}, {"id": 3}]),
        "is not an id here",
        ["{'id': 3}", "{'id': 1}", "{'id': 3}"],
    ),
    "structs": (arrow([{"id": 3}, {"id": 1}, {"id": 3}]), "is not an id here", ["{'id': 3}", "{'id': 1}", "{'id': 3}"]),
    "text and numbers": (
        pd.Series(["a", 3, "a"], dtype=object),
        r"3 is not an id here.*row: 2 .*1 in all.*astype\(str\)",
        ["a", "3", "a"],
    ),
    "numbers and truths": (
        pd.Series([3, True, 3], dtype=object),
        r"True is not an id here.*row: 2 ",
        ["3", "True", "3"],
    ),
    "integers beyond 64 bits": (
        pd.Series([2**64, 1, 2**64], dtype=object),
        "does not fit in 64 bits",
        [str(2**64), "1", str(2**64)],
    ),
    "half a letter": (pd.Series(["\ud800", "a", "\ud800"], dtype=object), "is not Unicode text", ["?", "a", "?"]),
    "nothing": (arrow([None] * 3, pa.null()), "an empty field is not an id.*3 in all", ["unknown"] * 3),
    "nothing but None": (pd.Series([None] * 3, dtype=object), "an empty field is not an id.*3 in all", ["unknown"] * 3),
    "nothing but nan": (pd.Series([np.nan] * 3), "an empty field is not an id.*3 in all", ["unknown"] * 3),
    "a missing category": (
        pd.Series(pd.Categorical(["b", "a", None])),
        "an empty field is not an id.*row: 3 ",
        ["b", "a"],
    ),
    "a missing category of integers": (
        pd.Series(pd.Categorical([3, 1, None])),
        "an empty field is not an id.*row: 3 ",
        [3, 1],
    ),
    "a missing id in a dictionary": (dictionary(["b", "a", None]), "an empty field is not an id.*row: 3 ", ["b", "a"]),
    "a missing nullable": (pd.Series([3, 1, None], dtype="Int64"), "an empty field is not an id.*row: 3 ", [3, 1]),
    "a missing text": (
        pd.Series(["b", "a", None], dtype="string[python]"),
        "an empty field is not an id.*row: 3 ",
        ["b", "a"],
    ),
}


def log_of(ids: pd.Series, column: str) -> pd.DataFrame:
    return pd.DataFrame({"SessionId": 1, "ItemId": 1, "UserId": 1, "Time": range(len(ids))}).assign(**{column: ids})


@pytest.mark.parametrize("column", ["ItemId", "SessionId"])
@pytest.mark.parametrize("name", ACCEPTED)
def test_ids_of_any_type_are_taken_and_come_back(name, column):
    given, expected = ACCEPTED[name]
    log = log_of(given, column)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = clicks.encode(log)
        kept = clicks.prepare(log, min_session=1, drop_duplicates=True, verbose=False)
    assert sorted((found.index if column == "ItemId" else found.ids).tolist()) == sorted(set(expected))
    assert kept[column].tolist() == expected
    if column == "ItemId":
        assert [found.index[item] for item in found.items] == expected
        test = log_of(pd.Series(expected), column)
        assert clicks.encode(test, found.index).items.tolist() == found.items.tolist()
    assert log[column].dtype == given.dtype


@pytest.mark.parametrize("name", ACCEPTED)
def test_users_of_any_type_have_sessions(name):
    given, expected = ACCEPTED[name]
    sessions = clicks.sessionise(log_of(given, "UserId"))["SessionId"].tolist()
    assert sessions == [f"{user}-1" for user in expected]


@pytest.mark.parametrize("column", ["ItemId", "SessionId"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_id_is_refused_and_its_remedy_makes_ids(name, column):
    given, message, expected = REFUSED[name]
    log = log_of(given, column)
    with pytest.raises(ClickLogError, match=f"(?s)^Column '{column}': .*{message}") as error:
        clicks.check(log)
    assert "First bad row: " in str(error.value)
    mended, messages = follow(log, clicks.check)
    ids = clicks.check(mended)[column].tolist()
    if expected is None:
        assert len(set(ids)) == given.nunique(), messages
    else:
        assert ids == expected, messages


def test_large_float_ids_have_lost_digits_and_no_cast_brings_them_back(tmp_path):
    ids = [2**53 + 1, 2**53 + 3, 7]
    pd.DataFrame({"SessionId": 1, "ItemId": ids, "Time": range(3)}).to_csv(tmp_path / "log.csv")
    for kind in ("float64", "float32", "Float64"):
        log = log_of(pd.Series(ids).astype(kind), "ItemId")
        with pytest.raises(
            ClickLogError, match=r"too large for a float: its last digits may be lost.*row: 1 .*2 in all"
        ):
            clicks.encode(log)
    with pytest.raises(ClickLogError, match=r"too large for a float"):
        clicks.encode(log_of(pd.Series([2**24 + 1, 1, 1], dtype="float32"), "ItemId"))
    options = "dtype={'ItemId': str}"
    with pytest.raises(ClickLogError) as error:
        clicks.encode(pd.read_csv(tmp_path / "log.csv", dtype={"ItemId": "float64"}))
    assert options in str(error.value)
    log = pd.read_csv(tmp_path / "log.csv", dtype={"ItemId": str})
    assert clicks.encode(log).index.tolist() == sorted(map(str, ids))


def test_a_dictionary_column_of_a_parquet_file_is_read(tmp_path):
    log = pd.DataFrame({"SessionId": [1, 1], "ItemId": pd.Categorical(["a", "b"]), "Time": [1, 2]})
    log.to_parquet(tmp_path / "log.parquet")
    for backend in ({}, {"dtype_backend": "pyarrow"}, {"dtype_backend": "numpy_nullable"}):
        found = clicks.encode(pd.read_parquet(tmp_path / "log.parquet", **backend))
        assert (found.index.tolist(), found.items.tolist()) == (["a", "b"], [0, 1])
    assert clicks.encode(clicks.read(tmp_path / "log.parquet")).index.tolist() == ["a", "b"]
