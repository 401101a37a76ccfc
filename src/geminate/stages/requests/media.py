"""The cells that are media: what they hold or name, and what becomes of them in a request line.

A cell holds bytes, or names a place: a path, a ``gs://`` URI or a YouTube address. A struct of ``bytes`` and ``path``
may do both, then the path only helps to tell the type. A list holds several media.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from geminate.stages.requests.cells import Cells, Columns, Faults
from geminate.stages.requests.values import is_string, unwrap

_BYTES, _PATH = "bytes", "path"
_MEMBERS: Final = {_BYTES, _PATH}


@dataclass(frozen=True, slots=True)
class MediaSlot:
    """The slots of one cell whose media go into requests.

    Attributes:
        name: The column and the way into its structs, as the spec names it.
        column: The column.
        fields: The way into its structs.
        wanted: What goes into requests, by how often: ``part``, ``base64``, ``mime``, ``uri``.
        path: Where its violations are.
        default: The part, as JSON, that stands for a null.
    """

    name: str
    column: str
    fields: tuple[str, ...]
    wanted: Mapping[str, int]
    path: str
    default: str | None = None

    @property
    def count(self) -> int:
        """How often the medium itself stands in a request."""
        return sum(times for what, times in self.wanted.items() if what != "mime")


@dataclass(frozen=True, slots=True)
class MediaCell:
    """One medium, as its cell gives it.

    Attributes:
        data: Its bytes, None where they lie elsewhere.
        place: Where they lie, or the name that they had; None where the cell has neither.
    """

    data: pa.Buffer | None
    place: str | None


@dataclass(frozen=True, slots=True)
class Medium:
    """A medium as a request takes it.

    Attributes:
        mime_type: Its type.
        uri: Its object; None where it is inline.
        base64: Its bytes as base64 text where it is inline.
        size_bytes: Their number, where they were read.
        is_scaled: Whether it was made smaller.
        notes: What its author should know, each as its kind and a clause.
    """

    mime_type: str
    uri: str | None = None
    base64: bytes = b""
    size_bytes: int = 0
    is_scaled: bool = False
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class MediaColumns:
    """The media of one record batch, ready for request lines.

    Attributes:
        columns: Texts by ``media_column``; null where a row has a fault.
        faults: Why those are null.
    """

    columns: Columns = field(default_factory=dict)
    faults: Faults = field(default_factory=list)


NO_MEDIA: Final = MediaColumns()


@dataclass(frozen=True, slots=True)
class MediaReader:
    """Takes what became of a cell's media.

    Attributes:
        column: Its name among the media's columns.
        is_json: Whether it is JSON, which stands in the line as it is.
    """

    column: str
    is_json: bool

    def read(self, columns: Columns) -> Cells:
        """The texts of one record batch, made by ourselves and therefore right."""
        return Cells(columns[self.column])


def media_column(name: str, wanted: str) -> str:
    """What a column of ``MediaColumns`` is called; no column of prompts can be called so by chance."""
    return f"\0{name}|{wanted}"


def describe_misfit(data_type: pa.DataType, *, several: bool) -> str | None:
    """Why cells of this type are no media, as the end of a sentence; None where they are.

    Args:
        data_type: The slot's type, its extensions and dictionaries unwrapped.
        several: Whether a list of media will do.
    """
    if several and _is_list(data_type):
        data_type = data_type.value_type
    if is_string(data_type) or _is_bytes(data_type) or types.is_null(data_type):
        return None
    if types.is_struct(data_type) and {member.name for member in data_type} >= _MEMBERS:
        members = {member.name: member.type for member in data_type}
        if _is_bytes(members[_BYTES]) and (is_string(members[_PATH]) or types.is_null(members[_PATH])):
            return None
    wanted = "paths, URIs, bytes, or structs of 'bytes' and 'path'"
    return f"holds {data_type}, where media are {wanted}{', or lists of them' if several else ''}"


def iter_media_cells(record_batch: pa.RecordBatch, slot: MediaSlot) -> Iterator[list[MediaCell] | None]:
    """The media of each row, None where it has none; bytes are not copied."""
    column = unwrap(record_batch.column(slot.column))
    for name in slot.fields:
        column = unwrap(pc.struct_field(column, name))
    is_list = _is_list(column.type)
    for cell in column:
        if not cell.is_valid:
            yield None
        else:
            members = cell.values if is_list else [cell]
            found = [_read_cell(member) for member in ([] if members is None else members)]
            yield None if not found or any(medium is None for medium in found) else found  # type: ignore[misc] # no None is left


def _read_cell(cell: Any) -> MediaCell | None:
    if not cell.is_valid:
        return None
    if isinstance(cell, pa.StructScalar):
        data, place = cell[_BYTES], cell[_PATH]
        medium = MediaCell(data.as_buffer() if data.is_valid else None, _read_text(place))
    elif _is_bytes(cell.type):
        medium = MediaCell(cell.as_buffer(), None)
    else:
        medium = MediaCell(None, _read_text(cell))
    return medium if medium.data is not None or medium.place else None


def _read_text(cell: Any) -> str | None:
    # Arrow lets pass what is not UTF-8; it is kept for whoever reads the place to refuse.
    return str(cell.as_buffer(), "utf-8", "surrogateescape") if cell.is_valid else None


def _is_bytes(data_type: pa.DataType) -> bool:
    return bool(
        types.is_binary(data_type)
        or types.is_large_binary(data_type)
        or types.is_fixed_size_binary(data_type)
        or types.is_binary_view(data_type)
    )


def _is_list(data_type: pa.DataType) -> bool:
    return bool(types.is_list(data_type) or types.is_large_list(data_type) or types.is_fixed_size_list(data_type))
