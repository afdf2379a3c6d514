"""Model files: tensors and a JSON header in one safetensors file.

Nothing in such a file is ever executed. It is written whole or not at all (see `atomic`), never over a foreign file,
and read only if every byte is as it was written: the last 32 are the sha256 of all before them. That finds accidents;
it is no signature, and somebody who changes a file on purpose can compute it anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from . import atomic
from .checks import as_path
from .jsonable import to_json

FORMAT = 4
READ = (3, FORMAT)
SEAL = "gru4rec_lite.sha256"  # the tensor that the last 32 bytes are: safetensors allows no byte outside of one
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
    require_ours(path)
    _require_numbers(path, tensors)
    metadata = {"gru4rec_lite": to_json({"format": FORMAT, **header}, "header")}
    atomic.write(path, _sealed(save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata)))


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
        tensors = _opened(content, header) if version in READ else {}
    except (SafetensorError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a model file of gru4rec_lite, or damaged ({error})") from error
    if version not in READ:
        older = isinstance(version, int) and version < FORMAT
        remedy = "fit the model again and save it" if older else "install a newer gru4rec_lite"
        raise ValueError(f"{path}: format {version}, this version reads {' and '.join(map(str, READ))}; {remedy}")
    _require_numbers(path, tensors)
    return tensors, header


def peek(path: str | Path) -> dict[str, Any] | None:
    """The header alone, unchecked; None where there is none of ours."""
    with suppress(FileNotFoundError, KeyError, TypeError, ValueError, RecursionError), open(path, "rb") as file:
        length = file.read(8)
        header = _header(length + file.read(min(int.from_bytes(length, "little"), HEADER_AT_MOST)))
        return header if isinstance(header, dict) else None
    return None


def to_bytes(value: Any) -> torch.Tensor:
    """Anything that JSON can hold as ``(n,)`` uint8, for a value too long for the header: millions of item ids."""
    return torch.from_numpy(np.frombuffer(to_json(value, "value").encode(), dtype=np.uint8).copy())


def from_bytes(tensor: torch.Tensor) -> Any:
    """What `to_bytes` was given."""
    return json.loads(tensor.numpy().tobytes())


def fingerprint(*arrays: np.ndarray) -> str:
    """A short hash of what the arrays hold."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def require_ours(path: Path) -> None:
    """Refuse a file that somebody else made: the click log, by a slip."""
    if path.is_file() and path.stat().st_size > 0 and peek(path) is None:
        reason = "is no model file of gru4rec_lite, and is not overwritten; give another name, or remove it"
        raise FileExistsError(errno.EEXIST, reason, str(path))


def _require_numbers(path: str | Path, tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.isnan().any():
            raise ValueError(f"{path}: NaN in {name}, which no model can use")


def _header(start: bytes) -> dict[str, Any]:
    """Our part of a file's header, from its first bytes."""
    return json.loads(_split(start)[0]["__metadata__"]["gru4rec_lite"])


def _split(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """Header and tensors of a safetensors file: the header's length in 8 bytes, the header as JSON, the tensors."""
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), memoryview(content)[start:]


def _sealed(content: bytes) -> tuple[bytes | memoryview, ...]:
    """A safetensors file in parts, with one tensor more at its end: the sha256 of all before."""
    header, tensors = _split(content)
    header[SEAL] = {"dtype": "U8", "shape": [32], "data_offsets": [len(tensors), len(tensors) + 32]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    length = len(text).to_bytes(8, "little")
    digest = hashlib.sha256(length + text)
    digest.update(tensors)
    return length, text, tensors, digest.digest()


def _opened(content: bytes, header: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a file whose every byte is as it was written; ValueError of others."""
    if header["format"] == FORMAT:
        whole = hashlib.sha256(memoryview(content)[:-32]).digest() == content[-32:]
    else:  # format 3: hexadecimal in the header, of the file with zeros in its place
        seal = header.pop("sha256")
        whole = hashlib.sha256(content.replace(seal.encode(), b"0" * 64, 1)).hexdigest() == seal
    if not whole:
        raise ValueError("its sha256 is not that of its bytes")
    tensors = load(content)
    tensors.pop(SEAL, None)
    return tensors
