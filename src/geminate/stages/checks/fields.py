"""The request schema, made ready for checking: what each field is, under both its spellings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from geminate.wire.limits import FIELD_RANGES, UNSUPPORTED_FIELDS
from geminate.wire.schemas import load_schema

Json = dict[str, Any]

# Text whose form is checked, by field, beyond what the discovery document says of it.
_TEXT_KINDS: Final[dict[str, str]] = {
    "mimeType": "mime_type",
    "responseMimeType": "mime_type",
    "fileUri": "file_uri",
    "FunctionDeclaration.name": "function_name",
}


@dataclass(slots=True, eq=False)
class Node:
    """What may stand at one place of a request.

    Not frozen only because definitions refer to each other and are filled after they are made.

    Attributes:
        kind: ``object``, ``array``, ``map``, ``any``, ``string``, ``enum``, ``boolean``, ``integer``, ``int64``,
            ``number``, or a kind of text with a form: ``bytes``, ``duration``, ``mime_type``, ``file_uri``,
            ``function_name``.
        name: The definition's name, for objects; empty for all else.
        fields: An object's fields, by both spellings.
        required: The names of an object's required fields.
        element: What an array's elements or a map's values are.
        values: An enum's values.
        deprecated_values: Those of them that are deprecated.
        least: The least number allowed.
        greatest: The greatest number allowed.
    """

    kind: str
    name: str = ""
    fields: dict[str, Field] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    element: Node | None = None
    values: frozenset[str] = frozenset()
    deprecated_values: frozenset[str] = frozenset()
    least: float | None = None
    greatest: float | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object.

    Attributes:
        name: Its name in camelCase.
        node: What it holds.
        is_deprecated: Whether the discovery document says so.
        unsupported: What it asks for, where batch prediction does not do that.
    """

    name: str
    node: Node
    is_deprecated: bool
    unsupported: str | None


def snake_case(name: str) -> str:
    """A field's other spelling."""
    return re.sub("[A-Z]", lambda capital: "_" + capital[0].lower(), name)


@cache
def request_node() -> Node:
    """What a request is; made once."""
    schema = load_schema("request")
    definitions: Json = schema["$defs"]
    nodes = {name: Node("object", name) for name in definitions}
    for name, node in nodes.items():
        source = definitions[name]
        node.required = tuple(source.get("required", ()))
        for field_name, field_source in source.get("properties", {}).items():
            made = _make_field(name, field_name, field_source, nodes)
            node.fields[field_name] = node.fields[snake_case(field_name)] = made
    return nodes[schema["title"]]


def _make_field(owner: str, name: str, source: Json, nodes: dict[str, Node]) -> Field:
    place = f"{owner}.{name}"
    node = _make_node(source, nodes)
    if node.kind == "string":
        node.kind = _TEXT_KINDS.get(place) or _TEXT_KINDS.get(name, "string")
    if place in FIELD_RANGES:
        least, greatest = FIELD_RANGES[place]
        node.least = node.least if least is None else least
        node.greatest = node.greatest if greatest is None else greatest
    return Field(name, node, bool(source.get("deprecated")), UNSUPPORTED_FIELDS.get(place))


def _make_node(source: Json, nodes: dict[str, Node]) -> Node:
    if "$ref" in source:
        return nodes[source["$ref"].rpartition("/")[2]]
    kind = source.get("type")
    if kind == "array":
        return Node("array", element=_make_node(source["items"], nodes))
    if kind == "object":
        return Node("map", element=_make_node(source["additionalProperties"], nodes))
    if "enum" in source:
        deprecated = frozenset(source.get("x-deprecated-values", ()))
        return Node("enum", values=frozenset(source["enum"]), deprecated_values=deprecated)
    return Node(_scalar_kind(source), least=source.get("minimum"), greatest=source.get("maximum"))


def _scalar_kind(source: Json) -> str:
    if source.get("contentEncoding"):
        return "bytes"
    if source.get("format") == "int64":
        return "int64"
    kind: str = source.get("type", "any")
    # In a request, a duration is the only text with a pattern.
    return "duration" if kind == "string" and "pattern" in source else kind
