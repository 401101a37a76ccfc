"""Prompts in a BigQuery table."""

from __future__ import annotations

from itertools import chain

import pyarrow as pa

from geminate.errors import PromptError, UsageError
from geminate.formats.memory import spool_table
from geminate.formats.sources import Outside, SourceIdentity, measure


def open_table(uri: str, outside: Outside) -> tuple[pa.Table, SourceIdentity]:
    """The table's rows, and what tells that they have changed.

    The rows are copied to a temporary file, a few at a time, and mapped from there. The identity is that of the table,
    not of the copy, since BigQuery keeps rows in no order.

    Raises:
        InputError: The URI is none of a table, or the table changed while it was read.
        PromptError: There is no such table, or it has no rows.
        UsageError: There is no table store to read it from.
    """
    if outside.tables is None:
        raise UsageError("no table store to read it from", where=uri, remedy="pass one as tables")
    info = outside.tables.stat(uri)
    if info is None:
        raise PromptError("no such table", where=uri, remedy="check the project, the dataset and the table")
    record_batches = outside.tables.read(info)
    first = next(record_batches, None)
    if first is None or not info.rows:
        raise PromptError("the table has no rows", where=uri)
    schema = first.schema.remove_metadata()
    table = spool_table(
        schema, (pa.record_batch(b.columns, schema) for b in chain([first], record_batches)), outside.spool
    )
    return table, SourceIdentity(uri, info.size_bytes, measure([info.version.encode()])[1])
