"""Anything but plain frames: tables of other libraries, one session per row, columns that encode their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from .refusals import ClickLogError, first_that_helps, refuse, require

CONVERTERS = {  # method that turns another library's table into a pandas frame -> the code
    "to_pandas": "clicks = clicks.to_pandas()",  # polars, pyarrow, cudf, ibis, pyspark.pandas
    "toPandas": "clicks = clicks.toPandas()",  # Spark
    "compute": "clicks = clicks.compute()",  # dask
    "collect": "clicks = clicks.collect().to_pandas()",  # polars, lazy
    "df": "clicks = clicks.df()",  # duckdb
    "read_pandas": "clicks = clicks.read_pandas()",  # pyarrow.RecordBatchReader
    "to_table": "clicks = clicks.to_table().to_pandas()",  # pyarrow.dataset
    "obj": "clicks = clicks.obj",  # groups of a pandas frame
    "__arrow_c_stream__": "clicks = pyarrow.table(clicks).to_pandas()",
}


def require_frame(clicks: Any, columns: Sequence[str]) -> None:
    """ClickLogError unless this is a pandas frame; it says how to make one."""
    if isinstance(clicks, pd.DataFrame):
        return
    names = list(columns)
    rows = f"clicks = pandas.DataFrame(clicks, columns={names!r}).infer_objects()"
    if isinstance(clicks, pd.Series):
        there = [name for name in (*clicks.index.names, clicks.name) if name is not None]
        remedy = "clicks = clicks.reset_index()" if set(names) <= set(there) else f"a frame with all of {names!r}"
    elif isinstance(clicks, dict) or getattr(getattr(clicks, "dtype", None), "names", None):
        remedy = "clicks = pandas.DataFrame(clicks)"
    elif code := next((code for method, code in CONVERTERS.items() if _has(clicks, method)), None):
        remedy = code
    elif isinstance(clicks, np.ndarray) or (isinstance(clicks, (list, tuple)) and len(clicks)):
        named = isinstance(clicks[0], dict) or hasattr(clicks[0], "_fields") if len(clicks) else False
        remedy = "clicks = pandas.DataFrame(clicks)" if named else rows
    elif isinstance(clicks, Iterable) and not isinstance(clicks, (str, bytes, list, tuple)):
        remedy = rows.replace("(clicks,", "(list(clicks),")
    elif hasattr(clicks, "offsets"):
        remedy = "pass the frame that clicks.encode made it from"
    else:
        remedy = "clicks.read(path) makes one from a file"
    raise ClickLogError(
        f"A click log must be a pandas DataFrame with the columns {', '.join(map(repr, names))}, not a "
        f"{type(clicks).__module__.split('.')[0]}.{type(clicks).__qualname__}. Remedy: {remedy}."
    )


def _has(value: Any, method: str) -> bool:
    return not isinstance(value, (type, str)) and getattr(value, method, None) is not None


def require_columns(clicks: pd.DataFrame, ids: Sequence[str], time: str) -> None:
    """ClickLogError unless each column is there once, with one value per row, not a list of values."""
    for column in (*ids, time):
        there = clicks.columns
        remedy = f"rename it: clicks.rename(columns={{'its name': {column!r}}})"
        if there.nlevels > 1 and any(column in name for name in there):
            level = next(k for k in range(there.nlevels) if column in there.get_level_values(k))
            remedy = f"rename it: clicks.columns = clicks.columns.get_level_values({level})"
        elif list(there).count(column) > 1:
            remedy = "if the first is the right one, clicks = clicks.loc[:, ~clicks.columns.duplicated()]"
        elif column in clicks.index.names and column not in there:
            remedy = "clicks = clicks.reset_index()"
        elif column == time and time not in there:
            _refuse_lists(clicks, ids, time)
            remedy += f", or, if the rows stand in order of time, clicks[{time!r}] = range(len(clicks))"
        require(column, there, remedy)
    _refuse_lists(clicks, (*ids, time), time)


def _refuse_lists(clicks: pd.DataFrame, columns: Sequence[str], time: str) -> None:
    """ClickLogError if a row holds a list; the remedy turns a session per row into a click per row."""
    there = [column for column in columns if list(clicks.columns).count(column) == 1]
    found = [column for column in there if _holds_lists(clicks[column], (list, np.ndarray, set, pa.ListScalar))]
    if found:  # ids may be tuples, but beside lists, tuples count as lists
        found = [column for column in there if column in found or _holds_lists(clicks[column], tuple)]
    elif len(found := [column for column in there if _holds_lists(clicks[column], tuple)]) < 2:
        return
    first = clicks[found[0]]
    lengths = np.array([[len(v) if hasattr(v, "__len__") else -1 for v in clicks[c].astype(object)] for c in found])
    for column, others in zip(found, lengths, strict=True):
        keep = " & ".join(f"(clicks[{c!r}].map(len) == clicks[{found[0]!r}].map(len))" for c in found[1:])
        complaint = f"does not have as many entries as {found[0]!r} in the same row"
        refuse(others != lengths[0], clicks[column], complaint, f"repair these rows, or clicks = clicks[{keep}]")
    explode = f"explode({found!r}, ignore_index=True)"
    remedies = [
        (f"clicks = clicks.{explode}.infer_objects()", lambda: _exploded(clicks[found], found)),
        (f"clicks = clicks.astype(object).{explode}.infer_objects()", lambda: _exploded(clicks[found], found, object)),
    ]
    code = first_that_helps(remedies, len)
    what = f"is not {'a time' if found[0] == time else 'an id'} here: it is a list, and each row is a whole session"
    refuse(lengths[0] >= 0, first, what, code or "give each entry a row of its own")


def _exploded(lists: pd.DataFrame, columns: list[str], dtype: Any = None) -> pd.DataFrame:
    lists = lists if dtype is None else lists.astype(dtype)
    return lists.explode(columns, ignore_index=True).infer_objects()


def _holds_lists(column: pd.Series, kind: Any) -> bool:
    if isinstance(column.dtype, pd.ArrowDtype):
        arrow = column.dtype.pyarrow_dtype
        return kind is not tuple and (
            pa.types.is_list(arrow) or pa.types.is_large_list(arrow) or pa.types.is_fixed_size_list(arrow)
        )
    if column.dtype != object:
        return False
    return isinstance(next((value for value in column if value is not None), None), kind)


def decoded(column: pd.Series) -> pd.Series:
    """The column with its values stored plainly, not as category codes or sparse; unchanged if they already are."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return column
    if isinstance(dtype, pd.CategoricalDtype):
        values = dtype.categories
        if not column.isna().any():
            return decoded(pd.Series(values.take(column.cat.codes), index=column.index, name=column.name))
        return column.astype(object)
    if isinstance(dtype, pd.SparseDtype):
        return column.sparse.to_dense()
    if isinstance(dtype, pd.ArrowDtype):
        arrow = dtype.pyarrow_dtype
        if pa.types.is_dictionary(arrow):
            return _cast(column, arrow.value_type)
        if str(arrow) == "string_view":
            return _cast(column, pa.large_string())
    return column


def _cast(column: pd.Series, to: pa.DataType) -> pd.Series:
    values = pa.chunked_array(column.array.__arrow_array__())
    try:
        values = values.cast(to)
    except pa.ArrowNotImplementedError:  # an old pyarrow
        values = pa.chunked_array([pa.array(values.to_pylist(), to)])
    return pd.Series(pd.arrays.ArrowExtensionArray(values), index=column.index, name=column.name)
