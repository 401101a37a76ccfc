"""The one type that the service's loader gives to each path over all lines of a file.

The loader is BigQuery's: an object is a record, an array a repeated field, and a field is either repeated or not. The
wording of the errors is BigQuery's and that of jobs captured in 2026-08 and 2026-09.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")


class BrokenRuleError(Exception):
    """A line, or the file, breaks an import rule.

    Args:
        reason: The loader's words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Field:
    """What is known of one path.

    Attributes:
        path: The names down to it, joined by dots; empty for the line itself.
        level: How many names that is.
        members: The fields below it, None while no object was seen here.
        is_scalar: Whether a scalar was seen here.
        is_repeated: Whether arrays were seen here; None while nothing but nulls was.
        is_nulled: Whether a null was seen here.
        ordered: The members by name, once ``order`` was called.
    """

    __slots__ = ("is_nulled", "is_repeated", "is_scalar", "level", "members", "ordered", "path")

    def __init__(self, path: str = "", level: int = 0) -> None:
        self.path = path
        self.level = level
        self.members: dict[str, Field] | None = None
        self.is_scalar = False
        self.is_repeated: bool | None = None
        self.is_nulled = False
        self.ordered: tuple[tuple[str, Field], ...] = ()

    def order(self) -> None:
        """Nothing; ``ordered`` holds the members by name, here and below."""
        for field in _iter_fields(self):
            field.ordered = tuple(sorted((field.members or {}).items()))

    def check(self, max_fields: int) -> None:
        """Nothing.

        Raises:
            BrokenRuleError: There are too many fields below, or no line gives one to some object.
        """
        for count, field in enumerate(_iter_fields(self)):
            if count > max_fields:
                raise BrokenRuleError(f"Too many total leaf fields: {count}, maximum allowed field count {max_fields}")
            if field.members is not None and not field.members:
                raise BrokenRuleError(f"Query error: Cannot store struct '{field.path}' with no fields at [1:1]")


def _iter_fields(top: Field) -> Iterator[Field]:
    yield top
    for member in (top.members or {}).values():
        yield from _iter_fields(member)


def absorb_object(field: Field, value: dict[str, Any], max_level: int) -> None:
    """Nothing; the field knows the object.

    Raises:
        BrokenRuleError: The object contradicts what earlier lines said, or breaks a rule of its own.
    """
    if field.is_scalar:
        raise BrokenRuleError(f"JSON object specified for non-record field: {field.path}")
    members = field.members
    if members is None:
        members = field.members = {}
    for name, member in value.items():
        child = members.get(name)
        if child is None:
            child = members[name] = _new_field(field, name, max_level)
        if member is None:
            _absorb_null(child)
        elif type(member) is list:
            _absorb_array(child, member, max_level)
        else:
            if child.is_repeated:
                raise BrokenRuleError(f"Repeated field must be imported as a JSON array. Field: {child.path}.")
            child.is_repeated = False
            _absorb_single(child, member, max_level)


def _absorb_single(field: Field, value: Any, max_level: int) -> None:
    if type(value) is dict:
        absorb_object(field, value, max_level)
    elif field.members is not None:
        raise BrokenRuleError(f"This field: {field.path} is not a record.")
    else:
        field.is_scalar = True


def _absorb_array(field: Field, value: list[Any], max_level: int) -> None:
    if field.is_repeated is False:
        raise BrokenRuleError(f"Array specified for non-repeated field: {field.path}.")
    if field.is_nulled:
        raise _null(field)
    field.is_repeated = True
    for element in value:
        if element is None:
            raise _null(field)
        if type(element) is list:
            raise BrokenRuleError(f"Array specified for non-repeated field: {field.path}.")
        _absorb_single(field, element, max_level)


def _absorb_null(field: Field) -> None:
    if field.is_repeated:
        raise _null(field)
    field.is_nulled = True


def _null(field: Field) -> BrokenRuleError:
    leaf = field.path.rpartition(".")[2]
    return BrokenRuleError(f"Only optional fields can be set to NULL. Field: {leaf}; Value: NULL")


def _new_field(parent: Field, name: str, max_level: int) -> Field:
    if not _NAME.fullmatch(name):
        raise BrokenRuleError(
            f'Invalid field name "{name}". Fields must contain only letters, numbers, and underscores, start with a '
            "letter or underscore, and be at most 300 characters long."
        )
    if parent.level >= max_level:
        raise too_deep(max_level)
    return Field(f"{parent.path}.{name}" if parent.path else name, parent.level + 1)


def too_deep(max_level: int) -> BrokenRuleError:
    """The error for keys below the last level that the loader takes."""
    return BrokenRuleError(
        f"Schema nested too deeply, at least {max_level + 1} compared to the maximum allowed level of {max_level}"
    )
