"""Columns that do not hold times: what they hold instead, and the code that turns them into times."""

from __future__ import annotations

import datetime
import decimal
import numbers
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from .refusals import FROM_FILE, ClickLogError, Remedy, described, first_that_helps, is_missing, refuse

DATE_FORMATS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%f"}
REREAD = "read the column again from where it is still whole, such as pandas.read_csv(…, dtype={{{!r}: {!r}}})"
UNITS = ((1e14, "milliseconds", 10**3), (1e17, "microseconds", 10**6), (np.inf, "nanoseconds", 10**9))
LATEST = 1e11  # seconds: in the year 5138; today in milliseconds is 1.7e12
TIME_OF_DAY = r"\s*\d{1,2}:\d\d(:\d\d(\.\d+)?)?\s*"


def unit_of(amount: float) -> tuple[float, str, int]:
    """The unit in which an amount this large may be a time: its largest amount, name, and parts per second."""
    return next(unit for unit in UNITS if amount <= unit[0])


def as_objects(column: pd.Series) -> pd.Series:
    """The column's values as Python objects."""
    try:
        return column.astype(object)
    except NotImplementedError:  # pandas can hold some Arrow types that it can do nothing with
        return pd.Series(column.array.__arrow_array__().to_pylist(), index=column.index, name=column.name, dtype=object)


def dates_as_numbers(values: np.ndarray, digits: int, scale: int = 1) -> np.ndarray:
    """``(n,)`` bool, whether the whole part of ``value * scale`` is a date from 1900 to 2199 in ``digits`` digits."""
    inside = (values * float(scale) >= 1.9 * 10.0 ** (digits - 1)) & (
        values * float(scale) < 2.2 * 10.0 ** (digits - 1)
    )
    number = np.where(inside, np.rint(values * float(scale)) if scale > 1 else values, 0).astype(np.int64)
    day, clock = number // 10 ** (digits - 8), number % 10 ** (digits - 8)
    inside &= (day // 100 % 100 >= 1) & (day // 100 % 100 <= 12) & (day % 100 >= 1) & (day % 100 <= 31)
    for place, most in zip(range(digits - 10, -1, -2), (23, 59, 59), strict=False):
        inside &= clock // 10**place % 100 <= most
    return inside


def refuse_timeless(column: pd.Series, plain: pd.Series, accepts: Callable[[Any], Any]) -> NoReturn:
    """ClickLogError about the first value that is not a time, with code that turns the column into times.

    Args:
        column: as the caller has it.
        plain: the same, decoded.
        accepts: raises an error if a column still does not hold times.
    """
    values = as_objects(plain)
    missing = np.array([is_missing(value) for value in values])
    if missing.all():
        refuse(missing, column, "is not a time", by_order(column))
    refuse(missing, column, "is not a time", f"drop these rows, or repair them: {_dropped(column)}")
    now = values.map(lambda value: isinstance(value, str) and value.strip().lower() in ("now", "today")).to_numpy(bool)
    if not values[~now].map(lambda value: isinstance(value, str) and re.search(r"\d", value) is None).any():
        words = sorted(set(values[now]))  # pandas reads these as the current time
        drop = f"clicks = clicks[~clicks[{column.name!r}].astype(object).isin({words!r})]"
        remedy = by_order(column) if now.all() else f"drop these rows, or repair them: {drop}"
        refuse(now, column, "is not a time", remedy)
    date = np.array([isinstance(value, datetime.date | np.datetime64) for value in values])
    number = np.array(
        [isinstance(v, numbers.Real | decimal.Decimal) and not isinstance(v, bool | np.bool_) for v in values]
    )
    bad, complaint = ~date & ~number, "is neither a datetime nor a number of seconds"
    if not bad.any():
        most, few, name = (date, number, "datetimes") if date.sum() >= number.sum() else (number, date, "numbers")
        bad, complaint = few, f"stands among {name}"
        if not few.any():
            bad, complaint = most, f"is in a column of mere objects, all {name}"
            zone = np.array([getattr(value, "tzinfo", None) is not None for value in values])
            if most is date and zone.any() and not zone.all():
                bad, complaint = ~zone, "has no time zone, which others have"
    code = first_that_helps(_remedies(column, plain, values), accepts)
    if code is None:
        code = _half(column, values, accepts) or by_order(column)
    elif "no time zone" in complaint:
        code = f"if these rows are in UTC: {code}"
    raise ClickLogError(described(bad, column, complaint, code + FROM_FILE))


def by_order(column: pd.Series) -> str:
    """The remedy if no row has a time."""
    code = f"clicks[{column.name!r}] = range(len(clicks))"
    return f"another column, if it holds the times; or, if the rows stand in order of time, {code}"


def _dropped(column: pd.Series) -> str:
    return f"clicks = clicks.dropna(subset=[{column.name!r}])"


def _remedies(column: pd.Series, plain: pd.Series, values: pd.Series) -> Iterator[Remedy]:
    """Remedies that may turn the column into times, the safest first."""
    at, kind = f"clicks[{column.name!r}]", pd.api.types.infer_dtype(values)
    arrow = plain.dtype.pyarrow_dtype if isinstance(plain.dtype, pd.ArrowDtype) else None
    if isinstance(column.dtype, pd.CategoricalDtype) or (arrow is not None and plain is not column):
        at = f"{at}.astype(object)"
        if isinstance(column.dtype, pd.ArrowDtype) and str(column.dtype.pyarrow_dtype) == "string_view":
            at = f"pandas.Series(clicks[{column.name!r}].to_list(), index=clicks.index)"
    is_number = values.map(
        lambda v: isinstance(v, numbers.Real | decimal.Decimal) and not isinstance(v, bool | np.bool_)
    )
    if kind in ("timedelta", "timedelta64"):
        yield f"pandas.to_timedelta({at}).dt.total_seconds()", lambda: pd.to_timedelta(values).dt.total_seconds()
    if kind == "period":
        yield f"pandas.PeriodIndex({at}).to_timestamp()", lambda: pd.Series(pd.PeriodIndex(values).to_timestamp())
    if kind == "interval":
        yield f"pandas.IntervalIndex({at}).left", lambda: pd.Series(pd.IntervalIndex(values).left)
    if kind == "time":
        yield _of_a_day(at), lambda: pd.Timestamp("2014-04-07") + pd.to_timedelta(values.astype(str))
    if kind in ("date", "datetime", "datetime64", "mixed") and not is_number.any():
        yield f"pandas.to_datetime({at}, utc=True)", lambda: pd.to_datetime(values, utc=True)
        yield f"{at}.astype('datetime64[us]')", lambda: values.astype("datetime64[us]")
    if kind in ("bytes", "string", "mixed"):
        text, code = values, at
        if kind == "bytes":
            text, code = values.map(lambda value: value.decode()), f"{at}.astype(object).map(lambda b: b.decode())"
        if text.map(lambda value: isinstance(value, str)).all():
            yield from _of_text(code, text.astype(object))
    if kind in ("integer", "floating", "decimal", "mixed-integer-float", "mixed", "mixed-integer"):
        if is_number.all():
            amounts = values.astype(float)
            yield f"{at}.astype(float)", lambda: amounts
            for form in _date_forms(amounts):
                code = f"pandas.to_datetime({at}.astype('int64').astype(str), format={form!r}, utc=True)"
                yield code, partial(pd.to_datetime, amounts.astype("int64").astype(str), format=form, utc=True)
            if amounts.abs().max() > LATEST:
                factor = unit_of(amounts.abs().max())[2]
                yield f"{at}.astype(float) / {factor}", lambda: amounts / factor
        is_time = values.map(lambda v: isinstance(v, str | datetime.date | np.datetime64))
        if (is_number | is_time).all() and is_time.any():
            unix = "pandas.Timestamp(float(t), unit='s') if isinstance(t, (int, float)) else t"
            yield (
                f"pandas.to_datetime({at}.map(lambda t: {unix}), utc=True)",
                lambda: pd.to_datetime(
                    values.map(lambda t: pd.Timestamp(float(t), unit="s") if isinstance(t, (int, float)) else t),
                    utc=True,
                ),
            )


def _of_a_day(at: str) -> str:
    code = f"pandas.Timestamp('2014-04-07') + pandas.to_timedelta({at}.astype(str))"
    return f"the day must be known; if it was 7 April 2014: {code}"


def _of_text(at: str, text: pd.Series) -> Iterator[Remedy]:
    """Remedies that may turn text into times."""
    if text.str.fullmatch(TIME_OF_DAY).all():
        whole = text.str.fullmatch(r"\s*\d+:\d\d\s*").any()
        more = " + ':00'" if whole else ""
        day = _of_a_day(at).replace(".astype(str))", f".astype(str){more})")
        yield day, lambda: pd.Timestamp("2014-04-07") + pd.to_timedelta(text + (":00" if whole else ""))
        return
    zones = text.str.contains(r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\s*$", regex=True)
    word = "where a row has no zone it is taken for UTC: " if zones.any() and not zones.all() else ""
    yield f"pandas.to_numeric({at})", lambda: pd.to_numeric(text)
    amounts = pd.to_numeric(text, errors="coerce")
    for form in _date_forms(amounts):
        code = f"pandas.to_datetime({at}, format={form!r}, utc=True)"
        yield code, partial(pd.to_datetime, text, format=form, utc=True)
    largest = amounts.abs().max()
    if largest > LATEST:
        factor = unit_of(largest)[2]
        yield f"pandas.to_numeric({at}) / {factor}", lambda: pd.to_numeric(text) / factor
    iso = "format='ISO8601', utc=True)"
    yield f"{word}pandas.to_datetime({at}, {iso}", lambda: pd.to_datetime(text, format="ISO8601", utc=True)
    leap = text.str.replace(r":60(?=\D|$)", ":59", regex=True)
    yield (
        f"{word}pandas.to_datetime({at}.str.replace(r':60(?=\\D|$)', ':59', regex=True), {iso}",
        lambda: pd.to_datetime(leap, format="ISO8601", utc=True),
    )
    if text.str.fullmatch(r"\d{1,3}(?:,\d{3})+").all():
        code = f"if the commas part thousands: pandas.to_numeric({at}.str.replace(',', ''))"
        yield code, lambda: pd.to_numeric(text.str.replace(",", ""))
    comma = text.str.replace(",", ".")
    yield f"pandas.to_numeric({at}.str.replace(',', '.'))", lambda: pd.to_numeric(comma)
    for options, hint in _orders(text):
        code = f"{word}{hint}pandas.to_datetime({at}, format='mixed'{options}, utc=True)"
        yield code, partial(pd.to_datetime, text, format="mixed", dayfirst=bool(options), utc=True)


def _date_forms(amounts: pd.Series) -> list[str]:
    """The formats in which most of the numbers are dates."""
    known = amounts.fillna(0).to_numpy(np.float64)
    most = {form: 2 * dates_as_numbers(known, digits).sum() > len(known) for digits, form in DATE_FORMATS.items()}
    return [form for form, fits in most.items() if fits]


def _orders(text: pd.Series) -> list[tuple[str, str]]:
    """How dates such as 07/04/2014 may be read: options of pandas.to_datetime, and the words to put before them."""
    start = text.astype(object).str.extract(r"^\s*(\d{1,2})[./-](\d{1,2})[./-]").astype(float)
    if start.isna().all(axis=None):
        return [("", "")]
    if start.isna().any(axis=None):
        return []  # some rows begin with the year: a rule for the others would misread those
    day_first, month_first = (start[1] <= 12).all(), (start[0] <= 12).all()
    if day_first and month_first:
        return [(", dayfirst=True", "if the day stands first (without dayfirst=True if the month does): ")]
    return [(", dayfirst=True", "")] if day_first else [("", "")] if month_first else []


def _half(column: pd.Series, values: pd.Series, accepts: Callable[[Any], Any]) -> str | None:
    """Code that keeps the rows that can be read; None if too few can."""
    at = f"clicks[{column.name!r}].astype(object)"
    text = values.map(lambda value: value if isinstance(value, str | datetime.date) else None)
    amounts = values.map(lambda value: None if isinstance(value, bool | np.bool_) else value)
    no_truth = ".map(lambda t: None if isinstance(t, bool) else t)" if amounts.isna().any() else ""
    readings: list[Remedy] = [
        (f"pandas.to_numeric({at}{no_truth}, errors='coerce')", lambda: pd.to_numeric(amounts, errors="coerce"))
    ]
    orders = _orders(text.dropna().map(str)) if text.notna().any() else []
    forms = ["ISO8601", *_date_forms(pd.to_numeric(text, errors="coerce"))]
    formats = [*((form, "") for form in forms), *(("mixed", option) for option, _ in orders)]
    for form, option in formats:
        code = f"pandas.to_datetime({at}, format={form!r}{option}, utc=True, errors='coerce')"
        options = {"format": form, "dayfirst": bool(option), "utc": True, "errors": "coerce"}
        readings.append((code, partial(pd.to_datetime, text, **options)))

    def accepts_half(times: pd.Series) -> None:
        if 2 * times.notna().sum() < len(times) or times.isna().all():
            raise ClickLogError("most rows would be lost")
        accepts(times.dropna())

    found = first_that_helps(readings, accepts_half)
    return (
        None
        if found is None
        else f"repair these rows, or drop them: clicks[{column.name!r}] = {found}; {_dropped(column)}"
    )
