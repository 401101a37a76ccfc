"""Joined rows into a BigQuery table, by one load job; what they count stands on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa

from geminate.errors import DamageError, TargetError, UsageError
from geminate.formats.atomic import AtomicFiles
from geminate.formats.spool import Spool
from geminate.formats.table_rows import encode_table_rows, table_fields
from geminate.pipeline.pace.progress import Notify, silent
from geminate.pipeline.submitting.datasets import is_table
from geminate.pipeline.written.outputs import (
    MANIFEST_SUFFIX,
    MAX_READINGS,
    Joined,
    OpenRows,
    OutputOptions,
    count_joined,
    iter_watched,
)
from geminate.pipeline.written.strays import StrayFiles
from geminate.ports import TableStore
from geminate.wire.uris import BQ_SCHEME, split_bq_uri

_PIECE_BYTES = 4 * 1024 * 1024


def check_output(out: str | Path, options: OutputOptions) -> None:
    """Nothing, where rows can be written there, be it a file or a table; to be asked before any work is done.

    Raises:
        InputError: A URI that is none of a table.
        TargetError: A file that exists.
        UsageError: Options that are for files.
    """
    if not is_table(str(out)):
        options.check(out)
        return
    split_bq_uri(str(out), (3,))
    if options.overwrite or options.output_format:
        raise UsageError("--overwrite and --output-format are for files", remedy="name a table that does not exist")


def refuse_existing(tables: TableStore, uri: str) -> None:
    """Nothing, where there is no such table, or one without rows.

    Raises:
        InputError: There is no such dataset.
        TargetError: The table has rows.
    """
    tables.locate(uri)
    info = tables.stat(uri)
    if info is not None and info.rows:
        raise TargetError("the table exists already, and has rows", where=uri, remedy="name another, or remove it")


def write_joined_table(
    open_rows: OpenRows, uri: str, tables: TableStore, load_id: str, notify: Notify = silent
) -> Joined:
    """The table's counts. It appears whole or not at all; a table with rows is never written to.

    Rows go through a temporary file. The manifest, and side files where there are strays, appear in the working folder
    under the table's name. Writing again with the same ``load_id`` loads nothing twice.

    Raises:
        GeminateError: The counts do not add up.
        InputError: A column's name is none that a table can have.
        TargetError: The table has rows.
    """
    for _ in range(MAX_READINGS - 1):
        with suppress(DamageError):
            return _write(open_rows, uri, tables, load_id, notify)
    return _write(open_rows, uri, tables, load_id, notify)


def _write(open_rows: OpenRows, uri: str, tables: TableStore, load_id: str, notify: Notify) -> Joined:
    place = Path(uri.removeprefix(BQ_SCHEME))
    manifest = place.with_name(place.name + MANIFEST_SUFFIX)
    with AtomicFiles(last=manifest) as files:
        strays = StrayFiles(files, place, overwrite=True)
        stream = open_rows(strays.write)
        fields, rows, spool = table_fields(stream.schema), 0, Spool()

        def iter_lines(record_batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
            nonlocal rows
            for record_batch in record_batches:
                rows += record_batch.num_rows
                yield encode_table_rows(record_batch, fields)

        with closing(iter_watched(stream, notify)) as record_batches:
            path = spool.keep("rows.jsonl", iter_lines(record_batches))
        tables.load(uri, [field.column for field in fields], lambda: _iter_pieces(path.open("rb")), load_id)
        joined = count_joined(uri, rows, stream.report)
        files.open(manifest, overwrite=True).write(msgspec.json.format(msgspec.json.encode(joined), indent=2) + b"\n")
    strays.remove_stale()
    return joined


def _iter_pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
