"""Find a device by name, and turn settings into plain Python, which every file can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def plain(value: Any) -> Any:
    """A setting as plain Python, so that it can be saved: converts NumPy numbers and arrays, and torch devices."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return tuple(plain(v) for v in value)
    return str(value) if isinstance(value, torch.device) else value


def find_device(name: str) -> torch.device:
    """A torch device by name, "auto" for the first available of cuda, mps, cpu; ValueError if it is unavailable."""
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
    try:  # virtual Macs report it, but fail at the first allocation
        torch.ones(1, device="mps")
    except RuntimeError:
        return False
    return True
