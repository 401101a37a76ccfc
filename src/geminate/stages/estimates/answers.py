"""How long an answer can be, by the schema that it is held to."""

from __future__ import annotations

import math
from typing import Any

from geminate.stages.estimates.ranges import Range

# A property costs its name, quotes, a colon and a comma; a model may indent as it likes.
_PER_MEMBER = (2, 4, 12)
_SCALARS = {
    "boolean": Range(1, 1, 2),
    "integer": Range(1, 3, 24),
    "number": Range(1, 4, 30),
    "null": Range(1, 1, 1),
}
_STAMPS = {"date": Range(10, 12, 14), "date-time": Range(18, 22, 40), "time": Range(8, 10, 20)}
_STRING = Range(2, 15, math.inf)
_QUOTES = 2
_CHARS_PER_TOKEN = (8, 4, 0.5)
_LIKELY_ELEMENTS = 3
_UNKNOWN = Range(1, 50, math.inf)
_MAX_DEPTH = 32


def answer_tokens(schema: Any, depth: int = 0) -> Range:
    """The tokens of an answer that the schema allows, as JSON; no end where it sets none.

    Args:
        schema: A JSON Schema, or the OpenAPI form of one, with its references inlined.
        depth: How deep it lies in another one.
    """
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return _UNKNOWN
    tokens = _tokens(schema, depth + 1)
    return tokens._replace(low=min(tokens.low, 1)) if schema.get("nullable") else tokens


def _tokens(schema: dict[str, Any], depth: int) -> Range:
    kind = schema.get("type")
    kind = kind.lower() if isinstance(kind, str) else None
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return _either([_of_text(str(value)) for value in schema["enum"]])
    for union in ("anyOf", "oneOf"):
        if isinstance(schema.get(union), list) and schema[union]:
            return _either([answer_tokens(member, depth) for member in schema[union]])
    if kind == "object" and isinstance(schema.get("properties"), dict):
        return _of_object(schema["properties"], schema.get("required"), depth)
    if kind == "array":
        return _of_array(schema, depth)
    if kind == "string":
        return _of_string(schema)
    return _SCALARS.get(kind or "", _UNKNOWN)


def _of_object(properties: dict[str, Any], required: Any, depth: int) -> Range:
    needed = set(required) if isinstance(required, list) else set()
    total = Range(2, 2, 4)
    for name, schema in properties.items():
        member = _of_text(name).plus(_PER_MEMBER).plus(answer_tokens(schema, depth))
        total = total.plus(member if name in needed else member._replace(low=0))
    return total


def _of_array(schema: dict[str, Any], depth: int) -> Range:
    least = _whole(schema.get("minItems"), 0)
    most = _whole(schema.get("maxItems"), math.inf)
    if most == 0:
        return Range(1, 1, 2)
    likely = min(max(_LIKELY_ELEMENTS, least), most)
    element = answer_tokens(schema.get("items"), depth).plus(_PER_MEMBER)
    return element.times((least, likely, most)).plus((2, 2, 4))


def _of_string(schema: dict[str, Any]) -> Range:
    if schema.get("format") in _STAMPS:
        return _STAMPS[schema["format"]]
    most = _whole(schema.get("maxLength"), math.inf)
    if most == math.inf:
        return _STRING
    long = most / _CHARS_PER_TOKEN[2] + _QUOTES
    return Range(_QUOTES, min(_STRING.likely, most / _CHARS_PER_TOKEN[1] + _QUOTES), long)


def _of_text(text: str) -> Range:
    low, likely, high = (len(text) / chars for chars in _CHARS_PER_TOKEN)
    return Range(low + 1, likely + 1, high + _QUOTES)


def _either(ranges: list[Range]) -> Range:
    lows, likelies, highs = zip(*ranges, strict=True)
    return Range(min(lows), sum(likelies) / len(likelies), max(highs))


def _whole(value: Any, default: float) -> float:
    # The service writes 64-bit numbers as text.
    try:
        return default if value is None else float(value)
    except (TypeError, ValueError):
        return default
