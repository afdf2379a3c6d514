from __future__ import annotations

import gc
import gzip
import math
import warnings
import zipfile
from collections import Counter
from itertools import groupby, pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from helpers import catches
from hypothesis import example, given, settings
from hypothesis import strategies as st
from logs import by_last_click, click_log, random_log
from pandas.testing import assert_frame_equal

from gru4rec_lite import clicks, evaluate
from gru4rec_lite.clicks import ClickLogError, columns, order
from gru4rec_lite.museum import data as museum
from gru4rec_lite.museum.checks import LEAK, row_labels_do_not_matter

LOG = "SessionId,ItemId,Time\n7,a,10\n7,b,11\n8,a,12.5\n"

several = settings(deadline=None, max_examples=60, derandomize=True)


def frame(rows, columns=clicks.COLUMNS, **settings) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns), **settings)


def save(path, text: str):
    path.write_text(text, encoding="utf-8")
    return path


# --- read ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["csv", "tsv", "semicolon", "pipe", "csv.gz", "tsv.gz", "csv.zip", "parquet"])
def log_file(request, tmp_path):
    """The same three clicks in every kind of file."""
    kind = request.param
    if kind == "parquet":
        frame([(7, "a", 10.0), (7, "b", 11.0), (8, "a", 12.5)]).to_parquet(tmp_path / "log.parquet")
        return tmp_path / "log.parquet"
    delimiter = {"semicolon": ";", "pipe": "|", "tsv": "\t", "tsv.gz": "\t"}.get(kind, ",")
    text = LOG.replace(",", delimiter)
    path = tmp_path / f"log.{kind if '.' in kind or kind == 'tsv' else 'csv'}"
    if kind.endswith("gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif kind.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("anything.csv", text)
    else:
        save(path, text)
    return path


def test_every_kind_of_file_gives_the_same_clicks(log_file):
    assert_frame_equal(clicks.read(log_file), frame([(7, "a", 10.0), (7, "b", 11.0), (8, "a", 12.5)]))


def test_columns_are_renamed_and_only_those_asked_for_are_kept(tmp_path):
    path = save(tmp_path / "log.csv", "visit;page 2 (model);when;who;ItemId\n1;A13;5;ann;x\n1;B4;6;bob;y\n")
    log = clicks.read(path, session="visit", item="page 2 (model)", time="when", keep=["who"])
    assert_frame_equal(log, frame([(1, "A13", 5, "ann"), (1, "B4", 6, "bob")], [*clicks.COLUMNS, "who"]))


def test_a_byte_order_mark_windows_lines_and_quotes_do_no_harm(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b'\xef\xbb\xbf"SessionId","ItemId","Time"\r\n1,"a,b",5\r\n')
    assert_frame_equal(clicks.read(path), frame([(1, "a,b", 5)]))


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["12", "7", "-3"], [12, 7, -3]),
        (["00123", "123"], ["00123", "123"]),  # not one item
        (["7", "x"], ["7", "x"]),
        (["+7", "8"], ["+7", "8"]),
        (["0x10", "8"], ["0x10", "8"]),
        (["1.0", "2.0"], ["1.0", "2.0"]),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),  # more than 64 bits hold
        (["NA", "null"], ["NA", "null"]),  # an item may have any name
        (["true", "false"], ["true", "false"]),
        (["2020-01-01", "2020-01-02"], ["2020-01-01", "2020-01-02"]),
    ],
)
def test_ids_stay_what_they_are_in_the_file(tmp_path, ids, expected):
    path = save(tmp_path / "log.csv", "SessionId,ItemId,Time\n" + "".join(f"s,{i},1\n" for i in ids))
    assert clicks.read(path)["ItemId"].tolist() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1396867869", 1396867869),
        ("1396867869.5", 1396867869.5),
        ("2014-04-07 10:51:09", 1396867869),
        ("2014-04-07T10:51:09.277Z", 1396867869.277),
        ("2014-04-07T12:51:09+02:00", 1396867869),
        ("2014-04-07T10:51:09.277123456Z", 1396867869.277123),
        ("2014-04-07", 1396828800),
        ("2014-04-07 10:51:09 UTC", 1396867869),
        ("2014-04-07 10:51:09.277 UTC", 1396867869.277),
    ],
)
def test_times_are_seconds_or_iso_dates(tmp_path, text, expected):
    log = clicks.read(save(tmp_path / "log.csv", f"SessionId,ItemId,Time\n1,a,{text}\n1,b,{text}\n"))
    assert clicks.seconds(log["Time"]) == pytest.approx([expected, expected], abs=1e-6)


def test_dates_with_and_without_a_zone_may_be_mixed(tmp_path):
    path = save(tmp_path / "log.csv", "SessionId,ItemId,Time\n1,a,2014-04-07T10:00:00Z\n1,b,2014-04-07 10:00:01\n")
    assert np.diff(clicks.seconds(clicks.read(path)["Time"])).tolist() == [1]


def test_utc_by_letter_and_by_name_may_be_mixed(tmp_path):
    path = save(tmp_path / "log.csv", "SessionId,ItemId,Time\n1,a,2014-04-07T10:00:00Z\n1,b,2014-04-07 10:00:01 UTC\n")
    assert np.diff(clicks.seconds(clicks.read(path)["Time"])).tolist() == [1]
    bad = save(
        tmp_path / "bad.csv", "SessionId,ItemId,Time\n1,a,2014-04-07 10:00:00 UTC\n1,b,2014-04-07 10:00:01 CET\n"
    )
    with pytest.raises(ClickLogError, match=r"'2014-04-07 10:00:01 CET' is neither.*row: 2 .*1 in all"):
        clicks.read(bad)


def test_a_suffix_may_be_in_capitals(tmp_path):
    expected = frame([(7, "a", 10.0), (7, "b", 11.0), (8, "a", 12.5)])
    (tmp_path / "LOG.CSV.GZ").write_bytes(gzip.compress(LOG.encode()))
    expected.to_parquet(tmp_path / "LOG.PARQUET")
    with zipfile.ZipFile(tmp_path / "LOG.ZIP", "w") as archive:
        archive.writestr("LOG.TSV", LOG.replace(",", "\t"))
    for path in (save(tmp_path / "LOG.CSV", LOG), *map(tmp_path.joinpath, ("LOG.CSV.GZ", "LOG.PARQUET", "LOG.ZIP"))):
        assert_frame_equal(clicks.read(path), expected)


def test_line_breaks_in_quotes_are_read_in_a_file_of_any_size(tmp_path):
    items = ["a" + "\n" * (row % 60) + "b" for row in range(50_000)]  # 1.5 MB, so a block ends inside quotes
    rows = [f'{row},"{item}",{row}\n' for row, item in enumerate(items)]
    path = save(tmp_path / "log.csv", "SessionId,ItemId,Time\n" + "".join(rows))
    assert path.stat().st_size > 1.5 * 2**20
    log = clicks.read(path)
    assert log["ItemId"].tolist() == items
    assert log["Time"].tolist() == list(range(50_000))
    rows[40_000] = "1,a\n"
    with pytest.raises(ClickLogError, match=r"names 3 columns.*has 2: '1,a'.*First bad row: 40001 .*1 in all"):
        clicks.read(save(path, "SessionId,ItemId,Time\n" + "".join(rows)))


def test_ids_written_as_floats_stay_text_and_are_warned_of(tmp_path):
    path = save(tmp_path / "log.csv", "SessionId,ItemId,Time\n1,7.0,0\n1,12.0,1\n")
    with pytest.warns(UserWarning, match=r"'ItemId': .*'7\.0', which is not the id '7'.*removesuffix") as record:
        log = clicks.read(path)
    assert record[0].filename == __file__
    assert log["ItemId"].tolist() == ["7.0", "12.0"]
    assert log["ItemId"].str.removesuffix(".0").astype("int64").tolist() == [7, 12]  # the remedy
    for other in ("7.0,0\n1,12.5", "7,0\n1,12.0", "x.0,0\n1,y.0"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            clicks.read(save(path, f"SessionId,ItemId,Time\n1,{other},1\n"))


def test_the_remedy_for_milliseconds_works_where_reading_does_not(tmp_path):
    path = save(tmp_path / "log.csv", "SessionId,ItemId,Time\n1,a,1396867869277\n")
    with pytest.raises(ClickLogError, match=r"clicks\['Time'\] / 1000; from a file: clicks = pandas\.read_csv\(…\)"):
        clicks.read(path)
    log = pd.read_csv(path)
    log["Time"] = log["Time"] / 1000
    assert clicks.encode(log).times.tolist() == [1396867869.277]


def test_times_of_a_parquet_file_may_be_text_too(tmp_path):
    frame([("1", "a", "2014-04-07T10:00:00Z")]).to_parquet(tmp_path / "log.parquet")
    log = clicks.read(tmp_path / "log.parquet")
    assert log["Time"].tolist() == [pd.Timestamp("2014-04-07 10:00:00")]
    assert log["SessionId"].tolist() == ["1"]  # text there, so text here


BAD_FILES = {
    "an empty file": ("", "'SessionId' is missing: the log has no column at all"),
    "a header alone": ("SessionId,ItemId,Time\n", "empty: column 'ItemId' has no row"),
    "a missing column": ("SessionId,Item,Time\n1,a,2\n", "'ItemId' is missing: .*'SessionId', 'Item', 'Time'.*item=…"),
    "no header": ("1,a,2\n1,b,3\n", "'SessionId' is missing: the log has '1', 'a', '2'.*session=….*first line"),
    "a column twice": ("SessionId,ItemId,ItemId,Time\n1,a,b,2\n", "'ItemId' occurs 2 times"),
    "an unreadable time": (
        "SessionId,ItemId,Time\n1,a,5\n1,b,noon\n1,c,x\n",
        "'Time': 'noon' .*First bad row: 2 .*2 in all",
    ),
    "an unreadable date": (
        "SessionId,ItemId,Time\n1,a,2020-01-01\n1,b,2020-13-01\n",
        "'2020-13-01' .*First bad row: 2 ",
    ),
    "another date format": (
        "SessionId,ItemId,Time\n1,a,07/04/2014\n",
        "'07/04/2014' is neither.*row: 1 .*pandas.to_datetime",
    ),
    "a missing time": (
        "SessionId,ItemId,Time\n1,a,5\n1,b,\n",
        "'Time': an empty field is not a time.*First bad row: 2 ",
    ),
    "a time that is no number": ("SessionId,ItemId,Time\n1,a,5\n1,b,nan\n", "'Time': .*First bad row: 2 "),
    "milliseconds": ("SessionId,ItemId,Time\n1,a,1396867869277\n", "'Time': 1396867869277 cannot be seconds.*/ 1000"),
    "a number among dates": (
        "SessionId,ItemId,Time\n1,a,2020-01-01\n1,b,5.5\n1,c,2020-01-02\n1,d,x\n",
        "'Time': '5.5' stands among dates.*First bad row: 2 .*2 in all",
    ),
    "a date among numbers": (
        "SessionId,ItemId,Time\n1,a,5.5\n1,b,2020-01-01 10:00\n1,c,6.5\n",
        "'Time': '2020-01-01 10:00' stands among numbers.*First bad row: 2 .*1 in all",
    ),
    "a missing session": ("SessionId,ItemId,Time\n1,a,5\n,b,6\n", "'SessionId': an empty field is not an id.*row: 2 "),
    "a missing item": (
        "SessionId,ItemId,Time\n1,4,5\n1,,6\n",
        "'ItemId': an empty field is not an id.*First bad row: 2 ",
    ),
    "a row too long": (
        "SessionId,ItemId,Time\n1,a,5\n1,b,6\n1,c,d,7\n",
        "names 3 columns.*has 4: '1,c,d,7'.*bad row: 3 ",
    ),
    "a row too short": ("SessionId,ItemId,Time\n1,a,5\n1,b\n", "names 3 columns.*has 2: '1,b'.*First bad row: 2 "),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_with_column_row_and_remedy(tmp_path, name):
    text, message = BAD_FILES[name]
    with pytest.raises(ClickLogError, match=message) as error:
        clicks.read(save(tmp_path / "log.csv", text))
    assert "Remedy: " in str(error.value)


def test_an_error_speaks_of_the_files_own_column(tmp_path):
    path = save(tmp_path / "log.csv", "visit,page,when\n1,a,5\n1,b,noon\n")
    with pytest.raises(ClickLogError, match="Column 'when': 'noon'"):
        clicks.read(path, session="visit", item="page", time="when")
    with pytest.raises(ClickLogError, match=r"'who' is missing.*keep="):
        clicks.read(path, session="visit", item="page", time="when", keep=["who"])


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(ClickLogError, match=r"no click log at .*nowhere\.csv.*Remedy"):
        clicks.read(tmp_path / "nowhere.csv")
    with pytest.raises(ClickLogError, match="no click log at"):
        clicks.read(tmp_path)
    with pytest.raises(ValueError, match=r"log\.xlsx': must be a \.csv"):
        clicks.read(save(tmp_path / "log.xlsx", LOG))
    for name in ("log.csv.gz", "log.zip", "log.parquet"):
        with pytest.raises(ClickLogError, match=r"cannot be read.*Remedy"):
            clicks.read(save(tmp_path / name, LOG))
    (tmp_path / "log.csv").write_bytes(LOG.replace("a", "é").encode("latin-1"))
    with pytest.raises(ClickLogError, match=r"cannot be read.*UTF-8"):
        clicks.read(tmp_path / "log.csv")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", LOG)
        archive.writestr("b.csv", LOG)
    with pytest.raises(ValueError, match=r"two\.zip"):
        clicks.read(tmp_path / "two.zip")


def test_a_column_to_keep_cannot_take_a_name_that_is_given_anew(tmp_path):
    path = save(tmp_path / "log.csv", "SessionId,page,when,Time\n1,a,5,x\n1,b,6,y\n")
    with pytest.raises(ValueError, match=r"keep=\['Time'\]: must .* not SessionId, ItemId, Time"):
        clicks.read(path, item="page", time="when", keep=["Time"])
    with pytest.raises(ValueError, match="keep='Time': must be a list"):
        clicks.read(path, item="page", time="when", keep="Time")
    log = clicks.read(path, session=None, item="page", time="when", keep=["SessionId"])  # sessionise makes it anew
    assert log.columns.tolist() == ["ItemId", "Time", "SessionId"]


def test_one_column_cannot_be_two_things(tmp_path):
    with pytest.raises(ValueError, match=r"session='a', item='a'.* different columns"):
        clicks.read(save(tmp_path / "log.csv", LOG), session="a", item="a")


# --- check -----------------------------------------------------------------------------------------------------------

NAN, NAT = float("nan"), pd.NaT
BAD_FRAMES = {
    "a list": ([1, 2], "must be a pandas DataFrame .*list.*Remedy"),
    "no rows": (frame([]), "is empty"),
    "a misnamed column": (
        frame([(1, "a", 5)], ["UserId", "ItemId", "time"]),
        "'Time' is missing: the log has .*'time'",
    ),
    "a column twice": (frame([(1, "a", "b", 5)], ["UserId", "ItemId", "ItemId", "Time"]), "'ItemId' occurs 2 times"),
    "text times": (frame([(1, "a", "2020-01-01")]), "'Time': '2020-01-01' is neither.*row: 1 .*to_datetime"),
    "a missing date": (
        frame([(1, "a", pd.Timestamp(0)), (1, "b", NAT)]),
        "'Time': an empty field is not a time.*row: 2 ",
    ),
    "a missing number": (frame([(1, "a", 5.0), (1, "b", NAN)]), "'Time': an empty field is not a time.*row: 2 "),
    "an infinite time": (frame([(1, "a", 5.0), (1, "b", np.inf)]), "'Time': inf is not a time.*row: 2 "),
    "text among dates": (
        frame([(1, "a", pd.Timestamp(0)), (1, "b", "2020-01-01")]),
        "'Time': '2020-01-01' is neither.*row: 2 .*1 in all.*to_datetime",
    ),
    "a number among dates": (
        frame([(1, "a", pd.Timestamp(0)), (1, "b", 5), (1, "c", pd.Timestamp(1))], dtype=object).astype(
            {"SessionId": int}
        ),
        "'Time': 5 stands among datetimes.*row: 2 .*1 in all",
    ),
    "numbers as objects": (
        frame([(1, "a", 5), (1, "b", 6)]).astype({"Time": object}),
        "'Time': 5 .*mere.*astype.float",
    ),
    "true times": (frame([(1, "a", True)]), "'Time': True is neither"),
    "a missing item": (frame([(1, "a", 5), (1, None, 5)]), "'ItemId': an empty field is not an id.*row: 2 "),
    "a missing number of an item": (frame([(1, 3, 5), (1, NAN, 5)]), "'ItemId': an empty field is not an id.*row: 2 "),
    "items that became floats": (frame([(1, 3.0, 5)]), r"'ItemId': 3.0 is not an id here \(floating\).*row: 1 .*int64"),
    "text and numbers": (
        frame([(1, "a", 5), (1, 3, 5), (1, "b", 5)]),
        "'ItemId': 3 is not an id here.*row: 2 .*1 in all",
    ),
    "numbers and truths": (frame([(1, 3, 5), (1, True, 5)], dtype=object), "'ItemId': True is not an id here.*row: 2 "),
    "dates": (frame([(1, pd.Timestamp(0), 5)]), "'ItemId': 1970-01-01 00:00:00 is not an id here"),
}
PUBLIC = {
    "split_by_time": clicks.split_by_time,
    "prepare": clicks.prepare,
    "encode": clicks.encode,
    "sessionise": clicks.sessionise,
}


@pytest.mark.parametrize("name", BAD_FRAMES)
@pytest.mark.parametrize("function", PUBLIC)
def test_every_function_refuses_a_bad_frame_alike(function, name):
    log, message = BAD_FRAMES[name]
    if isinstance(log, pd.DataFrame):
        log = log.rename(columns={"UserId": "SessionId"})
        log = log.assign(UserId=log["SessionId"])
    with pytest.raises(ClickLogError, match=message):
        PUBLIC[function](log)


@pytest.mark.parametrize("dtype", ["Int64", "category", object, "int32"])
def test_integer_ids_of_any_make_come_back_as_integers(dtype):
    log = frame([(1, 5, 0), (1, 3, 1)]).astype({"ItemId": dtype})
    original = log.copy(deep=True)
    assert clicks.encode(log).index.tolist() == [3, 5]
    assert clicks.encode(log).index.dtype.kind == "i"
    assert_frame_equal(log, original)


@pytest.mark.parametrize("dtype", ["category", object, "string"])
def test_text_ids_of_any_make_are_the_same_items(dtype):
    train = frame([("s", "b", 0), ("s", "a", 1)])
    test = clicks.encode(train.astype({"ItemId": dtype}), clicks.encode(train).index)
    assert test.items.tolist() == [1, 0]


def test_a_zone_moves_times_to_utc():
    local = pd.Series(pd.to_datetime(["2020-06-01 02:00"]).tz_localize("Europe/Berlin"))
    assert clicks.seconds(local).tolist() == [pd.Timestamp("2020-06-01").timestamp()]


# --- sessionise ------------------------------------------------------------------------------------------------------


def check_gaps(sessionise) -> None:
    start = 1_700_000_000.3  # not a round number of a float
    times = start + np.array([0, 3600, 7201, 7202])
    for column in (times, pd.to_datetime(times, unit="s").round("us")):
        log = pd.DataFrame({"UserId": "ann", "ItemId": list("abcd"), "Time": column})
        a, b, c, d = sessionise(log)["SessionId"]
        assert a == b, "a gap of exactly one hour stays"
        assert b != c, "a second more splits"
        assert c == d


def test_a_gap_of_a_fraction_of_a_second_is_exact_too():
    begin = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(1000) * 1001, unit="us")  # as floats: ± 2e-7 s
    log = pd.DataFrame({"UserId": np.arange(1000), "ItemId": "a", "Time": begin})
    both = pd.concat([log, log.assign(Time=log["Time"] + pd.Timedelta("100ms"))])
    assert clicks.sessionise(both, gap=0.1)["SessionId"].nunique() == 1000
    assert clicks.sessionise(both, gap=0.099999)["SessionId"].nunique() == 2000


def check_users(sessionise) -> None:
    log = frame([("ann", "a", 1), ("bob", "a", 2), ("ann", "b", 3), ("bob", "b", 4)], ["UserId", "ItemId", "Time"])
    ann, bob, also_ann, also_bob = sessionise(log)["SessionId"]
    assert ann == also_ann != bob == also_bob


def test_a_gap_of_exactly_one_hour_stays_and_a_second_more_splits():
    check_gaps(clicks.sessionise)
    catches(check_gaps, museum.sessionise_at_the_gap)


def test_a_new_user_is_a_new_session():
    check_users(clicks.sessionise)
    catches(check_users, museum.sessionise_without_users)


users_log = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=30)


@several
@given(users_log, st.integers(1, 6))
def test_sessions_are_those_of_the_loop_over_each_users_clicks(rows, gap):
    log = frame([(user, "a", time) for user, time in rows], ["UserId", "ItemId", "Time"])
    expected = {}
    for user in {user for user, _ in rows}:
        own = sorted((row for row in range(len(rows)) if rows[row][0] == user), key=lambda row: rows[row][1])
        number = 1
        for previous, row in pairwise([own[0], *own]):
            number += rows[row][1] - rows[previous][1] > gap
            expected[row] = f"{user}-{number}"
    assert clicks.sessionise(log, gap=gap)["SessionId"].tolist() == [expected[row] for row in range(len(rows))]


def test_ids_of_two_users_never_meet():
    log = frame([("a", "x", 0), ("a", "x", 9999), ("a-1", "x", 0)], ["UserId", "ItemId", "Time"])
    assert clicks.sessionise(log)["SessionId"].tolist() == ["a-1", "a-2", "a-1-1"]


def test_a_log_without_sessions_is_read_and_sessionised(tmp_path):
    path = save(tmp_path / "log.csv", "user,ItemId,Time\n1,a,0\n1,b,5\n2,a,3\n1,c,9000\n")
    log = clicks.sessionise(clicks.read(path, session=None, keep=["user"]), user="user")
    assert log["SessionId"].tolist() == ["1-1", "1-1", "2-1", "1-2"]
    with pytest.raises(ClickLogError, match=r"'UserId' is missing: the log has .*'user'"):
        clicks.sessionise(log)


# --- split -----------------------------------------------------------------------------------------------------------

DAY = 86_400


def days_log(*sessions: tuple[float, float]) -> pd.DataFrame:
    """A session of two clicks for each (day of the first, day of the last)."""
    return frame(
        [(s, item, day * DAY) for s, days in enumerate(sessions) for item, day in zip("ab", days, strict=True)]
    )


def test_the_last_days_are_the_test_and_crossing_sessions_go_to_neither(capsys):
    log = days_log((0, 1), (1, 3), (3, 3), (2.9, 3.1), (3.1, 4), (0, 5), (4, 5))  # the cut is at day 3
    train, test = clicks.split_by_time(log, days=2)
    assert train["SessionId"].unique().tolist() == [0, 1, 2]
    assert test["SessionId"].unique().tolist() == [4, 6]
    assert train.attrs["crossing"] == test.attrs["crossing"] == 2
    assert capsys.readouterr().out == (
        "train: 6 clicks in 3 sessions\ntest: 4 clicks in 2 sessions\n"
        "sessions that cross the cut and go to neither: 2\n"
    )
    clicks.split_by_time(log, days=2, verbose=False)
    assert capsys.readouterr().out == ""


rows_of_a_log = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=40)


@several
@given(rows_of_a_log, st.integers(1, 20))
def test_no_training_click_comes_after_a_test_session_began(rows, days):
    log = frame([(s, item, day * DAY) for s, item, day in rows])
    cut = log["Time"].max() - days * DAY
    per_session = log.groupby("SessionId")["Time"]
    if not (per_session.max() <= cut).any() or not (per_session.min() > cut).any():
        with pytest.raises(ClickLogError, match="no whole session for"):
            clicks.split_by_time(log, days)
        return
    train, test = clicks.split_by_time(log, days, verbose=False)
    assert train["Time"].max() < test["Time"].min()
    assert test["Time"].min() > cut
    ids = [set(part["SessionId"]) for part in (train, test)]
    assert not ids[0] & ids[1]
    assert len(ids[0] | ids[1]) + train.attrs["crossing"] == log["SessionId"].nunique()
    for part in (train, test):  # whole sessions, rows in their order
        assert_frame_equal(part, log[log["SessionId"].isin(part["SessionId"])].reset_index(drop=True))


def test_an_empty_side_is_an_error_that_says_what_to_do():
    with pytest.raises(ClickLogError, match=r"days=14 .* train .*'Time'.*fewer days \(the log spans 5\)"):
        clicks.split_by_time(days_log((0, 1), (4, 5)))
    with pytest.raises(ClickLogError, match=r"days=1 .* test .*more days"):
        clicks.split_by_time(days_log((0, 1), (2, 5)), days=1)


def split_then_filter(log: pd.DataFrame, days: float, **filters):
    train, test = clicks.split_by_time(log, days)
    return clicks.prepare(train, **filters), test


def check_training_clicks_know_nothing_of_the_test(pipeline) -> None:
    train, _ = pipeline(LEAK, 1, min_support=5)
    other = LEAK.assign(ItemId=LEAK["ItemId"].where(LEAK["Time"] < DAY, "b"))  # the same log, but for its test clicks
    other_train, _ = pipeline(other, 1, min_support=5)
    assert train["ItemId"].tolist() == other_train["ItemId"].tolist()
    assert min(Counter(train["ItemId"]).values()) >= 5


def encode_both(train: pd.DataFrame, test: pd.DataFrame):
    sessions = clicks.encode(train)
    return sessions, clicks.encode(test, sessions.index)


def check_items_come_from_the_training_clicks(encode) -> None:
    train, test = encode(*clicks.split_by_time(LEAK, 1))
    assert train.index.tolist() == ["a", "b", "c"]
    assert (train.support > 0).all()
    assert test.items.tolist() == [0, 2] * 9 + [0, -1]


def test_support_is_counted_on_training_clicks_only():
    check_training_clicks_know_nothing_of_the_test(split_then_filter)
    catches(check_training_clicks_know_nothing_of_the_test, museum.filter_then_split)


def test_the_item_map_comes_from_training_clicks_only():
    check_items_come_from_the_training_clicks(encode_both)
    catches(check_items_come_from_the_training_clicks, museum.encode_with_items_of_both)


# --- prepare ---------------------------------------------------------------------------------------------------------


def drop_repeats(log: pd.DataFrame) -> pd.DataFrame:
    return clicks.prepare(log, min_session=1, drop_repeats=True)


def check_repeats(drop) -> None:
    log = click_log("iij", "iji", "iiiji")
    assert drop(log).groupby("SessionId")["ItemId"].sum().tolist() == ["ij", "iji", "iji"]


def test_immediate_repeats_go_and_returns_stay():
    check_repeats(drop_repeats)
    check_repeats(museum.drop_repeats_by_label)  # right on a single file: that is why it was published


def test_row_labels_do_not_matter():
    row_labels_do_not_matter(drop_repeats)
    catches(row_labels_do_not_matter, museum.drop_repeats_by_label)


def test_repeats_are_judged_in_order_of_time_within_the_session():
    log = frame([(1, "i", 3), (2, "i", 4), (1, "i", 1), (1, "j", 2), (2, "i", 5), (2, "k", 6)])
    assert drop_repeats(log)["ItemId"].tolist() == ["i", "i", "i", "j", "k"]


def test_what_a_dropped_item_makes_neighbours_is_a_repeat_too():
    log = click_log("ixij", "ij")
    assert clicks.prepare(log, min_support=2, drop_repeats=True)["ItemId"].tolist() == list("ijij")


def prepared_by_hand(rows: list[tuple], min_session: int, min_support: int, repeats: bool) -> list[int]:
    """Row numbers that are left, by the definition: one click after another, round after round."""
    left = sorted(range(len(rows)), key=lambda row: (rows[row][0], rows[row][2], row))
    while True:
        before = left
        if repeats:
            last = {}
            kept = []
            for row in left:
                session, item, _ = rows[row]
                if last.get(session) != item:
                    kept.append(row)
                last[session] = item
            left = kept
        support = Counter(rows[row][1] for row in left)
        left = [row for row in left if support[rows[row][1]] >= min_support]
        length = Counter(rows[row][0] for row in left)
        left = [row for row in left if length[rows[row][0]] >= min_session]
        if left == before:
            return sorted(left)


@several
@given(rows_of_a_log, st.integers(1, 3), st.integers(1, 4), st.booleans(), st.data())
def test_prepare_is_its_definition_idempotent_and_leaves_its_input_alone(rows, min_session, min_support, repeats, data):
    labels = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    log = frame(rows, index=labels)
    original = log.copy(deep=True)
    filters = {"min_session": min_session, "min_support": min_support, "drop_repeats": repeats, "verbose": False}
    expected = prepared_by_hand(rows, min_session, min_support, repeats)
    if not expected:
        with pytest.raises(ClickLogError, match="Nothing is left"):
            clicks.prepare(log, **filters)
    else:
        once = clicks.prepare(log, **filters)
        assert_frame_equal(once, original.iloc[expected].reset_index(drop=True))
        assert sum(once.attrs["dropped"].values()) == len(rows) - len(expected)
        twice = clicks.prepare(once, **filters)
        assert_frame_equal(twice, once)
        assert set(twice.attrs["dropped"].values()) == {0}
    assert_frame_equal(log, original)


def test_the_report_counts_what_was_dropped_and_why(capsys):
    log = click_log("aab", "abx", "ba", "a").assign(Time=[0, 0, 0, 0, 1, 2, 0, 1, 0])
    left = clicks.prepare(log, min_session=2, min_support=2, drop_repeats=True)
    assert capsys.readouterr().out == (
        "kept 6 of 9 clicks; dropped 1 immediate repeats, 1 on items with fewer than 2 clicks, "
        "1 in sessions of fewer than 2 clicks; "
        "1 come at the time of the click before them and keep the order of the rows\n"
    )
    assert left.attrs["dropped"] == {"drop_repeats": 1, "min_support": 1, "min_session": 1}
    clicks.prepare(left)
    assert capsys.readouterr().out.startswith("kept 6 of 6 clicks; dropped nothing;")


def test_a_log_of_single_clicks_is_refused_with_a_remedy():
    with pytest.raises(
        ClickLogError, match=r"Nothing is left of 3 clicks; dropped 3 in sessions.*Remedy: .*'SessionId'"
    ):
        clicks.prepare(click_log("a", "a", "b"))


def test_other_columns_are_carried_along():
    log = click_log("ab", "c").assign(price=[1.5, 2.5, 3.5])
    assert clicks.prepare(log)["price"].tolist() == [1.5, 2.5]


# --- prepare: duplicate rows, events, sessions that are too long


def twice(log: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([log, log])


TIED = frame([(1, "a", 5), (1, "b", 5), (1, "c", 6)])


def test_rows_that_stand_twice_are_counted_and_dropped_if_asked(capsys):
    log = twice(TIED)
    kept = clicks.prepare(log)
    assert capsys.readouterr().out == (
        "kept 6 of 6 clicks; dropped nothing; 4 come at the time of the click before them and keep the order of the "
        "rows; 3 stand twice (equal in session, item and time): drop_duplicates=True drops them\n"
    )
    assert (kept.attrs["duplicates"], len(kept)) == (3, 6)
    kept = clicks.prepare(log, drop_duplicates=True)
    assert capsys.readouterr().out.startswith("kept 3 of 6 clicks; dropped 3 rows that stand twice; 1 come at")
    assert kept.attrs["dropped"] == {"drop_duplicates": 3, "drop_repeats": 0, "min_support": 0, "min_session": 0}
    assert kept.attrs["duplicates"] == 0
    assert_frame_equal(kept, TIED)


def test_a_log_read_twice_has_no_repeats_when_its_duplicates_are_dropped():
    log = twice(TIED)
    kept = clicks.prepare(log, drop_repeats=True, verbose=False)
    assert (kept["ItemId"].tolist(), kept.attrs["duplicates"]) == (list("abcab"), 2)  # in time: a b a b c
    kept = clicks.prepare(log, drop_repeats=True, drop_duplicates=True, verbose=False)
    encoded = clicks.encode(kept)
    assert encoded.index[encoded.items].tolist() == ["a", "b", "c"]


def test_a_row_stands_twice_only_if_session_item_and_time_are_equal():
    log = frame([(1, "a", 5), (2, "a", 5), (1, "b", 5), (1, "a", 6), (1, "a", 5.000001)])
    assert (
        clicks.prepare(log, min_session=1, drop_duplicates=True, verbose=False).attrs["dropped"]["drop_duplicates"] == 0
    )
    same_second = frame(
        [(1, "a", pd.Timestamp("2014-01-01")), (1, "a", pd.Timestamp("2014-01-01", tz="UTC").tz_convert(None))]
    )
    assert len(clicks.prepare(same_second, min_session=1, drop_duplicates=True, verbose=False)) == 1


def test_the_first_of_equal_rows_is_kept_and_support_counts_it_once():
    log = twice(frame([(1, "a", 5), (1, "b", 6), (2, "a", 7), (2, "c", 8)])).assign(row=range(8))
    kept = clicks.prepare(log, min_support=2, min_session=1, drop_duplicates=True, verbose=False)
    assert kept["row"].tolist() == [0, 2]
    assert len(clicks.prepare(log, min_support=2, verbose=False)) == 8  # read twice, rare items look frequent


EVENTS = frame(
    [
        (1, "a", 1, "click"),
        (1, "a", 2, "click"),
        (1, "a", 3, "cart"),
        (1, "a", 4, "cart"),
        (1, "a", 5, "click"),
        (1, "b", 6, None),
    ],
    [*clicks.COLUMNS, "Event"],
)


def test_a_repeat_is_of_the_same_event_where_the_log_has_events(capsys):
    kept = clicks.prepare(EVENTS, drop_repeats=True)
    assert kept["Event"].tolist()[:3] == ["click", "cart", "click"]
    assert kept["Time"].tolist() == [1, 3, 5, 6]
    assert "dropped 2 immediate repeats (of item and Event)" in capsys.readouterr().out
    kept = clicks.prepare(EVENTS.drop(columns="Event"), drop_repeats=True)
    assert kept["Time"].tolist() == [1, 6]
    assert "dropped 4 immediate repeats" in capsys.readouterr().out


@pytest.mark.parametrize("dtype", [object, "category", "string[python]", "str"])
def test_a_missing_event_is_an_event_of_its_own(dtype):
    log = EVENTS.assign(ItemId="a", Event=pd.Series(["click", None, None, "cart", None, "cart"], dtype=dtype))
    assert clicks.prepare(log, drop_repeats=True, verbose=False)["Time"].tolist() == [1, 2, 4, 5, 6]


def test_a_row_stands_twice_only_with_the_same_event(capsys):
    log = EVENTS.assign(Time=7, ItemId="a")
    kept = clicks.prepare(log, drop_duplicates=True)
    assert kept["Event"].fillna("none").tolist() == ["click", "cart", "none"]
    clicks.prepare(log)
    assert "3 stand twice (equal in session, item, Event and time)" in capsys.readouterr().out


def test_a_session_that_is_too_long_is_dropped_whole(capsys):
    log = click_log("abc", "abcabcabca", "ab")
    kept = clicks.prepare(log, max_session=3)
    assert capsys.readouterr().out == "kept 5 of 15 clicks; dropped 10 in sessions of more than 3 clicks\n"
    assert kept["SessionId"].tolist() == [0, 0, 0, 2, 2]
    assert kept.attrs["dropped"] == {"drop_repeats": 0, "max_session": 10, "min_support": 0, "min_session": 0}
    assert len(clicks.prepare(log, max_session=10, verbose=False)) == 15


def test_a_crawlers_clicks_on_rare_items_do_not_hide_it_and_give_no_support():
    log = click_log("ab", "ab", "abcdefghijklmnop", "ac")  # c is clicked by the crawler and once more
    kept = clicks.prepare(log, max_session=3, min_support=2, verbose=False)
    assert kept["ItemId"].tolist() == list("abab")
    reloads = click_log("aaaaaaaaab", "ab")  # one page again and again is no long session
    assert len(clicks.prepare(reloads, max_session=3, drop_repeats=True, verbose=False)) == 4
    with pytest.raises(
        ClickLogError, match=r"Nothing is left.*12 in sessions of more than 1 clicks|raise max_session=1"
    ):
        clicks.prepare(reloads, max_session=1, min_session=1)


def test_no_limit_below_the_least_session():
    with pytest.raises(ValueError, match=r"^max_session=2: must be at least min_session=3, or None for no limit"):
        clicks.prepare(TIED, min_session=3, max_session=2)


def all_rules_by_hand(rows: list[tuple], rules: dict) -> list[int]:
    """Row numbers that are left, one rule after another, until nothing changes."""
    left = sorted(range(len(rows)), key=lambda row: (rows[row][0], rows[row][2], row))
    if rules["drop_duplicates"]:
        left = [row for k, row in enumerate(left) if rows[row] not in [rows[other] for other in left[:k]]]
    while True:
        before = left
        if rules["drop_repeats"]:
            what = [(rows[row][0], rows[row][1], rows[row][3]) for row in left]
            left = [row for k, row in enumerate(left) if k == 0 or what[k] != what[k - 1]]
        length = Counter(rows[row][0] for row in left)
        left = [row for row in left if length[rows[row][0]] <= (rules["max_session"] or math.inf)]
        support = Counter(rows[row][1] for row in left)
        left = [row for row in left if support[rows[row][1]] >= rules["min_support"]]
        length = Counter(rows[row][0] for row in left)
        left = [row for row in left if length[rows[row][0]] >= rules["min_session"]]
        if left == before:
            return sorted(left)


@several
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 6), st.sampled_from(["click", "cart"])),
        min_size=1,
        max_size=40,
    ),
    st.fixed_dictionaries(
        {
            "min_session": st.integers(1, 3),
            "min_support": st.integers(1, 3),
            "drop_repeats": st.booleans(),
            "drop_duplicates": st.booleans(),
            "max_session": st.none() | st.integers(3, 6),
        }
    ),
    st.booleans(),
)
def test_all_rules_together_are_their_definition_and_change_nothing_the_second_time(rows, rules, has_events):
    log = frame(rows, [*clicks.COLUMNS, "Event"], index=[0] * len(rows))
    if not has_events:
        log, rows = log.drop(columns="Event"), [(*row[:3], "") for row in rows]
    left = all_rules_by_hand(rows, rules)
    if not left:
        with pytest.raises(ClickLogError, match="Nothing is left"):
            clicks.prepare(log, **rules)
        return
    once = clicks.prepare(log, verbose=False, **rules)
    assert_frame_equal(once, log.iloc[left].reset_index(drop=True))
    assert sum(once.attrs["dropped"].values()) == len(rows) - len(left)
    assert once.attrs["duplicates"] == once.duplicated().sum()
    twice = clicks.prepare(once, verbose=False, **rules)
    assert_frame_equal(twice, once)
    assert set(twice.attrs["dropped"].values()) == {0}


@several
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 2)), max_size=30))
def test_a_row_is_repeated_if_an_equal_one_stands_above_it(rows):
    rows = sorted(rows, key=lambda row: row[:2])
    group, times, what = (
        np.array(column, dtype=np.int64) for column in (zip(*rows, strict=True) if rows else ([],) * 3)
    )
    assert order.repeated(group, times, what).tolist() == [row in rows[:k] for k, row in enumerate(rows)]


# --- encode ----------------------------------------------------------------------------------------------------------


@several
@given(rows_of_a_log)
def test_encode_is_the_loop_over_sessions_and_clicks(rows):
    log = frame([(s, "abcde"[item], time) for s, item, time in rows], index=[0] * len(rows))
    original = log.copy(deep=True)
    by_time = sorted(log.itertuples(index=False), key=lambda click: click.Time)  # sorted() keeps ties in order of rows
    sessions = {
        s: list(group) for s, group in groupby(sorted(by_time, key=lambda c: c.SessionId), lambda c: c.SessionId)
    }
    order = sorted(sessions, key=lambda s: (sessions[s][0].Time, s))
    index = sorted(set(log["ItemId"]))
    found = clicks.encode(log)
    assert found.ids.tolist() == order
    assert found.index.tolist() == index
    assert np.diff(found.offsets).tolist() == [len(sessions[s]) for s in order]
    assert [index[i] for i in found.items] == [click.ItemId for s in order for click in sessions[s]]
    assert found.times.tolist() == [click.Time for s in order for click in sessions[s]]
    assert found.support.tolist() == [int((log["ItemId"] == item).sum()) for item in index]
    assert_frame_equal(log, original)


def check_rows_may_be_shuffled(encode) -> None:
    log = random_log(20)
    shuffled = log.sample(frac=1, random_state=0)
    model, one, other = by_last_click(), encode(log), encode(shuffled)
    for field in ("items", "offsets", "times", "ids"):
        assert np.array_equal(getattr(one, field), getattr(other, field)), field
    assert evaluate(model, log).frame().equals(evaluate(model, shuffled).frame())


def test_shuffling_the_rows_changes_nothing():
    check_rows_may_be_shuffled(clicks.encode)
    catches(check_rows_may_be_shuffled, museum.encode_in_order_of_rows)


def test_given_items_number_the_clicks_and_others_are_unknown():
    found = clicks.encode(click_log("azb", "zz"), pd.Index(["b", "a"]))
    assert found.items.tolist() == [1, -1, 0, -1, -1]
    assert found.support.tolist() == [1, 1]
    assert found.index.tolist() == ["b", "a"]


def test_with_given_items_a_log_may_be_empty():
    found = clicks.encode(click_log(), pd.Index(["a"]))
    assert (len(found), found.items.tolist(), found.offsets.tolist()) == (0, [], [0])
    with pytest.raises(ValueError, match="'a' again"):
        clicks.encode(click_log("ab"), pd.Index(["a", "a"]))


def test_sessions_say_how_many_they_are():
    assert repr(clicks.encode(click_log("ab", "cab"))) == "Sessions(2 sessions, 5 clicks, 3 items)"


# --- what makes it fast changes nothing ------------------------------------------------------------------------------

IDS = {
    "close": lambda k: k + 7,
    "far apart": lambda k: (k - 2) * 10**12,
    "beyond int64": lambda k: 2**63 + k,
    "text": lambda k: f"{'é' * (k % 2)}{k}",
    "text that may be empty": lambda k: "x" * k,
}
ID_TYPES = {
    "close": ("int64", "int8", "uint64", "Int64", object, "category"),
    "far apart": ("int64", object),
    "beyond int64": ("uint64",),
}
TIMES = {
    "seconds": lambda k: k * 40_000,
    "as floats": lambda k: k * 40_000.0,
    "milliseconds": lambda k: k * 40_000 + k % 7 / 1000,
    "any fraction": lambda k: k * 40_000 * math.pi,
    "before 1970": lambda k: k * 40_000 - 500_000.5,
    "dates": lambda k: pd.Timestamp(k * 40_000_000_003, unit="us"),
    "dates with a zone": lambda k: pd.Timestamp(k * 40_000, unit="s", tz="Asia/Tokyo"),
}


def in_seconds(time) -> float:
    return time.timestamp() if isinstance(time, pd.Timestamp) else float(time)


@st.composite
def logs(draw):
    """A log whose column ``row`` numbers its rows, and the same as tuples (session, item, seconds)."""
    kinds = [draw(st.sampled_from(sorted(IDS))) for _ in range(2)]
    clock = TIMES[draw(st.sampled_from(sorted(TIMES)))]
    drawn = draw(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(0, 15)), min_size=1, max_size=40))
    drawn = sorted(drawn, key=lambda click: click[2]) if draw(st.booleans()) else drawn
    log = frame([(IDS[kinds[0]](s), IDS[kinds[1]](i), clock(t)) for s, i, t in drawn])
    for column, kind in zip(clicks.COLUMNS, kinds, strict=False):
        log[column] = log[column].astype(draw(st.sampled_from(ID_TYPES.get(kind, ("str", object, "category")))))
    labels = draw(st.lists(st.integers(0, 3), min_size=len(drawn), max_size=len(drawn)))
    rows = [(IDS[kinds[0]](s), IDS[kinds[1]](i), in_seconds(clock(t))) for s, i, t in drawn]
    return log.assign(row=range(len(drawn))).set_axis(labels), rows


def encoded_by_hand(rows: list[tuple]) -> tuple[list, list]:
    """(sessions in order, their clicks in order as (item, seconds)), one click after another."""
    sessions = {}
    for session, item, time in sorted(rows, key=lambda click: click[2]):  # sorted() keeps ties in order of rows
        sessions.setdefault(session, []).append((item, time))
    names = sorted(sessions, key=lambda name: (sessions[name][0][1], name))
    return names, [click for name in names for click in sessions[name]]


def check_encoded(found: clicks.Sessions, rows: list[tuple]) -> None:
    names, expected = encoded_by_hand(rows)
    assert found.ids.tolist() == names
    assert found.index.tolist() == sorted({item for _, item, _ in rows})
    assert [found.index[number] for number in found.items] == [item for item, _ in expected]
    assert found.times.tolist() == pytest.approx([time for _, time in expected], abs=1e-6)
    assert np.diff(found.offsets).tolist() == [Counter(row[0] for row in rows)[name] for name in names]


@settings(deadline=None, max_examples=200, derandomize=True)
@given(logs(), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.booleans(), st.sampled_from([2, 3, 2**18]))
def test_every_kind_of_log_goes_the_way_of_the_loops(drawn, days, min_session, min_support, repeats, block):
    log, rows = drawn
    filters = {"min_session": min_session, "min_support": min_support, "drop_repeats": repeats, "verbose": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "BLOCK", block)  # a log longer than a block, and than the sample of its texts
        check_encoded(clicks.encode(log), rows)
        cut = max(time for *_, time in rows) - days * DAY
        early, late = ({session for session, _, time in rows if (time > cut) == after} for after in (False, True))
        parts = [(log, list(range(len(rows))))]
        if early - late and late - early:
            sides = zip(clicks.split_by_time(log, days, verbose=False), (early - late, late - early), strict=True)
            parts += [(side, [row for row in range(len(rows)) if rows[row][0] in ids]) for side, ids in sides]
        for part, expected in parts:
            assert part["row"].tolist() == expected
            left = [
                expected[row]
                for row in prepared_by_hand([rows[row] for row in expected], min_session, min_support, repeats)
            ]
            if left:
                once = clicks.prepare(part, **filters)
                assert once["row"].tolist() == left
                check_encoded(clicks.encode(once), [rows[row] for row in left])
                assert clicks.encode(once, clicks.encode(part).index).support.sum() == len(left)


@pytest.fixture
def looked_up(monkeypatch):
    """The columns of text whose every row was looked up."""
    lengths, look_up = [], columns._numbered_text
    monkeypatch.setattr(columns, "_numbered_text", lambda text: (lengths.append(len(text)), look_up(text))[1])
    return lengths


def text_log(n: int = 40) -> pd.DataFrame:
    log = frame([(f"s{click // 4}", f"i{click % 4}", click * DAY / 4) for click in range(n)])
    return log.astype({"SessionId": "str", "ItemId": "str"})


@pytest.mark.skipif(pd.__version__ < "3.1", reason="pandas 3.1 is the first whose copies of a column share its text")
def test_a_text_is_looked_up_once_in_the_life_of_a_log(looked_up):
    train, test = clicks.split_by_time(text_log(), days=3)
    train, test = (clicks.prepare(part, min_session=2, min_support=2, drop_repeats=True) for part in (train, test))
    clicks.encode(test, clicks.encode(train).index)
    assert sum(looked_up) == 40 + len(train) + len(test)  # the sessions of all, then the items of either side


def test_numbers_of_a_text_are_those_of_its_column_as_it_is_now():
    log = clicks.prepare(text_log(), verbose=False)
    assert clicks.encode(log).index.tolist() == ["i0", "i1", "i2", "i3"]
    log.loc[2, "ItemId"] = "z"
    assert clicks.encode(log).index.tolist() == ["i0", "i1", "i2", "i3", "z"]
    assert clicks.encode(log.iloc[::-1].iloc[:4]).items.tolist() == [0, 1, 2, 3]
    assert clicks.encode(log.assign(ItemId=log["SessionId"])).index.tolist() == sorted({f"s{s}" for s in range(10)})
    assert clicks.encode(log.rename(columns={"SessionId": "ItemId", "ItemId": "SessionId"})).ids.tolist() == [
        "i0",
        "i1",
        "z",
        "i3",
        "i2",
    ]


@several
@given(st.lists(st.text("aé\n", max_size=2), max_size=20), st.integers(0, 3), st.sampled_from([2, 4, 2**18]))
def test_numbers_of_a_text_lead_back_to_it(texts, start, block):
    piece = pa.array(texts, pa.large_string()).slice(start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "BLOCK", block)
        number, ids = columns._numbered_text(piece)
    assert [ids[int(n)].as_py() for n in number] == texts[start:]
    assert len(set(ids.to_pylist())) == len(ids) == len(set(texts[start:]))


def test_numbers_of_a_text_go_when_the_log_goes():
    gc.collect()
    before = len(columns._numbered)
    log = text_log()
    parts = [clicks.prepare(part) for part in clicks.split_by_time(log, days=3)]
    clicks.encode(parts[0])
    del log, parts
    gc.collect()
    assert len(columns._numbered) == before


def test_logs_that_are_given_back_can_be_written_to(tmp_path):
    log = clicks.read(save(tmp_path / "log.csv", LOG))
    log.loc[0, ["SessionId", "Time"]] = [3, 5.0]
    part = clicks.prepare(log.assign(SessionId=1))
    part.loc[0, "SessionId"] = 2
    part["Time"] += 1
    assert log["SessionId"].tolist() == [3, 7, 8]
    assert part["Time"].tolist() == [6, 12, 13.5]


LARGE = [(0, 2**62), (0, -(2**62)), (0, 5)], [(0, 2**61 + 1), (0, 2**61), (0, 2**61 - 1)]
wide = st.integers(-(2**62), 2**62) | st.integers(0, 3)


@several
@example(LARGE[0], 4)
@example(LARGE[1], 4)
@given(st.lists(st.tuples(st.integers(0, 3), wide), max_size=30), st.sampled_from([1, 4, 2**18]))
def test_rows_come_in_order_of_group_time_and_row(rows, block):
    group, times = (np.array(column, dtype=np.int64) for column in (zip(*rows, strict=True) if rows else ((), ())))
    expected = sorted(range(len(rows)), key=lambda row: (rows[row], row))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "BLOCK", block)
        assert order.in_order(group, times).tolist() == expected
        fractions = times % 10**11 / 7e6
        assert order.in_time(fractions).tolist() == sorted(range(len(rows)), key=lambda row: (fractions[row], row))
        good = np.arange(len(rows)) % 3 > 0
        assert order.squeeze(times.copy(), good).tolist() == times[good].tolist()
        assert order.pick(times, np.array(expected, dtype=np.int64)).tolist() == [rows[row][1] for row in expected]


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "setting", "value"),
    [
        *(("sessionise", "gap", value) for value in (0, -1, float("nan"), float("inf"), "3600", None)),
        *(("split_by_time", "days", value) for value in (0, -14, float("nan"), "14", True)),
        *(("prepare", "min_session", value) for value in (0, -1, 2.0, True, None)),
        ("prepare", "min_support", 0),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value(function, setting, value):
    with pytest.raises(ValueError, match=f"{setting}={value!r}: must be a positive"):
        PUBLIC[function](click_log("ab").assign(UserId=1), **{setting: value})


def test_ids_in_a_column_of_objects_may_need_all_64_bits():
    def log(ids):
        return pd.DataFrame({"SessionId": 1, "ItemId": pd.Series(ids, dtype=object), "Time": range(len(ids))})

    for ids in ([1, 2**63, 2**64 - 1], [-(2**63), 0, 2**63 - 1]):
        assert clicks.encode(log(ids)).index.tolist() == sorted(ids)
    for ids, beyond in (([1, 2**64, 3], 2**64), ([-1, 5, 2**63], 2**63)):
        with pytest.raises(clicks.ClickLogError, match=rf"'ItemId': {beyond} does not fit in 64 bits.*\.astype\(str\)"):
            clicks.encode(log(ids))


# --- names, values and limits in messages; the limits of one sort ----------------------------------------------------


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"session": 5}, "^session=5: must be the name of a column, or None"),
        ({"item": 5}, "^item=5: must be the name of a column"),
        ({"time": 5}, "^time=5: must be the name of a column"),
        ({"keep": [5]}, r"^keep=\[5\]: must be a list of names of columns"),
        ({"keep": "who"}, "^keep='who': must be a list of names of columns"),
    ],
)
def test_a_name_that_is_none_is_refused_with_its_argument(tmp_path, names, message):
    with pytest.raises(ValueError, match=message):
        clicks.read(save(tmp_path / "log.csv", LOG), **names)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda log: clicks.prepare(log, drop_repeats="no"), "^drop_repeats='no': must be True or False"),
        (lambda log: clicks.prepare(log, verbose="no"), "^verbose='no': must be True or False"),
        (lambda log: clicks.split_by_time(log, verbose=None), "^verbose=None: must be True or False"),
        (lambda log: clicks.check(log, allow_empty=0), "^allow_empty=0: must be True or False"),
        (lambda log: clicks.check(log, ids="ItemId"), "^ids='ItemId': must be a list of names of columns"),
        (lambda log: clicks.encode(log, "ab"), "^items='ab': must be a list of item ids"),
        (lambda log: clicks.encode(log, {"a": 1}), r"^items=\{'a': 1\}: must be a list of item ids"),
        (
            lambda log: clicks.encode(log, np.array([["a"]])),
            r"^items=ndarray \(1, 1\) of .*: must be a list of item ids",
        ),
        (
            lambda log: clicks.encode(log, ["a", None, "b"]),
            "^items: must hold an id in every place, but place 1 is empty",
        ),
        (lambda log: clicks.prepare(log, min_session=2.5), "^min_session=2.5: must be a positive integer$"),
        (lambda log: clicks.split_by_time(log, days=-1), "^days=-1: must be a positive number$"),
    ],
)
def test_an_argument_of_another_kind_is_named_with_its_value(call, message):
    with pytest.raises(ValueError, match=message):
        call(click_log("ab", "ba"))


def test_a_split_that_leaves_nothing_says_how_long_the_log_is():
    log = frame([(s, "a", 1_700_000_000 + s * DAY / 2) for s in range(4)])  # from the first click to the last: 1.5 days
    with pytest.raises(ClickLogError, match=r"days=2 leaves no .* for train.*fewer days \(the log spans 1\.5\)"):
        clicks.split_by_time(log, days=2)
    early, late = clicks.split_by_time(log, days=1, verbose=False)
    assert (early["SessionId"].tolist(), late["SessionId"].tolist()) == ([0, 1], [2, 3])


def test_what_the_module_offers_is_there():
    assert all(callable(getattr(clicks, name)) for name in clicks.__all__)
    assert {"ClickLogError", "Sessions", *PUBLIC, "read", "check", "seconds"} == set(clicks.__all__)


@pytest.mark.parametrize("n", [2, 3, 4, 7, 8, 9])
@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("spare", [62, 63])  # bits that values may take beside those of their rows
def test_times_as_wide_as_one_integer_can_hold_come_in_order(n, more, spare):
    width = 2 ** (spare - n.bit_length()) + more
    for low in (0, -5, -(2**40)):
        times = [low + width, *[low + (7 * k) % 3 for k in range(n - 1)]]
        times[-1] = low
        expected = sorted(range(n), key=lambda row: times[row])  # sorted() keeps ties in order of rows
        assert order.in_time(np.array(times, dtype=np.int64)).tolist() == expected


@pytest.mark.parametrize("unit", [1, 1000])
def test_times_in_whole_seconds_or_milliseconds_need_no_table_of_all_times(monkeypatch, unit):
    times = np.random.default_rng(0).integers(0, 10**6, 500) / unit
    expected = np.argsort(times, kind="stable").tolist()
    assert (
        order.in_time(np.concatenate((times, [1 / 3]))).tolist() == np.argsort([*times, 1 / 3], kind="stable").tolist()
    )
    monkeypatch.setattr(np, "unique", None)  # which takes several times as long
    assert order.in_time(times).tolist() == expected


TIMES_REFUSED = {
    "milliseconds from the second row on": ([5, 1396867869277, 7], r"1396867869277 cannot be .*row: 2 .*1 in all"),
    "one too early": ([-1e11, -2e11, 1e11], r"-200000000000.0 cannot be seconds.*row: 2 .*1 in all"),
    "a date and a number": ([pd.Timestamp(0), 5], r"5 stands among datetimes.*row: 2 .*1 in all"),
    "dates as objects": ([pd.Timestamp(0)] * 2, r"mere objects, all datetimes.*2 in all\. Remedy: pandas\.to_datetime"),
    "no end": ([5.0, np.inf], r"inf is not a time.*row: 2 .*Remedy: drop these rows, or repair them"),
    "a missing whole number": (pd.array([5, None], "Int64"), r"an empty field is not a time.*row: 2 "),
}


@pytest.mark.parametrize("name", TIMES_REFUSED)
def test_the_first_time_that_is_none_is_named_and_how_many_there_are(name):
    times, message = TIMES_REFUSED[name]
    column = pd.Series(times, name="Time", dtype=object if isinstance(times[0], pd.Timestamp) else None)
    with pytest.raises(ClickLogError, match=message):
        clicks.seconds(column)


def test_times_at_the_limit_are_seconds():
    assert clicks.seconds(pd.Series([-1e11, 1e11])).tolist() == [-1e11, 1e11]


@pytest.mark.parametrize("kind", ["int64", "int8", "uint64", "float32", "float64", "Int64", "Float64"])
def test_checked_times_are_int64_as_they_stand_or_else_float64(kind):
    log = click_log("ab", "ba").assign(Time=pd.Series([3, 1, 2, 7]).astype(kind))
    times = columns.checked(log)[1]
    assert times.dtype == (np.int64 if kind == "int64" else np.float64)
    assert times.tolist() == [3, 1, 2, 7]
    assert clicks.seconds(log["Time"]).dtype == np.float64


def test_an_id_below_64_bits_is_refused_too():
    log = pd.DataFrame({"SessionId": 1, "ItemId": pd.Series([5, -(2**63) - 1], dtype=object), "Time": range(2)})
    with pytest.raises(
        ClickLogError, match=r"'ItemId': -9223372036854775809 does not fit in 64 bits.*row: 2 .*1 in all"
    ):
        clicks.encode(log)


def test_times_far_below_zero_come_in_order():
    low = -(2**60) - 1  # so far that it must be taken away before the row is written beside it: 2 * low would wrap
    assert order.in_time(np.array([low + 5, low, low + 3])).tolist() == [1, 2, 0]
    assert order.in_time(np.array([low + 5, low])).tolist() == [1, 0]


def test_what_is_picked_keeps_its_fractions():
    picked = order.pick(np.array([0.25, 1.5, -2.75]), np.array([2, 0]))
    assert picked.tolist() == [-2.75, 0.25]
    assert order.pick(np.array([7, 8], dtype=np.int8), np.array([1])).dtype == np.int64


def test_a_session_id_that_is_there_is_replaced_and_stands_first():
    log = pd.DataFrame({"UserId": ["u", "u", "v"], "SessionId": [7, 7, 8], "ItemId": [1, 2, 3], "Time": [0, 10, 20]})
    cut = clicks.sessionise(log, gap=5)
    assert cut.columns.tolist() == ["SessionId", "UserId", "ItemId", "Time"]
    assert cut["SessionId"].tolist() == ["u-1", "u-2", "v-1"]
    assert clicks.sessionise(log.drop(columns="SessionId"), gap=5).columns[0] == "SessionId"


def test_a_gap_is_not_finer_than_the_microsecond():
    log = pd.DataFrame({"UserId": [1, 1, 1], "ItemId": [1, 2, 3], "Time": [0.0, 0.123456, 0.246913]})
    assert clicks.sessionise(log, gap=0.123456)["SessionId"].tolist() == ["1-1", "1-1", "1-2"]
    with pytest.raises(ValueError, match=r"gap=0\.1234567: must be a whole number of microseconds"):
        clicks.sessionise(log, gap=0.1234567)


def test_equal_times_are_counted_within_sessions_only(capsys):
    log = pd.DataFrame({"SessionId": [1, 1, 1, 2, 2, 3, 3], "ItemId": list("abcdefg"), "Time": [5, 5, 5, 5, 6, 8, 9]})
    clicks.prepare(log)
    assert "; 2 come at the time of the click before them" in capsys.readouterr().out
    clicks.prepare(log.assign(Time=range(7)))
    assert capsys.readouterr().out == "kept 7 of 7 clicks; dropped nothing\n"


@pytest.mark.parametrize(("days", "remedy"), [(99.95, r"fewer days \(the log spans 100\)"), (0.001, "more days")])
def test_a_split_that_leaves_a_side_empty_says_which_way_to_go(days, remedy):
    hours = np.array([0, 10, 99.9505 * 24 - 10, 99.9505 * 24])  # 100 to three digits, but not if a day were longer
    log = pd.DataFrame({"SessionId": [1, 1, 2, 2], "ItemId": [1, 2, 1, 2], "Time": hours * 3600})
    with pytest.raises(ClickLogError, match=rf"Remedy: {remedy}\."):
        clicks.split_by_time(log, days=days)


@pytest.mark.parametrize("argument", ["session", "item", "time"])
def test_a_column_that_is_not_in_the_file_is_named_with_its_argument(argument, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("s,i,t\n1,2,3\n")
    with pytest.raises(ClickLogError, match=rf"Column 'elsewhere' is missing.*\b{argument}="):
        clicks.read(path, **{"session": "s", "item": "i", "time": "t", argument: "elsewhere"})


@pytest.mark.parametrize("dtype", ["int64", "int32", "float64", "datetime64[us]"])
def test_encoded_times_are_seconds_in_double_precision(dtype):
    log = click_log("ab", "ba")
    times = pd.Series([10, 20, 30, 40])
    log["Time"] = pd.to_datetime(times, unit="s").astype(dtype) if "datetime" in dtype else times.astype(dtype)
    encoded = clicks.encode(log)
    assert encoded.times.dtype == np.float64
    assert encoded.times.tolist() == [10.0, 20.0, 30.0, 40.0]


@pytest.mark.parametrize("kinds", [[["view"], ["view"], ["cart"], None], [{"a": 1}, {"a": 1}, {"a": 2}, 3]])
def test_an_event_that_is_no_plain_value_is_told_from_another_by_what_it_says(kinds):
    log = pd.DataFrame({"SessionId": 1, "ItemId": "a", "Time": range(4), "Event": kinds})
    assert clicks.prepare(log, drop_repeats=True, verbose=False)["Time"].tolist() == [0, 2, 3]
