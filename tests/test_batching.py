"""Session-parallel batches against lanes played by hand (checks T1, T2; bugs B2, B3, B17)."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gru4rec_lite import batching, solutions
from gru4rec_lite.batching import SessionParallel
from gru4rec_lite.museum import batching as broken

LENGTHS = st.lists(st.integers(0, 9), max_size=25)
LANES = st.integers(1, 8)


def flat(lengths) -> tuple[np.ndarray, np.ndarray]:
    """Clicks numbered 0, 1, 2, … through all sessions, so that a click's number says its session and its place."""
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(int)
    return np.arange(offsets[-1]), offsets


def rows(steps) -> list[tuple[list[int], list[int], list[bool], list[int]]]:
    return [tuple(values.tolist() for values in step) for step in steps]


def played_by_hand(items, offsets, batch_size):
    """The same batches as a person would lay them out: each lane holds what is left of its session."""
    waiting = [items[a:b].tolist() for a, b in pairwise(offsets) if b - a >= 2]
    lanes, waiting = waiting[:batch_size], waiting[batch_size:]
    resets, came_from, steps = [True] * len(lanes), list(range(len(lanes))), []
    while lanes:
        steps.append(([left[0] for left in lanes], [left[1] for left in lanes], resets, came_from))
        after = []  # what is left, whether it is a new session, and the row it had
        for row, left in enumerate(lanes):
            if len(left) > 2:
                after.append((left[1:], False, row))
            elif waiting:
                after.append((waiting.pop(0), True, row))
        lanes, resets, came_from = ([list(column) for column in zip(*after, strict=True)]) if after else ([], [], [])
    return steps


def assert_every_pair_once(steps, items, offsets):
    """T1: what is yielded is what a double loop over the sessions finds, no pair less and none twice."""
    expected = [(items[i], items[i + 1]) for a, b in pairwise(offsets) for i in range(a, b - 1)]
    found = [pair for step in steps for pair in zip(step.inputs.tolist(), step.targets.tolist(), strict=True)]
    assert sorted(found) == expected


def assert_resets_where_sessions_change(steps, offsets):
    """T2: a row is reset if and only if the lane played another session in the step before."""
    session_before = None
    for step in steps:
        session = np.searchsorted(offsets, step.inputs.numpy(), side="right")
        changed = np.ones(len(session), dtype=bool) if session_before is None else session != session_before[step.lanes]
        assert step.resets.tolist() == changed.tolist()
        session_before = session


@settings(max_examples=150, deadline=None)
@given(LENGTHS, LANES)
def test_the_plan_is_the_one_played_by_hand(lengths, batch_size):
    items, offsets = flat(lengths)
    plan = SessionParallel(items, offsets, batch_size)
    by_hand = played_by_hand(items, offsets, batch_size)
    assert rows(plan) == by_hand
    assert len(plan) == len(by_hand)
    assert plan.widths.tolist() == [len(inputs) for inputs, *_ in by_hand]


def test_three_sessions_in_two_lanes_as_in_the_book():
    # a b c | d e | f g h    lane 0 plays abc, lane 1 plays de and then fgh
    plan = SessionParallel([0, 1, 2, 3, 4, 5, 6, 7], [0, 3, 5, 8], batch_size=2)
    assert rows(plan) == [
        ([0, 3], [1, 4], [True, True], [0, 1]),
        ([1, 5], [2, 6], [False, True], [0, 1]),
        ([6], [7], [False], [1]),  # lane 0 has ended: what was row 1 is now row 0
    ]


@pytest.mark.parametrize("batch_size", [1, 2, 7, 32])
@pytest.mark.parametrize("sessions", ["1", "B - 1", "B", "B + 1", "5 * B"])
def test_every_pair_of_every_session_comes_once(batch_size, sessions):
    n = eval(sessions, {"B": batch_size})
    items, offsets = flat(np.random.default_rng(n).integers(2, 9, n))
    assert_every_pair_once(SessionParallel(items, offsets, batch_size), items, offsets)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=25), st.integers(2, 4))
def test_a_row_is_reset_only_where_a_session_starts(lengths, batch_size):
    items, offsets = flat(lengths)
    assert_resets_where_sessions_change(SessionParallel(items, offsets, batch_size), offsets)


@settings(max_examples=80, deadline=None)
@given(LENGTHS, LANES)
def test_a_state_carried_by_lanes_and_resets_holds_its_own_session_and_nothing_else(lengths, batch_size):
    items, offsets = flat(lengths)
    state = [[] for _ in range(batch_size)]  # the clicks that each lane remembers
    for step in SessionParallel(items, offsets, batch_size):
        carried = zip(step.inputs.tolist(), step.resets.tolist(), step.lanes.tolist(), strict=True)
        state = [[click] if reset else [*state[lane], click] for click, reset, lane in carried]
        for remembered, click in zip(state, step.inputs.tolist(), strict=True):
            first = offsets[np.searchsorted(offsets, click, side="right") - 1]
            assert remembered == list(range(first, click + 1))


def test_sessions_start_in_the_order_of_the_log():
    items, offsets = flat(np.random.default_rng(1).integers(2, 12, 50))
    started = [click for step in SessionParallel(items, offsets, 7) for click in step.inputs[step.resets].tolist()]
    assert started == sorted(started)


def test_items_not_positions_are_yielded():
    plan = SessionParallel([7, 7, 3, 7], [0, 2, 4], batch_size=2)
    assert rows(plan) == [([7, 3], [7, 7], [True, True], [0, 1])]


def test_sessions_of_one_click_yield_nothing():
    assert rows(SessionParallel([5, 1, 2, 6], [0, 1, 3, 4], 2)) == [([1], [2], [True], [0])]
    assert rows(SessionParallel([5, 6], [0, 1, 2], 2)) == []


@pytest.mark.parametrize("offsets", [[0], [0, 0], [0, 0, 0]])
def test_an_empty_log_has_no_step(offsets):
    plan = SessionParallel([], offsets, 32)
    assert len(plan) == 0
    assert list(plan) == []


def test_more_lanes_than_sessions_give_narrower_steps():
    items, offsets = flat([2, 4, 3])
    wide, fitting = SessionParallel(items, offsets, 1000), SessionParallel(items, offsets, 3)
    assert rows(wide) == rows(fitting)
    assert wide.widths.tolist() == [3, 2, 1]


def test_no_step_is_narrower_than_it_must_be():
    # one long session among short ones: as long as sessions wait, all lanes are busy
    items, offsets = flat([50] + [2] * (4 * 49))
    assert SessionParallel(items, offsets, 5).widths.tolist() == [5] * 49


@pytest.mark.parametrize("size", [1, 12, 13, 40])
def test_chunks_change_no_step(monkeypatch, size):
    items, offsets = flat(np.random.default_rng(3).integers(1, 9, 40))
    plan = SessionParallel(items, offsets, 6)
    whole = rows(plan)
    monkeypatch.setattr(batching, "CHUNK", size)
    assert rows(plan) == whole == played_by_hand(items, offsets, 6)


@pytest.mark.parametrize("at_once", [1, 7, 10**6])
@pytest.mark.parametrize("batch_size", [3, 64, 300])
def test_many_lanes_that_end_together_are_those_played_by_hand(monkeypatch, batch_size, at_once):
    items, offsets = flat(1 + np.random.default_rng(batch_size).geometric(0.4, 1500))
    monkeypatch.setattr(batching, "SESSIONS_AT_ONCE", at_once)
    assert rows(SessionParallel(items, offsets, batch_size)) == played_by_hand(items, offsets, batch_size)


@pytest.mark.parametrize("size", [1, 50, 10**6])
def test_a_chunk_is_a_rectangle_of_steps(monkeypatch, size):
    monkeypatch.setattr(batching, "CHUNK", size)
    items, offsets = flat(np.random.default_rng(4).integers(1, 9, 60))
    plan, steps = SessionParallel(items, offsets, 6), []
    for inputs, targets, resets, lanes in plan.chunks():
        assert inputs.is_contiguous()
        assert len(inputs) == 1 or inputs.numel() <= size
        for t in range(len(inputs)):
            moved = lanes if t == 0 else torch.arange(inputs.shape[1])
            steps.append(tuple(values.tolist() for values in (inputs[t], targets[t], resets[t], moved)))
    assert steps == rows(plan)


def test_at_full_width_nothing_moves_and_nothing_is_made_to_say_so(monkeypatch):
    monkeypatch.setattr(batching, "CHUNK", 20)
    plan = SessionParallel(*flat(np.random.default_rng(5).integers(2, 9, 60)), 6)
    full = [step for step in plan if len(step.inputs) == plan.widths[0]]
    assert len(full) > 20
    assert {id(step.lanes) for step in full} == {id(full[0].lanes)}


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.int64])
def test_item_numbers_may_have_any_size(dtype):
    items, offsets = flat([3, 5, 2, 4])
    assert rows(SessionParallel(items.astype(dtype), offsets, 2)) == played_by_hand(items, offsets, 2)
    assert {step.inputs.dtype for step in SessionParallel(items.astype(dtype), offsets, 2)} == {torch.int64}


@pytest.mark.parametrize("n", [20_000, 80_000])
def test_a_plan_holds_few_bytes_a_session(n):
    lengths = 1 + np.random.default_rng(0).geometric(1 / 3, n)
    items, offsets = flat(lengths)
    tracemalloc.start()
    plan = SessionParallel(items, offsets, 32)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 24 * n + 8 * len(plan)


def test_a_plan_can_be_played_again():
    plan = SessionParallel(*flat([3, 5, 2, 4]), 2)
    assert rows(plan) == rows(plan)


def test_steps_are_made_on_the_device_asked_for():
    items, offsets = flat([3, 5, 2, 4, 9])
    on_cpu, on_meta = (list(SessionParallel(items, offsets, 3, device)) for device in ("cpu", "meta"))
    for real, shape_only in zip(on_cpu, on_meta, strict=True):
        assert {tensor.device.type for tensor in shape_only} == {"meta"}
        assert [(t.shape, t.dtype) for t in shape_only] == [(t.shape, t.dtype) for t in real]


def test_the_tensors_have_the_documented_types():
    step = next(iter(SessionParallel(*flat([3, 3]), 2)))
    assert [t.dtype for t in step] == [torch.int64, torch.int64, torch.bool, torch.int64]


@pytest.mark.parametrize("batch_size", [0, -1, 2.5])
def test_a_batch_needs_a_lane(batch_size):
    with pytest.raises(ValueError, match=f"batch_size={batch_size}: must be a whole number of at least 1"):
        SessionParallel(*flat([3]), batch_size)


def test_writing_into_a_step_does_not_change_the_plan():
    plan = SessionParallel(*flat([3, 4]), 2)
    before = rows(plan)
    for step in plan:
        step.inputs.zero_()
        step.resets.fill_(True)
    assert rows(plan) == before


# the bugs that these checks exist for


@pytest.mark.parametrize("bug", [broken.tail_dropped, broken.stops_at_one_lane])
def test_the_pair_check_catches_lost_pairs_B3_B17(bug):
    items, offsets = flat([2, 6, 3, 4, 5])
    with pytest.raises(AssertionError):
        assert_every_pair_once(bug(SessionParallel(items, offsets, 3)), items, offsets)


def test_a_batch_as_small_as_the_log_hides_the_index_error_B17():
    items, offsets = flat([3, 4])
    assert_every_pair_once(broken.needs_a_full_batch(items, offsets, 2), items, offsets)
    with pytest.raises(IndexError):
        list(broken.needs_a_full_batch(items, offsets, 3))


def test_the_dropped_tail_is_less_than_one_session_a_lane_B3():
    items, offsets = flat(np.random.default_rng(0).integers(2, 9, 60))
    plan = SessionParallel(items, offsets, 8)
    kept = {int(target) for step in broken.tail_dropped(plan) for target in step.targets}
    unfinished = [b for a, b in pairwise(offsets) if b - 1 not in kept]
    assert 0 < len(unfinished) < 8


@pytest.mark.parametrize("batch_size", [2, 3, 4])
def test_the_reset_check_catches_the_stale_mask_B2(batch_size):
    items, offsets = flat(np.random.default_rng(batch_size).integers(2, 31, 20))
    plan = SessionParallel(items, offsets, batch_size)
    with pytest.raises(AssertionError):
        assert_resets_where_sessions_change(broken.reset_mask_reapplied(plan), offsets)


def test_the_stale_mask_hides_in_wide_batches_B2():
    items, offsets = flat(np.random.default_rng(0).geometric(0.2, 2000) + 1)

    def share_of_resets_that_hit_a_running_session(batch_size):
        plan = SessionParallel(items, offsets, batch_size)
        wrong, all_resets = 0, 0
        for right, bug in zip(plan, broken.reset_mask_reapplied(plan), strict=True):
            wrong += int((bug.resets & ~right.resets).sum())
            all_resets += int(bug.resets.sum())
        return wrong / all_resets

    assert share_of_resets_that_hit_a_running_session(4) > 0.3
    assert share_of_resets_that_hit_a_running_session(32) < 0.02


# padding, the usual way


@settings(max_examples=80, deadline=None)
@given(LENGTHS, LANES)
def test_padding_holds_the_same_pairs_among_cells_that_are_not_real(lengths, batch_size):
    items, offsets = flat(lengths)
    playable = [(a, b) for a, b in pairwise(offsets) if b - a >= 2]
    batches = list(batching.padded(items, offsets, batch_size))
    assert len(batches) == -(-len(playable) // batch_size)
    for number, (inputs, targets, real) in enumerate(batches):
        sessions = playable[number * batch_size : (number + 1) * batch_size]
        assert inputs.shape == targets.shape == real.shape == (len(sessions), max(b - a - 1 for a, b in sessions))
        for row, (a, b) in enumerate(sessions):
            assert inputs[row][real[row]].tolist() == list(range(a, b - 1))
            assert targets[row][real[row]].tolist() == list(range(a + 1, b))
            assert real[row].tolist() == sorted(real[row].tolist(), reverse=True)  # padding stands at the end
        assert not inputs[~real].any()
        assert not targets[~real].any()


@pytest.mark.parametrize("batch_size", [1, 2, 7, 32])
def test_padding_wastes_what_the_padded_tensors_show(batch_size):
    lengths = np.random.default_rng(batch_size).integers(1, 9, size=30)
    offsets = np.concatenate(([0], lengths.cumsum()))
    real = [cells for _, _, cells in batching.padded(np.zeros(offsets[-1], dtype=int), offsets, batch_size)]
    cells, pairs = sum(r.numel() for r in real), sum(int(r.sum()) for r in real)
    assert batching.padding_waste(lengths, batch_size) == pytest.approx(1 - pairs / cells)
    assert batching.padding_waste(lengths, batch_size) == pytest.approx(
        solutions.padding_waste(lengths.tolist(), batch_size)
    )


# what is refused, and what is not


@pytest.mark.parametrize("dtype", [np.uint16, np.uint64, np.int32])
def test_offsets_may_be_integers_of_any_kind(dtype):
    items, offsets = flat([3, 0, 5, 1, 2, 0, 4])  # without a sign 0 - 1 is the largest number of all
    given = offsets.astype(dtype)
    assert rows(SessionParallel(items, given, 2)) == played_by_hand(items, offsets, 2)
    assert [real.sum().item() for *_, real in batching.padded(items, given, 2)] == [2 + 4, 1 + 3]


def test_sessions_of_no_click_waste_nothing():
    assert batching.padding_waste([0, 3, 1, 5, 0], 2) == batching.padding_waste([3, 5], 2) == 0.25


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SessionParallel([1, 2], [0, 2], 1, "moon"), "device='moon': must be 'cpu' or a device that is here"),
        (
            lambda: SessionParallel([1, 2], [0, 3], 1),
            r"offsets=\[0, 3\]: must be where each session begins, and the end",
        ),
        (lambda: SessionParallel([0.5, 2], [0, 2], 1), "items=.+: must be integers in one row"),
        (lambda: next(batching.padded([1, 2], [0, 2], 0)), "batch_size=0: must be a whole number of at least 1"),
        (lambda: next(batching.padded([1, 2], [0, 3], 1)), r"offsets=\[0, 3\]: must be where each session begins"),
        (lambda: batching.padding_waste([2], 0), "batch_size=0: must be a whole number of at least 1"),
        (lambda: batching.padding_waste([2, -1], 1), r"lengths\[1\]=-1: must be at least 0; clicks of each session"),
    ],
)
def test_an_argument_that_makes_no_batches_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
