"""What files of clicks may look like, and that every click in them is read: quotes, packed files, lists, parts, events.

What must be refused stands in test_bad_files.py; generated files in test_files_against_pandas.py.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import warnings
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from gru4rec_lite import clicks
from gru4rec_lite.clicks import ClickLogError, quotes, raw, refusals
from gru4rec_lite.datasets import readers

HEAD = "SessionId,ItemId,Time\n"


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def silently(*args, **kwargs) -> pd.DataFrame:
    """``clicks.read``, which may warn of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return clicks.read(*args, **kwargs)


# --- quotation marks

ROWS = [f"{i // 4}\tshoe-{i % 50}\t{i}\tred shoes\n" for i in range(60_000)]
TWO = (
    'SessionId\tItemId\tTime\tartist\nu\ta\t1\tX\nu\tb\t2\t"Heroes\nu\tc\t3\tY\nv\td\t4\tZ\n'
    'v\te\t5\t12" mix\nv\tf\t6\tW\n'
)
ONE = "SessionId,ItemId,Time,note\n1,a,1,x\n1,b,2,{}\n2,c,3,y\n2,d,4,z\n"
STRAY = {  # what a stray mark does -> the file, the row that is named, what is said, and its items with quote=None
    "swallows what follows in a column that is not read": (
        "SessionId\tItemId\tTime\tquery\n" + "".join(ROWS).replace("red shoes", '"red shoes', 1), 1, "never closed",
        [f"shoe-{i % 50}" for i in range(60_000)],
    ),
    "swallows rows up to an inch sign": (TWO, 2, "text follows", list("abcdef")),
    "swallows rows up to a mark in a later row": (ONE.format('"x').replace("2,c", '2,"c'), 2, "text follows", None),
    "swallows the end of the file": (ONE.format('"x'), 2, "never closed", list("abcd")),
    "stands alone in a value": (ONE.format('"'), 2, "never closed", list("abcd")),
    "closes, and letters follow": (ONE.format('"Heroes" live'), 2, "text follows", list("abcd")),
    "closes, and a blank follows": (ONE.format('"x" '), 2, "text follows", list("abcd")),
    "is doubled where it should close": (ONE.format('"x""'), 2, "never closed", list("abcd")),
    "is tripled": (ONE.format('"""'), 2, "never closed", list("abcd")),
    "is in the last row": (ONE.format("x").replace("4,z", '4,"z'), 4, "never closed", list("abcd")),
    "is in the last row, which has no end": (ONE.format("x").replace("4,z\n", '4,"'), 4, "never closed", list("abcd")),
    "comes after values that are quoted well": (
        ONE.format('"x\ny, ""z""\n\n"').replace("3,y", '3,"y'), 3, "never closed", None
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", STRAY)
@pytest.mark.parametrize("block", [64, 2**20])
def test_a_stray_quotation_mark_is_named_with_its_row_and_the_remedy_works(tmp_path, monkeypatch, what, block):
    text, row, says, items = STRAY[what]
    monkeypatch.setattr(raw, "BLOCK", block)
    path = write(tmp_path / ("log.tsv" if "\t" in text else "log.csv"), text)
    for keep in ([], [text.split("\n", 1)[0].split("\t" if "\t" in text else ",")[3]]):
        with pytest.raises(ClickLogError, match=rf"(?s)a quotation mark .*{says}.*First bad row: {row} .*quote=None"):
            clicks.read(path, keep=keep)
    if items is not None:
        assert silently(path, quote=None)["ItemId"].tolist() == items


def test_a_value_across_a_block_is_one_value_and_is_counted(tmp_path):
    rows, length = [], 0
    while length < 2**20 - 100:
        rows.append(f"{len(rows) // 5},it{len(rows) % 7},{1396437466 + len(rows)},plain\n")
        length += len(rows[-1])
    note = '"sizes:\n' + "\n".join(["36,37,38,39"] * 40) + '"\n'
    rows.append(f"{len(rows) // 5},it{len(rows) % 7},{1396437466 + len(rows)},{note}")
    path = write(tmp_path / "note.csv", "SessionId,ItemId,Time,note\n" + "".join(rows))
    with pytest.warns(UserWarning, match=rf"1 quoted value with .* in {len(rows):,} rows.*row {len(rows)} .*41 lines"):
        log = clicks.read(path)
    assert len(log) == len(pd.read_csv(path)) == len(rows)
    assert log["Time"].tolist() == [1396437466 + n for n in range(len(rows))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("where", range(2**20 - 3, 2**20 + 2))
def test_a_line_break_in_quotes_at_the_border_of_a_block_is_kept(tmp_path, end, where):
    """pyarrow's reader loses the \\n of a \\r\\n when a block ends between them."""
    begin = HEAD + "s," + "x" * 1000 + ",1\n"
    begin += ("s," + "x" * 1000 + ",1\n") * ((where - len(begin)) // 1005 - 1)
    begin += "s," + "y" * (where - len(begin) - 8) + ',2\ns,"'
    path = write(tmp_path / "log.csv", begin + f'a{end}b",3\ns,c,4\n')
    with pytest.warns(UserWarning, match="1 quoted value with a line break"):
        assert clicks.read(path)["ItemId"].tolist()[-2:] == [f"a{end}b", "c"]


def test_values_with_line_breaks_are_counted_once_and_in_all_columns(tmp_path):
    path = write(
        tmp_path / "log.csv", ONE.format('"x\ny"').replace("3,y", '3,"\r\n""\r\n"').replace("4,z", '4,"a ""b"""')
    )
    with pytest.warns(UserWarning, match="quoted values") as record:
        log = clicks.read(path, keep=["note"])
    assert [w.filename for w in record] == [__file__]
    assert re.search(
        r"2 quoted values with a line break in 4 rows\. First: row 2 .*2 lines from 'x\\ny'", str(record[0].message)
    )
    assert log["note"].tolist() == ["x", "x\ny", '\r\n"\r\n', 'a "b"']


WELL = {
    "an inch sign": ('1,a,1,12" mix\n1,b,2,5\'10"\n', ['12" mix', "5'10\""]),
    "quoted where none is needed": ('"1","a","1","x"\n"1","b","2","y"\n', ["x", "y"]),
    "empty in quotes": ('1,a,1,""\n1,b,2,x\n', [None, "x"]),
    "quotes alone": ('1,a,1,""""\n1,b,2,""""""\n', ['"', '""']),
    "delimiters in quotes": ('1,a,1,"x,y,z"\n1,b,2,","\n', ["x,y,z", ","]),
    "an apostrophe": ("1,a,1,'x\n1,b,2,rock'n'roll\n", ["'x", "rock'n'roll"]),
    "a hash": ("1,a,1,#x\n1,b,2,#\n", ["#x", "#"]),
    "blanks": ("1,a,1, x\n1,b,2,y \n", [" x", "y "]),
    "names of nothing": ("1,a,1,NA\n1,b,2,null\n", ["NA", "null"]),
    "blank lines": ("\n\n1,a,1,x\n\n1,b,2,y\n\n\n", ["x", "y"]),
    "a file cut before its last line end": ("1,a,1,x\n1,b,2,y", ["x", "y"]),
    "a mark behind a letter, twice": ('1,a,1,x"y"\n1,b,2,x""\n', ['x"y"', 'x""']),
}


@pytest.mark.parametrize("what", WELL)
@pytest.mark.parametrize("begin", ["", "\ufeff", "\n\n", "\r\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_is_written_well_is_read_as_it_stands(tmp_path, what, begin, end):
    rows, notes = WELL[what]
    path = write(tmp_path / "log.csv", (begin + "SessionId,ItemId,Time,note\n" + rows).replace("\n", end))
    log = silently(path, keep=["note"])
    assert log["ItemId"].tolist() == ["a", "b"]
    assert log["Time"].tolist() == [1, 2]
    assert [None if pd.isna(note) else note for note in log["note"]] == notes


def test_another_quotation_mark_may_be_named(tmp_path):
    path = write(tmp_path / "log.csv", HEAD + "1,'a,\"b',1\n1,c\",2\n")
    assert silently(path, quote="'")["ItemId"].tolist() == ['a,"b', 'c"']


HEADERS = {
    '"Session\nId","Item,Id",Time': ("1,2,3", "Session\nId", "Item,Id"),
    '"a;b;c;d;e",SessionId,ItemId,Time': ("9,1,2,3", "SessionId", "ItemId"),
    "a|b|c|d|e,SessionId,ItemId,Time": ("9,1,2,3", "SessionId", "ItemId"),
    'SessionId;ItemId;Time;",,,,"': ("1;2;3;9", "SessionId", "ItemId"),
    'Time;SessionId,1,2,3;"Item""Id"': ("3;1;2", "SessionId,1,2,3", 'Item"Id'),
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_may_hold_line_breaks_and_other_delimiters(tmp_path, header):
    row, *names = HEADERS[header]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert clicks.read(write(tmp_path / "log.csv", f"{header}\n{row}\n"), *names).values.tolist() == [[1, 2, 3]]


def test_a_row_longer_than_a_block_is_read(tmp_path):
    for quote in ("", '"'):
        path = write(tmp_path / "log.csv", HEAD + f"1,a,1\n1,{quote}{'x' * 3_000_000}{quote},2\n1,c,3\n")
        assert silently(path)["ItemId"].str.len().tolist() == [1, 3_000_000, 1]


def test_a_mark_that_is_never_closed_is_found_in_time_that_grows_with_the_file(monkeypatch, tmp_path):
    looked = []
    walk = quotes._walk
    monkeypatch.setattr(raw, "BLOCK", 2**10)
    monkeypatch.setattr(quotes, "_walk", lambda path, text, *more: looked.append(len(text)) or walk(path, text, *more))
    with pytest.raises(ClickLogError, match="never closed"):
        clicks.read(write(tmp_path / "log.csv", HEAD + '1,"a,1\n' + "1,b,2\n" * 100_000))
    assert sum(looked) < 4 * 600_000


# --- packed, in parts, in other forms


def packed(*names: str, text: str = HEAD + "1,a,1\n1,b,2\n") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(
                name, text if name.endswith("log.csv") and "._" not in name else b"\0\5\x16\7\0\2\0\0Mac OS X"
            )
    return file.getvalue()


@pytest.mark.parametrize("names", [
    ["log.csv", "__MACOSX/._log.csv"], ["data/", "data/log.csv", "__MACOSX/", "__MACOSX/data/._log.csv"],
    ["._log.csv", "log.csv"], [".DS_Store", "log.csv"], ["data/.DS_Store", "data/log.csv"],
])  # fmt: skip
def test_what_a_mac_adds_to_a_zip_is_no_second_log(tmp_path, names):
    assert silently(write(tmp_path / "log.zip", packed(*names)))["ItemId"].tolist() == ["a", "b"]


@pytest.mark.parametrize("names", [[], ["__MACOSX/._log.csv"], ["log.csv", "b/log.csv"], ["log.csv", "readme.md"]])
def test_a_zip_that_is_no_single_log_says_what_it_holds(tmp_path, names):
    path = write(tmp_path / "log.zip", packed(*names))
    with pytest.raises(ValueError, match=r"^path=.*: must be a \.csv, .*but this one holds ('log.csv', |no file)"):
        clicks.read(path)


def test_a_gz_of_several_members_is_read_to_its_end(tmp_path):
    parts = [HEAD, "1,a,1\n", "".join(f"1,x{n},2\n" for n in range(50_000)), "2,b,3\n"]
    path = write(tmp_path / "log.csv.gz", b"".join(gzip.compress(part.encode()) for part in parts))
    assert silently(path)["ItemId"].tolist() == ["a", *(f"x{n}" for n in range(50_000)), "b"]


def test_a_tilde_is_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "log.csv", HEAD + "1,a,1\n")
    assert silently("~/log.csv")["ItemId"].tolist() == ["a"]
    assert silently(Path("~") / "log.csv")["ItemId"].tolist() == ["a"]
    with pytest.raises(ValueError, match=r"^path='~nobody-of-this-name/log\.csv': must be a path that can be resolved"):
        clicks.read("~nobody-of-this-name/log.csv")


@pytest.mark.parametrize("suffix", ["txt", "TXT", "txt.gz"])
@pytest.mark.parametrize("delimiter", "\t,;|")
def test_txt_is_read_with_any_delimiter(tmp_path, suffix, delimiter):
    text = (HEAD + "1,a,1\n1,b,2\n").replace(",", delimiter).encode()
    path = write(tmp_path / f"log.{suffix}", gzip.compress(text) if suffix.endswith("gz") else text)
    assert silently(path)["ItemId"].tolist() == ["a", "b"]


PARTS = [pd.DataFrame({"SessionId": [n, n], "ItemId": ["a", f"b{n}"], "Time": [n, n + 1]}) for n in range(12)]


def parts(folder: Path, frames: list[pd.DataFrame], name: str = "part-{}.parquet") -> Path:
    folder.mkdir()
    for number, frame in enumerate(frames):
        frame.to_parquet(folder / name.format(number))
    return folder


@pytest.mark.parametrize("name", ["part-{}.parquet", "part-{:05}-c000.snappy.parquet", "{}.PARQUET"])
def test_a_folder_of_parts_is_one_log_in_order_of_name(tmp_path, name):
    folder = parts(tmp_path / "log", PARTS, name)
    for other in ("_SUCCESS", "._part-0.parquet", ".part-0.parquet.crc", "_metadata"):
        write(folder / other, b"")
    assert_frame_equal(silently(folder), pd.concat(PARTS, ignore_index=True))
    assert silently(folder, time=None)["SessionId"].tolist() == [n for n in range(12) for _ in range(2)]


@pytest.mark.parametrize(("odd", "says"), [
    (PARTS[0].drop(columns="ItemId"), "'ItemId' is missing"),
    (PARTS[0].assign(ItemId=[1, 2]), r"'ItemId': text in .*part-0\.parquet, integers in .*part-1\.parquet.*Remedy"),
    (PARTS[0].assign(Time=pd.Timestamp("2020-01-01")), r"'Time': integers in .*, timestamp.* in .*Remedy"),
    (PARTS[0].assign(Time=[0.5, 1]), r"'Time': integers in .*, double in .*part-1\.parquet"),
])  # fmt: skip
def test_parts_that_do_not_go_together_are_refused(tmp_path, odd, says):
    with pytest.raises(ClickLogError, match=says):
        clicks.read(parts(tmp_path / "log", [PARTS[0], odd]))


def test_parts_may_hold_integers_of_other_widths_and_other_columns(tmp_path):
    narrow = PARTS[1].astype({"SessionId": "int8", "Time": "int16"}).assign(more=1)
    assert silently(parts(tmp_path / "log", [PARTS[0], narrow]))["SessionId"].tolist() == [0, 0, 1, 1]


def test_parts_of_one_number_come_in_order_of_name(tmp_path, monkeypatch):
    """A folder has no order of its own."""
    names = ["part-01.parquet", "part-1.parquet", "part-001.parquet"]
    for time, name in enumerate(names):
        pd.DataFrame({"SessionId": 1, "ItemId": [name], "Time": time}).to_parquet(tmp_path / name)
    for order in (names, names[::-1]):
        monkeypatch.setattr(type(tmp_path), "iterdir", lambda self, order=order: iter([self / name for name in order]))
        assert silently(tmp_path)["ItemId"].tolist() == sorted(names)


@pytest.mark.parametrize("other", ["part-2.csv", "more/part.parquet", "readme.txt"])
def test_nothing_in_a_folder_of_parts_is_passed_over_without_a_word(tmp_path, other):
    folder = parts(tmp_path / "log", PARTS[:2])
    (folder / other).parent.mkdir(exist_ok=True)
    write(folder / other, b"")
    with pytest.raises(ClickLogError, match=rf"which is a folder.*{other.split('/')[0]}.*Remedy"):
        clicks.read(folder)


# --- types of columns

TEXTS, TIMES = ["a", "b", "a"], [1, 2, 3]
COLUMNS = {
    "a dictionary": pa.array(TEXTS).dictionary_encode(),
    "a dictionary of large text": pa.array(TEXTS, pa.large_string()).dictionary_encode(),
    "views": pa.array(TEXTS, pa.string_view()),
    "large text": pa.array(TEXTS, pa.large_string()),
    "bytes": pa.array([b"a", b"b", b"a"]),
    "large bytes": pa.array([b"a", b"b", b"a"], pa.large_binary()),
}
NUMBERS = {
    "a dictionary of integers": pa.array([7, 8, 7]).dictionary_encode(),
    "decimals without digits behind": pa.array([7, 8, 7], pa.int64()).cast(pa.decimal128(38, 0)),
    "one byte": pa.array([7, 8, 7], pa.uint8()),
}


@pytest.mark.parametrize("kind", [*COLUMNS, *NUMBERS])
def test_ids_of_every_type_of_parquet_are_what_they_say(tmp_path, kind):
    column, expected = (COLUMNS[kind], TEXTS) if kind in COLUMNS else (NUMBERS[kind], [7, 8, 7])
    pq.write_table(pa.table({"SessionId": column, "ItemId": column, "Time": TIMES}), tmp_path / "log.parquet")
    log = silently(tmp_path / "log.parquet")
    assert log["SessionId"].tolist() == log["ItemId"].tolist() == expected
    encoded = clicks.encode(log)
    assert encoded.index[encoded.items].tolist() == sorted(expected)


def test_categories_of_pandas_are_read_back(tmp_path):
    frame = pd.DataFrame({"SessionId": pd.Categorical([1, 1, 2]), "ItemId": pd.Categorical(TEXTS), "Time": TIMES})
    frame.to_parquet(tmp_path / "cat.parquet")
    assert silently(tmp_path / "cat.parquet")["ItemId"].tolist() == TEXTS


def test_bytes_that_are_no_text_are_refused_by_name(tmp_path):
    pq.write_table(pa.table({"SessionId": [1], "ItemId": [b"\xff"], "Time": [1]}), tmp_path / "log.parquet")
    with pytest.raises(ClickLogError, match=r"'ItemId' holds binary, which is not a string.*Remedy"):
        clicks.read(tmp_path / "log.parquet")


DAYS = pd.to_datetime(["2014-04-07", "2014-04-08", "2014-04-09"])
CLOCKS = {
    "days in 32 bits": pa.array(DAYS.date, pa.date32()),
    "days in 64 bits": pa.array(DAYS.date, pa.date64()),
    "a dictionary of times": pa.array(DAYS).dictionary_encode(),
    "text": pa.array(DAYS.astype(str)),
    "a dictionary of text": pa.array(DAYS.astype(str)).dictionary_encode(),
    "text views": pa.array(DAYS.astype(str), pa.string_view()),
    "whole seconds": pa.array(DAYS.as_unit("s")),
    "nanoseconds in a zone": pa.array(DAYS.as_unit("ns").tz_localize("Europe/Berlin")),
    "decimals": pa.array(DAYS.as_unit("s").astype("int64")).cast(pa.decimal128(19, 0)),
}


@pytest.mark.parametrize("kind", CLOCKS)
def test_times_of_every_type_of_parquet_are_the_right_seconds(tmp_path, kind):
    pq.write_table(pa.table({"SessionId": TEXTS, "ItemId": TEXTS, "Time": CLOCKS[kind]}), tmp_path / "log.parquet")
    expected = 1396828800 + np.arange(3) * 86400 - (7200 if "zone" in kind else 0)
    assert clicks.seconds(silently(tmp_path / "log.parquet")["Time"]).tolist() == expected.tolist()


# --- lists, and lines of JSON


def test_a_session_per_row_is_unfolded(tmp_path):
    frame = pd.DataFrame(
        {"SessionId": [1, 2], "ItemId": [["a", "b"], ["c"]], "Time": [[1, 2], [3]], "user": ["x", "y"]}
    )
    frame.to_parquet(tmp_path / "lists.parquet")
    expected = pd.DataFrame({"SessionId": [1, 1, 2], "ItemId": list("abc"), "Time": [1, 2, 3], "user": list("xxy")})
    assert_frame_equal(silently(tmp_path / "lists.parquet", keep=["user"]), expected)
    log = silently(tmp_path / "lists.parquet", time=None)
    assert_frame_equal(log, expected[["SessionId", "ItemId"]].assign(Time=[0, 1, 2]))


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.string()), pa.large_list(pa.string()), pa.list_(pa.dictionary(pa.int32(), pa.string()))]
)
def test_lists_of_every_type_are_unfolded_and_empty_ones_are_counted(tmp_path, kind):
    table = pa.table(
        {"SessionId": [1, 2, 3, 4], "ItemId": pa.array([["a", "b"], [], None, ["c"]], kind), "Time": [5, 6, 7, 8]}
    )
    pq.write_table(table, tmp_path / "log.parquet", row_group_size=2)
    with pytest.warns(UserWarning, match=r"2 of 4 rows hold no click: their lists in 'ItemId' are empty"):
        log = clicks.read(tmp_path / "log.parquet")
    assert log.values.tolist() == [[1, "a", 5], [1, "b", 5], [4, "c", 8]]


def test_a_missing_list_of_fixed_length_hides_no_clicks(tmp_path):
    lists = pa.array([["a", "b"], None, ["c", "d"]], pa.list_(pa.string(), 2))
    pq.write_table(pa.table({"SessionId": [1, 2, 3], "ItemId": lists, "Time": [1, 2, 3]}), tmp_path / "log.parquet")
    with pytest.warns(UserWarning, match="1 of 3 rows hold no click"):
        log = clicks.read(tmp_path / "log.parquet")
    assert log[["SessionId", "ItemId"]].values.tolist() == [[1, "a"], [1, "b"], [3, "c"], [3, "d"]]


@pytest.mark.parametrize("items", [
    pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), pa.array([{"x": 1}]), pa.array([[{"x": 1}]]),
])  # fmt: skip
def test_columns_of_objects_are_refused_by_name(tmp_path, items):
    pq.write_table(pa.table({"SessionId": [1], "ItemId": items, "Time": [1]}), tmp_path / "log.parquet")
    with pytest.raises(ClickLogError, match=r"'ItemId' holds (map|struct|list).*, neither an id nor a time.*Remedy"):
        clicks.read(tmp_path / "log.parquet")


def test_an_error_in_lists_counts_in_clicks_and_says_so(tmp_path):
    table = pa.table({"SessionId": [1, 2], "ItemId": [["a", "b"], ["c", None]], "Time": [5, 6]})
    pq.write_table(table, tmp_path / "log.parquet")
    with pytest.raises(ClickLogError, match=r"an empty field is not an id\. First bad row: 4 .*Rows count clicks"):
        clicks.read(tmp_path / "log.parquet")


def otto(path: Path, n: int = 3) -> Path:
    """Sessions as OTTO writes them."""
    kinds = ["clicks", "clicks", "carts", "clicks", "orders"]
    lines = [
        {
            "session": s,
            "events": [{"aid": 7 * s + k, "ts": 1659304800025 + 1000 * s + k, "type": kinds[k]} for k in range(5)],
        }
        for s in range(n)
    ]
    return write(path, "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def test_otto_is_read_with_its_events_and_milliseconds(tmp_path, capsys):
    path = otto(tmp_path / "otto.jsonl")
    log = silently(path, "session", "aid", "ts", events="type", unit="ms")
    assert log.columns.tolist() == [*clicks.COLUMNS, "Event"]
    assert log["Event"].tolist() == ["clicks", "clicks", "carts", "clicks", "orders"] * 3
    assert (log["Time"] * 1000).round().astype("int64").tolist()[:6] == [1659304800025 + k for k in range(5)] + [
        1659304801025
    ]
    assert capsys.readouterr().out == ""
    chosen = silently(path, "session", "aid", "ts", events={"type": ["carts", "orders", "views"]}, unit="ms")
    assert capsys.readouterr().out == "kept 6 of 15 events: 3 carts, 3 orders, 0 views; left out 9 clicks\n"
    assert_frame_equal(chosen, log[log["Event"].isin(["carts", "orders"])].reset_index(drop=True))


def test_otto_is_what_its_own_reader_makes_of_it(tmp_path, capsys):
    path = otto(tmp_path / "otto.jsonl", n=500)
    own = readers.otto(path)
    log = silently(path, "session", "aid", "ts", events={"type": ["clicks"]}, unit="ms")
    assert log[["SessionId", "ItemId"]].values.tolist() == own[["SessionId", "ItemId"]].values.tolist()
    assert clicks.seconds(log["Time"]) == pytest.approx(clicks.seconds(own["Time"]), abs=1e-6)


@pytest.mark.parametrize("block", [1, 5, 2**20])
def test_lines_of_json_may_be_a_click_each_in_blocks_of_any_size(tmp_path, monkeypatch, block):
    lines = [
        {"SessionId": n // 2, "ItemId": f"2020-01-{n % 28 + 1:02}", "Time": n, "more": {"x": [n]}} for n in range(50)
    ]
    text = "\n\n".join(json.dumps(line) for line in lines)
    monkeypatch.setattr(raw, "BLOCK", block)
    for name, content in (("log.jsonl", text.encode()), ("log.jsonl.gz", gzip.compress(f"\ufeff{text}\r\n".encode()))):
        log = silently(write(tmp_path / name, content))
        assert log["ItemId"].tolist() == [line["ItemId"] for line in lines]  # text, though it looks like a date
        assert log["SessionId"].tolist() == [line["SessionId"] for line in lines]
        assert clicks.seconds(log["Time"]).tolist() == list(range(50))


JSON = '{"SessionId":1,"ItemId":"a","Time":5}\n'
BAD_JSON = {
    "empty": ("", "'SessionId' is missing: the log has no column at all"),
    "another name": (
        JSON.replace("Item", "X"),
        "'ItemId' is missing: the log has 'SessionId', 'XId', 'Time'.*set item=",
    ),
    "cut short": (JSON + JSON[:20], "cannot be read: JSON parse error.*Remedy"),
    "an array": (f"[{JSON}]", "cannot be read: JSON parse error.*Remedy"),
    "no item in a line": (JSON + '{"SessionId":1,"Time":5}\n', "'ItemId': an empty field is not an id.*row: 2 "),
    "an item of another kind": (
        JSON + JSON.replace('"a"', "7"),
        r"cannot be read: JSON parse error: Column\(/ItemId\).*row: 2 ",
    ),
    "a fraction for an id": (JSON.replace('"a"', "7.0"), "'ItemId': 7.0 is not an id here"),
    "an id beyond 64 bits": (
        JSON.replace('"a"', "7") + JSON.replace('"a"', str(2**63)),
        r"'ItemId': (7\.0|9\.22.*e\+18) is not an id",
    ),
    "milliseconds": (JSON.replace("5}", "1659304800025}"), "'Time': 1659304800025 cannot be seconds"),
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_a_bad_jsonl_is_refused(tmp_path, what):
    text, says = BAD_JSON[what]
    with pytest.raises(ClickLogError, match=says):
        clicks.read(write(tmp_path / "log.jsonl", text))


# --- sessions, events, times


def test_two_columns_name_a_session_and_different_pairs_stay_different(tmp_path):
    parts = ["a", "/", "\\", "a/", "/a", "\\/", "//", "a\\", "7", "07"]
    pairs = [(one, other) for one in parts for other in parts]
    text = "user,day,ItemId,Time\n" + "".join(f"{one},{other},x,1\n" for one, other in pairs)
    log = silently(write(tmp_path / "log.csv", text), session=["user", "day"], keep=["day"])
    assert log.columns.tolist() == [*clicks.COLUMNS, "day"]
    assert log["SessionId"].nunique() == len(pairs) == 100
    assert log["SessionId"][pairs.index(("7", "07"))] == "7/07"
    assert log["day"].tolist() == [other for _, other in pairs]
    assert len(clicks.encode(log).offsets) == 101


def test_columns_that_name_a_session_may_be_integers_and_must_not_be_missing(tmp_path):
    path = write(tmp_path / "log.csv", "user,day,ItemId,Time\n1,11,a,1\n11,1,b,2\n1,11,c,3\n")
    assert silently(path, session=["user", "day"])["SessionId"].tolist() == ["1/11", "11/1", "1/11"]
    assert silently(path, session=["user"])["SessionId"].tolist() == [1, 11, 1]
    with pytest.raises(ClickLogError, match=r"'day': an empty field is not an id\. First bad row: 2 "):
        clicks.read(write(path, "user,day,ItemId,Time\n1,11,a,1\n11,,b,2\n"), session=["user", "day"])
    with pytest.raises(ValueError, match=r"keep=\['SessionId'\]: must be names, but not SessionId, ItemId, Time"):
        clicks.read(path, session=["SessionId", "day"], keep=["SessionId"])


EVENTS = "SessionId,ItemId,Time,type\n1,a,1,view\n1,,2,search\n1,b,3,cart\n2,c,4,view\n2,d,,\n2,e,6,cart\n"


def test_rows_of_other_events_are_left_out_before_they_are_judged(tmp_path, capsys):
    path = write(tmp_path / "log.csv", EVENTS)
    log = silently(path, events={"type": ("view", "cart")})
    assert log.values.tolist() == [[1, "a", 1, "view"], [1, "b", 3, "cart"], [2, "c", 4, "view"], [2, "e", 6, "cart"]]
    assert capsys.readouterr().out == "kept 4 of 6 events: 2 view, 2 cart; left out 1 search, 1 without a kind\n"
    with pytest.raises(ClickLogError, match=r"'ItemId': .*First bad row: 2 .*after the selection by events=…"):
        clicks.read(path, events={"type": ["view", "search"]})
    with pytest.raises(ClickLogError, match=r"'ItemId': an empty field is not an id\. First bad row: 2 ") as caught:
        clicks.read(path, events="type")
    assert "events=" not in str(caught.value)


@pytest.mark.parametrize("kinds", [[0, 2], ["0", "2"], {0, "2"}])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_kinds_of_events_may_be_integers(tmp_path, capsys, kinds, suffix):
    frame = pd.DataFrame({"SessionId": 1, "ItemId": list("abcd"), "Time": range(4), "kind": [0, 1, 2, 0]})
    path = tmp_path / f"log.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    log = silently(path, events={"kind": kinds})
    assert log["ItemId"].tolist() == ["a", "c", "d"]
    assert log["Event"].tolist() == [0, 2, 0]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_without_times_the_order_of_rows_is_the_order_of_clicks(tmp_path, suffix):
    frame = pd.DataFrame({"SessionId": [2, 1, 2, 1], "ItemId": list("abca")})
    path = tmp_path / f"log.{suffix}"
    {"csv": lambda p: frame.to_csv(p, index=False), "parquet": frame.to_parquet,
     "jsonl": lambda p: frame.to_json(p, orient="records", lines=True)}[suffix](path)  # fmt: skip
    log = silently(path, time=None)
    assert_frame_equal(log, frame.assign(Time=[0, 1, 2, 3]))
    encoded = clicks.encode(clicks.prepare(log, min_session=2, min_support=1, verbose=False))
    assert [encoded.index[encoded.items[a:b]].tolist() for a, b in pairwise(encoded.offsets)] == [
        ["a", "c"],
        ["b", "a"],
    ]
    assert silently(path, session=None, item="ItemId", time=None).columns.tolist() == ["ItemId", "Time"]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1000), ("us", 10**6), ("ns", 10**9)])
def test_numbers_count_the_unit_that_is_said(tmp_path, unit, factor):
    text = HEAD + "".join(f"1,a,{(1396867869 + n) * factor}\n" for n in range(3))
    log = silently(write(tmp_path / "log.csv", text), unit=unit)
    assert clicks.seconds(log["Time"]).tolist() == [1396867869, 1396867870, 1396867871]


def test_a_unit_that_makes_nonsense_is_refused(tmp_path):
    path = write(tmp_path / "log.csv", HEAD + "1,a,20141030101112\n1,b,20141101000000\n")
    with pytest.raises(
        ClickLogError, match=r"'Time': 20141030101112 is beyond the year 2100, if it counts ms.*row: 1 "
    ):
        clicks.read(path, unit="ms")
    mixed = write(tmp_path / "mixed.csv", HEAD + "1,a,1396867869\n1,b,1396867869277\n")
    with pytest.raises(ClickLogError, match=r"'Time': 1396867869277 cannot be seconds.*First bad row: 2 .*1 in all"):
        clicks.read(mixed)
    with pytest.raises(ClickLogError, match=r"'Time' holds dates, to which unit='ms' does not apply.*unit='s'"):
        clicks.read(write(path, HEAD + "1,a,2014-10-30\n"), unit="ms")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_unit_gives_coarse_floats_no_digits_back(tmp_path, unit):
    """Two float32 of today lie 2^17 ms apart, 2^27 us, 2^37 ns."""
    times = (1396867869 + np.arange(50.0)) * {"ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    frame = pd.DataFrame({"SessionId": 1, "ItemId": range(50), "Time": times.astype(np.float32)})
    frame.to_parquet(tmp_path / "log.parquet")
    with pytest.raises(ClickLogError, match=r"'Time': .* is a float32, and such times lie 13\d.\d+ s apart.*float64"):
        clicks.read(tmp_path / "log.parquet", unit=unit)
    frame.assign(Time=np.arange(50, dtype=np.float32)).to_parquet(tmp_path / "log.parquet")  # of a clock of one's own
    factor = {"ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    assert silently(tmp_path / "log.parquet", unit=unit)["Time"].tolist() == (np.arange(50) / factor).tolist()


ZONES = {
    "a letter": (["2014-04-07T10:00:00Z", "2014-04-07 10:00:01"], 2),
    "an offset": (["2014-04-07 12:00:00+02:00", "2014-04-07 10:00:01", "2014-04-07 10:00:02"], 2),
    "a name": (["2014-04-07 10:00:00", "2014-04-07 10:00:01 UTC"], 1),
    "a bare day": (["2014-04-07", "2014-04-07T10:00:01-0500"], 1),
}


@pytest.mark.parametrize("what", ZONES)
def test_a_zone_in_some_rows_only_is_warned_of_and_the_remedy_ends_it(tmp_path, what):
    times, row = ZONES[what]
    path = write(tmp_path / "log.csv", HEAD + "".join(f"1,a,{time}\n" for time in times))
    with pytest.warns(
        UserWarning, match=rf"'Time': \d of {len(times)} times have no zone .*{times[row - 1]!r} in row {row} "
    ) as record:
        log = clicks.read(path)
    assert record[0].filename == __file__
    assert clicks.seconds(log["Time"]).tolist() == [pd.Timestamp(t.replace(" UTC", "Z")).timestamp() for t in times]
    repaired = [
        time if re.search(r"[Z+]|UTC|-0500", time) else f"{time}{' 00:00:00' * (len(time) == 10)}+02:00"
        for time in times
    ]
    silently(write(path, HEAD + "".join(f"1,a,{time}\n" for time in repaired)))


@pytest.mark.parametrize("odd", ["1396867869", "20140408", "2014", "1396867869.5", "0x10"])
def test_a_number_among_dates_is_no_year(tmp_path, odd):
    path = write(tmp_path / "log.csv", HEAD + f"1,a,2014-04-07 10:00\n1,b,2014-04-07 11:00\n1,c,{odd}\n")
    with pytest.raises(ClickLogError, match=rf"'{odd}' (stands among dates|is neither).*First bad row: 3 "):
        clicks.read(path)


@pytest.mark.parametrize("times", [["1.39644e+09", "1.39645e+09"], ["1.4e9", "1.4E+09"], ["1.396867869e+12", "1e12"]])
def test_times_that_were_rounded_when_they_were_written_are_warned_of(tmp_path, times):
    path = write(tmp_path / "log.csv", HEAD + "".join(f"1,a,{time}\n" for time in times))
    with pytest.warns(UserWarning, match=rf"'Time': its times, such as '{re.escape(times[0])}', are rounded to 1"):
        clicks.read(path, unit="ms" if "12" in times[1] else "s")


def test_times_with_all_their_digits_are_not_called_rounded(tmp_path):
    path = write(tmp_path / "log.csv", HEAD + "1,a,1.396867869e+09\n1,b,1.3968e9\n1,c,1396867870.25\n")
    assert silently(path)["Time"].tolist() == [1396867869, 1396800000, 1396867870.25]


def test_a_column_to_keep_loses_no_digit_where_a_value_is_missing(tmp_path):
    path = write(tmp_path / "log.csv", "SessionId,ItemId,Time,user\n1,a,1,9007199254740993\n1,b,2,\n")
    users = silently(path, keep=["user"])["user"]
    assert users[0] == 9007199254740993
    assert users.isna().tolist() == [False, True]


def test_the_remedy_for_ids_written_as_floats_works_beyond_64_bits_too(tmp_path):
    path = write(tmp_path / "log.csv", HEAD + "1,99999999999999999999.0,1\n1,7.0,2\n")
    with pytest.warns(UserWarning, match="which is not the id") as record:
        log = clicks.read(path)
    remedy = str(record[0].message).partition("once: ")[2]
    names = {"clicks": log}
    exec(remedy, names)
    assert names["clicks"]["ItemId"].tolist() == ["99999999999999999999", "7"]


@pytest.mark.parametrize("time", ["20141030", "20141030101112", "201410301011"])
@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_dates_written_as_numbers_are_refused_in_files_too_and_the_remedy_works(tmp_path, time, suffix):
    frame = pd.DataFrame({"SessionId": 1, "ItemId": list("ab"), "Time": [int(time), int(time) + 1]})
    path = tmp_path / f"log.{suffix}"
    {"csv": lambda p: frame.to_csv(p, index=False), "parquet": frame.to_parquet,
     "jsonl": lambda p: frame.to_json(p, orient="records", lines=True)}[suffix](path)  # fmt: skip
    with pytest.raises(
        ClickLogError, match=rf"'Time': {time} is a date written as a number.*First bad row: 1 "
    ) as caught:
        clicks.read(path)
    code = str(caught.value).partition("Remedy: ")[2].partition(refusals.FROM_FILE)[0]
    step = {8: 86400, 12: 60, 14: 1}[len(time)]
    assert np.diff(clicks.seconds(eval(code, {"pandas": pd, "clicks": frame}))).tolist() == [step]
