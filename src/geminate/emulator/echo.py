"""The request as a prediction line gives it back: loaded by type, and written again.

Keys are sorted, whole floats become integers, a field that any row of the file has is ``null`` in rows that lack it,
and a turn without a role is the user's. Seen in prediction files of 2024 to 2026.
"""

from __future__ import annotations

from typing import Any

from geminate.emulator.fields import Field

# Above this a float need not be a whole number's only spelling.
_EXACT = 2.0**53


def echo_line(row: dict[str, Any], fields: Field) -> dict[str, Any]:
    """The row's members as they come back: the siblings first, then ``request``. Shares nothing with ``row``."""
    members = _members(row, fields)
    if "request" in members:
        members["request"] = _with_roles(members.pop("request"))
    return members


def _members(value: dict[str, Any], field: Field) -> dict[str, Any]:
    return {name: _echo(value.get(name), member) for name, member in field.ordered}


def _echo(value: Any, field: Field) -> Any:
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is dict:
        return _members(value, field)
    if kind is list:
        return [_echo(element, field) for element in value]
    if kind is float and abs(value) < _EXACT and value.is_integer():
        return int(value)
    return value


def _with_roles(request: Any) -> Any:
    contents = request.get("contents") if type(request) is dict else None
    for content in contents if type(contents) is list else [contents]:
        if type(content) is dict and content.get("role") is None:
            content["role"] = "user"
            ordered = sorted(content.items())
            content.clear()
            content.update(ordered)
    return request
