"""Logs as other programs export them, oddly: each is read right, warned of, or refused with a remedy that works."""

from __future__ import annotations

import gzip
import io
import json
import re
import warnings
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from remedies import done, follow

from gru4rec_lite import clicks
from gru4rec_lite.clicks import ClickLogError, raw

HEAD = "SessionId,ItemId,Time\n"
GOOD = HEAD + "1,a,1\n1,b,2\n"
LOG = pd.DataFrame({"SessionId": [1, 1, 2, 2], "ItemId": list("abca"), "Time": [1.0, 2.0, 3.0, 4.0]})


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def silently(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return clicks.read(*args, **kwargs)


# --- files under another name


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("log.csv", GOOD)
    return file.getvalue()


def parquet() -> bytes:
    file = io.BytesIO()
    pd.DataFrame({"SessionId": [1, 1], "ItemId": list("ab"), "Time": [1, 2]}).to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "right", "says"),
    [
        ("log.csv", gzip.compress(GOOD.encode()), "log.csv.gz", "it is a .gz file.*such as to .csv.gz"),
        ("log.csv", zipped(), "log.zip", "it is a zip file: rename it to end in .zip"),
        ("log.csv", parquet(), "log.parquet", "it is a .parquet file"),
        ("log.parquet", GOOD.encode(), "log.csv", "it is not a .parquet file"),
        ("log.csv.gz", GOOD.encode(), "log.csv", "it is not a .gz file"),
        ("log.zip", GOOD.encode(), "log.csv", "it is not a .zip file"),
        ("log.csv.gz", parquet(), "log.parquet", "it is a .parquet file"),
    ],
    ids=lambda value: "bytes" if isinstance(value, bytes) else None,  # which hold the time of day
)
def test_a_file_under_another_name_is_told_its_right_one(tmp_path, name, content, right, says):
    path = write(tmp_path / name, content)
    with pytest.raises(ClickLogError, match=f"cannot be read.*Remedy: {says}"):
        clicks.read(path)
    assert silently(path.rename(tmp_path / right))["ItemId"].tolist() == ["a", "b"]


@pytest.mark.parametrize("bits", [(6, 8, 1), (8, 10, 99)], ids=["a password", "an unknown compression"])
def test_a_zip_that_python_cannot_open_is_refused(tmp_path, bits):
    content, (local, central, value) = bytearray(zipped()), bits
    content[local] = content[content.index(b"PK\1\2") + central] = value
    with pytest.raises(ClickLogError, match=r"cannot be read.*Remedy: unpack it"):
        clicks.read(write(tmp_path / "log.zip", bytes(content)))


# --- headers


@pytest.mark.parametrize("begin", ['"SessionId,ItemId,Time\n' + "1,a,1\n" * 40_000, "x" * 200_000])
def test_a_header_without_an_end_is_refused(tmp_path, begin):
    with pytest.raises(ClickLogError, match=r"its header does not end: .{80,200}Remedy: name the columns"):
        clicks.read(write(tmp_path / "log.csv", begin))


def test_a_header_of_many_short_names_is_read(tmp_path):
    extra = [f"column{n}" for n in range(20_000)]
    rows = [",".join(["1", item, str(time)] + ["0"] * len(extra)) for time, item in enumerate("ab")]
    path = write(tmp_path / "log.csv", "\n".join([",".join(["SessionId", "ItemId", "Time", *extra]), *rows]))
    assert silently(path)["ItemId"].tolist() == ["a", "b"]


def test_a_name_that_swallowed_rows_is_shown_in_short(tmp_path):
    with pytest.raises(ClickLogError, match="'SessionId' is missing") as error:
        clicks.read(write(tmp_path / "log.csv", '"' + HEAD + "1,a,1\n" * 5000))
    assert len(str(error.value)) < 500


def test_a_name_that_stands_twice_in_a_frame_is_kept_once_by_the_remedy():
    doubled = pd.concat([LOG, LOG[["ItemId"]].map(str.upper)], axis=1)
    mended, messages = follow(doubled, clicks.check)
    assert "occurs 2 times" in messages[0]
    assert mended["ItemId"].tolist() == LOG["ItemId"].tolist()


# --- ids


@pytest.mark.parametrize("word", ["NULL", "\\N", "NA", "nan", "(not set)"])
@pytest.mark.parametrize("column", ["SessionId", "UserId"])
def test_a_word_for_nothing_among_ids_is_warned_of_and_the_remedy_leaves_integers(tmp_path, word, column):
    text = f"{column},ItemId,Time\n7,a,1\n{word},b,2\n{word},c,3\n8,d,4\n"
    how = {"session": None, "keep": ["UserId"]} if column == "UserId" else {}
    with pytest.warns(UserWarning, match=f"2 of 4 ids are {re.escape(repr(word))}.*first in row 2 ") as record:
        log = clicks.read(write(tmp_path / "log.csv", text), **how)
    assert log[column].tolist() == ["7", word, word, "8"]
    names = {"clicks": log}
    for code in re.findall(r"clicks(?:\[[^\]]*\])? = .*?(?=; and|$)", str(record[0].message)):
        exec(code, names)
    assert names["clicks"][column].tolist() == [7, 8]


def test_words_that_are_no_ids_or_stand_for_something_give_no_warning(tmp_path):
    path = write(tmp_path / "log.csv", "SessionId,ItemId,Time,note\n1,Nancy,1,NA\n1,null7,2,x\n")
    assert silently(path, keep=["note"])["note"].tolist() == ["NA", "x"]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
@pytest.mark.parametrize("how", [{"keep": ["x"]}, {"events": "x"}])
def test_integers_beside_missing_ones_keep_every_digit(tmp_path, suffix, how):
    rows = [{"SessionId": 1, "ItemId": 1, "Time": n, "x": [2**60 + 1, None, 7][n]} for n in range(3)]
    path = tmp_path / f"log.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        write(path, "".join(json.dumps(row) + "\n" for row in rows))
    found = silently(path, **how)["x" if "keep" in how else "Event"]
    assert [None if pd.isna(value) else value for value in found] == [2**60 + 1, None, 7]
    assert not isinstance(found[2], float)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_text_that_is_no_utf8_is_refused(tmp_path, suffix):
    path = tmp_path / f"log.{suffix}"
    if suffix == "parquet":
        items = pa.array([b"a", "é".encode("latin-1")]).view(pa.string())
        pq.write_table(pa.table({"SessionId": [1, 1], "ItemId": items, "Time": [1, 2]}), path)
    else:
        text = '{"SessionId":1,"ItemId":"a","Time":1}\n{"SessionId":1,"ItemId":"é","Time":2}\n'
        write(path, text.encode("latin-1"))
    with pytest.raises(ClickLogError, match=r"'ItemId': b'\\xe9' is not UTF-8. First bad row: 2 "):
        clicks.read(path)


@pytest.mark.parametrize("odd", ['{"SessionId":1,"ItemId":"x","Time":5}', '{"SessionId":1,"ItemId":7,"Time":5', "end"])
def test_a_bad_line_of_json_is_told_by_its_row_in_the_file(tmp_path, monkeypatch, odd):
    monkeypatch.setattr(raw, "BLOCK", 64)
    lines = [json.dumps({"SessionId": 1, "ItemId": n, "Time": n}) for n in range(90)]
    lines[70] = odd
    with pytest.raises(ClickLogError, match=r"First bad row: 71 \(data rows counted from 1\)\. Remedy"):
        clicks.read(write(tmp_path / "log.jsonl", "\n".join(lines)))


# --- times


@pytest.mark.parametrize("word", ["now", "today", "Now "])
def test_now_is_no_time_of_a_click(tmp_path, word):
    text = f"{HEAD}1,a,2014-04-07 10:51:09\n1,b,{word}\n1,c,2014-04-07 10:51:12\n"
    with pytest.raises(ClickLogError, match=f"'{word}' is neither.*First bad row: 2 "):
        clicks.read(write(tmp_path / "log.csv", text))
    times = ["2014-04-07 10:51:09", word, "2014-04-07 10:51:12", "2014-04-07 10:51:13"]
    mended, messages = follow(LOG.assign(Time=times), clicks.check)
    assert "First bad row: 2 " in messages[0]
    assert np.diff(clicks.seconds(mended["Time"])).tolist() == [3, 1]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1000)])
def test_decimals_are_times(tmp_path, unit, factor):
    times = pa.array([Decimal("1396867869.25") * factor, Decimal("1396867870.5") * factor], pa.decimal128(38, 2))
    pq.write_table(pa.table({"SessionId": [1, 1], "ItemId": [1, 2], "Time": times}), tmp_path / "log.parquet")
    log = silently(tmp_path / "log.parquet", unit=unit)
    assert clicks.seconds(log["Time"]).tolist() == [1396867869.25, 1396867870.5]


def test_milliseconds_in_a_file_are_told_the_unit(tmp_path):
    path = write(tmp_path / "log.csv", HEAD + "1,a,1396867869250\n1,b,1396867869500\n")
    with pytest.raises(ClickLogError, match=r"clicks\.read\(…, unit='ms'\)"):
        clicks.read(path)
    assert silently(path, unit="ms")["Time"].tolist() == [1396867869.25, 1396867869.5]


STAMPS = pd.Series(
    pd.to_datetime(["2014-04-07 10:51:09", "2014-04-07 10:51:12", "2014-10-26 01:30:00", "2020-02-29 00:00:01"])
)
DAYS = (STAMPS - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)


@pytest.mark.parametrize("digits", [8, 10, 15])
def test_days_of_a_sheet_are_warned_of_and_the_remedy_makes_times(tmp_path, digits):
    path = write(tmp_path / "log.csv", HEAD + "".join(f"1,a,{day:.{digits}f}\n" for day in DAYS))
    with pytest.warns(UserWarning, match="if it counts days, as sheets of Excel do. First bad row: 1 ") as record:
        log = clicks.read(path)
    assert clicks.seconds(done(log, str(record[0].message))["Time"]).tolist() == clicks.seconds(STAMPS).tolist()


def test_seconds_of_a_small_clock_are_no_days():
    rng = np.random.default_rng(0)
    for times in (
        rng.uniform(30_000, 60_000, 500),
        np.arange(30_000, 40_000, 0.5),
        rng.uniform(3e4, 6e4, 500).round(4),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            clicks.seconds(pd.Series(times))


@pytest.mark.parametrize("times", [["1,396,867,869", "1,396,867,872", "1,396,867,873", "1,396,867,874"],
                                   ["1,396", "1,399", "1,400", "1,401"]])  # fmt: skip
def test_commas_that_part_thousands_are_told_from_decimal_ones(times):
    mended, messages = follow(LOG.assign(Time=times), clicks.check)
    assert "if the commas part thousands" in messages[0]
    assert np.diff(clicks.seconds(mended["Time"])).tolist() == [3, 1, 1]


@pytest.mark.parametrize("kind", ["numbers", "datetimes"])
def test_a_session_that_ends_at_the_cut_is_train_to_the_microsecond(kind):
    for last in (100.2, 100.4, 100.7, 1000.1, 7.3):
        log = LOG.assign(Time=[0, last, last + 50, last + 86_400])
        log["Time"] = log["Time"] if kind == "numbers" else pd.to_datetime((log["Time"] * 1e6).round(), unit="us")
        train, test = clicks.split_by_time(log, days=1, verbose=False)
        assert (len(train), len(test)) == (2, 2), last


# --- events, folders


def test_a_folder_of_folders_is_read_by_the_remedy(tmp_path):
    for day in ("1", "2"):
        (tmp_path / "log" / f"day={day}").mkdir(parents=True)
        LOG.assign(SessionId=f"s{day}").to_parquet(tmp_path / "log" / f"day={day}" / "part-0.parquet")
    with pytest.raises(ClickLogError, match=r"which is a folder.*clicks = pandas.read_parquet"):
        clicks.read(tmp_path / "log")
    assert len(clicks.encode(pd.read_parquet(tmp_path / "log"))) == 2
