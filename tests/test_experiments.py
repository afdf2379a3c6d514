"""The tables: rows that are there are not made again, stale ones are, and those that the book shows are fresh."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from logs import random_log

from gru4rec_lite import batching, clicks, datasets, experiments


@pytest.fixture
def counted(monkeypatch):
    """A table of three rows that counts how often each was made."""
    made = []

    def table():
        for seed in (1, 2, 3):
            yield (
                {"model": "M", "seed": seed},
                {"lr": 1},
                lambda seed=seed: made.append(seed) or {"recall@20": seed / 10},
            )

    monkeypatch.setitem(experiments.TABLES, "three", table)
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
    monkeypatch.setitem(experiments.TABLES, "three", lambda: iter([({"model": "M", "seed": 1}, {}, stopped)]))
    with pytest.raises(KeyboardInterrupt):
        experiments.run("three", tmp_path)
    monkeypatch.setitem(experiments.TABLES, "three", whole)
    experiments.run("three", tmp_path)
    assert counted == [1, 2, 3, 1]


def test_stale_rows_are_made_again(counted, monkeypatch, tmp_path):
    experiments.run("three", tmp_path)
    monkeypatch.setattr(experiments, "code_hash", lambda: "another")
    assert set(experiments.run("three", tmp_path)["code"]) == {"another"}
    assert counted == [1, 2, 3, 1, 2, 3]


def test_each_row_says_what_made_it(counted, tmp_path):
    row = experiments.run("three", tmp_path).iloc[0]
    assert {"seed", "settings", "seconds", "date", "versions", "code"} <= set(row.index)
    assert torch.__version__ in row["versions"]


# tuning.csv is the record of a decision, made by the code of its day; no page shows it
@pytest.mark.parametrize("name", ["training", "batching"])
def test_the_tables_of_the_book_are_fresh(name):
    table = pd.read_csv(datasets.folder() / "results" / f"{name}.csv")
    stale = table[table["code"] != experiments.code_hash()]
    assert stale.empty, (
        f"python -m gru4rec_lite.experiments {name} --out data/results; stale rows: {stale.index.tolist()}"
    )


def test_tables_with_seeds_have_three():
    for name, group in {"training": ["dataset", "model"], "batching": ["dataset", "gradient"]}.items():
        table = pd.read_csv(datasets.folder() / "results" / f"{name}.csv")
        assert (table[table["seed"] > 0].groupby(group)["seed"].nunique() >= 3).all()


def test_words_make_no_row_stale_but_deeds_do(monkeypatch, tmp_path):
    module = tmp_path / "module.py"
    monkeypatch.setattr(experiments, "__file__", str(tmp_path / "experiments.py"))
    monkeypatch.setattr(experiments, "MODEL_CODE", ("module",))

    def hashed(text):
        module.write_text(text)
        return experiments.code_hash()

    plain = hashed('def f(x):\n    """One."""\n    return x + 1\n')
    assert hashed('# why\ndef f(x):\n    """Two."""\n    return x + 1\n') == plain
    assert hashed('def f(x):\n    """One."""\n    return x + 2\n') != plain


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
    import ast

    tree = ast.parse("def f(x):\n    return x\n")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node._fields = tuple(name for name in node._fields if name != "type_params")
            if version >= (3, 12):
                node._fields += ("type_params",)
                node.type_params = []
    assert experiments._shape(tree) == experiments._shape(ast.parse("def f(x):\n    return x\n"))
