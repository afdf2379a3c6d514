"""The public data sets that the package knows: facts about each, and how published work prepares and splits it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import toyshop
from . import readers


@dataclass(frozen=True)
class DataSet:
    """One entry of the registry. ``clicks``, ``sessions`` and ``items`` are those of the unfiltered log."""

    name: str
    clicks: int
    sessions: int | None  # None: not published
    items: int | None
    licence: str
    to_clicks: Callable[..., pd.DataFrame]  # from the publisher's files, if there are any
    url: str = ""  # of the file, or of the page that offers it if it is placed by hand; empty: simulated, no file
    file: str = ""
    sha256: str = ""  # empty: unknown, so nothing is downloaded
    further: tuple[str, ...] = ()  # more files that belong to it
    columns: str = ""  # of the file
    by_hand: str = ""  # how readers get the files, if they must
    preprocessing: str = ""  # as published
    split: str = ""  # as published

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file, *self.further) if self.file else ()

    def places(self, file: str = "") -> list[Path]:
        """Where a file may be, in the order of the search; downloads go to the last place."""
        import pooch

        mirror = os.environ.get("GRU4REC_LITE_DATA")
        folders = [Path(mirror).expanduser()] if mirror else []
        return [folder / self.name / (file or self.file) for folder in (*folders, Path(pooch.os_cache("gru4rec_lite")))]

    def here(self) -> bool:
        """Whether the set can be loaded without a download."""
        return all(any(place.is_file() for place in self.places(file)) for file in self.files)

    @property
    def get(self) -> str:
        """What must be done to get it."""
        return "nothing: simulated" if not self.url else "by hand" if self.by_hand else "nothing: downloaded"


def _toyshop() -> pd.DataFrame:
    return toyshop.simulate(n_sessions=20_000, seed=0)


ITERATED = "drop immediate repeats, then items with < 5 clicks and sessions of one click until nothing changes"
KAGGLE = "log in to Kaggle, download the archive, unzip it"
REGISTRY = {
    entry.name: entry
    for entry in (
        DataSet(
            name="eshop",
            clicks=165_474,
            sessions=24_026,
            items=217,
            licence="CC BY 4.0",
            to_clicks=readers.eshop,
            url="https://archive.ics.uci.edu/static/public/553/clickstream+data+for+online+shopping.zip",
            file="clickstream+data+for+online+shopping.zip",
            sha256="cc8fd7588fb7f0b87441a88a9afb2868e92dc3124089c6c41fa23b762909cd2d",
            columns="year;month;day;order;country;session ID;page 1 (main category);page 2 (clothing model);…",
            preprocessing=f"this book: split, then {ITERATED}",
            split="this book: last 14 days",
        ),
        DataSet(
            name="toyshop",
            clicks=119_163,
            sessions=20_000,
            items=160,
            licence="MIT (simulated)",
            to_clicks=_toyshop,
            columns="SessionId, ItemId, Time",
            preprocessing=f"this book: split, then {ITERATED}",
            split="this book: last 14 days",
        ),
        DataSet(
            name="yoochoose",
            clicks=33_003_944,
            sessions=9_249_729,
            items=52_739,
            licence="see dataset-README.txt in the archive",
            to_clicks=readers.yoochoose,
            url="https://2015.recsyschallenge.com/challenge.html",
            file="yoochoose-clicks.dat",
            columns="session,time,item,category (no header)",
            by_hand="download https://s3-eu-west-1.amazonaws.com/yc-rdata/yoochoose-data.7z and unpack it with 7-Zip",
            preprocessing="RSC15 (GRU4Rec 2016): drop sessions of one click, items with < 5 clicks, sessions of one "
            "click again; immediate repeats stay",
            split="sessions that end in the last day, without unknown items: published_split",
        ),
        DataSet(
            name="retailrocket",
            clicks=2_664_312,
            sessions=None,
            items=None,
            licence="see its page at Kaggle",
            to_clicks=readers.retailrocket,
            url="https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
            file="events.csv",
            columns="timestamp,visitorid,event,itemid,transactionid",
            by_hand=KAGGLE,
            preprocessing=f"Hidasi & Czapp 2023: views, sessions cut at pauses of an hour, {ITERATED}",
            split="sessions that start in the last 7 days; training clicks before",
        ),
        DataSet(
            name="diginetica",
            clicks=1_235_380,
            sessions=310_324,
            items=122_993,
            licence="see the page of CIKM Cup 2016, track 2",
            to_clicks=readers.diginetica,
            url="https://competitions.codalab.org/competitions/11161",
            file="train-item-views.csv",
            columns="sessionId;userId;itemId;timeframe;eventdate",
            by_hand="register there, download dataset-train-diginetica.zip, unzip it",
            preprocessing=f"Hidasi & Czapp 2023: order by timeframe, {ITERATED}",
            split="sessions that start in the last 7 days; training clicks before",
        ),
        DataSet(
            name="rees46",
            clicks=104_335_509,
            sessions=None,
            items=None,
            licence="see its page at Kaggle",
            to_clicks=readers.rees46,
            url="https://www.kaggle.com/datasets/mkechinov/ecommerce-behavior-data-from-multi-category-store",
            file="2019-Oct.csv",
            further=("2019-Nov.csv",),
            columns="event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session",
            by_hand=KAGGLE,
            preprocessing=f"Hidasi & Czapp 2023: views, a user's clicks cut at pauses of an hour (here: the shop's own "
            f"sessions), {ITERATED}",
            split="sessions that start in the last day; training clicks before",
        ),
        DataSet(
            name="otto",
            clicks=207_061_257,
            sessions=None,
            items=None,
            licence="CC BY 4.0",
            to_clicks=readers.otto,
            url="https://www.kaggle.com/datasets/otto/recsys-dataset",
            file="otto-recsys-train.jsonl",
            further=("otto-recsys-test.jsonl",),
            columns='{"session", "events": [{"aid", "ts", "type"}]}, one session per line',
            by_hand=KAGGLE,
            preprocessing="TRON 2023: clicks only, nothing else dropped",
            split="the publisher's two files: four weeks, and the week after",
        ),
    )
}
