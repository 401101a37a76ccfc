"""The keywords of JSON Schema, by where they hold further schemas.

Drafts 7, 2019-09 and 2020-12 together (https://json-schema.org/specification, read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")

MAPS_OF_SCHEMAS = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
)
LISTS_OF_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
SCHEMAS = frozenset(
    {"items", "additionalProperties", "additionalItems", "not", "if", "then", "else", "contains", "propertyNames"}
    | {"unevaluatedItems", "unevaluatedProperties", "contentSchema"}
)
STRUCTURE = frozenset({"$schema", "$id", "$defs", "definitions", "$comment", "$ref", "$vocabulary"})
"""Keywords about the schema, not about the answer."""

ANNOTATIONS = frozenset(
    {"title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "format"}
    | {"propertyOrdering", "contentMediaType", "contentEncoding", "contentSchema"}
)
"""Keywords that no answer can break. ``propertyOrdering`` and ``example`` are Gemini's, harmless elsewhere."""

ASSERTIONS = frozenset(
    {"type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains"}
    | {"minProperties", "maxProperties", "required", "dependentRequired"}
)

KEYWORDS = MAPS_OF_SCHEMAS | LISTS_OF_SCHEMAS | SCHEMAS | STRUCTURE | ANNOTATIONS | ASSERTIONS

APPLIES_TO = {
    **dict.fromkeys(("minLength", "maxLength", "pattern"), frozenset({"string"})),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), frozenset({"integer", "number"})),
    "multipleOf": frozenset({"integer", "number"}),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems"), frozenset({"array"})),
    **dict.fromkeys(("contains", "minContains", "maxContains", "unevaluatedItems"), frozenset({"array"})),
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties"), frozenset({"object"})),
    **dict.fromkeys(("propertyNames", "propertyOrdering", "required", "minProperties"), frozenset({"object"})),
    **dict.fromkeys(("maxProperties", "dependentRequired", "dependentSchemas"), frozenset({"object"})),
    **dict.fromkeys(("dependencies", "unevaluatedProperties"), frozenset({"object"})),
}
"""The types a keyword says something about; on other types it says nothing. Keywords not named apply to all."""

REFUSED = {
    "$anchor": "write the reference as a path, such as #/$defs/Name",
    "$dynamicAnchor": "write the reference as a path, such as #/$defs/Name",
    "$dynamicRef": "write it as $ref with a path, such as #/$defs/Name",
    "$recursiveAnchor": "write the reference as a path, such as #/$defs/Name",
    "$recursiveRef": "write it as $ref with a path, such as #/$defs/Name",
    "nullable": 'it is no JSON Schema; write "type": ["string", "null"]',
}
"""Keywords that would silently not do what they say, and what to write for them."""


def iter_subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside one, each with its path from there."""
    for keyword, value in schema.items():
        if keyword in MAPS_OF_SCHEMAS and isinstance(value, dict):
            yield from ((f"{keyword}.{name}", member) for name, member in value.items())
        elif isinstance(value, list) and keyword in LISTS_OF_SCHEMAS | {"items"}:
            yield from ((f"{keyword}[{at}]", member) for at, member in enumerate(value))
        elif keyword in SCHEMAS:
            yield keyword, value
