from __future__ import annotations

import hashlib
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

import pandas as pd
import pytest

from gru4rec_lite import clicks, datasets
from gru4rec_lite.datasets import REGISTRY, DatasetUnavailable

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
    def __init__(self, body: bytes, *args):
        self.body = body
        super().__init__(*args)

    def do_GET(self):
        self.send_response(200 if self.path == "/clicks.csv" else 404)
        self.send_header("Content-Length", str(len(self.body)))
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
    assert datasets.available()["here"].tolist() == ["no", "yes"]
    assert len(datasets.load("eshop")) == 2
    assert "eshop" in capsys.readouterr().err, "the bar"
    assert [path.name for path in alone.iterdir()] == ["clicks.csv"], "no unfinished file is left"
    assert datasets.available()["here"].tolist() == ["yes", "yes"]
    monkeypatch.setenv("GRU4REC_LITE_OFFLINE", "1")
    assert len(datasets.load("eshop")) == 2


def test_a_download_with_another_hash_is_refused_and_leaves_nothing(publish, alone):
    publish(ROWS + "2008;4;1;3;5;B17;52\n")
    with pytest.raises(DatasetUnavailable, match=r"the download failed \(ValueError.*hash"):
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
    assert "not the real clicks" in said
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
        assert "not the real clicks" in kind
    assert not re.search(r"(?<!-)\b(color|background)\s*:", data["text/html"]), "the page's own colours, light or dark"


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    for function in (datasets.load, datasets.for_reading):
        with pytest.raises(ValueError, match="name='eshpo': must be one of 'eshop', 'toyshop'"):
            function("eshpo")


def test_available_names_size_licence_and_source():
    table = datasets.available().set_index("name")
    assert table.columns.tolist() == ["clicks", "sessions", "items", "licence", "url", "here"]
    assert table.loc["eshop"].tolist() == [165_474, 24_026, 217, "CC BY 4.0", ESHOP.url, "no"]
    assert table.loc["toyshop", "here"] == "yes"


def test_the_data_folder_tells_of_every_data_set_and_its_licence():
    text = (datasets.folder() / "README.md").read_text(encoding="utf-8")
    for entry in REGISTRY.values():
        for fact in (entry.name, entry.url, entry.sha256, entry.licence.split(" (")[0]):
            assert fact in text


def test_importing_touches_no_network():
    code = """
import sys
sys.addaudithook(lambda event, _: sys.exit(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
import gru4rec_lite
assert not {"pooch", "requests"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(datasets.__file__).parents[1])
