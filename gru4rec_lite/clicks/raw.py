"""The bytes of a click log's file: unpacked, without a byte order mark, one block at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

from .refusals import ClickLogError

TEXT = (".csv", ".tsv", ".txt", ".jsonl")
KINDS = "a .csv, .tsv, .txt, .jsonl or .parquet file (text also as .gz or .zip), or a folder of .parquet parts"
BOM = b"\xef\xbb\xbf"
MAGIC = {b"\x1f\x8b": ".gz", b"PK\3\4": ".zip", b"PAR1": ".parquet"}  # first bytes -> the file's proper ending
BLOCK = 2**20  # bytes; tests make it small, so that block borders fall on every odd place


def kind_of(path: Path) -> str:
    """The kind of a file, by the ending of its name or of what is packed in it; ValueError for any other kind."""
    kind = path.suffix.lower()
    if kind == ".parquet":
        return kind
    names = [path.stem if kind == ".gz" else path.name] if kind != ".zip" else _members(path)
    kinds = [Path(name).suffix.lower() for name in names]
    if len(names) == 1 and kinds[0] in TEXT:
        return kinds[0]
    inside = "" if kind != ".zip" else f", but this one holds {', '.join(map(repr, names)) or 'no file'}"
    raise ValueError(f"path={str(path)!r}: must be {KINDS}{inside}")


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of a text file, unpacked."""
    kind = path.suffix.lower()
    if kind == ".zip":
        try:
            return zipfile.ZipFile(path).open(_members(path)[0])
        except RuntimeError as error:  # a password, or a compression that Python lacks
            remedy = "unpack it, and read the file inside"
            raise ClickLogError(f"{path} cannot be read: {error}. Remedy: {remedy}.") from error
    return pa.input_stream(path, compression="gzip" if kind == ".gz" else None)


def remedy(path: Path) -> str:
    """The remedy for a file that cannot be read: rename it if its ending does not match its content."""
    begin = b""
    if path.is_file():
        with path.open("rb") as file:
            begin = file.read(4)
    kind = next((ending for magic, ending in MAGIC.items() if begin.startswith(magic)), "")
    has = path.suffix.lower()
    if kind == has or (not kind and has not in MAGIC.values()):
        return "repair the file, or save it again as UTF-8"
    if not kind:
        return f"it is not a {has} file; if it is text, rename it accordingly, such as to .csv"
    if kind == ".zip":
        return "it is a zip file: rename it to end in .zip, or, if it is an Excel workbook, save it as CSV in UTF-8"
    return f"it is a {kind} file: rename it accordingly, such as to {'.csv.gz' if kind == '.gz' else kind}"


def blocks(path: Path, size: int | None = None) -> Iterator[bytes]:
    """A text file, unpacked, in blocks of ``size`` bytes, without its byte order mark."""
    size = size or BLOCK
    with open_bytes(path) as stream:
        first = stream.read(max(size, len(BOM))).removeprefix(BOM)
        if first:
            yield first
        while block := stream.read(size):
            yield block


def _members(path: Path) -> list[str]:
    """The files in a zip, except those that a Mac adds."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    mac = [name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(("._", ".DS_Store")) for name in names]
    return [name for name, is_mac in zip(names, mac, strict=True) if not is_mac and not name.endswith("/")]
