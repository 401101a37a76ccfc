"""Arrow columns as columns of a BigQuery table, and rows as the lines that a load job takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt

from geminate.errors import InputError
from geminate.formats.row_text import encode_json_lines
from geminate.ports import TableColumn

_ILLEGAL = re.compile(r"[^A-Za-z0-9_]")
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
"""The type of a column; text for all others, times without a zone among them.

Lists and structs become JSON. Batch prediction takes neither arrays, structs nor datetimes in its tables, and what is
read as text today is not in the way of anybody tomorrow.
"""


@dataclass(frozen=True, slots=True)
class TableField:
    """A column of some rows, and what it is in a table."""

    name: str
    column: TableColumn


def table_fields(schema: pa.Schema, taken: Mapping[str, str] | None = None) -> list[TableField]:
    """What each column is in a table. Characters that BigQuery has in no name become ``_``.

    Args:
        schema: The columns.
        taken: Names in lower case that are not theirs to have, each with what has it.

    Raises:
        InputError: A column would get such a name, or two columns one name, since BigQuery's names know no case.
    """
    used = dict(taken or {})
    fields = []
    for field in schema:
        name = _ILLEGAL.sub("_", field.name)
        name = f"_{name}" if name[:1].isdigit() else name or "_"
        if name.lower() in used:
            raise InputError(
                f"in a BigQuery table it would have the name of {used[name.lower()]}",
                where=f"column {field.name!r}",
                remedy="rename it in the prompts",
            )
        used[name.lower()] = f"column {field.name!r}"
        fields.append(TableField(field.name, TableColumn(name, _kind(field.type))))
    return fields


def encode_table_rows(record_batch: pa.RecordBatch, fields: list[TableField]) -> bytes:
    """The rows as lines of JSON, a member for each field; times are cut to the microsecond."""
    columns = [_plain(record_batch.column(field.name)) for field in fields]
    names = [field.column.name for field in fields]
    return encode_json_lines(pa.RecordBatch.from_arrays(columns, names=names))


def _plain(column: pa.Array) -> pa.Array:
    if pt.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _kind(type_: pa.DataType) -> str:
    return next((kind for is_type, kind in _KINDS if is_type(type_)), "STRING")


def _fits_numeric(type_: pa.DataType) -> bool:
    before, after = _NUMERIC
    return bool(0 <= type_.scale <= after and type_.precision - type_.scale <= before)
