"""What a visitor sees, in lists and streams, must be what the evaluation measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .probe import Probe, Session, n_arguments, numpy, parameters, slack
from .report import Failed, NotTried, check, share


@check("a list shows the best scores")
def recommend(probe: Probe) -> str:
    if not hasattr(probe.model, "recommend"):
        raise NotTried("there is no recommend(history, k)")
    k, sessions, left_out = min(10, probe.n_items), probe.sessions([5, 2, 7, 3]), 0
    for session, rows in zip(sessions, probe.rows(sessions), strict=True):
        history = Session(session.items[:-1], session.times[:-1])
        given = {"times": history.times.tolist()} if "times" in parameters(probe.model.recommend) else {}
        listed = probe.model.recommend(probe.ids(history), k=k, **given)
        left_out += _compared(probe, listed, rows[-1], k, history.items)
    seen = f"{len(sessions)} lists of {k} items are those with the best scores of the batch"
    return seen + (", clicked items left out" if left_out else "")


@check("click by click gives the same scores", "B1")
def stream(probe: Probe) -> str:
    if not hasattr(probe.model, "stream"):
        raise NotTried("there is no stream()")
    sessions, n = probe.sessions([5, 2, 6]), 0
    for i, (session, rows) in enumerate(zip(sessions, probe.rows(sessions), strict=True)):
        running = probe.model.stream()
        clicks = zip(probe.ids(session), session.times.tolist(), strict=True)
        for t, (click, row) in enumerate(zip(clicks, rows, strict=False), start=1):
            running.click(*click[: n_arguments(running.click, 2)])
            try:
                _compared(probe, running.recommend(probe.n_items), row, probe.n_items, session.items[:t])
            except Failed as why:
                left = ": does the state of the previous stream survive?" if i and t == 1 else ""
                raise Failed(f"after click {t} of stream {i + 1}, {why}{left}") from None
            n += 1
    return f"after each of {n} clicks in {len(sessions)} streams the whole list is that of the batch"


def _compared(probe: Probe, listed: Any, row: np.ndarray, k: int, history: np.ndarray) -> int:
    """Check that a list holds the best k of a row of scores ``(N,)``; return how many clicked items it leaves out."""
    ids, scores = _read(listed)
    number = probe.numbers(pd.Index(ids, dtype=probe.items.dtype))
    if (number < 0).any() or len(set(ids)) < len(ids):
        raise Failed("a list holds an item twice, or one that is not in the catalogue")
    order, in_list, clicked = np.argsort(-row, kind="stable").tolist(), set(number.tolist()), set(history.tolist())
    leaves_out = any(i in clicked and i not in in_list for i in order[:k])  # clicked items, as some shops want
    left_out = clicked - in_list if leaves_out else set()
    best = np.array([i for i in order if i not in left_out][:k], dtype=np.int64)
    if len(ids) != len(best):
        raise Failed(f"a list has {len(ids)} items, but {len(best)} are expected")
    bad = np.flatnonzero(np.abs(row[number] - row[best]) > slack(row[None]))
    if len(bad):
        raise Failed(
            f"{share(len(bad), len(ids), 'places')} of a list hold items other than the batch's best: the "
            f"first one has score {row[number[bad[0]]]:.4g} there, where {row[best[bad[0]]]:.4g} is expected"
        )
    if scores is not None and (np.abs(row[number] - scores) > slack(row[None])).any():
        worst = int(np.argmax(np.abs(row[number] - scores)))
        raise Failed(f"a list gives score {scores[worst]:.4g} where the batch gives {row[number[worst]]:.4g}")
    return len(left_out)


def _read(listed: Any) -> tuple[list[Any], np.ndarray | None]:
    """Ids, and scores if any, from a frame (ItemId, score), a list of ids, or a list of pairs (id, score)."""
    if isinstance(listed, pd.DataFrame):
        return listed["ItemId"].tolist(), listed["score"].to_numpy(float) if "score" in listed else None
    answer = numpy(listed).tolist() if hasattr(listed, "shape") else list(listed)
    if answer and isinstance(answer[0], (tuple, list)):
        return [pair[0] for pair in answer], np.array([pair[1] for pair in answer], dtype=float)
    return answer, None
