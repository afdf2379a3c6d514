"""Public data sets by name: where they come from, under which licence, and how they become a click log.

A file is looked for in ``$GRU4REC_LITE_DATA/<name>/`` (used in place, never copied), then in the user's cache.
Otherwise it is downloaded from its publisher into that cache, if the publisher offers it without a login and its hash
is known; other files are placed by hand. A file that is not the publisher's is neither used nor overwritten: its hash
is checked each time or, if none is known, its form and its number of clicks. ``GRU4REC_LITE_OFFLINE=1`` forbids
downloads.
"""

from __future__ import annotations

import hashlib
import html
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ..clicks import columns
from ..internal import atomic
from ..internal.checks import require_one_of
from . import readers
from .registry import REGISTRY, DataSet


class DatasetUnavailable(RuntimeError):
    """Data that is unavailable here: says why, where it comes from, its licence, and how to place the file by hand."""


def load(name: str) -> pd.DataFrame:
    """The click log of this name, as published: columns SessionId, ItemId, Time; nothing is filtered.

    Raises:
        ValueError: there is no data set of that name.
        DatasetUnavailable: its file is not here and cannot be downloaded, or differs from the publisher's.
    """
    require_one_of("name", name, REGISTRY)
    entry = REGISTRY[name]
    places = [_find(entry, file) for file in entry.files]
    try:
        log = entry.to_clicks(*places)
    except (readers.WrongFile, columns.ClickLogError, pa.ArrowException, UnicodeDecodeError) as error:
        raise _unavailable(entry, f"{_named(places)} cannot be read, {error}: move it away") from error
    read = len(log) + log.attrs.get("left_out", 0)
    if places and not entry.sha256 and read != entry.clicks:
        wrong = (
            f"{_named(places)} holds {read:,} clicks where {entry.clicks:,} were expected: cut short, or another file"
        )
        raise _unavailable(entry, f"{wrong}. To read it as it is: gru4rec_lite.datasets.readers.{name}(path)")
    return log


def published_split(name: str, log: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, test) exactly as the paper has it, filters included; only for ``"yoochoose"``, the paper's RSC15.

    Sessions of one click are dropped, then items with fewer than 5 clicks, then sessions of one click again: once each,
    before the split. Test holds the sessions whose last click is in the last day (86,400 s) of what is left, train all
    others. Test clicks on items that train lacks are dropped, then test sessions left with one click. Immediate repeats
    stay. On the whole log: 7,966,257 sessions, 31,637,239 clicks, 37,483 items; test 15,324 sessions, 71,222 clicks.

    `clicks.split_by_time` and `clicks.prepare` are stricter: a session across the cut goes to neither side, support is
    counted in train alone, and filters are repeated until nothing changes.

    Source: Hidasi et al., ICLR 2016, §4, and the authors' preprocessing.
    """
    if name != "yoochoose":
        raise ValueError(f"name={name!r}: must be 'yoochoose'; for others see `available()` and clicks.split_by_time")
    frame, times = columns.checked(log)
    (session, session_ids), (item, item_ids) = columns.numbered(frame["SessionId"]), columns.numbered(frame["ItemId"])

    def often(ids: np.ndarray, rows: np.ndarray, least: int) -> np.ndarray:
        """The rows whose id occurs in at least ``least`` of them."""
        return rows & (np.bincount(ids[rows], minlength=ids.max() + 1) >= least)[ids]

    kept = often(session, np.ones(len(frame), dtype=bool), 2)
    kept = often(session, often(item, kept, 5), 2)
    if not kept.any():
        raise columns.ClickLogError(f"Nothing is left of {len(frame):,} clicks. Remedy: give the whole log.")
    last = np.full(session.max() + 1, -np.inf)
    np.maximum.at(last, session[kept], times[kept])
    is_late = last[session] >= times[kept].max() - 86_400
    train, test = kept & ~is_late, kept & is_late
    known = np.bincount(item[train], minlength=item.max() + 1)[item] > 0
    test = often(session, test & known, 2)
    ids = {"SessionId": (session, session_ids), "ItemId": (item, item_ids)}
    for side, rows in (("train", train), ("test", test)):
        if not rows.any():
            raise columns.ClickLogError(f"No session is left for {side} (column 'Time'). Remedy: give more days.")
        n_sessions = len(np.unique(session[rows]))
        print(f"{side}: {rows.sum():,} clicks in {n_sessions:,} sessions on {len(np.unique(item[rows])):,} items")
    return columns.rows_kept(frame, train, **ids), columns.rows_kept(frame, test, **ids)


def for_reading(name: str) -> pd.DataFrame:
    """For chapters: the click log of this name or, if it is unavailable, the toyshop's with a box that says so."""
    try:
        return load(name)
    except DatasetUnavailable as reason:
        _show_box(name, reason)
        return load("toyshop")


def available() -> pd.DataFrame:
    """The known data sets, one per row: name, size before filtering, whether it is here already, how to get it,
    licence, source, the file's columns, and the preprocessing and split behind published figures.
    """
    names = ("name", "clicks", "sessions", "items", "get", "licence", "url", "columns", "preprocessing", "split")
    rows = [{name: getattr(entry, name) for name in names} for entry in REGISTRY.values()]
    table = pd.DataFrame(rows).astype({"sessions": "Int64", "items": "Int64"})
    table.insert(4, "here", ["yes" if entry.here() else "no" for entry in REGISTRY.values()])
    return table


def folder() -> Path:
    """The project's data folder: inside an installed package, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_data"
    return installed if installed.is_dir() else package.parent / "data"


def _find(entry: DataSet, file: str) -> Path:
    """A file of the data set, its hash checked if known; downloaded if it is missing and that is possible."""
    for place in entry.places(file):
        if place.is_file():
            with place.open("rb") as opened:
                if entry.sha256 and hashlib.file_digest(opened, "sha256").hexdigest() != entry.sha256:
                    raise _unavailable(entry, f"{place} is not the publisher's file (its sha256 differs): move it away")
            return place
    if not entry.sha256:
        raise _unavailable(entry, f"{file} must be placed by hand")
    if os.environ.get("GRU4REC_LITE_OFFLINE") == "1":
        raise _unavailable(entry, "GRU4REC_LITE_OFFLINE=1 forbids the download")
    return _download(entry, entry.places()[-1])


def _download(entry: DataSet, place: Path) -> Path:
    """Fetch the file, which takes its place when all of it is here and its hash is right."""
    try:
        atomic.write(place, _pieces(entry))
    except OSError as error:
        raise _unavailable(entry, f"the download failed ({type(error).__name__}: {error})") from error
    return place


def _pieces(entry: DataSet) -> Iterator[bytes]:
    """The publisher's file, piece by piece; in the end DatasetUnavailable if its hash is another."""
    import requests
    from tqdm.auto import tqdm

    hide, digest = bool(os.environ.get("TQDM_DISABLE")), hashlib.sha256()  # tqdm.auto ignores it in a notebook
    try:
        with requests.get(entry.url, stream=True, timeout=(5, 30)) as response:  # seconds to connect, and for a piece
            response.raise_for_status()
            size = int(response.headers.get("content-length", 0)) or None
            with tqdm(desc=entry.name, total=size, unit="B", unit_scale=True, leave=False, disable=hide) as bar:
                for piece in response.iter_content(2**16):
                    digest.update(piece)
                    bar.update(len(piece))
                    yield piece
    except requests.RequestException as error:
        raise _unavailable(entry, f"the download failed ({type(error).__name__}: {error})") from error
    if digest.hexdigest() != entry.sha256:
        raise _unavailable(entry, f"the download failed (its sha256 is {digest.hexdigest()}: not the publisher's file)")


def _unavailable(entry: DataSet, reason: str) -> DatasetUnavailable:
    how = f"{entry.url}: {entry.by_hand}" if entry.by_hand else f"get {entry.url} (sha256 {entry.sha256})"
    cache = " and ".join(str(entry.places(file)[-1]) for file in entry.files)
    mirror = " and ".join(f"$GRU4REC_LITE_DATA/{entry.name}/{file}" for file in entry.files)
    return DatasetUnavailable(
        f"The data set {entry.name!r} ({entry.licence}) is unavailable here: {reason}.\n"
        f"By hand: {how}, and place it at {cache}, or at {mirror}, if you set that environment variable to a "
        "folder of your own."
    )


def _named(places: list[Path]) -> str:
    return " with ".join(map(str, places))


def _show_box(name: str, reason: DatasetUnavailable) -> None:
    """Show a box in a notebook, a line elsewhere."""
    text = (
        f"This ran on toyshop, a simulated shop, not on real clicks: the data set {name!r} was unavailable. "
        f"The text is about {name!r}, so its numbers and items are not those below."
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
