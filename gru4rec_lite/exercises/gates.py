"""Exercises of chapter 4."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .. import solutions
from ..cells import GRUCell
from .feedback import UNANSWERED, answer_is

X, H, U, R, Z = 0.3, -0.6, 1.0, 0.5, 0.25  # of exercise 1: what the click says (W x + b), state, weight, gates
UNITS, CLICKS, SESSIONS = 100, 10, 50  # of exercise 3


@answer_is("two numbers, the candidate and the new state")
def gates_click(answer: tuple[float, float] | None) -> None:
    """Chapter 4, exercise 1: one click of a GRU of one unit."""
    if answer is None:
        return print(UNANSWERED)
    candidate, state = (float(number) for number in answer)
    right = solutions.one_click()
    if np.allclose([candidate, state], right, atol=2e-3):
        return print("Right: the candidate is 0, half of h cancels the click; three quarters of h stay.")
    if np.allclose([state, candidate], right, atol=2e-3):
        return print("Not quite: the candidate comes first, then the new state.")
    if np.isclose(candidate, math.tanh(X + U * H), atol=1e-2):
        return print("Not quite: the candidate must not see all of h, only r · h = -0.3 of it.")
    if np.isclose(candidate, math.tanh(X), atol=1e-2):
        return print("Not quite: r = 0.5 hides half of h from the candidate, not all of it.")
    if not np.isclose(candidate, right[0], atol=2e-3):
        return print("Not quite: the candidate is tanh(0.3 + 1 · (r · h)); what is r · h?")
    if np.isclose(state, Z * H, atol=2e-3):
        return print("Not quite: your candidate is right. z is how much *new* enters, so 1 - z of h stays, not z.")
    if np.isclose(state, (1 - Z) * R * H, atol=2e-3):
        return print(
            "Not quite: your candidate is right. The reset gate hides h from the candidate only; h itself stays."
        )
    print("Not quite: your candidate is right. The new state is (1 - z) · h + z · candidate.")


@answer_is("a function that returns a tensor")
def gates_minimal(function: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
    """Chapter 4, exercise 2: one click of a unit with a single gate."""
    generator = torch.Generator().manual_seed(4)
    lanes, n_in, units = 3, 4, 5
    sizes = (lanes, n_in), (lanes, units), (2, units, n_in), (2, units, units), (2, units)
    case = [torch.randn(size, generator=generator) for size in sizes]
    given = [tensor.clone() for tensor in case]
    try:
        answer = function(*given)
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your function raised {type(error).__name__}: {error}")
    if answer is None:
        return print(UNANSWERED)
    if not all(torch.equal(tensor, kept) for tensor, kept in zip(given, case, strict=True)):
        return print("Not quite: your function changed what it was given; h may still be needed by others.")
    if answer.shape != (lanes, units):
        return print(f"Not quite: a state is (lanes, units), here {(lanes, units)}; yours is {tuple(answer.shape)}.")
    if torch.allclose(answer, solutions.minimal_unit(*case), atol=1e-5):
        return print("Right: one gate, half of a GRU's gates, and still it chooses.")
    for wrong, why in _minimal_misconceptions(*case):
        if torch.allclose(answer, wrong, atol=1e-5):
            return print(f"Not quite: {why}")
    away = float((answer - solutions.minimal_unit(*case)).abs().max())
    print(
        f"Not quite: up to {away:.2f} away. First f, then the candidate from f · h, then (1 - f) · h + f · candidate."
    )


@answer_is("one number, the bias")
def gates_bias(answer: float | None) -> None:
    """Chapter 4, exercise 3: the update gate's bias with which half of the gradient reaches ten clicks back."""
    if answer is None:
        return print(UNANSWERED)
    bias = float(answer)
    if not math.isfinite(bias):
        return print("Not quite: the bias is a finite number.")
    reach = _reach(bias)
    if math.isinf(reach):
        return print(f"Not quite: with a bias of {bias:g} all of the state is kept, so no new click enters at all.")
    said = f"with a bias of {bias:g}, {reach:.0%} of the gradient reach {CLICKS} clicks back"
    if 0.4 <= reach <= 0.6:
        return print(f"Right: {said}. At every click the gate keeps {1 / (1 + math.exp(-bias)):.0%} of the state.")
    if bias < 0:
        return print(f"Not quite: {said}. In torch's form z is how much *old* is kept, so the bias must be positive.")
    if reach < 0.4:
        return print(f"Not quite: {said}. Too little is kept at each click; keep more.")
    print(f"Not quite: {said}. More than half; and the more is kept, the less a new click can enter.")


def _minimal_misconceptions(x: Tensor, h: Tensor, W: Tensor, U: Tensor, b: Tensor) -> list[tuple[Tensor, str]]:
    from_x, from_h = x @ W[1].T + b[1], h @ U[1].T
    total = x @ W[0].T + h @ U[0].T + b[0]
    f, not_a_share = total.sigmoid(), total.tanh()
    candidate = solutions.minimal_unit(x, h, W, U, b) - (1 - f) * h
    candidate, after = candidate / f, (from_x + f * from_h).tanh()
    no_reset = (from_x + from_h).tanh()
    return [
        (f * h + (1 - f) * candidate, "f and 1 - f are swapped: f is how much *new* enters."),
        (f * h + (1 - f) * after, "f and 1 - f are swapped, and you reset after the product: U(f · h), not f · (U h)."),
        ((1 - f) * h + f * after, "you reset after the product, f · (U h); asked for is U(f · h), another function."),
        ((1 - f) * h + f * no_reset, "the candidate sees all of h; f resets it first, f · h."),
        (candidate, "that is the candidate alone; blend it with h: (1 - f) · h + f · candidate."),
        (
            (1 - not_a_share) * h + not_a_share * (from_x + (not_a_share * h) @ U[1].T).tanh(),
            "a gate is a share, 0 to 1: its function is σ, not tanh.",
        ),
        ((1 - f) * f * h + f * candidate, "f hides h from the candidate only; what is kept is (1 - f) · h."),
    ]


def _reach(bias: float) -> float:
    """Gradient of a fresh GRU's last state at the click that many clicks back, relative to the last click's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        cell = GRUCell(UNITS, UNITS, reset="after")
        clicks = (0.2 * torch.randn(CLICKS + 1, SESSIONS, UNITS)).requires_grad_()
        weight = torch.randn(SESSIONS, UNITS)
    with torch.no_grad():
        cell.bias_ih[UNITS : 2 * UNITS] = bias
    state = cell.zeros(SESSIONS)
    for click in clicks:
        state = cell(click, state)
    (grad,) = torch.autograd.grad((state[:, 0] * weight).sum(), clicks)
    size = grad.norm(dim=2).mean(dim=1)
    return float(size[0] / size[-1]) if size[-1] > 0 else math.inf
