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

FORMAT = 2
LONGEST = 1_000  # characters of a value in a checkpoint's identity; of longer ones a hash is kept


def write(path: str | Path, tensors: dict[str, torch.Tensor], header: dict[str, Any]) -> None:
    """Write atomically: the file is either the old one or the whole new one, even if the machine stops in between.

    Args:
        header: what JSON can hold, 100 MB at most; long lists go to the tensors (see `to_bytes`).

    Raises:
        OSError: the file cannot be written, for example because the disk is full; the old one is still whole.
    """
    path = Path(path)
    metadata = {"gru4rec_lite": json.dumps({"format": FORMAT, **header})}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(unfinished, "xb") as file:
            file.write(save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata))
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the new name without its content
        os.replace(unfinished, path)
    except OSError as error:
        reason = f"could not be written ({error.strerror or error}); what was there before is untouched"
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and header of a file that `write` made.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a file, is damaged, or comes from another version.
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
        older = isinstance(version, int) and version < FORMAT
        remedy = "fit the model again and save it" if older else "install a newer gru4rec_lite"
        raise ValueError(f"{path}: format {version}, this version reads {FORMAT}; {remedy}")
    return tensors, header


def to_bytes(value: Any) -> torch.Tensor:
    """Anything that JSON can hold as ``(n,)`` uint8, for a value too long for the header: millions of item ids."""
    return torch.from_numpy(np.frombuffer(json.dumps(value).encode(), dtype=np.uint8).copy())


def from_bytes(tensor: torch.Tensor) -> Any:
    """What `to_bytes` was given."""
    return json.loads(tensor.numpy().tobytes())


class Checkpoint:
    """Training as it stands after an epoch: weights, optimiser, history, and the best weights so far.

    Args:
        path: the file.
        network, optimiser: what is saved and restored in place.
        identity: what must be the same for training to go on, name -> value.
    """

    def __init__(self, path: str | Path, network: torch.nn.Module, optimiser: Any, identity: dict[str, Any]):
        self.path, self.network, self.optimiser = Path(path), network, optimiser
        self.identity = {name: _comparable(value) for name, value in identity.items()}

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


def _comparable(value: Any) -> Any:
    """The value as JSON gives it back, or a hash of it where it is long."""
    text = json.dumps(value)
    return json.loads(text) if len(text) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()[:16]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
