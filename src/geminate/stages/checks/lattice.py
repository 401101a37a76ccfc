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
from dataclasses import dataclass, field
from typing import Any, Final

from geminate.stages.checks.columns import (
    ARRAY,
    KINDS,
    OBJECT,
    TABLE_HINT,
    Column,
    First,
    Place,
    find_case_conflict,
    find_kind_conflict,
    find_null_conflict,
    iter_columns,
)
from geminate.stages.checks.merging import count_new, find_clashes, unite
from geminate.stages.checks.paths import Path, render_path
from geminate.wire.limits import LIMITS
from geminate.wire.violations import Violation, brief

_COLUMN_NAME: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{LIMITS.max_column_name_chars - 1}}}")
_EMPTY_HINT: Final = f"leave it out, give it a member (null will do, for a tool that has fields), {TABLE_HINT}"


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

    def screen(self, line: dict[str, Any], place: Place) -> list[Violation]:
        """The rules that this line breaks, by itself or with those observed; only if there are none it is observed."""
        own = Lattice()
        found = own.observe(line, place) or self._find_clashes(own)
        if not found:
            self._unite(own)
        return found

    def merge(self, other: Lattice) -> list[Violation]:
        """The rules that only both sets together break; the other set counts as the later one, and is left as it is."""
        found = self._find_clashes(other)
        self._unite(other)
        return found

    def finish(self) -> list[Violation]:
        """The rules that no line keeps: objects that are empty wherever they stand, each at its first place."""
        message = f"this object is empty in every line, so it would be a column without fields; {_EMPTY_HINT}"
        return [
            column.firsts[OBJECT].violation("import.empty_object", message)
            for column in iter_columns(self.root)
            if list(column.firsts) == [OBJECT] and not column.members
        ]

    def grow(self, column: Column, name: str, first: First, depth: int) -> tuple[Column | None, list[Violation]]:
        """A new member of a column, None where the table is full, and what is wrong with it."""
        if self.column_count > LIMITS.max_columns:
            return None, []
        self.column_count += 1
        if self.column_count > LIMITS.max_columns:
            return None, [_overflow(first)]
        found = []
        if not _COLUMN_NAME.fullmatch(name):
            message = (
                f"{brief(name)} is no column name (letters, digits and '_', not beginning with a digit); rename it"
            )
            found.append(first.violation("import.field_name", f"{message}, {TABLE_HINT}"))
        found += find_case_conflict(column, name, first)
        if depth == LIMITS.max_nesting_levels + 1 and not column.members:
            message = f"this member lies at level {depth}, where {LIMITS.max_nesting_levels} is the deepest; flatten it"
            found.append(first.violation("import.nesting", f"{message}, {TABLE_HINT}"))
        column.folded.setdefault(name.lower(), name)
        made = column.members[name] = Column()
        return made, found

    def _find_clashes(self, other: Lattice) -> list[Violation]:
        found = find_clashes(self.root, other.root)
        if self.column_count <= LIMITS.max_columns < self.column_count + count_new(self.root, other.root):
            found.append(_overflow(other.root.first()))
        return found

    def _unite(self, other: Lattice) -> None:
        room = max(0, LIMITS.max_columns - self.column_count)
        is_full = count_new(self.root, other.root) > room
        left = unite(self.root, other.root, room)
        self.column_count = LIMITS.max_columns + 1 if is_full else self.column_count + room - left


class _Visit:
    """One line's way through the lattice."""

    def __init__(self, lattice: Lattice, place: Place) -> None:
        self.violations: list[Violation] = []
        self._lattice = lattice
        self._place = place

    def enter(self, column: Column, value: Any, path: Path, depth: int) -> None:
        kind = KINDS.get(type(value))
        if kind is None:
            if value is None and column.null is None:
                self._meet_null(column, path)
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
                self.enter(column.take_element(), element, (path, index), depth)

    def _meet(self, column: Column, kind: str, path: Path) -> None:
        first = self._first(path)
        self.violations += find_kind_conflict(column, kind, first)
        if kind == ARRAY:
            self.violations += find_null_conflict(column, first, is_null=False)
            if column.is_element:
                message = f"an array must not hold an array; put it into an object, {TABLE_HINT}"
                self.violations.append(first.violation("import.nested_array", message))
        column.firsts[kind] = first

    def _meet_null(self, column: Column, path: Path) -> None:
        first = self._first(path)
        self.violations += find_null_conflict(column, first, is_null=True)
        if column.is_element:
            message = f"an array must not hold a null; leave it out, {TABLE_HINT}"
            self.violations.append(first.violation("import.null_in_array", message))
        column.null = first

    def _grow(self, column: Column, name: str, path: Path, depth: int) -> Column | None:
        made, found = self._lattice.grow(column, name, self._first(path), depth)
        self.violations += found
        return made

    def _first(self, path: Path) -> First:
        return First(self._place, render_path(path))


def _overflow(first: First) -> Violation:
    message = f"more than {LIMITS.max_columns:,} different paths, a column each; keys must not be data, {TABLE_HINT}"
    return first.violation("limit.columns", message)
