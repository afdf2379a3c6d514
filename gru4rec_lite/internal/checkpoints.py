"""A training as it stands after an epoch, in a file from which it can go on; and what must hold before it begins."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from . import atomic, files
from .caller import warn
from .checks import as_path
from .files import Tensors
from .jsonable import to_json

LONGEST = 1_000  # characters of a value in a checkpoint's identity; of longer ones a hash is kept


class Checkpoint:
    """Training as it stands after an epoch: weights, optimiser, history, and the best weights so far.

    Args:
        path: the file.
        network, optimiser: what is saved and restored in place.
        identity: what must be the same for training to go on, name -> value.
    """

    def __init__(self, path: str | Path, network: torch.nn.Module, optimiser: Any, identity: dict[str, Any]):
        self.path, self.network, self.optimiser = as_path("checkpoint", path), network, optimiser
        self.identity = {name: _comparable(value, name) for name, value in identity.items()}

    def write(self, history: list[dict[str, float]], best: dict[str, torch.Tensor]) -> None:
        """Write it all, atomically."""
        groups = {"network": self.network.state_dict(), "optimiser": self.optimiser.state, "best": best}
        tensors = {f"{group}/{name}": t for group, named in groups.items() for name, t in named.items()}
        files.write(self.path, tensors, {"model": "checkpoint", "identity": self.identity, "history": history})

    def restore(self) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
        """Put weights and optimiser back; history and best weights, both empty where there is no file yet.

        Raises:
            ValueError: the checkpoint belongs to other settings or other clicks, or holds other tensors than they need.
        """
        if not self.path.is_file():
            return [], {}
        tensors, header = files.read(self.path)
        _require_same(self.path, header, self.identity)
        groups: dict[str, dict[str, torch.Tensor]] = {"network": {}, "optimiser": {}, "best": {}}
        for key, tensor in tensors.items():
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = tensor
        network = self.network.state_dict()
        here = {"network": network, "optimiser": self.optimiser.state, "best": network if groups["best"] else {}}
        if {group: _form(named) for group, named in groups.items()} != {g: _form(named) for g, named in here.items()}:
            raise ValueError(f"{self.path}: holds other tensors than a training of these settings")
        for group in ("network", "optimiser"):
            for name, tensor in groups[group].items():
                here[group][name].copy_(tensor)
        return header["history"], groups["best"]


def require_checkpoint(path: str | Path | None, resume: bool) -> None:
    """Refuse a path at which no checkpoint can be written, before an epoch is lost; None asks for none.

    Warns where an earlier training will be replaced.

    Raises:
        ValueError: no path, or a trained model is there.
        OSError: a folder, a file that is not ours, a folder in which nothing can be written.
    """
    if path is None:
        return
    path = as_path("checkpoint", path)
    files.require_ours(path)
    atomic.require_writable(path)
    header = files.peek(path) or {"model": "checkpoint"}
    _require_a_checkpoint(path, header)
    if header.get("history") and not resume:
        warn(
            f"checkpoint={str(path)!r}: {len(header['history'])} epochs of an earlier training are there, and will be "
            "replaced when the first of this one is done; to go on from them: resume=True"
        )


def require_resumable(path: str | Path, identity: dict[str, Any], n_epochs: int, keep_best: bool) -> None:
    """Refuse a checkpoint from which training cannot go on; a missing file is allowed.

    Raises:
        ValueError: it is damaged, is of other settings or clicks, has too many epochs, or no best one to be kept.
    """
    path = as_path("checkpoint", path)
    if not path.is_file():
        return
    tensors, header = files.read(path)
    _require_same(path, header, {name: _comparable(value, name) for name, value in identity.items()})
    done = len(header["history"])
    if keep_best and done and not any(name.startswith("best/") for name in tensors):
        raise ValueError("keep_best=True: the checkpoint holds no best epoch, as if written without it; start anew")
    if done > n_epochs:
        raise ValueError(
            f"n_epochs={n_epochs}: the checkpoint has {done} epochs behind it already; give {done} or more"
        )


def require_room(path: str | Path | None, *groups: Tensors) -> None:
    """Refuse a path (if any) on a disk that has no room for these tensors beside those of the epoch before."""
    if path is not None:
        path = as_path("checkpoint", path)
        size = sum(t.numel() * t.element_size() for named in groups for t in named.values())
        atomic.require_writable(path, size if path.exists() else 2 * size)


def _require_a_checkpoint(path: Path, header: dict[str, Any]) -> None:
    if header.get("model") != "checkpoint":
        raise ValueError(f"{path}: holds a trained {header.get('model')}, not a checkpoint of its training")


def _require_same(path: Path, header: dict[str, Any], identity: dict[str, Any]) -> None:
    """Refuse what is no checkpoint, or one of another training."""
    _require_a_checkpoint(path, header)
    if not isinstance(header.get("identity"), dict) or not isinstance(header.get("history"), list):
        raise ValueError(f"{path}: a checkpoint without identity or history")
    for name, value in identity.items():
        if (saved := header["identity"].get(name)) != value:
            raise ValueError(f"{path}: was written with another {name} ({_short(saved)}, now {_short(value)})")


def _comparable(value: Any, name: str) -> Any:
    """The value as JSON gives it back, or a hash of it where it is long."""
    text = to_json(value, name)
    return json.loads(text) if len(text) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()[:16]


def _form(tensors: Tensors) -> dict[str, tuple]:
    return {name: (tuple(t.shape), t.dtype) for name, t in tensors.items()}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
