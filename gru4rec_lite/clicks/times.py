"""The times of a click log in seconds; or why they are refused or warned about.

Values that cannot be seconds or datetimes are refused: text, milliseconds, dates written as numbers (20141030), floats
too coarse to tell one second from the next. Values that are possible but unlikely, such as one click decades away, get
a warning.
`timeless` turns columns of other kinds into times.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from .frames import decoded
from .refusals import FROM_FILE, ClickLogError, refuse, warn
from .timeless import DATE_FORMATS, LATEST, REREAD, by_order, dates_as_numbers, refuse_timeless, unit_of

SHORT = {10**3: "ms", 10**6: "us", 10**9: "ns"}
DAY, YEAR = 86_400, 31_556_952


def seconds(column: pd.Series) -> np.ndarray:
    """``(n,)`` float64 seconds from a column of datetimes (since 1970, a zone converted to UTC) or of seconds.

    Dates are midnight UTC. A warning names the first time that is ten years or more away from most others, times whose
    gaps all look like those of a number with too few digits, and times that are days of an Excel sheet.

    Raises ClickLogError for text, for a missing time, for float32 and float16 if they are coarser than a second, for
    dates written as numbers (20141030, 20141030101112), and for numbers beyond 1e11 (the year 5138), since those are
    milliseconds.
    """
    if not isinstance(column, pd.Series):
        raise ClickLogError(f"column must be a pandas Series, such as clicks['Time'], not a {type(column).__name__}")
    return clock(column, is_log=False).astype(np.float64)


def clock(column: pd.Series, is_log: bool = True, warns: bool = True) -> np.ndarray:
    """``seconds``, but int64 in the column's own memory if that is what it holds.

    Args:
        column: datetimes, or numbers of seconds.
        is_log: whether these are the times of a whole log; a few clicks may lie within one minute of somebody's own
            clock that reads like 20141030.
        warns: whether to warn.
    """
    plain = decoded(column)
    if plain.dtype == object and pd.api.types.infer_dtype(plain, skipna=False) == "date":  # or also datetimes
        is_date = {type(value) for value in plain} == {datetime.date}
        plain = pd.Series(plain.to_numpy().astype("datetime64[s]"), name=plain.name) if is_date else plain
    if plain.dtype.kind == "M":
        values = _since_1970(column, plain)
    elif len(column) == 0 or plain.dtype.kind in "iuf" or _is_decimal(plain.dtype):
        values = _amounts(column, plain, is_log)
    else:
        refuse_timeless(column, plain, lambda times: clock(times, is_log, warns=False))
    if warns and len(values) > 1:
        _warn_of_distant(column, plain, values)
        _warn_of_coarse(column, values)
        _warn_of_days(column, values)
    return values


def _since_1970(column: pd.Series, plain: pd.Series) -> np.ndarray:
    _refuse_missing(column, plain.isna().to_numpy())
    times = pd.DatetimeIndex(plain)
    times = times if times.tz is None else times.tz_convert(None)
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[times.unit]  # per second
    most = min(LATEST * ticks, 2.0**63)
    stamps = times.asi8
    if len(stamps) and (stamps.min() < -most or stamps.max() > most):
        late = (stamps < -most) | (stamps > most)
        code = f"[pandas.to_datetime(clicks[{column.name!r}], utc=True).dt.year.between(1970, 2100).to_numpy()]"
        complaint = "is beyond the year 5138, or as far before 1970"
        refuse(late, column, complaint, _drop(late, column, code))
    return times.to_numpy("datetime64[us]").view(np.int64) / 1e6


def _is_decimal(dtype: Any) -> bool:
    return isinstance(dtype, pd.ArrowDtype) and pa.types.is_decimal(dtype.pyarrow_dtype)


def _amounts(column: pd.Series, plain: pd.Series, is_log: bool) -> np.ndarray:
    """A column of numbers as seconds; ClickLogError if they are something else."""
    name, dtype = column.name, plain.dtype
    if _is_decimal(dtype):
        _refuse_missing(column, plain.isna().to_numpy())
        return _amounts(column, pd.Series([float(value) for value in plain.array], dtype=np.float64), is_log)
    values = plain.to_numpy() if dtype == np.int64 and isinstance(dtype, np.dtype) else None
    values = plain.to_numpy(np.float64, na_value=np.nan) if values is None else values
    if len(values) == 0:
        return values
    low, high = values.min(), values.max()
    if not np.isfinite(low + high):
        _refuse_missing(column, np.isnan(values))
        endless = ~np.isfinite(values)
        refuse(endless, column, "is not a time", _drop(endless, column, f"[clicks[{name!r}].abs() < 1e11]"))
    largest = max(high, -low)
    of = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))
    if of.kind == "f" and of.itemsize < 8 and np.spacing(of.type(largest)) > 1 and (values % DAY).any():
        coarse = (
            f"is a {of}, and such times lie {np.spacing(of.type(largest)):g} s apart: which click came first is lost"
        )
        refuse(np.abs(values) == largest, column, coarse, REREAD.format(name, "float64"))
    if largest > 1e7:
        _refuse_dates(column, values, is_log)
    if largest > LATEST:
        size = np.abs(values)
        limit, unit, factor = unit_of(size[size > LATEST].min())
        code, and_file = f"clicks[{name!r}] / {factor}", f", or clicks.read(…, unit={SHORT[factor]!r})"
        complaint = f"cannot be seconds: they look like {unit}"
        if (size <= LATEST).any() or (size > limit).any():
            complaint = "cannot be seconds, and rows are in different units"
            code = f"clicks[{name!r}].astype(float).where(lambda t: t.abs() <= 1e11, lambda t: t / {factor})"
            unit, and_file = f"{unit} in these rows", ""
        refuse(size > LATEST, column, complaint, f"if these are {unit}, {code}{FROM_FILE}{and_file}")
    return values


def _refuse_dates(column: pd.Series, values: np.ndarray, is_log: bool) -> None:
    """ClickLogError if most of the numbers are dates: 20141030 is not a second in 1970."""
    name = column.name
    some = values[:: max(1, len(values) // 1000)]
    for scale in (1, 1000):
        for digits, form in DATE_FORMATS.items():
            if scale > 1 and digits < 12:
                continue
            if 2 * dates_as_numbers(some, digits, scale).sum() < len(some):
                continue
            dates = dates_as_numbers(values, digits, scale)
            if digits < 12 and not (is_log or np.ptp(values) >= 100):
                continue  # a few clicks within a minute of somebody's own clock
            number = f"clicks[{name!r}]" if scale == 1 else f"(clicks[{name!r}].astype(float) * {scale}).round()"
            code = f"pandas.to_datetime({number}.astype('int64').astype(str), format={form!r}, utc=True)"
            if not dates.all() or _fails(values, scale, form):
                lenient = code.replace(", utc", ", errors='coerce', utc")
                code = f"clicks[{name!r}] = {lenient}; "
                code += f"clicks = clicks.dropna(subset=[{name!r}])"
            over = f" / {scale}" if scale > 1 else ""
            complaint = f"is a date written as a number ({form}{over}), which is no number of seconds"
            refuse(dates, column, complaint, f"{code}{FROM_FILE}")


def _fails(values: np.ndarray, scale: int, form: str) -> bool:
    """Whether some number is not a date in the calendar, such as 31 February."""
    texts = (
        pd.Series((np.unique(values) * scale).round() if scale > 1 else np.unique(values)).astype("int64").astype(str)
    )
    return bool(pd.to_datetime(texts, format=form, errors="coerce").isna().any())


def _drop(bad: np.ndarray, column: pd.Series, code: str) -> str:
    """The remedy for rows without a time: drop them, unless no row would be left."""
    return by_order(column) if bad.all() else f"drop these rows, or repair them: clicks = clicks{code}"


def _refuse_missing(column: pd.Series, missing: np.ndarray) -> None:
    refuse(missing, column, "is not a time", _drop(missing, column, f".dropna(subset=[{column.name!r}])"))


def _warn_of_distant(column: pd.Series, plain: pd.Series, values: np.ndarray) -> None:
    """UserWarning if clicks are ten years or more away from most others, or if a log spans sixty years."""
    name, low, high = column.name, float(values.min()), float(values.max())
    kind = plain.dtype
    if kind.kind == "i" and kind.itemsize < 8:
        ends = np.iinfo(getattr(kind, "numpy_dtype", getattr(kind, "subtype", kind)))
        if low < 0.75 * ends.min and high > 0.75 * ends.max:
            complaint = f"looks like a number that ran over: times are {ends.dtype} and lie at both of its ends"
            warn(values == values.min(), column, complaint, REREAD.format(name, "int64"))
            return
    if high - low <= 10 * YEAR:
        return
    in_order = np.sort(values)
    gaps = np.flatnonzero(np.diff(in_order) > 10 * YEAR)
    if len(gaps):
        starts = np.concatenate(([0], gaps + 1))
        most = int(np.diff(starts, append=len(values)).argmax())
        first, last = in_order[starts[most]], in_order[np.append(gaps, len(values) - 1)[most]]
        between = f"between({np.floor(first):.0f}, {np.ceil(last):.0f})"
        code = f"clicks[pandas.Series(gru4rec_lite.clicks.seconds(clicks[{name!r}])).{between}.to_numpy()]"
        far = (values < first) | (values > last)
        warn(far, column, "lies ten years or more from most other clicks", f"if that is no time, clicks = {code}")
    elif high - low > 60 * YEAR:
        span = f"is the last one of a log that spans {(high - low) / YEAR:.0f} years"
        warn(values == values.max(), column, f"{span}: perhaps numbers ran over", REREAD.format(name, "int64"))


def _warn_of_coarse(column: pd.Series, values: np.ndarray) -> None:
    """UserWarning if all Unix times fit float32, or six digits: they were rounded earlier."""
    some = values[:1000]
    if np.abs(some).max() < 2**29 or not (_is_float32(some) or (some % 1000 == 0).all()):
        return
    if len(np.unique(values)) < 8 or not (values % DAY).any():  # true of a few times by chance, and of days always
        return
    if _is_float32(values):
        how = f"as float32 has them, {np.spacing(np.float32(np.abs(values).max())):g} s apart"
    elif (values % 1000 == 0).all():
        how = "in thousands of seconds, as if printed with few digits"
    else:
        return
    complaint = f"was rounded, since all times are {how}: which click came first may be lost"
    warn(values == values, column, complaint, REREAD.format(column.name, "float64"))


def _warn_of_days(column: pd.Series, values: np.ndarray) -> None:
    """UserWarning if numbers are days, as in an Excel sheet: whole seconds if they count days, but not as seconds."""
    if values.dtype.kind != "f" or values.min() < 25_000 or values.max() > 75_000:  # 1968 to 2105
        return
    odd = np.abs(values * 1000 - np.rint(values * 1000)) > 1e-3
    if len(np.unique(values[odd])) > 1 and (np.abs(values * DAY - np.rint(values * DAY)) < 2e-3).all():
        code = f"pandas.to_datetime(clicks[{column.name!r}], unit='D', origin='1899-12-30', utc=True).dt.round('s')"
        warn(odd, column, "is a whole number of seconds if it counts days, as sheets of Excel do", f"if so, {code}")


def _is_float32(values: np.ndarray) -> bool:
    return bool((values.astype(np.float32) == values).all())
