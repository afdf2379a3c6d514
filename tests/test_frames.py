"""What is no plain frame: tables of other libraries, a session per row, odd columns that are carried along."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest
from pandas.testing import assert_frame_equal
from remedies import done, follow

from gru4rec_lite import clicks
from gru4rec_lite.clicks import ClickLogError

LOG = pd.DataFrame({"SessionId": [1, 1, 2], "ItemId": ["a", "b", "a"], "Time": [0.0, 1.5, 3.0]})
ROWS = list(LOG.itertuples(index=False, name=None))
TABLE = pa.Table.from_pandas(LOG)
Click = namedtuple("Click", ["SessionId", "ItemId", "Time"])


class Other:
    """A table of a library that is not installed here: a method that gives the frame of pandas."""

    def __init__(self, method: str, result=LOG):
        setattr(self, method, lambda: result)


OTHERS = {
    "a pyarrow.Table": (TABLE, r"pyarrow\.Table.*to_pandas\(\)"),
    "a pyarrow.RecordBatch": (TABLE.to_batches()[0], r"pyarrow\.RecordBatch.*to_pandas\(\)"),
    "a pyarrow.RecordBatchReader": (TABLE.to_reader(), "read_pandas"),
    "a pyarrow dataset": (pa.dataset.dataset(TABLE), "to_table"),
    "polars, eager": (Other("to_pandas"), r"test_frames\.Other.*to_pandas\(\)"),
    "polars, lazy": (Other("collect", Other("to_pandas")), r"collect\(\)\.to_pandas\(\)"),
    "Spark": (Other("toPandas"), r"toPandas\(\)"),
    "dask": (Other("compute"), r"compute\(\)"),
    "duckdb": (Other("df"), r"df\(\)"),
    "a dict of columns": (LOG.to_dict("list"), r"builtins\.dict"),
    "a dict of arrays": ({name: LOG[name].to_numpy() for name in LOG}, r"builtins\.dict"),
    "a list of dicts": (LOG.to_dict("records"), r"builtins\.list"),
    "a list of tuples": (ROWS, r"builtins\.list.*columns=\['SessionId', 'ItemId', 'Time'\]"),
    "a tuple of tuples": (tuple(ROWS), r"builtins\.tuple"),
    "a list of lists": ([list(row) for row in ROWS], r"builtins\.list"),
    "a list of named tuples": ([Click(*row) for row in ROWS], r"builtins\.list"),
    "an iterator": (iter(ROWS), r"tuple_iterator|list_iterator"),
    "a zip": (zip(*zip(*ROWS, strict=True), strict=True), r"builtins\.zip"),
    "an array of objects": (np.array(ROWS, dtype=object), r"numpy\.ndarray"),
    "a structured array": (
        np.array(ROWS, dtype=[("SessionId", int), ("ItemId", "U1"), ("Time", float)]),
        r"numpy\.ndarray",
    ),
    "a record array": (LOG.to_records(index=False), r"numpy\.(rec\.)?recarray"),
    "groups of a frame": (LOG.groupby("SessionId"), "DataFrameGroupBy"),
    "a Series with ids as labels": (LOG.set_index(["SessionId", "ItemId"])["Time"], "Series.*reset_index"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_librarys_table_is_told_how_to_become_a_frame(name):
    table, message = OTHERS[name]
    with pytest.raises(ClickLogError, match=f"must be a pandas DataFrame .* not a .*{message}") as error:
        clicks.check(table)
    frame = done(table, str(error.value))
    assert_frame_equal(clicks.check(frame), LOG, check_dtype=False)


@pytest.mark.parametrize("function", [clicks.prepare, clicks.encode, clicks.split_by_time, clicks.sessionise])
def test_every_function_says_so(function):
    for table in (TABLE, LOG.to_dict("list"), ROWS):
        with pytest.raises(ClickLogError, match=r"must be a pandas DataFrame.*Remedy: clicks = "):
            function(table)


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("log.csv", r"clicks\.read\(path\)"),
        (b"log", r"clicks\.read\(path\)"),
        (None, r"clicks\.read\(path\)"),
        (pd.DataFrame, r"clicks\.read\(path\)"),
        ([], r"clicks\.read\(path\)"),
        (LOG["Time"], "a frame with all of"),
        (clicks.encode(LOG), r"pass the frame that clicks\.encode made it from"),
    ],
)
def test_what_cannot_become_a_frame_is_told_what_to_give(value, remedy):
    with pytest.raises(ClickLogError, match=f"must be a pandas DataFrame.*Remedy: {remedy}"):
        clicks.check(value)


# --- columns that stand elsewhere


def test_ids_that_are_labels_become_columns():
    mended, messages = follow(LOG.set_index(["SessionId", "Time"]), clicks.check)
    assert "Column 'SessionId' is missing" in messages[0]
    assert_frame_equal(clicks.check(mended)[LOG.columns], LOG)


@pytest.mark.parametrize("level", [0, 1])
def test_columns_of_two_levels_are_told_which_to_keep(level):
    names = [(name, "x")[:: 1 - 2 * level] for name in LOG]
    mended, messages = follow(LOG.set_axis(pd.MultiIndex.from_tuples(names), axis=1), clicks.check)
    assert f"get_level_values({level})" in messages[0]
    assert_frame_equal(clicks.check(mended), LOG)


def test_a_log_without_times_can_keep_the_order_of_its_rows():
    mended, messages = follow(LOG.drop(columns="Time"), clicks.check)
    assert "Column 'Time' is missing" in messages[0]
    assert "clicks.rename(columns={'its name': 'Time'})" in messages[0]
    assert clicks.encode(mended).times.tolist() == [0, 1, 2]


# --- a session per row

SESSIONS = pd.DataFrame({"SessionId": [1, 2], "ItemId": [["a", "b"], ["c"]], "Time": [[1, 2], [3]]})


def arrow(values, kind=None) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values, kind)])))


STAMPS = [[pd.Timestamp(1, unit="s"), pd.Timestamp(2, unit="s")], [pd.Timestamp(3, unit="s")]]
LISTS = {
    "lists": (SESSIONS, [1, 2, 3]),
    "lists of text times": (SESSIONS.assign(Time=[["1", "2"], ["3"]]), [1, 2, 3]),
    "arrays": (SESSIONS.map(lambda v: np.array(v) if isinstance(v, list) else v), [1, 2, 3]),
    "tuples": (SESSIONS.map(lambda v: tuple(v) if isinstance(v, list) else v), [1, 2, 3]),
    "lists and tuples": (SESSIONS.assign(Time=[(1, 2), (3,)]), [1, 2, 3]),
    "lists of datetimes": (SESSIONS.assign(Time=STAMPS), [1, 2, 3]),
    "lists of integers": (SESSIONS.assign(ItemId=[[7, 8], [9]]), [1, 2, 3]),
    "arrow's lists": (SESSIONS.assign(ItemId=arrow([["a", "b"], ["c"]]), Time=arrow([[1, 2], [3]])), [1, 2, 3]),
    "arrow's large lists": (
        SESSIONS.assign(ItemId=arrow([["a", "b"], ["c"]], pa.large_list(pa.string())), Time=arrow([[1, 2], [3]])),
        [1, 2, 3],
    ),
    "arrow's lists of timestamps": (
        SESSIONS.assign(ItemId=arrow([["a", "b"], ["c"]]), Time=arrow(STAMPS, pa.list_(pa.timestamp("us")))),
        [1, 2, 3],
    ),
    "one time for a session": (SESSIONS.assign(Time=[5, 6]), [5, 5, 6]),
    "session ids in lists too": (SESSIONS.assign(SessionId=[[1, 1], [2]]), [1, 2, 3]),
    "no times at all": (SESSIONS.drop(columns="Time"), [0, 1, 2]),
    "an empty session": (
        pd.concat([SESSIONS, pd.DataFrame({"SessionId": [3], "ItemId": [[]], "Time": [[]]})]),
        [1, 2, 3],
    ),
    "a session that is missing": (
        pd.concat([SESSIONS, pd.DataFrame({"SessionId": [3], "ItemId": [None], "Time": [None]})]),
        [1, 2, 3],
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_session_per_row_is_told_how_to_become_a_click_per_row(name):
    log, times = LISTS[name]
    with pytest.raises(ClickLogError, match=r"is a list, and each row is a whole session.*explode"):
        clicks.encode(log)
    mended, messages = follow(log, clicks.check)
    found = clicks.encode(mended)
    assert np.diff(found.offsets).tolist() == [2, 1], messages
    assert [str(found.index[item]) for item in found.items] in (["a", "b", "c"], ["7", "8", "9"])
    assert found.times.tolist() == times


def test_lists_of_different_lengths_are_named():
    log = SESSIONS.assign(Time=[[1, 2], [3, 4]])
    with pytest.raises(ClickLogError, match=r"'Time': \[3, 4\] does not have as many entries as 'ItemId'.*row: 2 "):
        clicks.check(log)
    mended, _ = follow(log, clicks.check)
    assert clicks.encode(mended).times.tolist() == [1, 2]


def test_a_parquet_file_of_lists_is_told_so(tmp_path):
    SESSIONS.to_parquet(tmp_path / "lists.parquet")
    for backend in ({}, {"dtype_backend": "pyarrow"}):
        mended, _ = follow(pd.read_parquet(tmp_path / "lists.parquet", **backend), clicks.check)
        assert clicks.encode(mended).times.tolist() == [1, 2, 3]


# --- what else a log has


def test_other_columns_of_any_type_are_carried_along():
    log = pd.concat([LOG, LOG], ignore_index=True).assign(
        lists=[[1], [], [2, 3], [4], None, [5]],
        category=pd.Categorical(list("xyxyxy")),
        period=pd.PeriodIndex([str(year) for year in range(2014, 2020)], freq="Y"),
        sparse=pd.arrays.SparseArray([0, 0, 1, 0, 2, 0]),
        arrow=arrow([["a"], None, ["b", "c"], [], ["d"], ["e"]]).array,
        struct=arrow([{"a": k} for k in range(6)]).array,
        interval=pd.IntervalIndex.from_breaks(range(7)),
        zone=pd.date_range("2014", periods=6, tz="Asia/Tokyo"),
    )
    kept = clicks.prepare(log, min_session=2, verbose=False, drop_duplicates=True)
    assert_frame_equal(kept, log.iloc[[0, 1]].reset_index(drop=True))
