"""Load jobs: lines of JSON, or the rows of a Parquet file, into a table, all of them or none."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import msgspec

from geminate.emulator.tables.errors import BigQueryError, not_emulated, not_found
from geminate.emulator.tables.schema import Field, encode_row, first_members, read_schema
from geminate.emulator.tables.store import NewRows, Table, TableStore

# From the page on quotas of the BigQuery documentation, read 2026-11-22.
MAX_ROW_BYTES = 100_000_000
_TABLE_NAME = re.compile(r"[\w-]{1,1024}")
_GZIP = b"\x1f\x8b"
_PARQUET_ROWS = 1000


@dataclass(slots=True)
class Loaded:
    """What a load job did."""

    table: Table
    rows: int
    input_bytes: int
    bad_records: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a load job is asked to do.

    Attributes:
        project: The destination's project.
        dataset: Its dataset.
        name: Its name.
        document: The ``configuration.load`` of the job.
    """

    project: str
    dataset: str
    name: str
    document: dict[str, Any]

    def option(self, name: str, default: Any) -> Any:
        """One of its settings."""
        return self.document.get(name) or default


def read_load(document: dict[str, Any]) -> Load:
    """The load that a job describes.

    Raises:
        BigQueryError: It asks for what is not emulated.
    """
    reference = document.get("destinationTable") or {}
    if document.get("sourceFormat", "CSV") not in _READERS:
        raise not_emulated(f"the source formats of its load jobs are {' and '.join(_READERS)}")
    if document.get("sourceUris"):
        raise not_emulated("its load jobs take their lines as an upload, not from sourceUris")
    if not _TABLE_NAME.fullmatch(reference.get("tableId", "")):
        raise BigQueryError("invalid", f'Invalid table ID "{reference.get("tableId", "")}".')
    return Load(reference.get("projectId", ""), reference.get("datasetId", ""), reference["tableId"], document)


def run_load(store: TableStore, load: Load, file: IO[bytes]) -> Loaded:
    """What was loaded; to be called in a transaction, which is rolled back if this raises.

    Raises:
        BigQueryError: The job fails, and changes nothing.
    """
    table = _destination(store, load)
    bad = _BadRecords(int(load.option("maxBadRecords", 0)))
    rows = NewRows(())
    before = table.rows
    rows.cells = _READERS[load.document["sourceFormat"]](file, table.fields, load, rows, bad)
    table = store.append(table, rows)
    return Loaded(table, table.rows - before, rows.size_bytes, bad.count)


def _destination(store: TableStore, load: Load) -> Table:
    store.dataset(load.project, load.dataset)
    table = store.find_table(load.project, load.dataset, load.name)
    fields = read_schema(load.document.get("schema"))
    disposition = load.option("writeDisposition", "WRITE_APPEND")
    if table is None:
        if load.option("createDisposition", "CREATE_IF_NEEDED") == "CREATE_NEVER":
            raise not_found("Table", f"{load.project}:{load.dataset}.{load.name}")
        if not fields:
            raise not_emulated("a load job into a new table says its schema")
        return store.add_table(load.project, load.dataset, load.name, fields)
    if disposition == "WRITE_EMPTY" and table.rows:
        raise BigQueryError("duplicate", f"Already Exists: Table {table.id}")
    if disposition == "WRITE_TRUNCATE":
        fields = fields or table.fields
        store.drop(table)
        return store.add_table(load.project, load.dataset, load.name, fields)
    if fields and [(f.name.lower(), f.type) for f in fields] != [(f.name.lower(), f.type) for f in table.fields]:
        raise BigQueryError("invalid", f"Provided Schema does not match Table {table.id}.")
    return table


@dataclass(slots=True)
class _BadRecords:
    most: int
    count: int = 0

    def add(self, error: BigQueryError, offset: int) -> None:
        self.count += 1
        if self.count > self.most:
            raise BigQueryError(
                "invalid",
                "Error while reading data, error message: JSON table encountered too many errors, giving up. Rows: "
                f"{self.count}; errors: {self.count}. JSON parsing error in row starting at position {offset}: "
                f"{error.message}",
            ) from error


def _iter_cells(
    file: IO[bytes], fields: list[Field], load: Load, rows: NewRows, bad: _BadRecords
) -> Iterator[list[str | None]]:
    ignore_unknown = bool(load.document.get("ignoreUnknownValues"))
    offset = 0
    for line in _open(file):
        rows.size_bytes += len(line)
        if line.strip():
            try:
                yield encode_row(_decode(line), fields, ignore_unknown=ignore_unknown)
            except BigQueryError as error:
                bad.add(error, offset)
        offset += len(line)


def _iter_parquet_cells(
    file: IO[bytes], fields: list[Field], load: Load, rows: NewRows, bad: _BadRecords
) -> Iterator[list[str | None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if load.option("maxBadRecords", 0):
        raise not_emulated("maxBadRecords is for lines of JSON")
    # By the page on loading Parquet data, read 2026-11-22.
    if refused := [field.name for field in fields if field.type == "JSON"]:
        raise BigQueryError("invalid", f"Unsupported field type: a Parquet file has no JSON. Field: {refused[0]}")
    try:
        source = pq.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise BigQueryError("invalid", f"Error while reading data, error message: {error}") from None
    rows.size_bytes = sum(source.metadata.row_group(each).total_byte_size for each in range(source.num_row_groups))
    for record_batch in source.iter_batches(_PARQUET_ROWS):
        for row in msgspec.to_builtins(record_batch.to_pylist()):
            yield encode_row(row, fields, ignore_unknown=bool(load.document.get("ignoreUnknownValues")))
    del bad


def _open(file: IO[bytes]) -> Iterable[bytes]:
    is_gzip = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    return gzip.open(file) if is_gzip else file


def _decode(line: bytes) -> Any:
    if len(line) > MAX_ROW_BYTES:
        raise BigQueryError("invalid", f"Row size is larger than: {MAX_ROW_BYTES}.")
    with suppress(msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        row = msgspec.json.decode(line)
        # As long as before, so that no member came twice, of which the first counts.
        if len(msgspec.json.encode(row)) == len(line.rstrip()):
            return row
    try:
        return json.loads(line, object_pairs_hook=first_members, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BigQueryError("invalid", f"Parser terminated before end of string: {error}") from None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


_READERS = {"NEWLINE_DELIMITED_JSON": _iter_cells, "PARQUET": _iter_parquet_cells}
