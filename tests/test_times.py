"""Every type of column as times: the right seconds, or an error whose remedy gives them."""

from __future__ import annotations

import datetime as dt
import warnings
from calendar import timegm
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from remedies import done, follow

from gru4rec_lite import clicks, toyshop
from gru4rec_lite.clicks import ClickLogError

UTC = dt.UTC
AT = [dt.datetime(2014, 4, 7, 10, 51, 9), dt.datetime(2014, 4, 7, 10, 51, 12), dt.datetime(2014, 10, 26, 1, 30)]
SECONDS = [timegm(at.timetuple()) for at in AT]
DATES = [dt.date(2014, 4, 7), dt.date(2014, 4, 8), dt.date(2016, 2, 29)]
MIDNIGHTS = [timegm(day.timetuple()) for day in DATES]
SMALL = [3, 5, 100]  # seconds of a clock of one's own, which every number type holds
ORDER = [0, 1, 2]  # where nothing is known but the order of rows


def arrow(values, kind) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values, kind)])))


def sparse(values, kind) -> pd.Series:
    return pd.Series(pd.arrays.SparseArray(np.array(values, dtype=kind)))


ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "+05:30")
NUMPY_NUMBERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)] + [
    "float16",
    "float32",
    "float64",
]
NULLABLE = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64"]
ARROW_NUMBERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
                 pa.float16(), pa.float32(), pa.float64()]  # fmt: skip
TEXTS = [at.isoformat(sep=" ") for at in AT]
STAMPS = [pd.Timestamp(at) for at in AT]
BERLIN = [stamp.tz_localize("UTC").tz_convert("Europe/Berlin") for stamp in STAMPS]

# taken as they are: name -> the column, its seconds
ACCEPTED: dict[str, tuple[pd.Series, list[float]]] = {
    **{kind: (pd.Series(SMALL, dtype=kind), SMALL) for kind in (*NUMPY_NUMBERS, *NULLABLE, "longdouble")},
    **{
        f"{kind} of today": (pd.Series(SECONDS, dtype=kind), SECONDS)
        for kind in ("int32", "int64", "uint32", "uint64", "float64", "Int32", "Int64", "UInt64", "Float64")
    },
    **{
        f"arrow {kind}": (arrow(np.array(SMALL, np.float16) if kind == pa.float16() else SMALL, kind), SMALL)
        for kind in ARROW_NUMBERS
    },
    **{
        f"arrow {kind} of today": (arrow(SECONDS, kind), SECONDS)
        for kind in (pa.int32(), pa.int64(), pa.uint64(), pa.float64())
    },
    **{
        f"arrow {kind}": (arrow([Decimal(s) + Decimal("0.125") for s in SECONDS], kind), [s + 0.125 for s in SECONDS])
        for kind in (pa.decimal128(20, 3), pa.decimal256(40, 6))
    },
    **{
        f"datetime64[{unit}]": (pd.Series(STAMPS).astype(f"datetime64[{unit}]"), SECONDS)
        for unit in ("s", "ms", "us", "ns")
    },
    **{
        f"datetime64[{unit}, {zone}]": (
            pd.Series(STAMPS).dt.tz_localize("UTC").dt.tz_convert(zone).astype(f"datetime64[{unit}, {zone}]"),
            SECONDS,
        )
        for unit in ("s", "ms", "us", "ns")
        for zone in ZONES
    },
    **{
        f"arrow timestamp[{unit}, {zone}]": (
            arrow([at.replace(tzinfo=UTC) if zone else at for at in AT], pa.timestamp(unit, zone)),
            SECONDS,
        )
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "America/New_York")
    },
    "days of numpy": (pd.Series(np.array(DATES, dtype="datetime64[D]")), MIDNIGHTS),
    "arrow date32": (arrow(DATES, pa.date32()), MIDNIGHTS),
    "arrow date64": (arrow(DATES, pa.date64()), MIDNIGHTS),
    "objects of date": (pd.Series(DATES, dtype=object), MIDNIGHTS),
    "objects of date beyond nanoseconds": (
        pd.Series([dt.date(1492, 10, 12)] * 3, dtype=object),
        [timegm((1492, 10, 12, 0, 0, 0))] * 3,
    ),
    "sparse integers": (sparse(SECONDS, "int64"), SECONDS),
    "sparse floats": (sparse(SECONDS, "float64"), SECONDS),
    "categories of datetimes": (pd.Series(STAMPS).astype("category"), SECONDS),
    "categories of datetimes with a zone": (pd.Series(BERLIN).astype("category"), SECONDS),
    "categories of integers": (pd.Series(SECONDS).astype("category"), SECONDS),
    "categories of floats": (pd.Series([s + 0.5 for s in SECONDS]).astype("category"), [s + 0.5 for s in SECONDS]),
    "categories of nullable integers": (pd.Series(SECONDS, dtype="Int64").astype("category"), SECONDS),
    "categories of dates": (pd.Series(DATES, dtype=object).astype("category"), MIDNIGHTS),
    "categories of arrow's timestamps": (arrow(AT, pa.timestamp("ms")).astype("category"), SECONDS),
    "a dictionary of integers": (
        pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(SECONDS).dictionary_encode()]))),
        SECONDS,
    ),
    "a dictionary of timestamps": (
        pd.Series(
            pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(AT, pa.timestamp("us")).dictionary_encode()]))
        ),
        SECONDS,
    ),
    "a dictionary in two pieces": (
        pd.Series(
            pd.arrays.ArrowExtensionArray(
                pa.chunked_array([pa.array(SECONDS[:1]).dictionary_encode(), pa.array(SECONDS[1:]).dictionary_encode()])
            )
        ),
        SECONDS,
    ),
    "nanoseconds, of which microseconds count": (
        pd.Series([np.datetime64("2014-04-07T10:51:09.123456789")] * 3),
        [SECONDS[0] + 0.123456] * 3,
    ),
    "before 1970": (pd.Series([np.datetime64("1969-12-31T23:59:58.5")] * 3), [-1.5] * 3),
    "both hours of a clock put back": (
        pd.Series(
            pd.to_datetime(["2014-10-26 00:30", "2014-10-26 01:30", "2014-10-26 02:30"])
            .tz_localize("UTC")
            .tz_convert("Europe/Berlin")
        ),
        [timegm((2014, 10, 26, hour, 30, 0)) for hour in range(3)],
    ),
}

# refused, and right when the remedy is done: name -> the column, what the message says, the seconds then
REFUSED: dict[str, tuple[pd.Series, str, list[float]]] = {
    **{
        f"text ({kind})": (pd.Series(TEXTS, dtype=kind), f"'{TEXTS[0]}' is neither a datetime", SECONDS)
        for kind in (object, "str", "string[python]", "string[pyarrow]", "category")
    },
    **{
        f"arrow {kind}": (arrow(TEXTS, kind), f"'{TEXTS[0]}' is neither a datetime", SECONDS)
        for kind in (pa.string(), pa.large_string(), pa.string_view())
    },
    "a dictionary of text": (
        pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(TEXTS).dictionary_encode()]))),
        "is neither",
        SECONDS,
    ),
    "text with zones": (pd.Series([f"{text}Z" for text in TEXTS]), "is neither", SECONDS),
    "text with offsets": (pd.Series([stamp.isoformat() for stamp in BERLIN]), "is neither", SECONDS),
    "text with zones in some rows": (
        pd.Series([TEXTS[0] + "Z", TEXTS[1], TEXTS[2]]),
        "no zone it is taken for UTC",
        SECONDS,
    ),
    "text in UTC by name": (pd.Series([f"{text} UTC" for text in TEXTS]), "is neither", SECONDS),
    "text of seconds": (pd.Series([str(s) for s in SECONDS]), "to_numeric", SECONDS),
    "text of seconds with a comma": (pd.Series([f"{s},5" for s in SECONDS]), "to_numeric", [s + 0.5 for s in SECONDS]),
    "text of milliseconds": (pd.Series([str(s * 1000) for s in SECONDS]), "to_numeric.* / 1000", SECONDS),
    "text of days as numbers": (pd.Series([f"{day:%Y%m%d}" for day in DATES]), "format='%Y%m%d'", MIDNIGHTS),
    "text of times as numbers": (pd.Series([f"{at:%Y%m%d%H%M%S}" for at in AT]), "format='%Y%m%d%H%M%S'", SECONDS),
    "text, day first": (pd.Series([f"{at:%d/%m/%Y %H:%M:%S}" for at in AT]), "dayfirst=True", SECONDS),
    "text, month first": (pd.Series([f"{at:%m/%d/%Y %H:%M:%S}" for at in AT]), r"mixed', utc=True", SECONDS),
    "text, day or month first": (
        pd.Series([f"{at:%d.%m.%Y %H:%M:%S}" for at in AT[:2] * 2][:3]),
        "without dayfirst=True if the month does",
        [*SECONDS[:2], SECONDS[0]],
    ),
    "text of mails": (pd.Series([f"{at:%a, %d %b %Y %H:%M:%S} GMT" for at in AT]), "format='mixed'", SECONDS),
    "a leap second": (
        pd.Series(["2016-12-31 23:59:60", "2017-01-01 00:00:00", "2017-01-01 00:00:01"]),
        "':59'",
        [timegm((2016, 12, 31, 23, 59, 59)), *(timegm((2017, 1, 1, 0, 0, s)) for s in range(2))],
    ),
    "text that is no time": (pd.Series(["soon", "later", "now"]), "'soon' is neither.*order of time", ORDER),
    "a time of day as text": (
        pd.Series([f"{at:%H:%M:%S}" for at in AT]),
        "the day must be known",
        [timegm((2014, 4, 7, at.hour, at.minute, at.second)) for at in AT],
    ),
    "bytes": (pd.Series([text.encode() for text in TEXTS], dtype=object), "is neither", SECONDS),
    "arrow binary": (arrow([text.encode() for text in TEXTS], pa.binary()), "is neither", SECONDS),
    "objects of datetime": (pd.Series(AT, dtype=object), "mere objects, all datetimes", SECONDS),
    "objects of Timestamp": (pd.Series(STAMPS, dtype=object), "mere objects, all datetimes", SECONDS),
    "objects of datetime64": (pd.Series([np.datetime64(at) for at in AT], dtype=object), "mere objects", SECONDS),
    "objects of offsets of their own": (
        pd.Series([BERLIN[0], STAMPS[1].tz_localize("UTC"), BERLIN[2]], dtype=object),
        "mere objects",
        SECONDS,
    ),
    "zones in some rows only": (
        pd.Series([BERLIN[0], STAMPS[1], BERLIN[2]], dtype=object),
        r"has no time zone.*row: 2 .*if these rows are in UTC",
        SECONDS,
    ),
    "dates among datetimes": (
        pd.Series([AT[0], AT[1], dt.date(2014, 10, 26)], dtype=object),
        "mere objects",
        [*SECONDS[:2], timegm((2014, 10, 26, 0, 0, 0))],
    ),
    "datetimes beyond nanoseconds": (
        pd.Series([dt.datetime(1492, 10, 12)] * 3, dtype=object),
        "mere objects",
        [timegm((1492, 10, 12, 0, 0, 0))] * 3,
    ),
    "objects of int": (pd.Series(SECONDS, dtype=object), r"mere objects.*astype\(float\)", SECONDS),
    "objects of float": (
        pd.Series([s + 0.5 for s in SECONDS], dtype=object),
        r"astype\(float\)",
        [s + 0.5 for s in SECONDS],
    ),
    "objects of int and float": (
        pd.Series([SECONDS[0], SECONDS[1] + 0.5, SECONDS[2]], dtype=object),
        r"astype\(float\)",
        [SECONDS[0], SECONDS[1] + 0.5, SECONDS[2]],
    ),
    "objects of Decimal": (
        pd.Series([Decimal(s) + Decimal("0.5") for s in SECONDS], dtype=object),
        r"astype\(float\)",
        [s + 0.5 for s in SECONDS],
    ),
    "objects of Fraction": (
        pd.Series([Fraction(2 * s + 1, 2) for s in SECONDS], dtype=object),
        r"astype\(float\)",
        [s + 0.5 for s in SECONDS],
    ),
    "objects of milliseconds": (
        pd.Series([s * 1000 for s in SECONDS], dtype=object),
        r"astype\(float\) / 1000",
        SECONDS,
    ),
    "objects of days as numbers": (
        pd.Series([20140407, 20140408, 20160229], dtype=object),
        "format='%Y%m%d'",
        MIDNIGHTS,
    ),
    "numbers among datetimes": (
        pd.Series([STAMPS[0], SECONDS[1], STAMPS[2]], dtype=object),
        "stands among datetimes.*row: 2 ",
        SECONDS,
    ),
    "text among datetimes": (pd.Series([STAMPS[0], TEXTS[1], STAMPS[2]], dtype=object), "is neither.*row: 2 ", SECONDS),
    "periods": (pd.Series(pd.PeriodIndex(TEXTS, freq="s")), "PeriodIndex", SECONDS),
    "periods of days": (pd.Series(pd.PeriodIndex(DATES, freq="D")), "PeriodIndex", MIDNIGHTS),
    "categories of periods": (pd.Series(pd.PeriodIndex(TEXTS, freq="s")).astype("category"), "PeriodIndex", SECONDS),
    "intervals": (pd.Series(pd.IntervalIndex.from_breaks([*STAMPS, pd.Timestamp("2015")])), r"\.left", SECONDS),
    "intervals of numbers": (pd.Series(pd.IntervalIndex.from_breaks([1.0, 2.0, 4.0, 9.0])), r"\.left", [1, 2, 4]),
    **{
        f"timedelta64[{unit}]": (
            pd.Series(np.array(SMALL, dtype="timedelta64[s]").astype(f"timedelta64[{unit}]")),
            "total_seconds",
            SMALL,
        )
        for unit in ("s", "ms", "us", "ns")
    },
    **{
        f"arrow duration[{unit}]": (
            arrow([dt.timedelta(seconds=s) for s in SMALL], pa.duration(unit)),
            "total_seconds",
            SMALL,
        )
        for unit in ("s", "ms", "us", "ns")
    },
    "categories of timedeltas": (
        pd.Series(pd.to_timedelta(SMALL, unit="s")).astype("category"),
        "total_seconds",
        SMALL,
    ),
    **{
        f"arrow {kind}": (
            arrow([at.time() for at in AT], kind),
            "the day must be known",
            [timegm((2014, 4, 7, at.hour, at.minute, at.second)) for at in AT],
        )
        for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))
    },
    "objects of time": (
        pd.Series([at.time() for at in AT], dtype=object),
        "the day must be known",
        [timegm((2014, 4, 7, at.hour, at.minute, at.second)) for at in AT],
    ),
    "truths": (pd.Series([True, False, True]), "True is neither", ORDER),
    "nullable truths": (pd.Series([True, False, True], dtype="boolean"), "True is neither", ORDER),
    "arrow truths": (arrow([True, False, True], pa.bool_()), "True is neither", ORDER),
    "complex numbers": (pd.Series([1 + 2j, 3 + 0j, 4j]), "is neither", ORDER),
    "nothing": (arrow([None] * 3, pa.null()), "an empty field is not a time.*3 in all", ORDER),
    "nothing but None": (pd.Series([None] * 3, dtype=object), "an empty field is not a time.*3 in all", ORDER),
    "nothing but NaT": (pd.Series([pd.NaT] * 3), "an empty field is not a time.*3 in all", ORDER),
    "nothing but nan": (pd.Series([float("nan")] * 3), "an empty field is not a time.*3 in all", ORDER),
    "structs": (arrow([{"s": s} for s in SECONDS], pa.struct({"s": pa.int64()})), "is neither", ORDER),
    "maps": (arrow([[("s", 1)]] * 3, pa.map_(pa.string(), pa.int64())), "is neither", ORDER),
    "dicts": (pd.Series([{"s": 1}] * 3), "is neither", ORDER),
    "months and days": (
        arrow([pa.scalar((1, 2, 3), pa.month_day_nano_interval())] * 3, pa.month_day_nano_interval()),
        "is neither",
        ORDER,
    ),
    "milliseconds": (pd.Series([s * 1000 for s in SECONDS]), "milliseconds.*/ 1000;", SECONDS),
    "milliseconds as floats": (pd.Series([s * 1000 + 0.5 for s in SECONDS]), "/ 1000;", [s + 0.0005 for s in SECONDS]),
    "arrow's milliseconds": (arrow([s * 1000 for s in SECONDS], pa.int64()), "/ 1000;", SECONDS),
    "nullable milliseconds": (pd.Series([s * 1000 for s in SECONDS], dtype="Int64"), "/ 1000;", SECONDS),
    "microseconds": (pd.Series([s * 10**6 for s in SECONDS]), "microseconds.*/ 1000000;", SECONDS),
    "nanoseconds": (pd.Series([s * 10**9 for s in SECONDS]), "nanoseconds.*/ 1000000000;", SECONDS),
    "seconds and milliseconds": (
        pd.Series([SECONDS[0], SECONDS[1] * 1000, SECONDS[2]]),
        r"different units.*row: 2 .*1 in all",
        SECONDS,
    ),
    "nullable seconds and milliseconds": (
        pd.Series([SECONDS[0], SECONDS[1] * 1000, SECONDS[2]], dtype="Int64"),
        "different units",
        SECONDS,
    ),
    "arrow's seconds and milliseconds": (
        arrow([SECONDS[0], SECONDS[1] * 1000, SECONDS[2]], pa.int64()),
        "different units",
        SECONDS,
    ),
    "seconds, milliseconds and microseconds": (
        pd.Series([SECONDS[0], SECONDS[1] * 1000, SECONDS[2] * 10**6]),
        "different units.*2 in all",
        SECONDS,
    ),
    "milliseconds and nanoseconds": (
        pd.Series([SECONDS[0] * 1000, SECONDS[1] * 1000, SECONDS[2] * 10**9]),
        "different units.*3 in all",
        SECONDS,
    ),
    "days as numbers": (
        pd.Series([20140407, 20140408, 20160229]),
        r"20140407 is a date.*%Y%m%d\).*row: 1 .*3 in all",
        MIDNIGHTS,
    ),
    "days as float numbers": (pd.Series([20140407.0, 20140408.0, 20160229.0]), "is a date", MIDNIGHTS),
    "days as nullable numbers": (pd.Series([20140407, 20140408, 20160229], dtype="Int64"), "is a date", MIDNIGHTS),
    "days as int32": (pd.Series([20140407, 20140408, 20160229], dtype="int32"), "is a date", MIDNIGHTS),
    "days as arrow's numbers": (arrow([20140407, 20140408, 20160229], pa.int64()), "is a date", MIDNIGHTS),
    "hours as numbers": (
        pd.Series([2014040710, 2014040711, 2014102601]),
        "%Y%m%d%H",
        [timegm((2014, 4, 7, 10, 0, 0)), timegm((2014, 4, 7, 11, 0, 0)), timegm((2014, 10, 26, 1, 0, 0))],
    ),
    "minutes as numbers": (
        pd.Series([201404071051, 201404071052, 201410260130]),
        "%Y%m%d%H%M",
        [timegm((2014, 4, 7, 10, 51, 0)), timegm((2014, 4, 7, 10, 52, 0)), timegm((2014, 10, 26, 1, 30, 0))],
    ),
    "times as numbers": (pd.Series([int(f"{at:%Y%m%d%H%M%S}") for at in AT]), "%Y%m%d%H%M%S", SECONDS),
    "times as float numbers": (pd.Series([float(f"{at:%Y%m%d%H%M%S}") for at in AT]), "%Y%m%d%H%M%S", SECONDS),
    "milliseconds in a date": (
        pd.Series([int(f"{at:%Y%m%d%H%M%S}") * 1000 + 250 for at in AT]),
        "%Y%m%d%H%M%S%f",
        [s + 0.25 for s in SECONDS],
    ),
    "times as numbers, divided": (
        pd.Series([int(f"{at:%Y%m%d%H%M%S}") for at in AT]) / 1000,
        "%Y%m%d%H%M%S / 1000",
        SECONDS,
    ),
}


def log_of(times: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"SessionId": 1, "ItemId": list("abc")}).assign(Time=times)


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_column_of_times_is_taken_in_the_right_seconds(name):
    times, expected = ACCEPTED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert clicks.seconds(times).tolist() == pytest.approx(expected, rel=0, abs=1e-6)
        assert clicks.encode(log_of(times)).times.tolist() == pytest.approx(sorted(expected), rel=0, abs=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_column_of_times_is_refused_and_its_remedy_makes_one(name):
    times, message, expected = REFUSED[name]
    log = log_of(times)
    before = log.copy(deep=True)
    with pytest.raises(
        ClickLogError, match=f"(?s)^Column 'Time': .*{message}" if message[0] != "^" else message
    ) as error:
        clicks.check(log)
    assert "Remedy: " in str(error.value)
    assert "First bad row: " in str(error.value)
    mended, messages = follow(log, clicks.check)
    assert clicks.seconds(mended["Time"]).tolist() == pytest.approx(expected, rel=0, abs=1e-6), messages
    assert log["Time"].dtype == before["Time"].dtype
    for function in (clicks.encode, clicks.prepare, clicks.split_by_time, lambda log: clicks.seconds(log["Time"])):
        with pytest.raises(ClickLogError, match=r"Column 'Time': .*First bad row"):
            function(log)
    with pytest.raises(ClickLogError, match="Column 'Time': "):
        clicks.sessionise(log.assign(UserId=1), gap=86400)


def raised(function, *arguments) -> str:
    with pytest.raises(ClickLogError) as error:
        function(*arguments)
    return str(error.value)


# --- times that lost information before they came here


COARSE = {
    "float32": pd.Series(SECONDS, dtype="float32"),
    "float16": pd.Series([3.0, 4096.0, 60_000.0], dtype="float16"),
    "Float32": pd.Series(SECONDS, dtype="Float32"),
    "arrow's float": arrow(np.array(SECONDS, np.float32), pa.float32()),
    "arrow's halffloat": arrow(np.array([3, 4096, 60_000], np.float16), pa.float16()),
    "sparse float32": sparse(SECONDS, "float32"),
    "categories of float32": pd.Series(SECONDS, dtype="float32").astype("category"),
    "float32 milliseconds": pd.Series([s * 1000 for s in SECONDS], dtype="float32"),
    "float32 of a clock of one's own": pd.Series([0, 1, 2**25], dtype="float32"),
}


@pytest.mark.parametrize("name", COARSE)
def test_floats_too_coarse_for_seconds_are_refused(name):
    message = raised(clicks.seconds, COARSE[name].rename("Time"))
    assert "s apart: which click came first is lost" in message
    assert "dtype={'Time': 'float64'}" in message
    assert "First bad row: 3" in message or name == "categories of float32"
    for function in (clicks.encode, clicks.prepare, clicks.split_by_time, clicks.check):
        assert raised(function, log_of(COARSE[name])).startswith("Column 'Time': ")


def test_the_remedy_for_coarse_floats_works(tmp_path):
    log_of(pd.Series(SECONDS)).to_csv(tmp_path / "log.csv")
    coarse = pd.read_csv(tmp_path / "log.csv", dtype={"Time": "float32"})
    message = raised(clicks.encode, coarse)
    options = message[message.index("dtype={") :].split(")")[0]
    log = eval(f"pandas.read_csv(path, {options})", {"pandas": pd, "path": tmp_path / "log.csv"})
    assert clicks.encode(log).times.tolist() == SECONDS


def test_float32_that_tells_seconds_apart_or_days_is_taken():
    assert clicks.seconds(pd.Series([0, 0.25, 2**24 - 1], dtype="float32")).tolist() == [0, 0.25, 2**24 - 1]
    assert clicks.seconds(pd.Series(MIDNIGHTS, dtype="float32")).tolist() == MIDNIGHTS


def warned(times: pd.Series) -> str:
    with pytest.warns(UserWarning, match=r"^Column 'Time': .*First bad row: .*Remedy: ") as record:
        clicks.check(pd.DataFrame({"SessionId": 1, "ItemId": 1}, index=times.index).assign(Time=times))
    assert len(record) == 1
    assert record[0].filename == __file__, "the line that called"
    return str(record[0].message)


FINE = np.arange(1_396_867_869, 1_396_867_869 + 40_000, 1009)
ROUNDED = {
    "floats of float32": pd.Series(FINE).astype("float32").astype("float64"),
    "integers of float32": pd.Series(FINE).astype("float32").astype("int64"),
    "datetimes of float32": pd.to_datetime(pd.Series(FINE).astype("float32").astype("int64"), unit="s"),
    "six digits": pd.Series([float(f"{second:.6g}") for second in range(1_396_867_869, 1_397_867_869, 9_999)]),
    "seven digits of nullable integers": pd.Series([int(float(f"{second:.7g}")) for second in FINE]).astype("Int64"),
    "what a spreadsheet shows": pd.Series(
        [int(float(f"{second:.5e}")) for second in range(1_396_867_869, 1_397_867_869, 9_999)]
    ),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_times_that_were_rounded_before_they_came_are_warned_of(name):
    message = warned(ROUNDED[name])
    assert "was rounded, since all times are" in message
    assert f"{len(ROUNDED[name])} in all" in message


def test_round_times_that_mean_what_they_say_give_no_warning():
    days = pd.Series(pd.date_range("2014-01-01", periods=100))
    hours = pd.Series(pd.date_range("2014-01-01", periods=100, freq="h"))
    for times in (days, hours, pd.Series(range(0, 10**6, 1000)), pd.Series([1_700_000_000] * 10)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            clicks.seconds(times)


# --- times that cannot mean what they seem to

DISTANT = {
    "1970": ([*SECONDS, 0], 4, 1),
    "2262": ([pd.Timestamp("2262-04-11"), *STAMPS], 1, 1),
    "1900": ([*STAMPS, pd.Timestamp("1900-01-01"), *STAMPS], 4, 1),
    "the end of 32 bits": ([*SECONDS, 2**31 - 1], 4, 1),
    "both ends": ([0, *SECONDS, 10**10, *SECONDS], 1, 2),
    "seconds and milliseconds divided": ([*SECONDS, *(s / 1000 for s in SECONDS), *SECONDS], 4, 3),
    "with a zone": ([*BERLIN, pd.Timestamp("1970-01-01", tz="Europe/Berlin")], 4, 1),
}


@pytest.mark.parametrize("name", DISTANT)
def test_clicks_decades_away_from_most_are_warned_of_and_can_be_dropped(name):
    times, row, n = DISTANT[name]
    times = pd.Series(times, name="Time")
    message = warned(times)
    assert (
        f"lies ten years or more from most other clicks. First bad row: {row} (data rows counted from 1), {n} in all"
        in message
    )
    log = pd.DataFrame({"SessionId": 1, "ItemId": 1, "Time": times})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left = done(log, message)
    assert len(left) == len(times) - n
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(clicks.seconds(left["Time"])) == set(SECONDS)


def test_integers_that_ran_over_are_warned_of():
    milliseconds = np.arange(1_396_867_869_000, 1_396_867_869_000 + 60 * 86_400_000, 3_600_000)
    for kind in ("int32", "Int32"):
        ran_over = pd.Series(milliseconds.astype("int32")).astype(kind)
        message = warned(ran_over)
        assert "ran over" in message
        assert "dtype={'Time': 'int64'}" in message
    assert "ran over" in warned(pd.Series(milliseconds.astype("uint32")))
    assert "ran over" in warned(pd.Series((milliseconds // 1000).astype("int16")))


def test_a_log_of_nine_years_and_one_of_a_clock_of_its_own_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clicks.seconds(pd.Series(pd.date_range("2005-01-01", "2024-01-01", freq="30D")))
        clicks.seconds(pd.Series([0, 1, 2, 10**7, 2 * 10**7 + 5]))
        clicks.seconds(pd.Series([-100, 100, 7], dtype="int16"))


@pytest.mark.parametrize("late", ["9999-12-31", "5200-01-01"])
@pytest.mark.parametrize("unit", ["s", "us"])
def test_a_datetime_that_stands_for_none_is_refused(late, unit):
    times = pd.Series(np.array([*AT[:2], late], dtype=f"datetime64[{unit}]"))
    log = log_of(times)
    assert "is beyond the year 5138, or as far before 1970. First bad row: 3" in raised(clicks.check, log)
    mended, messages = follow(log, clicks.check)
    assert len(messages) == 1
    assert clicks.seconds(mended["Time"]).tolist() == SECONDS[:2]


# --- rows that cannot be mended are dropped by the remedy

SOME_BAD = {
    "a missing datetime": ([STAMPS[0], pd.NaT, STAMPS[2]], "an empty field"),
    "a missing number": ([SECONDS[0], np.nan, SECONDS[2]], "an empty field"),
    "an infinite number": ([SECONDS[0], -np.inf, SECONDS[2]], "-inf"),
    "a missing nullable": (pd.array([SECONDS[0], None, SECONDS[2]], "Int64"), "an empty field"),
    "a missing category": (pd.Categorical([STAMPS[0], None, STAMPS[2]]), "an empty field"),
    "a missing arrow timestamp": (arrow([AT[0], None, AT[2]], pa.timestamp("us")), "an empty field"),
    "a missing arrow decimal": (
        arrow([Decimal(SECONDS[0]), None, Decimal(SECONDS[2])], pa.decimal128(20, 0)),
        "an empty field",
    ),
    "a missing text": ([TEXTS[0], None, TEXTS[2]], "an empty field"),
    "a text that is no time": ([TEXTS[0], "soon", TEXTS[2]], "'2014-04-07 10:51:09'"),
    "a number that is none": ([str(SECONDS[0]), "?", str(SECONDS[2])], "is neither"),
    "a truth among numbers": (pd.Series([SECONDS[0], True, SECONDS[2]], dtype=object), "True is neither"),
    "a thing among numbers": (pd.Series([SECONDS[0], object, SECONDS[2]], dtype=object), "is neither"),
    "a date that is none": ([20140407, 20140231, 20160229], "is a date"),
    "a zero among dates": ([20140407, 0, 20160229], "is a date"),
    "a text date that is none": (["20140407", "20140231", "20160229"], "is neither"),
}


@pytest.mark.parametrize("name", SOME_BAD)
def test_a_row_without_a_time_is_dropped_by_the_remedy(name):
    times, message = SOME_BAD[name]
    log = log_of(pd.Series(times))
    assert message in raised(clicks.check, log)
    mended, messages = follow(log, clicks.check)
    expected = [MIDNIGHTS[0], MIDNIGHTS[2]] if "date" in message or "text date" in name else [SECONDS[0], SECONDS[2]]
    assert clicks.seconds(mended["Time"]).tolist() == expected, messages


# --- dates written as numbers

DAYS = pd.DataFrame({"UserId": "u", "ItemId": list("abc"), "Time": [20141030, 20141111, 20150101]})


def test_dates_written_as_numbers_make_no_sessions():
    assert "20141030 is a date written as a number (%Y%m%d)" in raised(clicks.sessionise, DAYS, "UserId", 86400)
    days, _ = follow(DAYS, lambda log: clicks.sessionise(log, gap=86400))
    assert clicks.sessionise(days, gap=86400)["SessionId"].tolist() == ["u-1", "u-2", "u-3"]


def test_no_remedy_makes_nonsense_of_a_date():
    times = pd.Series([20141030101112, 20141101000000], name="Time")
    for column in (times, times / 1000, times.astype("Int64"), times // 100, times // 100 / 1000):
        assert "is a date written as a number" in raised(clicks.seconds, column)
        mended, _ = follow(pd.DataFrame({"SessionId": 1, "ItemId": 1, "Time": column}), clicks.check)
        assert clicks.seconds(mended["Time"]) == pytest.approx(
            [timegm((2014, 10, 30, 10, 11, 12)), timegm((2014, 11, 1, 0, 0, 0))], abs=60
        )


def test_a_clock_of_ones_own_may_read_like_a_date_for_a_moment():
    assert clicks.seconds(pd.Series([20141030.0])).tolist() == [20141030.0]
    assert clicks.seconds(pd.Series([20141005, 20141030])).tolist() == [20141005, 20141030]
    assert clicks.seconds(pd.Series(range(20_140_000, 20_150_000))).tolist() == list(range(20_140_000, 20_150_000))


def test_settings_of_pandas_change_nothing():
    text = [f"{at:%Y-%m-%d %H:%M:%S}" for at in AT]
    for infer in (False, True):
        for storage in ("python", "pyarrow"):
            with pd.option_context("future.infer_string", infer, "mode.string_storage", storage):
                log = pd.DataFrame({"SessionId": ["s", "s", "t"], "ItemId": list("aba"), "Time": text})
                mended, messages = follow(log, clicks.check)
                assert "to_datetime" in messages[0]
                found = clicks.encode(mended)
                assert (found.index.tolist(), found.ids.tolist()) == (["a", "b"], ["s", "t"])
                assert found.times.tolist() == SECONDS
                stored = pd.DataFrame({"SessionId": pd.array(["s", "s", "t"], "string"), "ItemId": 7, "Time": AT})
                assert clicks.encode(stored).times.tolist() == SECONDS


def test_the_shop_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clicks.encode(toyshop.simulate(200, seed=0))


# --- columns of anything

ANYTHING = [
    *(
        AT[0],
        DATES[0],
        STAMPS[0],
        BERLIN[0],
        np.datetime64(AT[0]),
        pd.Period("2014-04"),
        pd.Interval(1, 2),
        pd.Timedelta(5, "s"),
    ),
    *(
        SECONDS[0],
        SECONDS[0] + 0.5,
        SECONDS[0] * 1000,
        20140407,
        np.int64(5),
        np.float32(5),
        10**30,
        -5,
        3j,
        float("inf"),
    ),
    *(
        None,
        float("nan"),
        pd.NaT,
        pd.NA,
        True,
        np.bool_(True),
        Decimal("1.5"),
        Decimal("NaN"),
        Fraction(1, 3),
        dt.time(10),
    ),
    *(
        "2014-04-07",
        "2014-04-07T10:00Z",
        "1396867869",
        "20140407",
        "07/04/2014",
        "10:51:09",
        "soon",
        "",
        " 5 ",
        "nan",
        "inf",
    ),
    *("2014-04-07 10:51:09 CET", "9999-12-31", "0x10", b"2014-04-07", [1, 2], (1, 2), {"a": 1}, {1}, object()),
    *(dt.datetime(9999, 12, 31), np.array([1, 2]), np.datetime64("NaT"), "1.5e9", "1,5"),
]


@settings(deadline=None, max_examples=150, derandomize=True)
@given(
    st.lists(st.sampled_from(range(len(ANYTHING))), min_size=1, max_size=3),
    st.data(),
    st.sampled_from(["Time", "ItemId"]),
)
def test_a_column_of_anything_is_taken_or_its_remedies_lead_to_one_that_is(kinds, data, column):
    drawn = [ANYTHING[data.draw(st.sampled_from(kinds))] for _ in range(4)]
    values = pd.Series([None] * 4, dtype=object)
    for row, value in enumerate(drawn):
        values.iat[row] = value
    log = pd.DataFrame({"SessionId": 1, "ItemId": range(4), "Time": range(4)}).assign(**{column: values})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mended, messages = follow(log, clicks.encode, most=5)  # nothing else than ClickLogError comes up
        assert len(clicks.seconds(mended["Time"])) == len(mended), messages
