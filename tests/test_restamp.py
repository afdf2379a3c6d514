"""New stamps for old rows: only where a sample, made again, shows the figures that stand there."""

from __future__ import annotations

import math

import pytest

from gru4rec_lite import experiments

OLD = """
from typing import Any, NamedTuple

class Run(NamedTuple):
    key: Any
    settings: Any
    measure: Any
    data: str = ""

class Table(NamedTuple):
    rows: Any
    code: Any

def rows(out):
    for model in ("A", "B"):
        for seed in (1, 2, 3):
            yield Run({"model": model, "seed": seed}, {"lr": 1}, lambda s=seed: {"mrr@20": FIGURE, "ms": 9.0}, "clicks")

TABLES = {"six": Table(rows, ())}

def code_hash(modules):
    return "CODE"
"""


@pytest.fixture
def six(monkeypatch, tmp_path):
    """A table of six rows of two models, made by the code "old"; what is made, and how, is in the dict."""
    state = {"made": [], "factor": 0.1, "code": "old", "timing": 1.0, "out": tmp_path}

    def table(results):
        for model in ("A", "B"):
            for seed in (1, 2, 3):

                def measure(model=model, seed=seed):
                    state["made"].append((model, seed))
                    state["timing"] += 1
                    return {"mrr@20": seed * state["factor"], "ms": state["timing"]}

                yield experiments.Run({"model": model, "seed": seed}, {"lr": 1}, measure, "clicks")

    monkeypatch.setitem(experiments.TABLES, "six", experiments.Table(table, ("metrics",)))
    monkeypatch.setattr(experiments, "code_hash", lambda modules: state["code"])
    experiments.run("six", tmp_path)
    frame = experiments.read(tmp_path / "six.csv")
    frame["seconds"] = [3.0, 1.0, 2.0, 4.0, 6.0, 5.0]
    frame["date"], frame["versions"] = "2020-02-02", "of old"
    frame.to_csv(tmp_path / "six.csv", index=False)
    state["made"].clear()
    state["code"] = "new"
    return state


def text(six):
    return (six["out"] / "six.csv").read_text()


def checkout(folder, figure, code="old"):
    """Code of another day, which gives these figures."""
    package = folder / "gru4rec_lite" / "experiments"
    package.mkdir(parents=True)
    (folder / "gru4rec_lite" / "__init__.py").write_text("")
    (package / "__init__.py").write_text(OLD.replace("FIGURE", figure).replace("CODE", code))
    return folder


def test_rows_get_the_present_hash_if_the_cheapest_of_each_kind_agree(six):
    before = experiments.read(six["out"] / "six.csv")
    assert experiments.restamp_tables(["six"], six["out"], least=1) == []
    after = experiments.read(six["out"] / "six.csv")
    assert six["made"] == [("A", 2), ("B", 1)]  # the cheapest of each model
    assert set(after["code"]) == {"new"}
    assert after["restamped"].str.endswith(": 2 of 6 rows made again").all()
    assert after.drop(columns=["code", "restamped"]).equals(before.drop(columns="code"))  # the measurement's own date
    experiments.run("six", six["out"])
    assert len(six["made"]) == 2  # all fresh


@pytest.mark.parametrize(
    ("least", "per", "made"),
    [
        (1, "model", [("A", 2), ("B", 1)]),
        (3, None, [("A", 2), ("A", 3), ("B", 1)]),
        (4, None, [("A", 1), ("A", 2), ("A", 3), ("B", 1)]),
        (99, None, [(model, seed) for model in "AB" for seed in (1, 2, 3)]),
        (1, "seed", [("A", 1), ("A", 2), ("A", 3)]),
    ],
)
def test_how_many_rows_are_made_again_can_be_asked_for(six, least, per, made):
    assert experiments.restamp_tables(["six"], six["out"], least=least, per=per) == []
    assert six["made"] == made


def test_a_figure_that_differs_in_the_last_digit_is_named_and_nothing_is_stamped(six):
    before, six["factor"] = text(six), 0.10005
    (refused,) = experiments.restamp_tables(["six"], six["out"], least=1)
    assert "A, 2: mrr@20 was 0.2, is 0.2001" in refused
    assert "of 2 figures differ" in refused  # timings are none
    assert text(six) == before


def test_a_figure_that_has_become_nothing_differs(six):
    six["factor"] = math.nan
    (refused,) = experiments.restamp_tables(["six"], six["out"])
    assert "mrr@20 was 0.2, is nan" in refused


def test_timings_alone_prove_nothing(six):
    experiments.read(six["out"] / "six.csv").drop(columns="mrr@20").to_csv(six["out"] / "six.csv", index=False)
    whole = experiments.TABLES["six"]
    runs = [one._replace(measure=lambda: {"ms": 1.0}) for one in whole.rows(six["out"])]
    experiments.TABLES["six"] = whole._replace(rows=lambda out: iter(runs))
    assert "holds only timings" in experiments.restamp_tables(["six"], six["out"])[0]


@pytest.mark.parametrize(("column", "value"), [("settings", '{"lr": 2}'), ("data", "others"), ("seed", 9)])
def test_a_row_that_is_not_of_todays_table_is_not_stamped(six, column, value):
    frame = experiments.read(six["out"] / "six.csv")
    frame.loc[4, column] = value
    frame.to_csv(six["out"] / "six.csv", index=False)
    before = text(six)
    assert "make it again" in experiments.restamp_tables(["six"], six["out"])[0]
    assert (text(six), six["made"]) == (before, [])


def test_fresh_rows_are_left_alone(six):
    six["code"] = "old"
    before = text(six)
    assert experiments.restamp_tables(["six"], six["out"]) == []
    assert (text(six), six["made"]) == (before, [])


def test_on_another_processor_old_and_new_code_are_held_against_each_other(six, tmp_path):
    six["factor"] = 0.3  # not what stands in the table, which was made elsewhere
    assert experiments.restamp_tables(["six"], six["out"]) != []
    old = checkout(tmp_path / "old", "round(0.3 * s, 4)")
    assert experiments.restamp_tables(["six"], six["out"], old) == []
    frame = experiments.read(six["out"] / "six.csv")
    assert set(frame["code"]) == {"new"}
    assert frame["mrr@20"].tolist() == [0.1, 0.2, 0.3] * 2  # the figures that stand there stay


@pytest.mark.parametrize(
    ("figure", "code", "says"),
    [
        ("0.1 * s + .0001", "old", "mrr@20 was 0.2001, is 0.2"),
        ("0.1 * s", "older", "made by old, but that code is older"),
        ("1 / 0", "old", "the other code failed"),
    ],
)
def test_other_code_with_other_figures_or_of_another_day_stamps_nothing(six, tmp_path, figure, code, says):
    before = text(six)
    (refused,) = experiments.restamp_tables(["six"], six["out"], checkout(tmp_path / "old", figure, code))
    assert says in refused
    assert text(six) == before


def test_a_folder_without_code_is_refused(six, tmp_path):
    assert "against=" in experiments.restamp_tables(["six"], six["out"], tmp_path)[0]


def test_the_command_says_by_its_exit_whether_all_was_stamped(six, capsys):
    six["factor"] = 0.7
    with pytest.raises(SystemExit) as stopped:
        experiments.main(["--restamp", "all", "--out", str(six["out"])])
    assert stopped.value.code == 1
    six["factor"] = 0.1
    experiments.main(["--restamp", "six", "--out", str(six["out"]), "--rows", "1"])
    assert set(experiments.read(six["out"] / "six.csv")["code"]) == {"new"}


@pytest.mark.parametrize("given", [[], ["training", "--restamp", "all"], ["--restamp"]])
def test_the_command_wants_a_table_or_tables_to_restamp(given, capsys):
    with pytest.raises(SystemExit) as stopped:
        experiments.main(given)
    assert stopped.value.code == 2


def test_a_table_that_is_not_there_is_named(six, capsys):
    with pytest.raises(SystemExit) as stopped:
        experiments.main(["--restamp", "training", "--out", str(six["out"])])
    assert stopped.value.code == 1
    assert "restamp='training': must be 'all', or one of the tables in" in capsys.readouterr().err


def test_the_home_folder_may_be_meant(six, monkeypatch):
    monkeypatch.setenv("HOME", str(six["out"]))
    assert experiments.restamp_tables(["six"], "~", least=1) == []
    assert "new" in text(six)
    six["code"] = "newer"
    experiments.run("six", "~/.")
    assert "newer" in text(six)
