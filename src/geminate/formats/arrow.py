"""Arrow IPC, the stream as well as the file format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from geminate.formats.readable import readable
from geminate.formats.sources import LocalBytes, Source

_FILE_MAGIC = b"ARROW1"


def read_schema(source: Source) -> pa.Schema:
    """The schema, with its metadata.

    Raises:
        PromptError: It is neither format.
    """
    with readable(source.name), _open(source) as reader:
        return reader.schema


def measure(source: Source) -> int:
    """How many bytes the rows take, or fewer where the file is compressed."""
    return source.place.size_bytes


def iter_record_batches(source: Source, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The record batches as they were written, with all columns or some; checked, since others may have written them.

    The file is mapped, so that even one record batch of all rows takes no memory of its own, unless it is compressed.

    Raises:
        PromptError: The file is cut off or damaged.
    """
    with readable(source.name), _open(source) as reader:
        is_file = isinstance(reader, pa.ipc.RecordBatchFileReader)
        for record_batch in map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader:
            wanted = record_batch if columns is None else record_batch.select(columns)
            wanted.validate(full=True)
            yield wanted


def _open(source: Source) -> pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader:
    source.check_unchanged()
    assert isinstance(source.place, LocalBytes)  # noqa: S101 - Objects of this format are copied.
    mapped = pa.memory_map(str(source.place.path))
    is_file = mapped.read(len(_FILE_MAGIC)) == _FILE_MAGIC
    mapped.seek(0)
    return pa.ipc.open_file(mapped) if is_file else pa.ipc.open_stream(mapped)
