"""Arrow IPC, the stream as well as the file format."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from geminate.formats.readable import readable
from geminate.formats.sources import Source

_FILE_MAGIC = b"ARROW1"


def read_schema(source: Source) -> pa.Schema:
    """The schema, with its metadata.

    Raises:
        PromptError: It is neither format.
    """
    with readable(source.name), _open(source) as reader:
        return reader.schema


def iter_record_batches(source: Source) -> Iterator[pa.RecordBatch]:
    """The record batches as they were written, checked, since what others wrote need not be sound.

    The file is mapped, so that even one record batch of all rows takes no memory of its own, unless it is compressed.

    Raises:
        PromptError: The file is cut off or damaged.
    """
    with readable(source.name), _open(source) as reader:
        is_file = isinstance(reader, pa.ipc.RecordBatchFileReader)
        for record_batch in map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader:
            record_batch.validate(full=True)
            yield record_batch


def _open(source: Source) -> pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader:
    source.check_unchanged()
    mapped = pa.memory_map(str(source.path))
    is_file = mapped.read(len(_FILE_MAGIC)) == _FILE_MAGIC
    mapped.seek(0)
    return pa.ipc.open_file(mapped) if is_file else pa.ipc.open_stream(mapped)
