"""The importer's rules, which hold over all lines of a set at once.

The service loads request lines through an importer that makes one table of the whole file: a column for every JSON
path, a type for every column. What it cannot store fails the whole job. So the state here is the table it would make:
a tree of paths, array positions merged, with the types seen at each and where each was seen first. It grows with the
number of different paths, not of lines, is bounded, and two of them merge into one.

Facts about the importer are from reports of failed jobs and from BigQuery's documentation, as of 2026-11-22. Where
nothing is known for sure, the rules side with caution:

- text against numbers against booleans at one path is a conflict: the importer either refuses it or rewrites values;
  whole against fractional numbers is none;
- a null goes with everything but an array, which is a repeated column, and those cannot be null;
- an empty array says nothing about its elements, and counts as an array;
- a level is a level of members, those of the line itself being the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from geminate.stages.checks.paths import Path, render_path
from geminate.wire.limits import LIMITS
from geminate.wire.violations import Violation

_COLUMN_NAME: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{LIMITS.max_column_name_chars - 1}}}")

_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}

_ARRAY: Final = _KINDS[list]
_OBJECT: Final = _KINDS[dict]

_TABLE_HINT: Final = "or use BigQuery input, which keeps requests as JSON"
_EMPTY_HINT: Final = f"leave it out, give it a member (null will do, for a tool that has fields), {_TABLE_HINT}"


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
    """Where a type was first seen at a path: the line, and the path with its array positions."""

    place: Place
    path: str


@dataclass(slots=True)
class Column:
    """What was seen at one path so far.

    Attributes:
        firsts: The types seen, each with its first place.
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


@dataclass(slots=True)
class Lattice:
    """The table that an importer would make of the lines observed so far.

    Attributes:
        root: The column of whole lines.
        column_count: How many columns there are, at most one more than a table may have.
    """

    root: Column = field(default_factory=Column)
    column_count: int = 0

    def observe(self, line: dict[str, Any], place: Place) -> list[Violation]:
        """The rules that this line is the first to break, in document order; each is reported once for a path."""
        visit = _Visit(self, place)
        visit.enter(self.root, line, None, 0)
        return visit.violations

    def merge(self, other: Lattice) -> list[Violation]:
        """The rules that only both sets together break; the other set counts as the later one, and is left as it is."""
        found: list[Violation] = []
        self._unite(self.root, other.root, 0, found)
        return found

    def finish(self) -> list[Violation]:
        """The rules that no line keeps: objects that are empty wherever they stand, each at its first place."""
        found = []
        for column in _iter_columns(self.root):
            if list(column.firsts) == [_OBJECT] and not column.members:
                first = column.firsts[_OBJECT]
                message = f"this object is empty in every line, so it would be a column without fields; {_EMPTY_HINT}"
                found.append(_violation("import.empty_object", message, first))
        return found

    def grow(self, column: Column, name: str, first: First, depth: int) -> tuple[Column | None, list[Violation]]:
        """A new member of a column, None where the table is full, and what is wrong with it."""
        found: list[Violation] = []
        if self.column_count > LIMITS.max_columns:
            return None, found
        self.column_count += 1
        if self.column_count > LIMITS.max_columns:
            message = (
                f"more than {LIMITS.max_columns:,} different paths, a column each; keys must not be data, {_TABLE_HINT}"
            )
            return None, [_violation("limit.columns", message, first)]
        if not _COLUMN_NAME.fullmatch(name):
            message = (
                f"{_brief(name)} is no column name (letters, digits and '_', not beginning with a digit); rename it"
            )
            found.append(_violation("import.field_name", f"{message}, {_TABLE_HINT}", first))
        twin = column.folded.setdefault(name.lower(), name)
        if twin != name:
            message = f"{name!r} and {twin!r} stand at one path and differ in case alone, which column names must not"
            found.append(_violation("import.field_case", message, first))
        if depth == LIMITS.max_nesting_levels + 1 and not column.members:
            message = f"this member lies at level {depth}, where {LIMITS.max_nesting_levels} is the deepest"
            found.append(_violation("import.nesting", f"{message}; flatten it, {_TABLE_HINT}", first))
        made = column.members[name] = Column()
        return made, found

    def _unite(self, mine: Column, theirs: Column, depth: int, found: list[Violation]) -> None:
        found += _merge_nulls(mine, theirs)
        for kind, first in theirs.firsts.items():
            if kind not in mine.firsts:
                found += _conflicts(mine, kind, first)
                mine.firsts[kind] = first
        if theirs.element is not None:
            mine.element = mine.element or Column(is_element=True)
            self._unite(mine.element, theirs.element, depth, found)
        for name, column in theirs.members.items():
            below = mine.members.get(name)
            if below is None:
                below, broken = self.grow(mine, name, _first_of(column), depth + 1)
                found += [violation for violation in broken if _is_new(violation.rule, mine, theirs, name)]
            if below is not None:
                self._unite(below, column, depth + 1, found)


class _Visit:
    """One line's way through the lattice."""

    def __init__(self, lattice: Lattice, place: Place) -> None:
        self.violations: list[Violation] = []
        self._lattice = lattice
        self._place = place

    def enter(self, column: Column, value: Any, path: Path, depth: int) -> None:
        kind = _KINDS.get(type(value))
        if value is None and column.null is None:
            self._meet_null(column, path)
        if kind is None:
            return
        if kind not in column.firsts:
            self._meet(column, kind, path)
        if isinstance(value, dict):
            for name, member in value.items():
                at = (path, name)
                below = column.members.get(name) or self._grow(column, name, at, depth + 1)
                if below is not None:
                    self.enter(below, member, at, depth + 1)
        elif isinstance(value, list):
            for index, element in enumerate(value):
                column.element = column.element or Column(is_element=True)
                self.enter(column.element, element, (path, index), depth)

    def _meet(self, column: Column, kind: str, path: Path) -> None:
        first = self._first(path)
        self.violations += _conflicts(column, kind, first)
        column.firsts[kind] = first
        if kind == _ARRAY and column.is_element:
            message = f"an array must not hold an array; put it into an object, {_TABLE_HINT}"
            self.violations.append(_violation("import.nested_array", message, first))
        elif kind == _ARRAY and column.null is not None:
            self.violations.append(_null_conflict(first, "an array here, but null", column.null))

    def _meet_null(self, column: Column, path: Path) -> None:
        column.null = first = self._first(path)
        if column.is_element:
            message = f"an array must not hold a null; leave it out, {_TABLE_HINT}"
            self.violations.append(_violation("import.null_in_array", message, first))
        elif _ARRAY in column.firsts:
            self.violations.append(_null_conflict(first, "null here, but an array", column.firsts[_ARRAY]))

    def _grow(self, column: Column, name: str, path: Path, depth: int) -> Column | None:
        made, found = self._lattice.grow(column, name, self._first(path), depth)
        self.violations += found
        return made

    def _first(self, path: Path) -> First:
        return First(self._place, render_path(path))


def _conflicts(column: Column, kind: str, first: First) -> list[Violation]:
    if not column.firsts:
        return []
    other, seen = next(iter(column.firsts.items()))
    message = f"{kind} here, but {other} at {seen.path} of {seen.place}; one path has one type in all lines"
    return [_violation("import.type_conflict", message, first)]


def _null_conflict(first: First, what: str, seen: First) -> Violation:
    message = f"{what} at {seen.path} of {seen.place}; leave the null member out, {_TABLE_HINT}"
    return _violation("import.null_for_array", message, first)


def _merge_nulls(mine: Column, theirs: Column) -> list[Violation]:
    """Nulls in one set against arrays in the other, unless one of the sets has both and has said so itself."""
    found = []
    if not mine.is_element and not (_has_both(mine) or _has_both(theirs)):
        if mine.null is not None and _ARRAY in theirs.firsts:
            found.append(_null_conflict(theirs.firsts[_ARRAY], "an array here, but null", mine.null))
        if theirs.null is not None and _ARRAY in mine.firsts:
            found.append(_null_conflict(theirs.null, "null here, but an array", mine.firsts[_ARRAY]))
    mine.null = mine.null or theirs.null
    return found


def _has_both(column: Column) -> bool:
    return column.null is not None and _ARRAY in column.firsts


def _is_new(rule: str, mine: Column, theirs: Column, name: str) -> bool:
    """Whether a rule broken on merging was kept by the other set on its own."""
    return rule == "limit.columns" or (rule == "import.field_case" and mine.folded[name.lower()] not in theirs.members)


def _brief(name: str) -> str:
    return repr(name if len(name) <= 60 else name[:57] + "…")


def _first_of(column: Column) -> First:
    """Where the path was first seen with a type, else with a null."""
    return next(iter(column.firsts.values()), None) or column.null or First(Place(), "")


def _iter_columns(column: Column) -> Iterator[Column]:
    yield column
    if column.element is not None:
        yield from _iter_columns(column.element)
    for member in column.members.values():
        yield from _iter_columns(member)


def _violation(rule: str, message: str, first: First) -> Violation:
    return Violation(rule, message, first.path, first.place.file, first.place.line, first.place.key)
