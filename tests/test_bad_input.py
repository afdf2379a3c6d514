"""Bad arguments: every one is refused by name, with its value and what is allowed; and none is missing from the table.

The table stands in bad_cases.py. `test_every_public_argument_is_here` asks the package itself what there is. Files
stand in test_bad_files.py.
"""

from __future__ import annotations

import importlib
import inspect
import re
import types

import numpy as np
import pandas as pd
import pytest
import torch
from bad_cases import CASES, case
from bad_values import CLE, CORRUPT, RANGE, TYPE

import gru4rec_lite as g4r
from gru4rec_lite.internal.checks import shown

ROWS = [
    pytest.param(name, argument, row, id=f"{name}-{argument}-{row.kind}-{number}")
    for name, one in CASES.items()
    for argument, rows in one.bad.items()
    for number, row in enumerate(rows)
]


@pytest.mark.parametrize(("name", "argument", "row"), ROWS)
def test_a_bad_argument_is_refused_in_the_words_that_help(name, argument, row):
    one = CASES[name]
    said = row.says or rf"^{argument}={re.escape(shown(row.value))}:? must (be|give) .+"
    with pytest.raises(row.error, match=f"(?s){said}"):
        one.function(**(one.valid | {argument: row.value}))


@pytest.mark.parametrize("name", CASES)
def test_what_is_valid_is_not_refused(name, capsys):
    """Or the refusals above would prove nothing."""
    if name == "datasets.published_split":
        with pytest.raises(CLE, match=r"Nothing is left|No session"):  # a log as small as this cannot be split so
            CASES[name].function(**CASES[name].valid)
        return
    CASES[name].function(**CASES[name].valid)


# --- nothing is missing from the table

FUNCTIONS_ELSEWHERE = {  # pattern of public functions -> why they have no row
    r"gru4rec\.GRU4Rec": "its settings: tests/test_settings.py, which sees to it that none is missing",
    r"clicks\.read|.*\.(save|load)|experiments\..*": "files: tests/test_bad_files.py",
    r".*\.(tensors|restore)": "what fit learned, for save and load: a tampered file is refused in tests/test_files.py",
    r"recommender\.Recommender\.(fit|scores)": "for a subclass to write",
    r".*\.last_scores|baselines\..*\.score": "called by recommend and scores, with what they have looked at",
    r"(evaluation\.Result|clicks\.Sessions|toyshop\.shop\.Process|streams\.Stream)": "made by evaluate, encode, …",
    r"cells\.\w+\.(step|input_gates)|network\.Network\.score_all": "halves of forward, in each step; torch names sizes",
    r"cells\.(glorot_blocks_|weights)|network\.dropped|losses\.masked_mean": "inside of the guarded ones",
    r"sampling\.alias_table|optim\.row_sums": "the same",
    r"metrics\.(checked_ranks|check_cutoffs)": "itself a guard",
    r"training\.(train_step|gradients|generator)|network\.Network\.masks": "inside of training.train, for each step",
    r"batching\.(side_by_side|whole_sessions)|network\.hidden_states": "inside of scores: tests/test_whole_sessions.py",
    r"training\.pays_to_compile": "inside of fit, with its settings and its plan",
    r"widgets\.losses\.Losses\.measured": "asked by its own picture, with its own settings",
    r"toyshop\.oracle\.Oracle\.fit": "ignores its argument, as it says",
}
ARGUMENTS_ELSEWHERE = {
    ("gru4rec.GRU4Rec.scores", "times"): "of no use to it",
    ("toyshop.oracle.Oracle.scores", "times"): "of no use to it",
    ("toyshop.oracle.next_click", "shop"): "what process() gives",
    ("metrics.doubled_rank", "scores"): "rank_of_target looks at them; in evaluate nothing may wait for the device",
    ("metrics.doubled_rank", "targets"): "the same",
}
EVERYWHERE = {"generator": "torch says what it must be", "masks": "what Network.masks gives"}
OF_A_STEP = "in every training step: a tensor of another type gets torch's error, of another shape ours"
FEWER = {  # (function, argument) -> kinds that cannot be, or are not looked at, and why
    **{(f"{function}", argument): ({TYPE, CORRUPT}, OF_A_STEP) for function, arguments in {
        "sampling.correct_logq": ("scores", "expected_count"), "cells.Cell.forward": ("x", "state"),
        "network.Network.forward": ("rows", "state"), "network.Network.score": ("hidden", "rows", "bias"),
        "optim.Adagrad.update": ("grad",), "optim.Adagrad.update_rows": ("grad", "rows"),
    }.items() for argument in arguments},
    **{(f"sampling.{function}", argument): ({RANGE}, "numbers of any catalogue") for function, argument in
       (("negatives", "candidates"), ("negatives", "targets"))},
    ("clicks.sessionise", "user"): ({CORRUPT}, "a name"),
    ("evaluation.evaluate", "test"): ({RANGE}, "may be empty: no prediction, and a warning"),
    ("evaluation.compare", "test"): ({RANGE}, "may be empty"),
    ("toyshop.oracle.Oracle.ceiling", "test"): ({RANGE}, "may be empty"),
    ("gru4rec.GRU4Rec.fit", "valid"): ({RANGE}, "may be empty"),
    ("metrics.largest", "scores"): ({RANGE}, "of any catalogue"),
    ("clicks.check", "ids"): ({CORRUPT}, "names"),
    ("recommender.Recommender.recommend", "history"): ({RANGE}, "may be empty, and of any length"),
    ("recommender.Recommender.recommend_many", "sessions"): ({RANGE}, "may be empty"),
    **{(function, "exclude"): ({RANGE}, "may be empty, and longer than the catalogue") for function in
       ("recommender.Recommender.recommend", "recommender.Recommender.recommend_many", "streams.Stream.recommend")},
    ("streams.Stream.click", "item"): ({RANGE}, "an unknown item is left out, with a warning"),
    ("optim.Adagrad", "parameters"): ({RANGE}, "any dict of tensors"),
    **{("training.train", argument): ({RANGE}, "a part is a part") for argument in
       ("network", "optimiser", "sampler", "loss", "epochs")},
}  # fmt: skip
HOLDS = (pd.DataFrame, pd.Series, np.ndarray, torch.Tensor, list, dict, tuple)  # of these there are corrupt ones


def public() -> dict[str, inspect.Signature]:
    """Every function, method and constructor that the package shows, by module and name."""
    names = [*g4r.__all__, "experiments", "widgets"]
    modules = [one for name in names if isinstance(one := getattr(g4r, name), types.ModuleType)]
    shown_ones = [one for name in g4r.__all__ if callable(one := getattr(g4r, name))]
    shown_ones.append(importlib.import_module("gru4rec_lite.recommender").Stream)
    for module in modules:
        own = [
            n for n, one in vars(module).items() if n[0] != "_" and getattr(one, "__module__", "") == module.__name__
        ]
        shown_ones += [getattr(module, name) for name in getattr(module, "__all__", own)]
    found = {}
    for one in dict.fromkeys(filter(callable, shown_ones)):
        name = f"{one.__module__}.{one.__qualname__}".removeprefix("gru4rec_lite.")
        name = re.sub(r"^clicks\.\w+\.(?=\w)", "clicks.", name)  # where it stands there is nobody's business
        if inspect.isclass(one):
            methods = {f"{name}.{m}": getattr(f, "__func__", f) for m, f in vars(one).items() if m[0] != "_"}
            found |= {m: inspect.signature(f) for m, f in methods.items() if inspect.isfunction(f)}
        if not inspect.isclass(one) or "__init__" in vars(one):
            found[name] = inspect.signature(one)
    return found


def arguments(signature: inspect.Signature) -> list[str]:
    return [name for name in signature.parameters if name not in ("self", "cls", "kwargs", "args")]


def asked() -> list[tuple[str, str]]:
    """Each public argument that must have rows here."""
    return [
        (function, argument)
        for function, signature in public().items()
        if not any(re.fullmatch(pattern, function) for pattern in FUNCTIONS_ELSEWHERE)
        for argument in arguments(signature)
        if (function, argument) not in ARGUMENTS_ELSEWHERE and argument not in EVERYWHERE
    ]


def kinds_of(function: str, argument: str) -> set[str]:
    """Which kinds of bad values there are of an argument: a flag has no range, only what holds something is corrupt."""
    parameter = public()[function].parameters[argument]
    value = CASES[function].valid.get(argument, parameter.default)
    kinds = (
        {TYPE} | (set() if isinstance(value, bool) else {RANGE}) | ({CORRUPT} if isinstance(value, HOLDS) else set())
    )
    return kinds - FEWER.get((function, argument), (set(), ""))[0]


def test_every_public_argument_is_here():
    missing = [f"{f}({a})" for f, a in asked() if a not in CASES.get(f, case(print)).bad]
    assert missing == []


def test_every_kind_of_bad_value_is_here(capsys):
    due = {(f, a, kind) for f, a in asked() for kind in kinds_of(f, a)} | {(f, a, "absent") for f, a in ABSENT}
    tried = {(f, a, row.kind) for f, one in CASES.items() for a, rows in one.bad.items() for row in rows}
    tried |= {(f, a, "absent") for f, a in ABSENT}
    assert due - tried == set()
    with capsys.disabled():
        print(f"\n{len(due & tried)} of {len(due)} cells (argument x kind), {len(ROWS) + len(ABSENT)} bad values")


def test_no_exemption_has_outlived_its_function():
    functions = public()
    for pattern in FUNCTIONS_ELSEWHERE:
        assert any(re.fullmatch(pattern, function) for function in functions), pattern
    known = {(f, a) for f, signature in functions.items() for a in arguments(signature)}
    also = {("toyshop.oracle.next_click", "shop")}
    assert set(ARGUMENTS_ELSEWHERE) <= known | also
    assert set(FEWER) <= known
    assert set(CASES) <= set(functions)


ABSENT = [
    (function, argument)
    for function, argument in asked()
    if public()[function].parameters[argument].default is inspect.Parameter.empty
    and argument in CASES.get(function, case(print)).valid
]


@pytest.mark.parametrize(("function", "argument"), ABSENT)
def test_an_absent_argument_is_named(function, argument):
    one = CASES[function]
    with pytest.raises(TypeError, match=f"missing 1 required .*'{argument}'"):
        one.function(**{name: value for name, value in one.valid.items() if name != argument})
