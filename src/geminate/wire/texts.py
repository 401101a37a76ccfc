"""Text that is not UTF-8: Arrow lets it pass, and others then refuse the whole file that it stands in."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_UNKNOWN = "\ufffd".encode()


def find_invalid(column: pa.Array) -> list[int]:
    """The positions of the values that are not UTF-8, or hold a text that is not; in one pass where there are none."""
    return _find_invalid(column, 0)


def mend(column: pa.Array) -> pa.Array:
    """The same column with U+FFFD for what is no character, in texts at any depth."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return _mended(column)
    return column


def _find_invalid(column: pa.Array, first: int) -> list[int]:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        if len(column) == 1:
            return [first]
        # Taking, unlike slicing, leaves behind what the other half's lists and structs hold.
        half = len(column) // 2
        low, high = column.take(pa.array(range(half))), column.take(pa.array(range(half, len(column))))
        return _find_invalid(low, first) + _find_invalid(high, first + half)
    return []


def _mended(column: pa.Array) -> pa.Array:
    kind = column.type
    column = column.take(pa.array(np.arange(len(column))))  # Nested values then begin with the column.
    missing = column.is_null()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.array([text and _mended_text(text) for text in column.cast(pa.large_binary()).to_pylist()], kind)
    if pa.types.is_struct(kind):
        members = [mend(member) for member in column.flatten()]
        return pa.StructArray.from_arrays(members, fields=list(kind), mask=missing)
    if pa.types.is_map(kind):
        return pa.MapArray.from_arrays(column.offsets, mend(column.keys), mend(column.items), kind, mask=missing)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(mend(column.values), type=kind, mask=missing)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return type(column).from_arrays(column.offsets, mend(column.values), type=kind, mask=missing)
    return column


def _mended_text(text: bytes) -> str:
    # Half of a surrogate pair is one character that is none, whatever its bytes are.
    return _HALF.sub(_UNKNOWN, text).decode("utf-8", "replace")
