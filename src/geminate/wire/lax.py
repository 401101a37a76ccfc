"""JSON read for what it means, whatever types and spellings it came in. Nothing here raises for a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Raw

Reader = Callable[[Any], Any]

_NULL = Raw(b"null")
_INT64 = range(-(2**63), 2**63)
_decode_any = msgspec.json.Decoder().decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_elements = msgspec.json.Decoder(list[Raw]).decode


def read_value(raw: Raw | None) -> Any:
    """The value, None where there is none or where it is more than JSON allows."""
    if raw is None:
        return None
    try:
        return _decode_any(raw)
    except (ValueError, RecursionError):
        return None


def read_members(raw: bytes | Raw | None) -> dict[str, Raw]:
    """An object's members, not yet decoded; none of anything else."""
    if raw is None:
        return {}
    try:
        return _decode_members(raw)
    except (ValueError, RecursionError):
        return {}


def read_elements(raw: Raw | None) -> list[Raw]:
    """An array's elements, not yet decoded; anything else is the only one, as arrays of one come without brackets."""
    if raw is None:
        return []
    try:
        return _decode_elements(raw)
    except (ValueError, RecursionError):
        return [raw]


def read_member(members: Mapping[str, Any], name: str) -> Any:
    """The member of a snake_case name in camelCase or else as it is; None where it is absent or null."""
    for spelling in (_camel(name), name):
        value = members.get(spelling)
        if value is not None and value != _NULL:
            return value
    return None


@cache
def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


def dump_value(value: Any) -> str:
    """The value as compact JSON text.

    Raises:
        RecursionError: It nests almost as deeply as can be read.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_text(value: Any) -> str | None:
    """A text as it is, anything else as JSON text."""
    try:
        return value if value is None or isinstance(value, str) else dump_value(value)
    except RecursionError:
        return None


def read_count(value: Any) -> int | None:
    """An integer of 64 bits, also from a whole float or the short text of one; None for anything else."""
    if isinstance(value, str) and len(value) < 20:
        value = int(value) if value.strip().removeprefix("-").isdecimal() else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else None


def read_number(value: Any) -> float | None:
    """A number, also from its text; ``"NaN"`` and ``"Infinity"`` are how protobuf writes what JSON cannot."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def read_flag(value: Any) -> bool:
    """Whether it is true, 1 or the text of true."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() == "true")


def _read_bool(value: Any) -> bool | None:
    return None if value is None else read_flag(value)


def enum_reader(names: Sequence[str]) -> Reader:
    """A reader of an enum's name; a number stands for one of ``names``, and what nobody has listed is kept."""

    def read(value: Any) -> str | None:
        number = read_count(value)
        if number is not None and 0 <= number < len(names):
            return names[number]
        return read_text(value)

    return read


def reader_of(kind: pa.DataType, **special: Reader) -> Reader:
    """A reader of values that ``pa.array`` then takes for the type; what does not fit is null, piece by piece.

    Args:
        kind: Made of texts, integers of 64 bits, doubles, booleans, lists and structs.
        **special: Readers of some of a struct's fields, by name.
    """
    if pa.types.is_list(kind):
        return _list_reader(reader_of(kind.value_type, **special))
    if pa.types.is_struct(kind):
        return _struct_reader({field.name: special.get(field.name) or reader_of(field.type) for field in kind})
    return _SCALARS[kind]


_SCALARS: Mapping[pa.DataType, Reader] = {
    pa.string(): read_text,
    pa.int64(): read_count,
    pa.float64(): read_number,
    pa.bool_(): _read_bool,
}


def _list_reader(read: Reader) -> Reader:
    def read_list(value: Any) -> list[Any] | None:
        if value is None:
            return None
        return [read(element) for element in (value if isinstance(value, list) else [value])]

    return read_list


def _struct_reader(readers: Mapping[str, Reader]) -> Reader:
    def read(value: Any) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            return None
        return {name: read_field(read_member(value, name)) for name, read_field in readers.items()}

    return read
