"""The only SQL that is run here: all rows of one table, or some of its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

from geminate.emulator.tables.errors import BigQueryError, not_emulated
from geminate.emulator.tables.store import NewRows, Table, TableStore

_NAME = r"`?(?P<project>[\w-]+)`?\.`?(?P<dataset>\w+)`?\.`?(?P<table>[\w-]+)`?"
_SELECT = re.compile(
    rf"\s*SELECT\s+(?P<columns>\*|\w+(?:\s*,\s*\w+)*)\s+FROM\s+{_NAME}(?:\s+LIMIT\s+(?P<limit>\d+))?\s*;?\s*",
    re.IGNORECASE,
)
# A query is billed for at least this much of each table, by the pricing page, read 2026-11-22.
_MIN_BILLED_BYTES = 10 * 1024 * 1024
_PART_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Query:
    """One query, understood."""

    table: Table
    columns: list[int]
    limit: int | None

    def check_bill(self, max_bytes_billed: int | None) -> None:
        """Nothing.

        Raises:
            BigQueryError: It would read more than it may.
        """
        billed = max(self.table.size_bytes, _MIN_BILLED_BYTES)
        if max_bytes_billed is not None and billed > max_bytes_billed:
            raise BigQueryError(
                "bytesBilledLimitExceeded",
                f"Query exceeded limit for bytes billed: {max_bytes_billed}. {billed} or higher required.",
            )


def read_query(store: TableStore, sql: str) -> Query:
    """The query that the text means.

    Raises:
        BigQueryError: It is more than is emulated, or what it names is not there.
    """
    found = _SELECT.fullmatch(sql)
    if found is None:
        raise not_emulated("SELECT columns FROM one table, perhaps with LIMIT, is all the SQL it runs")
    table = store.table(found["project"], found["dataset"], found["table"])
    places = {field.name.lower(): place for place, field in enumerate(table.fields)}
    names = list(places) if found["columns"] == "*" else [name.strip().lower() for name in found["columns"].split(",")]
    if unknown := [name for name in names if name not in places]:
        raise BigQueryError("invalidQuery", f"Unrecognized name: {unknown[0]}")
    return Query(table, [places[name] for name in names], int(found["limit"]) if found["limit"] else None)


def run_query(store: TableStore, query: Query, project: str, dataset: str, name: str) -> Table:
    """The new table of the query's rows; to be called in a transaction."""
    fields = [query.table.fields[column] for column in query.columns]
    wanted = query.table.rows if query.limit is None else min(query.limit, query.table.rows)
    made = store.add_table(project, dataset, name, fields)
    cells = (
        list(row)
        for start in range(0, wanted, _PART_ROWS)
        for row in store.read(query.table, query.columns, start, min(_PART_ROWS, wanted - start))
    )
    return store.append(made, NewRows(cells, query.table.size_bytes))
