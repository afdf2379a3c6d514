"""Predictions per second of an evaluation against cornac's: ``python tests/benchmarks/scoring.py``.

Both hold the same weights and rank the same next clicks among the whole catalogue; that they find the same mean
reciprocal rank is checked before anything is said about speed. cornac gets fewer sessions, since it takes one
prediction at a time and plays each from the start of its session. It is asked in two ways: for its scores only, which
we rank as cheaply as can be, and for its own evaluation.
"""

from __future__ import annotations

import argparse
from functools import partial

import log
import machine
import numpy as np
import pandas as pd
import torch
from peers import Settings, cornac_data, cornac_model, model
from rounds import Clock, best, median, play

from gru4rec_lite import GRU4Rec, evaluate

FEW, MANY = 100, 4000  # sessions that cornac and we are asked about


def fitted(units: int) -> GRU4Rec:
    """Our model with weights as large as after training, so that scores differ."""
    ours = model(Settings(batch_size=32, units=units))
    ours.items = pd.RangeIndex(log.ITEMS)
    ours._build()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in ours.network.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
    return ours


def test(n_sessions: int) -> pd.DataFrame:
    """Sessions to be predicted; the first of many are the same as those of few."""
    clicks = log.make(seed=1)
    return clicks[clicks["SessionId"] < n_sessions]


def ours(units: int, n_sessions: int, clock: Clock) -> None:
    """`evaluate`, as anyone calls it."""
    ours, clicks = fitted(units), test(n_sessions)
    few = float((1 / evaluate(ours, test(FEW), cutoffs=(20,)).ranks).mean())
    while True:
        clock.begin()
        n = evaluate(ours, clicks, cutoffs=(20,)).n_predictions
        clock.end((n, few))


def cornac_fitted(units: int):
    """cornac's model with our weights, and its form of a log that clicks every item in order."""
    everything = pd.DataFrame({"SessionId": np.arange(log.ITEMS) // 2, "ItemId": np.arange(log.ITEMS), "Time": 0})
    train = cornac_data(everything)  # its item numbers are ours
    theirs = cornac_model(Settings(batch_size=32, units=units), n_epochs=0).fit(train)
    network, cell = fitted(units).network, theirs.model.G[0]
    with torch.no_grad():
        theirs.model.Wy.weight[: log.ITEMS] = network.item_out
        theirs.model.By.weight[: log.ITEMS] = network.bias_out
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(cell, name).copy_(getattr(network.layers[0], name))
    return theirs, train


def cornac_scores(units: int, n_sessions: int, clock: Clock) -> None:
    """cornac's ``score`` of every history; the target's rank is counted, as cheap as it gets."""
    theirs, _ = cornac_fitted(units)
    sessions = [group.tolist() for _, group in test(n_sessions).groupby("SessionId")["ItemId"]]
    while True:
        clock.begin()
        ranks = []
        for session in sessions:
            for seen in range(1, len(session)):
                scores = theirs.score(0, session[:seen])
                ranks.append(np.count_nonzero(scores >= scores[session[seen]]))
        clock.end((len(ranks), float(np.mean(1 / np.array(ranks)))))


def cornac_evaluation(units: int, n_sessions: int, clock: Clock) -> None:
    """cornac's own evaluation of every next click."""
    from cornac.data import SequentialDataset
    from cornac.eval_methods.next_item_evaluation import ranking_eval
    from cornac.metrics import MRR

    theirs, train = cornac_fitted(units)
    clicks = test(n_sessions)
    data = SequentialDataset.build(
        list(zip(clicks["SessionId"], clicks["ItemId"], clicks["Time"], strict=True)), global_iid_map=train.iid_map
    )
    while True:
        clock.begin()
        (mrr,), _ = ranking_eval(theirs, [MRR()], train, data, mode="next")
        clock.end((len(clicks) - n_sessions, mrr))


SIDES = {"cornac": (cornac_scores, FEW), "cornac's own": (cornac_evaluation, FEW), "ours": (ours, MANY)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--units", type=int, nargs="+", default=[100])
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    machine.introduce()
    for units in given.units:
        taken = play(
            {(side, n): partial(run, units, many) for side, (run, many) in SIDES.items() for n in (1, 2)}, given.rounds
        )
        found = {name: notes[0][1] for name, (_, notes) in taken.items()}
        if max(found.values()) > (1 + 1e-4) * min(found.values()):
            raise SystemExit(f"not the same predictions: the mean reciprocal rank is {found}")
        speed = {name: notes[0][0] / median(seconds) for name, (seconds, notes) in taken.items()}
        rows = [{"side": side, "threads": n, "median": v, "unit": "predictions/s"} for (side, n), v in speed.items()]
        for side in SIDES:
            n, value = best(speed, side)
            ratio = best(speed, "ours")[1] / value
            line = f"{units} units  {side:<12} {value:>9,.0f} predictions/s, {n} thread(s)"
            if side != "ours":
                line += f"  ours {ratio:.1f} ×  (goal 10 ×)"
                rows.append({"side": f"ours against {side}", "threads": "best", "median": ratio, "unit": "ratio"})
            print(line, flush=True)
        name = f"{units} units"
        machine.record([r | {"benchmark": "evaluation", "configuration": name, "rounds": given.rounds} for r in rows])


if __name__ == "__main__":
    main()
