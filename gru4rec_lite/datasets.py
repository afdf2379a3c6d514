"""Public data sets by name: where they come from, under which licence, and how they become a click log.

A file is looked for in ``$GRU4REC_LITE_DATA/<name>/`` (used in place, never copied), then in the user's cache, and is
otherwise downloaded from its publisher into that cache. Its hash is checked each time, and a file with another hash is
neither used nor overwritten. ``GRU4REC_LITE_OFFLINE=1`` forbids downloads.
"""

from __future__ import annotations

import hashlib
import html
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from . import toyshop


class DatasetUnavailable(RuntimeError):
    """Data that cannot be had here: says why, where they come from, the licence, how to place the file by hand."""


@dataclass(frozen=True)
class DataSet:
    """One entry of the registry. ``clicks``, ``sessions`` and ``items`` are those of the unfiltered log."""

    name: str
    clicks: int
    sessions: int
    items: int
    licence: str
    to_clicks: Callable[..., pd.DataFrame]  # from the publisher's file, if there is one
    url: str = ""  # empty for a simulated set: it has no file
    file: str = ""
    sha256: str = ""

    def places(self) -> list[Path]:
        """Where the file may lie, in the order in which it is looked for; it is downloaded to the last."""
        import pooch

        mirror = os.environ.get("GRU4REC_LITE_DATA")
        folders = [Path(mirror)] if mirror else []
        return [folder / self.name / self.file for folder in (*folders, Path(pooch.os_cache("gru4rec_lite")))]

    def here(self) -> bool:
        """Whether the set can be loaded without a download."""
        return not self.url or any(place.is_file() for place in self.places())


def _eshop(path: Path) -> pd.DataFrame:
    # Dates are to the day, and `order` counts the clicks of a session from 1: taken as seconds it keeps them in order.
    table = pd.read_csv(path, sep=";")
    day = pd.to_datetime(table[["year", "month", "day"]])
    time = day + pd.to_timedelta(table["order"], unit="s")
    return pd.DataFrame({"SessionId": table["session ID"], "ItemId": table["page 2 (clothing model)"], "Time": time})


def _toyshop() -> pd.DataFrame:
    return toyshop.simulate(n_sessions=20_000, seed=0)


REGISTRY = {
    entry.name: entry
    for entry in (
        DataSet(
            name="eshop",
            clicks=165_474,
            sessions=24_026,
            items=217,
            licence="CC BY 4.0",
            to_clicks=_eshop,
            url="https://archive.ics.uci.edu/static/public/553/clickstream+data+for+online+shopping.zip",
            file="clickstream+data+for+online+shopping.zip",
            sha256="cc8fd7588fb7f0b87441a88a9afb2868e92dc3124089c6c41fa23b762909cd2d",
        ),
        DataSet(
            name="toyshop",
            clicks=119_163,
            sessions=20_000,
            items=160,
            licence="MIT (simulated)",
            to_clicks=_toyshop,
        ),
    )
}


def load(name: str) -> pd.DataFrame:
    """The click log of that name, as published: columns SessionId, ItemId, Time; nothing is filtered.

    Raises:
        ValueError: there is no data set of that name.
        DatasetUnavailable: its file is not here and cannot be downloaded, or is another one than the publisher's.
    """
    if name not in REGISTRY:
        raise ValueError(f"name={name!r}: must be one of {', '.join(map(repr, REGISTRY))}")
    entry = REGISTRY[name]
    return entry.to_clicks(_find(entry)) if entry.url else entry.to_clicks()


def for_reading(name: str) -> pd.DataFrame:
    """For chapters: the click log of that name or, where it cannot be had, the toyshop's with a box that says so."""
    try:
        return load(name)
    except DatasetUnavailable as reason:
        _show_box(name, reason)
        return load("toyshop")


def available() -> pd.DataFrame:
    """The data sets there are: name, size before filtering, licence, source, and whether it is here already."""
    columns = ("name", "clicks", "sessions", "items", "licence", "url")
    rows = [{column: getattr(entry, column) for column in columns} for entry in REGISTRY.values()]
    return pd.DataFrame(rows).assign(here=["yes" if entry.here() else "no" for entry in REGISTRY.values()])


def folder() -> Path:
    """The project's data folder: inside an installed package, or beside the package in a checkout."""
    package = Path(__file__).parent
    installed = package / "_data"
    return installed if installed.is_dir() else package.parent / "data"


def _find(entry: DataSet) -> Path:
    """The data set's file, its hash checked; downloaded if it is in none of its places."""
    for place in entry.places():
        if place.is_file():
            with place.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                    raise _unavailable(entry, f"{place} is not the publisher's file (its sha256 differs): move it away")
            return place
    if os.environ.get("GRU4REC_LITE_OFFLINE") == "1":
        raise _unavailable(entry, "GRU4REC_LITE_OFFLINE=1 forbids the download")
    return _download(entry, entry.places()[-1])


def _download(entry: DataSet, place: Path) -> Path:
    """Fetch the file under a passing name; pooch moves it into place when its hash is right."""
    import pooch
    import requests
    from tqdm.auto import tqdm

    hide = bool(os.environ.get("TQDM_DISABLE"))  # tqdm.auto forgets its own switch in a notebook

    def fetch(url: str, passing: str, _: object) -> None:
        with requests.get(url, stream=True, timeout=(5, 30)) as response:  # seconds to connect, and between two pieces
            response.raise_for_status()
            size = int(response.headers.get("content-length", 0)) or None
            with (
                open(passing, "wb") as file,
                tqdm(desc=entry.name, total=size, unit="B", unit_scale=True, leave=False, disable=hide) as bar,
            ):
                for piece in response.iter_content(2**16):
                    file.write(piece)
                    bar.update(len(piece))

    pooch.get_logger().setLevel("WARNING")  # the bar tells the rest
    try:
        pooch.retrieve(entry.url, f"sha256:{entry.sha256}", place.name, place.parent, downloader=fetch)
    except (requests.RequestException, OSError, ValueError) as error:  # ValueError: the hash is another
        raise _unavailable(entry, f"the download failed ({type(error).__name__}: {error})") from error
    return place


def _unavailable(entry: DataSet, reason: str) -> DatasetUnavailable:
    return DatasetUnavailable(
        f"The data set {entry.name!r} ({entry.licence}) is not to be had here: {reason}.\n"
        f"By hand: get {entry.url} (sha256 {entry.sha256}) and place it at {entry.places()[-1]}, or at "
        f"$GRU4REC_LITE_DATA/{entry.name}/{entry.file}, where that environment variable names a folder of yours."
    )


def _show_box(name: str, reason: DatasetUnavailable) -> None:
    """In a notebook a box, elsewhere a line."""
    text = (
        f"This ran on toyshop, a simulated shop, and not the real clicks: the data set {name!r} was not to be had. "
        f"The text speaks of {name!r}, so its numbers and items are not those below."
    )
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        print(text, reason, sep="\n")
        return
    from IPython.display import display

    frame = "border: 2px solid; border-left-width: 8px; border-radius: 4px; padding: 0.6em 1em; margin: 1em 0"
    wrap = "white-space: pre-wrap; overflow-wrap: anywhere"
    box = (
        f'<div class="g4r-box g4r-toyshop-box" role="note" style="{frame}">{html.escape(text)}'
        "<details><summary>Why, and how to get the real clicks</summary>"
        f'<p style="{wrap}">{html.escape(str(reason))}</p></details></div>'
    )
    display({"text/html": box, "text/plain": text}, raw=True)
