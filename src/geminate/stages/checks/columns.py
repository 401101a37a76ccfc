"""The columns of the table that an importer would make, and what two of them cannot be at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from geminate.wire.violations import Violation, brief

ARRAY: Final = "an array"
OBJECT: Final = "an object"
KINDS: Final[dict[type, str]] = {
    dict: OBJECT,
    list: ARRAY,
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}
"""What a column may hold; a null is of no kind."""

TABLE_HINT: Final = "or use BigQuery input, which keeps requests as JSON"


@dataclass(frozen=True, slots=True)
class Place:
    """A line, for saying where something was seen.

    Attributes:
        file: The file or URI.
        line: The line's number from 1.
        key: The line's key as text, if it has one.
    """

    file: str = ""
    line: int = 0
    key: str | None = None

    def __str__(self) -> str:
        return f"{self.file} line {self.line}" if self.file else f"line {self.line}"


@dataclass(frozen=True, slots=True)
class First:
    """Where something was seen first: the line, and the path with its array positions."""

    place: Place
    path: str

    def violation(self, rule: str, message: str) -> Violation:
        """A violation at this place."""
        return Violation(rule, message, self.path, self.place.file, self.place.line, self.place.key)


@dataclass(slots=True)
class Column:
    """What was seen at one path so far.

    Attributes:
        firsts: The kinds seen, each with its first place, in the order they were seen.
        members: The columns below, where an object was seen.
        folded: The members' names by their lower-case form.
        element: The column of an array's elements.
        is_element: Whether it is one.
        null: The first null.
    """

    firsts: dict[str, First] = field(default_factory=dict)
    members: dict[str, Column] = field(default_factory=dict)
    folded: dict[str, str] = field(default_factory=dict)
    element: Column | None = None
    is_element: bool = False
    null: First | None = None

    def take_element(self) -> Column:
        """The column of the elements, made where there was none."""
        if self.element is None:
            self.element = Column(is_element=True)
        return self.element

    def first(self) -> First:
        """Where the path was first seen with a kind, else with a null."""
        return next(iter(self.firsts.values()), None) or self.null or First(Place(), "")


def iter_columns(column: Column) -> Iterator[Column]:
    """The column and all below it."""
    yield column
    if column.element is not None:
        yield from iter_columns(column.element)
    for member in column.members.values():
        yield from iter_columns(member)


def find_kind_conflict(column: Column, kind: str, first: First) -> list[Violation]:
    """The violation, if the column holds other kinds."""
    if not column.firsts or kind in column.firsts:
        return []
    other, seen = next(iter(column.firsts.items()))
    message = f"{kind} here, but {other} at {seen.path} of {seen.place}; one path has one type in all lines"
    return [first.violation("import.type_conflict", message)]


def find_null_conflict(column: Column, first: First, *, is_null: bool) -> list[Violation]:
    """The violation, if a null meets an array in this column, or an array a null. Elements have a rule of their own."""
    seen = column.firsts.get(ARRAY) if is_null else column.null
    if seen is None or column.is_element:
        return []
    what = "null here, but an array" if is_null else "an array here, but null"
    message = f"{what} at {seen.path} of {seen.place}; leave the null member out, {TABLE_HINT}"
    return [first.violation("import.null_for_array", message)]


def find_case_conflict(column: Column, name: str, first: First) -> list[Violation]:
    """The violation, if the column has a member whose name differs from this one in case alone."""
    twin = column.folded.get(name.lower(), name)
    if twin == name:
        return []
    message = f"{brief(name)} and {brief(twin)} stand at one path and differ in case alone, which column names must not"
    return [first.violation("import.field_case", message)]
