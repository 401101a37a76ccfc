"""Rows of a table one page at a time, and rows streamed in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from geminate.emulator.tables.errors import BigQueryError
from geminate.emulator.tables.schema import Field, encode_row
from geminate.emulator.tables.store import NewRows, Table, TableStore

# From the pages on tabledata.list, insertAll and quotas of the BigQuery documentation, read 2026-11-22.
_MAX_PAGE_BYTES = 10_000_000
_MAX_INSERTED_ROWS = 50_000
_PART_ROWS = 500
_REMEMBERED_INSERTS = 100_000


class RecentInserts:
    """The ids of rows that were streamed in lately, so that one sent twice is kept once."""

    def __init__(self) -> None:
        self._ids: OrderedDict[tuple[int, str], None] = OrderedDict()

    def is_new(self, table: Table, insert_id: str | None) -> bool:
        """Whether the row was not seen before; it has been from now on."""
        if insert_id is None:
            return True
        if (table.number, insert_id) in self._ids:
            return False
        self._ids[table.number, insert_id] = None
        if len(self._ids) > _REMEMBERED_INSERTS:
            self._ids.popitem(last=False)
        return True


def read_page(store: TableStore, table: Table, query: Mapping[str, str]) -> dict[str, Any]:
    """One page of ``tabledata.list``: as many rows as asked for, or as fit into it.

    Raises:
        BigQueryError: A column or a page token is not known.
    """
    columns = _selected(table, query.get("selectedFields"))
    start = _number(query.get("pageToken") or query.get("startIndex") or "0")
    most = _number(query.get("maxResults") or str(table.rows))
    as_seconds = not _wants_whole_timestamps(query)
    fields, size_bytes = [table.fields[column] for column in columns], 0
    page: list[dict[str, Any]] = []
    while len(page) < most and start + len(page) < table.rows and size_bytes < _MAX_PAGE_BYTES:
        part = store.read(table, columns, start + len(page), min(_PART_ROWS, most - len(page)))
        for row in part:
            size_bytes += sum(len(cell) for cell in row if cell)
            page.append({"f": [{"v": _shown(cell, f, as_seconds)} for cell, f in zip(row, fields, strict=True)]})
            if size_bytes >= _MAX_PAGE_BYTES:
                break
    answer: dict[str, Any] = {"kind": "bigquery#tableDataList", "totalRows": str(table.rows), "rows": page}
    if start + len(page) < table.rows:
        answer["pageToken"] = str(start + len(page))
    return answer


def insert_all(store: TableStore, table: Table, document: Any, recent: RecentInserts) -> dict[str, Any]:
    """What became of rows that were streamed in: all of them are taken, or none, unless ``skipInvalidRows`` is set.

    To be called in a transaction.

    Raises:
        BigQueryError: There are too many rows.
    """
    given = document.get("rows") or []
    if not given or len(given) > _MAX_INSERTED_ROWS:
        raise BigQueryError("invalid", f"insertAll takes from 1 to {_MAX_INSERTED_ROWS} rows")
    ignore_unknown = bool(document.get("ignoreUnknownValues"))
    cells, errors = [], []
    for index, row in enumerate(given):
        try:
            encoded = encode_row(row.get("json"), table.fields, ignore_unknown=ignore_unknown, json_as_text=True)
            cells.append((row.get("insertId"), encoded))
        except BigQueryError as error:
            errors.append({"index": index, "errors": [{**error.proto, "location": ""}]})
    if errors and not document.get("skipInvalidRows"):
        failed = {error["index"] for error in errors}
        stopped = [{"reason": "stopped", "message": "", "location": ""}]
        errors += [{"index": index, "errors": stopped} for index in range(len(given)) if index not in failed]
        cells = []
    new = [encoded for insert_id, encoded in cells if recent.is_new(table, insert_id)]
    store.append(table, NewRows(new, sum(len(cell) for row in new for cell in row if cell)))
    answer: dict[str, Any] = {"kind": "bigquery#tableDataInsertAllResponse"}
    return {**answer, "insertErrors": errors} if errors else answer


def _selected(table: Table, text: str | None) -> list[int]:
    places = {field.name.lower(): place for place, field in enumerate(table.fields)}
    if not text:
        return list(places.values())
    wanted = {name.strip().lower() for name in text.split(",")}
    if unknown := wanted - places.keys():
        raise BigQueryError("invalid", f"Invalid field name: {min(unknown)}")
    return [place for name, place in places.items() if name in wanted]


def _wants_whole_timestamps(query: Mapping[str, str]) -> bool:
    """Whether the client asks for microseconds, in the older or the newer way; the default is seconds as a float."""
    old, new = query.get("formatOptions.useInt64Timestamp", ""), query.get("formatOptions.timestampOutputFormat")
    return old.lower() == "true" or new == "INT64"


def _number(text: str) -> int:
    if not text.isdecimal():
        raise BigQueryError("invalid", f"Invalid value: {text}")
    return int(text)


def _shown(cell: str | None, field: Field, as_seconds: bool) -> Any:  # noqa: FBT001 - called for every cell
    if cell is None:
        return None
    if field.is_nested:
        return msgspec.json.decode(cell)
    if field.type == "TIMESTAMP" and as_seconds:
        return repr(int(cell) / 1_000_000)
    return cell
