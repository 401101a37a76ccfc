"""An output table as a file of prediction lines, so that both go the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from geminate.errors import InputError
from geminate.formats.line_files import LineFile
from geminate.formats.row_text import encode_json_lines
from geminate.ports import TableInfo, TableStore

_SERVICE_COLUMNS = ("status", "response", "processed_time")
# These hold JSON, in a column of that type or of text; all others become members as they are.
_JSON_COLUMNS = ("request", "response")


def open_prediction_table(uri: str, tables: TableStore, key: str | None = None) -> LineFile:
    """The table as a file of lines, one for each row, in no particular order.

    Args:
        uri: ``bq://project.dataset.table``.
        tables: Reads it.
        key: A column that tells whose a prediction is; where the table has it, the prompts' columns are not read.

    Raises:
        InputError: There is no such table, or it holds no predictions.
    """
    info = tables.stat(uri)
    if info is None:
        raise InputError("no such table", where=uri, remedy="check the project, the dataset and the table")
    names = [column.name for column in info.columns]
    if not {"response", "status"} <= {name.lower() for name in names}:
        raise InputError(
            "the table holds no predictions: it needs columns response and status",
            where=uri,
            remedy="name the output table of a job",
        )
    wanted = [name for name in names if name == key or name.lower() in _SERVICE_COLUMNS] if key in names else names
    return LineFile(uri, info.size_bytes, partial(_iter_pieces, tables, info, wanted))


def _iter_pieces(tables: TableStore, info: TableInfo, columns: Sequence[str]) -> Iterator[bytes]:
    for record_batch in tables.read(info, columns):
        yield encode_table_lines(record_batch)


def encode_table_lines(record_batch: pa.RecordBatch) -> bytes:
    """The rows as lines, be they requests or predictions.

    ``response`` and ``request`` that are no JSON become a JSON string, and a ``status`` that is null an empty one.
    """
    plain = {name: record_batch.column(at) for at, name in enumerate(record_batch.schema.names)}
    nested = {name: plain.pop(name) for name in list(plain) if name.lower() in _JSON_COLUMNS}
    members = {name.lower() if name.lower() in _SERVICE_COLUMNS else name: array for name, array in plain.items()}
    if "status" in members:
        members["status"] = pc.fill_null(members["status"].cast(pa.string()), "")
    heads = _encode_members(members, record_batch.num_rows)
    columns = [(f'"{name.lower()}":'.encode(), array.cast(pa.string()).to_pylist()) for name, array in nested.items()]
    lines = []
    for row in range(record_batch.num_rows):
        tails = (name + _json(texts[row]) for name, texts in columns)
        lines.append(b"{" + b",".join(filter(None, [heads[row][1:-1], *tails])) + b"}\n")
    return b"".join(lines)


def _encode_members(members: dict[str, pa.Array], rows: int) -> list[bytes]:
    return encode_json_lines(pa.RecordBatch.from_pydict(members)).split(b"\n") if members else [b"{}"] * rows


def _json(text: str | None) -> bytes:
    if text is None:
        return b"null"
    value = text.encode()
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return msgspec.json.encode(text)
    # Outside of strings a line end means nothing, and inside there is none.
    return value.replace(b"\n", b" ")
