"""JSON values to Arrow columns: one type for each column, found over all rows and never guessed from the first.

========================================  ==========================================
a column holds (nulls aside)              its type
========================================  ==========================================
nothing                                   null
booleans                                  bool
integers of 64 bits                       int64
floats, or floats and integers to 2^53    float64
strings                                   string
arrays                                    list, of the type of all their elements
objects                                   struct, of all their members
integers of more bits, any other mixture  string: strings as they are, else JSON text
========================================  ==========================================

The rule holds at every level. Objects without members and what is nested more than 32 levels deep are JSON text too.
Rows from memory may also hold what JSON has no type for, such as dates, decimals and bytes: Arrow finds their type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_MAX_DEPTH = 32  # Arrow's IPC format stops at 64.
_EXACT = 2**53  # Up to here every integer is a float64.
_INT64 = range(-(2**63), 2**63)
_JSON_TYPES = frozenset({bool, int, float, str, list, dict})
_SCALARS = {
    frozenset[type](): pa.null(),
    frozenset({bool}): pa.bool_(),
    frozenset({int}): pa.int64(),
    frozenset({float}): pa.float64(),
    frozenset({int, float}): pa.float64(),
    frozenset({str}): pa.string(),
}


@dataclass(slots=True)
class Shape:
    """What has been seen of one column, or of the elements or members of one.

    Attributes:
        types: The Python types of its values.
        wide: Whether an integer does not fit its column's type.
        exact: Whether every integer is a float64 too.
        items: The elements of its arrays.
        fields: The members of its objects, by name, in the order of their first appearance.
        foreign: The Arrow type of values that JSON has no type for.
    """

    types: set[type] = field(default_factory=set)
    wide: bool = False
    exact: bool = True
    items: Shape | None = None
    fields: dict[str, Shape] = field(default_factory=dict)
    foreign: pa.DataType | None = None

    def observe(self, values: Sequence[Any], depth: int = 0) -> None:
        """Nothing; the shape takes in more values."""
        types = set(map(type, values)) - {type(None)}
        self.types |= types
        if types - _JSON_TYPES:
            found = pa.infer_type(values, from_pandas=True)
            both = [pa.schema({"": each}) for each in (self.foreign or found, found)]
            self.foreign = pa.unify_schemas(both, promote_options="permissive").field(0).type
        if int in types:
            integers = [value for value in values if type(value) is int]
            low, high = min(integers), max(integers)
            self.wide |= low not in _INT64 or high not in _INT64
            self.exact &= low >= -_EXACT and high <= _EXACT
        if depth < _MAX_DEPTH and self.types == {list}:
            self.items = self.items or Shape()
            self.items.observe(list(chain.from_iterable(value for value in values if value is not None)), depth + 1)
        if depth < _MAX_DEPTH and self.types == {dict}:
            self.observe_rows([value for value in values if value is not None], depth + 1)

    def observe_rows(self, rows: Sequence[Mapping[str, Any]], depth: int = 0) -> None:
        """Nothing; the shape takes in more objects."""
        for name in dict.fromkeys(chain.from_iterable(rows)):
            self.fields.setdefault(name, Shape()).observe([row.get(name) for row in rows], depth)

    def observe_columns(self, record_batch: pa.RecordBatch) -> None:
        """Nothing; the shape takes in objects whose members have the types that it has found so far."""
        for name, column in zip(record_batch.schema.names, record_batch.columns, strict=True):
            # All other types say all there is to know.
            if pa.types.is_integer(column.type) and column.null_count < len(column):
                bounds = pc.min_max(column).as_py()
                self.fields[name].observe([bounds["min"], bounds["max"]])

    @property
    def _kind(self) -> str:
        if self.foreign is not None:
            return "foreign"
        if self.types == {list} and self.items:
            return "list"
        if self.types == {dict} and self.fields:
            return "struct"
        fits = not (self.wide or (float in self.types and not self.exact))
        return "scalar" if fits and frozenset(self.types) in _SCALARS else "text"

    @property
    def arrow_type(self) -> pa.DataType:
        """The type that holds every value seen."""
        match self._kind:
            case "foreign":
                return self.foreign
            case "list":
                return pa.list_(self.items.arrow_type if self.items else pa.null())
            case "struct":
                return pa.struct(self.arrow_fields)
            case "scalar":
                return _SCALARS[frozenset(self.types)]
            case _:
                return pa.string()

    @property
    def arrow_fields(self) -> list[pa.Field]:
        """The members' names and types."""
        return [pa.field(name, shape.arrow_type) for name, shape in self.fields.items()]

    def rewriter(self) -> Callable[[Any], Any] | None:
        """What puts JSON text in the places of a value whose type is text; None where there are none."""
        kind = self._kind
        if kind == "text":
            return _as_text
        if kind == "foreign":
            return _as_present
        if kind == "list" and self.items and (element := self.items.rewriter()):
            return lambda value: value if value is None else [element(each) for each in value]
        if kind == "struct":
            members = {name: rewrite for name, shape in self.fields.items() if (rewrite := shape.rewriter())}
            if members:
                return lambda value: (
                    value if value is None else value | {n: r(value.get(n)) for n, r in members.items()}
                )
        return None


def _as_text(value: Any) -> str | None:
    present = _as_present(value)
    return present if present is None or isinstance(present, str) else msgspec.json.encode(present).decode()


def _as_present(value: Any) -> Any:
    # Tables turned into dicts write a missing string or date as NaN, the value that differs from itself.
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 -- said above.
