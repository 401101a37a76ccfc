"""The footer of a Parquet file: read, told where its row groups have come to lie, and written again.

A footer is one struct in Thrift's compact protocol. It is kept as fields by number, so that whatever else stands in it
goes through untouched (Apache Parquet format 2.12 and Thrift's description of the protocol, both 2026-11).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

MAGIC = b"PAR1"
_LENGTH = struct.Struct("<I")
TAIL_BYTES = _LENGTH.size + len(MAGIC)
"""What stands after the footer: its length, and the magic."""

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG_LIST = 15


class Field(NamedTuple):
    """A member of a struct, or what a list has: its type in the protocol, and its value."""

    kind: int
    value: Any


Fields = dict[int, Field]

# By number, as parquet.thrift has them.
_NUM_ROWS, _ROW_GROUPS = 3, 4
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK_METADATA = 2, 3
_INDEX_OFFSETS = (4, 6)  # Of the chunk: its offset index, and its column index.
_PAGE_OFFSETS = (9, 10, 11, 14)  # Of its metadata: data, index and dictionary pages, and the bloom filter.


def split_file(data: memoryview) -> tuple[memoryview, Fields]:
    """What a whole Parquet file has between its magic and its footer, and the footer."""
    (length,) = _LENGTH.unpack(data[-TAIL_BYTES : -len(MAGIC)])
    end = len(data) - TAIL_BYTES - length
    return data[len(MAGIC) : end], _Reader(bytes(data[end:-TAIL_BYTES])).struct()


def move_row_groups(footer: Fields, moved_bytes: int, first_ordinal: int) -> list[Fields]:
    """The footer's row groups, once they lie so many bytes further on and so many others come before."""
    groups: list[Fields] = footer[_ROW_GROUPS].value.value
    for ordinal, group in enumerate(groups, first_ordinal):
        _move(group, (_GROUP_OFFSET,), moved_bytes)
        if _ORDINAL in group:
            group[_ORDINAL] = Field(_I16, ordinal)
        for chunk in group[_COLUMNS].value.value:
            # Of a chunk whose metadata stand in the footer alone, the offset of the metadata is 0.
            if chunk[_CHUNK_OFFSET].value:
                _move(chunk, (_CHUNK_OFFSET,), moved_bytes)
            _move(chunk, _INDEX_OFFSETS, moved_bytes)
            _move(chunk[_CHUNK_METADATA].value, _PAGE_OFFSETS, moved_bytes)
    return groups


def encode_tail(footer: Fields, groups: list[Fields], rows: int) -> bytes:
    """The end of a file with these row groups: the footer, its length, and the magic."""
    whole = footer | {_NUM_ROWS: Field(_I64, rows), _ROW_GROUPS: Field(_LIST, Field(_STRUCT, groups))}
    out = bytearray()
    _write_struct(out, whole)
    return bytes(out) + _LENGTH.pack(len(out)) + MAGIC


def _move(fields: Fields, numbers: tuple[int, ...], moved_bytes: int) -> None:
    for number in numbers:
        if number in fields:
            fields[number] = Field(_I64, fields[number].value + moved_bytes)


class _Reader:
    """Values of the protocol, one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> Fields:
        fields: Fields = {}
        number = 0
        while header := self._byte():
            step, kind = header >> 4, header & 15
            number = number + step if step else self._integer()
            fields[number] = Field(_TRUE, kind == _TRUE) if kind in {_TRUE, _FALSE} else Field(kind, self._value(kind))
        return fields

    def _value(self, kind: int) -> Any:
        return _READ[kind](self)

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _bytes(self, length: int) -> bytes:
        self._at += length
        return self._data[self._at - length : self._at]

    def _double(self) -> bytes:
        return self._bytes(8)

    def _binary(self) -> bytes:
        return self._bytes(self._varint())

    def _list(self) -> Field:
        header = self._byte()
        size, kind = header >> 4, header & 15
        size = self._varint() if size == _LONG_LIST else size
        return Field(kind, [self._value(kind) for _ in range(size)])


_READ: Mapping[int, Callable[[_Reader], Any]] = MappingProxyType(
    {
        **dict.fromkeys((_TRUE, _FALSE, _BYTE), _Reader._byte),  # noqa: SLF001 - A table of its methods.
        **dict.fromkeys((_I16, _I32, _I64), _Reader._integer),  # noqa: SLF001
        _DOUBLE: _Reader._double,  # noqa: SLF001
        _BINARY: _Reader._binary,  # noqa: SLF001
        **dict.fromkeys((_LIST, _SET), _Reader._list),  # noqa: SLF001
        _STRUCT: _Reader.struct,
    }
)


def _write_struct(out: bytearray, fields: Fields) -> None:
    before = 0
    for number, (kind, value) in sorted(fields.items()):
        kind = (_TRUE if value else _FALSE) if kind == _TRUE else kind  # noqa: PLW2901 - A flag's type is its value.
        step = number - before
        if step < _LONG_LIST + 1:
            out.append(step << 4 | kind)
        else:
            out.append(kind)
            _write_integer(out, number)
        if kind not in {_TRUE, _FALSE}:
            _WRITE[kind](out, value)
        before = number
    out.append(0)


def _write_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _write_integer(out: bytearray, value: int) -> None:
    _write_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)


def _write_binary(out: bytearray, value: bytes) -> None:
    _write_varint(out, len(value))
    out += value


def _write_list(out: bytearray, values: Field) -> None:
    size = len(values.value)
    out.append(min(size, _LONG_LIST) << 4 | values.kind)
    if size >= _LONG_LIST:
        _write_varint(out, size)
    write = _WRITE[values.kind]
    for value in values.value:
        write(out, value)


_WRITE: Mapping[int, Callable[[bytearray, Any], None]] = MappingProxyType(
    {
        **dict.fromkeys((_TRUE, _FALSE, _BYTE), bytearray.append),
        **dict.fromkeys((_I16, _I32, _I64), _write_integer),
        _DOUBLE: bytearray.extend,
        _BINARY: _write_binary,
        **dict.fromkeys((_LIST, _SET), _write_list),
        _STRUCT: _write_struct,
    }
)
