"""Solutions of chapter 5."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor


def after_the_hat() -> list[float]:
    # the hat's row (2, 1) is swapped to (1, 2); half of its tanh is the state: (.38, .48)
    h = [math.tanh(1) / 2, math.tanh(2) / 2]
    # its products with the rows of shoes (1, 0), bag (0, 1) and hat (2, 1): .38, .48, 1.24
    scores = [h[0], h[1], 2 * h[0] + h[1]]
    total = sum(math.exp(score) for score in scores)
    return [math.exp(score) / total for score in scores]


def n_parameters(n_items: int, layers: tuple[int, ...], embedding: str) -> int:
    output = n_items * layers[-1] + n_items  # a row and a bias for each item
    width = layers[-1] if embedding == "shared" else layers[0]  # of what the first layer reads
    table = {"one-hot": n_items * 3 * layers[0], "separate": n_items * width, "shared": 0}[embedding]
    recurrent = 0
    for number, units in enumerate(layers):
        if number > 0 or embedding != "one-hot":  # else the table's row is the three gates' sums already
            recurrent += 3 * units * width
        recurrent += 3 * units * units + 2 * 3 * units  # from state to gates, and two biases
        width = units  # the next layer reads this one
    return table + recurrent + output


def fold(item_in: Tensor, weight_ih: Tensor) -> Tensor:
    # what the matrix makes of each row, once and for all: (N, W) @ (W, 3H). The biases stay where they are.
    return item_in @ weight_ih.T


def price_gap(vectors: np.ndarray, category: np.ndarray, price: np.ndarray) -> float:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = (vectors / length) @ (vectors / length).T
    np.fill_diagonal(cosine, -np.inf)  # an item is not its own neighbour
    gap = np.abs(price[:, None] - price)
    nearest, others = [], []
    for i, row in enumerate(gap):
        same = category == category[i]
        same[i] = False
        if same.any():
            nearest.append(row[cosine[i].argmax()])
            others.append(row[same].mean())
    return float(np.mean(nearest) / np.mean(others))
