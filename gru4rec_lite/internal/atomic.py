"""A file that is written whole or not at all.

It grows under a temporary name, locked, and takes its place in one move when all of it is on the disk. A lock ends with
its process: a temporary file without one is what a killed writer left, and the next writer of that place removes it.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows: no such locks, so nothing is removed
    flock = None  # type: ignore[assignment]


def write(path: str | Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write the parts one after another; a link stays, and what it points at is replaced.

    Raises:
        OSError: it cannot be written, for example because the disk is full; what was there before is still whole.
    """
    with _temporary(path) as (file, place):
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())  # or a power cut could leave the new name without its content
        if os.name == "nt":
            file.close()  # Windows moves no open file; elsewhere it is locked until it has moved
        os.replace(file.name, place)


def require_writable(path: str | Path, n_bytes: int = 0) -> None:
    """Refuse a path at which `write` would fail, by trying: no permission, a folder, no room for n_bytes."""
    with _temporary(path) as (_, place):
        if (free := shutil.disk_usage(place.parent).free) < n_bytes:
            needed = f"{n_bytes / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} are free"
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {needed}")


@contextmanager
def _temporary(path: str | Path) -> Iterator[tuple[BinaryIO, Path]]:
    """An open file, and the place that it is meant for; in the end it is there, or gone."""
    place = Path(os.path.realpath(path))
    try:
        if place.is_file() or place.is_dir():
            open(place, "r+b").close()  # a folder, or write-protected: `os.replace` would replace a protected file
        elif place.exists():  # and as root even a device
            raise OSError(errno.EEXIST, "it is no ordinary file")
        place.parent.mkdir(parents=True, exist_ok=True)
        for left in place.parent.glob(f".{glob.escape(place.name)}.{'[0-9a-f]' * 8}.unfinished"):
            with suppress(OSError, TypeError), open(left, "r+b") as leftover:
                flock(leftover, LOCK_EX | LOCK_NB)  # fails where somebody is writing it
                left.unlink()
        file = _locked(place)
        try:
            with file:
                if place.exists():
                    shutil.copymode(place, file.name)  # a private file stays private, while it is written, too
                yield file, place
        finally:
            Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        reason = f"could not be written ({error.strerror or error}); what was there before is untouched"
        raise OSError(error.errno, reason, str(path)) from error  # of the subclass that belongs to the number


def _locked(place: Path) -> BinaryIO:
    """A new temporary file, locked where the system has locks."""
    while True:
        file = open(place.with_name(f".{place.name}.{os.urandom(4).hex()}.unfinished"), "xb")  # noqa: SIM115
        with suppress(OSError, TypeError):
            flock(file, LOCK_EX)
        if os.path.exists(file.name):
            return file
        file.close()  # another took it for a leftover before it was locked
