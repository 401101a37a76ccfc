"""Request tables: each row a request, its key, and the prompt's own columns, which come back with the prediction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.types as pt

from geminate.errors import GeminateError, InputError
from geminate.formats.row_text import encode_json_lines
from geminate.ledger import Attempt
from geminate.pipeline.folder import REJECT_COLUMN, Manifest, RunFolder
from geminate.ports import TableColumn, TableStore
from geminate.stages.keys import KEY_COLUMN, KeyColumn
from geminate.wire.keys import encode_keys
from geminate.wire.lines import iter_line_blocks

REQUEST_COLUMN = TableColumn("request", "JSON")
_OWN_COLUMNS = (REQUEST_COLUMN, TableColumn(KEY_COLUMN, "STRING"))
_RESERVED = frozenset({"request", "response", "status", "processed_time"})
_ILLEGAL = re.compile(r"[^A-Za-z0-9_]")
_PIECE_BYTES = 4 * 1024 * 1024
_NUMERIC = (29, 9)  # Digits before and after the point, by the page on BigQuery's data types, read 2026-11-22.

_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pt.is_nested, "JSON"),
    (pt.is_boolean, "BOOLEAN"),
    (pt.is_uint64, "NUMERIC"),
    (pt.is_integer, "INTEGER"),
    (pt.is_floating, "FLOAT"),
    (lambda type_: pt.is_decimal(type_) and _fits_numeric(type_), "NUMERIC"),
    (pt.is_date, "DATE"),
    (pt.is_time, "TIME"),
    (lambda type_: pt.is_timestamp(type_) and type_.tz is not None, "TIMESTAMP"),
    (lambda type_: pt.is_binary(type_) or pt.is_fixed_size_binary(type_), "BYTES"),
)
"""The type of a column that is passed through; text for all others, times without a zone among them.

Lists and structs become JSON, since the service refuses arrays and structs, and so it does datetimes.
"""


@dataclass(frozen=True, slots=True)
class PassedColumn:
    """A column of the prompts, and what it is in the request table."""

    name: str
    column: TableColumn


def pass_columns(prompts: pa.Schema, key: str) -> list[PassedColumn]:
    """The columns of the prompts that go with their requests: all but a key that is called ``key`` anyway.

    Characters that BigQuery has in no name become ``_``.

    Raises:
        InputError: A column's name is the service's own, or two columns get one name.
    """
    passed: dict[str, PassedColumn] = {}
    for field in prompts:
        if field.name in {REJECT_COLUMN, key if key == KEY_COLUMN else None}:
            continue
        legal = _ILLEGAL.sub("_", field.name)
        legal = f"_{legal}" if legal[:1].isdigit() else legal or "_"
        where = f"column {field.name!r}"
        if legal.lower() in _RESERVED:
            raise InputError(
                "a request table has a column of that name for itself", where=where, remedy="rename it in the prompts"
            )
        other = passed.get(legal.lower())
        if other or legal.lower() == KEY_COLUMN:
            taken = f"column {other.name!r}" if other else "the key"
            raise InputError(f"in a request table it has the name of {taken}", where=where, remedy="rename one of them")
        passed[legal.lower()] = PassedColumn(field.name, TableColumn(legal, _kind(field.type)))
    return list(passed.values())


@dataclass(frozen=True, slots=True)
class RequestTables:
    """Brings the shards of a run into tables.

    Attributes:
        folder: The run's folder.
        manifest: Its manifest.
        tables: Where they go.
    """

    folder: RunFolder
    manifest: Manifest
    tables: TableStore

    def load(self, attempt: Attempt, uri: str) -> None:
        """Nothing; the table holds the attempt's requests, each once, however often this is called.

        Raises:
            AccessError: BigQuery refuses access.
            InputError: A column of the prompts cannot go with the requests.
            TargetError: There is a table of that name that holds something else.
            TransientError: BigQuery did not answer; the same call goes on.
        """
        path = self.folder.prompts_path(attempt.shard)
        with pa.ipc.open_stream(path) as reader:
            passed = pass_columns(reader.schema, self.manifest.key)
        columns = [*_OWN_COLUMNS, *(each.column for each in passed)]
        requests = self.folder.requests_path(attempt.shard, attempt.number)
        load_id = f"geminate-{attempt.attempt_id}"
        self.tables.load(uri, columns, lambda: self._iter_lines(path, requests, passed), load_id)

    def _iter_lines(self, prompts: Path, requests: Path, passed: list[PassedColumn]) -> Iterator[bytes]:
        # A later attempt has fewer requests than there are prompts, in the same order.
        rows = self._iter_members(prompts, passed)
        with requests.open("rb") as file:
            for block in iter_line_blocks(iter(lambda: file.read(_PIECE_BYTES), b"")):
                for line in block.lines:
                    key = msgspec.json.decode(line, type=_Keyed).key
                    members = next((members for row_key, members in rows if row_key == key), None)
                    if members is None:
                        raise GeminateError("a request has no prompt", where=f"{requests}, key {key}")
                    yield members + line[1:] + b"\n"

    def _iter_members(self, path: Path, passed: list[PassedColumn]) -> Iterator[tuple[str, bytes]]:
        key = KeyColumn(self.manifest.key, generated=False)
        with pa.ipc.open_stream(path) as reader:
            for record_batch in reader:
                keys = encode_keys(key.texts(record_batch)).to_pylist()
                yield from zip(keys, _encode_members(record_batch, passed), strict=True)


class _Keyed(msgspec.Struct):
    key: str


def _encode_members(record_batch: pa.RecordBatch, passed: list[PassedColumn]) -> list[bytes]:
    """The beginning of each row's object, ready for the members of its request line."""
    if not passed:
        return [b"{"] * record_batch.num_rows
    columns = [_plain(record_batch.column(each.name)) for each in passed]
    named = pa.RecordBatch.from_arrays(columns, names=[each.column.name for each in passed])
    return [line[:-1] + b"," for line in encode_json_lines(named).split(b"\n")[:-1]]


def _plain(column: pa.Array) -> pa.Array:
    if pt.is_timestamp(column.type):  # BigQuery's times stop at the microsecond.
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _kind(type_: pa.DataType) -> str:
    return next((kind for is_type, kind in _KINDS if is_type(type_)), "STRING")


def _fits_numeric(type_: pa.DataType) -> bool:
    before, after = _NUMERIC
    return bool(0 <= type_.scale <= after and type_.precision - type_.scale <= before)
