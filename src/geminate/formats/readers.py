"""One reader for each source, whatever its format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from geminate.errors import UsageError
from geminate.formats import arrow, bigquery, delimited, json_array, jsonl, memory, parquet
from geminate.formats.compression import compression_of, iter_plain
from geminate.formats.json_rows import ReadColumns, RowBlock, iter_typed, observe_blocks
from geminate.formats.kept_rows import KeptRows
from geminate.formats.options import PromptOptions
from geminate.formats.record_batches import STEP_ROWS, Numbered, iter_numbered, iter_packed
from geminate.formats.row_text import encode_json_lines
from geminate.formats.schemas import conform, plain_schema
from geminate.formats.shapes import Shape
from geminate.formats.sources import (
    STDIN,
    LocalBytes,
    Outside,
    Source,
    SourceIdentity,
    iter_sources,
    measure,
    read_identity,
)
from geminate.formats.spool import Spool
from geminate.wire.uris import BQ_QUERY_SCHEME, BQ_SCHEME

_IDENTITY_BYTES = 4 * 1024 * 1024  # Rows may be pictures, and their text is taken all at once.
_JSON: dict[str, Callable[[Source, ReadColumns], Iterator[RowBlock | Numbered]]] = {
    "jsonl": jsonl.iter_row_blocks,
    "json": lambda source, _: json_array.iter_row_blocks(source),
}
_TABLES = {
    "parquet": parquet,
    "arrow": arrow,
}

Identify = Callable[[], SourceIdentity]
IterParts = Callable[[], Iterator[Numbered]]


@dataclass(frozen=True, slots=True)
class Columns:
    """What a source in columns can do: some of them are read without the others, and all of them again for little.

    Attributes:
        nbytes: About how many bytes all rows take.
        iter_parts: The rows with the columns of these names alone, numbered.
    """

    nbytes: int
    iter_parts: Callable[[Sequence[str]], Iterator[Numbered]]


@dataclass(frozen=True, slots=True)
class Reader:
    """One source, ready to be read as often as needed.

    Attributes:
        name: What the caller calls it.
        schema: Its columns, in plain types.
        iter_parts: Its rows, numbered, in small record batches of any encoding.
        identify: Reads what tells that it has changed.
        columns: How to read some columns and later all, None where it is better to put the rows by.
    """

    name: str
    schema: pa.Schema
    iter_parts: IterParts
    identify: Identify
    columns: Columns | None = None


def open_readers(sources: Any, options: PromptOptions, outside: Outside) -> list[Reader]:
    """A reader for each file, table or list of mappings, in order.

    All JSON sources, lists of mappings among them, are read through once here: they share one set of columns, whose
    types are found over all their rows.

    Raises:
        PromptError: A source does not exist or cannot be read.
        AccessError: A file may not be read.
        UsageError: No sources, or an option that fits none of them.
    """
    shape = Shape()
    finishers: list[Callable[[], Reader]] = []
    has_delimited, tables = False, 0
    for source in _flatten(sources):
        if isinstance(source, str) and source.startswith(BQ_QUERY_SCHEME):
            finishers.append(partial(_open_bigquery, source, outside, options.max_bytes_billed))
        elif isinstance(source, str):
            for file in iter_sources(source, options.input_format, outside):
                has_delimited |= file.format in delimited.DELIMITERS
                finishers.append(_open_file(file, shape, options.columns, outside.spool))
        elif isinstance(source, list):
            finishers.append(_open_mappings(source, shape))
        else:
            tables += 1
            name = f"<memory {tables}>" if tables > 1 else memory.MEMORY_NAME
            finishers.append(partial(_table_reader, name, memory.open_table(source, outside.spool)))
    if options.columns and not has_delimited:
        raise UsageError("columns names those of CSV and TSV files without a header, and there are none")
    return [finish() for finish in finishers]


def _flatten(sources: Any) -> list[Any]:
    if isinstance(sources, str | os.PathLike) or memory.is_table(sources):
        sources = [sources]
    if isinstance(sources, Mapping | bytes) or not isinstance(sources, Iterable):
        kind = type(sources).__name__
        raise UsageError(f"prompts cannot be read from {kind}", remedy="give paths, a table, or a list of mappings")
    items = list(sources)
    if not items:
        raise UsageError("no prompts", remedy="name a file, - for the standard input, or a table")
    if not all(isinstance(item, str | os.PathLike) or memory.is_table(item) for item in items):
        return [items]
    names = [os.fspath(item) if isinstance(item, os.PathLike) else item for item in items]
    if sum(name == STDIN for name in names if isinstance(name, str)) > 1:
        raise UsageError("the standard input can be read only once", where=STDIN)
    return names


def _open_file(source: Source, shape: Shape, columns: tuple[str, ...] | None, spool: Spool) -> Callable[[], Reader]:
    if source.format in _JSON:
        return _open_json(source, shape)
    identify = partial(read_identity, source)
    if source.format in delimited.DELIMITERS:
        text = delimited.open_delimited(source, columns)
        schema = pa.schema([pa.field(name, pa.string()) for name in text.names])

        def iter_rows() -> Iterator[Numbered]:
            return iter_numbered(delimited.iter_record_batches(text))

        return lambda: Reader(source.name, schema, iter_rows, identify, _columns_of(source, iter_rows))
    table = _TABLES[source.format]
    plain = _unpacked(source, spool)
    schema = plain_schema(table.read_schema(plain), source.name)

    def iter_parts(names: Sequence[str] | None = None) -> Iterator[Numbered]:
        return iter_numbered(table.iter_record_batches(plain, names))

    return lambda: Reader(source.name, schema, iter_parts, identify, Columns(table.measure(plain), iter_parts))


def _open_json(source: Source, shape: Shape) -> Callable[[], Reader]:
    iter_blocks = partial(_JSON[source.format], source)
    kept = KeptRows(may_spool=isinstance(source.place, LocalBytes))
    observe_blocks(shape, iter_blocks, source.name, kept)

    def finish() -> Reader:
        schema = pa.schema(shape.arrow_fields)
        is_kept = kept.settle(schema)

        def iter_parts() -> Iterator[Numbered]:
            source.check_unchanged()
            return kept.iter_parts(schema) if is_kept else iter_typed(iter_blocks, shape, source.name)

        identify = partial(read_identity, source)
        return Reader(source.name, schema, iter_parts, identify, _columns_of(source, iter_parts))

    return finish


def _columns_of(source: Source, iter_parts: IterParts) -> Columns | None:
    """How to read some columns of lines: of an object by reading it whole, which is better than to put its rows by."""
    if isinstance(source.place, LocalBytes) or compression_of(source) is not None:
        return None

    def iter_some(names: Sequence[str]) -> Iterator[Numbered]:
        return (Numbered(part.record_batch.select(names), part.numbers) for part in iter_parts())

    return Columns(source.place.size_bytes, iter_some)


def _open_mappings(rows: list[Any], shape: Shape) -> Callable[[], Reader]:
    name = memory.MEMORY_NAME

    def iter_blocks(_: ReadColumns) -> Iterator[RowBlock]:
        return memory.iter_row_blocks(rows)

    def finish() -> Reader:
        schema, iter_parts = pa.schema(shape.arrow_fields), partial(iter_typed, iter_blocks, shape, name)
        return Reader(name, schema, iter_parts, partial(_identify_rows, name, schema, iter_parts))

    observe_blocks(shape, iter_blocks, name)
    return finish


def _table_reader(name: str, table: pa.Table | memory.SpooledTable) -> Reader:
    schema = plain_schema(table.schema, name)

    def iter_parts(names: Sequence[str] | None = None) -> Iterator[Numbered]:
        return iter_numbered(memory.iter_table(table, names))

    identify = partial(_identify_rows, name, schema, iter_parts)
    return Reader(name, schema, iter_parts, identify, Columns(table.nbytes, iter_parts))


def _open_bigquery(uri: str, outside: Outside, max_bytes_billed: int | None) -> Reader:
    table, identity = (
        bigquery.open_table(uri, outside)
        if uri.startswith(BQ_SCHEME)
        else bigquery.open_query(uri, outside, max_bytes_billed or 0)
    )
    return replace(_table_reader(uri, table), identify=lambda: identity)


def _identify_rows(name: str, schema: pa.Schema, iter_parts: IterParts) -> SourceIdentity:
    # Of the rows as text, since a table's bytes depend on how it is cut into record batches.
    parts = iter_packed(iter_parts(), STEP_ROWS, _IDENTITY_BYTES)
    lines = (encode_json_lines(conform(part.record_batch, schema)) for part in parts)
    return SourceIdentity(name, *measure(lines))


def _unpacked(source: Source, spool: Spool) -> Source:
    if compression_of(source) is None:
        return source
    path = spool.keep(Path(source.name).name, iter_plain(source))
    return replace(source, place=LocalBytes.look_at(path))
