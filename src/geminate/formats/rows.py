"""Joined rows to files: Parquet, Arrow, JSON lines, CSV."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from geminate.errors import TargetError, room_left
from geminate.formats.atomic import AtomicFiles, check_path, open_atomic
from geminate.formats.row_groups import write_row_groups
from geminate.formats.row_text import encode_csv, encode_json_lines
from geminate.formats.schemas import conform, plain_schema
from geminate.formats.suffixes import split_suffixes

STDOUT = "-"
_TEXT_FORMATS = frozenset({"jsonl", "csv"})
# Large enough to compress and scan well, small enough to hold while one is filled.
_ROW_GROUP_ROWS = 131_072
_ROW_GROUP_BYTES = 24 * 1024**2
_GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """What was written.

    Attributes:
        path: Where; ``-`` for the standard output.
        rows: How many rows.
        size_bytes: How many bytes.
    """

    path: str
    rows: int
    size_bytes: int


def check_target(target: str | Path, *, overwrite: bool = False, output_format: str | None = None) -> None:
    """Nothing, where rows may be written there; to be asked before any work is done.

    Raises:
        TargetError: Its name does not tell a format, its folder is missing, or it exists and may not be overwritten.
        AccessError: Its folder may not be written.
    """
    _choose(str(target), output_format)
    if str(target) != STDOUT:
        check_path(target, overwrite=overwrite)


def write_rows(  # noqa: PLR0913 -- the keywords are switches of the caller's, each with a default.
    record_batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    target: str | Path,
    *,
    overwrite: bool = False,
    guard_formulas: bool = True,
    output_format: str | None = None,
    stdout: BinaryIO | None = None,
    files: AtomicFiles | None = None,
) -> WrittenRows:
    """What was written. The file appears whole under its name, or not at all.

    Rows keep their order; a row group or record batch at a time is held in memory. Dictionaries and views are written
    as what they stand for. What each format can carry:

    - ``.parquet`` and ``.arrow``: every type, exactly; Parquet has no struct without members.
    - ``.jsonl``: every column of every row; types are those that ``row_text`` names.
    - ``.csv``: text; whether a cell was a number or a string is lost.

    Args:
        record_batches: The rows.
        schema: Their columns, needed where there are no rows.
        target: A path whose suffix names the format, ``.gz`` or ``.zst`` after it for JSON lines and CSV; or ``-``.
        overwrite: Whether a file of that name may be replaced.
        guard_formulas: Whether CSV text that a spreadsheet would run gets an apostrophe before it.
        output_format: The format, whatever the suffix; for ``-`` by default JSON lines.
        stdout: What ``-`` is, by default the process's standard output.
        files: Files that this one shall appear together with.

    Raises:
        TargetError: As ``check_target``, or a column's type has no place in the format.
        AccessError: The folder may not be written.
        TransientError: The disk is full.
    """
    file_format, compression = _choose(str(target), output_format)
    plain = plain_schema(schema, str(target))
    encoding = _Encoding(file_format, compression, guard_formulas)
    _check_types(plain, encoding, str(target))
    rows = 0

    def iter_plain_batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for record_batch in record_batches:
            rows += record_batch.num_rows
            yield conform(record_batch, plain)

    with _open_sink(target, stdout, files, overwrite=overwrite) as sink:
        _WRITERS[file_format](iter_plain_batches(), plain, sink, encoding)
    return WrittenRows(str(target), rows, sink.size_bytes)


@dataclass(frozen=True, slots=True)
class _Encoding:
    """How rows become bytes."""

    format: str
    compression: str | None
    guard_formulas: bool


class _Sink:
    """A file that counts what goes into it."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size_bytes = 0

    def write(self, data: bytes | memoryview) -> int:
        self.size_bytes += self._file.write(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Nothing: who opened the file closes it."""


@contextmanager
def _open_sink(
    target: str | Path, stdout: BinaryIO | None, files: AtomicFiles | None, *, overwrite: bool
) -> Iterator[_Sink]:
    if str(target) != STDOUT and files is not None:
        yield _Sink(files.open(target, overwrite=overwrite))
        return
    if str(target) != STDOUT:
        with open_atomic(target, overwrite=overwrite) as file:
            yield _Sink(file)
        return
    with room_left("the standard output"):
        sink = _Sink(stdout or sys.stdout.buffer)
        yield sink
        sink.flush()


def _choose(target: str, output_format: str | None) -> tuple[str, str | None]:
    suffix, compression = split_suffixes(target)
    file_format = output_format or ("jsonl" if target == STDOUT else suffix)
    known = ", ".join(f".{name}" for name in _WRITERS)
    if "://" in target:
        raise TargetError("joined rows are not written there", where=target, remedy="name a local file")
    if file_format not in _WRITERS:
        raise TargetError(f"{file_format!r} is no format of joined rows", where=target, remedy=f"use one of {known}")
    if compression and file_format not in _TEXT_FORMATS:
        raise TargetError(f"{file_format} is compressed inside", where=target, remedy="leave out the last suffix")
    return file_format, compression


def _check_types(schema: pa.Schema, encoding: _Encoding, target: str) -> None:
    try:
        _WRITERS[encoding.format](iter(()), schema, _Sink(io.BytesIO()), encoding)
    except pa.ArrowException as error:
        reason = f"a column has a type that {encoding.format} cannot hold ({error})"
        raise TargetError(reason, where=target, remedy="write .arrow, which holds every type") from error


def _write_parquet(record_batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: _Sink, _: _Encoding) -> None:
    write_row_groups(_iter_row_groups(record_batches), schema, sink.write)


def _iter_row_groups(record_batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    for record_batch in record_batches:
        pending.append(record_batch)
        rows = sum(part.num_rows for part in pending)
        if rows >= _ROW_GROUP_ROWS or sum(part.nbytes for part in pending) >= _ROW_GROUP_BYTES:
            yield pa.Table.from_batches(pending)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending)


def _write_arrow(record_batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: _Sink, _: _Encoding) -> None:
    with pa.ipc.new_file(sink, schema) as writer:
        for record_batch in record_batches:
            writer.write_batch(record_batch)


def _write_text(record_batches: Iterator[pa.RecordBatch], schema: pa.Schema, sink: _Sink, encoding: _Encoding) -> None:
    with _open_compressed(sink, encoding.compression) as out:
        header = pa.RecordBatch.from_pylist([], schema)
        for record_batch in chain([header], record_batches):
            if encoding.format == "jsonl":
                out.write(encode_json_lines(record_batch))
            else:
                is_header = record_batch is header
                out.write(encode_csv(record_batch, header=is_header, guard_formulas=encoding.guard_formulas))


def _open_compressed(sink: _Sink, compression: str | None) -> AbstractContextManager[Any]:
    if compression == "gzip":  # Arrow's own stream compresses at the highest level, several times as slow for 4 % less.
        return gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=sink, mtime=0)
    return pa.CompressedOutputStream(sink, compression) if compression else nullcontext(sink)


_WRITERS: dict[str, Callable[[Iterator[pa.RecordBatch], pa.Schema, _Sink, _Encoding], None]] = {
    "parquet": _write_parquet,
    "jsonl": _write_text,
    "csv": _write_text,
    "arrow": _write_arrow,
}
