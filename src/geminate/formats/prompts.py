"""Prompts of any origin as one stream of record batches with one schema."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from geminate.errors import PromptError
from geminate.formats.options import PromptOptions
from geminate.formats.readers import Reader, open_readers
from geminate.formats.record_batches import Numbered, iter_packed
from geminate.formats.schemas import conform, unify_schemas
from geminate.formats.selection import Picker, compile_where, draw, iter_filtered
from geminate.formats.sources import Outside, SourceIdentity
from geminate.formats.spool import Spool
from geminate.ports import ObjectStore, TableStore

__all__ = ["PromptOptions", "Prompts", "SourceIdentity", "open_prompts"]


def open_prompts(
    sources: Any,
    *,
    options: PromptOptions | None = None,
    store: ObjectStore | None = None,
    tables: TableStore | None = None,
    stdin: BinaryIO | None = None,
) -> Prompts:
    """The prompts of one or more sources, ready to be read as often as needed.

    A source is a path, a pattern of paths, a ``gs://`` or ``bq://`` URI, ``-`` for the standard input, or anything that
    hands out Arrow data: a pyarrow table or reader, a polars or pandas frame, a Hugging Face dataset. Several may be
    given in a list. A list of mappings is one source too; it is held in memory.

    A file's format is told by its suffix, its compression by its first bytes. Columns that a source lacks are null, and
    types are widened where nothing is lost. JSON columns are typed over all their rows (see ``shapes``); CSV and TSV
    columns are text. JSON and CSV files are read through once before this returns; JSON rows are then kept, past
    64 MiB in a temporary file. Objects are read where they lie as often as needed, always the generation that was
    looked at; Arrow objects, packed Parquet, streams and BigQuery tables are first copied to a temporary file. Memory
    does not grow with the prompts, but for ``.json`` files and lists of mappings.

    Args:
        sources: Where the prompts are.
        options: Which rows are taken, and in what portions.
        store: What ``gs://`` URIs are read from.
        tables: What ``bq://`` URIs are read from.
        stdin: What ``-`` is read from, by default the process's standard input.

    Raises:
        PromptError: A source does not exist, cannot be read, or does not go together with another; with its name, and
            the line or row.
        AccessError: A file may not be read.
        UsageError: The sources or options contradict each other.
        TransientError: There is no room for a temporary file, or the store did not answer.
    """
    options = options or PromptOptions()
    outside = Outside(Spool(), store, stdin, tables)
    return Prompts(open_readers(sources, options, outside), options, outside.spool)


class Prompts:
    """Rows with one schema, in the order of their sources.

    Attributes:
        schema: The columns of every record batch.
    """

    def __init__(self, readers: Sequence[Reader], options: PromptOptions, spool: Spool) -> None:
        self.schema: pa.Schema = unify_schemas([(reader.name, reader.schema) for reader in readers])
        if not len(self.schema):
            names = ", ".join(reader.name for reader in readers)
            raise PromptError("no prompts, or none with a column", where=names)
        self._readers = readers
        self._options = options
        self._spool = spool  # The temporary files live as long as it does.
        self._mask = compile_where(options.where, self.schema) if options.where else None
        self._places = _Places()

    @cached_property
    def identity(self) -> tuple[SourceIdentity, ...]:
        """What tells that a source has changed, one each, whatever rows are taken.

        Local files are read once for it. Rows in memory are known by their text, so that the same rows are the same
        prompts however they are cut into record batches.
        """
        return tuple(reader.identify() for reader in self._readers)

    @property
    def selection(self) -> str:
        """Which of the sources' rows are taken, in words; empty for all."""
        return self._options.selection

    def iter_record_batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in order, none of the record batches empty or larger than the options say.

        Raises:
            PromptError: A source is damaged or has changed, or a value does not fit its column.
        """
        row = 0
        picker = Picker(self._drawn, self._options.limit)
        for reader in self._readers:
            parts = picker.iter_picked(self._iter_filtered(reader))
            for part in iter_packed(parts, self._options.max_record_batch_rows, self._options.max_record_batch_bytes):
                if row == self._places.rows:  # Another reading may be ahead.
                    self._places.add(reader.name, part.numbers)
                row += part.record_batch.num_rows
                yield part.record_batch
            if picker.is_done:
                return

    @property
    def columnar_bytes(self) -> int | None:
        """About how much memory all rows take, where some columns can be read alone; None where they cannot."""
        sizes = [reader.columns.nbytes if reader.columns else None for reader in self._readers]
        return None if self.selection or None in sizes else sum(size or 0 for size in sizes)

    def iter_columns(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of ``iter_record_batches`` with the columns of these names alone, read without the others.

        To be used where ``columnar_bytes`` has a value.
        """
        schema = pa.schema([self.schema.field(name) for name in names])
        for reader in self._readers:
            assert reader.columns is not None  # noqa: S101 - The caller has asked.
            there = [name for name in names if name in reader.schema.names]
            for part in reader.columns.iter_parts(there):
                yield conform(part.record_batch, schema)

    def locate(self, row: int) -> tuple[str, int]:
        """The file and the number in it of a row that has been read; rows are counted from 0.

        The number is what an editor shows for JSON lines, and counts data rows from 1 for all others.

        Raises:
            IndexError: The row has not been read.
        """
        return self._places.find(row)

    @cached_property
    def _drawn(self) -> np.ndarray | None:
        if self._options.sample is None:
            return None
        rows = sum(part.record_batch.num_rows for reader in self._readers for part in self._iter_filtered(reader))
        return draw(rows, self._options.sample, self._options.seed)

    def _iter_filtered(self, reader: Reader) -> Iterator[Numbered]:
        return iter_filtered(self._iter_conformed(reader), self._mask)

    def _iter_conformed(self, reader: Reader) -> Iterator[Numbered]:
        for part in reader.iter_parts():
            try:
                yield Numbered(conform(part.record_batch, self.schema), part.numbers)
            except pa.ArrowException as error:
                where = f"{reader.name}:{part.numbers[0]}"
                raise PromptError(f"a value does not fit its column ({error})", where=where) from error


class _Places:
    """Where rows came from, held as one entry for each unbroken run of numbers."""

    def __init__(self) -> None:
        self.rows = 0
        self._starts: list[int] = []
        self._runs: list[tuple[str, Sequence[int] | np.ndarray]] = []

    def add(self, name: str, numbers: Sequence[int] | np.ndarray) -> None:
        if self._runs and isinstance(numbers, range):
            last_name, last = self._runs[-1]
            if last_name == name and isinstance(last, range) and last.stop == numbers.start:
                self._runs[-1] = name, range(last.start, numbers.stop)
                self.rows += len(numbers)
                return
        self._starts.append(self.rows)
        self._runs.append((name, numbers))
        self.rows += len(numbers)

    def find(self, row: int) -> tuple[str, int]:
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} has not been read")
        at = bisect_right(self._starts, row) - 1
        name, numbers = self._runs[at]
        return name, int(numbers[row - self._starts[at]])
