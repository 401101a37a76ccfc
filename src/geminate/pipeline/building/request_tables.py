"""Request tables: each row a request, its key, and the prompt's own columns, which come back with the prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from geminate.errors import GeminateError
from geminate.formats.table_rows import TableField, encode_table_rows, table_fields
from geminate.ledger import Attempt
from geminate.pipeline.building.shard_lines import ShardLines
from geminate.pipeline.run_folder.folder import REJECT_COLUMN, Manifest, RunFolder
from geminate.ports import TableColumn, TableStore
from geminate.stages.keys import KEY_COLUMN, KeyColumn
from geminate.wire.keys import encode_keys
from geminate.wire.predictions import SERVICE_MEMBERS

_OWN_COLUMNS = (TableColumn("request", "JSON"), TableColumn(KEY_COLUMN, "STRING"))


def pass_columns(prompts: pa.Schema, key: str) -> list[TableField]:
    """The columns of the prompts that go with their requests: all but a key that is called ``key`` anyway.

    Raises:
        InputError: A column's name is the service's own, or two columns get one name.
    """
    left_out = {REJECT_COLUMN, *({KEY_COLUMN} if key == KEY_COLUMN else ())}
    own = dict.fromkeys(SERVICE_MEMBERS, "a column of the service's own") | {KEY_COLUMN: "the key"}
    return table_fields(pa.schema([field for field in prompts if field.name not in left_out]), own)


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
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
            passed = pass_columns(reader.schema, self.manifest.key)
        columns = [*_OWN_COLUMNS, *(field.column for field in passed)]
        load_id = f"geminate-{attempt.attempt_id}"
        self.tables.load(uri, columns, lambda: self._iter_lines(path, attempt, passed), load_id)

    def _iter_lines(self, prompts: Path, attempt: Attempt, passed: list[TableField]) -> Iterator[bytes]:
        # There may be fewer requests than prompts, but they are in the same order.
        rows = self._iter_members(prompts, passed)
        for block in ShardLines(self.folder, self.manifest).iter_blocks(attempt):
            for line in block.lines:
                key = msgspec.json.decode(line, type=_Keyed).key
                members = next((members for row_key, members in rows if row_key == key), None)
                if members is None:
                    raise GeminateError("a request has no prompt", where=f"{attempt.attempt_id}, key {key}")
                yield members + line[1:] + b"\n"

    def _iter_members(self, path: Path, passed: list[TableField]) -> Iterator[tuple[str, bytes]]:
        """Each prompt's key as it travels, and the beginning of its row, ready for the members of its request line."""
        key = KeyColumn(self.manifest.key, generated=False)
        # A path alone would be mapped, and mapped pages count as memory of the process.
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
            for record_batch in reader:
                keys = encode_keys(key.texts(record_batch)).to_pylist()
                if passed:
                    lines = encode_table_rows(record_batch, passed).split(b"\n")[:-1]
                    yield from zip(keys, (line[:-1] + b"," for line in lines), strict=True)
                else:
                    yield from ((each, b"{") for each in keys)


class _Keyed(msgspec.Struct):
    key: str
