"""The settings of GRU4Rec: which exist, what they may be, and on which device they run."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .cells import CELLS
from .losses import LOSSES
from .network import EMBEDDINGS, OUTPUTS

if TYPE_CHECKING:
    from .gru4rec import GRU4Rec


def plain(value: Any) -> Any:
    """A setting as plain Python, so that it can be saved: NumPy's numbers and arrays, torch's devices."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return tuple(plain(v) for v in value)
    return str(value) if isinstance(value, torch.device) else value


def find_device(name: str) -> torch.device:
    """A torch device by name, "auto" for the first there is of cuda, mps, cpu; ValueError if it cannot be had."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _mps_works() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device={name!r}: must be 'auto', 'cpu' or a device that is here ({reason})") from error
    return device


def _mps_works() -> bool:
    if not torch.backends.mps.is_available():
        return False
    try:  # virtual Macs report it, and fail at the first allocation
        torch.ones(1, device="mps")
    except RuntimeError:
        return False
    return True


def check(s: GRU4Rec) -> None:
    """Raise ValueError for a setting that does not exist, is out of range, or would be ignored."""

    def require(name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ValueError(f"{name}={getattr(s, name)!r}: must be {allowed}")

    def one_of(name: str, allowed) -> None:
        require(name, getattr(s, name) in list(allowed), "one of " + ", ".join(map(repr, allowed)))

    one_of("cell", CELLS)
    one_of("embedding", EMBEDDINGS)
    one_of("loss", LOSSES)
    one_of("output", ("auto", *OUTPUTS))
    require("compile", s.compile == "auto" or isinstance(s.compile, bool), "'auto', True or False")
    units = isinstance(s.layers, tuple) and len(s.layers) > 0 and all(_whole(u, 1) for u in s.layers)
    require("layers", units, "units of each layer, for example (100,)")
    for name, least in {"batch_size": 1, "n_samples": 0, "n_epochs": 1, "seed": 0}.items():
        require(name, _whole(getattr(s, name), least), f"a whole number of at least {least}")
    require("embedding_size", s.embedding_size is None or _whole(s.embedding_size, 1), "None or at least 1")
    for name in ("dropout_embed", "dropout_hidden", "momentum"):
        value = getattr(s, name)
        require(name, _number(value) and 0 <= value < 1, "at least 0 and below 1")
    require(
        "sample_alpha", _number(s.sample_alpha) and 0 <= s.sample_alpha <= 1, "from 0 (uniform) to 1 (by popularity)"
    )
    require("learning_rate", _number(s.learning_rate) and s.learning_rate > 0, "a number above 0")
    require("elu", _number(s.elu) and s.elu > 0, "a number above 0")
    require("bpreg", _number(s.bpreg) and s.bpreg >= 0, "a number of at least 0")
    require("logq", s.logq is None or (_number(s.logq) and 0 <= s.logq <= 1), "from 0 (off) to 1, or None")

    # a setting that changes nothing is a mistake that nobody would notice
    require("bpreg", s.bpreg == 1.0 or s.loss == "bpr-max", f"left alone with loss={s.loss!r}, which has no such term")
    require("logq", not s.logq or s.loss == "cross-entropy", f"left alone with loss={s.loss!r}: for cross-entropy only")
    uses_elu = s.output == "elu" or (s.output == "auto" and s.loss == "bpr-max")
    require("elu", s.elu == 0.5 or uses_elu, "left alone unless output is 'elu'")
    require("batch_size", s.batch_size + s.n_samples > 1, "at least 2 with n_samples=0: a lone lane has no negatives")
    require("sample_alpha", s.sample_alpha == 0.75 or s.n_samples > 0, "left alone with n_samples=0, which draws none")
    width = s.layers[-1] if s.embedding == "shared" else s.embedding_size if s.embedding == "separate" else None
    fits = s.embedding_size in (None, width)
    require("embedding_size", fits, "None unless embedding is 'separate': shared is as wide as the last layer")


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
