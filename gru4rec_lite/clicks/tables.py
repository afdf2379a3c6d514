"""Files with typed columns: parquet, folders of parquet parts, and .jsonl; lists are unfolded.

A session per row becomes a click per row.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet

from . import raw
from .columns import ClickLogError, require
from .values import is_text

Wanted = dict[str, str]


def read_parquet(path: Path, wanted: Wanted) -> pa.Table:
    """The wanted columns of a file, or of all parts in a folder, in order of name (part-2 before part-10)."""
    paths = _parts(path) if path.is_dir() else [path]
    parts = []
    for one in paths:
        schema = pa.parquet.read_schema(one)
        columns = _places(schema, wanted)
        parts.append(_fields(pa.parquet.read_table(one, columns=list(dict.fromkeys(columns.values()))), columns))
        kinds = [[_kind(part.schema.field(name).type) for name in wanted] for part in (parts[0], parts[-1])]
        for name, first, here in zip(wanted, *kinds, strict=True):
            if first != here:
                remedy = "write all parts with the same columns"
                raise ClickLogError(f"Column {name!r}: {first} in {paths[0]}, {here} in {one}. Remedy: {remedy}.")
    return pa.concat_tables(parts, promote_options="permissive")


def _parts(folder: Path) -> list[Path]:
    there = [one for one in folder.iterdir() if not one.name.startswith((".", "_"))]  # _SUCCESS, .part-0.crc
    odd = [one.name for one in there if one.suffix.lower() != ".parquet" or not one.is_file()]
    if odd or not there:
        holds = f"which holds {min(odd)!r}" if odd else "and it is empty"
        nested = "; if it has folders of parts: clicks = pandas.read_parquet(path), every function takes such a frame"
        raise ClickLogError(
            f"There is no click log at {folder.absolute()}, which is a folder, {holds}. Remedy: check "
            f"path={str(folder)!r}; in a folder of parts all files end in .parquet"
            f"{nested if any(one.is_dir() for one in there) else ''}."
        )
    there.sort(key=lambda one: one.name)  # part-1 and part-01 are the same number, and a folder has no order
    return sorted(there, key=lambda one: [(len(n), n) if n.isdigit() else (0, n) for n in _digits(one.name)])


def _digits(name: str) -> list[str]:
    """Text and numbers alternately, so that names are compared by the value of their numbers."""
    return [piece.lstrip("0") or "0" if piece.isdigit() else piece for piece in re.split(r"([0-9]+)", name)]


def read_jsonl(path: Path, wanted: Wanted) -> pa.Table:
    """The wanted fields of one JSON object per line; a list of objects (OTTO's events) makes a row a session."""
    parts: list[pa.Table] = []
    schema: pa.Schema | None = None
    for piece in _whole_lines(path):
        if schema is None:
            found = _objects(path, piece, None).schema
            columns = _places(found, wanted)
            schema = pa.schema([(name, _json_type(found.field(name).type)) for name in dict.fromkeys(columns.values())])
        parts.append(_fields(_objects(path, piece, schema, sum(map(len, parts))), columns))
    if not parts:
        _places(pa.schema([]), wanted)
    return pa.concat_tables(parts)


def _objects(path: Path, piece: bytes, schema: pa.Schema | None, before: int = 0) -> pa.Table:
    """The rows of a piece; ``before``: the number of rows in the pieces before it."""
    parse = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore" if schema else "infer")
    try:
        return pa.json.read_json(io.BytesIO(piece), pa.json.ReadOptions(block_size=len(piece) + 1), parse)
    except pa.ArrowInvalid as error:
        complaint, _, number = str(error).partition(" in row ")
        where = f"First bad row: {before + int(number) + 1}" if number.isdigit() else f"It is after row {before}"
        remedy = "repair the row, or save the file again as UTF-8"
        if "changed from" in complaint or "Failed to convert" in complaint:
            remedy = "write the field the same way in all rows: as text, as integers, or all with a decimal point"
        raise ClickLogError(
            f"{path} cannot be read: {complaint.rstrip('.')}. {where} (data rows counted from 1). Remedy: {remedy}."
        ) from error


def require_utf8(table: pa.Table) -> None:
    """ClickLogError about text that is not UTF-8, which readers of parquet and .jsonl do not check."""
    for name in table.column_names:
        column = table[name]
        if not is_text(column.type):
            continue
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            texts = column.cast(pa.large_binary()).to_pylist()
            row = next(k for k, text in enumerate(texts) if text and text.decode(errors="ignore").encode() != text)
            raise ClickLogError(
                f"Column {name!r}: {texts[row]!r} is not UTF-8. First bad row: {row + 1} (data rows counted from 1). "
                "Remedy: save the file again as UTF-8."
            ) from error


def _json_type(kind: pa.DataType) -> pa.DataType:
    """The type to read a field as: text that looks like a time stays text."""
    if pa.types.is_timestamp(kind) or pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_json_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _json_type(field.type)) for field in kind])
    return kind


def _whole_lines(path: Path) -> Iterator[bytes]:
    """A file in pieces of about 16 MB that end at a line end."""
    rest = b""
    for block in raw.blocks(path, 16 * raw.BLOCK):
        end = block.rfind(b"\n") + 1
        if end and (rest + block[:end]).strip():
            yield rest + block[:end]
            rest = b""
        rest += block[end:]
    if rest.strip():
        yield rest


# --- columns inside others


def _places(schema: pa.Schema, wanted: Wanted) -> dict[str, str]:
    """Each wanted column -> the file's column that holds it: itself, or a list of objects with it as a field."""
    inside = {
        field.name: [one.name for one in field.type.value_type]
        for field in schema
        if _is_list(field.type) and pa.types.is_struct(field.type.value_type)
    }
    every = schema.names + [name for names in inside.values() for name in names if name not in schema.names]
    for column, argument in wanted.items():
        require(column, every, f"set {argument}=… to the right name")
    return {
        name: next((own for own in inside if name in inside[own] and name not in schema.names), name) for name in wanted
    }


def _fields(table: pa.Table, places: dict[str, str]) -> pa.Table:
    """The columns by name, with dictionaries and the like decoded, and lists of objects as lists of one field each."""
    columns = {}
    for name, place in places.items():
        column = table[place]
        if name != place:
            column = pa.chunked_array([_field(chunk, name) for chunk in column.chunks], _field(column.type, name))
        columns[name] = _decoded(column, name)
    return pa.table(columns)


def _field(lists: Any, name: str) -> Any:
    if isinstance(lists, pa.DataType):
        return pa.list_(lists.value_type.field(name).type)
    offsets = pc.cumulative_sum(pc.list_value_length(lists).fill_null(0).cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), offsets])
    return pa.ListArray.from_arrays(offsets, pc.struct_field(lists.flatten(), name), mask=lists.is_null())


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _kind(kind: pa.DataType) -> str:
    """A name for a type; types that may be mixed share one."""
    if _is_list(kind):
        return f"lists of {_kind(kind.value_type)}"
    return "integers" if pa.types.is_integer(kind) else "text" if str(kind) in ("string", "large_string") else str(kind)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that pandas reads correctly: text and dates instead of dictionaries, views, bytes and days."""
    if _is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if str(kind) in ("string", "large_string", "string_view", "binary", "large_binary", "binary_view"):
        return pa.string() if str(kind) != "large_string" else kind
    if pa.types.is_date(kind):
        return pa.timestamp("s" if pa.types.is_date32(kind) else "ms")
    return pa.int64() if pa.types.is_decimal(kind) and kind.scale == 0 else kind


def _decoded(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    kind = _plain_type(column.type)
    inner = kind.value_type if _is_list(kind) else kind
    if pa.types.is_nested(inner) and not _is_list(inner):
        remedy = "name a field of it, or write the column again as text, integers or times"
        raise ClickLogError(f"Column {name!r} holds {column.type}, neither an id nor a time. Remedy: {remedy}.")
    try:
        return column if kind == column.type else column.cast(kind)
    except pa.ArrowException as error:
        remedy = "write the column again as text, integers or times"
        raise ClickLogError(
            f"Column {name!r} holds {column.type}, which is not a {kind}: {error}. Remedy: {remedy}."
        ) from error


# --- a session per row


def unfold(table: pa.Table, wanted: Wanted, notes: list[str]) -> tuple[pa.Table, bool]:
    """One click per row if the items are lists, and whether they were; rows without a click are noted.

    A column of lists must have as many values as the row has items; any other value is repeated for every click.
    """
    lists = [name for name in table.column_names if _is_list(table[name].type)]
    items = next(name for name, argument in wanted.items() if argument == "item")
    if not lists:
        return table, False
    for name in lists:
        if items not in lists or _is_list(table[name].type.value_type):
            problem = "lists of lists" if items in lists else f"lists, but {items!r} holds none"
            raise ClickLogError(
                f"Column {name!r} holds {problem}. First bad row: 1 (data rows counted from 1), all of them. "
                "Remedy: give every click a row of its own, as pandas.DataFrame.explode does."
            )
    lengths = {name: pc.list_value_length(table[name]).fill_null(0).to_numpy() for name in lists}
    for name in lists:
        odd = lengths[name] != lengths[items]
        if odd.any():
            row = int(odd.argmax())
            raise ClickLogError(
                f"Column {name!r}: a list of {lengths[name][row]} in a row with {lengths[items][row]} of {items!r}. "
                f"First bad row: {row + 1} (data rows counted from 1), {odd.sum():,} in all. Remedy: repair the rows, "
                "so that all their lists are of one length."
            )
    if n_empty := int((lengths[items] == 0).sum()):
        notes.append(f"{n_empty:,} of {len(table):,} rows hold no click: their lists in {items!r} are empty")
    parents = np.repeat(np.arange(len(table)), lengths[items])  # a missing list may hide values, which do not count
    flat = {
        name: pc.list_flatten(table[name]) if name in lists else table[name].take(parents)
        for name in table.column_names
    }
    return pa.table(flat), True
