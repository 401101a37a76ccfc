"""Row groups encoded side by side, and put together into one Parquet file.

Arrow's writer encodes on one core. Here each row group becomes a file of its own, in memory, several at once; their
pages are then copied one after another under one footer, which gives byte for byte the file that the writer alone
would have written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from geminate.formats.parquet_footers import MAGIC, Fields, encode_tail, move_row_groups, split_file

_THREADS = 2
_ZSTD_LEVEL = 3


def write_row_groups(
    groups: Iterable[pa.Table], schema: pa.Schema, write: Callable[[bytes | memoryview], object]
) -> None:
    """Nothing; ``write`` has been given a whole Parquet file, with a row group for each table, in order.

    Memory is that of two tables more than the caller has, and of their encoded bytes.

    Raises:
        pa.ArrowException: A column has a type that Parquet cannot hold.
    """
    _, footer = split_file(_encode(schema.empty_table()))
    moved_groups: list[Fields] = []
    rows, offset = 0, len(MAGIC)
    write(MAGIC)
    for table_rows, file in _iter_encoded(groups):
        pages, its_footer = split_file(file)
        moved_groups += move_row_groups(its_footer, offset - len(MAGIC), len(moved_groups))
        write(pages)
        offset += len(pages)
        rows += table_rows
    write(encode_tail(footer, moved_groups, rows))


def _iter_encoded(groups: Iterable[pa.Table]) -> Iterator[tuple[int, memoryview]]:
    threads = ThreadPoolExecutor(_THREADS, "geminate-encode")
    waiting: deque[tuple[int, Future[memoryview]]] = deque()
    try:
        for group in groups:
            waiting.append((len(group), threads.submit(_encode, group)))
            del group
            if len(waiting) == _THREADS:
                rows, file = waiting.popleft()
                yield rows, file.result()
        for rows, file in waiting:
            yield rows, file.result()
    finally:
        threads.shutdown(cancel_futures=True)


def _encode(group: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, group.schema, compression="zstd", compression_level=_ZSTD_LEVEL) as writer:
        if len(group):
            writer.write_table(group, row_group_size=len(group))
    return memoryview(sink.getvalue())
