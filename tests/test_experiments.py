"""The tables: rows that are there are not made again, stale ones are, and those that the book shows are fresh."""

from __future__ import annotations

import ast
import inspect
import json
import math
import os

import pandas as pd
import pytest
import torch
from logs import random_log

from gru4rec_lite import baselines, batching, clicks, datasets, experiments, toyshop, training
from gru4rec_lite.experiments import chapters, code, mechanisms, museum, paper, rows
from gru4rec_lite.training import train_step


@pytest.fixture
def counted(monkeypatch):
    """A table of three rows that counts how often each was made."""
    made = []

    def table(results):
        for seed in (1, 2, 3):
            measure = lambda seed=seed: made.append(seed) or {"recall@20": seed / 10}  # noqa: E731
            yield experiments.Run({"model": "M", "seed": seed}, {"lr": 1}, measure, "clicks")

    monkeypatch.setitem(experiments.TABLES, "three", experiments.Table(table, ("metrics",)))
    return made


def test_rows_that_are_there_are_not_made_again(counted, tmp_path):
    experiments.run("three", tmp_path)
    frame = experiments.run("three", tmp_path)
    assert counted == [1, 2, 3]
    assert frame["recall@20"].tolist() == [0.1, 0.2, 0.3]


def test_a_stopped_run_goes_on(counted, tmp_path):
    experiments.run("three", tmp_path)
    path = tmp_path / "three.csv"
    pd.read_csv(path).drop(index=1).to_csv(path, index=False)
    experiments.run("three", tmp_path)
    assert counted == [1, 2, 3, 2]
    assert pd.read_csv(path)["seed"].tolist() == [1, 2, 3]


def test_a_run_that_is_stopped_loses_no_row(counted, monkeypatch, tmp_path):
    experiments.run("three", tmp_path)
    path = tmp_path / "three.csv"
    pd.read_csv(path).drop(index=0).to_csv(path, index=False)

    def stopped():
        raise KeyboardInterrupt

    whole = experiments.TABLES["three"]
    one = experiments.Run({"model": "M", "seed": 1}, {"lr": 1}, stopped, "clicks")
    monkeypatch.setitem(experiments.TABLES, "three", whole._replace(rows=lambda results: iter([one])))
    with pytest.raises(KeyboardInterrupt):
        experiments.run("three", tmp_path)
    monkeypatch.setitem(experiments.TABLES, "three", whole)
    experiments.run("three", tmp_path)
    assert counted == [1, 2, 3, 1]


def test_stale_rows_are_made_again(counted, monkeypatch, tmp_path):
    experiments.run("three", tmp_path)
    monkeypatch.setattr(experiments, "code_hash", lambda modules: "another")
    assert set(experiments.run("three", tmp_path)["code"]) == {"another"}
    assert counted == [1, 2, 3, 1, 2, 3]


def stopping(made, at):
    """The table of three rows, whose row ``at`` stops the run."""

    def table(results):
        for seed in (1, 2, 3):

            def measure(seed=seed):
                if seed == at:
                    raise KeyboardInterrupt
                return made.append(seed) or {"recall@20": seed / 5}

            yield experiments.Run({"model": "M", "seed": seed}, {"lr": 1}, measure, "clicks")

    return experiments.Table(table, ("metrics",))


@pytest.mark.parametrize(("at", "kept"), [(1, [0.1, 0.2, 0.3]), (2, [0.2, 0.2, 0.3]), (3, [0.2, 0.4, 0.3])])
def test_a_stale_row_stays_until_its_successor_is_there(counted, monkeypatch, tmp_path, at, kept):
    experiments.run("three", tmp_path)
    monkeypatch.setattr(experiments, "code_hash", lambda modules: "another")
    monkeypatch.setitem(experiments.TABLES, "three", stopping(counted, at))
    with pytest.raises(KeyboardInterrupt):
        experiments.run("three", tmp_path)
    assert experiments.read(tmp_path / "three.csv")["recall@20"].tolist() == kept


def test_a_row_of_other_settings_stays_until_its_successor_is_there(counted, monkeypatch, tmp_path):
    experiments.run("three", tmp_path)
    changed = [experiments.Run({"model": "M", "seed": seed}, {"lr": 2}, None, "clicks") for seed in (1, 2, 3)]
    changed[0] = changed[0]._replace(measure=lambda: {"recall@20": 0.9})
    whole = experiments.TABLES["three"]._replace(rows=lambda results: iter(changed))
    monkeypatch.setitem(experiments.TABLES, "three", whole)
    with pytest.raises(TypeError):  # the second run cannot be measured
        experiments.run("three", tmp_path)
    assert experiments.read(tmp_path / "three.csv")["recall@20"].tolist() == [0.9, 0.2, 0.3]


def test_a_row_that_belongs_to_no_run_any_more_goes_at_the_end_of_a_whole_run(counted, monkeypatch, tmp_path):
    experiments.run("three", tmp_path)
    path = tmp_path / "three.csv"
    left = pd.read_csv(path).replace({"seed": {2: 7}})
    left.to_csv(path, index=False)
    monkeypatch.setitem(experiments.TABLES, "three", stopping(counted, 2))
    with pytest.raises(KeyboardInterrupt):
        experiments.run("three", tmp_path)
    assert sorted(experiments.read(path)["seed"]) == [1, 3, 7]
    monkeypatch.setitem(experiments.TABLES, "three", stopping(counted, None))
    assert experiments.run("three", tmp_path)["seed"].tolist() == [1, 2, 3]


def test_each_row_says_what_made_it(counted, tmp_path):
    row = experiments.run("three", tmp_path).iloc[0]
    assert {"seed", "settings", "seconds", "date", "versions", "code"} <= set(row.index)
    assert torch.__version__ in row["versions"]


RESULTS = datasets.folder() / "results"
# tuning.csv and tune.csv are records of decisions, made by the code of their day
SHOWN = sorted({path.stem for path in RESULTS.glob("*.csv")} & set(experiments.TABLES) - {"tuning", "tune"})


@pytest.mark.parametrize("name", SHOWN)
def test_the_tables_of_the_book_are_fresh(name):
    table = experiments.read(RESULTS / f"{name}.csv")
    stale = table[table["code"] != experiments.code_hash(experiments.TABLES[name].code)]
    assert stale.empty, (
        f"python -m gru4rec_lite.experiments {name} --out data/results; stale rows: {stale.index.tolist()}"
    )


@pytest.mark.parametrize("name", SHOWN)
def test_the_tables_of_the_book_have_all_their_rows(name):
    """Made with the settings and from the clicks of today; three seeds where there are seeds."""
    try:
        runs = list(experiments.TABLES[name].rows(RESULTS))
    except datasets.DatasetUnavailable as error:
        pytest.skip(str(error))
    table = experiments.read(RESULTS / f"{name}.csv").to_dict("records")
    assert len(table) == len(runs)
    seeds: dict[tuple, int] = {}
    for run, row in zip(runs, table, strict=True):
        assert (run.key | {"settings": json.dumps(run.settings), "data": run.data}).items() <= row.items()
        if run.key["seed"] > 0:
            of_one = tuple(value for name, value in run.key.items() if name != "seed")
            seeds[of_one] = seeds.get(of_one, 0) + 1
    assert all(n >= 3 for n in seeds.values())


def test_rows_of_other_settings_or_clicks_are_made_again(monkeypatch, tmp_path):
    made = []

    def table(settings, data):
        measure = lambda: made.append(settings) or {"mrr@20": 0.5}  # noqa: E731
        return lambda results: iter([experiments.Run({"model": "M", "seed": 0}, settings, measure, data)])

    for settings, data in (({"lr": 1}, "a"), ({"lr": 1}, "a"), ({"lr": 2}, "a"), ({"lr": 2}, "b")):
        monkeypatch.setitem(experiments.TABLES, "one", experiments.Table(table(settings, data), ("metrics",)))
        experiments.run("one", tmp_path)
    assert made == [{"lr": 1}, {"lr": 2}, {"lr": 2}]


def searched(*rows) -> pd.DataFrame:
    """Rows (dataset, model, number of the trial, MRR)."""
    rows = [(shop, model, json.dumps(paper.trials(model)[n]), mrr) for shop, model, n, mrr in rows]
    return pd.DataFrame(rows, columns=["dataset", "model", "changed", "mrr@20"])


def test_the_settings_of_a_table_are_those_that_were_chosen(tmp_path):
    n = len(paper.trials("Markov"))
    trials = [("eshop", "Markov", i, 0.3 if i == 3 else 0.2) for i in range(n)]
    trials += [("toyshop", "Markov", i, 0.5 - i / 10) for i in range(n)]
    table = searched(*trials, ("eshop", "SKNN", 0, 0.9))
    table.to_csv(tmp_path / "tune.csv", index=False)
    assert paper.chosen(tmp_path, "eshop", "Markov") == paper.trials("Markov")[3]
    assert paper.chosen(tmp_path, "toyshop", "Markov") == paper.trials("Markov")[0]


def test_a_training_that_diverges_is_a_row_without_figures(monkeypatch):
    def explodes(self, train):
        raise training.Diverged("the loss became nan")

    log = random_log(20)
    monkeypatch.setattr(paper, "split", lambda shop, cuts=1: rows.Parts(log, log, "of these"))
    runs = list(paper.tune(RESULTS))
    measured = next(run for run in runs if run.key["model"] == "Markov").measure()
    assert 0 < measured["mrr@20"] < 1
    monkeypatch.setattr(baselines.BPRMF, "fit", explodes)
    exploded = next(run for run in runs if run.key["model"] == "BPRMF").measure()
    assert exploded.keys() == measured.keys()
    assert all(math.isnan(value) for value in exploded.values())


def test_a_search_that_is_not_complete_chooses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "folder", lambda: tmp_path / "shipped")
    with pytest.raises(FileNotFoundError, match="no complete search for STAN on eshop"):
        paper.chosen(tmp_path, "eshop", "STAN")
    searched(("eshop", "STAN", 0, 0.9)).to_csv(tmp_path / "tune.csv", index=False)
    with pytest.raises(FileNotFoundError, match="no complete search for STAN on eshop"):
        paper.chosen(tmp_path, "eshop", "STAN")


@pytest.mark.parametrize("name", list(paper.SPACES))
def test_every_setting_that_is_tried_makes_a_model(name):
    trials = paper.trials(name)
    assert 1 <= len(trials) <= paper.N_TRIALS
    assert len({json.dumps(changed) for changed in trials}) == len(trials)
    for changed in trials:
        if name not in paper.LOSSES:
            getattr(baselines, name)(**changed)
            continue
        model = paper.network(name, 8, 2, **changed)
        assert (model.layers, model.n_samples, model.embedding, model.cell) == ((8, 8), 0, "one-hot", "gru-paper")
        assert model._logq == 0


def test_a_hash_of_digits_is_no_number(counted, monkeypatch, tmp_path):
    for made_by in ("123456789012", "1234567e9012"):
        monkeypatch.setattr(experiments, "code_hash", lambda modules, made_by=made_by: made_by)
        experiments.run("three", tmp_path)
        experiments.run("three", tmp_path)
    assert counted == [1, 2, 3] * 2


def test_a_table_is_written_whole_or_not_at_all(counted, monkeypatch, tmp_path):
    experiments.run("three", tmp_path)
    before = (tmp_path / "three.csv").read_text()

    def breaks_off(*names):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        experiments.run("three", tmp_path)
    assert (tmp_path / "three.csv").read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["three.csv"]


@pytest.fixture
def hashed(monkeypatch, tmp_path):
    """Source of a module -> its hash."""
    monkeypatch.setattr(code, "PACKAGE", tmp_path)

    def of(text: str) -> str:
        (tmp_path / "module.py").write_text(text)
        return experiments.code_hash(["module"])

    return of


PLAIN = """
import math
def f(x):
    \"\"\"One.\"\"\"
    if x > 3:
        raise ValueError("no")
    return g(x) + 1
"""
NO_DEEDS = {
    "comment": PLAIN.replace("    return", "    # why\n    return"),
    "docstring": PLAIN.replace("One.", "Two."),
    "message": PLAIN.replace("no", "x must be at most 3"),
    "guard": PLAIN.replace("    return", "    if x < 0 or not x:\n        raise TypeError(x)\n    return"),
    "call of a guard": PLAIN.replace("    return", "    self._check_fitted()\n    require_whole('x', x)\n    return"),
    "definition of a guard": PLAIN + "def _refuse(x):\n    for y in x:\n        if y:\n            raise ValueError\n",
    "import of a guard": "from .checks import require_whole\nimport numbers\n" + PLAIN,
    "import": "from .checks import least\n" + PLAIN,
}
DEEDS = {
    "number": PLAIN.replace("+ 1", "+ 2"),
    "guard with else": PLAIN.replace('("no")', '("no")\n    else:\n        x = 3'),
    "guard that does more": PLAIN.replace("        raise", "        x = 3\n        raise"),
    "guard that binds a name": PLAIN.replace("x > 3", "(x := 2) > 3"),
    "guard that gives something": PLAIN + "def check(x):\n    return x\n",
    "result of a guard": PLAIN.replace("    return", "    x = check(x)\n    return"),
    "call": PLAIN.replace("    return", "    checked(x)\n    return"),
    "renaming import": "from .checks import least as most\n" + PLAIN,
    "other name": PLAIN.replace("import math", "import numpy as math"),
}


@pytest.mark.parametrize("change", NO_DEEDS)
def test_words_and_guards_make_no_row_stale(hashed, change):
    assert NO_DEEDS[change] != PLAIN
    assert hashed(NO_DEEDS[change]) == hashed(PLAIN)


@pytest.mark.parametrize("change", DEEDS)
def test_deeds_make_rows_stale(hashed, change):
    assert hashed(DEEDS[change]) != hashed(PLAIN)


def test_a_pure_move_makes_no_row_stale(hashed):
    """Where a name comes from is left out, what it is called here is not."""
    moved = "from .a import f\nfrom .b import g as h, k\nfrom .c import m as n\n"
    after = "from .internal.c import m as n\nfrom .internal import k, f\nfrom .z import g as h\n"
    assert hashed(moved + PLAIN) == hashed(after + PLAIN)
    assert hashed(moved + PLAIN) != hashed(moved.replace("g as h", "f as h") + PLAIN)


def test_what_moves_to_another_module_makes_no_row_stale(monkeypatch, tmp_path):
    """Together the modules define the same: one function each, which calls the other's."""
    monkeypatch.setattr(code, "PACKAGE", tmp_path)

    def of(**modules: str) -> str:
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
        return experiments.code_hash(list(modules))

    one, two = "def one(x):\n    return {}two(x)\n", "import numpy as np\ndef two(x):\n    return np.abs(x)\n"
    apart = of(a="import numpy as np\nfrom . import b\n" + one.format("b."), b="__all__ = ['two']\n" + two)
    assert of(d=one.format("").join(["from .e import two\n", ""]), e=two) == apart
    assert of(f=two + one.format("")) == apart
    assert of(g=two + one.format("np.")) != apart
    assert of(h="from . import b\n" + one.format("b."), i=two.replace("abs", "sign")) != apart
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "one.py").write_text("from .. import two\n" + one.format("two."))
    (folder / "two.py").write_text(two)
    assert experiments.code_hash(["house/*"]) == apart
    with pytest.raises(FileNotFoundError, match="'nowhere'"):
        experiments.code_hash(["nowhere"])


def test_an_error_that_a_row_catches_is_no_guard(hashed):
    """It is what the row shows; its words are words all the same."""
    raised = "def f(x):\n    if x > {}:\n        raise {}('{}')\n    return x\n"
    assert hashed(raised.format(3, "Diverged", "one")) == hashed(raised.format(3, "Diverged", "two"))
    assert hashed(raised.format(3, "Diverged", "one")) != hashed(raised.format(4, "Diverged", "one"))
    assert hashed(raised.format(3, "Diverged", "one")) != hashed(raised.format(3, "ValueError", "one"))
    assert hashed(raised.format(3, "training.Diverged", "")) != hashed(raised.format(4, "training.Diverged", ""))
    assert hashed(raised.format(3, "ValueError", "one")) == hashed(raised.format(4, "ValueError", "one"))


def test_the_errors_that_rows_catch_are_known():
    caught = {
        name.rpartition(".")[2]
        for table in (chapters, mechanisms, museum, paper, rows)
        for handler in ast.walk(ast.parse(inspect.getsource(table)))
        if isinstance(handler, ast.ExceptHandler)
        for name in [ast.unparse(handler.type)]
    }
    assert caught == set(code.CAUGHT)


def test_what_is_tried_is_no_guard(hashed):
    """The error may be caught, and then something else is done."""
    tried = "try:\n    if x > {}:\n        raise ValueError\nexcept ValueError:\n    x = 1\n"
    assert hashed(tried.format(3)) != hashed(tried.format(4))


def test_padded_training_sees_one_step_or_the_whole_session():
    log = random_log(60)
    models = [experiments.train_padded(log, detach, n_epochs=1, batch_size=8) for detach in (True, True, False)]
    tables = [model.network.item_out.detach() for model in models]
    assert torch.equal(tables[0], tables[1])
    assert not torch.allclose(tables[0], tables[2])
    short = (
        clicks.prepare(log, min_session=2, verbose=False).groupby("SessionId").head(2)
    )  # one step is the whole session
    one, whole = (experiments.train_padded(short, detach, n_epochs=1, batch_size=8) for detach in (True, False))
    assert torch.allclose(one.network.item_out, whole.network.item_out, atol=1e-6)
    encoded = clicks.encode(short)
    assert all(inputs.shape[1] == 1 for inputs, _, _ in batching.padded(encoded.items, encoded.offsets, 8))


@pytest.mark.parametrize("version", [(3, 11), (3, 12)])
def test_the_hash_does_not_depend_on_the_version_of_python(version):
    # what later versions add to a syntax tree are empty fields: a function's type_params, say
    tree = ast.parse("def f(x):\n    return x\n")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node._fields = tuple(name for name in node._fields if name != "type_params")
            if version >= (3, 12):
                node._fields += ("type_params",)
                node.type_params = []
    assert code.shape(tree) == code.shape(ast.parse("def f(x):\n    return x\n"))


def test_the_real_rsc15_is_one_command_with_the_published_settings(monkeypatch, tmp_path):
    log = toyshop.simulate(3000, seed=4)  # stands in for clicks that may not be passed on
    monkeypatch.setattr(datasets, "load", lambda name: {"yoochoose": log}[name])
    runs = list(paper.rsc15(tmp_path))
    assert [(run.key["model"], run.key["units"]) for run in runs] == [
        ("Pop", 0), ("SPop", 0), ("ItemKNN", 0), ("BPRMF", 0),
        ("TOP1", 100), ("BPR", 100), ("cross-entropy", 100), ("TOP1", 1000), ("BPR", 1000), ("cross-entropy", 1000),
    ]  # fmt: skip
    bpr = runs[5].settings
    names = ("layers", "loss", "batch_size", "dropout_hidden", "learning_rate", "momentum", "n_epochs", "n_samples")
    assert [bpr[name] for name in names] == [(100,), "bpr", 50, 0.2, 0.05, 0.2, 10, 0]
    assert bpr["embedding"] == "one-hot"
    assert 0 < runs[0].measure()["mrr@20"] < runs[2].measure()["mrr@20"]


@pytest.mark.parametrize(
    ("cell", "of_the_cell"),
    [
        ("rnn", lambda h: 2 * h * h + h),
        ("lstm", lambda h: 4 * (2 * h * h + h)),
        ("gru-paper", lambda h: 3 * (2 * h * h + h)),
        ("gru", lambda h: 3 * (2 * h * h + 2 * h)),
    ],
)
def test_the_weights_of_a_network_are_counted(cell, of_the_cell):
    n_items, units = 217, 40
    assert mechanisms.n_weights(n_items, cell, units) == of_the_cell(units) + n_items * units + n_items


def test_a_step_that_scores_every_item_and_one_that_scores_a_sample_are_timed(monkeypatch):
    scored = []

    def step(network, optimiser, loss, step, samples, *rest):
        scored.append(len(samples))
        return train_step(network, optimiser, loss, step, samples, *rest)

    monkeypatch.setattr(mechanisms, "train_step", step)
    assert mechanisms.milliseconds(50, None)["ms"] > 0
    assert mechanisms.milliseconds(50, 7)["ms"] > 0
    assert scored == [50] * mechanisms.STEPS + [7] * mechanisms.STEPS
