"""A record batch's cells as the pieces of request lines: one reader for each slot or template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from geminate.stages.requests.escapes import escape_json
from geminate.stages.requests.values import (
    TEXT,
    find_rows,
    is_string,
    is_structured,
    json_of,
    parse_json,
    text_of,
    unwrap,
)
from geminate.stages.specs import Slot, Template, open_environment
from geminate.wire.violations import Violation

if TYPE_CHECKING:
    import minijinja

# A template often asks for a category or a threshold, and then says the same of many rows.
_MAX_KNOWN = 16_384
_MAX_KNOWN_CHARS = 1024
_MAX_ALIKE_BYTES = 64

Columns = Mapping[str, pa.Array]
Faults = list[tuple[int, Violation]]
"""Violations with the row, from 0, of the record batch that each befell."""


@dataclass(frozen=True, slots=True)
class Cells:
    """What one reader read of one record batch.

    Attributes:
        texts: A text or a JSON value for each row, null where there is a fault.
        faults: Why those are null.
    """

    texts: pa.LargeStringArray
    faults: Faults = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads a slot's cells as texts, still without JSON escapes.

    Attributes:
        slot: The slot.
        path: Where its violations are.
        default: What stands for a null.
    """

    slot: Slot
    path: str
    default: str | None

    def read(self, columns: Columns) -> Cells:
        """The cells of one record batch."""
        column = _cells_of(columns, self.slot)
        return _settle(self, column, text_of(column))


@dataclass(frozen=True, slots=True)
class JsonReader:
    """Reads a slot's cells as JSON values; those of a string column are JSON texts.

    Attributes:
        slot: The slot.
        path: Where its violations are.
        default: The JSON value that stands for a null.
        is_whole: Whether the service wants whole numbers: ``256.0`` is then written ``256``.
    """

    slot: Slot
    path: str
    default: str | None
    is_whole: bool

    def read(self, columns: Columns) -> Cells:
        """The cells of one record batch."""
        column = _cells_of(columns, self.slot)
        texts = parse_json(column.cast(TEXT)) if is_string(column.type) else json_of(column)
        if self.is_whole and types.is_floating(column.type):
            texts = pc.replace_substring_regex(texts, pattern=r"\.0$", replacement="")
        return _settle(self, column, texts)


@dataclass(frozen=True, slots=True)
class TemplateReader:
    """Renders a template, row by row.

    Attributes:
        template: The template.
        path: Where its violations are.
        defaults: What stands for a null, by column.
    """

    template: Template
    path: str
    defaults: Mapping[str, Any]
    _environment: minijinja.Environment = field(default_factory=open_environment, compare=False, repr=False)
    _known: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._environment.add_template("request", self.template.source)

    def read(self, columns: Columns) -> Cells:
        """The texts of one record batch, still without JSON escapes."""
        import minijinja

        cells = [unwrap(columns[name]) for name in self.template.columns]
        rows = len(cells[0])
        keys = _join_cells(cells)
        texts: list[str | None] = [self._known.get(key) for key in keys] if keys else [None] * rows
        unknown = [row for row, text in enumerate(texts) if text is None]
        if len(unknown) < rows:
            cells = [cell.take(pa.array(unknown, pa.int64())) for cell in cells]
        faults: Faults = []
        for row, context in zip(unknown, self._iter_contexts(cells), strict=True):
            try:
                text = texts[row] = self._environment.render_template("request", **context)
            except minijinja.TemplateError as error:
                faults.append((row, self._explain(error)))
                continue
            if keys and len(self._known) < _MAX_KNOWN and len(text) <= _MAX_KNOWN_CHARS:
                self._known[keys[row]] = text
        return Cells(pa.array(texts, TEXT), faults)

    def _iter_contexts(self, cells: list[pa.Array]) -> Iterator[dict[str, Any]]:
        names = self.template.columns
        for row in zip(*map(_objects, cells), strict=True):
            context = {name: cell for name, cell in zip(names, row, strict=True) if cell is not None}
            if len(context) < len(names):
                context = {**self.defaults, **context}
            yield {"columns": context, **context} if self.template.uses_columns else context

    def _explain(self, error: minijinja.TemplateError) -> Violation:
        if error.kind == "UndefinedError":
            message = f"the template prints what is null or not there: {error.detail}"
            return Violation("schema.null_slot", f"{message}; test it first, or give it a default", self.path)
        return Violation("schema.template", f"the template fails: {error.detail or error.kind}", self.path)


Reader = TextReader | JsonReader | TemplateReader


def _join_cells(cells: list[pa.Array]) -> list[str] | None:
    """A text for each row, equal for rows whose cells are; None where few rows are likely to be alike."""
    if sum(cell.nbytes for cell in cells) > _MAX_ALIKE_BYTES * len(cells[0]):
        return None
    if any(is_structured(cell.type) for cell in cells):
        return None
    # Raw control characters stand in no escaped text.
    texts = [escape_json(text_of(cell)).fill_null("\0") for cell in cells]
    joined: list[str] = pc.binary_join_element_wise(*texts, pa.scalar("\n", TEXT)).to_pylist()
    return joined


def _cells_of(columns: Columns, slot: Slot) -> pa.Array:
    column = unwrap(columns[slot.column])
    for name in slot.fields:
        column = unwrap(pc.struct_field(column, name))
    return column


def _settle(reader: TextReader | JsonReader, column: pa.Array, texts: pa.LargeStringArray) -> Cells:
    if reader.default is not None and column.null_count:
        texts = pc.if_else(column.is_null(), pa.scalar(reader.default, TEXT), texts)
    if not texts.null_count:
        return Cells(texts)
    is_null = column.is_null()
    faults = [(row, _explain(reader, column, is_null=is_null[row].as_py())) for row in find_rows(texts.is_null())]
    return Cells(texts, faults)


def _explain(reader: TextReader | JsonReader, column: pa.Array, *, is_null: bool) -> Violation:
    name = reader.slot.name
    if is_null:
        message = f"{name!r} is null; fill it, or name a default in the spec"
        return Violation("schema.null_slot", message, reader.path)
    if is_string(column.type):
        return Violation("json.syntax", f"{name!r} is not JSON, which its slot needs", reader.path)
    return Violation("json.not_finite", f"{name!r} holds NaN or an infinity; make it null or a number", reader.path)


def _objects(column: pa.Array) -> list[Any]:
    """The cells as templates see them: numbers, booleans, lists and mappings as such, all else as its text."""
    if is_structured(column.type) or types.is_floating(column.type):
        # By way of JSON, so that null members are not there and NaN is null.
        return [None if text is None else msgspec.json.decode(text) for text in json_of(column).to_pylist()]
    if types.is_integer(column.type) or types.is_boolean(column.type):
        return column.to_pylist()  # type: ignore[no-any-return]
    return text_of(column).to_pylist()  # type: ignore[no-any-return]
