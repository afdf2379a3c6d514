"""The exercises of chapter 5: solutions pass, and each likely misconception is answered by its name."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from helpers import said
from torch import nn

from gru4rec_lite import exercises, solutions

rng = np.random.default_rng(0)
CATEGORY = np.repeat(["a", "b", "c"], [4, 9, 6])
PRICE = rng.normal(0, 3, 19) + np.repeat([10, 30, 50], [4, 9, 6])
VECTORS = rng.normal(0, 1, (19, 5)) * rng.uniform(0.5, 5, (19, 1))
VECTORS[:, 0] += (PRICE - 30) / 10
CHECKS = (exercises.network_hat, exercises.network_count, exercises.network_fold, exercises.network_price)
KNOWN = (VECTORS, CATEGORY, PRICE)
RIGHT = solutions.price_gap(*KNOWN)


@pytest.mark.parametrize(
    ("check", "answers"),
    [
        (CHECKS[0], (None,)),
        (CHECKS[1], (lambda *case: None,)),
        (CHECKS[2], (lambda item_in, weight_ih: None,)),
        (CHECKS[3], (*KNOWN, None)),
    ],
)
def test_an_empty_answer_is_no_answer(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Not answered yet")


@pytest.mark.parametrize(
    ("check", "answers"),
    [
        (CHECKS[0], (solutions.after_the_hat(),)),
        (CHECKS[0], ([0.22, 0.25, 0.53],)),
        (CHECKS[1], (solutions.n_parameters,)),
        (CHECKS[2], (solutions.fold,)),
        (CHECKS[3], (*KNOWN, RIGHT)),
        (CHECKS[3], (*KNOWN, round(RIGHT, 3))),
    ],
)
def test_the_solution_is_right(capsys, check, answers):
    assert said(capsys, check, *answers).startswith("Right")


def softmax(*scores):
    return (np.exp(scores) / np.exp(scores).sum()).tolist()


def count_with(less):
    """The right count, wrong by what ``less(n_items, layers, embedding)`` says."""
    return lambda *case: solutions.n_parameters(*case) - less(*case)


def gaps():
    return np.abs(PRICE[:, None] - PRICE)


def cosine_neighbours():
    rows = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    return [max((j for j in range(19) if j != i), key=lambda j: rows[i] @ rows[j]) for i in range(19)]


def neighbours_by_distance():
    return [
        min((j for j in range(19) if j != i), key=lambda j: np.linalg.norm(VECTORS[i] - VECTORS[j])) for i in range(19)
    ]


def others(of=lambda i, j: i != j and CATEGORY[i] == CATEGORY[j]):
    return [[gaps()[i, j] for j in range(19) if of(i, j)] for i in range(19)]


NEAR = np.mean([gaps()[i, j] for i, j in enumerate(cosine_neighbours())])
OTHERS = np.mean([np.mean(row) for row in others()])
TANH = math.tanh(1), math.tanh(2)

WRONG = [
    (CHECKS[0], (0.5,), "three numbers"),
    (CHECKS[0], ("hat",), "three numbers"),
    (CHECKS[0], ([0.4, 0.6],), "three items"),
    (CHECKS[0], ([TANH[0] / 2, TANH[1] / 2, TANH[0] + TANH[1] / 2],), "softmax"),
    (CHECKS[0], (softmax(TANH[1] / 2, TANH[0] / 2, TANH[1] + TANH[0] / 2),), "swap"),
    (CHECKS[0], (softmax(*TANH, 2 * TANH[0] + TANH[1]),), "one half"),
    (CHECKS[0], (softmax(0.5, 1, 2),), "through a tanh"),
    (CHECKS[0], (softmax(TANH[0] / 2, 0, TANH[0]),), "the bag"),
    (CHECKS[0], (softmax(0, TANH[0] / 2, TANH[0] / 2),), "the shoes"),
    (CHECKS[0], ([0.5, 0.5, 0.5],), "add up to 1"),
    (CHECKS[0], ([0.1, 0.1, 0.8],), "take the hat's row"),
    (CHECKS[1], ("many",), "TypeError"),
    (CHECKS[1], (lambda *case: undefined,), "NameError"),  # noqa: F821
    (CHECKS[1], (lambda *case: "many",), "not many"),
    (CHECKS[1], (lambda *case: None if case[0] == 7 else solutions.n_parameters(*case),), "not None"),
    (CHECKS[1], (count_with(lambda n, layers, e: n),), "output's biases"),
    (CHECKS[1], (count_with(lambda n, layers, e: n * layers[-1]),), "output table"),
    (CHECKS[1], (count_with(lambda n, layers, e: n * layers[-1] + n),), "the output: a row and a bias"),
    (CHECKS[1], (count_with(lambda n, layers, e: 3 * sum(layers)),), "two biases"),
    (CHECKS[1], (count_with(lambda n, layers, e: 6 * sum(layers)),), "biases of the layers"),
    (CHECKS[1], (count_with(lambda n, layers, e: 3 * sum(h * h for h in layers)),), "read the state"),
    (CHECKS[1], (count_with(lambda n, layers, e: 2 * n * layers[0] * (e == "one-hot")),), "3H numbers, not H"),
    (CHECKS[1], (count_with(lambda n, layers, e: -3 * layers[0] ** 2 * (e == "one-hot")),), "no matrix reads it"),
    (CHECKS[1], (count_with(lambda n, layers, e: n * layers[0] * (e == "separate")),), "input table"),
    (CHECKS[1], (count_with(lambda n, layers, e: -n * layers[-1] * (e == "shared")),), "counted the shared table"),
    (CHECKS[2], ("fold",), "TypeError"),
    (CHECKS[2], (lambda item_in, weight_ih: undefined,), "NameError"),  # noqa: F821
    (CHECKS[2], (lambda item_in, weight_ih: 3,), "give a function"),
    (CHECKS[2], (lambda item_in, weight_ih: weight_ih @ item_in.T,), "on its side"),
    (CHECKS[2], (lambda item_in, weight_ih: item_in,), r"\(9, 12\)"),
    (CHECKS[2], (lambda item_in, weight_ih: item_in.mul_(2) @ weight_ih.T,), "changed what you were given"),
    (CHECKS[2], (lambda item_in, weight_ih: item_in @ weight_ih.T + 1,), "row i must be"),
    (
        CHECKS[2],
        (lambda item_in, weight_ih: torch.stack((item_in @ weight_ih.T).chunk(3, 1), dim=2).flatten(1),),
        "one after the other",
    ),
    (CHECKS[3], (*KNOWN, "low"), "one number"),
    (CHECKS[3], (None, CATEGORY, PRICE, 1.0), "one number"),
    (CHECKS[3], (*KNOWN, 0.0), "itself, unless"),
    (CHECKS[3], (*KNOWN, NEAR / np.mean(np.concatenate(others(lambda i, j: i != j)))), "all items"),
    (CHECKS[3], (*KNOWN, NEAR / np.mean([np.mean([0, *row]) for row in others()])), "the item itself among"),
    (CHECKS[3], (*KNOWN, OTHERS / NEAR), "the other way round"),
    (CHECKS[3], (*KNOWN, NEAR - OTHERS), "difference"),
    (
        CHECKS[3],
        (*KNOWN, np.mean([gaps()[i, j] for i, j in enumerate(neighbours_by_distance())]) / OTHERS),
        "by angle",
    ),
    (CHECKS[3], (*KNOWN, NEAR / np.mean(np.concatenate(others()))), "over pairs"),
    (CHECKS[3], (*KNOWN, 17.0), "mean gap to the nearest"),
]


@pytest.mark.parametrize(("check", "answers", "named"), WRONG)
def test_a_misconception_is_named(capsys, check, answers, named):
    answer = said(capsys, check, *answers)
    assert not answer.startswith("Right")
    assert re.search(named, answer), answer


def test_a_bias_folded_in_is_named(capsys, monkeypatch):
    """The bias is no argument, so the reader has to fetch it from elsewhere."""
    seen = []
    uniform = torch.Tensor.uniform_
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda self, *a, **k: seen.append(self) or uniform(self, *a, **k))
    answer = said(capsys, CHECKS[2], lambda item_in, weight_ih: item_in @ weight_ih.T + seen[-1])
    assert "counts twice" in answer


def test_the_hat_is_that_of_a_loop():
    table, h = [(1, 0), (0, 1), (2, 1)], [0.0, 0.0]
    for unit, x in enumerate((1, 2)):  # the hat's row, swapped
        h[unit] = 0.5 * h[unit] + 0.5 * math.tanh(x)
    weights = [math.exp(sum(a * b for a, b in zip(row, h, strict=True))) for row in table]
    assert solutions.after_the_hat() == pytest.approx([w / sum(weights) for w in weights])


@pytest.mark.parametrize("layers", [(3,), (6, 4), (4, 6, 5)])
@pytest.mark.parametrize("embedding", ["separate", "shared"])
def test_the_count_is_that_of_torchs_own_modules(layers, embedding):
    n_items = 11
    width = layers[-1] if embedding == "shared" else layers[0]
    modules: list[nn.Module] = [nn.Linear(layers[-1], n_items)]
    modules += [nn.Embedding(n_items, width)] if embedding == "separate" else []
    modules += [nn.GRUCell(i, units) for i, units in zip((width, *layers[:-1]), layers, strict=True)]
    expected = sum(p.numel() for module in modules for p in module.parameters())
    assert solutions.n_parameters(n_items, layers, embedding) == expected


def test_the_count_of_a_one_hot_input_is_that_of_a_gru_cell_that_reads_the_catalogue():
    modules = [nn.GRUCell(11, 4), nn.Linear(4, 11)]
    expected = sum(p.numel() for module in modules for p in module.parameters())
    assert solutions.n_parameters(11, (4,), "one-hot") == expected


def test_the_price_gap_is_that_of_the_loops():
    assert pytest.approx(NEAR / OTHERS) == RIGHT
    assert pytest.approx(solutions.price_gap(VECTORS * 7, CATEGORY, PRICE * 3)) == NEAR / OTHERS


def test_an_item_alone_in_its_category_is_left_out():
    vectors, price = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [9.0, 1.0]]), np.array([1.0, 3.0, 9.0, 50.0])
    found = solutions.price_gap(vectors, np.array(["a", "a", "a", "b"]), price)
    # neighbours of the first three: 1, 3 (the last, nearest by angle), 3
    assert found == pytest.approx(np.mean([2, 47, 41]) / np.mean([5, 4, 7]))
