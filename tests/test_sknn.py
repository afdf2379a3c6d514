"""SKNN, V-SKNN and STAN against loops over sessions, and their limiting cases."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from helpers import catches
from logs import random_sessions

from gru4rec_lite import clicks
from gru4rec_lite.baselines import SKNN, STAN, VSKNN
from gru4rec_lite.baselines.sknn import DECAYS

ITEMS, DAY = "abcdefgh", 86_400.0
PAST = random_sessions(50, items=ITEMS)
STARTS = np.random.default_rng(1).permutation(50) * 0.3 * DAY  # not in the order of the log
NOW = 9 * DAY  # some of them are still to come
FAMILY = pytest.mark.parametrize("kind", [SKNN, VSKNN, STAN])


def log_of(sessions, starts) -> pd.DataFrame:
    rows = [(s, item, start + 10.0 * t) for s, (session, start) in enumerate(zip(sessions, starts, strict=True))
            for t, item in enumerate(session)]  # fmt: skip
    return pd.DataFrame(rows, columns=["SessionId", "ItemId", "Time"])


def ended(c: int) -> float:
    return STARTS[c] + 10.0 * (len(PAST[c]) - 1)


def after(model, history, now: float = NOW) -> np.ndarray:
    """Scores after the last click of a history, which is made at ``now``."""
    items = model.items.get_indexer(list(history))
    return all_scores_at(model, np.append(items, 0), now)[-1]


def all_scores_at(model, items, now):
    times = now - 10.0 * np.arange(len(items) - 2, -2, -1)
    return np.concatenate([b.numpy() for b in model.scores(items, np.array([0, len(items)]), times)])


def candidates(history: str, m: int, now: float) -> list[int]:
    """The m latest sessions that are over and share an item."""
    past = [c for c in range(len(PAST)) if ended(c) < now and set(PAST[c]) & set(history)]
    return sorted(past, key=ended)[-m:]


def nearest(similarity: dict[int, float], k: int) -> list[int]:
    return sorted(similarity, key=lambda c: (similarity[c], ended(c)))[-k:]


def ages(history: str) -> dict[str, int]:
    """Of each item: 1 if its last click is the last of the session, 2 for the one before, ..."""
    return {item: len(history) - history.rindex(item) for item in set(history)}


def sknn_by_loop(history: str, k: int, m: int) -> list[float]:
    s = set(history)
    similarity = {c: len(s & set(PAST[c])) / math.sqrt(len(s) * len(set(PAST[c]))) for c in candidates(history, m, NOW)}
    return [sum(similarity[c] for c in nearest(similarity, k) if j in PAST[c]) for j in ITEMS]


def vsknn_by_loop(history: str, k: int, m: int, decay, neighbour_decay, idf_weight: float) -> list[float]:
    age = ages(history)
    w = {v: decay(age[v], len(history)) for v in age}
    similarity, u = {}, {}
    for c in candidates(history, m, NOW):
        shared = set(history) & set(PAST[c])
        norm = math.sqrt(sum(x**2 for x in w.values())) * math.sqrt(len(set(PAST[c])))
        similarity[c] = sum(w[v] for v in shared) / norm
        u[c] = neighbour_decay(min(age[v] for v in shared), len(history))
    scores = []
    for j in ITEMS:
        support = sum(j in session for session in PAST)
        idf = 1 + idf_weight * math.log(len(PAST) / support)
        scores.append(idf * sum(similarity[c] * u[c] for c in nearest(similarity, k) if j in PAST[c]))
    return scores


def stan_by_loop(history: str, k: int, m: int, l1: float, l2: float, l3: float) -> list[float]:
    age, similarity = ages(history), {}
    for c in candidates(history, m, NOW):
        shared = set(history) & set(PAST[c])
        cosine = sum(math.exp(-(age[v] - 1) / l1) for v in shared) / math.sqrt(len(age) * len(set(PAST[c])))
        similarity[c] = cosine * math.exp(-(NOW - ended(c)) / (l2 * DAY))
    scores = []
    for j in ITEMS:
        total = 0.0
        for c in nearest(similarity, k):
            if j in PAST[c]:
                anchor = max(PAST[c].rindex(v) for v in set(history) & set(PAST[c]))
                total += similarity[c] * math.exp(-abs(PAST[c].rindex(j) - anchor) / l3)
        scores.append(total)
    return scores


HISTORIES = ["a", "ab", "bab", "hgfedcba", "ccd", "abcabcaad"]


@pytest.mark.parametrize(("k", "m"), [(500, 1000), (4, 1000), (500, 7), (3, 9)])
def test_sknn_equals_the_loop_over_sessions(k, m):
    model = SKNN(k, m).fit(log_of(PAST, STARTS))
    for history in HISTORIES:
        np.testing.assert_allclose(after(model, history), sknn_by_loop(history, k, m))


def test_the_loop_catches_a_cosine_that_multiplies_by_the_neighbours_length():
    def check(kind):
        model = kind(5, 20).fit(log_of(PAST, STARTS))
        np.testing.assert_allclose(after(model, "ab"), sknn_by_loop("ab", 5, 20))

    class Precedence(SKNN):  # li / sqrt(la) * sqrt(lb)
        def _neighbours(self, items, age, n_clicks, now):
            found = super()._neighbours(items, age, n_clicks, now)
            return found._replace(similarity=found.similarity * self.n_held[found.session])

    check(SKNN)
    catches(check, Precedence)


BY_HAND = {  # of a click's age among n clicks
    "none": lambda age, n: 1.0,
    "linear": lambda age, n: (n - age + 1) / n,  # position / length
    "inverse": lambda age, n: 1 / age,
    "log": lambda age, n: 1 / math.log2(1 + age),
    "quadratic": lambda age, n: 1 / age / age,
}


@pytest.mark.parametrize("decay", list(DECAYS))
@pytest.mark.parametrize(
    ("neighbour_decay", "idf_weight", "k"), [("inverse", 0.0, 500), ("quadratic", 2.0, 500), ("log", 0.0, 4)]
)
def test_vsknn_equals_the_loop_over_sessions(decay, neighbour_decay, idf_weight, k):
    model = VSKNN(k, 1000, decay, neighbour_decay, idf_weight).fit(log_of(PAST, STARTS))
    for history in HISTORIES:
        expected = vsknn_by_loop(history, k, 1000, BY_HAND[decay], BY_HAND[neighbour_decay], idf_weight)
        np.testing.assert_allclose(after(model, history), expected)


@pytest.mark.parametrize(("k", "m"), [(500, 1000), (4, 11)])
@pytest.mark.parametrize("scales", [(1.02, 5.0, 2.05), (1e9, 2.0, 1e9), (0.5, 1e9, 1e9), (1e9, 1e9, 0.5)])
def test_stan_equals_the_loop_over_sessions(k, m, scales):
    model = STAN(k, m, *scales).fit(log_of(PAST, STARTS))
    for history in HISTORIES:
        np.testing.assert_allclose(after(model, history), stan_by_loop(history, k, m, *scales))


def test_without_their_decays_both_are_sknn():
    forever = float("inf")
    train = log_of(PAST, STARTS)
    sknn = SKNN(6, 20).fit(train)
    for other in (STAN(6, 20, forever, forever, forever), VSKNN(6, 20, "none", "none")):
        other.fit(train)
        for history in HISTORIES:
            np.testing.assert_allclose(after(other, history), after(sknn, history), atol=1e-12)


@FAMILY
def test_only_sessions_that_are_over_can_be_neighbours(kind):
    def check(kind):
        whole = kind().fit(log_of(PAST, STARTS))
        over = [c for c in range(len(PAST)) if ended(c) < NOW]
        assert 5 < len(over) < len(PAST) - 5
        past = kind().fit(log_of([PAST[c] for c in over], STARTS[over]))
        assert past.items.equals(whole.items)
        for history in HISTORIES:
            np.testing.assert_allclose(after(whole, history), after(past, history))

    class SeesTheFuture(kind):
        def _neighbours(self, items, age, n_clicks, now):
            return super()._neighbours(items, age, n_clicks, np.inf)

        def _freshness(self, session, now):
            return 1.0

    check(kind)
    catches(check, SeesTheFuture)


@FAMILY
def test_a_session_of_the_training_log_is_not_its_own_neighbour(kind):
    model = kind().fit(log_of(["ab", "ac"], [0.0, 5 * DAY]))
    log = clicks.encode(log_of(["ab", "ac"], [0.0, 5 * DAY]), model.items)
    rows = np.concatenate([b.numpy() for b in model.scores(log.items, log.offsets, log.times)])
    assert not rows[0].any()  # nothing was over yet
    assert (rows[1] > 0).tolist() == [True, True, False]


@FAMILY
def test_without_times_all_training_sessions_are_past(kind):
    model = kind().fit(log_of(PAST, STARTS))
    later = ended(int(np.argmax([ended(c) for c in range(len(PAST))]))) + 1
    listed = model.recommend(list("bab")).set_index("ItemId")["score"].loc[list(ITEMS)]
    np.testing.assert_allclose(listed, after(model, "bab", now=later))
    stream = model.stream()
    for item in "bab":
        stream.click(item)
    np.testing.assert_allclose(stream.recommend(8).set_index("ItemId")["score"].loc[list(ITEMS)], listed)


@FAMILY
def test_unknown_clicks_change_nothing(kind):
    model = kind().fit(log_of(PAST, STARTS))
    with_unknown = after(model, ["a", "NEW", "b"])
    np.testing.assert_allclose(with_unknown, after(model, ["a", "b"]))
    assert not after(model, ["NEW"]).any()


def test_a_memory_that_restarts_is_the_same(tmp_path):
    for model in (SKNN(), VSKNN(decay="log", idf_weight=1.0), STAN()):
        model.fit(log_of(PAST, STARTS)).save(tmp_path / "m")
        loaded = type(model).load(tmp_path / "m")
        assert repr(loaded) == repr(model)
        for history in HISTORIES:
            np.testing.assert_array_equal(after(loaded, history), after(model, history))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [(SKNN, "k", 0), (SKNN, "m", 1.5), (VSKNN, "decay", "cubic"), (VSKNN, "neighbour_decay", 1),
     (VSKNN, "idf_weight", -1), (STAN, "click_scale", 0), (STAN, "session_scale", -1), (STAN, "item_scale", "2"),
     (STAN, "k", 0)],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(kind, name, value):
    with pytest.raises(ValueError, match=f"{name}=.*: must be"):
        kind(**{name: value})
