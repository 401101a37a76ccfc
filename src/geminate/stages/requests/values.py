r"""The cells of an Arrow column as text, and as JSON values: what a slot writes.

=====================  ===============================================  ============================
column                 in a text                                        as a JSON value
=====================  ===============================================  ============================
string                 as it is                                         its content, read as JSON
integer                ``7``                                            the same
float                  shortest: ``0.1``, ``1.0``, ``1e16``             the same
decimal                all digits, no exponent: ``1.50``                the same
boolean                ``true``, ``false``                              the same
date                   ``2026-11-22``                                   the same, quoted
time                   ``08:30:00``, ``08:30:00.25``                    the same, quoted
timestamp              ``2026-11-22T08:30:00``, with a zone in UTC      the same, quoted
                       and with ``Z``
list, struct, map      its JSON value                                   arrays and objects
dictionary, extension  as the values or the storage beneath             the same
=====================  ===============================================  ============================

Inside lists and structs strings are JSON strings. A null member of a struct is left out: Arrow cannot tell it from an
absent one, and the service reads both alike. Binary, duration, interval and union columns have no text.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from geminate.stages.requests.escapes import escape_json

TEXT = pa.large_string()
"""What lines and their parts are made of: offsets of 64 bits never overflow."""

_EMPTY, _NONE = pa.scalar("", TEXT), pa.scalar(None, TEXT)

# Infinities and NaN have no JSON. They are written as this byte, which no JSON text holds, so that they can be found
# again in whatever list or struct they lie.
_NOT_FINITE = "\0"


def find_wordless(data_type: pa.DataType) -> pa.DataType | None:
    """The type itself, or the one inside it, that has no text; None where all have one."""
    return next((leaf for leaf in _iter_leaves(data_type) if not _is_worded(leaf)), None)


def text_of(column: pa.Array) -> pa.LargeStringArray:
    """The cells as the table above writes them in a text; null where a cell is null, or holds NaN or an infinity."""
    column = unwrap(column)
    if is_structured(column.type):
        return json_of(column)
    return _only_finite(_scalars(column)[0], column.type)


def json_of(column: pa.Array) -> pa.LargeStringArray:
    """The cells as JSON values, strings quoted; null where a cell is null, or holds NaN or an infinity."""
    return _only_finite(_json(column), column.type)


def parse_json(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The JSON texts without the blanks between their tokens, else as written; null where one is not JSON."""
    return pa.array(map(_compact, texts.to_pylist()), TEXT)


def find_rows(mask: pa.BooleanArray) -> list[int]:
    """The positions where the mask is true; a null is not."""
    return np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False)).tolist()


def _compact(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        msgspec.json.decode(text)  # Formatting alone checks less.
        return msgspec.json.format(text, indent=-1)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _only_finite(texts: pa.LargeStringArray, data_type: pa.DataType) -> pa.LargeStringArray:
    if not any(map(types.is_floating, _iter_leaves(data_type))):
        return texts
    return pc.if_else(pc.match_substring(texts, _NOT_FINITE), _NONE, texts)


def _iter_leaves(data_type: pa.DataType) -> Iterator[pa.DataType]:
    """The types at the bottom of a nested type, or the type itself."""
    if isinstance(data_type, pa.BaseExtensionType):
        yield from _iter_leaves(data_type.storage_type)
    elif types.is_dictionary(data_type):
        yield from _iter_leaves(data_type.value_type)
    elif _is_list(data_type) or types.is_map(data_type) or types.is_struct(data_type):
        for at in range(data_type.num_fields):
            yield from _iter_leaves(data_type.field(at).type)
    else:
        yield data_type


def unwrap(column: pa.Array) -> pa.Array:
    """The values of a dictionary column, the storage of an extension; any other column as it is."""
    while True:
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        elif types.is_dictionary(column.type):
            column = column.dictionary_decode()
        else:
            return column


def is_string(data_type: pa.DataType) -> bool:
    """Whether it is text, however stored."""
    return bool(types.is_string(data_type) or types.is_large_string(data_type) or types.is_string_view(data_type))


def is_structured(data_type: pa.DataType) -> bool:
    """Whether it is a list, a struct or a map."""
    return any(holds(data_type) for holds, _ in _NESTED)


def _is_list(data_type: pa.DataType) -> bool:
    return bool(types.is_list(data_type) or types.is_large_list(data_type) or types.is_fixed_size_list(data_type))


def _is_worded(leaf: pa.DataType) -> bool:
    return types.is_null(leaf) or is_string(leaf) or any(holds(leaf) for holds, _, _ in _SCALARS)


def _join(*parts: str | pa.LargeStringArray) -> pa.LargeStringArray:
    texts = [pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*texts, _EMPTY)


def _keep_nulls(texts: pa.LargeStringArray, column: pa.Array) -> pa.LargeStringArray:
    return pc.if_else(column.is_valid(), texts, _NONE) if column.null_count else texts


def _json(column: pa.Array) -> pa.LargeStringArray:
    column = unwrap(column)
    for holds, write in _NESTED:
        if holds(column.type):
            return _keep_nulls(write(column), column)
    texts, quoted = _scalars(column)
    return _join('"', escape_json(texts), '"') if quoted else texts


def _scalars(column: pa.Array) -> tuple[pa.LargeStringArray, bool]:
    """The texts, and whether JSON puts them in quotes."""
    for holds, write, quoted in _SCALARS:
        if holds(column.type):
            return write(column), quoted
    return column.cast(TEXT), True


def _write_struct(column: pa.StructArray) -> pa.LargeStringArray:
    members: list[str | pa.LargeStringArray] = []
    for at, field in enumerate(column.type):
        name = msgspec.json.encode(field.name).decode()
        members.append(_join(f"{name}:", _json(pc.struct_field(column, at)), ",").fill_null(""))
    # A value never ends in a comma, so only the last separator goes.
    inside = pc.ascii_rtrim(_join(*members), ",") if members else pa.repeat(_EMPTY, len(column))
    return _join("{", inside, "}")


def _write_list(column: pa.Array) -> pa.LargeStringArray:
    return _join("[", _join_lists(column, _json(column.flatten())), "]")


def _write_map(column: pa.MapArray) -> pa.LargeStringArray:
    pairs = column.cast(pa.list_(column.type.field(0).type))
    entries = pairs.flatten()
    names = escape_json(text_of(pc.struct_field(entries, 0)))
    values = _json(pc.struct_field(entries, 1)).fill_null("null")
    return _join("{", _join_lists(pairs, _join('"', names, '":', values)), "}")


def _join_lists(column: pa.Array, elements: pa.LargeStringArray) -> pa.LargeStringArray:
    lengths = pc.if_else(column.is_valid(), pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    lists = pa.LargeListArray.from_arrays(offsets, elements.fill_null("null"))
    return pc.binary_join(lists, pa.scalar(",", TEXT))


def _write_floats(column: pa.FloatingPointArray) -> pa.LargeStringArray:
    if not types.is_float64(column.type):
        # By way of its own shortest text, so that 0.1 stays 0.1.
        column = column.cast(pa.float32()).cast(pa.string()).cast(pa.float64())
    finite = pc.is_finite(column)
    numbers = pc.if_else(finite, column, 0.0).fill_null(0.0).to_pylist()
    texts = pa.array(msgspec.json.encode(numbers)[1:-1].decode().split(",") if numbers else [], TEXT)
    return pc.if_else(finite, texts, _NOT_FINITE)


def _write_decimals(column: pa.Array) -> pa.LargeStringArray:
    return pa.array((None if cell is None else f"{cell:f}" for cell in column.to_pylist()), TEXT)


def _write_plainly(column: pa.Array) -> pa.LargeStringArray:
    return column.cast(TEXT)


def _write_times(column: pa.Array) -> pa.LargeStringArray:
    if types.is_timestamp(column.type) and column.type.tz:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    texts = pc.replace_substring(column.cast(TEXT), pattern=" ", replacement="T")
    texts = pc.replace_substring_regex(texts, pattern=r"(\.[0-9]*?)0+(Z?)$", replacement=r"\1\2")
    return pc.replace_substring_regex(texts, pattern=r"\.(Z?)$", replacement=r"\1")


_SCALARS = (
    (types.is_boolean, _write_plainly, False),
    (types.is_integer, _write_plainly, False),
    (types.is_floating, _write_floats, False),
    (types.is_decimal, _write_decimals, False),
    (types.is_date, _write_plainly, True),
    (types.is_time, _write_times, True),
    (types.is_timestamp, _write_times, True),
)
_NESTED = ((types.is_struct, _write_struct), (_is_list, _write_list), (types.is_map, _write_map))
