"""The ids of a click log: text or integers, sorted and returned as they came; or why they are refused."""

from __future__ import annotations

import numbers
from collections.abc import Iterator

import numpy as np
import pandas as pd

from .frames import decoded
from .refusals import FROM_FILE, ClickLogError, Remedy, described, first_that_helps, refuse


def plain_ids(column: pd.Series) -> pd.Series:
    """The column as integers or as text; ClickLogError where it holds anything else."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return column
    given, column = column, decoded(column)
    refuse(column.isna(), given, "is not an id", _missing_remedy(column))
    _refuse_no_unicode(column)
    if isinstance(column.dtype, pd.StringDtype) or len(column) == 0:
        return column
    if column.dtype.kind in "iu":
        return column.astype(np.uint64 if column.dtype.kind == "u" else np.int64)  # Int64, UInt8 and their like
    found = pd.api.types.infer_dtype(column)
    if found not in ("string", "integer"):
        _refuse_no_ids(given, column, found)
    if found == "string":
        return column
    is_large = min(column) >= 0 and max(column) >= 2**63
    low, high = (0, 2**64) if is_large else (-(2**63), 2**63)
    beyond = [not low <= value < high for value in column]
    refuse(beyond, given, "does not fit in 64 bits", f"clicks[{column.name!r}].astype(str)")
    return column.astype(np.uint64 if is_large else np.int64)


def _missing_remedy(column: pd.Series) -> str:
    name = column.name
    if len(column) and column.isna().all():
        return f"give them an id, such as one for all: clicks[{name!r}] = 'unknown'"
    return f"drop these rows, or give them an id: clicks = clicks.dropna(subset=[{name!r}])"


def _refuse_no_ids(given: pd.Series, column: pd.Series, found: str) -> None:
    """ClickLogError about the first id that is neither text nor an integer, or of another kind than the first id."""
    values = column.astype(object)
    kind = str if isinstance(values.iloc[0], str) else numbers.Integral
    odd = np.array([isinstance(value, bool) or not isinstance(value, kind) for value in values])
    odd = odd if odd.any() else ~odd
    complaint = f"is not an id here ({found}): ids are all text or all integers"
    exact = 2**24 if getattr(column.dtype, "itemsize", 8) < 8 else 2**53
    if found == "floating" and (np.abs(values.astype(np.float64)) >= exact).any():
        lost = "is not an id, and too large for a float: its last digits may be lost"
        remedy = f"read the column again as text, such as pandas.read_csv(…, dtype={{{given.name!r}: str}})"
        refuse(np.abs(values.astype(np.float64)) >= exact, given, lost, remedy)
    code = first_that_helps(_remedies(given, values, found), plain_ids)
    raise ClickLogError(described(odd, given, complaint, (code or f"clicks[{given.name!r}].map(str)") + FROM_FILE))


def _remedies(given: pd.Series, values: pd.Series, found: str) -> Iterator[Remedy]:
    """Remedies that may turn the column into ids, none of which merges two ids into one."""
    at = f"clicks[{given.name!r}]"
    if not isinstance(given.dtype, np.dtype):
        at += ".astype(object)"

    def kept_apart(ids: pd.Series) -> pd.Series:
        if found not in ("mixed", "mixed-integer") and ids.nunique() != values.map(repr).nunique():
            raise ClickLogError("two ids became one")
        return ids

    def whole() -> pd.Series:
        integers = values.astype("int64")
        if found in ("mixed", "mixed-integer", "boolean") or not (integers == values).all():
            raise ClickLogError("no integers")
        return kept_apart(integers)

    yield f"{at}.astype('int64')", whole
    if found == "bytes":
        yield f"{at}.map(lambda b: b.decode())", lambda: kept_apart(values.map(lambda value: value.decode()))
    yield f"{at}.astype(str)", lambda: kept_apart(values.astype(str))
    yield f"{at}.map(str)", lambda: kept_apart(values.map(str))


def _refuse_no_unicode(column: pd.Series) -> None:
    """ClickLogError about text that no file in UTF-8 can hold: a model that knows such an id could not be loaded."""
    if column.dtype != object and getattr(column.dtype, "storage", "pyarrow") != "python":
        return  # Arrow's text is always UTF-8
    try:
        "".join(value for value in column if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        bad = [isinstance(v, str) and v.encode(errors="replace") != v.encode(errors="surrogatepass") for v in column]
        remedy = f"clicks[{column.name!r}].str.encode('utf-8', 'replace').str.decode('utf-8')"
        refuse(bad, column, "is not Unicode text", remedy)
