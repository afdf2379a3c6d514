"""The table of bad arguments: every public function, and for each of its arguments what it must be.

`whole`, `log` and their like (bad_values.py) say what an argument must be; that makes the values that it may not have.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from bad_values import (
    CLE,
    CORRUPT,
    HALF,
    INF,
    ITEMS,
    LOG,
    NAN,
    NEGATIVE,
    OFFSETS,
    RANGE,
    SCORES,
    SUPPORT,
    TIMES,
    TYPE,
    Bad,
    as_arrays,
    bad,
    choice,
    drawn,
    flag,
    given,
    group,
    ids,
    is_negative,
    items_of_sessions,
    log,
    model,
    number,
    numbers_of_items,
    offsets_of_sessions,
    ranks,
    scores_of_loss,
    times,
    whole,
)  # fmt: skip
from logs import click_log, tiny

import gru4rec_lite as g4r
from gru4rec_lite import batching, cells, clicks, losses, metrics, network, optim, sampling, training, widgets

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    GRU, POP = tiny(n_epochs=1).fit(LOG, progress=False), g4r.baselines.Pop().fit(LOG)
RESULT, NET, TOYSHOP = g4r.evaluate(POP, LOG), network.Network(3, (4,)), g4r.toyshop.simulate(20)


def adagrad(**settings: Any) -> optim.Adagrad:
    return optim.Adagrad(**({"parameters": dict(network.Network(3, (4,)).named_parameters()), "lr": 0.1} | settings))


def train(**parts: Any) -> list[training.Epoch]:
    net = network.Network(3, (4,))
    valid = {
        "network": net, "optimiser": optim.Adagrad(dict(net.named_parameters()), 0.1), "loss": losses.bpr,
        "plan": batching.SessionParallel(ITEMS, OFFSETS, 2), "sampler": sampling.NegativeSampler(SUPPORT, 4, 0.5),
        "epochs": range(1, 2), "progress": False,
    }  # fmt: skip
    return list(training.train(**(valid | parts)))


class Case(NamedTuple):
    """A public function, its valid arguments, and what may not be given for each argument."""

    function: Callable
    valid: dict[str, Any]
    bad: dict[str, list[Bad]]


def case(function: Callable, valid: dict[str, Any] | None = None, /, **bad: list[Bad]) -> Case:
    return Case(function, valid or {}, bad)


def scored(model: g4r.Recommender) -> Case:
    def scores(items, offsets, times):
        return list(model.scores(items, offsets, times))

    rows = {"items": as_arrays(items_of_sessions()), "offsets": as_arrays(offsets_of_sessions())}
    if not isinstance(model, (g4r.GRU4Rec, g4r.toyshop.Oracle)):  # which have no use for times
        rows["times"] = bad(TYPE, "now", TIMES.tolist(), TIMES.astype(str)) + bad(RANGE, TIMES[:2])
        rows["times"] += bad(CORRUPT, TIMES[None])
        if isinstance(model, g4r.baselines.ByHistory):
            rows["times"] += bad(TYPE, None)
    return case(scores, {"items": ITEMS, "offsets": OFFSETS, "times": TIMES}, **rows)


BASELINES = {name: getattr(g4r.baselines, name) for name in ("Pop", "SPop", "ItemKNN", "BPRMF", "Markov", "SKNN")}
SEED = {"seed": whole(0)}
STEP = {"scores": SCORES, "is_negative": NEGATIVE}
PLAN = {"items": ITEMS, "offsets": OFFSETS, "batch_size": 2}
DEVICE = bad(TYPE, None, 3.5) + bad(RANGE, "gpu", "cuda:99")
INTERVAL = {"level": number(0, 1, -0.1, 95, INF), "n": whole(), **SEED}

CASES: dict[str, Case] = {
    # a click log
    "clicks.check": case(
        clicks.check, {"clicks": LOG},
        clicks=log(), allow_empty=flag(),
        ids=bad(TYPE, "SessionId", None, 3) + bad(RANGE, ["Nope"], says="'Nope' is missing", error=CLE),
        time=bad(TYPE, None, 3, says="^Column (None|3) is missing: the log has", error=CLE)
        + bad(RANGE, "Nope", says="^Column 'Nope' is missing", error=CLE),
    ),
    "clicks.seconds": case(
        clicks.seconds, {"column": LOG["Time"]},
        column=bad(TYPE, None, 3, [1, 2], LOG, TIMES, says="^column must be a pandas Series.*not a", error=CLE)
        + bad(RANGE, pd.Series([1e12], name="Time"), says="'Time': .*milliseconds", error=CLE)
        + bad(RANGE, pd.Series([20141030, 20141231], name="Time"), says="'Time': 20141030 is a date", error=CLE)
        + bad(RANGE, pd.Series([1.7e9], dtype="float32", name="Time"), says="'Time': .*128 s apart", error=CLE)
        + bad(CORRUPT, pd.Series(["x"], name="Time"), pd.Series([NAN], name="Time"), says="'Time'.*row", error=CLE),
    ),
    "clicks.sessionise": case(
        clicks.sessionise, {"clicks": LOG.rename(columns={"SessionId": "UserId"})},
        clicks=log(column="UserId"), gap=number(0, -1, INF, 5 / 7, 1e-7, np.float32(0.7), Fraction(1, 10)),
        user=bad(TYPE, None, 3, ["UserId"], says="^Column .* is missing: the log has 'UserId'", error=CLE)
        + bad(RANGE, "Nope", says="^Column 'Nope' is missing", error=CLE)
        + bad(CORRUPT, "Time", says="^Column 'Time': 0.0 is not an id here", error=CLE),
    ),
    "clicks.split_by_time": case(
        clicks.split_by_time, {"clicks": LOG, "days": 0.0005},
        clicks=log(), verbose=flag(),
        days=number(0, -1, INF) + bad(RANGE, 2, says="^days=2 leaves no whole session for train.*Remedy", error=CLE)
        + bad(RANGE, 1e-9, says="^days=1e-09 leaves no whole session for test.*Remedy: more days", error=CLE),
    ),
    "clicks.prepare": case(
        clicks.prepare, {"clicks": LOG, "verbose": False},
        clicks=log(), drop_repeats=flag(), verbose=flag(), drop_duplicates=flag(),
        max_session=given(whole()) + bad(RANGE, 1, says="^max_session=1: must be at least min_session=2, or None"),
        min_session=whole() + bad(RANGE, 99, says="Nothing is left of .*lower min_session=99", error=CLE),
        min_support=whole() + bad(RANGE, 999, says="Nothing is left of .*min_support=999", error=CLE),
    ),
    "clicks.encode": case(
        clicks.encode, {"clicks": LOG},
        clicks=log(),
        items=bad(TYPE, "ab", 3, {"a": 1}, LOG) + bad(RANGE, ["a", "a"], says="must hold every item once, .*'a' again")
        + bad(CORRUPT, ["a", NAN], ["a", None], says="^items: must hold an id in every place, but place 1 is empty"),
    ),
    # data sets
    "datasets.load": case(g4r.datasets.load, {"name": "toyshop"}, name=choice("movielens")),
    "datasets.for_reading": case(g4r.datasets.for_reading, {"name": "toyshop"}, name=choice("movielens")),
    "datasets.published_split": case(
        g4r.datasets.published_split, {"name": "yoochoose", "log": LOG}, name=choice("eshop"), log=log()
    ),
    "toyshop.shop.simulate": case(g4r.toyshop.simulate, {"n_sessions": 5}, n_sessions=whole(), seed=whole(0)),
    "toyshop.oracle.Oracle": case(g4r.toyshop.Oracle, reload=number(-0.1, 1, INF)),
    "toyshop.oracle.Oracle.ceiling": case(
        g4r.toyshop.Oracle().ceiling, {"test": TOYSHOP}, test=log(empty=True),
        cutoffs=bad(TYPE, 20, "20", None, (2.5,), ("5",), (True,)) + bad(RANGE, (), (0,), (5, -1))
        + bad(CORRUPT, (5, None), [[5]]),
    ),
    "toyshop.oracle.Oracle.scores": scored(g4r.toyshop.Oracle()),
    "toyshop.oracle.next_click": case(
        lambda items, offsets: g4r.toyshop.next_click(g4r.toyshop.process(), items, offsets),
        {"items": ITEMS, "offsets": OFFSETS},
        items=as_arrays(items_of_sessions()), offsets=as_arrays(offsets_of_sessions()),
    ),
    # models: settings of GRU4Rec are in tests/test_settings.py, which sees to it that none is missing
    "gru4rec.GRU4Rec.fit": case(
        lambda train, valid=None, **more: tiny(n_epochs=1).fit(train, valid, **({"progress": False} | more)),
        {"train": LOG},
        train=log() + bad(RANGE, click_log("a", "b"), says="'?SessionId'?: every session has one click", error=CLE),
        valid=given(log(empty=True)), progress=flag(),
        resume=flag() + bad(RANGE, True, says="^resume=True: needs the file to continue from"),
        keep_best=flag() + bad(RANGE, True, says="^keep_best=True: needs a validation log"),
        checkpoint=bad(TYPE, 3, True, ["a"]) + bad(RANGE, ".", says="directory", error=OSError),
    ),
    "gru4rec.GRU4Rec.scores": scored(GRU),
    **{f"baselines.{cls.__module__.split('.')[-1]}.{name}.fit": case(lambda train, cls=cls: cls().fit(train),
       {"train": LOG}, train=log()) for name, cls in BASELINES.items()},
    **{f"baselines.{name}.scores": scored(cls().fit(LOG)) for name, cls in
       {"pop.Pop": g4r.baselines.Pop, "by_history.ByHistory": g4r.baselines.SPop, "markov.Markov": g4r.baselines.Markov,
        "item_knn.ItemKNN": g4r.baselines.ItemKNN}.items()},
    "baselines.bpr_mf.BPRMF": case(
        g4r.baselines.BPRMF, n_factors=whole(), n_epochs=whole(), batch_size=whole(), seed=whole(0),
        learning_rate=number(0, -1, INF), regularisation=number(-1, INF),
    ),
    "baselines.sknn.SKNN": case(g4r.baselines.SKNN, k=whole(), m=whole()),
    "baselines.sknn.VSKNN": case(
        g4r.baselines.VSKNN, k=whole(), m=whole(), decay=choice(), neighbour_decay=choice(), idf_weight=number(-1, INF)
    ),
    "baselines.sknn.STAN": case(
        g4r.baselines.STAN, k=whole(), m=whole(),
        **dict.fromkeys(("click_scale", "session_scale", "item_scale"), number(0, -1, -INF)),
    ),
    "baselines.item_knn.ItemKNN": case(
        g4r.baselines.ItemKNN, n_neighbours=whole(), lam=number(-1, INF), alpha=number(-0.1, 1.1, INF)
    ),
    "baselines.markov.Markov": case(g4r.baselines.Markov, kappa=number(-1, INF)),
    # lists
    "recommender.Recommender.recommend": case(
        POP.recommend, {"history": ["a", "b"]},
        history=ids("history") + bad(TYPE, {"a", "b"}, {"a": 1}, says="^history=.*: must be a list of item ids"),
        k=whole(), times=times(), exclude=ids("exclude"), unknown=choice("refuse"),
    ),
    "recommender.Recommender.recommend_many": case(
        POP.recommend_many, {"sessions": [["a"], ["b"]]},
        sessions=bad(TYPE, "ab", None, 3, LOG, iter([["a"]]), {"a": 1}, says="^sessions=.*: must be a list of hist")
        + bad(CORRUPT, ["ab", "c"], [3], says="^history=.*: must be a list of item ids")
        + bad(CORRUPT, [["a"], [["b"]]], says=r"^history\[0\]=.*: must be one item id"),
        k=whole(), exclude=ids("exclude"), unknown=choice("refuse"),
        times=bad(TYPE, 3, "ab", [1, 2], says="^times=.*: must be a list of")
        + bad(RANGE, [], [[1.0]], [[1.0], [1.0, 2.0]], says=r"^times: \d .*; give one")
        + bad(CORRUPT, [[1.0], ["x"]], [[NAN], [1.0]], says="Column 'times': .*First bad row"),
    ),
    "streams.Stream.click": case(
        lambda item, time=None, unknown="warn": POP.stream().click(item, time, unknown), {"item": "a"},
        unknown=choice("refuse"),
        item=bad(TYPE, ["a"], {}, {"a"}) + bad(CORRUPT, HALF),
        time=bad(TYPE, "x", [1.0], says="Column 'times': .*First bad") + bad(CORRUPT, NAN, INF, says="Column 'times'")
        + bad(RANGE, 1e12, says="Column 'times': .*milliseconds"),
    ),
    "streams.Stream.recommend": case(
        POP.stream().recommend, k=whole(), exclude=ids("exclude"), unknown=choice("refuse")
    ),
    # evaluation
    "evaluation.evaluate": case(
        g4r.evaluate, {"model": POP, "test": LOG},
        model=model(), test=log(empty=True), ties=choice(),
        cutoffs=bad(TYPE, 20, "20", None, (2.5,), ("5",), (True,), {5}) + bad(RANGE, (), (0,), (5, -1))
        + bad(CORRUPT, (5, None), [[5]]),
    ),
    "evaluation.compare": case(
        g4r.compare, {"model": POP, "other": POP, "test": LOG},
        model=model(), test=log(empty=True), cutoff=whole(), **INTERVAL,
        other=model() + bad(RANGE, g4r.baselines.Pop().fit(click_log("xy")), says="know different items: fit them on"),
    ),
    "evaluation.Result.interval": case(RESULT.interval, **INTERVAL),
    "evaluation.Result.by": case(
        RESULT.by, {"group": RESULT.positions}, group=group(), cutoff=whole(), level=INTERVAL["level"]
    ),
    "evaluation.Result.by_position": case(RESULT.by_position, cutoff=whole(), longest=whole()),
    "evaluation.Result.by_popularity": case(
        RESULT.by_popularity, {"train": LOG}, train=log(), cutoff=whole(), bins=whole()
    ),
    "metrics.rank_of_target": case(
        metrics.rank_of_target, {"scores": SCORES, "targets": torch.tensor([0, 1, 2])},
        scores=bad(TYPE, None, SCORES.numpy()) + bad(CORRUPT, SCORES * NAN, says="^scores: not a number")
        + bad(CORRUPT, SCORES[0]) + bad(RANGE, SCORES[:2], says="^targets=.*: must be one for each of the 2 rows"),
        targets=numbers_of_items("targets") + bad(RANGE, torch.tensor([0, 1])) + bad(
            RANGE, torch.tensor([0, 7, 1]), torch.tensor([0, -1, 1]), says=r"^targets\[1\]=(7|-1): must be .*0 to 4"),
        ties=choice(),
    ),
    "metrics.largest": case(
        metrics.largest, {"scores": SCORES, "k": 2}, scores=bad(TYPE, None, [1]) + bad(CORRUPT, SCORES[0]), k=whole()
    ),
    "metrics.recall_at": case(metrics.recall_at, {"ranks": [1.0], "cutoff": 1}, ranks=ranks(), cutoff=whole()),
    "metrics.mrr_at": case(metrics.mrr_at, {"ranks": [1.0], "cutoff": 1}, ranks=ranks(), cutoff=whole()),
    "metrics.sampled_recall_at": case(
        metrics.sampled_recall_at, {"ranks": [1.0, 2.0], "cutoff": 2, "n_items": 10, "n_sampled": 5},
        ranks=ranks() + bad(RANGE, [11], says="^ranks: .* must be between 1 and n_items=10"), cutoff=whole(),
        n_items=whole(2), n_sampled=whole() + bad(RANGE, 10, says="n_sampled=10: must be between 1 and the 9 items"),
    ),
    "metrics.bootstrap": case(
        metrics.bootstrap, {"values": [1.0, 2.0], "sessions": [0, 1], "n": 3},
        values=bad(TYPE, None, "x", ["a", "b"]) + bad(CORRUPT, np.ones((2, 2, 2)))
        + bad(RANGE, [1.0], says="^sessions=.*: must be the session of each prediction"),
        sessions=bad(TYPE, None, 3) + bad(RANGE, [1], [0, 1, 2]) + bad(CORRUPT, [[0], [1]]), n=whole(), seed=whole(0),
    ),
    "metrics.doubled_rank": case(
        lambda ties: metrics.doubled_rank(SCORES, torch.tensor([0, 1, 2]), ties), {"ties": "median"}, ties=choice()
    ),
    # the parts of the network and of its training
    "batching.SessionParallel": case(
        lambda **plan: list(batching.SessionParallel(**plan)), PLAN,
        items=items_of_sessions(), offsets=offsets_of_sessions(), batch_size=whole(), device=DEVICE,
    ),
    "batching.padded": case(
        lambda **plan: list(batching.padded(**plan)), PLAN,
        items=items_of_sessions(), offsets=offsets_of_sessions(), batch_size=whole(),
    ),
    "batching.padding_waste": case(
        batching.padding_waste, {"lengths": [2, 3], "batch_size": 2}, batch_size=whole(),
        lengths=bad(TYPE, None, "x", 3, ["a"], [2.5]) + bad(RANGE, [2, -3], says=r"^lengths\[1\]=-3: must be at least")
        + bad(CORRUPT, [[2, 3]]),
    ),
    "sampling.NegativeSampler": case(
        sampling.NegativeSampler, {"support": SUPPORT, "n_samples": 4, "alpha": 0.5},
        support=bad(TYPE, None, [1, 2], np.ones(3), SUPPORT > 0) + bad(RANGE, torch.zeros(3), torch.tensor([1.0, -1.0]),
            torch.tensor([]), says="^support=.*: must be clicks of each item, 0 or more, and not all 0")
        + bad(CORRUPT, torch.tensor([1.0, NAN]), torch.tensor([1.0, INF]), says="^support=.*: must be clicks")
        + bad(CORRUPT, torch.ones(2, 2)),
        n_samples=whole(0), alpha=number(-0.1, 1.1, INF), device=DEVICE,
    ),
    "sampling.NegativeSampler.draw": case(
        sampling.NegativeSampler(SUPPORT, 4, 0.5).draw, {"n_steps": 2}, n_steps=whole(0)
    ),
    "sampling.NegativeSampler.expected_count": case(
        sampling.NegativeSampler(SUPPORT, 4, 0.5).expected_count, {"items": torch.tensor([0, 1]), "lanes": 2},
        items=numbers_of_items("items") + bad(RANGE, torch.tensor([0, 7]), says="index 7 .*size 3", error=IndexError),
        lanes=whole(),
    ),
    "sampling.negatives": case(
        sampling.negatives, {"candidates": torch.tensor([0, 1, 2]), "targets": torch.tensor([0, 1])},
        candidates=numbers_of_items("candidates"), targets=numbers_of_items("targets"),
    ),
    "sampling.correct_logq": case(
        sampling.correct_logq, {"scores": SCORES, "expected_count": torch.ones(5), "logq": 1.0},
        logq=number(-0.1, 1.1, INF),
        scores=bad(RANGE, SCORES[:, :2], says=r"^expected_count=\(5,\): must be .*each column of scores \(3, 2\)"),
        expected_count=bad(RANGE, torch.ones(1), torch.ones(4), says=r"^expected_count=.*: must be one for each"),
    ),
    **{f"losses.{name}": case(getattr(losses, name), STEP, scores=scores_of_loss(), is_negative=is_negative())
       for name in ("cross_entropy", "bpr", "top1", "top1_max")},
    "losses.bpr_max": case(
        losses.bpr_max, STEP, scores=scores_of_loss(), is_negative=is_negative(), bpreg=number(-1, INF)
    ),
    "cells.Cell": case(lambda **widths: cells.RNNCell(**widths), {"n_in": 3, "units": 4},
                       n_in=given(whole()), units=whole()),
    "cells.GRUCell": case(
        cells.GRUCell, {"n_in": 3, "units": 4}, reset=choice(), units=whole(),
        n_in=given(whole()),
    ),
    "cells.Cell.zeros": case(cells.RNNCell(3, 4).zeros, {"lanes": 2}, lanes=whole(0)),
    "cells.Cell.forward": case(
        cells.GRUCell(3, 4), {"x": torch.ones(2, 3), "state": torch.zeros(2, 1, 4)},
        x=bad(RANGE, torch.ones(2, 4), says="2x4 and 3x12", error=RuntimeError)
        + bad(CORRUPT, torch.ones(3, 3), says=r"^state=\(2, 1, 4\): must be \(B, 1, 4\), with the B of x .*\(3, 3\)"),
        state=bad(RANGE, torch.zeros(1, 1, 4), torch.zeros(3, 1, 4), torch.zeros(2, 2, 4), torch.zeros(2, 1, 5),
                  torch.zeros(2, 4), says=r"^state=\(.*\): must be \(B, 1, 4\), with the B of x"),
    ),
    "network.Network": case(
        network.Network, {"n_items": 3, "layers": (4,)},
        n_items=whole(), cell=choice(), embedding=choice(), output=choice(), elu=number(0, -1, INF),
        embedding_size=given(whole()),
        layers=bad(TYPE, 4, "8", None, [4]) + bad(RANGE, ())
        + bad(RANGE, (4, 0), says=r"^layers=\(4, 0\): must be units of each layer, each")
        + bad(CORRUPT, (2.5,), ("8",), (True,)),
        dropout_embed=number(-0.1, 1, INF), dropout_hidden=number(-0.1, 1, INF),
    ),
    "network.Network.zeros": case(NET.zeros, {"lanes": 2}, lanes=whole(0)),
    "network.Network.forward": case(
        NET, {"rows": torch.ones(2, 4), "state": NET.zeros(2)},
        rows=bad(RANGE, torch.ones(3, 4), says=r"^state=\(2, 1, 4\): must be .*with the B of x .*\(3, 4\)"),
        state=bad(RANGE, NET.zeros(1), NET.zeros(3), says=r"^state=\(\d, 1, 4\): must be \(B, 1, 4\)"),
    ),
    "network.Network.score": case(
        NET.score, {"hidden": torch.ones(2, 4), "rows": torch.ones(5, 4), "bias": torch.ones(5, 1)},
        hidden=bad(RANGE, torch.ones(2, 3), says="2x3 and 4x5", error=RuntimeError),
        rows=bad(RANGE, torch.ones(4, 4), says=r"^bias=\(5, 1\): must be \(4, 1\)"),
        bias=bad(RANGE, torch.ones(1, 1), torch.ones(5), says=r"^bias=\(.*\): must be \(5, 1\)"),
    ),
    "optim.Adagrad": case(
        adagrad, {}, lr=number(0, -1, INF), momentum=number(-0.1, 1, INF),
        parameters=bad(TYPE, None, [], list(NET.parameters()), NET) + bad(CORRUPT, {"w": 3}, {"w": [1.0]}),
    ),
    "optim.Adagrad.update": case(
        adagrad().update, {"name": "bias_out", "grad": torch.zeros(3, 1)},
        name=bad(TYPE, None, 3) + bad(RANGE, "nonsense"),
        grad=bad(RANGE, torch.zeros(1, 1), torch.zeros(3), torch.zeros(2, 1),
                 says=r"^grad=\(.*\): must be \(3, 1\), as 'bias_out' is"),
    ),
    "optim.Adagrad.update_rows": case(
        adagrad().update_rows, {"name": "item_out", "rows": torch.tensor([0, 1]), "grad": torch.zeros(2, 4)},
        name=bad(TYPE, None, 3) + bad(RANGE, "nonsense"),
        rows=numbers_of_items("rows") + bad(RANGE, torch.tensor([0]), says=r"^grad=\(2, 4\): must be .*the 1 rows")
        + bad(RANGE, torch.tensor([0, 7]), torch.tensor([0, -1]), says="index (7|-1) is out of", error=IndexError),
        grad=bad(RANGE, torch.zeros(1, 4), torch.zeros(2, 3), torch.zeros(4),
                 says=r"^grad=\(.*\): must be a row of 'item_out' for each of the 2 rows"),
    ),
    "training.train": case(
        train, {},
        network=bad(TYPE, None, "net"), optimiser=bad(TYPE, None, "adagrad"), sampler=bad(TYPE, None, "sampler"),
        loss=bad(TYPE, None, "bpr"), epochs=bad(TYPE, None, 3), logq=number(-0.1, 1.1, INF), seed=whole(0),
        plan=bad(TYPE, None, [1]) + bad(RANGE, batching.SessionParallel([0], [0, 1], 2)),
        progress=flag(), compile=flag() + bad(TYPE, "auto"),
    ),
    # widgets
    "widgets.batching.Batching": case(
        widgets.Batching, batch_size=whole() + bad(RANGE, 7),
        sessions=bad(TYPE, "ab", 3) + bad(RANGE, [], [["a", "b"]] * 99, says=r"^sessions has \d+ sessions: .* 1 to 24")
        + bad(RANGE, [["a"]], says="^sessions: at least one session must have two") + drawn("sessions", [None], ["ab"]),
    ),
    "widgets.gates.Gates": case(
        widgets.Gates, cell=choice(cells.GRUCell(3, 4)), step=given(whole()),
        clicks=bad(TYPE, "ab", 3) + bad(RANGE, [], says="^clicks has 0 clicks: .* 2 to 12")
        + bad(RANGE, [("a", 4.0)], says=r"^clicks\[0\]: x=4.0: must be a number from -3 to 3")
        + drawn("clicks", [None], [("a",)], [1]),
        held=bad(TYPE, "z", 3) + bad(RANGE, {"q": 0.5}, {"z": 2}, says=r"^held\['\w'\].*: (there is no|must be)")
        + bad(CORRUPT, {"z": "x"}, {"z": [NAN]}, {"z": [0.1]}, says=r"^held\['z'\].*must be"),
    ),
    "widgets.losses.Losses": case(
        widgets.Losses, target=number(-151, 151, INF), loss=choice(), added=whole(0) + bad(RANGE, 2049),
        low=number(-151, 151), bpreg=number(-0.1, 2.1, INF),
        negatives=bad(TYPE, "ab", None, 3) + bad(RANGE, [], [1.0] * 9, says="^negatives has . scores: .* 1 to 8")
        + drawn("negatives", [None], ["a"], [NAN]),
    ),
    "widgets.network.Network": case(
        widgets.Network, model=bad(TYPE, "m", 3, POP) + bad(RANGE, tiny(), says="GRU4Rec has not learned anything yet"),
        clicks=bad(TYPE, "ab", 3) + bad(RANGE, [], says="^clicks has 0 clicks") + bad(
            RANGE, ["nope"], says="^clicks: 'nope' is not an item of the model; its 160: "),
        click=given(whole()) + bad(RANGE, 9), stage=given(whole()) + bad(RANGE, 7),
    ),
    "widgets.ranking.Ranking": case(
        widgets.Ranking, target=bad(TYPE, 3, ["lamp"]) + bad(RANGE, "nope"), ties=choice(),
        k=whole() + bad(RANGE, 13), n_sampled=given(whole()) + bad(RANGE, 12),
        scores=bad(TYPE, "ab", 3, [1, 2]) + bad(RANGE, {}, {"a": 1}, says="^scores has . items: .* 3 to 24")
        + bad(CORRUPT, {"a": "x"}, {"a": NAN}, says=r"^scores\['a'\]=.*: must be a finite number"),
    ),
    "widgets.sampling.Sampling": case(
        widgets.Sampling, batch_size=whole(2) + bad(RANGE, 7), n_samples=whole(0) + bad(RANGE, 13),
        alpha=number(-0.1, 1.1, INF), logq=number(-0.1, 1.1, INF),
        support=bad(TYPE, "ab", 3, [1, 2]) + bad(RANGE, {}, {"a": 1}, says="^support has . items: .* 2 to 24")
        + bad(RANGE, {"a": 0, "b": 0}, says="^support: no item has a click.*must have some")
        + bad(CORRUPT, {"a": "x"}, {"a": -1}, {"a": NAN}, says=r"^support\['a'\]=.*: must be a whole number"),
    ),
    "widgets.session.Session": case(
        widgets.Session, model=bad(TYPE, "m", 3, POP) + bad(RANGE, tiny(), says="GRU4Rec has not learned anything yet"),
        clicks=bad(TYPE, "ab", 3) + bad(RANGE, ["nope"], says="^clicks: 'nope' is not an item of the model"),
        memory=choice(),
    ),
}  # fmt: skip
