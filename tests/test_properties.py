"""Properties that hold for any valid log, batch, score and setting, on what hypothesis draws (see strategies.py).

A property takes its subject as an argument where there is a broken variant of it, and `refuted` shows that the search
finds a counterexample to that one: what no draw could break would say nothing.
"""

from __future__ import annotations

import copy
import csv
import tempfile
import warnings
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import assert_same_bits, seeded
from hypothesis import Phase, event, given
from hypothesis import strategies as st
from logs import ByLastClick, all_scores
from pandas.testing import assert_frame_equal
from scipy.special import expit
from strategies import FEATURES, SEEN, STEPS, Log, examples, id_columns, logs, models, score_matrices
from torch.testing import assert_close

from gru4rec_lite import (
    GRU4Rec,
    baselines,
    batching,
    clicks,
    compare,
    evaluate,
    gru4rec,
    losses,
    metrics,
    recommender,
    training,
)
from gru4rec_lite.batching import SessionParallel
from gru4rec_lite.clicks import ClickLogError, order
from gru4rec_lite.internal.device import find_device
from gru4rec_lite.museum import batching as broken_batching
from gru4rec_lite.museum import data as broken_data
from gru4rec_lite.museum import evaluation as broken_evaluation
from gru4rec_lite.museum import losses as broken_losses
from gru4rec_lite.museum import sampling as broken_sampling
from gru4rec_lite.network import Network
from gru4rec_lite.optim import Adagrad
from gru4rec_lite.sampling import NegativeSampler, alias_table, correct_logq, negatives

quiet = partial(clicks.prepare, verbose=False)


def as_it_is(model):
    return model


def refuted(test, by: type[Exception] = AssertionError, n: int = 300, **strategies) -> None:
    """The search finds a draw for which the property does not hold; settings of the test come by name, as they are."""
    drawn = {name: s for name, s in strategies.items() if isinstance(s, st.SearchStrategy)}
    fixed = {name: s for name, s in strategies.items() if name not in drawn}
    search = examples(n, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(by):
        search(given(**drawn)(lambda **found: test.hypothesis.inner_test(**found, **fixed)))()


@contextmanager
def untouched(*frames: pd.DataFrame):
    """The frames are afterwards what they were: values, types, labels, order, notes."""
    before = [(frame.copy(deep=True), copy.deepcopy(frame.attrs)) for frame in frames]
    yield
    for frame, (values, attrs) in zip(frames, before, strict=True):
        assert_frame_equal(frame, values, check_exact=True)
        assert frame.attrs == attrs


def shuffled(log: Log, order: list[int]) -> pd.DataFrame:
    """The rows in this order, but clicks of a session at the same time in the order in which they were."""
    order = list(order)
    tied: dict[tuple, list[int]] = {}  # places of rows whose order says which click came first
    for place, row in enumerate(order):
        tied.setdefault((log.rows[row][0], log.rows[row][2]), []).append(place)
    for places in tied.values():
        for place, row in zip(places, sorted(order[place] for place in places), strict=True):
            order[place] = row
    return log.frame.iloc[order]


def assert_same_sessions(found: clicks.Sessions, expected: clicks.Sessions) -> None:
    for name in ("items", "offsets", "times"):
        assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name
    assert found.ids.tolist() == expected.ids.tolist()
    assert found.index.equals(expected.index)


# --- what is drawn


def drawn_features(strategy, n: int) -> Counter:
    before = SEEN.copy()

    @examples(n)
    @given(strategy)
    def draw(log):
        assert len(log.frame) == len(log.rows)

    draw()
    return SEEN - before


def test_every_feature_of_a_log_occurs():
    seen = drawn_features(logs(), 1000)
    assert set(seen) <= FEATURES
    assert {feature for feature in FEATURES if not seen[feature]} == set()
    for feature in (
        "exact duplicates",
        "one-click session",
        "one item",
        "equal times in a session",
        "text ids of items",
    ):
        assert seen[feature] > 50, feature


def test_a_feature_that_does_not_occur_is_missed():
    seen = drawn_features(logs(items=(["a", "b"], "str", "str")), 50)
    assert {"integer ids of items", "items: int8", "text beyond ASCII"} <= FEATURES - set(seen)


@examples(60)
@given(log=logs())
def test_a_drawn_log_is_its_rows(log):
    """The oracle of everything below, read from the frame value by value."""
    frame = log.frame.reset_index(drop=True)
    assert frame["SessionId"].tolist() == [session for session, _, _ in log.rows]
    assert frame["ItemId"].tolist() == log.items
    times = [t.timestamp() if isinstance(t, pd.Timestamp) and t.tz else t for t in frame["Time"].tolist()]
    times = [(t - pd.Timestamp(0)).total_seconds() if isinstance(t, pd.Timestamp) else float(t) for t in times]
    assert times == pytest.approx([time for *_, time in log.rows], abs=1e-6)


# --- clicks

blocks = st.sampled_from([2, 3, order.BLOCK])


@contextmanager
def rows_at_a_time(block: int):
    """So that a small log is longer than what is worked on at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "BLOCK", block)
        yield


@examples(150)
@given(log=logs(), block=blocks)
def test_encoding_loses_nothing_and_invents_nothing(log, block):
    with untouched(log.frame), rows_at_a_time(block):
        found = clicks.encode(log.frame)
    in_order = sorted(log.sessions, key=lambda session: (log.rows[log.sessions[session][0]][2], session))
    rows = [row for session in in_order for row in log.sessions[session]]
    assert found.ids.tolist() == in_order
    assert np.diff(found.offsets).tolist() == [len(log.sessions[session]) for session in in_order]
    assert [found.index[number] for number in found.items] == [log.items[row] for row in rows]
    assert found.index.tolist() == sorted(set(log.items))
    assert found.times.tolist() == [log.rows[row][2] for row in rows]
    assert found.support.tolist() == [log.items.count(item) for item in found.index]
    assert {type(i) for i in (*found.index.tolist(), *found.ids.tolist())} == {
        type(i) for row in log.rows for i in row[:2]
    }


@examples(60)
@given(log=logs())
def test_what_was_encoded_is_a_log_that_encodes_to_the_same(log):
    first = clicks.encode(log.frame)
    sessions = np.repeat(np.arange(len(first)), np.diff(first.offsets))
    again = {"SessionId": first.ids[sessions], "ItemId": first.index[first.items], "Time": first.times}
    assert_same_sessions(clicks.encode(pd.DataFrame(again)), first)


@examples(80)
@given(log=logs(), data=st.data())
def test_items_that_an_index_lacks_are_unknown_and_the_others_have_its_numbers(log, data):
    known = clicks.encode(log.frame).index
    kept = data.draw(st.lists(st.sampled_from(range(len(known))), unique=True, min_size=1))
    index = known[np.array(kept)]
    found = clicks.encode(log.frame, items=index)
    place = {item: number for number, item in enumerate(index.tolist())}
    rows = [row for session in found.ids.tolist() for row in log.sessions[session]]
    assert found.items.tolist() == [place.get(log.items[row], -1) for row in rows]
    assert clicks.encode(log.frame.iloc[:0], items=index).items.tolist() == []
    other_kind = pd.Index([7, 8] if isinstance(log.items[0], str) else ["7", "8"])
    assert set(clicks.encode(log.frame, items=other_kind).items.tolist()) == {-1}


ROWS = {"log": logs(), "data": st.data()}


@examples(80)
@given(**ROWS, encode=st.just(clicks.encode), prepare=st.just(quiet))
def test_the_order_of_rows_means_nothing_but_for_equal_times(log, data, encode, prepare):
    other = shuffled(log, data.draw(st.permutations(range(len(log.rows)))))
    assert_same_sessions(encode(other), encode(log.frame))
    event(f"rows moved: {not other.index.equals(log.frame.index)}")
    prepared = [clicks.encode(prepare(frame, min_session=1, drop_repeats=True)) for frame in (log.frame, other)]
    assert_same_sessions(*prepared)


@examples(80)
@given(**ROWS, prepare=st.just(quiet))
def test_row_labels_mean_nothing(log, data, prepare):
    other = log.frame.set_axis(data.draw(st.lists(st.integers(0, 2), min_size=len(log.rows), max_size=len(log.rows))))
    assert_same_sessions(clicks.encode(other), clicks.encode(log.frame))
    filters = {"min_session": 1, "drop_repeats": True}
    assert_frame_equal(prepare(other, **filters).reset_index(drop=True), quiet(log.frame, **filters), check_exact=True)
    renamed = other.rename(columns={"SessionId": "UserId"})
    assert_frame_equal(clicks.sessionise(renamed), clicks.sessionise(log.frame.rename(columns={"SessionId": "UserId"})))


def prepared_by_loop(
    log: Log, min_session: int, min_support: int, drop_repeats: bool
) -> tuple[list[int], dict[str, int]]:
    """The rows left, and how many each rule took; one pass after another over lists."""
    left = [row for rows in log.sessions.values() for row in rows]
    took = dict.fromkeys(("drop_repeats", "min_support", "min_session"), 0)

    def keep(rule: str, good: list[bool]) -> None:
        nonlocal left
        took[rule] += good.count(False)
        left = [row for row, is_good in zip(left, good, strict=True) if is_good]

    before = None
    while before != left:
        before = list(left)
        if drop_repeats:
            keep("drop_repeats", [a is None or log.rows[a][:2] != log.rows[b][:2] for a, b in pairwise([None, *left])])
        clicks_of = Counter(log.items[row] for row in left)
        keep("min_support", [clicks_of[log.items[row]] >= min_support for row in left])
        length = Counter(log.rows[row][0] for row in left)
        keep("min_session", [length[log.rows[row][0]] >= min_session for row in left])
    return sorted(left), took


@examples(150)
@given(log=logs(), least=st.tuples(st.integers(1, 3), st.integers(1, 3)), drop_repeats=st.booleans(), block=blocks)
def test_prepare_accounts_for_every_click_and_is_done_at_once(log, least, drop_repeats, block):
    filters = {"min_session": least[0], "min_support": least[1], "drop_repeats": drop_repeats}
    left, took = prepared_by_loop(log, **filters)
    event(f"prepare leaves {'nothing' if not left else 'all' if len(left) == len(log.rows) else 'some'}")
    with untouched(log.frame), rows_at_a_time(block):
        if not left:
            with pytest.raises(ClickLogError, match=f"Nothing is left of {len(log.rows)} clicks"):
                quiet(log.frame, **filters)
            return
        once = quiet(log.frame, **filters)
    assert once.attrs["dropped"] == took
    assert len(once) + sum(took.values()) == len(log.rows)
    expected = log.frame.iloc[left].reset_index(drop=True)
    for column in ("SessionId", "ItemId"):  # whose types may be plainer now
        assert once[column].tolist() == expected[column].tolist()
    others = ~expected.columns.isin(["SessionId", "ItemId"])
    assert_frame_equal(once.loc[:, others], expected.loc[:, others], check_exact=True)
    with untouched(once):
        twice = quiet(once, **filters)
    assert_frame_equal(twice, once, check_exact=True)
    assert sum(twice.attrs["dropped"].values()) == 0


@examples(150)
@given(log=logs(), ticks=st.integers(1, 12), split=st.just(clicks.split_by_time))
def test_a_split_by_time_keeps_sessions_whole_and_their_times_apart(log, ticks, split):
    days = float(ticks * log.tick / 86400)
    last = max(time for *_, time in log.rows)
    late = [time > last - days * 86400 for *_, time in log.rows]
    sides = {s: {late[row] for row in rows} for s, rows in log.sessions.items()}
    expected = [[s for s, side in sides.items() if side == {is_late}] for is_late in (False, True)]
    event(f"sides that have sessions: {sum(map(bool, expected))}")
    with untouched(log.frame):
        if not all(expected):
            with pytest.raises(ClickLogError, match="no whole session for"):
                split(log.frame, days, verbose=False)
            return
        parts = split(log.frame, days, verbose=False)
    for part, names in zip(parts, expected, strict=True):
        rows = [row for row in range(len(log.rows)) if log.rows[row][0] in names]
        assert part["SessionId"].tolist() == [log.rows[row][0] for row in rows]
        assert part["ItemId"].tolist() == [log.items[row] for row in rows]
        assert part.attrs["crossing"] == len(sides) - sum(map(len, expected))
    early, later = (clicks.encode(part) for part in parts)
    assert set(early.ids).isdisjoint(later.ids)
    assert early.times.max() <= last - days * 86400 < later.times.min()


A_PAUSE = {"ticks": st.integers(2, 6), "more": st.integers(-1, 1)}


@examples(120)
@given(log=logs(), **A_PAUSE, sessionise=st.just(clicks.sessionise))
def test_visits_end_where_a_user_pauses_longer_than_the_gap(log, ticks, more, sessionise):
    """The gap is a whole number of microseconds: so many ticks, or a microsecond more or less."""
    frame = log.frame.rename(columns={"SessionId": "UserId"})
    gap = round(ticks * log.tick * 10**6) + more
    with untouched(frame):
        found = sessionise(frame, gap=gap / 10**6)
    expected = {}
    for user, rows in log.sessions.items():
        number = 1
        for before, row in pairwise([rows[0], *rows]):
            pause = (log.ticks[row] - log.ticks[before]) * log.tick * 10**6
            if pause.denominator > 1:  # a seventh of a second: between the two floats, without further rounding
                pause = (Fraction(log.rows[row][2]) - Fraction(log.rows[before][2])) * 10**6
            number += round(pause) > gap
            expected[row] = f"{user}-{number}"
    assert found["SessionId"].tolist() == [expected[row] for row in range(len(log.rows))]
    assert found["UserId"].tolist() == frame["UserId"].tolist()
    assert found["ItemId"].tolist() == log.items


@examples(60)
@given(gap=st.fractions(min_value=Fraction(1, 10**7), max_value=10**5), n_users=st.integers(1, 2))
def test_a_gap_is_kept_to_the_microsecond_or_refused(gap, n_users):
    """A pause of the gap, and one of a microsecond more; a gap in between would be neither."""
    as_float, known = float(gap), round(gap * 10**6)
    event(f"whole microseconds: {as_float == known / 10**6}")
    users = np.repeat(np.arange(n_users), 3)
    log = pd.DataFrame({"UserId": users, "ItemId": 1, "Time": np.tile([0, known, 2 * known + 1], n_users) / 10**6})
    if as_float != known / 10**6:
        with pytest.raises(ValueError, match=r"^gap=.*: must be a whole number of microseconds"):
            clicks.sessionise(log, gap=as_float)
    if known:
        visits = clicks.sessionise(log, gap=known / 10**6)["SessionId"].tolist()
        assert visits == [f"{user}-{number}" for user in range(n_users) for number in (1, 1, 2)]


def half_the_days(frame: pd.DataFrame) -> float:
    return max(float(np.ptp(clicks.seconds(frame["Time"]))) / 86400 / 2, 1e-9)


CHAIN = {
    "repeats": lambda frame: quiet(frame, min_session=1, drop_repeats=True),
    "short": lambda frame: quiet(frame, min_session=2, min_support=2),
    "train": lambda frame: clicks.split_by_time(frame, half_the_days(frame), verbose=False)[0],
    "test": lambda frame: clicks.split_by_time(frame, half_the_days(frame), verbose=False)[1],
    "every other": lambda frame: frame.iloc[::2],
    "twice": lambda frame: pd.concat([frame, frame]),
    "swapped": lambda frame: frame.rename(columns={"SessionId": "ItemId", "ItemId": "SessionId"}),
    "visits": lambda frame: clicks.sessionise(
        frame.drop(columns="UserId", errors="ignore").rename(columns={"SessionId": "UserId"}), gap=1.5
    ),
}


@examples(150)
@given(log=logs(), steps=st.lists(st.sampled_from(list(CHAIN)), min_size=1, max_size=5))
def test_what_a_log_went_through_changes_nothing(log, steps):
    """The numbers of a text are kept and handed on: a log made anew from the same values has none to be wrong."""
    frame = log.frame
    for step in steps:
        with suppress(ClickLogError):  # nothing left, or nothing on one side
            frame = CHAIN[step](frame)
            event(f"a step that was made: {step}")
    anew = {column: pd.Series(frame[column].tolist(), dtype=frame[column].dtype) for column in clicks.COLUMNS}
    anew = pd.DataFrame(anew)
    assert_same_sessions(clicks.encode(frame), clicks.encode(anew))
    left = quiet(frame, min_session=1)[list(clicks.COLUMNS)]
    assert_frame_equal(left, quiet(anew, min_session=1), check_column_type=False)


def from_csv(ids: list) -> list:
    """Integers in 64 bits where every one of them is written as it would be written again, else text."""
    text = [str(id) for id in ids]
    whole = all(t.lstrip("-").isascii() and t.lstrip("-").isdigit() and str(int(t)) == t for t in text)
    return [int(t) for t in text] if whole and all(-(2**63) <= int(t) < 2**63 for t in text) else text


@examples(100)
@given(log=logs(), kind=st.sampled_from(["csv", "tsv", "csv.gz", "parquet"]))
def test_a_file_of_a_log_holds_the_same_clicks(log, kind):
    frame = log.frame[["ItemId", "Time", "SessionId"]].reset_index(drop=True)
    expected = [[row[place] for row in log.rows] for place in (0, 1)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"log.{kind}"
        if kind == "parquet":
            plain = frame.dtypes.eq(object).any()  # pandas cannot write objects that are large integers
            (clicks.check(frame) if plain else frame).to_parquet(path)
        else:
            # pandas quotes an id with \n, but not one with a lone \r, which ends a row for every reader, its own too
            bare = any("\r" in str(id) for ids in expected for id in ids)
            event(f"an id with a carriage return: {bare}")
            quoting = csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL
            frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",", quoting=quoting)
            if any("" in ids for ids in expected):
                with pytest.raises(ClickLogError, match="an empty field is not an id"):
                    clicks.read(path)
                return
            expected = [from_csv(ids) for ids in expected]
        found = clicks.read(path)
    assert found["SessionId"].tolist() == expected[0]
    assert found["ItemId"].tolist() == expected[1]
    assert clicks.seconds(found["Time"]).tolist() == pytest.approx([time for *_, time in log.rows], abs=1e-6)


no_unicode = st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2)  # what no file in UTF-8 can hold


@examples(10)
@given(bad=no_unicode, column=st.sampled_from(["SessionId", "ItemId"]))
def test_ids_that_are_no_unicode_are_refused(bad, column):
    """They would train, and the saved model could not be loaded."""
    log = pd.DataFrame({"SessionId": ["s", "s"], "ItemId": ["a", "b"], "Time": [1, 2]}, dtype=object).astype(
        {"Time": int}
    )
    log.loc[1, column] = bad
    with pytest.raises(ClickLogError, match=f"(?s){column}.*row: 2"):
        clicks.encode(log)


# --- batching


def flat(lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Every click has a number of its own: session s is ``offsets[s], offsets[s] + 1, ...``."""
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    return np.arange(offsets[-1]), offsets


@examples(400)
@given(**STEPS, make=st.just(SessionParallel))
def test_every_step_goes_on_where_its_lanes_were(lengths, batch_size, make):
    items, offsets = flat(lengths)
    pairs, before = [], torch.empty(0, dtype=torch.int64)
    for inputs, targets, resets, lanes in make(items, offsets, batch_size):
        assert 1 <= len(inputs) == len(targets) == len(resets) == len(lanes) <= batch_size
        assert len(inputs) <= len(before) or not len(before)  # it only ever gets narrower
        assert resets.tolist() == [click in offsets for click in inputs.tolist()]
        for click, reset, lane in zip(inputs.tolist(), resets.tolist(), lanes.tolist(), strict=True):
            assert reset or click == before[lane]
        assert len(set(lanes.tolist())) == len(lanes)
        pairs += zip(inputs.tolist(), targets.tolist(), strict=True)
        before = targets
    assert sorted(pairs) == [(click, click + 1) for a, b in pairwise(offsets.tolist()) for click in range(a, b - 1)]


@examples(250)
@given(**STEPS, chunk=st.integers(1, 6), steps=st.integers(1, 3), sessions=st.integers(1, 3))
def test_how_many_steps_are_laid_out_at_a_time_changes_nothing(lengths, batch_size, chunk, steps, sessions):
    items, offsets = flat(lengths)
    expected = [[part.tolist() for part in step] for step in SessionParallel(items, offsets, batch_size)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"CHUNK": chunk, "STEPS": steps, "SESSIONS_AT_ONCE": sessions}.items():
            patch.setattr(batching, name, value)
        assert [[part.tolist() for part in step] for step in SessionParallel(items, offsets, batch_size)] == expected


@examples(80)
@given(log=logs(), chance=st.randoms(use_true_random=False), sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_sessions_in_another_order_or_in_other_batches_are_the_same_pairs(log, chance, sizes):
    encoded = clicks.encode(log.frame)
    parts = np.split(encoded.items, encoded.offsets[1:-1])
    chance.shuffle(parts)
    offsets = np.cumsum([0, *map(len, parts)])
    ids = encoded.index.tolist()
    for size, (items, starts) in zip(
        sizes, [(encoded.items, encoded.offsets), (np.concatenate(parts), offsets)], strict=True
    ):
        found = Counter()
        for step in SessionParallel(items, starts, size):
            found.update((ids[a], ids[b]) for a, b in zip(step.inputs.tolist(), step.targets.tolist(), strict=True))
        assert found == log.pairs()


# --- sampling

candidates_of_lanes = st.lists(st.integers(0, 4), min_size=1, max_size=9)
supports = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 10**12)), min_size=1, max_size=12).filter(any)
alphas = st.sampled_from([0.0, 0.3, 0.75, 1.0])


@examples(200)
@given(candidates=candidates_of_lanes, lanes=st.integers(1, 9), negatives=st.just(negatives))
def test_a_negative_is_any_candidate_that_is_another_item(candidates, lanes, negatives):
    lanes = min(lanes, len(candidates))
    found = negatives(torch.tensor(candidates), torch.tensor(candidates[:lanes])).tolist()
    assert found == [[other != own for other in candidates] for own in candidates[:lanes]]


@examples(150)
@given(support=supports, alpha=alphas, n_samples=st.integers(0, 5), lanes=st.integers(1, 5))
def test_candidates_are_expected_as_often_as_there_are_candidates(support, alpha, n_samples, lanes):
    sampler = NegativeSampler(torch.tensor(support), n_samples, alpha)
    expected = sampler.expected_count(torch.arange(len(support)), lanes)
    weight = [s**alpha if s else 0.0 for s in support]
    by_loop = [
        (lanes - 1) * s / sum(support) + n_samples * w / sum(weight) for s, w in zip(support, weight, strict=True)
    ]
    assert expected.tolist() == pytest.approx(by_loop, rel=1e-9)
    assert expected.sum().item() == pytest.approx(lanes - 1 + n_samples)


def assert_the_table_is_the_distribution(support: list[int], alpha: float, table) -> None:
    probability = NegativeSampler(torch.tensor(support), 1, alpha).probability
    keep, alias = table(probability)
    assert 0 <= keep.min() <= keep.max() <= 1
    of_item = keep.clone().index_add_(0, alias, 1 - keep) / len(support)
    # three running sums of N numbers, N at most, and a share: so many roundings of half a unit, N · 2^-53, of N shares
    assert_close(of_item, probability, rtol=0, atol=4 * len(support) * 2.0**-53)
    never = torch.tensor(support) == 0
    assert not of_item[never].any()  # not even with a probability of 1e-17


@examples(150)
@given(support=supports, alpha=alphas, table=st.just(alias_table))
def test_the_alias_table_is_the_distribution(support, alpha, table):
    assert_the_table_is_the_distribution(support, alpha, table)


@pytest.mark.parametrize("support", [[1, 0, 2], [1, 2, 3], [0, 2, 2, 4], [2, 2, 1, 3]])
def test_an_item_of_exactly_the_mean_support_is_drawn_no_less(support):
    """Found by the property above, which draws such a one now and then."""
    assert_the_table_is_the_distribution(support, 1.0, alias_table)


@examples(100)
@given(support=supports, alpha=alphas, n_samples=st.integers(0, 50), seed=st.integers(0, 9))
def test_draws_are_items_that_somebody_clicked(support, alpha, n_samples, seed):
    with seeded(seed, 1):
        drawn = NegativeSampler(torch.tensor(support), n_samples, alpha).draw(3)
    assert drawn.shape == (3, n_samples)
    assert drawn.dtype == torch.int64
    assert all(support[item] > 0 for item in drawn.unique().tolist())


@examples(100)
@given(support=supports, alpha=alphas, power=st.integers(1, 20), chance=st.randoms(use_true_random=False))
def test_counts_matter_by_their_shares_and_items_not_by_their_numbers(support, alpha, power, chance):
    plain = NegativeSampler(torch.tensor(support), 3, alpha)
    scaled = NegativeSampler(torch.tensor(support) * 2**power, 3, alpha)
    assert_same_bits(scaled.popularity, plain.popularity)
    assert_close(scaled.probability, plain.probability, rtol=1e-12, atol=0)
    items = list(range(len(support)))
    chance.shuffle(items)
    moved = NegativeSampler(torch.tensor(support)[items], 3, alpha)
    assert_close(moved.probability, plain.probability[items], rtol=1e-12, atol=0)


@examples(100)
@given(drawn=score_matrices(), lanes=st.integers(1, 4), logq=st.sampled_from([0.0, 0.5, 1.0]))
def test_logq_of_equally_popular_items_moves_every_score_alike(drawn, lanes, logq):
    scores = torch.from_numpy(drawn[0]).double()
    sampler = NegativeSampler(torch.full((scores.shape[1],), 3), 2, 0.5)
    moved = correct_logq(scores, sampler.expected_count(torch.arange(scores.shape[1]), lanes), logq) - scores
    assert_close(moved, moved[:1, :1].expand_as(moved), rtol=0, atol=1e-9)
    assert logq or not moved.any()


# --- losses

SCORES = {"loss": st.sampled_from(list(losses.LOSSES)), "drawn": score_matrices()}


def loss_by_loop(name: str, scores: np.ndarray, mask: np.ndarray) -> list[float]:
    """The equations in float64, lane by lane; logarithms where a product would be too small for a number."""
    found = []
    for lane, row in enumerate(scores.astype(np.float64)):
        target, other = row[lane], row[mask[lane]]
        if len(other) == 0:
            found.append(0.0)
            continue
        weight = other - np.logaddexp.reduce(other)  # in logarithms
        win, regular = -np.logaddexp(0, other - target), expit(other - target) + expit(other**2)
        found.append(
            {
                "cross-entropy": lambda t=target, o=other: np.logaddexp.reduce([t, *o]) - t,
                "bpr": lambda win=win: -win.mean(),
                "top1": lambda regular=regular: regular.mean(),
                "bpr-max": lambda w=weight, win=win, o=other: -np.logaddexp.reduce(w + win) + (np.exp(w) * o**2).sum(),
                "top1-max": lambda w=weight, regular=regular: (np.exp(w) * regular).sum(),
            }[name]()
        )
    return found


def roundings(scores: np.ndarray) -> float:
    """What is off in float32, relative to the largest number on the way, when every rounding goes the same way.

    A sum of C terms has C - 1 roundings of half a unit in the last place each, 2^-24; the functions before and after
    it (difference, exponential, logarithm, sigmoid, quotient, and their derivatives) have no more than a dozen.
    """
    return (scores.shape[1] + 12) * 2.0**-24


def pull_of_squares(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``(B, C)`` w_j · max r²: the gradient of Σ w r² has w_j (r_j² - Σ w r²), a small difference of large numbers.

    With scores near 1e4 the squares are 1e8, known to 4 in float32, so the difference is too, however it is computed.
    """
    found = np.zeros(scores.shape)
    for lane, row in enumerate(scores.astype(np.float64)):
        if mask[lane].any():
            other = row[mask[lane]]
            found[lane, mask[lane]] = np.exp(other - np.logaddexp.reduce(other)) * (other**2).max()
    return found


def value_and_gradient(loss, scores, mask) -> tuple[torch.Tensor, torch.Tensor]:
    scores = torch.as_tensor(scores).clone().requires_grad_()
    value = loss(scores, torch.as_tensor(mask))
    return value.detach(), torch.autograd.grad(value.sum(), scores)[0]


@examples(400)
@given(**SCORES, equations=st.just(losses.LOSSES))
def test_scores_up_to_1e4_give_the_equations_numbers_and_finite_gradients(loss, drawn, equations):
    scores, mask = drawn
    equation = equations[loss]
    value, gradient = value_and_gradient(equation, scores, mask)
    assert value.dtype == gradient.dtype == torch.float32
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    by_loop = np.array(loss_by_loop(loss, scores, mask))
    size = 1 + np.abs(scores).max(axis=1).astype(np.float64)  # of what is rounded: differences of scores, and chances
    off = roundings(scores) * (size + by_loop)
    assert (np.abs(value.numpy() - by_loop) <= off).all()
    exact, exact_gradient = value_and_gradient(equation, scores.astype(np.float64), mask)
    assert exact.numpy() == pytest.approx(by_loop, rel=1e-9, abs=1e-9)
    off = roundings(scores) * (size[:, None] + (pull_of_squares(scores, mask) if loss == "bpr-max" else 0))
    assert ((gradient.double() - exact_gradient).abs().numpy() <= off).all()


@examples(250)
@given(**SCORES, equations=st.just(losses.LOSSES))
def test_what_is_no_negative_has_no_part_in_a_loss(loss, drawn, equations):
    scores, mask = drawn
    equation = equations[loss]
    value, gradient = value_and_gradient(equation, scores, mask)
    idle, alone = ~mask & ~np.eye(*mask.shape, dtype=bool), ~mask.any(axis=1)
    assert not gradient[torch.from_numpy(idle)].any()
    assert not value[alone].any()
    assert not gradient[alone].any()
    assert (gradient.diagonal() <= 0).all()  # a higher score of the target never costs anything
    assert (value >= 0).all()
    other, _ = value_and_gradient(equation, np.where(idle, np.float32(-7e3), scores), mask)
    assert_same_bits(other, value)


@examples(150)
@given(**SCORES, chance=st.randoms(use_true_random=False))
def test_lanes_and_negatives_may_change_places(loss, drawn, chance):
    scores, mask = drawn
    lanes, extra = list(range(len(scores))), list(range(len(scores), scores.shape[1]))
    chance.shuffle(lanes)
    chance.shuffle(extra)
    places = np.ix_(lanes, lanes + extra)  # a target stays the target of its lane
    value, gradient = value_and_gradient(losses.LOSSES[loss], scores.astype(np.float64), mask)
    moved, moved_gradient = value_and_gradient(losses.LOSSES[loss], scores[places].astype(np.float64), mask[places])
    assert_close(moved, value[lanes], rtol=1e-9, atol=1e-9)
    assert_close(moved_gradient, gradient[places], rtol=1e-9, atol=1e-9)


@examples(150)
@given(drawn=score_matrices(), constant=st.sampled_from([-512.0, 0.25, 100.0]), equation=st.just(losses.cross_entropy))
def test_cross_entropy_knows_differences_only(drawn, constant, equation):
    scores, mask = drawn[0].astype(np.float64), drawn[1]
    (value, gradient), (moved, moved_gradient) = (
        value_and_gradient(equation, s, mask) for s in (scores, scores + constant)
    )
    assert_close(moved, value, rtol=0, atol=1e-9)
    assert_close(moved_gradient, gradient, rtol=0, atol=1e-9)
    assert_close(gradient.sum(dim=1), torch.zeros(len(scores)).double(), rtol=0, atol=1e-9)


# --- metrics


@st.composite
def rankings(draw) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores ``(P, N)`` with many ties, in several float types, and targets ``(P,)``."""
    n_rows, n_items = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    score = st.one_of(st.integers(-2, 2).map(float), st.floats(-1e4, 1e4, width=16), st.sampled_from([np.inf, -np.inf]))
    values = draw(st.lists(score, min_size=n_rows * n_items, max_size=n_rows * n_items))
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]))
    targets = draw(st.lists(st.integers(0, n_items - 1), min_size=n_rows, max_size=n_rows))
    return torch.tensor(values, dtype=dtype).reshape(n_rows, n_items), torch.tensor(targets)


RANKINGS = {"drawn": rankings(), "at_once": st.sampled_from([1, 7, metrics.COMPARED_AT_ONCE])}


@examples(200)
@given(**RANKINGS, rank=st.just(metrics.rank_of_target))
def test_a_rank_is_the_place_in_the_sorted_list(drawn, at_once, rank):
    scores, targets = drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "COMPARED_AT_ONCE", at_once)
        found = {ties: rank(scores, targets, ties).tolist() for ties in metrics.TIES}
    for row, target in enumerate(targets.tolist()):
        best_first = sorted(scores[row].tolist(), reverse=True)
        places = [place for place, score in enumerate(best_first, start=1) if score == scores[row, target].item()]
        assert found["standard"][row] == places[0]
        assert found["conservative"][row] == places[-1]
        assert found["median"][row] == sum(places) / len(places)


@examples(150)
@given(drawn=rankings(), power=st.integers(-3, 3), ties=st.sampled_from(metrics.TIES))
def test_ranks_know_the_order_only_and_turn_round_with_it(drawn, power, ties):
    scores, targets = drawn[0].double(), drawn[1]
    ranks = metrics.rank_of_target(scores, targets, ties)
    assert_same_bits(metrics.rank_of_target(scores * 2.0**power, targets, ties), ranks)
    assert_same_bits(metrics.rank_of_target(scores.float().atan(), targets, ties), ranks) if power == 0 else None
    turned = {"standard": "conservative", "conservative": "standard", "median": "median"}[ties]
    assert_same_bits(metrics.rank_of_target(-scores, targets, turned), scores.shape[1] + 1 - ranks)


@examples(100)
@given(drawn=rankings(), ties=st.sampled_from(metrics.TIES))
def test_longer_lists_never_hit_less_and_the_whole_catalogue_always_hits(drawn, ties):
    ranks, n_items = metrics.rank_of_target(*drawn, ties).numpy(), drawn[0].shape[1]
    recall = [metrics.recall_at(ranks, k) for k in range(1, n_items + 1)]
    mrr = [metrics.mrr_at(ranks, k) for k in range(1, n_items + 1)]
    assert (np.diff(recall, axis=0) >= 0).all()
    assert (np.diff(mrr, axis=0) >= 0).all()
    assert (recall[-1] == 1).all()
    assert mrr[-1].tolist() == pytest.approx((1 / ranks).tolist())
    assert (np.array(mrr) <= recall).all()
    if n_items > 1 and ties != "median":  # a sample of all the others is no sample
        all_others = [metrics.sampled_recall_at(ranks, k, n_items, n_items - 1) for k in range(1, n_items + 1)]
        assert np.array(all_others) == pytest.approx(np.array(recall))


@examples(200)
@given(drawn=rankings(), k=st.integers(1, 15), nan=st.booleans(), largest=st.just(metrics.largest))
def test_the_largest_are_those_of_a_whole_stable_sort(drawn, k, nan, largest):
    scores = drawn[0].float()
    if nan:
        scores[:, drawn[1]] = float("nan")
    values, places = largest(scores, k)
    for row, score in enumerate(scores.tolist()):
        expected = sorted(range(len(score)), key=lambda i, s=score: (s[i] == s[i], -s[i] if s[i] == s[i] else 0.0, i))[
            :k
        ]
        assert places[row].tolist() == expected
        assert values[row].tolist() == pytest.approx([score[i] for i in expected], abs=0, rel=0, nan_ok=True)


@examples(100)
@given(
    values=st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=12),
    names=st.lists(st.integers(0, 4), min_size=12, max_size=12),
    seed=st.integers(0, 3),
)
def test_resampled_means_lie_among_the_sessions_means(values, names, seed):
    sessions, values = np.array(names[: len(values)]), np.array(values)
    means = metrics.bootstrap(values, sessions, n=20, seed=seed)
    own = [values[sessions == s].mean() for s in set(sessions.tolist())]
    assert min(own) - 1e-12 <= means.min() <= means.max() <= max(own) + 1e-12
    assert_close(metrics.bootstrap(values, sessions * 7 - 3, n=20, seed=seed), means, rtol=0, atol=0)  # other names
    assert_close(metrics.bootstrap(values[::-1], sessions[::-1], n=20, seed=seed), means)  # another order
    event(f"nothing to resample: {len(own) == 1}")
    if len(own) == 1:  # then the interval is the mean
        assert means.tolist() == pytest.approx([values.mean()] * 20)


# --- evaluation


def a_table(items: list, seed: int) -> ByLastClick:
    """Small whole numbers as scores: many ties, and no rounding."""
    rng = np.random.default_rng(seed)
    return ByLastClick(
        items, rng.integers(0, 3, (len(items), len(items))).astype(float), rng.integers(0, 3, len(items))
    )


def known_items(data, log: Log, others: int = 2) -> list:
    """Some of the log's items and some others of their kind, in any order."""
    kind = "text" if isinstance(log.items[0], str) else "integer"
    ids = {*data.draw(st.lists(st.sampled_from(sorted(set(log.items))), unique=True))}
    ids |= {*data.draw(id_columns(others, kind))[0]}
    event(f"unknown items: {'all' if not ids & {*log.items} else 'some' if {*log.items} - ids else 'none'}")
    return sorted(ids)


TABLES = {"log": logs(), "data": st.data(), "seed": st.integers(0, 5), "ties": st.sampled_from(metrics.TIES)}


@examples(150)
@given(**TABLES, wrap=st.just(as_it_is))
def test_an_evaluation_is_the_loop_over_sessions_and_clicks(log, data, seed, ties, wrap):
    items = known_items(data, log)
    model = a_table(items, seed)
    ranks, targets, n_unknown = [], [], 0
    for session in clicks.encode(log.frame).ids.tolist():
        clicked = log.clicked[session]
        for position in range(1, len(clicked)):
            if clicked[position] not in items:
                n_unknown += 1
                continue
            number = [items.index(item) if item in items else -1 for item in clicked[: position + 1]]
            scores = model.row(number[:-1])
            better, equal = (scores > scores[number[-1]]).sum(), (scores == scores[number[-1]]).sum()
            ranks.append(better + {"standard": 1, "median": (equal + 1) / 2, "conservative": equal}[ties])
            targets.append(clicked[position])
    with warnings.catch_warnings(record=True) as warned, untouched(log.frame):
        warnings.simplefilter("always")
        result = evaluate(wrap(model), log.frame, cutoffs=(1, 2, 100), ties=ties)
    assert result.ranks.tolist() == ranks
    assert result.targets.tolist() == targets
    assert (result.n_predictions, result.n_unknown) == (len(ranks), n_unknown)
    assert [str(w.message)[:24] for w in warned] == ([] if ranks else ["no prediction to count: "])
    interval = result.interval(n=20)
    if not ranks:
        assert np.isnan([*result.recall.values(), *result.mrr.values(), *result.recall_all.values()]).all()
        assert interval[["value", "low", "high"]].isna().all(axis=None)
        assert result.frame()["mrr_all"].isna().all()
        assert result.by_position(cutoff=2).shape == result.by_popularity(log.frame).shape == (0, 8)
        return
    assert result.recall == {k: np.mean([rank <= k for rank in ranks]) for k in (1, 2, 100)}
    assert result.recall[100] == 1
    by_loop = np.mean([1 / rank if rank <= 2 else 0 for rank in ranks])
    assert result.mrr[2] == pytest.approx(by_loop)
    assert result.mrr_all[2] == pytest.approx(by_loop * len(ranks) / (len(ranks) + n_unknown))
    assert (interval["low"] <= interval["high"]).all()
    with_itself = compare(model, model, log.frame, cutoff=2, n=20)
    assert not with_itself[["difference", "low", "high"]].any(axis=None)
    if len(set(result.sessions.tolist())) == 1:
        assert interval["low"].tolist() == pytest.approx(interval["value"].tolist())


@examples(80)
@given(**TABLES, chance=st.randoms(use_true_random=False), wrap=st.just(as_it_is))
def test_rows_and_names_of_sessions_change_no_rank(log, data, seed, ties, chance, wrap):
    model = wrap(a_table(known_items(data, log), seed))
    names = list(range(len(log.sessions)))
    chance.shuffle(names)
    renamed = dict(zip(log.sessions, names, strict=True))
    other = shuffled(log, data.draw(st.permutations(range(len(log.rows)))))
    other = other.assign(SessionId=[renamed[session] for session in other["SessionId"].tolist()])

    def ranks(frame, called):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = evaluate(model, frame, ties=ties)
        session = [called(name) for name in clicks.encode(frame).ids.tolist()]
        where = zip(found.sessions.tolist(), found.positions.tolist(), found.ranks.tolist(), strict=True)
        return sorted((session[s], position, rank) for s, position, rank in where)

    assert ranks(other, lambda name: name) == ranks(log.frame, renamed.get)


# --- a model on any log

TRAINING = {"log": logs(trainable=True), "model": models()}


def check_lists(model, log: Log) -> None:
    """Lists of a fitted model: whole, without repeats, best first, of the catalogue's own ids, for any history."""
    items = sorted(set(log.items))
    for history in ([], log.items[:1], log.items):
        for k in (1, len(items), len(items) + 3):
            found = model.recommend(history, k)
            assert len(found) == min(k, len(items))
            assert set(found["ItemId"].tolist()) <= set(items)
            assert found["ItemId"].is_unique
            assert (np.diff(found["score"]) <= 0).all()
            assert np.isfinite(found["score"]).all()
            assert {type(item) for item in found["ItemId"].tolist()} == {type(items[0])}
    histories = [[], log.items[:1], log.items]
    many = model.recommend_many(histories, 2)
    alone = [model.recommend(history, 2)["score"].tolist() for history in histories]
    assert many["history"].tolist() == [h for h, scores in enumerate(alone) for _ in scores]
    assert many["score"].tolist() == pytest.approx([score for scores in alone for score in scores], rel=1e-4, abs=1e-6)
    rest = model.recommend(log.items, len(items), exclude=items[:1])
    assert set(rest["ItemId"].tolist()) == set(items[1:])
    assert model.recommend(log.items[:1], exclude=items).shape == (0, 2)


@examples(150)
@given(log=logs(), model=models())
def test_any_log_trains_evaluates_and_recommends(log, model):
    with untouched(log.frame):
        if not log.pairs():
            with pytest.raises(ClickLogError, match="every session has one click"):
                model.fit(log.frame, progress=False)
            assert not hasattr(model, "items")
            return
        assert model.fit(log.frame, progress=False) is model
        result = evaluate(model, log.frame)
    assert model.items.tolist() == sorted(set(log.items))
    assert model.history["epoch"].tolist() == [1]
    assert np.isfinite(model.history["loss"]).all()
    assert all(p.isfinite().all() for p in model.network.parameters())
    assert (result.n_predictions, result.n_unknown) == (log.pairs().total(), 0)
    assert 1 <= result.ranks.min() <= result.ranks.max() <= len(model.items)
    assert 0 <= result.mrr[5] <= result.recall[5] <= result.recall[20] <= 1
    strangers = log.frame.assign(ItemId=7 if isinstance(log.items[0], str) else "7")
    with pytest.warns(UserWarning, match="no prediction to count"):
        nothing = evaluate(model, strangers)
    assert (nothing.n_predictions, nothing.n_unknown) == (0, log.pairs().total())
    assert np.isnan([*nothing.recall.values(), *nothing.mrr_all.values()]).all()
    check_lists(model, log)


BASELINES = [
    baselines.Pop, baselines.SPop, baselines.Markov, baselines.ItemKNN, baselines.SKNN, baselines.VSKNN, baselines.STAN,
    partial(baselines.BPRMF, n_epochs=1),
]  # fmt: skip


@examples(120)
@given(log=logs(), kind=st.sampled_from(BASELINES))
def test_any_log_serves_the_baselines(log, kind):
    model = kind()
    with untouched(log.frame), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a log of one-click sessions has no prediction
        model.fit(log.frame)
        assert evaluate(model, log.frame).n_predictions == log.pairs().total()
    check_lists(model, log)


@examples(40)
@given(**TRAINING, data=st.data())
def test_rows_labels_and_names_change_no_weight(log, model, data):
    """Names that keep their order: sessions that start at the same time train in order of their ids."""
    expected = model.fit(log.frame, progress=False).network.state_dict()
    expected = {name: tensor.clone() for name, tensor in expected.items()}
    other = shuffled(log, data.draw(st.permutations(range(len(log.rows))))).reset_index(drop=True)
    for column, ids in (("SessionId", sorted(log.sessions)), ("ItemId", sorted(set(log.items)))):
        places = [ids.index(value) for value in other[column].tolist()]
        other[column] = pd.Series([f"{place:03}" for place in places], dtype="str")
    found = model.fit(other, progress=False).network.state_dict()
    for name, tensor in expected.items():
        assert_same_bits(found[name], tensor)


@examples(60)
@given(**TRAINING, data=st.data(), wrap=st.just(as_it_is))
def test_blocks_order_and_company_of_sessions_change_no_score(log, model, data, wrap):
    """Blocks as small as can be, sessions in another order, and each alone: the scores of each click are the same."""
    model.fit(log.frame, progress=False)
    model.network.double()  # the width of a product may change its last bits
    test = data.draw(logs(items=_ids_of(log)))
    encoded = clicks.encode(test.frame, model.items)
    items, offsets = encoded.items, encoded.offsets
    whole = all_scores(wrap(model), items, offsets) if test.pairs() else torch.empty(0, len(model.items)).double()
    close = partial(assert_close, rtol=1e-9, atol=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (gru4rec, "STATES_AT_ONCE"),
            (recommender, "SCORES_AT_ONCE"),
            (recommender, "ROWS_AT_LEAST"),
        ):
            patch.setattr(module, name, 1)
        blocks = list(wrap(model).scores(items, offsets, encoded.times)) if test.pairs() else []
    event(f"blocks: {min(len(blocks), 3)}")
    if blocks:
        close(torch.cat(blocks), whole)
    parts = [items[a:b] for a, b in pairwise(offsets)]
    rows = dict(enumerate(np.split(np.arange(len(whole)), np.cumsum([len(part) - 1 for part in parts])[:-1])))
    order = data.draw(st.permutations([s for s, part in enumerate(parts) if len(part) > 1]))
    for some in (order, *([s] for s in order)) if order else ():
        among = all_scores(
            wrap(model), np.concatenate([parts[s] for s in some]), np.cumsum([0, *(len(parts[s]) for s in some)])
        )
        close(among, whole[np.concatenate([rows[s] for s in some])])


def _ids_of(log: Log) -> tuple[list, str, str]:
    """Ids for another log: those of this one, and some that it lacks."""
    is_text = isinstance(log.items[0], str)
    new = ["not in the other log", "nor this"] if is_text else [123_456_789, 987_654_321]
    return [*sorted(set(log.items)), *new], object, "text as objects" if is_text else "integers as objects"


ANY_MODEL = st.one_of(models(), models(), st.sampled_from(BASELINES).map(lambda kind: kind()))


def rows_of_scores(model, items, times) -> torch.Tensor:
    """``(P, N)`` float64 of one session."""
    blocks = model.scores(np.asarray(items), np.array([0, len(items)]), np.asarray(times))
    return torch.cat([torch.as_tensor(block).double() for block in blocks])


@examples(100)
@given(log=logs(trainable=True), model=ANY_MODEL, data=st.data(), wrap=st.just(as_it_is))
def test_a_stream_a_batch_and_a_list_agree_and_the_future_changes_nothing(log, model, data, wrap):
    model.fit(log.frame, **({"progress": False} if isinstance(model, GRU4Rec) else {}))
    test = data.draw(logs(items=_ids_of(log), trainable=True))
    rows = max(test.sessions.values(), key=len)
    clicked, given_times = [test.items[row] for row in rows], [test.frame["Time"].iloc[row] for row in rows]
    seconds = np.array([test.rows[row][2] for row in rows])
    place = model.items.get_indexer(pd.Index(clicked, dtype=object))
    scores = rows_of_scores(wrap(model), place, seconds)
    stream = model.stream()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown items are named
        for position, item in enumerate(clicked[:-1]):
            stream.click(item, given_times[position])
            in_list = model.recommend(clicked[: position + 1], len(model.items), times=given_times[: position + 1])
            for found in (stream.recommend(len(model.items)), in_list):
                by_item = found.set_index("ItemId")["score"].reindex(model.items).to_numpy()
                assert by_item == pytest.approx(scores[position].numpy(), rel=1e-4, abs=1e-5)
    for position in range(1, len(clicked)):  # other clicks from here on
        others = (place[position:] + 1) % len(model.items)
        changed = rows_of_scores(wrap(model), [*place[:position], *others], seconds)
        assert_close(changed[:position], scores[:position], rtol=1e-4, atol=1e-5)


@examples(5)
@given(bad=no_unicode)
def test_a_history_that_is_no_unicode_is_refused_by_name(bad):
    model = baselines.Pop().fit(pd.DataFrame({"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": [1, 2]}))
    for name, arguments in (("history", (["a", bad],)), ("exclude", (["a"], 1, None, [bad]))):
        with pytest.raises(ValueError, match=f"{name}.*must be Unicode text"):
            model.recommend(*arguments)


@examples(25)
@given(**TRAINING, data=st.data())
def test_training_in_two_parts_is_training_in_one(log, model, data):
    valid = data.draw(logs(items=_ids_of(log), trainable=True))
    known = any(target in log.items for _, target in valid.pairs())  # else no epoch is the best
    more = {"valid": valid.frame, "keep_best": known and data.draw(st.sampled_from([True, False])), "progress": False}
    event(f"the best epoch is kept: {more['keep_best']}")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing in the validation log may be known
        model.fit(log.frame, checkpoint=Path(folder) / "checkpoint", **more)
        resumed = replace(model, n_epochs=2).fit(log.frame, checkpoint=Path(folder) / "checkpoint", resume=True, **more)
        whole = replace(model, n_epochs=2).fit(log.frame, **more)
    assert_frame_equal(
        resumed.history.drop(columns="clicks_per_s"), whole.history.drop(columns="clicks_per_s"), check_exact=True
    )
    for name, tensor in whole.network.state_dict().items():
        assert_same_bits(resumed.network.state_dict()[name], tensor)


@examples(30)
@given(**TRAINING)
def test_a_saved_model_is_the_same_model(log, model):
    model.fit(log.frame, progress=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        again = GRU4Rec.load(path)
    assert again.items.tolist() == model.items.tolist()
    encoded = clicks.encode(log.frame, again.items)
    assert_same_bits(*(all_scores(m, encoded.items, encoded.offsets) for m in (again, model)))
    assert again.recommend(log.items).to_dict() == model.recommend(log.items).to_dict()


@examples(30)
@given(**TRAINING)
def test_a_step_has_the_same_shapes_on_a_device_that_has_nothing_but_shapes(log, model):
    encoded, meta = clicks.encode(log.frame), torch.device("meta")
    shapes = []
    for device in (torch.device("cpu"), meta):
        network = Network(
            len(encoded.index), model.layers, model.cell, model.embedding, model.embedding_size,
            model._output, model.elu, model.dropout_embed, model.dropout_hidden,
        ).to(device)  # fmt: skip
        optimiser = Adagrad(dict(network.named_parameters()), model.learning_rate, model.momentum)
        sampler = NegativeSampler(torch.from_numpy(encoded.support), model.n_samples, model.sample_alpha, device)
        plan = SessionParallel(encoded.items, encoded.offsets, model.batch_size, device)
        state, found = network.zeros(int(plan.widths[0])), []
        for step in plan:
            loss, state = training.train_step(
                network, optimiser, losses.LOSSES[model.loss], step, sampler.draw(1)[0], state, sampler, model._logq
            )
            assert {t.device for t in (loss, *state, *step)} == {device}
            found.append((loss.shape, loss.dtype, [(s.shape, s.dtype) for s in state]))
        shapes.append(found)
    assert shapes[0] == shapes[1]


OTHER_DEVICE = find_device("auto").type


@pytest.mark.skipif(OTHER_DEVICE == "cpu", reason="this machine has no accelerator")
@examples(20)
@given(log=logs(trainable=True), loss=st.sampled_from(list(losses.LOSSES)), seed=st.integers(0, 3))
def test_another_device_changes_no_result_beyond_rounding(log, loss, seed):
    """Without random numbers after the first weights: each device has its own."""
    encoded, scores = clicks.encode(log.frame), []
    for device in ("cpu", OTHER_DEVICE):
        model = GRU4Rec(
            layers=(4,), loss=loss, batch_size=3, n_samples=0, dropout_hidden=0.0, n_epochs=1, seed=seed, device=device
        )
        model.fit(log.frame, progress=False)
        scores.append(all_scores(model, encoded.items, encoded.offsets).cpu())
    assert_close(*scores, rtol=1e-3, atol=1e-4)


# --- what is broken is found out


def plan_of(broken):
    return lambda items, offsets, batch_size: broken(SessionParallel(items, offsets, batch_size))


def instead_of(name: str, broken) -> dict:
    return {"loss": name, "equations": {name: broken}, "drawn": score_matrices()}


def standard_always(scores, targets, ties):
    return metrics.rank_of_target(scores, targets, "standard")


def any_order_of_equals(scores, k):
    return scores.topk(min(k, scores.shape[1]), dim=1)


def rolled(probability):
    keep, alias = alias_table(probability)
    return keep, alias.roll(1)


def clicks_lost_by_label(frame, **filters):
    """B16: what is to go is found by row, and dropped by label."""
    numbered = frame.reset_index(drop=True).assign(row=range(len(frame)))
    lost = np.delete(np.arange(len(frame)), quiet(numbered, **filters)["row"])
    return clicks.check(frame).set_axis(frame.index).drop(index=frame.index[lost])


OF_STEPS = (test_every_step_goes_on_where_its_lanes_were, STEPS)
OF_LOSSES = (test_scores_up_to_1e4_give_the_equations_numbers_and_finite_gradients, {})
OF_VISITS = (test_visits_end_where_a_user_pauses_longer_than_the_gap, {"log": logs(), **A_PAUSE})
OF_EVALUATION = (test_an_evaluation_is_the_loop_over_sessions_and_clicks, TABLES)
OF_SCORES = (test_blocks_order_and_company_of_sessions_change_no_score, {**TRAINING, "data": st.data()})
OF_STREAMS = (
    test_a_stream_a_batch_and_a_list_agree_and_the_future_changes_nothing,
    {**TRAINING, "data": st.data()},
)
OF_NEGATIVES = (
    test_a_negative_is_any_candidate_that_is_another_item,
    {"candidates": candidates_of_lanes, "lanes": st.integers(1, 9)},
)

BROKEN = {
    "B1 in an evaluation": (*OF_EVALUATION, {"wrap": broken_evaluation.StateNotReset}),
    "B1 in scores": (*OF_SCORES, {"wrap": broken_evaluation.StateNotReset}),
    "B2": (*OF_STEPS, {"make": plan_of(broken_batching.reset_mask_reapplied)}),
    "B3": (*OF_STEPS, {"make": plan_of(broken_batching.tail_dropped)}),
    "B4": (*OF_LOSSES, instead_of("cross-entropy", broken_losses.cross_entropy_of_softmax)),
    "B5": (*OF_LOSSES, instead_of("bpr-max", broken_losses.bpr_max_of_the_matrix)),
    "B5, the target in the softmax": (*OF_LOSSES, instead_of("bpr-max", broken_losses.bpr_max_with_target)),
    "B9, an unknown click is fed": (*OF_EVALUATION, {"wrap": broken_evaluation.UnknownBecomesAnItem}),
    "B10": (*OF_LOSSES, instead_of("bpr-max", broken_losses.unguarded_bpr_max)),
    "B12": (*OF_LOSSES, instead_of("top1", broken_losses.top1_with_target)),
    "B13": (*OF_LOSSES, instead_of("bpr", broken_losses.bpr_with_target)),
    "B13 among negatives": (*OF_NEGATIVES, {"negatives": broken_sampling.negatives_with_target}),
    "B16": (test_row_labels_mean_nothing, ROWS, {"prepare": clicks_lost_by_label}),
    "B17, stops": (*OF_STEPS, {"make": plan_of(broken_batching.stops_at_one_lane)}),
    "B17, fails": (*OF_STEPS, {"make": broken_batching.needs_a_full_batch}),
    "B18": (*OF_LOSSES, instead_of("cross-entropy", broken_losses.saturated_cross_entropy)),
    "B19": (*OF_LOSSES, instead_of("bpr-max", broken_losses.bpr_max_masked_by_zero)),
    "accidental hits": (*OF_NEGATIVES, {"negatives": broken_sampling.negatives_with_hits}),
    "the next click is seen": (*OF_STREAMS, {"wrap": broken_evaluation.LooksAhead}),
    "rows taken to be in order": (
        test_the_order_of_rows_means_nothing_but_for_equal_times,
        ROWS,
        {"encode": broken_data.encode_in_order_of_rows, "prepare": quiet},
    ),
    "a pause of the gap splits": (*OF_VISITS, {"sessionise": broken_data.sessionise_at_the_gap}),
    "visits of two users": (*OF_VISITS, {"sessionise": broken_data.sessionise_without_users}),
    "one tie rule for all": (test_a_rank_is_the_place_in_the_sorted_list, RANKINGS, {"rank": standard_always}),
    "equal scores in any order": (
        test_the_largest_are_those_of_a_whole_stable_sort,
        {"drawn": rankings(), "k": st.integers(1, 15), "nan": st.booleans()},
        {"largest": any_order_of_equals},
    ),
    "an alias table turned by one": (
        test_the_alias_table_is_the_distribution,
        {"support": supports, "alpha": alphas},
        {"table": rolled},
    ),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_variant_is_refuted(name):
    test, strategies, broken = BROKEN[name]
    refuted(test, IndexError if name == "B17, fails" else AssertionError, **strategies, **broken)
