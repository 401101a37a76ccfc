"""Prompts in a BigQuery table, or that a query gives."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pyarrow as pa

from geminate.errors import PromptError, UsageError
from geminate.formats.memory import SpooledTable, spool_table
from geminate.formats.sources import Outside, SourceIdentity, measure
from geminate.ports import TableInfo, TableStore
from geminate.wire.uris import BQ_QUERY_SCHEME


def open_table(uri: str, outside: Outside) -> tuple[SpooledTable, SourceIdentity]:
    """The table's rows, and what tells that they have changed.

    The rows are copied to a temporary file, a few at a time. The identity is that of the table,
    not of the copy, since BigQuery keeps rows in no order.

    Raises:
        InputError: The URI is none of a table, or the table changed while it was read.
        PromptError: There is no such table, or it has no rows.
        UsageError: There is no table store to read it from.
    """
    info = _tables(outside, uri).stat(uri)
    if info is None:
        raise PromptError("no such table", where=uri, remedy="check the project, the dataset and the table")
    return _spool_rows(info, uri, outside), _identity(uri, info, info.version)


def open_query(name: str, outside: Outside, max_bytes_billed: int) -> tuple[SpooledTable, SourceIdentity]:
    """The query's rows, and what tells that they have changed: its text, and how many rows and bytes it gives.

    Args:
        name: ``bq:`` and the SQL, or ``bq:@`` and the path of a file that holds it.
        outside: Where the query is run, and its rows are copied to.
        max_bytes_billed: The most it may be billed for; it is not run if a dry run tells more.

    Raises:
        InputError: The query is none, or would be billed for more.
        PromptError: It gives no rows.
        UsageError: The file cannot be read, or there is no table store.
    """
    sql = name.removeprefix(BQ_QUERY_SCHEME).strip()
    if sql.startswith("@"):
        try:
            sql = Path(sql[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot be read ({error})", where=sql[1:]) from error
    info = _tables(outside, name).query(sql, max_bytes_billed)
    return _spool_rows(info, name, outside), _identity(name, info, f"{sql} {info.rows}")


def _tables(outside: Outside, where: str) -> TableStore:
    if outside.tables is None:
        raise UsageError("no table store to read it from", where=where, remedy="pass one as tables")
    return outside.tables


def _spool_rows(info: TableInfo, where: str, outside: Outside) -> SpooledTable:
    record_batches = _tables(outside, where).read(info)
    first = next(record_batches, None)
    if first is None or not info.rows:
        raise PromptError("there are no rows", where=where)
    schema = first.schema.remove_metadata()
    plain = (pa.record_batch(each.columns, schema) for each in chain([first], record_batches))
    return spool_table(schema, plain, outside.spool)


def _identity(name: str, info: TableInfo, version: str) -> SourceIdentity:
    return SourceIdentity(name, info.size_bytes, measure([version.encode()])[1])
