"""Turn each publisher's files into a click log: columns SessionId, ItemId, Time, every click, nothing filtered.

Files are read in blocks, and only the wanted columns and rows of each block are kept: the millions of clicks of RSC15
or OTTO need little more memory than the log itself. A file in any other form is refused (`WrongFile`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json

from .. import clicks as click_log

BLOCK = 2**24  # bytes to read at a time
MILLISECONDS = pa.timestamp("ms")


class WrongFile(ValueError):
    """A file that is not in its publisher's form: says what was expected."""


def eshop(path: Path) -> pd.DataFrame:
    """Dates are days, and `order` counts the clicks of a session from 1: added as seconds, it keeps them in order."""
    table = pd.read_csv(path, sep=";")
    day = pd.to_datetime(table[["year", "month", "day"]])
    time = day + pd.to_timedelta(table["order"], unit="s")
    return pd.DataFrame({"SessionId": table["session ID"], "ItemId": table["page 2 (clothing model)"], "Time": time})


def yoochoose(path: Path) -> pd.DataFrame:
    """Lines of session,time,item,category without a header; times are UTC, to the millisecond."""
    types = {"session": pa.int32(), "time": pa.timestamp("ms", tz="UTC"), "item": pa.int64(), "category": pa.string()}
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline().strip()
    if first.count(",") != 3 or not first.partition(",")[0].isdigit():
        raise WrongFile(f"a first line such as 1,2014-04-07T10:51:09.277Z,214536502,0 was expected, not {first[:80]!r}")
    blocks = _csv(path, types, wanted=["session", "item", "time"], names=list(types))
    return _log((block["session"], block["item"], block["time"].cast(MILLISECONDS)) for block in blocks)


def retailrocket(path: Path) -> pd.DataFrame:
    """Views only; a visitor's views are one session until a pause of more than an hour (Hidasi & Czapp 2023).

    Others (session-rec) cut all events at 30 minutes before selecting the views: their sessions differ.
    """
    names = _header(path, ",", ["timestamp", "visitorid", "event", "itemid", "transactionid"])
    types = {"timestamp": MILLISECONDS, "visitorid": pa.int64(), "event": pa.string(), "itemid": pa.int64()}
    # milliseconds since 1970, which a csv parser does not read as a time
    blocks = _csv(path, types | {"timestamp": pa.int64()}, wanted=list(types), names=names, skip=1)
    views = (block.filter(pc.equal(block["event"], "view")) for block in blocks)
    log = _log((view["visitorid"], view["itemid"], view["timestamp"].cast(MILLISECONDS)) for view in views)
    return click_log.sessionise(log.rename(columns={"SessionId": "UserId"}), gap=3600).drop(columns="UserId")


def diginetica(path: Path) -> pd.DataFrame:
    """Item views; Time is the first day of the session plus `timeframe`, the milliseconds since the session began.

    The order inside a session is that of `timeframe`; the rows of the file are in another order. Early papers used a
    wrong order: their Recall@20 is near 62 %; with the right one it is near 50 %. Never mix the two.
    """
    names = _header(path, ";", ["sessionid", "userid", "itemid", "timeframe", "eventdate"])
    session, _, item, since, day = names
    types = {session: pa.int64(), item: pa.int64(), since: pa.int64(), day: pa.date32()}
    blocks = list(_csv(path, types, wanted=list(types), names=names, skip=1, delimiter=";"))
    if not blocks:
        raise WrongFile("clicks were expected, but there are none")
    columns = pa.Table.from_batches(blocks)
    log = columns.select([session, item]).rename_columns(["SessionId", "ItemId"]).to_pandas()
    days = pd.Series(columns[day].cast(pa.timestamp("ms")).to_numpy())
    first = days.groupby(log["SessionId"]).transform("min")
    return log.assign(Time=first + pd.to_timedelta(columns[since].to_numpy(), unit="ms").as_unit("ms"))


def rees46(*paths: Path) -> pd.DataFrame:
    """Views only, in the shop's own sessions (`user_session`); the few rows without one are left out and counted."""
    types = {"event_time": pa.timestamp("s"), "event_type": pa.string()}
    types |= {"product_id": pa.int64(), "user_session": pa.string()}
    left_out = 0

    def views() -> Iterator[tuple[pa.Array, ...]]:
        nonlocal left_out
        for path in paths:
            names = _header(path, ",", list(types), exact=False)
            blocks = _csv(path, types, wanted=list(types), names=names, skip=1, missing=["user_session"])
            for block in blocks:
                view = block.filter(pc.equal(block["event_type"], "view"))
                left_out += view["user_session"].null_count
                view = view.filter(pc.is_valid(view["user_session"]))
                yield view["user_session"], view["product_id"], view["event_time"]

    log = _log(views())
    log.attrs["left_out"] = left_out
    return log


def otto(*paths: Path) -> pd.DataFrame:
    """Clicks only, not carts and orders (as TRON, RecSys 2023); each line is one JSON object and one session."""
    event = pa.struct({"aid": pa.int32(), "ts": pa.int64(), "type": pa.string()})
    schema = pa.schema({"session": pa.int32(), "events": pa.list_(event)})
    parse = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    read = pa.json.ReadOptions(block_size=2**30)  # each piece is one block, since sessions must not be cut

    def clicks() -> Iterator[tuple[pa.Array, ...]]:
        for path in paths:
            for piece in _whole_lines(path):
                table = pa.json.read_json(io.BytesIO(piece), read, parse)
                _full(table, ["session", "events"])
                events = pc.list_flatten(table["events"]).combine_chunks()
                parent = pc.list_parent_indices(table["events"]).combine_chunks()
                session = table["session"].combine_chunks().take(parent)
                aid, ts, kind = events.flatten()
                _full(pa.table({"aid": aid, "ts": ts, "type": kind}), ["aid", "ts", "type"])
                click = pc.equal(kind, "clicks")
                yield session.filter(click), aid.filter(click), ts.filter(click).cast(MILLISECONDS)

    return _log(clicks())


def _header(path: Path, delimiter: str, expected: list[str], exact: bool = True) -> list[str]:
    """The names in a file's first line, which must be (or include) these; `session_id` counts as `sessionId`."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        names = file.readline().strip().split(delimiter)
    plain = [name.strip().strip('"') for name in names]
    if exact and [name.replace("_", "").lower() for name in plain] == expected:
        return plain
    if not exact and set(expected) <= set(plain):
        return plain
    raise WrongFile(f"the columns {delimiter.join(expected)} were expected, not {delimiter.join(names)[:120]!r}")


def _csv(
    path: Path, types: dict[str, pa.DataType], wanted: list[str], names: list[str],
    skip: int = 0, delimiter: str = ",", missing: list[str] | None = None,
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """The wanted columns of a csv file, block by block; values may be missing only in the columns ``missing``."""
    blocks = pa.csv.open_csv(
        path,
        read_options=pa.csv.ReadOptions(column_names=names, skip_rows=skip, block_size=BLOCK),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter),
        convert_options=pa.csv.ConvertOptions(
            include_columns=wanted,
            column_types=types,
            strings_can_be_null=True,
            null_values=["", "NA"],
            timestamp_parsers=[pa.csv.ISO8601, "%Y-%m-%d %H:%M:%S UTC"],
        ),
    )
    for block in blocks:
        _full(block, [name for name in wanted if name not in (missing or [])])
        yield block


def _full(table: pa.Table | pa.RecordBatch, columns: list[str]) -> None:
    for name in columns:
        if table[name].null_count:
            raise WrongFile(f"a value in every row of the column {name!r} was expected")


def _whole_lines(path: Path) -> Iterator[bytes]:
    """A file in pieces that end at a line end."""
    with path.open("rb") as file:
        while piece := file.read(BLOCK):
            piece += file.readline()
            if piece.strip():
                yield piece


def _log(blocks: Iterator[tuple[pa.Array, ...]]) -> pd.DataFrame:
    """A click log from blocks of sessions, items and times."""
    parts = list(blocks)
    if not parts:
        raise WrongFile("clicks were expected, but there are none")
    columns = {}
    for name, chunks in zip(("SessionId", "ItemId", "Time"), zip(*parts, strict=True), strict=True):
        chunked = pa.chunked_array(list(chunks))
        text = pa.types.is_string(chunked.type)
        columns[name] = pd.array(chunked, dtype=pd.StringDtype("pyarrow")) if text else chunked.to_numpy()
    return pd.DataFrame(columns, copy=False)
