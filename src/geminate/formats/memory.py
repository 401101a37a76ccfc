"""Prompts that are in memory already: tables, record batch readers, mappings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from geminate.errors import PromptError, room_left
from geminate.formats.json_rows import RowBlock
from geminate.formats.record_batches import STEP_ROWS
from geminate.formats.spool import Spool

MEMORY_NAME = "<memory>"
_PANDAS_INDEX = "__index_level_"  # What pandas calls an index without a name when it hands out a frame.


def is_table(source: object) -> bool:
    """Whether the object hands out Arrow data, by its own account or the way polars and Hugging Face do."""
    return any(hasattr(source, name) for name in ("__arrow_c_stream__", "sink_ipc", "with_format"))


def open_table(source: Any, spool: Spool) -> pa.Table | SpooledTable:
    """The object's rows as a table.

    What can be read only once, or is computed when read, is first written to a temporary file, a few rows at a time;
    the others keep their memory. An unnamed index of a pandas frame is left out.

    Raises:
        PromptError: The object does not hand out record batches.
    """
    try:
        if hasattr(source, "sink_ipc"):  # A polars LazyFrame.
            path = spool.path("lazy.arrow")
            source.sink_ipc(path)
            return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        if hasattr(source, "with_format"):  # A Hugging Face dataset, whose table may be in another order than its rows.
            return _spooled_dataset(source, spool)
        if not hasattr(source, "__len__"):
            reader = pa.RecordBatchReader.from_stream(source)
            return spool_table(reader.schema, reader, spool)
        table = pa.table(source)
    except (pa.ArrowException, TypeError, ValueError) as error:
        kind = type(source).__name__
        raise PromptError(f"{kind} does not hand out record batches ({error})", where=MEMORY_NAME) from error
    return table.drop_columns([name for name in table.column_names if name.startswith(_PANDAS_INDEX)])


def iter_row_blocks(rows: list[Mapping[str, Any]]) -> Iterator[RowBlock]:
    """The mappings, numbered from 1.

    Raises:
        PromptError: A row is not a mapping, or its names are not strings.
    """
    for start in range(0, len(rows), STEP_ROWS):
        block = rows[start : start + STEP_ROWS]
        for number, row in enumerate(block, start + 1):
            if not isinstance(row, Mapping) or not all(isinstance(name, str) for name in row):
                reason = f"a row is a mapping from column names to values, and this is {type(row).__name__}"
                raise PromptError(reason, where=f"{MEMORY_NAME}:{number}")
        yield RowBlock(block, range(start + 1, start + 1 + len(block)))


@dataclass(frozen=True, slots=True)
class SpooledTable:
    """Rows in a temporary file. It is read and not mapped, since mapped pages count as memory of the process.

    Attributes:
        path: An Arrow stream.
        schema: Its columns.
        nbytes: About how many bytes the rows take.
    """

    path: Path
    schema: pa.Schema
    nbytes: int

    def iter_record_batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows as they came, with all columns or some; memory is that of one record batch."""
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_stream(file) as reader:
            for record_batch in reader:
                yield record_batch if names is None else record_batch.select(names)


def iter_table(table: pa.Table | SpooledTable, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows with all columns or some, wherever they lie."""
    if isinstance(table, SpooledTable):
        return table.iter_record_batches(names)
    return iter((table if names is None else table.select(names)).to_batches())


def spool_table(schema: pa.Schema, record_batches: Iterable[pa.RecordBatch], spool: Spool) -> SpooledTable:
    """The record batches in a temporary file, of which they take one at a time."""
    path, nbytes = spool.path("stream.arrow"), 0
    with room_left(str(path.parent), "set TMPDIR to a larger folder"), pa.ipc.new_stream(str(path), schema) as writer:
        for record_batch in record_batches:
            writer.write_batch(record_batch)
            nbytes += record_batch.nbytes
    return SpooledTable(path, schema, nbytes)


def _spooled_dataset(dataset: Any, spool: Spool) -> SpooledTable:
    tables = iter(dataset.with_format("arrow").iter(STEP_ROWS))
    first = next(tables, None)
    if first is None:
        raise PromptError("the dataset has no rows", where=MEMORY_NAME)
    return spool_table(first.schema, chain.from_iterable(table.to_batches() for table in chain([first], tables)), spool)
