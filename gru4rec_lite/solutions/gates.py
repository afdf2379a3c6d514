"""Solutions of chapter 4."""

from __future__ import annotations

import math

from torch import Tensor


def one_click() -> tuple[float, float]:
    # the reset gate halves what the candidate sees of h: tanh(0.3 + 1 · 0.5 · (-0.6)) = tanh(0)
    candidate = math.tanh(0.3 + 1.0 * 0.5 * -0.6)
    return candidate, (1 - 0.25) * -0.6 + 0.25 * candidate  # three quarters of h stay, a quarter is new


def minimal_unit(x: Tensor, h: Tensor, W: Tensor, U: Tensor, b: Tensor) -> Tensor:
    f = (x @ W[0].T + h @ U[0].T + b[0]).sigmoid()
    candidate = (x @ W[1].T + (f * h) @ U[1].T + b[1]).tanh()  # f as reset gate, before the product
    return (1 - f) * h + f * candidate  # f as update gate


def keep_bias(clicks_back: int = 10, share: float = 0.5) -> float:
    # each click keeps σ(bias) of the state, so σ(bias) ** 10 = 0.5; the weights add a little to either side
    keep = share ** (1 / clicks_back)
    return math.log(keep / (1 - keep))
