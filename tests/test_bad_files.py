"""Bad files and folders, each with the message that it must give; and nothing is half done when something is refused.

What no argument may be stands in tests/test_bad_input.py.
"""

from __future__ import annotations

import copy
import gzip
import io
import re
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from bad_cases import CASES
from bad_values import CLE, CORRUPT, LOG, RANGE, TYPE, Bad, bad
from bad_values import log as bad_logs
from logs import click_log, random_log, tiny

import gru4rec_lite as g4r
from gru4rec_lite import baselines, clicks, experiments, network, optim
from gru4rec_lite.datasets.registry import REGISTRY
from gru4rec_lite.internal.checks import shown

GOOD = "SessionId,ItemId,Time\n1,a,0\n1,b,1\n2,a,2\n"
ROW4 = "First bad row: 4 .*Remedy"
NO_UTF8 = "cannot be read: its first line is not UTF-8.*Remedy: save it again as UTF-8"
LONG = "SessionId,ItemId,Time\n" + "".join(f"{n},{n * 7919 % 1000},{n}\n" for n in range(20_000))


def parquet(drop: str = "", **columns) -> bytes:
    file = io.BytesIO()
    frame = pd.DataFrame({"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": [0, 1]} | columns)
    frame.drop(columns=drop, errors="ignore").to_parquet(file)
    return file.getvalue()


def zipped(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.csv", text)
    return file.getvalue()


def zip_that_says(archive: bytes, local: int, central: int, value: int) -> bytes:
    """The archive with a byte set in both headers of its one file."""
    changed = bytearray(archive)
    changed[local] = changed[archive.index(b"PK\x01\x02") + central] = value
    return bytes(changed)


def damaged_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv", LONG)
    content = bytearray(file.getvalue())
    content[2000:2100] = bytes(100)
    return bytes(content)


FILES: dict[str, tuple[str, bytes | str, str]] = {  # what is wrong -> file name, content, what must be said
    # absent, or empty
    "empty": ("log.csv", "", "'SessionId' is missing: the log has no column at all.*in its first line"),
    "empty gz": ("log.csv.gz", b"", "'SessionId' is missing: the log has no column at all"),
    "empty parquet": ("log.parquet", b"", "cannot be read.*0 bytes.*Remedy"),
    "header alone": ("log.csv", "SessionId,ItemId,Time\n", "is empty: column 'ItemId' has no row.*Remedy"),
    "header without its end": ("log.csv", "SessionId,ItemId,Time", "cannot be read: CSV parse error: Empty.*Remedy"),
    "no header": ("log.csv", "1,a,0\n1,b,1\n", "'SessionId' is missing: the log has '1', 'a', '0'.*first line"),
    # of another type
    "another ending": ("log.xlsx", GOOD, r"^path='.*log.xlsx': must be a \.csv, .*or \.parquet file"),
    "no ending": ("log", GOOD, r"^path='.*log': must be a \.csv"),
    "no gz": ("log.csv.gz", GOOD, "cannot be read: zlib inflate failed.*Remedy"),
    "no zip": ("log.zip", GOOD, "cannot be read: File is not a zip file.*Remedy"),
    "no parquet": ("log.parquet", GOOD, "cannot be read: Parquet magic bytes not found.*Remedy"),
    "two files in a zip": ("log.zip", zipped(a=GOOD, b=GOOD), r"^path='.*must be a \.csv.* holds 'a.csv', 'b.csv'$"),
    "another delimiter": ("log.csv", GOOD.replace(",", " "), "'SessionId' is missing: .* 'SessionId ItemId Time'"),
    "binary": ("log.csv", np.random.default_rng(0).bytes(5000), NO_UTF8),
    "zeros": ("log.csv", bytes(5000), NO_UTF8),
    "UTF-16": ("log.csv", GOOD.encode("utf-16"), NO_UTF8),
    "Latin-1 in the header": ("log.csv", GOOD.replace("Item", "Ïtem").encode("latin-1"), NO_UTF8),
    "Latin-1": ("log.csv", GOOD.replace("b", "é").encode("latin-1"), "cannot be read: .*invalid UTF8.*as UTF-8"),
    # columns
    "a column is missing": ("log.csv", GOOD.replace("Item", "X"), "'ItemId' is missing: .*'XId'.*Remedy: set item="),
    "a column is missing, parquet": ("log.parquet", parquet(drop="ItemId"), "'ItemId' is missing: .*Remedy: set item="),
    "a column twice": ("log.csv", "SessionId,ItemId,Time,ItemId\n1,a,0,b\n", "'ItemId' occurs 2 times.*: give each"),
    "a blank in a name": ("log.csv", GOOD.replace(",ItemId", ", ItemId"), "'ItemId' is missing: .*' ItemId'"),
    # corrupt
    "gz cut short": ("log.csv.gz", gzip.compress(LONG.encode())[:-2000], "cannot be read: Truncated.*Remedy"),
    "gz cut to a header": ("log.csv.gz", gzip.compress(LONG.encode())[:9], "cannot be read: Truncated.*Remedy"),
    "gz with another sum": ("log.csv.gz", gzip.compress(GOOD.encode())[:-8] + bytes(8), "cannot be read: .*incorrect"),
    "zip with a password": ("log.zip", zip_that_says(zipped(log=GOOD), 6, 8, 1), "cannot be read: .*encrypted.*Remedy"),
    "zip of another kind": ("log.zip", zip_that_says(zipped(log=GOOD), 8, 10, 9), "cannot be read: .*method.*Remedy"),
    "zip damaged inside": ("log.zip", damaged_zip(), "cannot be read: .*decompressing.*Remedy"),
    "zip cut short": ("log.zip", zipped(log=GOOD)[:40], "cannot be read: File is not a zip file.*Remedy"),
    "zip with another sum": ("log.zip", zipped(log=GOOD).replace(b"1,b,1", b"1,b,9"), "cannot be read: Bad CRC-32"),
    "parquet cut short": ("log.parquet", parquet()[:-30], "cannot be read: Parquet magic bytes.*Remedy"),
    "parquet overwritten": ("log.parquet", parquet()[:20] + b"X" * 22 + parquet()[42:], "cannot be read.*Remedy"),
    "a quote never closed": ("log.csv", GOOD + '3,"a,4\n3,b,5\n', f"never closed: '\"a,4.n3,b,5.*{ROW4}.*quote=None"),
    "a quote never closed at the end of a row": ("log.csv", GOOD + '3,a,"4\n3,b,5\n', f"never closed: .*{ROW4}"),
    "text behind a quote": ("log.csv", GOOD + '3,"a"b,4\n3,b,5\n', f"text follows it: '\"a\"b,4.*{ROW4}.*quote=None"),
    "a quote never closed in the header": ("log.csv", GOOD.replace("Item", '"Item'), "'ItemId' is missing: .*'Item"),
    "a row far behind blank lines": ("log.csv", "\r\n\n" + GOOD + '\n\n3,"a"b,4\n', f"text follows it: .*{ROW4}"),
    "a row too long": ("log.csv", GOOD + "3,a,4,5\n", f"names 3 columns, but a row has 4: '3,a,4,5'.*{ROW4}"),
    "a row too short": ("log.csv", GOOD + "3,a\n", f"names 3 columns, but a row has 2: '3,a'.*{ROW4}"),
    "half a letter": ("log.csv", GOOD.encode() + b"3,\xed\xa0\x80,4\n", "cannot be read: .*invalid UTF8"),
    # ids and times
    "no item": ("log.csv", GOOD + "3,,4\n", f"'ItemId': an empty field is not an id.*{ROW4}"),
    "no session": ("log.csv", GOOD + ",a,4\n", f"'SessionId': an empty field is not an id.*{ROW4}"),
    "no time": ("log.csv", GOOD + "3,a,\n", f"'Time': an empty field is not a time.*{ROW4}"),
    "no item, parquet": ("log.parquet", parquet(ItemId=["a", None]), "'ItemId': an empty field is not an id.*row: 2 "),
    "lists of lists": ("log.parquet", parquet(ItemId=[[["a"]], [["b"]]]), "'ItemId' holds lists of lists.*row: 1 "),
    "lists of times": ("log.parquet", parquet(Time=[[1], [2]]), "'Time' holds lists, but 'ItemId' holds none.*Remedy"),
    "lists of two lengths": (
        "log.parquet", parquet(ItemId=[["a"], ["b"]], Time=[[1], [2, 3]]),
        "'Time': a list of 2 in a row with 1 of 'ItemId'. First bad row: 2 .*1 in all.*Remedy",
    ),
    "a float for an id": ("log.parquet", parquet(ItemId=[1.0, 2.0]), "1.0 is not an id here.*row: 1 .*Remedy"),
    "a word for a time": ("log.csv", GOOD + "3,a,noon\n", f"'Time': 'noon' is neither an ISO 8601 time.*{ROW4}"),
    "another date format": ("log.csv", "SessionId,ItemId,Time\n1,a,07.04.2014 10:00\n", "'07.04.2014 10:00' is"),
    "milliseconds": ("log.csv", GOOD + "3,a,1396861869277\n", "'Time': 1396861869277.* cannot be.*milliseconds"),
    "infinity": ("log.csv", GOOD + "3,a,inf\n", f"'Time': inf is not a time.*{ROW4}"),
    "too large for a float": ("log.csv", GOOD + "3,a,1e400\n", f"'Time': inf is not a time.*{ROW4}"),
    "NaN": ("log.csv", GOOD + "3,a,NaN\n", f"'Time': an empty field is not a time.*{ROW4}"),
    "a date among numbers": ("log.csv", GOOD + "3,a,2014-04-07\n", f"'2014-04-07' stands among numbers.*{ROW4}"),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_a_bad_file_is_refused_and_left_as_it_is(tmp_path, what):
    name, content, says = FILES[what]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    error = CLE if not says.startswith("^path") else ValueError
    with pytest.raises(error, match=f"(?s){says}") as caught:
        clicks.read(path)
    assert "Remedy: " in str(caught.value) or says.startswith("^path")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(name, before)]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("begins", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_are_no_matter(tmp_path, ends, begins):
    (tmp_path / "log.csv").write_bytes((begins + GOOD.replace("\n", ends)).encode())
    assert clicks.read(tmp_path / "log.csv")["ItemId"].tolist() == ["a", "b", "a"]


def test_a_byte_of_nothing_inside_an_id_belongs_to_it(tmp_path):
    (tmp_path / "log.csv").write_text(GOOD + "3,a\0b,4\n")
    assert clicks.read(tmp_path / "log.csv")["ItemId"].tolist() == ["a", "b", "a", "a\0b"]


# --- arguments that name files, columns and tables

NAMES = bad(TYPE, 3, ["a"], b"a") + bad(
    RANGE, "Nope", says="^Column 'Nope' is missing: the log has .*Remedy", error=CLE
)
SAME = "must name different columns"
PATHS = bad(TYPE, None, 3, b"log.csv", [], "")
READ = {
    "path": PATHS
    + bad(RANGE, "nowhere.csv", says="There is no click log at .*nowhere.csv. Remedy: check path=", error=CLE)
    + bad(RANGE, ".", says="There is no click log at .*which is a folder.*Remedy: check path=", error=CLE),
    "session": [row for row in NAMES if row.value != ["a"]]
    + bad(CORRUPT, "ItemId", ["UserId", "ItemId"], says=SAME)
    + bad(TYPE, [], [3], {"UserId"})
    + bad(RANGE, ["UserId", "Nope"], says="^Column 'Nope' is missing", error=CLE),
    "item": NAMES + bad(TYPE, None) + bad(CORRUPT, "Time", says=SAME),
    "time": NAMES + bad(CORRUPT, "ItemId", says=SAME),
    "events": bad(TYPE, 3, ["UserId"], b"a", {}, {"UserId": 7}, {"UserId": "7"}, {3: ["a"]})
    + bad(CORRUPT, {"UserId": []}, {"UserId": [None]}, {"UserId": [True]}, {"UserId": [7], "Time": [1]})
    + bad(RANGE, "Nope", {"Nope": [7]}, says="^Column 'Nope' is missing: .*Remedy: set events=", error=CLE)
    + bad(
        RANGE,
        {"UserId": [8, "view"]},
        says=r"^Column 'UserId': no row has one of events=.*Remedy: choose from '7' \(2\)",
        error=CLE,
    )
    + bad(CORRUPT, "ItemId", {"Time": [0]}, says=SAME),
    "quote": bad(TYPE, 3, True, ["'"], b"'") + bad(RANGE, "", "''", "„", ",", "\t", "\n", "\0"),
    "unit": bad(TYPE, None, 3, ["s"]) + bad(RANGE, "m", "S", "seconds", ""),
    "keep": bad(TYPE, "UserId", None, 3)
    + bad(CORRUPT, [None], [3])
    + bad(RANGE, ["Nope"], says="^Column 'Nope' is missing: .*Remedy: set keep=", error=CLE)
    + bad(RANGE, ["ItemId"], ["UserId", "UserId"], says=SAME),
}


@pytest.mark.parametrize(
    ("argument", "row"),
    [pytest.param(a, row, id=f"{a}-{row.kind}-{shown(row.value)}") for a, rows in READ.items() for row in rows],
)
def test_a_bad_argument_of_read_is_refused(tmp_path, argument, row: Bad):
    (tmp_path / "log.csv").write_text("SessionId,ItemId,Time,UserId\n1,a,0,7\n1,b,1,7\n")
    clicks.read(tmp_path / "log.csv", keep=["UserId"])
    said = row.says or rf"^{argument}={re.escape(shown(row.value))}: must be"
    with pytest.raises(row.error, match=f"(?s){said}"):
        clicks.read(**({"path": tmp_path / "log.csv"} | {argument: row.value}))


@pytest.mark.parametrize("path", [row.value for row in PATHS])
def test_a_path_that_is_none_is_refused_by_name(path):
    model = baselines.Pop().fit(LOG)
    for function in (model.save, baselines.Pop.load):
        with pytest.raises(ValueError, match=rf"^path={re.escape(shown(path))}: must be the path of a file"):
            function(path)


def test_a_setting_to_replace_that_does_not_exist_is_named_and_not_called_damage(tmp_path):
    tiny(n_epochs=1).fit(LOG, progress=False).save(tmp_path / "model")
    with pytest.raises(
        ValueError, match=r"^devise='cpu': GRU4Rec has no such setting; did you mean 'device'\? must be"
    ):
        g4r.GRU4Rec.load(tmp_path / "model", devise="cpu")
    with pytest.raises(ValueError, match=r"^device='gpu': must be 'auto', 'cpu' or a device"):
        g4r.GRU4Rec.load(tmp_path / "model", device="gpu")


@pytest.mark.parametrize("path", [".", "new/model", "model/below"])
def test_where_nothing_can_be_saved_nothing_is_lost(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").write_text("kept")
    (tmp_path / "new").write_text("a file, not a folder")
    with pytest.raises(OSError, match=r"directory|File exists|folder"):
        baselines.Pop().fit(LOG).save(path)
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"model": "kept", "new": "a file, not a folder"}


def test_a_table_that_does_not_exist_is_refused_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments", "tabel1", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        experiments.main()
    assert "invalid choice: 'tabel1'" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["experiments"])
    with pytest.raises(SystemExit):
        experiments.main()
    assert "give the name of a table, or --restamp" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"^name='tabel1': must be one of 'training', .*'table1'"):
        experiments.run("tabel1", tmp_path / "out")
    for out in (None, 3):
        with pytest.raises(ValueError, match=f"^out={out}: must be the path of"):
            experiments.run("table1", out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cuts", [0, -1, 2.5, "1", None])
def test_a_split_that_cannot_be_made_is_refused(cuts):
    with pytest.raises(ValueError, match=f"^cuts={cuts!r}: must be a whole number of at least 1"):
        experiments.split("toyshop", cuts)


@pytest.mark.parametrize(("name", "value"), [("detach", "no"), ("batch_size", 0), ("n_epochs", 0), ("seed", -1)])
def test_a_bad_argument_of_padded_training_is_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name}={value!r}: must be"):
        experiments.train_padded(**({"train": LOG, "detach": True} | {name: value}))


def test_data_that_cannot_be_put_into_the_cache_are_unavailable_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.delenv("GRU4REC_LITE_DATA", raising=False)
    monkeypatch.delenv("GRU4REC_LITE_OFFLINE", raising=False)
    (tmp_path / "cache").write_text("a file where the cache should be")
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    with pytest.raises(g4r.datasets.DatasetUnavailable, match=r"the download failed.*\n*By hand: ") as caught:
        g4r.datasets.load("eshop")
    assert REGISTRY["eshop"].licence in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == ["cache"]


# --- nothing is half done

FITTING = {
    "Pop": baselines.Pop, "SPop": baselines.SPop, "ItemKNN": baselines.ItemKNN, "Markov": baselines.Markov,
    "BPRMF": lambda: baselines.BPRMF(n_factors=4, n_epochs=1), "SKNN": baselines.SKNN, "VSKNN": baselines.VSKNN,
    "STAN": baselines.STAN, "GRU4Rec": lambda: tiny(n_epochs=1),
}  # fmt: skip


@pytest.mark.parametrize("name", FITTING)
def test_a_fit_that_is_refused_leaves_the_model_as_it_was(name):
    model, silent = FITTING[name](), {"progress": False} if name == "GRU4Rec" else {}
    for row in bad_logs():
        with pytest.raises(row.error):
            model.fit(row.value, **silent)
    assert not hasattr(model, "items"), "it must not look as if it had learned"
    model.fit(LOG, **silent)
    before = {name: tensor.clone() for name, tensor in model.tensors().items()}
    lists = model.recommend(["a", "b"])
    refused = [({"train": row.value}, row.error) for row in bad_logs()]
    if name == "GRU4Rec":
        other = click_log("xyz", "zyx")
        refused += [
            ({"train": other, "valid": row.value}, row.error) for row in bad_logs(True) if row.value is not None
        ]
        refused += [({"train": other, "keep_best": True}, ValueError), ({"train": other, "resume": True}, ValueError)]
        refused += [({"train": click_log("a", "b")}, CLE)]
    for arguments, error in refused:
        with pytest.raises(error):
            model.fit(**arguments, **silent)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.tensors().items())
    pd.testing.assert_frame_equal(model.recommend(["a", "b"]), lists)


TAKE_A_LOG = {
    name: argument for name in CASES for argument in ("clicks", "train", "test", "log") if argument in CASES[name].bad
}


@pytest.mark.parametrize("name", TAKE_A_LOG)
def test_a_log_that_is_refused_is_left_as_it_was(name):
    one, argument = CASES[name], TAKE_A_LOG[name]
    for row in one.bad[argument]:
        if isinstance(row.value, pd.DataFrame):
            before = row.value.copy(deep=True)
            with pytest.raises(row.error):
                one.function(**(one.valid | {argument: row.value}))
            pd.testing.assert_frame_equal(row.value, before)
    for other, rows in one.bad.items():  # and a good one, when something else is refused
        given = random_log() if name != "clicks.sessionise" else random_log().rename(columns={"SessionId": "UserId"})
        before = given.copy(deep=True)
        for row in rows if other != argument else []:
            with pytest.raises(row.error):
                one.function(**(one.valid | {argument: given, other: row.value}))
        pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize("name", ["STAN", "GRU4Rec"])
def test_a_click_that_is_refused_does_not_spoil_the_stream(name):
    model = FITTING[name]().fit(LOG)
    stream, other = model.stream(), model.stream()
    for one in (stream, other):
        one.click("a", time=1.0)
    for item, time in ((["b"], None), ("b", "noon"), ("b", float("nan")), ("b", 1e12)):
        with pytest.raises(ValueError, match=r"item|times"):
            stream.click(item, time)
    pd.testing.assert_frame_equal(stream.recommend(), other.recommend())


def test_a_gradient_that_is_refused_changes_neither_weights_nor_optimiser():
    net = network.Network(3, (4,))
    optimiser = optim.Adagrad(dict(net.named_parameters()), 0.1, momentum=0.5)
    optimiser.update("bias_out", torch.ones(3, 1))
    before = copy.deepcopy((optimiser.state, optimiser.parameters))
    for name in ("optim.Adagrad.update", "optim.Adagrad.update_rows"):
        method, valid = getattr(optimiser, name.rpartition(".")[2]), CASES[name].valid
        for argument, rows in CASES[name].bad.items():
            for row in rows:
                with pytest.raises(row.error):
                    method(**(valid | {argument: row.value}))
    for now, then in zip((optimiser.state, optimiser.parameters), before, strict=True):
        assert all(torch.equal(now[name], then[name]) for name in then)


def test_a_model_whose_training_diverged_gives_no_list():
    log = click_log("abab", "cdcd")
    model = baselines.BPRMF(n_factors=8, n_epochs=30, learning_rate=1e30)
    with (
        np.errstate(all="ignore"),
        pytest.raises(g4r.training.Diverged, match=r"^learning_rate=1e\+30: .*try a quarter"),
    ):
        model.fit(log)
    with pytest.raises(ValueError, match="scores: not a number"):
        model.recommend(["a"])
    with pytest.raises(ValueError, match="scores: not a number"):
        g4r.evaluate(model, log)


def test_a_tie_rule_is_refused_before_the_first_score_is_made():
    def scores(*log):
        raise AssertionError("asked for scores")

    model = baselines.Pop().fit(LOG)
    model.scores = scores
    with pytest.raises(ValueError, match=r"^ties='lucky': must be one of"):
        g4r.evaluate(model, LOG, ties="lucky")
    with pytest.raises(ValueError, match=r"^n=0: must be"):
        g4r.compare(model, model, LOG, n=0)
