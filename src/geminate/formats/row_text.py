"""Rows as text: JSON lines and CSV.

Timestamps with a zone are UTC in RFC 3339; other times, dates and durations are ISO 8601. Decimals are strings of all
their digits. Bytes are base64. A map is a list of objects with ``key`` and ``value``. Durations, and timestamps inside
lists and structs, stop at the microsecond.
"""

from __future__ import annotations

import base64
import io

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_FORMULA = r"^[=+\-@\t\r]"
_NAME = "c"
_BEFORE, _AFTER = len(b'{"c":'), len(b"}")


def encode_json_lines(record_batch: pa.RecordBatch) -> bytes:
    """One line a row with every column, nulls as null; so are NaN and infinity, which JSON has no numbers for."""
    import polars as pl

    lines = io.BytesIO()
    columns = [_jsonable(column) for column in record_batch.columns]
    pl.DataFrame(pa.RecordBatch.from_arrays(columns, names=record_batch.schema.names)).write_ndjson(lines)
    return lines.getvalue()


def encode_csv(record_batch: pa.RecordBatch, *, header: bool, guard_formulas: bool) -> bytes:
    """One line a row as in RFC 4180, after one of the names if there is a header.

    Null is an empty cell, the empty string a quoted one; in a table of one column, where an empty cell would be a blank
    line, both are quoted. Lists and structs are JSON text. With ``guard_formulas`` a text that a spreadsheet would run
    gets an apostrophe before it.
    """
    import polars as pl

    columns = [_cells(column, guard_formulas=guard_formulas) for column in record_batch.columns]
    if len(columns) == 1:
        columns = [pc.fill_null(columns[0].cast(pa.string()), "")]
    frame = pl.DataFrame(pa.RecordBatch.from_arrays(columns, names=record_batch.schema.names))
    lines = io.BytesIO()
    frame.write_csv(lines, include_header=header, line_terminator="\r\n", quote_style="necessary")
    return lines.getvalue()


def _cells(column: pa.Array, *, guard_formulas: bool) -> pa.Array:
    if pt.is_nested(column.type):
        lines = encode_json_lines(pa.RecordBatch.from_arrays([column], names=[_NAME])).split(b"\n")[:-1]
        texts = pa.array([line[_BEFORE:-_AFTER] for line in lines], pa.binary()).cast(pa.string())
        return pc.if_else(column.is_valid(), texts, None)
    if not pt.is_string(column.type):
        return _jsonable(column)
    risky = pc.match_substring_regex(column, _FORMULA) if guard_formulas else None
    if risky is None or not pc.any(risky).as_py():
        return column
    return pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)


def _jsonable(column: pa.Array) -> pa.Array:
    """The column in types that polars writes as JSON the way the module says."""
    nested = pt.is_nested(column.type)
    column = column.cast(_listed(column.type), safe=False) if nested else column
    if _is_jsonable(column.type):
        return column
    if nested:
        return pa.array(msgspec.to_builtins(column.to_pylist()), _written(column.type))
    if pt.is_timestamp(column.type):
        utc = column.cast(pa.timestamp(column.type.unit, "UTC")) if column.type.tz else column
        return pc.replace_substring(utc.cast(pa.string()), " ", "T", max_replacements=1)
    if pt.is_binary(column.type) or pt.is_fixed_size_binary(column.type):
        return pa.array([None if each is None else base64.b64encode(each) for each in column.to_pylist()], pa.string())
    if pt.is_duration(column.type):
        return pa.array(msgspec.to_builtins(column.cast(pa.duration("us"), safe=False).to_pylist()), pa.string())
    return column.cast(pa.float32() if pt.is_float16(column.type) else pa.string())


def _is_jsonable(type_: pa.DataType) -> bool:
    if pt.is_struct(type_):
        return all(_is_jsonable(field.type) for field in type_)
    if pt.is_list(type_):
        return _is_jsonable(type_.value_type)
    is_number = pt.is_integer(type_) or pt.is_float32(type_) or pt.is_float64(type_)
    return bool(is_number or pt.is_string(type_) or pt.is_boolean(type_) or pt.is_null(type_))


def _listed(type_: pa.DataType) -> pa.DataType:
    """The type with lists of structs for maps and microseconds for what is finer, which Python has no times for."""
    if pt.is_map(type_):
        return pa.list_(pa.struct({"key": _listed(type_.key_type), "value": _listed(type_.item_type)}))
    if pt.is_struct(type_):
        return pa.struct([field.with_type(_listed(field.type)) for field in type_])
    if pt.is_list(type_) or pt.is_fixed_size_list(type_):
        return pa.list_(_listed(type_.value_type))
    if pt.is_timestamp(type_):
        return pa.timestamp("us", type_.tz)
    if pt.is_float16(type_):
        return pa.float32()
    return pa.duration("us") if pt.is_duration(type_) else type_


def _written(type_: pa.DataType) -> pa.DataType:
    """The type with text for all that JSON has no type for."""
    if pt.is_struct(type_):
        return pa.struct([field.with_type(_written(field.type)) for field in type_])
    if pt.is_list(type_):
        return pa.list_(_written(type_.value_type))
    return type_ if _is_jsonable(type_) else pa.string()
