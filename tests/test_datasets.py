from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gru4rec_lite import clicks, datasets
from gru4rec_lite.datasets import REGISTRY, DatasetUnavailable, readers

ESHOP = REGISTRY["eshop"]
HERE = os.environ.get("GRU4REC_LITE_DATA", "")
needs_eshop = pytest.mark.skipif(
    not (Path(HERE) / "eshop" / ESHOP.file).is_file(), reason="no eshop in GRU4REC_LITE_DATA"
)
ROWS = "year;month;day;order;session ID;page 2 (clothing model);price\n2008;4;1;1;5;A13;28\n2008;4;1;2;5;B4;52\n"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No data from this machine, an empty cache, and no way out of it: returns the cache."""
    monkeypatch.delenv("GRU4REC_LITE_DATA", raising=False)
    monkeypatch.setenv("GRU4REC_LITE_OFFLINE", "1")
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "gru4rec_lite" / "eshop"


@pytest.fixture
def small(monkeypatch):
    """The registry's eshop, with a file of two clicks for the publisher's."""
    entry = replace(ESHOP, sha256=hashlib.sha256(ROWS.encode()).hexdigest(), file="clicks.csv")
    monkeypatch.setitem(REGISTRY, "eshop", entry)
    return entry


def put(folder: Path, entry, text: str = ROWS) -> Path:
    folder.mkdir(parents=True)
    (folder / entry.file).write_text(text)
    return folder / entry.file


def here(*names: str) -> list[str]:
    return datasets.available().set_index("name").loc[list(names), "here"].tolist()


# --- eshop -----------------------------------------------------------------------------------------------------------


def test_eshop_has_the_day_and_the_order_as_its_time(small, tmp_path, monkeypatch):
    put(tmp_path / "mirror" / "eshop", small)
    monkeypatch.setenv("GRU4REC_LITE_DATA", str(tmp_path / "mirror"))
    log = datasets.load("eshop")
    assert log.columns.tolist() == list(clicks.COLUMNS)
    assert log["SessionId"].tolist() == [5, 5]
    assert log["ItemId"].tolist() == ["A13", "B4"]
    assert log["Time"].tolist() == [pd.Timestamp("2008-04-01 00:00:01"), pd.Timestamp("2008-04-01 00:00:02")]


@needs_eshop
def test_eshop_is_what_its_publisher_and_the_registry_say(monkeypatch):
    monkeypatch.setenv("GRU4REC_LITE_DATA", HERE)
    log = datasets.load("eshop")
    assert (len(log), log["SessionId"].nunique(), log["ItemId"].nunique()) == (
        ESHOP.clicks,
        ESHOP.sessions,
        ESHOP.items,
    )
    assert (str(log["Time"].min().date()), str(log["Time"].max().date())) == ("2008-04-01", "2008-08-13")
    left = clicks.prepare(log, min_session=2, min_support=5, drop_repeats=True)
    assert (len(left), left["SessionId"].nunique(), left["ItemId"].nunique()) == (152_427, 18_570, 213)
    assert left.attrs["dropped"]["drop_repeats"] == 7_585


@needs_eshop
def test_the_last_14_days_of_eshop_hold_12561_predictions(monkeypatch):
    monkeypatch.setenv("GRU4REC_LITE_DATA", HERE)
    train, test = clicks.split_by_time(datasets.load("eshop"), days=14)
    train = clicks.encode(clicks.prepare(train, min_session=2, min_support=5, drop_repeats=True))
    test = clicks.encode(clicks.prepare(test, min_session=2, min_support=1, drop_repeats=True), train.index)
    assert len(test.items) - len(test) == 12_561
    assert (test.items >= 0).all()


# --- where files come from -------------------------------------------------------------------------------------------


def test_a_mirrored_file_is_used_in_place(small, tmp_path, monkeypatch, alone):
    place = put(tmp_path / "mirror" / "eshop", small)
    monkeypatch.setenv("GRU4REC_LITE_DATA", str(tmp_path / "mirror"))
    before = place.stat()
    assert len(datasets.load("eshop")) == 2
    assert place.stat().st_mtime_ns == before.st_mtime_ns
    assert not alone.exists(), "nothing is copied to the cache"


def test_the_cache_is_used_when_the_mirror_lacks_the_file(small, tmp_path, monkeypatch, alone):
    put(alone, small)
    monkeypatch.setenv("GRU4REC_LITE_DATA", str(tmp_path))
    assert len(datasets.load("eshop")) == 2


@pytest.mark.parametrize("where", ["mirror", "cache"])
def test_a_file_with_another_hash_is_refused_and_left_alone(small, tmp_path, monkeypatch, alone, where):
    place = put({"mirror": tmp_path / "mirror" / "eshop", "cache": alone}[where], small, ROWS + "x")
    monkeypatch.setenv("GRU4REC_LITE_DATA", str(tmp_path / "mirror"))
    monkeypatch.delenv("GRU4REC_LITE_OFFLINE")
    with pytest.raises(DatasetUnavailable, match=r"is not the publisher's file.*sha256 differs.*move it away") as error:
        datasets.load("eshop")
    assert str(place) in str(error.value)
    assert place.read_text() == ROWS + "x"


def test_an_unavailable_set_says_where_it_is_its_licence_and_how_to_place_it(alone):
    with pytest.raises(DatasetUnavailable) as error:
        datasets.load("eshop")
    for part in (
        ESHOP.url,
        "CC BY 4.0",
        ESHOP.sha256,
        f"$GRU4REC_LITE_DATA/eshop/{ESHOP.file}",
        str(alone / ESHOP.file),
    ):
        assert part in str(error.value)
    assert "GRU4REC_LITE_OFFLINE=1 forbids the download" in str(error.value)


class Publisher(BaseHTTPRequestHandler):
    unsent = 0  # bytes that are announced and never sent

    def __init__(self, body: bytes, *args):
        self.body = body
        super().__init__(*args)

    def do_GET(self):
        self.send_response(200 if self.path == "/clicks.csv" else 404)
        self.send_header("Content-Length", str(len(self.body) + self.unsent))
        self.end_headers()
        self.wfile.write(self.body if self.path == "/clicks.csv" else b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def publish(small, monkeypatch):
    """A publisher on this machine: publish(text) makes it the source of eshop."""
    servers = []

    def publish(text: str, page: str = "clicks.csv") -> None:
        server = HTTPServer(("127.0.0.1", 0), partial(Publisher, text.encode()))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}/{page}"
        monkeypatch.setitem(REGISTRY, "eshop", replace(small, url=url))

    monkeypatch.delenv("GRU4REC_LITE_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield publish
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_download_lands_in_the_cache_and_happens_once(publish, alone, monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    publish(ROWS)
    assert here("eshop", "toyshop") == ["no", "yes"]
    assert len(datasets.load("eshop")) == 2
    assert "eshop" in capsys.readouterr().err, "the bar"
    assert [path.name for path in alone.iterdir()] == ["clicks.csv"], "no unfinished file is left"
    assert here("eshop", "toyshop") == ["yes", "yes"]
    monkeypatch.setenv("GRU4REC_LITE_OFFLINE", "1")
    assert len(datasets.load("eshop")) == 2


def test_a_download_that_breaks_off_leaves_nothing(publish, alone, monkeypatch):
    publish(ROWS)
    monkeypatch.setattr(Publisher, "unsent", 10)
    with pytest.raises(DatasetUnavailable, match=r"the download failed \(.*Error: "):
        datasets.load("eshop")
    assert list(alone.iterdir()) == []


def test_what_a_killed_download_left_is_removed_by_the_next(publish, alone):
    publish(ROWS)
    alone.mkdir(parents=True)
    (alone / ".clicks.csv.0af90af9.unfinished").write_text(ROWS[:50])
    datasets.load("eshop")
    assert [path.name for path in alone.iterdir()] == ["clicks.csv"]


def test_a_download_with_another_hash_is_refused_and_leaves_nothing(publish, alone):
    publish(ROWS + "2008;4;1;3;5;B17;52\n")
    with pytest.raises(DatasetUnavailable, match=r"the download failed \(its sha256 is [0-9a-f]{64}: not the"):
        datasets.load("eshop")
    assert list(alone.iterdir()) == []


def test_a_page_that_is_gone_or_a_machine_that_does_not_answer_is_the_reason_given(publish, small, monkeypatch):
    publish(ROWS, page="moved.csv")
    with pytest.raises(DatasetUnavailable, match=r"the download failed \(HTTPError: 404"):
        datasets.load("eshop")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/clicks.csv"
    monkeypatch.setitem(REGISTRY, "eshop", replace(small, url=nobody))
    with pytest.raises(DatasetUnavailable, match=r"the download failed \(ConnectionError"):
        datasets.load("eshop")


# --- toyshop, box, table ---------------------------------------------------------------------------------------------


def test_toyshop_is_as_large_as_the_registry_says():
    log, entry = datasets.load("toyshop"), REGISTRY["toyshop"]
    assert (len(log), log["SessionId"].nunique(), log["ItemId"].nunique()) == (
        entry.clicks,
        entry.sessions,
        entry.items,
    )


def test_for_reading_gives_the_real_clicks_without_a_word(small, alone, capsys):
    put(alone, small)
    assert datasets.for_reading("eshop")["ItemId"].tolist() == ["A13", "B4"]
    assert capsys.readouterr().out == ""


def test_for_reading_falls_back_on_toyshop_and_says_so(capsys):
    log = datasets.for_reading("eshop")
    assert log.equals(datasets.load("toyshop"))
    said = capsys.readouterr().out
    assert "toyshop" in said
    assert "not on real clicks" in said
    assert ESHOP.url in said


def test_in_a_notebook_the_fallback_is_a_box(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    datasets.for_reading("eshop")
    (data,) = shown
    assert re.search(r'<div class="g4r-box g4r-toyshop-box" role="note"', data["text/html"])
    for kind in data.values():
        assert "toyshop" in kind
        assert "not on real clicks" in kind
    assert not re.search(r"(?<!-)\b(color|background)\s*:", data["text/html"]), "the page's own colours, light or dark"


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    for function in (datasets.load, datasets.for_reading):
        with pytest.raises(ValueError, match="name='eshpo': must be one of 'eshop', 'toyshop'"):
            function("eshpo")


def test_available_names_size_licence_source_and_what_must_be_done():
    table = datasets.available().set_index("name")
    facts = ["clicks", "sessions", "items", "here", "get", "licence", "url", "columns", "preprocessing", "split"]
    assert table.columns.tolist() == facts
    assert table.index.tolist() == ["eshop", "toyshop", *BY_HAND]
    assert table.loc["eshop", facts[:7]].tolist() == [
        165_474, 24_026, 217, "no", "nothing: downloaded", "CC BY 4.0", ESHOP.url,
    ]  # fmt: skip
    assert table.loc["toyshop", ["here", "get"]].tolist() == ["yes", "nothing: simulated"]
    assert set(table.loc[list(BY_HAND), "get"]) == {"by hand"}
    assert set(table.loc[list(BY_HAND), "here"]) == {"no"}
    assert (table[["licence", "columns", "preprocessing", "split"]] != "").all(axis=None)
    assert table.loc["retailrocket", "sessions"] is pd.NA


def test_the_data_folder_tells_of_every_data_set_and_its_licence():
    text = (datasets.folder() / "README.md").read_text(encoding="utf-8")
    for entry in REGISTRY.values():
        for fact in (entry.name, entry.url, entry.sha256, f"{entry.clicks:,}", *entry.files):
            assert fact in text
        assert entry.licence.split(" (")[0] in text


# --- files that are placed by hand -----------------------------------------------------------------------------------

YOOCHOOSE = """\
1,2014-04-07T10:51:09.277Z,214536502,0
1,2014-04-07T10:54:09.868Z,214536500,S
2,2014-04-07T13:56:37.614Z,3000000000,12
1,2014-04-07T10:54:46.998Z,214536502,0
"""
HOUR = 3_600_000
START = 1433221332117  # 2015-06-02 05:02:12.117
RETAILROCKET = f"""\
timestamp,visitorid,event,itemid,transactionid
{START + HOUR},7,view,12,
{START},7,view,11,
{START + 2 * HOUR + 1},7,view,11,
{START + 1},7,addtocart,99,
{START + 5},8,transaction,98,4000
{START + 5},8,view,12,
"""
DIGINETICA = """\
sessionId;userId;itemId;timeframe;eventdate
1;NA;81766;526309;2016-05-09
1;NA;31331;1031018;2016-05-09
1;5;32118;243569;2016-05-09
2;NA;9;60000;2016-05-10
2;NA;8;90000000;2016-05-11
2;NA;7;30000;2016-05-10
"""
REES46 = """\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde-8bb3
2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances.water,aqua,33.20,554748717,9333dfbd-b87a
2019-10-01 00:00:02 UTC,view,17200506,2053013559792632471,furniture.sofa,,543.10,519107250,
2019-10-01 00:00:05 UTC,view,1307067,2053013558920217191,computers.notebook,lenovo,251.74,550050854,72d76fde-8bb3
"""
NOVEMBER = REES46.splitlines()[0] + "\n2019-11-01 00:00:00 UTC,view,1,2,,x,3.5,5,9333dfbd-b87a\n"
OTTO = """\
{"session":42,"events":[{"aid":3,"ts":1661200010001,"type":"clicks"},{"aid":4,"ts":1661200020000,"type":"carts"},\
{"aid":3,"ts":1661200030000,"type":"clicks"}]}
{"session":43,"events":[{"aid":5,"ts":1661200040000,"type":"orders"}]}
"""
OTTO_TEST = '{"session":44,"events":[{"aid":6,"ts":1661800000000,"type":"clicks"}]}\n'
BY_HAND = {  # name -> (its files, its clicks)
    "yoochoose": ([YOOCHOOSE], 4),
    "retailrocket": ([RETAILROCKET], 4),
    "diginetica": ([DIGINETICA], 6),
    "rees46": ([REES46, NOVEMBER], 4),
    "otto": ([OTTO, OTTO_TEST], 3),
}


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """by_hand(name, *texts) places small files of that data set, whose size the registry takes for the whole one's."""

    def place(name: str, *texts: str) -> list[Path]:
        texts = texts or BY_HAND[name][0]
        monkeypatch.setitem(REGISTRY, name, replace(REGISTRY[name], clicks=BY_HAND[name][1]))
        monkeypatch.setenv("GRU4REC_LITE_DATA", str(tmp_path / "mirror"))
        folder = tmp_path / "mirror" / name
        folder.mkdir(parents=True)
        paths = [folder / file for file in REGISTRY[name].files]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        return paths

    return place


def rows(log: pd.DataFrame) -> list[tuple]:
    assert log.columns.tolist() == list(clicks.COLUMNS)
    times = log["Time"].dt.strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3]
    return list(zip(log["SessionId"], log["ItemId"], times, strict=True))


def test_yoochoose_has_no_header_and_keeps_every_row_in_its_place(by_hand):
    by_hand("yoochoose")
    assert rows(datasets.load("yoochoose")) == [
        (1, 214536502, "2014-04-07 10:51:09.277"),
        (1, 214536500, "2014-04-07 10:54:09.868"),
        (2, 3000000000, "2014-04-07 13:56:37.614"),
        (1, 214536502, "2014-04-07 10:54:46.998"),
    ]


def test_retailrocket_is_views_cut_at_a_pause_of_more_than_an_hour(by_hand):
    by_hand("retailrocket")
    assert rows(datasets.load("retailrocket")) == [
        ("7-1", 12, "2015-06-02 06:02:12.117"),  # exactly an hour after the view of 11
        ("7-1", 11, "2015-06-02 05:02:12.117"),
        ("7-2", 11, "2015-06-02 07:02:12.118"),  # a millisecond more than an hour
        ("8-1", 12, "2015-06-02 05:02:12.122"),
    ]


def test_diginetica_is_in_order_of_timeframe_also_past_midnight(by_hand):
    by_hand("diginetica")
    log = datasets.load("diginetica")
    assert rows(log)[1] == (1, 31331, "2016-05-09 00:17:11.018")
    encoded = clicks.encode(log)
    sessions = [encoded.index[encoded.items[a:b]].tolist() for a, b in itertools.pairwise(encoded.offsets)]
    assert sessions == [[32118, 81766, 31331], [7, 9, 8]]
    assert rows(log)[4] == (2, 8, "2016-05-11 01:00:00.000")  # 25 hours after the session's first day, not its second


def test_diginetica_may_spell_its_header_otherwise(by_hand):
    by_hand("diginetica", DIGINETICA.replace("sessionId;userId;itemId", "session_id;user_id;item_id"))
    assert len(datasets.load("diginetica")) == 6


def test_rees46_is_the_views_of_both_months_in_the_shops_sessions(by_hand):
    by_hand("rees46")
    log = datasets.load("rees46")
    assert rows(log) == [
        ("72d76fde-8bb3", 44600062, "2019-10-01 00:00:00.000"),
        ("72d76fde-8bb3", 1307067, "2019-10-01 00:00:05.000"),
        ("9333dfbd-b87a", 1, "2019-11-01 00:00:00.000"),
    ]
    assert log.attrs["left_out"] == 1, "the view without a session"


def test_otto_is_the_clicks_of_both_files(by_hand):
    by_hand("otto")
    assert rows(datasets.load("otto")) == [
        (42, 3, "2022-08-22 20:26:50.001"),
        (42, 3, "2022-08-22 20:27:10.000"),
        (44, 6, "2022-08-29 19:06:40.000"),
    ]


@pytest.mark.skipif(not (Path(HERE) / "otto/otto_sample.jsonl").is_file(), reason="no sample of otto")
def test_the_sample_that_otto_publishes_is_read_as_the_json_module_reads_it():
    path = Path(HERE) / "otto/otto_sample.jsonl"
    sessions = [json.loads(line) for line in path.read_text().splitlines()]
    assert (len(sessions), sum(len(session["events"]) for session in sessions)) == (20, 862)
    log = readers.otto(path)
    expected = [
        (session["session"], event["aid"], event["ts"])
        for session in sessions
        for event in session["events"]
        if event["type"] == "clicks"
    ]
    milliseconds = log["Time"].to_numpy().astype("datetime64[ms]").astype("int64")
    assert list(zip(log["SessionId"], log["ItemId"], milliseconds, strict=True)) == expected


@pytest.mark.parametrize("name", BY_HAND)
def test_files_longer_than_a_block_are_read_whole(name, by_hand, monkeypatch):
    """Blocks of few bytes end in the middle of lines and sessions; here every one does."""
    by_hand(name)
    whole = datasets.load(name)
    monkeypatch.setattr(readers, "BLOCK", 128)
    pd.testing.assert_frame_equal(datasets.load(name), whole)


@pytest.mark.parametrize("name", BY_HAND)
def test_every_reader_gives_a_log_that_can_be_used(name, by_hand):
    by_hand(name)
    log = datasets.load(name)
    clicks.check(log)
    assert len(clicks.prepare(log, min_session=1, verbose=False)) == len(log)
    assert str(log["Time"].dtype).startswith("datetime64"), "with no zone, in UTC"
    assert here(name) == ["yes"]


@pytest.mark.parametrize("name", BY_HAND)
def test_what_must_be_placed_by_hand_is_not_downloaded_and_says_how(name, monkeypatch, tmp_path):
    monkeypatch.delenv("GRU4REC_LITE_OFFLINE")
    monkeypatch.setattr("requests.get", lambda *_, **__: pytest.fail("no download without a hash"))
    entry = REGISTRY[name]
    with pytest.raises(DatasetUnavailable, match="must be placed by hand") as error:
        datasets.load(name)
    for file in entry.files:
        assert f"$GRU4REC_LITE_DATA/{name}/{file}" in str(error.value)
        assert str(tmp_path / "cache" / "gru4rec_lite" / name / file) in str(error.value)
    for part in (entry.url, entry.licence, entry.by_hand):
        assert part in str(error.value)
    assert here(name) == ["no"]


def test_of_two_files_both_are_needed(by_hand):
    _, november = by_hand("rees46")
    november.unlink()
    assert here("rees46") == ["no"]
    with pytest.raises(DatasetUnavailable, match=r"2019-Nov.csv must be placed by hand"):
        datasets.load("rees46")


WRONG = {
    "a page of the publisher's instead of the file": lambda _: "<!DOCTYPE html>\n<html></html>\n",
    "nothing": lambda _: "",
    "cut in the middle of a line": lambda text: text[: text.rstrip().rindex("1" if "," in text else "6") + 1],
    "a line less": lambda text: "".join(text.splitlines(keepends=True)[:-1]),
    "a line more": lambda text: text + text.splitlines(keepends=True)[-1],
    "letters for a number": lambda text: text.replace("1", "one"),
    "bytes that are no text": lambda text: text[:120] + "\udcff\udcfe" + text[120:],
}


@pytest.mark.parametrize("name", BY_HAND)
def test_files_without_clicks_are_refused(name, by_hand):
    paths = by_hand(name)
    for path in paths:
        first = path.read_text().splitlines(keepends=True)[0]
        path.write_text(first if first[0].isalpha() else "")
    with pytest.raises(DatasetUnavailable, match=r"were expected|was expected"):
        datasets.load(name)


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_or_damaged_file_is_refused_and_left_alone(name, wrong, by_hand):
    paths = by_hand(name)
    text = WRONG[wrong](paths[-1].read_text()).encode(errors="surrogateescape")
    if wrong in ("a line less", "a line more") and name == "rees46":
        text = text.replace(b"cart", b"view")  # the number of views is what counts
    paths[-1].write_bytes(text)
    with pytest.raises(DatasetUnavailable, match=r"cannot be read|were expected") as error:
        datasets.load(name)
    assert str(paths[-1]) in str(error.value)
    assert "expected" in str(error.value) or "move it away" in str(error.value)
    assert paths[-1].read_bytes() == text


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("yoochoose", "session,time,item,category\n", "a first line such as 1,2014-04-07"),
        ("retailrocket", RETAILROCKET.replace("visitorid", "user"), "the columns timestamp,visitorid,event,itemid"),
        ("diginetica", DIGINETICA.replace(";", ","), "the columns sessionid;userid;itemid;timeframe;eventdate"),
        ("diginetica", DIGINETICA.replace("526309", "NA"), "a value in every row of the column 'timeframe'"),
        ("otto", OTTO.replace('"ts"', '"time"'), "a value in every row of the column 'ts'"),
    ],
)
def test_a_refusal_says_what_was_expected(name, text, says, by_hand):
    by_hand(name, *[text, *BY_HAND[name][0][1:]])
    with pytest.raises(DatasetUnavailable, match=says):
        datasets.load(name)


# --- the published split of RSC15 ------------------------------------------------------------------------------------

DAY = 86_400


def log_of(sessions: dict[str, list[tuple[str, float]]]) -> pd.DataFrame:
    rows = [(name, item, time) for name, clicked in sessions.items() for item, time in clicked]
    return pd.DataFrame(rows, columns=list(clicks.COLUMNS))


HAND_MADE = {  # the last click that is kept is at 10 days: the cut is at 9
    "early": [("a", 1), ("a", 2), ("b", 3), ("b", 3)],  # repeats are kept
    "only one": [("a", 4)],  # dropped; its click supports nothing
    "rare": [("a", 5), ("r", 6), ("r", 7), ("r", 8), ("r", 9)],  # four clicks on r: they go, a is alone, and goes
    "rare alone": [("r", 10)],  # the fifth, but in a session of one click, which goes first
    "before": [("a", 8 * DAY), ("c", 9 * DAY - 1)],
    "at the cut": [("a", 8 * DAY), ("b", 9 * DAY)],  # begins in training time, ends at the cut: test
    "late": [("b", 9.5 * DAY), ("n", 9.6 * DAY), ("c", 9.7 * DAY), ("c", 9.8 * DAY)],  # n is new: it goes
    "new": [("n", 9.5 * DAY), ("n", 9.6 * DAY), ("n", 9.7 * DAY), ("b", 9.8 * DAY)],  # left with one click: goes
    "new too": [("n", 9.5 * DAY), ("a", 9.6 * DAY), ("b", 10 * DAY), ("c", 10 * DAY), ("c", 10 * DAY)],
    "later alone": [("a", 11 * DAY)],  # dropped before the last day is looked for
}


def test_the_published_split_on_a_log_made_by_hand(capsys):
    train, test = datasets.published_split("yoochoose", log_of(HAND_MADE))
    kept = {name: [item for item, _ in HAND_MADE[name]] for name in ("early", "before")}
    assert train.groupby("SessionId", sort=False)["ItemId"].agg(list).to_dict() == kept
    assert test.groupby("SessionId", sort=False)["ItemId"].agg(list).to_dict() == {
        "at the cut": ["a", "b"],
        "late": ["b", "c", "c"],
        "new too": ["a", "b", "c", "c"],
    }
    assert capsys.readouterr().out.splitlines() == [
        "train: 6 clicks in 2 sessions on 3 items",
        "test: 9 clicks in 3 sessions on 3 items",
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_published_split_is_what_the_sentences_say_one_after_the_other(seed):
    rng = np.random.default_rng(seed)
    log = pd.DataFrame({
        "SessionId": rng.integers(150, size=400),
        "ItemId": rng.choice([f"i{n}" for n in range(90)], size=400),
        "Time": pd.Timestamp("2014-09-01") + pd.to_timedelta(rng.integers(4 * DAY, size=400), unit="s"),
    })  # fmt: skip
    left = log[log.groupby("SessionId")["ItemId"].transform("size") > 1]
    left = left[left.groupby("ItemId")["ItemId"].transform("size") >= 5]
    left = left[left.groupby("SessionId")["ItemId"].transform("size") > 1]
    is_test = left.groupby("SessionId")["Time"].transform("max") >= left["Time"].max() - pd.Timedelta(days=1)
    train, test = left[~is_test], left[is_test]
    test = test[test["ItemId"].isin(train["ItemId"])]
    test = test[test.groupby("SessionId")["ItemId"].transform("size") > 1]
    for got, expected in zip(datasets.published_split("yoochoose", log), (train, test), strict=True):
        pd.testing.assert_frame_equal(got, expected.reset_index(drop=True))


def test_the_published_split_refuses_what_it_cannot_split():
    with pytest.raises(ValueError, match="name='otto': must be 'yoochoose'"):
        datasets.published_split("otto", log_of(HAND_MADE))
    with pytest.raises(clicks.ClickLogError, match="Nothing is left of 4 clicks"):
        datasets.published_split("yoochoose", log_of({"early": HAND_MADE["early"]}))
    with pytest.raises(clicks.ClickLogError, match="No session is left for train"):
        datasets.published_split("yoochoose", log_of({"early": HAND_MADE["early"] * 3}))


def test_importing_touches_no_network():
    code = """
import sys
sys.addaudithook(lambda event, _: sys.exit(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
import gru4rec_lite
assert not {"pooch", "requests"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(datasets.__file__).parents[2])
