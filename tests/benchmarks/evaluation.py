"""Predictions per second of `evaluate` against a plain reference: ``python tests/benchmarks/evaluation.py``.

The reference is what one writes in an afternoon: torch's own GRU over padded sessions, packed; a score for every item;
a boolean comparison summed over the catalogue. How many sessions it takes at a time matters (sums of booleans are slow
once a block has left the cache), so it runs with a usual number of them and with the best. Rounds of all sides are
interleaved, each with one and with two threads; medians, and each side's better number of threads. All must count the
same.
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial

import machine
import numpy as np
import pandas as pd
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from gru4rec_lite import GRU4Rec, evaluate

CUTOFF = 20
OURS = "gru4rec_lite"
SESSIONS = (16, 512)  # of the reference's batch: about 50 predictions, a score matrix of 6 MB; about 1,500, and 180 MB


class Reference:
    """The same weights in torch's GRU; recall and MRR of the next click after every click."""

    def __init__(self, model: GRU4Rec):
        cell, units = model.network.layers[0], model.layers[0]
        self.item, self.bias = model.network.item_out.detach(), model.network.bias_out.detach().squeeze(1)
        self.gru = torch.nn.GRU(units, units, batch_first=True)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(self.gru, f"{name}_l0").data.copy_(getattr(cell, name).detach())

    @torch.no_grad()
    def evaluate(self, sessions: list[torch.Tensor], at_once: int) -> tuple[float, float]:
        ranks = []
        for first in range(0, len(sessions), at_once):
            batch = sessions[first : first + at_once]
            lengths = torch.tensor([len(session) - 1 for session in batch])
            inputs = pad_sequence([session[:-1] for session in batch], batch_first=True)
            targets = pad_sequence([session[1:] for session in batch], batch_first=True)
            packed = pack_padded_sequence(self.item[inputs], lengths, batch_first=True, enforce_sorted=False)
            hidden, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
            real = torch.arange(inputs.shape[1]) < lengths[:, None]
            scores = hidden[real] @ self.item.T + self.bias
            target = scores.gather(1, targets[real][:, None])
            ranks.append((scores >= target).sum(dim=1))
        rank = torch.cat(ranks).double()
        return float((rank <= CUTOFF).double().mean()), float(torch.where(rank <= CUTOFF, 1 / rank, 0.0).mean())


def clicks(n_sessions: int, n_items: int, seed: int = 0) -> pd.DataFrame:
    """Sessions of 2 and more clicks, 4 in the mean, on items of a skewed popularity."""
    rng = np.random.default_rng(seed)
    lengths = 2 + rng.geometric(1 / 3, n_sessions) - 1
    items = (n_items * rng.random(lengths.sum()) ** 3).astype(int)
    return pd.DataFrame({"SessionId": np.repeat(np.arange(n_sessions), lengths), "ItemId": items}).assign(
        Time=np.arange(len(items), dtype=float)
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--units", type=int, nargs="+", default=[100, 512])
    arguments.add_argument("--items", type=int, default=30_043)
    arguments.add_argument("--predictions", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    test = clicks(given.predictions // 3, given.items)
    sessions = [torch.tensor(group.tolist()) for _, group in test.groupby("SessionId")["ItemId"]]
    for units in given.units:
        model = GRU4Rec(layers=(units,), device="cpu")
        model.items = pd.RangeIndex(given.items)
        model._build()
        with torch.no_grad():  # a model that knows what is popular, and has an opinion about the rest
            for parameter in model.network.parameters():
                parameter.normal_(0.0, 0.1)
            model.network.bias_out.copy_(-2 / 3 * torch.arange(1, given.items + 1).log()[:, None])
        compare(model, Reference(model), test, sessions, given.rounds)


def compare(model: GRU4Rec, reference: Reference, test: pd.DataFrame, sessions: list, rounds: int) -> None:
    def ours():
        result = evaluate(model, test, cutoffs=(CUTOFF,))
        return result.recall[CUTOFF], result.mrr[CUTOFF]

    sides = {f"reference, {n} sessions": partial(reference.evaluate, sessions, n) for n in SESSIONS} | {OURS: ours}
    seconds: dict[tuple[str, int], list[float]] = {(side, threads): [] for side in sides for threads in (1, 2)}
    found = {}
    for _ in range(rounds):
        for (side, threads), taken in seconds.items():
            torch.set_num_threads(threads)
            began = time.perf_counter()
            found[side] = sides[side]()
            taken.append(time.perf_counter() - began)
    n = sum(len(session) - 1 for session in sessions)
    units, best = model.layers[0], {}
    print(f"{units} units, {n:,} predictions of {len(model.items):,} items, {rounds} rounds")
    for side in sides:
        one, two = (statistics.median(seconds[side, threads]) for threads in (1, 2))
        best[side] = min(one, two)
        recall, mrr = found[side]
        print(
            f"  {side:<24} {n / best[side]:>8,.0f} predictions/s (1 thread {one:6.2f} s, 2 threads {two:6.2f} s)  "
            f"Recall@{CUTOFF} {recall:.5f}  MRR@{CUTOFF} {mrr:.5f}"
        )
    ratios = [f"{best[side] / best[OURS]:.2f} ({side})" for side in sides if side != OURS]
    same = all(np.allclose(figures, found[OURS], rtol=0, atol=1e-12) for figures in found.values())
    print(f"  {'same figures' if same else 'OTHER FIGURES'}; ratios {', '.join(ratios)}")
    name = {"benchmark": "evaluation against plain", "configuration": f"{units} units", "rounds": rounds}
    name |= {"threads": "best", "unit": "ratio"}
    peers = [side for side in sides if side != OURS]
    machine.record([name | {"side": f"{OURS} against {side}", "median": best[side] / best[OURS]} for side in peers])


if __name__ == "__main__":
    main()
