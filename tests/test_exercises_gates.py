"""The exercises of chapter 4: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import math
import re

import pytest
import torch
from helpers import said
from torch.testing import assert_close

from gru4rec_lite import exercises, solutions
from gru4rec_lite.cells import GRUCell
from gru4rec_lite.exercises import gates

CLICK, MINIMAL, BIAS = exercises.gates_click, exercises.gates_minimal, exercises.gates_bias


@pytest.mark.parametrize(("check", "answers"), [(CLICK, (None,)), (MINIMAL, (lambda *case: None,)), (BIAS, (None,))])
def test_an_empty_answer_is_no_answer(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Not answered yet")


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (CLICK, solutions.one_click()),
        (CLICK, [0, -0.45]),
        (MINIMAL, solutions.minimal_unit),
        (BIAS, solutions.keep_bias()),
        (BIAS, 2.5),
        (BIAS, torch.tensor(2.5)),
    ],
)
def test_the_solution_is_right(capsys, check, answer):
    assert said(capsys, check, answer).startswith("Right")


def gate_of(x, h, W, U, b):
    return (x @ W[0].T + h @ U[0].T + b[0]).sigmoid()


def candidate_of(x, h, W, U, b, f):
    return (x @ W[1].T + (f * h) @ U[1].T + b[1]).tanh()


def swapped(x, h, W, U, b):
    f = gate_of(x, h, W, U, b)
    return f * h + (1 - f) * candidate_of(x, h, W, U, b, f)


def swapped_and_after(x, h, W, U, b):
    f = gate_of(x, h, W, U, b)
    return f * h + (1 - f) * (x @ W[1].T + b[1] + f * (h @ U[1].T)).tanh()


def reset_after(x, h, W, U, b):
    f = gate_of(x, h, W, U, b)
    return (1 - f) * h + f * (x @ W[1].T + b[1] + f * (h @ U[1].T)).tanh()


def no_reset(x, h, W, U, b):
    f = gate_of(x, h, W, U, b)
    return (1 - f) * h + f * candidate_of(x, h, W, U, b, 1.0)


def candidate_alone(x, h, W, U, b):
    return candidate_of(x, h, W, U, b, gate_of(x, h, W, U, b))


def tanh_gate(x, h, W, U, b):
    g = (x @ W[0].T + h @ U[0].T + b[0]).tanh()
    return (1 - g) * h + g * candidate_of(x, h, W, U, b, g)


def reset_all(x, h, W, U, b):
    f = gate_of(x, h, W, U, b)
    return (1 - f) * f * h + f * candidate_of(x, h, W, U, b, f)


def in_place(x, h, W, U, b):
    new = solutions.minimal_unit(x, h, W, U, b)
    h.copy_(new)
    return new


WRONG = [
    (CLICK, 0.5, "two numbers"),
    (CLICK, "ab", "two numbers"),
    (CLICK, (-0.45, 0.0), "comes first"),
    (CLICK, (math.tanh(-0.3), -0.523), "must not see all of h"),
    (CLICK, (-0.3, -0.525), "must not see all of h"),
    (CLICK, (math.tanh(0.3), -0.377), "not all of it"),
    (CLICK, (0.9, -0.45), "what is r · h"),
    (CLICK, (0.0, -0.15), "1 - z of h stays"),
    (CLICK, (0.0, -0.225), "from the candidate only"),
    (CLICK, (0.0, 0.7), r"\(1 - z\) · h"),
    (MINIMAL, 7, "TypeError"),
    (MINIMAL, lambda *case: 7, "returns a tensor"),
    (MINIMAL, lambda *case: undefined, "NameError"),  # noqa: F821
    (MINIMAL, lambda x, h, W, U, b: h[0], r"yours is \(5,\)"),
    (MINIMAL, swapped, "f and 1 - f are swapped: f"),
    (MINIMAL, swapped_and_after, "and you reset after"),
    (MINIMAL, reset_after, "another function"),
    (MINIMAL, no_reset, "sees all of h"),
    (MINIMAL, candidate_alone, "the candidate alone"),
    (MINIMAL, tanh_gate, "σ, not tanh"),
    (MINIMAL, reset_all, "hides h from the candidate only"),
    (MINIMAL, in_place, "changed what it was given"),
    (MINIMAL, lambda x, h, *weights: h, "away"),
    (BIAS, "much", "one number"),
    (BIAS, math.nan, "finite"),
    (BIAS, -2.5, "how much .old. is kept"),
    (BIAS, 0, "Too little"),
    (BIAS, 1.0, "Too little"),
    (BIAS, 4, "More than half"),
    (BIAS, 100, "no new click enters"),
]


@pytest.mark.parametrize(("check", "answer", "named"), WRONG)
def test_a_misconception_is_named(capsys, check, answer, named):
    answer = said(capsys, check, answer)
    assert not answer.startswith("Right")
    assert re.search(named, answer), answer


# --- the solutions against the package's cells and closed forms


def test_the_click_is_that_of_the_packages_cell():
    cell = GRUCell(1, 1, reset="before").double()
    third = torch.tensor(1 / 3, dtype=torch.float64).log()  # σ(ln 1/3) = 1/4 = z, σ(0) = 1/2 = r
    cell.load_state_dict({
        "weight_ih": torch.tensor([[0.0], [0.0], [0.3]], dtype=torch.float64),
        "weight_hh": torch.tensor([[0.0], [0.0], [1.0]], dtype=torch.float64),
        "bias_ih": torch.stack((torch.zeros_like(third), third, torch.zeros_like(third))),
    })  # fmt: skip
    new = cell(torch.ones(1, 1).double(), torch.full((1, 1, 1), -0.6).double())
    assert new.item() == pytest.approx(solutions.one_click()[1])


def test_the_minimal_unit_is_the_papers_gru_whose_two_gates_share_their_weights():
    torch.manual_seed(1)
    lanes, n_in, units = 4, 3, 6
    W, U, b = torch.randn(2, units, n_in), torch.randn(2, units, units), torch.randn(2, units)
    cell = GRUCell(n_in, units, reset="before")
    stacked = {"weight_ih": W, "weight_hh": U, "bias_ih": b}
    cell.load_state_dict({name: torch.cat((part[0], part[0], part[1])) for name, part in stacked.items()})
    x, h = torch.randn(lanes, n_in), torch.randn(lanes, units)
    assert_close(solutions.minimal_unit(x, h, W, U, b), cell(x, h.unsqueeze(1))[:, 0])


def test_the_bias_keeps_half_of_the_gradient_where_no_weight_adds_to_it():
    cell = GRUCell(4, 4, reset="after")
    with torch.no_grad():
        cell.weight_hh.zero_()
        cell.bias_ih[4:8] = solutions.keep_bias(clicks_back=7, share=0.3)
    first = state = torch.zeros(1, 1, 4, requires_grad=True)
    for _ in range(7):
        state = cell(torch.zeros(1, 4), state)
    (grad,) = torch.autograd.grad(state.sum(), first)
    assert_close(grad, torch.full_like(grad, 0.3))


def test_the_measured_reach_grows_with_the_bias_and_leaves_the_readers_random_numbers_alone():
    before = torch.get_rng_state()
    reach = [gates._reach(bias) for bias in (-2.0, 0.0, 1.0, 2.0, 3.0, 4.0)]
    assert reach == sorted(reach)
    assert 0 < reach[0] < 0.01 < 0.7 < reach[-1] < 1
    assert torch.equal(torch.get_rng_state(), before)
