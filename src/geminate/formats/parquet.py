"""Parquet files, a few rows at a time, however large their row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from geminate.formats.readable import readable
from geminate.formats.record_batches import STEP_ROWS
from geminate.formats.sources import Source
from geminate.formats.stored import RangedFile

_BUFFER_BYTES = 1024 * 1024  # Without a buffer the reader loads whole column chunks.
_STEP_BYTES = 4 * 1024 * 1024


def read_schema(source: Source) -> pa.Schema:
    """The file's schema, with its metadata.

    Raises:
        PromptError: It is no Parquet file, or its end is missing.
    """
    with readable(source.name), _open(source) as (file, _):
        return file.schema_arrow


def measure(source: Source) -> int:
    """How many bytes the rows take unpacked, by the file's own account."""
    with readable(source.name), _open(source) as (file, _):
        return sum(file.metadata.row_group(index).total_byte_size for index in range(file.metadata.num_row_groups))


def iter_record_batches(source: Source, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows in order, with all columns or some.

    So many come at a time as hold about 4 MiB by the file's own account, and at most 1,024; memory is that of a data
    page for each column, and of these rows.

    Raises:
        PromptError: The file is damaged.
    """
    with readable(source.name), _open(source) as (file, place):
        metadata = file.metadata
        for index in range(metadata.num_row_groups):
            if isinstance(place, RangedFile):
                place.begin_part()
            group = metadata.row_group(index)
            row_bytes = group.total_byte_size // max(group.num_rows, 1) + 1
            step = max(1, min(STEP_ROWS, _STEP_BYTES // row_bytes))
            yield from file.iter_batches(batch_size=step, row_groups=[index], columns=columns, use_threads=False)


@contextmanager
def _open(source: Source) -> Iterator[tuple[pq.ParquetFile, Path | RangedFile]]:
    source.check_unchanged()
    place = source.place.open_random()
    try:
        # Bytes that travelled are compared with the checksums of their pages, where the writer gave them any.
        checked = isinstance(place, RangedFile)
        with pq.ParquetFile(
            place, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=checked
        ) as file:
            yield file, place
    finally:
        if isinstance(place, RangedFile):
            place.close()
