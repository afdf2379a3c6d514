"""The exercises: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import shaken
import torch
from helpers import said

from gru4rec_lite import exercises, solutions
from gru4rec_lite.exercises.feedback import UNANSWERED

EMPTY = {
    exercises.batching_widths: (None,),
    exercises.batching_waste: (lambda lengths, batch_size: None,),
    exercises.batching_carry: (lambda state, lanes, resets: None,),
    exercises.training_adagrad: (None,),
    exercises.training_rows: (lambda table, acc, rows, grad, lr: None,),
    exercises.training_verdict: (None, None),
}


def difference(low, high):
    return pd.DataFrame({"metric": ["recall", "mrr"], "low": [-1.0, low], "high": [1.0, high]})


SOLVED = {
    exercises.batching_widths: (solutions.widths(),),
    exercises.batching_waste: (solutions.padding_waste,),
    exercises.batching_carry: (solutions.carry,),
    exercises.training_adagrad: (solutions.adagrad_moves(),),
    exercises.training_rows: (solutions.update_rows,),
    exercises.training_verdict: (difference(0.1, 0.2), "better"),
}


def test_every_exercise_is_tried():
    tests = "".join(path.read_text("utf8") for path in Path(__file__).parent.glob("test_exercises*.py"))
    assert not [name for name in exercises.__all__ if f"exercises.{name}" not in tests]


@pytest.mark.parametrize(("check", "answers"), EMPTY.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_an_empty_answer_is_no_answer(capsys, check, answers):
    assert said(capsys, check, *answers).startswith(UNANSWERED)


@pytest.mark.parametrize(("check", "answers"), SOLVED.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_the_solution_is_right(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Right")


def waste_of_clicks(lengths, batch_size):
    return solutions.padding_waste([n + 1 for n in lengths], batch_size)


def waste_of_full_batches(lengths, batch_size):
    steps = [n - 1 for n in lengths if n > 1]
    batches = [steps[i : i + batch_size] for i in range(0, len(steps), batch_size)]
    return 1 - sum(steps) / sum(batch_size * max(b) for b in batches)


def waste_with_one_click_sessions(lengths, batch_size):
    steps = [n - 1 for n in lengths]
    batches = [steps[i : i + batch_size] for i in range(0, len(steps), batch_size)]
    return 1 - sum(steps) / sum(len(b) * max(b) for b in batches)


def clears_first(state, lanes, resets):
    cleared = state.clone()
    cleared[: len(resets)][resets] = 0
    return cleared[lanes]


def changes_its_input(state, lanes, resets):
    state[1] = 0
    return state[lanes]


def squares_one_by_one(table, acc, rows, grad, lr):
    for row, g in zip(rows, grad, strict=True):
        acc[row] += g**2
        table[row] -= lr * g / (acc[row] + 1e-6).sqrt()


def plain_assignment(table, acc, rows, grad, lr):
    acc[rows] += grad**2
    table[rows] -= lr * grad / (acc[rows] + 1e-6).sqrt()


def decays_every_row(table, acc, rows, grad, lr):
    solutions.update_rows(table, acc, rows, grad, lr)
    acc *= 0.9


def divides_before(table, acc, rows, grad, lr):
    for row in rows.unique():
        total = grad[rows == row].sum(dim=0)
        table[row] -= lr * total / (acc[row] + 1e-6).sqrt()
        acc[row] += total**2


def waste_of_all(lengths, batch_size):
    steps = [n - 1 for n in lengths if n > 1]
    return 1 - sum(steps) / (len(steps) * max(steps))


WRONG = [
    (exercises.batching_waste, (waste_of_all,), "padded all mini-batches alike"),
    (exercises.batching_widths, (11,), "a list with the width"),
    (exercises.batching_waste, (lambda lengths, b: "much",), "one number"),
    (exercises.batching_carry, (lambda state, lanes, resets: [1],), "a tensor"),
    (exercises.training_adagrad, (-0.1,), "two numbers"),
    (exercises.training_adagrad, ([-0.1, -0.08, -0.06],), "two numbers"),
    (exercises.training_verdict, (difference(0.1, 0.2), 3), "a word"),
    (exercises.batching_widths, ([2, 2, 2, 2, 2, 2, 2, 2],), "L - 1 pairs"),
    (exercises.batching_widths, ([2, 2, 2, 2, 2],), "narrower one"),
    (exercises.batching_widths, ([2, 2, 2, 2, 2, 2],), "leaves a narrower"),
    (exercises.batching_widths, ([2, 1],), "3 pairs"),
    (exercises.batching_waste, (lambda lengths, b: 1 - solutions.padding_waste(lengths, b),), "one minus"),
    (exercises.batching_waste, (waste_of_clicks,), "counted clicks"),
    (exercises.batching_waste, (waste_of_full_batches,), "may be narrower"),
    (exercises.batching_waste, (waste_with_one_click_sessions,), "no pair at all"),
    (exercises.batching_waste, (lambda lengths, b: 1 / 0,), "ZeroDivisionError"),
    (exercises.batching_carry, (lambda state, lanes, resets: state[lanes],), "still has the state"),
    (exercises.batching_carry, (lambda state, lanes, resets: state,), r"\(3, 2\), yours is \(4, 2\)"),
    (exercises.batching_carry, (clears_first,), "move the rows first"),
    (exercises.batching_carry, (lambda s, lanes, r: s[lanes].masked_fill(~r[:, None], 0),), "kept the one that starts"),
    (exercises.batching_carry, (changes_its_input,), "changed the state it was given"),
    (exercises.batching_carry, (lambda state, lanes, resets: state[lanes] + 1,), "expected"),
    (exercises.batching_carry, (lambda state, lanes, resets: undefined,), "NameError"),  # noqa: F821
    (exercises.training_adagrad, ([0.1, 0.08],), "against its gradient"),
    (exercises.training_adagrad, ([-0.3, -0.4],), "plain gradient descent"),
    (exercises.training_adagrad, ([-0.1, -0.1],), "both gradients"),
    (exercises.training_adagrad, ([-1, -2],), "Not quite"),
    (exercises.training_rows, (squares_one_by_one,), "one by one"),
    (exercises.training_rows, (plain_assignment,), "only one of its gradients"),
    (exercises.training_rows, (decays_every_row,), "must stay as they are"),
    (exercises.training_rows, (divides_before,), "Accumulate first"),
    (exercises.training_rows, (lambda table, acc, rows, grad, lr: undefined,), "NameError"),  # noqa: F821
    (exercises.training_verdict, (difference(-0.1, 0.2), "better"), "holds 0"),
    (exercises.training_verdict, (difference(0.1, 0.2), "worse"), "on one side of 0"),
    (exercises.training_verdict, (pd.DataFrame({"a": [1]}), "better"), "g4r.compare"),
]


@pytest.mark.parametrize(("check", "answers", "named"), WRONG)
def test_a_misconception_is_named(capsys, check, answers, named):
    answer = said(capsys, check, *answers)
    assert not answer.startswith("Right")
    assert re.search(named, answer), answer


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(-0.2, -0.1, "worse"), (-0.1, 0.1, "cannot tell"), (0.1, 0.2, "Better ")]
)
def test_the_verdict_follows_the_interval(capsys, low, high, verdict):
    assert said(capsys, exercises.training_verdict, difference(low, high), verdict).startswith("Right")


def test_the_solution_of_chapter_6_is_what_training_does():
    state, lanes = torch.rand(4, 3), torch.tensor([1, 3])
    resets = torch.tensor([True, False])
    assert torch.equal(solutions.carry(state, lanes, resets), torch.stack([torch.zeros(3), state[3]]))


@pytest.mark.skipif(not hasattr(torch.library, "get_kernel"), reason="this PyTorch does not hand out its own kernels")
def test_a_state_that_is_moved_by_a_product_is_right_on_every_machine(capsys):
    def by_product(state, lanes, resets):
        return (torch.eye(len(state))[lanes] @ state) * ~resets[:, None]

    with shaken.shaken(seed=1):
        assert said(capsys, exercises.batching_carry, by_product).startswith("Right")
    in_float64 = said(capsys, exercises.batching_carry, lambda *case: solutions.carry(*case).double())
    assert in_float64.startswith("Right")
