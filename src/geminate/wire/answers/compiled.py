"""A flat tree as a ``msgspec`` decoder whose yes is the schema's yes, and whose no means nothing.

Decoding, judging and typing become one pass, many times as fast as ``jsonschema``. Only what both are known to read
alike is compiled: any other keyword anywhere, and there is no decoder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from geminate.wire.answers.bounds import bounds_of
from geminate.wire.answers.columns import INT64
from geminate.wire.answers.keywords import ANNOTATIONS
from geminate.wire.answers.merge import Node

# Its overloads know no keywords that are put together at run time.
_Meta: Any = msgspec.Meta

_EXACT_FLOATS = 2**53
"""Up to here, rounding an integer to a float cannot carry it over a bound."""


class _NotCompilableError(Exception):
    """The tree has a place that only ``jsonschema`` can judge."""


def compile_decoder(node: Node) -> msgspec.json.Decoder[Any] | None:
    """A decoder for answers to the tree, None where ``jsonschema`` must look at each.

    Objects come out as structs with the attributes ``f0``, ``f1`` … in the order of the tree's properties.
    """
    try:
        return msgspec.json.Decoder(_type_of(node))
    except (_NotCompilableError, TypeError, ValueError):
        # The last two are msgspec's own refusals of a type.
        return None


def _type_of(node: Node) -> Any:
    build, understood = _BUILDERS.get(node.get("type", ""), (_refuse, frozenset()))
    if "enum" in node:
        build, understood = _literal, frozenset({"enum"})
    if not node.keys() - ANNOTATIONS <= understood | {"type", "nullable"}:
        raise _NotCompilableError
    wanted = build(node)
    return wanted | None if node.get("nullable") else wanted


def _refuse(_node: Node) -> Any:
    raise _NotCompilableError


def _literal(node: Node) -> Any:
    values = [value for value in node["enum"] if value is not None]
    if not all(isinstance(value, str) for value in values) and not all(type(value) is int for value in values):
        raise _NotCompilableError
    return Literal[tuple(values)]


def _string(node: Node) -> Any:
    return Annotated[str, _meta(node, min_length="minLength", max_length="maxLength", pattern="pattern")]


def _integer(node: Node) -> Any:
    bounds = bounds_of(node)
    # Beyond 64 bits an integer may be valid, and the column cannot hold it: the slow path says so.
    least = INT64[0] if bounds.least is None else max(int(bounds.least), INT64[0])
    greatest = INT64[-1] if bounds.greatest is None else min(int(bounds.greatest), INT64[-1])
    return Annotated[int, msgspec.Meta(ge=least, le=greatest)]


def _number(node: Node) -> Any:
    bounds = bounds_of(node)
    if any(end is not None and abs(end) >= _EXACT_FLOATS for end in (bounds.least, bounds.greatest)):
        raise _NotCompilableError
    ends = {"gt" if bounds.above else "ge": bounds.least, "lt" if bounds.below else "le": bounds.greatest}
    return Annotated[float, _Meta(**{name: float(end) for name, end in ends.items() if end is not None})]


def _boolean(_node: Node) -> Any:
    return bool


def _array(node: Node) -> Any:
    item = _type_of(node.get("items") or {})
    return Annotated[list[item], _meta(node, min_length="minItems", max_length="maxItems")]  # type: ignore[valid-type]


def _object(node: Node) -> Any:
    properties, required = node.get("properties", {}), node.get("required", ())
    if (
        not properties
        or not properties.keys() >= set(required)
        or node.get("additionalProperties") not in (None, False)
    ):
        raise _NotCompilableError
    fields = []
    for at, (name, member) in enumerate(properties.items()):
        wanted = _type_of(member)
        # A default is never judged: null stands for what is absent, and is refused where it is written.
        fields.append((f"f{at}", wanted) if name in required else (f"f{at}", wanted, None))
    return msgspec.defstruct(
        "Answer",
        fields,
        rename={f"f{at}": name for at, name in enumerate(properties)},
        forbid_unknown_fields="additionalProperties" in node,
        kw_only=True,
        gc=False,
    )


def _meta(node: Node, **keywords: str) -> Any:
    known = {name: node[keyword] for name, keyword in keywords.items() if keyword in node}
    return _Meta(**{name: value if isinstance(value, str) else int(value) for name, value in known.items()})


_BUILDERS: dict[str, tuple[Callable[[Node], Any], frozenset[str]]] = {
    "string": (_string, frozenset({"minLength", "maxLength", "pattern"})),
    "integer": (_integer, frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})),
    "number": (_number, frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})),
    "boolean": (_boolean, frozenset()),
    "array": (_array, frozenset({"items", "minItems", "maxItems"})),
    "object": (_object, frozenset({"properties", "required", "additionalProperties"})),
}
"""How each type is compiled, and the keywords that its compilation heeds."""
