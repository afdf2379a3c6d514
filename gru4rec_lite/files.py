"""Model files and checkpoints: tensors and a JSON header in one safetensors file.

Nothing in such a file is ever executed, and it is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

FORMAT = 1


def write(path: str | Path, tensors: dict[str, torch.Tensor], header: dict[str, Any]) -> None:
    """Write atomically: the file is either the old one or the whole new one, even if the machine stops in between."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"gru4rec_lite": json.dumps({"format": FORMAT, **header})}
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        unfinished.write_bytes(save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata))
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and header of a file that `write` made.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a file, is damaged, or comes from a newer version.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no model file at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["gru4rec_lite"])
            version = header["format"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a model file of gru4rec_lite, or damaged ({error})") from error
    if version != FORMAT:
        raise ValueError(f"{path}: format {version}, this version reads {FORMAT}; install a newer gru4rec_lite")
    return tensors, header


class Checkpoint:
    """Training as it stands after an epoch: weights, optimiser, history, and the best weights so far.

    Args:
        path: the file.
        network, optimiser: what is saved and restored in place.
        identity: what must be the same for training to go on, name -> value.
    """

    def __init__(self, path: str | Path, network: torch.nn.Module, optimiser: Any, identity: dict[str, Any]):
        self.path, self.network, self.optimiser = Path(path), network, optimiser
        self.identity = json.loads(json.dumps(identity))

    def write(self, history: list[dict[str, float]], best: dict[str, torch.Tensor]) -> None:
        """Write it all, atomically."""
        groups = {"network": self.network.state_dict(), "optimiser": self.optimiser.state, "best": best}
        tensors = {f"{group}/{name}": t for group, named in groups.items() for name, t in named.items()}
        write(self.path, tensors, {"model": "checkpoint", "identity": self.identity, "history": history})

    def restore(self) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
        """Put weights and optimiser back; history and best weights, both empty where there is no file yet.

        Raises:
            ValueError: the checkpoint belongs to other settings or other clicks.
        """
        if not self.path.exists():
            return [], {}
        tensors, header = read(self.path)
        if header.get("model") != "checkpoint":
            raise ValueError(f"{self.path}: holds a trained {header.get('model')}, not a checkpoint of its training")
        for name, value in self.identity.items():
            if (saved := header["identity"].get(name)) != value:
                raise ValueError(f"{self.path}: was written with another {name} ({_short(saved)}, now {_short(value)})")
        groups: dict[str, dict[str, torch.Tensor]] = {"network": {}, "optimiser": {}, "best": {}}
        for key, tensor in tensors.items():
            group, name = key.split("/", 1)
            groups[group][name] = tensor
        self.network.load_state_dict(groups["network"])
        for name, tensor in groups["optimiser"].items():
            self.optimiser.state[name].copy_(tensor)
        return header["history"], groups["best"]


def fingerprint(*arrays: np.ndarray) -> str:
    """A short hash of what the arrays hold."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
