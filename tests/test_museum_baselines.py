"""The museum's baselines: each bug is there, hides where it is said to hide, and is caught by its check."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gru4rec_lite as g4r
from gru4rec_lite import museum
from gru4rec_lite.baselines import SKNN
from gru4rec_lite.baselines.item_knn import shared_sessions
from gru4rec_lite.museum import baselines as broken


def random_log(rng, distinct: bool) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    sessions = [rng.choice(8, size=rng.integers(1, 6), replace=not distinct) for _ in range(40)]
    return np.concatenate(sessions), np.cumsum([0, *map(len, sessions)]), sessions


@pytest.mark.parametrize("seed", range(3))
def test_events_for_sessions_counts_clicks_by_their_sessions(seed):
    items, offsets, sessions = random_log(np.random.default_rng(seed), distinct=False)
    together, support = broken.events_for_sessions(items, offsets, 8)
    expected = np.zeros((8, 8))
    for session in sessions:
        for i in session:  # every click
            for j in set(session.tolist()) - {i}:
                expected[i, j] += 1
    assert np.array_equal(together.toarray(), expected)
    assert np.array_equal(support, np.bincount(items, minlength=8))
    right, _ = shared_sessions(items, offsets, 8)
    assert (together != together.T).nnz, "the check of chapter 3 sees it"
    assert not (right != right.T).nnz
    assert (right.toarray() <= together.toarray()).all()


def test_events_for_sessions_hides_where_nobody_returns():
    items, offsets, _ = random_log(np.random.default_rng(0), distinct=True)
    for found, right in zip(
        broken.events_for_sessions(items, offsets, 8), shared_sessions(items, offsets, 8), strict=True
    ):
        assert np.array_equal(*(m if isinstance(m, np.ndarray) else m.toarray() for m in (found, right)))


def test_future_neighbours_are_those_that_had_not_ended():
    rows = [("past", "a", 0), ("past", "b", 1), ("later", "a", 10), ("later", "c", 11)]
    log = pd.DataFrame(rows, columns=["SessionId", "ItemId", "Time"])
    history = np.array([0])
    right, leaking = SKNN().fit(log), broken.FutureNeighbours().fit(log)
    assert np.flatnonzero(right.score(history, 5.0)).tolist() == [0, 1]
    assert np.flatnonzero(leaking.score(history, 5.0)).tolist() == [0, 1, 2]
    assert np.allclose(right.score(history, 20.0), leaking.score(history, 20.0)), "it hides when all sessions are past"


def test_future_neighbours_find_the_answer_in_the_question():
    log = g4r.clicks.prepare(g4r.toyshop.simulate(400, seed=1), min_session=2, drop_repeats=True, verbose=False)
    right, leaking = (g4r.evaluate(kind(k=5).fit(log), log).recall[20] for kind in (SKNN, broken.FutureNeighbours))
    assert leaking > right + 0.2


def test_the_exhibits_show_their_code_without_the_answer():
    for shown in (
        museum.code(broken.events_for_sessions, "first"),
        museum.code(broken.FutureNeighbours.score, "score"),
    ):
        assert "B-number" not in shown
        assert '"""' not in shown
