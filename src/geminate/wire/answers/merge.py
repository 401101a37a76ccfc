"""Two flat nodes as the one that asks for both, which is what ``allOf`` and keywords beside ``$ref`` mean.

A node is flat: one ``type`` or none, ``nullable`` where null is allowed too, alternatives only in ``anyOf``. A place
that no column and no service schema can express holds ``refuse`` with the reason. ``inexact`` marks a node that allows
more than the schema it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Node = dict[str, Any]

ANYTHING_GOES = frozenset({"type", "anyOf", "enum", "refuse"})
"""A node without any of these allows a value of every type, null included."""


def allows_null(node: Node) -> bool:
    """Whether null is a value of the node."""
    return node.get("nullable", False) or node.get("type") == "null" or not ANYTHING_GOES & node.keys()


def merge(first: Node, second: Node) -> Node:
    """The node that allows what both allow, or more where it is ``inexact``; titles and such are the first one's."""
    null = allows_null(first) and allows_null(second)
    refused = next((node for node in (first, second) if "refuse" in node), None)
    if refused:
        return {"refuse": refused["refuse"], **({"nullable": True} if null else {})}
    merged = dict(first)
    for keyword, value in second.items():
        mine = merged.get(keyword, value)
        merged[keyword] = mine if mine == value else _JOINED.get(keyword, _keep)(mine, value)
    merged.pop("nullable", None)
    if merged.get("type") == _CONTRADICTION:
        reason = f"it asks for {first['type']} and for {second['type']} at once"
        merged = {"type": "null"} if null else {"refuse": reason}
    if null and {"type", "anyOf"} & merged.keys() and merged.get("type") != "null":
        merged["nullable"] = True
    settled = settle_enum(merged)
    return mark_inexact(settled) if _loses_something(first, second) else settled


def mark_inexact(node: Node) -> Node:
    """The node, marked as allowing more than its schema."""
    return {**node, "inexact": True}


def make_nullable(node: Node) -> Node:
    """The node that allows null too."""
    if allows_null(node):
        return node
    values = {"enum": [*node["enum"], None]} if "enum" in node else {}
    return {**node, **values, "nullable": True}


def settle_enum(node: Node) -> Node:
    """The node with only the values that its type allows left in ``enum``."""
    if "enum" not in node or "type" not in node:
        return node
    nullable = allows_null(node) and None in node["enum"]
    values = [value for value in node["enum"] if _is_of(value, node["type"])]
    if node["type"] == "null":
        return {**node, "enum": [None]} if nullable else {"refuse": "no value of its enum is of its type"}
    if not values:
        return {"type": "null"} if nullable else {"refuse": "no value of its enum is of its type"}
    settled = {**node, "enum": [*values, None] if nullable else values}
    settled.pop("nullable", None)
    return {**settled, "nullable": True} if nullable else settled


def type_name(value: Any) -> str:
    """The JSON Schema type of a decoded value; ``integer`` for whole floats too, as the drafts have it."""
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return _TYPE_NAMES[type(value)]


_TYPE_NAMES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    list: "array",
    dict: "object",
    type(None): "null",
}
_CONTRADICTION = "contradiction"


def _loses_something(first: Node, second: Node) -> bool:
    if "inexact" in first or "inexact" in second:
        return True
    if any(first[keyword] != second[keyword] for keyword in _UNJOINED & first.keys() & second.keys()):
        return True
    return _closes_over_others(first, second) or _closes_over_others(second, first)


def _closes_over_others(closed: Node, other: Node) -> bool:
    # ``additionalProperties`` sees only the properties beside it, and ``items`` only the ``prefixItems`` beside it.
    if closed.get("additionalProperties", True) is not True:
        return not other.get("properties", {}).keys() <= closed.get("properties", {}).keys()
    return "items" in closed and "prefixItems" in other


def _is_of(value: Any, wanted: str) -> bool:
    return type_name(value) == wanted or (wanted == "number" and type_name(value) == "integer")


def _keep(first: Any, _second: Any) -> Any:
    return first


def _join_types(first: str, second: str) -> str:
    return "integer" if {first, second} == {"integer", "number"} else _CONTRADICTION


def _join_properties(first: dict[str, Node], second: dict[str, Node]) -> dict[str, Node]:
    joined = {name: merge(node, second[name]) if name in second else node for name, node in first.items()}
    return joined | {name: node for name, node in second.items() if name not in first}


def _join_additional(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        return merge(first, second)
    return second if first is True else first if second is True else False


def _join_items(first: Any, second: Any) -> Any:
    return merge(first, second) if isinstance(first, dict) and isinstance(second, dict) else False


def _both(first: list[Any], second: list[Any]) -> list[Any]:
    return [value for value in first if any(_same(value, other) for other in second)]


def _same(value: Any, other: Any) -> bool:
    # True equals 1 in Python and not in JSON.
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _union(first: list[str], second: list[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


_JOINED: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
    "type": _join_types,
    "properties": _join_properties,
    "additionalProperties": _join_additional,
    "items": _join_items,
    "enum": _both,
    "required": _union,
    "propertyOrdering": _union,
}
_UNJOINED = frozenset({"anyOf", "prefixItems", "pattern", "multipleOf", "contains", "not", "if", "then", "else"})
"""Two of these cannot be said as one; the first stands, and the schema itself still judges by both."""
