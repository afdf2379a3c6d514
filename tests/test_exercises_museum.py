"""The exercises of chapter 16: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from helpers import catches, said

from gru4rec_lite import batching, exercises, losses, museum, solutions
from gru4rec_lite.museum.batching import reset_mask_reapplied, tail_dropped

ORDER, CATCH, BATCHER = exercises.museum_order, exercises.museum_catch, exercises.museum_batcher
OURS = batching.SessionParallel


@pytest.mark.parametrize(("check", "answer"), [(ORDER, None), (CATCH, lambda loss: None), (BATCHER, lambda *log: None)])
def test_an_empty_answer_is_no_answer(capsys, check, answer):
    assert said(capsys, check, answer).startswith("Not answered yet")


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (ORDER, solutions.from_loud_to_flattering()),
        (ORDER, ("b17", "b5", "b1", "b2", "b15")),
        (CATCH, solutions.lanes_are_alone),
        (BATCHER, solutions.lanes_from_a_queue),
        (BATCHER, OURS),
        (BATCHER, batching.padded),
    ],
)
def test_the_solution_is_right(capsys, check, answer):
    assert said(capsys, check, answer).startswith("Right")


def perfect_costs_nothing(loss):
    perfect = 30 * torch.eye(4, 9)
    assert loss(perfect, perfect == 0).max() < 1e-6


def never_the_same(loss):
    assert loss(torch.randn(3, 5), ~torch.eye(3, 5, dtype=torch.bool))[0] < 0.1


def no_name_of_torch(loss):
    torch.softmaxx(torch.ones(2))


def a_verdict(loss):
    scores, own = torch.arange(12.0).reshape(3, 4), torch.eye(3, 4, dtype=torch.bool)
    return bool(torch.allclose(loss(scores, ~own), F.cross_entropy(scores, torch.arange(3))))


def one_row_at_a_time(*log):
    for step in OURS(*log):
        yield from zip(*(part[:, None] for part in step[:3]), strict=True)


def resets_forgotten(*log):
    return [step._replace(resets=torch.zeros_like(step.resets)) for step in OURS(*log)]


def lanes_mixed_up(*log):
    return [step._replace(lanes=step.lanes.flip(0)) for step in OURS(*log)]


WRONG = [
    (ORDER, "B17", "each of"),
    (ORDER, 17, "a list of five"),
    (ORDER, ["B17", "B5", "B1", "B2"], "each of"),
    (ORDER, ["B17", "B5", "B1", "B2", "B2"], "each of"),
    (ORDER, ["B15", "B2", "B1", "B5", "B17"], "from the end"),
    (ORDER, ["B15", "B17", "B5", "B1", "B2"], "raises"),
    (ORDER, ["B17", "B2", "B5", "B1", "B15"], "128 lanes"),
    (ORDER, ["B17", "B1", "B5", "B2", "B15"], "an odd loss"),
    (ORDER, ["B5", "B17", "B1", "B2", "B15"], "an exception"),
    (CATCH, None, "TypeError"),
    (CATCH, perfect_costs_nothing, "other lanes other scores"),
    (CATCH, never_the_same, "fails on our own"),
    (CATCH, no_name_of_torch, "a crash proves nothing"),
    (CATCH, a_verdict, "Use `assert`"),
    (BATCHER, "mine", "a function make"),
    (BATCHER, lambda *log: tail_dropped(OURS(*log)), "no session is left to start"),
    (BATCHER, lambda *log: reset_mask_reapplied(OURS(*log)), "the one step that starts"),
    (BATCHER, resets_forgotten, "the one step that starts"),
    (BATCHER, lanes_mixed_up, "which row"),
    (BATCHER, one_row_at_a_time, "Not quite"),
    (BATCHER, lambda *log: [undefined], "NameError"),  # noqa: F821
]


@pytest.mark.parametrize(("check", "answer", "named"), WRONG)
def test_a_misconception_is_named(capsys, check, answer, named):
    said_of_it = said(capsys, check, answer)
    assert not said_of_it.startswith("Right")
    assert re.search(named, said_of_it), said_of_it


def test_the_order_is_of_exhibits_that_exist():
    assert set(solutions.from_loud_to_flattering()) <= set(museum.EXHIBITS)


def test_the_mystery_is_wrong_and_hides_where_the_museums_checks_look():
    perfect_costs_nothing(losses.cross_entropy)
    perfect_costs_nothing(exercises.museum_mystery)
    solutions.lanes_are_alone(losses.cross_entropy)
    catches(solutions.lanes_are_alone, exercises.museum_mystery)


def test_the_mystery_is_a_softmax_along_the_lanes():
    scores = torch.randn(3, 5, dtype=torch.float64)
    expected = F.cross_entropy(scores[:, :3].T, torch.arange(3), reduction="none")
    torch.testing.assert_close(exercises.museum_mystery(scores, ~torch.eye(3, 5, dtype=torch.bool)), expected)
