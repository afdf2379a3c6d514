"""A file that is written whole or not at all.

It grows under a passing name beside its place, and takes the place in one move when all of it is on the disk. A process
that is killed before leaves the passing file; whoever writes there next removes it.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows: no locks, so nothing is tidied
    fcntl = None  # type: ignore[assignment]


def write(path: str | Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write the parts one after another; a link stays, and what it points at is replaced.

    Raises:
        OSError: it cannot be written, for example because the disk is full; what was there before is still whole.
    """
    with _passing(path) as (place, passing, file):
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())  # or a power cut could leave the new name without its content
        file.close()
        os.replace(passing, place)


def require_writable(path: str | Path, n_bytes: int = 0) -> None:
    """Refuse a path at which `write` would fail, by trying: no permission, a folder, a disk without room for n_bytes.

    What killed writers of this file left behind is removed.
    """
    with _passing(path) as (place, _, file):
        file.write(b"trial")
        file.flush()
        free = shutil.disk_usage(place.parent).free
        if free < n_bytes:
            needed = f"{n_bytes / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} are free"
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {needed}")


@contextmanager
def _passing(path: str | Path) -> Iterator[tuple[Path, Path, BinaryIO]]:
    """The place to be written, a passing name beside it, and the open file of that name; in the end it is gone."""
    place = Path(os.path.realpath(Path(path).expanduser()))
    passing = place.with_name(f".{place.name}.{secrets.token_hex(4)}.unfinished")
    try:
        _refuse_taken(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        _tidy(place)
        try:
            with open(passing, "xb") as file:
                _hold(file)
                if place.exists():
                    shutil.copymode(place, passing)  # a private file stays private, while it is written, too
                yield place, passing, file
        finally:
            passing.unlink(missing_ok=True)
    except OSError as error:
        reason = f"could not be written ({error.strerror or error}); what was there before is untouched"
        raise OSError(error.errno, reason, str(path)) from error  # of the subclass that belongs to the number


def _refuse_taken(place: Path) -> None:
    """What the system would let us replace all the same: as root even a device, and everywhere a protected file."""
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if place.exists() and not place.is_file():
        raise FileExistsError(errno.EEXIST, "it is no ordinary file")
    if place.exists() and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")


def _hold(file: Any) -> None:
    """Show that somebody is at work on this file: by a lock, which ends with the process, however that ends."""
    if fcntl:
        with suppress(OSError):  # a file system without locks; nothing is tidied there
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _tidy(place: Path) -> None:
    """Remove what killed writers of this place left behind; what another process is writing is locked, and stays."""
    for left in place.parent.glob(f".{glob.escape(place.name)}.{'[0-9a-f]' * 8}.unfinished"):
        with suppress(OSError), open(left, "r+b") as file:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
