"""Exercises of chapter 5."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor

from .. import solutions
from ..cells import Cell
from ..network import EMBEDDINGS, Network
from .feedback import UNANSWERED, answer_is

NETWORKS = [(7, (3,)), (50, (10,)), (50, (10, 10)), (30, (6, 4)), (37_483, (100,)), (37_483, (1000, 500, 100))]


@answer_is("three numbers, the probabilities of shoes, bag and hat")
def network_hat(answer: list[float] | None) -> None:
    """Chapter 5, exercise 1: the probabilities after a click on the hat."""
    if answer is None:
        return print(UNANSWERED)
    found, right = np.array([float(number) for number in answer]), np.array(solutions.after_the_hat())
    if found.shape != (3,):
        return print(f"Not quite: three items, three probabilities; you gave {len(found)}.")
    if np.allclose(found, right, atol=0.006):
        return print(
            "Right: the hat is most likely, because the list is scored with the very row that was read. Training must "
            "teach the GRU to turn a row into what comes next; these weights have learned nothing yet."
        )
    for wrong, why in _other_hats().items():
        if np.allclose(found, wrong, atol=0.006):
            return print(f"Not quite: {why}")
    if not math.isclose(found.sum(), 1, abs_tol=0.02):
        return print(f"Not quite: probabilities add up to 1, yours to {found.sum():.2f}.")
    print("Not quite: take the hat's row, swap it, tanh, halve it, multiply with the three rows, then softmax.")


@answer_is("a function that returns a whole number")
def network_count(function: Callable[[int, tuple[int, ...], str], int]) -> None:
    """Chapter 5, exercise 2: the parameters of a network with GRU layers."""
    cases = [(n_items, layers, embedding) for embedding in EMBEDDINGS for n_items, layers in NETWORKS]
    answers = []
    for case in cases:
        try:
            answers.append(function(*case))
        except Exception as error:  # the reader's code may raise anything
            asked = f"For (n_items, layers, embedding) = {case}"
            return print(f"{asked} your function raised {type(error).__name__}: {error}")
    if all(answer is None for answer in answers):
        return print(UNANSWERED)
    for case, answer in zip(cases, answers, strict=True):
        expected = _counted(*case)
        if answer is not None and answer == expected:
            continue
        n_items, layers, embedding = case
        asked = f"{n_items:,} items, layers={layers} and a {embedding} embedding"
        print(f"Not quite: {asked} make {expected:,} numbers, not {answer}.")
        if answer is None:
            return
        for missing, why in _forgotten(*case).items():
            if answer == expected + missing:
                return print(why)
        return
    print("Right for all three embeddings, for one layer and for several. You never had to build a network.")


@answer_is("a function that returns a tensor")
def network_fold(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Chapter 5, exercise 3: a separate embedding written as a one-hot table."""
    torch.manual_seed(0)
    separate = Network(9, (4,), embedding="separate", embedding_size=5).eval().requires_grad_(False)
    layer = cast(Cell, separate.layers[0])
    layer.bias_ih.uniform_(-1, 1)  # it starts at zero, where a bias counted twice would go unnoticed
    before = separate.item_in.clone(), layer.weight_ih.clone()
    try:
        folded = function(separate.item_in, layer.weight_ih)
    except Exception as error:  # the reader's code may raise anything
        return print(f"Your function raised {type(error).__name__}: {error}")
    if folded is None:
        return print(UNANSWERED)
    if not (torch.equal(before[0], separate.item_in) and torch.equal(before[1], layer.weight_ih)):
        return print("Not quite: you changed what you were given; return a new table.")
    if tuple(folded.shape) == (12, 9):
        return print("Not quite: (12, 9) is the table lying on its side; one row for each item, please.")
    if tuple(folded.shape) != (9, 12):
        return print(
            f"Not quite: 9 items and 4 units make a table of (9, 12), three gates' sums in a row; "
            f"yours is {tuple(folded.shape)}."
        )
    right = before[0] @ before[1].T
    if torch.allclose(folded, right + layer.bias_ih, atol=1e-5):
        return print("Not quite: the bias stays in the layer, which adds it after the look-up; here it counts twice.")
    if torch.allclose(folded, (right.view(9, 3, 4).transpose(1, 2)).reshape(9, 12), atol=1e-5):
        return print("Not quite: the gates lie one after the other in a row, r of all units, then z, then candidate.")
    if not torch.allclose(folded, right, atol=1e-5):
        return print("Not quite: row i must be the three gates' sums that the layer makes of row i of item_in.")
    one_hot = Network(9, (4,), embedding="one-hot").eval().requires_grad_(False)
    one_hot.load_state_dict(
        {name: p for name, p in separate.state_dict().items() if name != "layers.0.weight_ih"} | {"item_in": folded}
    )
    state = [torch.randn(9, 1, 4)]
    same = torch.allclose(one_hot(folded, state)[0], separate(separate.item_in, state)[0], atol=1e-5)
    assert same, "two networks that read the same sums"
    print(
        "Right: a one-hot network with your table and a separate one have the same hidden states. The way back is not "
        f"always open: this table has rank {torch.linalg.matrix_rank(right).item()}, and a one-hot one may have 9."
    )


@answer_is("the items' vectors, their categories and prices, and one number")
def network_price(vectors: np.ndarray, category: np.ndarray, price: np.ndarray, answer: float | None) -> None:
    """Chapter 5, exercise 4: price gap to the nearest neighbour, as a share of that to others of its category."""
    if answer is None:
        return print(UNANSWERED)
    found, right = float(answer), solutions.price_gap(vectors, category, price)
    if math.isclose(found, right, rel_tol=5e-3):
        everyone = _gap_ratios(vectors, category, price)["all items"]
        if everyone >= right:
            return print(f"Right: {right:.2f}; against all items {everyone:.2f}: the category hides nothing here.")
        how_much = "Hardly: nearly all" if right > 0.85 else "Yes, but some"
        return print(
            f"Right: {right:.2f}, and {everyone:.2f} against all items. Is price in the embedding? {how_much} of "
            "the apparent effect is that items of one category cost alike."
        )
    why = {
        "all items": "You compared with all items. Items of one category cost alike, and a neighbour is mostly of the "
        "same one: compare with others of its category.",
        "itself": "The nearest neighbour of an item is itself, unless you leave it out; its gap is 0.",
        "itself among the others": "You counted the item itself among the others of its category, with a gap of 0.",
        "upside down": "That is the other way round: neighbour's gap divided by that of the others.",
        "difference": "That is a difference; divide the two means.",
        "distance": "Near by distance is not near by angle: a long row is far from all. Normalise the rows first.",
        "of pairs": "You averaged over pairs, so large categories count more; average over items.",
    }
    for name, wrong in _gap_ratios(vectors, category, price).items():
        if math.isclose(found, wrong, rel_tol=5e-3, abs_tol=1e-9):
            return print(f"Not quite: {why[name]}")
    print("Not quite: mean gap to the nearest neighbour by cosine, divided by the mean over items of their mean gap "
          "to the others of their category.")  # fmt: skip


def _other_hats() -> dict[tuple[float, ...], str]:
    """What comes out with one step left out or another row taken."""

    def softmax(*scores: float) -> tuple[float, ...]:
        weights = np.exp(scores)
        return tuple((weights / weights.sum()).tolist())

    def products(a: float, b: float) -> tuple[float, float, float]:
        return a, b, 2 * a + b

    one, two = math.tanh(1), math.tanh(2)
    return {
        products(one / 2, two / 2): "these are the scores. The softmax of them is asked for.",
        softmax(*products(two / 2, one / 2)): "you did not swap the two numbers of the row before the tanh.",
        softmax(*products(one, two)): "the update gate is one half, so half of the candidate becomes the state.",
        softmax(*products(0.5, 1.0)): "the candidate goes through a tanh before it is halved.",
        softmax(*products(one / 2, 0.0)): "that is the list after a click on the bag.",
        softmax(*products(0.0, one / 2)): "that is the list after a click on the shoes.",
    }


def _counted(n_items: int, layers: tuple[int, ...], embedding: str) -> int:
    with torch.device("meta"):  # count parameters without allocating them
        return sum(p.numel() for p in Network(n_items, layers, embedding=embedding).parameters())


def _forgotten(n_items: int, layers: tuple[int, ...], embedding: str) -> dict[int, str]:
    """How wrong the count is -> what that points to."""
    first, last = layers[0], layers[-1]
    inside = sum(layers)
    widths = (first if embedding == "one-hot" else last if embedding == "shared" else first, *layers[:-1])
    read = [3 * units * width for units, width in zip(layers, widths, strict=True)]
    matrices = sum(read[embedding == "one-hot" :]) + sum(3 * units * units for units in layers)
    whole = matrices + 6 * inside
    table = {"one-hot": n_items * 3 * first, "separate": n_items * first, "shared": n_items * last}[embedding]
    wrong = {
        -n_items: "You left out the output's biases, one for each item.",
        -n_items * last: "You left out the output table, a row of the last layer's width for each item.",
        -n_items * last - n_items: "You left out the output: a row and a bias for each item.",
        -2 * whole // 3: "A GRU has three blocks of everything, for r, z and the candidate; you counted one.",
        -3 * inside: "Torch's GRU has two biases: one added to what comes in, one inside the reset gate's bracket.",
        -6 * inside: "You left out the biases of the layers, two for each of three gates.",
        -sum(3 * units * units for units in layers): "You left out the matrices that read the state, 3H by H each.",
    }
    if embedding == "shared":
        wrong[table] = "You counted the shared table twice: input and output are one and the same."
    else:
        wrong[-table] = "You left out the input table, which these two embeddings have beside the output table."
    if embedding == "one-hot":
        wrong[read[0]] = "Without an embedding the row already is the gates' sums: no matrix reads it."
        wrong[-n_items * 2 * first] = "A row of a one-hot table holds the sums of three gates, 3H numbers, not H."
    return wrong


def _gap_ratios(vectors: np.ndarray, category: np.ndarray, price: np.ndarray) -> dict[str, float]:
    """What comes out for the likely misconceptions."""
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    gap, alone = np.abs(price[:, None] - price), np.eye(len(price), dtype=bool)
    distance = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    same = (category[:, None] == category) & ~alone
    kept = same.any(axis=1)
    at = np.arange(len(price))
    near = gap[at, np.where(alone, -np.inf, rows @ rows.T).argmax(axis=1)][kept].mean()
    by_distance = gap[at, np.where(alone, np.inf, distance).argmin(axis=1)][kept].mean()
    others = (gap * same).sum(axis=1)[kept] / same.sum(axis=1)[kept]
    with_itself = (gap * same).sum(axis=1)[kept] / (same.sum(axis=1)[kept] + 1)
    return {
        "all items": near / gap[kept][~alone[kept]].mean(),
        "itself": 0.0,
        "itself among the others": near / with_itself.mean(),
        "upside down": others.mean() / near,
        "difference": near - others.mean(),
        "distance": by_distance / others.mean(),
        "of pairs": near / gap[same].mean(),
    }
