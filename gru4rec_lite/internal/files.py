"""Model files and checkpoints: tensors and a JSON header in one safetensors file.

Nothing in such a file is ever executed. It is written whole or not at all (see `atomic`), over nothing but a file of
ours, and read only if every byte is as it was written: its sha256 stands in its header. That finds accidents; it is no
signature, and somebody who changes a file on purpose can compute it anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from . import atomic
from .caller import warn
from .checks import as_path
from .jsonable import to_json

FORMAT = 3
LONGEST = 1_000  # characters of a value in a checkpoint's identity; of longer ones a hash is kept
BLANK = b"0" * 64  # stands for the sha256 while that is computed
HEADER_AT_MOST = 100_000_000  # bytes, safetensors' own limit
Tensors = Mapping[str, torch.Tensor]


def write(path: str | Path, tensors: Tensors, header: dict[str, Any]) -> None:
    """Write atomically: the file is either the old one or the whole new one, even if the machine stops in between.

    Args:
        header: what JSON can hold, 100 MB at most; long lists go to the tensors (see `to_bytes`).

    Raises:
        ValueError: no path, a tensor with NaN, as after a training that went astray, or a header that JSON cannot hold.
        OSError: the file cannot be written, for example because the disk is full; or one is there that is not ours. It
            is still whole.
    """
    path = as_path("path", path)
    _require_ours(path)
    _require_numbers(path, tensors)
    metadata = {"gru4rec_lite": to_json({"format": FORMAT, "sha256": BLANK.decode(), **header}, "header")}
    content = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata)
    at = content.index(BLANK)
    rest = memoryview(content)
    atomic.write(path, (rest[:at], _sha256(content, at).encode(), rest[at + len(BLANK) :]))


def read(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and header of a file that `write` made; what becomes of the file later does not change them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a file, is damaged, or comes from another version.
    """
    path = as_path("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"no model file at {path}")
    content = path.read_bytes()  # not mapped into memory: a file overwritten later would change the tensors
    try:
        header = _header(content)
        version = header["format"]
        if version == FORMAT:
            sealed = header.pop("sha256")
            if _sha256(content, content.index(sealed.encode())) != sealed:
                raise ValueError("its sha256 is not the one in its header")
            tensors = load(content)
    except (SafetensorError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a model file of gru4rec_lite, or damaged ({error})") from error
    if version != FORMAT:
        older = isinstance(version, int) and version < FORMAT
        remedy = "fit the model again and save it" if older else "install a newer gru4rec_lite"
        raise ValueError(f"{path}: format {version}, this version reads {FORMAT}; {remedy}")
    _require_numbers(path, tensors)
    return tensors, header


def to_bytes(value: Any) -> torch.Tensor:
    """Anything that JSON can hold as ``(n,)`` uint8, for a value too long for the header: millions of item ids."""
    return torch.from_numpy(np.frombuffer(to_json(value, "value").encode(), dtype=np.uint8).copy())


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
        self.path, self.network, self.optimiser = as_path("checkpoint", path), network, optimiser
        self.identity = {name: _comparable(value, name) for name, value in identity.items()}

    def write(self, history: list[dict[str, float]], best: dict[str, torch.Tensor]) -> None:
        """Write it all, atomically."""
        groups = {"network": self.network.state_dict(), "optimiser": self.optimiser.state, "best": best}
        tensors = {f"{group}/{name}": t for group, named in groups.items() for name, t in named.items()}
        write(self.path, tensors, {"model": "checkpoint", "identity": self.identity, "history": history})

    def restore(self) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
        """Put weights and optimiser back; history and best weights, both empty where there is no file yet.

        Raises:
            ValueError: the checkpoint belongs to other settings or other clicks, or holds other tensors than they need.
        """
        if not self.path.is_file():
            return [], {}
        tensors, header = read(self.path)
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
    _require_ours(path)
    atomic.require_writable(path)
    header = _peek(path) or {"model": "checkpoint"}
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
    tensors, header = read(path)
    _require_same(path, header, {name: _comparable(value, name) for name, value in identity.items()})
    if keep_best and header["history"] and not any(name.startswith("best/") for name in tensors):
        raise ValueError("keep_best=True: the checkpoint holds no best epoch, as if written without it; start anew")
    if len(header["history"]) > n_epochs:
        done = len(header["history"])
        raise ValueError(
            f"n_epochs={n_epochs}: the checkpoint has {done} epochs behind it already; give {done} or more"
        )


def require_room(path: str | Path | None, *groups: Tensors) -> None:
    """Refuse a path (if any) on a disk that has no room for these tensors beside those of the epoch before."""
    if path is not None:
        path = as_path("checkpoint", path)
        size = sum(t.numel() * t.element_size() for named in groups for t in named.values())
        atomic.require_writable(path, size if path.exists() else 2 * size)


def fingerprint(*arrays: np.ndarray) -> str:
    """A short hash of what the arrays hold."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _require_ours(path: Path) -> None:
    """Refuse a file that somebody else made: the click log, by a slip."""
    if path.is_file() and os.path.getsize(path) > 0 and _peek(path) is None:
        reason = "is no model file of gru4rec_lite, and is not overwritten; give another name, or remove it"
        raise FileExistsError(errno.EEXIST, reason, str(path))


def _require_numbers(path: str | Path, tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.isnan().any():
            raise ValueError(f"{path}: NaN in {name}, which no model can use")


def _require_a_checkpoint(path: str | Path, header: dict[str, Any]) -> None:
    if header.get("model") != "checkpoint":
        raise ValueError(f"{path}: holds a trained {header.get('model')}, not a checkpoint of its training")


def _require_same(path: str | Path, header: dict[str, Any], identity: dict[str, Any]) -> None:
    """Refuse what is no checkpoint, or one of another training."""
    _require_a_checkpoint(path, header)
    if not isinstance(header.get("identity"), dict) or not isinstance(header.get("history"), list):
        raise ValueError(f"{path}: a checkpoint without identity or history")
    for name, value in identity.items():
        if (saved := header["identity"].get(name)) != value:
            raise ValueError(f"{path}: was written with another {name} ({_short(saved)}, now {_short(value)})")


def _sha256(content: bytes, at: int) -> str:
    """Of the whole file, as if the hash itself, which stands there, were blank."""
    whole = memoryview(content)
    digest = hashlib.sha256(whole[:at])
    digest.update(BLANK)
    digest.update(whole[at + len(BLANK) :])
    return digest.hexdigest()


def _header(start: bytes) -> dict[str, Any]:
    """Our part of a file's header, from its first bytes."""
    length = int.from_bytes(start[:8], "little")
    return json.loads(json.loads(start[8 : 8 + length])["__metadata__"]["gru4rec_lite"])


def _peek(path: str | Path) -> dict[str, Any] | None:
    """The header alone, unchecked; None where there is none of ours."""
    with suppress(FileNotFoundError, KeyError, TypeError, ValueError, RecursionError), open(path, "rb") as file:
        length = file.read(8)
        header = _header(length + file.read(min(int.from_bytes(length, "little"), HEADER_AT_MOST)))
        return header if isinstance(header, dict) else None
    return None


def _form(tensors: Tensors) -> dict[str, tuple]:
    return {name: (tuple(t.shape), t.dtype) for name, t in tensors.items()}


def _comparable(value: Any, name: str) -> Any:
    """The value as JSON gives it back, or a hash of it where it is long."""
    text = to_json(value, name)
    return json.loads(text) if len(text) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()[:16]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
