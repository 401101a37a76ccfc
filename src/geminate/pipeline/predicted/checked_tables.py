"""A request table of any origin as a file of request lines, once its columns are such as the service takes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from geminate.errors import InputError
from geminate.formats.line_files import LineFile
from geminate.pipeline.predicted.prediction_tables import encode_table_lines
from geminate.ports import TableColumn, TableInfo, TableStore

# The page on BigQuery input of batch prediction for Gemini, read 2026-11-22.
_REFUSED_KINDS = {
    "RECORD": "a struct",
    "STRUCT": "a struct",
    "RANGE": "a range",
    "DATETIME": "a datetime",
    "GEOGRAPHY": "a geography",
}
_RESERVED = frozenset({"response", "status"})


def open_request_table(uri: str, tables: TableStore) -> LineFile:
    """The table as a file of request lines, one for each row, in no particular order.

    Raises:
        InputError: There is no such table, or a job could not read it, whatever its rows hold.
    """
    info = tables.stat(uri)
    if info is None:
        raise InputError("no such table", where=uri, remedy="check the project, the dataset and the table")
    kinds = {column.name.lower(): column.kind for column in info.columns if column.mode != "REPEATED"}
    if kinds.get("request") not in {"JSON", "STRING"}:
        raise InputError(
            "the table holds no requests", where=uri, remedy="give it a column request of type JSON or STRING"
        )
    for column in info.columns:
        _check_column(column, uri)
    return LineFile(uri, info.size_bytes, partial(_iter_pieces, tables, info))


def _check_column(column: TableColumn, uri: str) -> None:
    where = f"{uri}, column {column.name}"
    if column.name.lower() in _RESERVED:
        raise InputError("the service writes a column of that name itself", where=where, remedy="rename it")
    kind = "an array" if column.mode == "REPEATED" else _REFUSED_KINDS.get(column.kind)
    if kind is not None:
        raise InputError(f"batch prediction takes no column that is {kind}", where=where, remedy="make it JSON or text")


def _iter_pieces(tables: TableStore, info: TableInfo) -> Iterator[bytes]:
    for record_batch in tables.read(info):
        yield encode_table_lines(record_batch)
