"""Two sets' columns made one."""

from __future__ import annotations

from geminate.stages.checks.columns import (
    ARRAY,
    Column,
    find_case_conflict,
    find_kind_conflict,
    find_null_conflict,
)
from geminate.wire.violations import Violation


def find_clashes(mine: Column, theirs: Column) -> list[Violation]:
    """The rules that the two keep each by itself and break together, where the second set shows it."""
    found = [] if _has_both(mine) or _has_both(theirs) else _find_null_clashes(mine, theirs)
    for kind, first in theirs.firsts.items():
        found += find_kind_conflict(mine, kind, first)
    if mine.element is not None and theirs.element is not None:
        found += find_clashes(mine.element, theirs.element)
    for name, column in theirs.members.items():
        below = mine.members.get(name)
        if below is not None:
            found += find_clashes(below, column)
        elif mine.folded.get(name.lower()) not in theirs.members:
            found += find_case_conflict(mine, name, column.first())
    return found


def count_new(mine: Column | None, theirs: Column | None) -> int:
    """How many columns the second set has that the first one has not."""
    if theirs is None:
        return 0
    count = count_new(mine.element if mine else None, theirs.element)
    for name, column in theirs.members.items():
        below = mine.members.get(name) if mine else None
        count += (below is None) + count_new(below, column)
    return count


def unite(mine: Column, theirs: Column, room: int) -> int:
    """How many columns may still be added, after the second set's were added to the first; the second stays."""
    mine.null = mine.null or theirs.null
    for kind, first in theirs.firsts.items():
        mine.firsts.setdefault(kind, first)
    if theirs.element is not None:
        room = unite(mine.take_element(), theirs.element, room)
    for name, column in theirs.members.items():
        if name not in mine.members:
            if room == 0:
                continue
            room -= 1
            mine.members[name] = Column()
            mine.folded.setdefault(name.lower(), name)
        room = unite(mine.members[name], column, room)
    return room


def _find_null_clashes(mine: Column, theirs: Column) -> list[Violation]:
    found = []
    if theirs.null is not None:
        found += find_null_conflict(mine, theirs.null, is_null=True)
    if ARRAY in theirs.firsts:
        found += find_null_conflict(mine, theirs.firsts[ARRAY], is_null=False)
    return found


def _has_both(column: Column) -> bool:
    return column.null is not None and ARRAY in column.firsts
