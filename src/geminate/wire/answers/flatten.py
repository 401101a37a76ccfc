"""A JSON Schema with its references, ``allOf`` and unions resolved: one flat tree to convert, type and compile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from geminate.errors import SpecError
from geminate.wire.answers.checks import resolve
from geminate.wire.answers.keywords import ANNOTATIONS, KEYWORDS, STRUCTURE, TYPES
from geminate.wire.answers.merge import Node, allows_null, make_nullable, mark_inexact, merge, settle_enum, type_name

MAX_NODES = 10_000
"""Our own limit: inlined references can double at every step."""

_BY_HAND = frozenset({"type", "enum", "const", "properties", "items", "prefixItems", "additionalItems"}) | {
    "additionalProperties",
    "anyOf",
    "oneOf",
    "allOf",
}


def flatten(schema: dict[str, Any], where: str) -> tuple[Node, tuple[str, ...]]:
    """The schema's flat root node, and what it could not say.

    A checked schema cannot fail here but by its size; what a node cannot express is in the node, as ``refuse``.

    Raises:
        SpecError: Its references unfold to more than ``MAX_NODES`` places.
    """
    flattener = _Flattener(schema, where)
    try:
        node = flattener.node(schema, "$", ("#",))
    except RecursionError as error:
        raise SpecError("the schema nests too deeply", where=where) from error
    return node, tuple(dict.fromkeys(flattener.notes))


class _Flattener:
    """One walk over one schema.

    Args:
        root: The schema that references are relative to.
        where: What errors name as their place.
    """

    def __init__(self, root: dict[str, Any], where: str) -> None:
        self.root = root
        self.where = where
        self.notes: list[str] = []
        self.nodes = 0
        # Up to draft 7 a reference silences what stands beside it, and a list in ``items`` is ``prefixItems``.
        self.reference_alone = "draft-07" in str(root.get("$schema", ""))

    def node(self, schema: Any, path: str, trail: tuple[str, ...]) -> Node:
        """The flat node of one place; ``trail`` holds the references that led there."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise SpecError(f"its references unfold to more than {MAX_NODES} places", where=self.where)
        if isinstance(schema, bool):
            return {} if schema else {"refuse": "no value is allowed there"}
        if "$ref" not in schema:
            return self._own(schema, path, trail)
        target = self._target(schema["$ref"], path, trail)
        beside = {keyword: value for keyword, value in schema.items() if keyword not in STRUCTURE}
        if not beside or self.reference_alone:
            self.notes += [f"{path}: {keyword} beside $ref counts for nothing in draft 7" for keyword in beside]
            return target
        return self._merge(self._own(beside, path, trail), target, path)

    def _target(self, reference: str, path: str, trail: tuple[str, ...]) -> Node:
        if reference in trail:
            names = [step.rpartition("/")[2] for step in (*trail[trail.index(reference) :], reference)]
            return {"refuse": f"it refers to itself: {' → '.join(names)}"}
        return self.node(resolve(self.root, reference), path, (*trail, reference))

    def _own(self, schema: dict[str, Any], path: str, trail: tuple[str, ...]) -> Node:
        self.notes += [
            f"{path}: {keyword} is no keyword of JSON Schema" for keyword in schema if keyword not in KEYWORDS
        ]
        node = {k: v for k, v in schema.items() if k in KEYWORDS and k not in STRUCTURE | _BY_HAND}
        node |= self._members(schema, path, trail)
        for narrower in self._narrower(schema, path, trail):
            node = self._merge(node, narrower, path)
        return node

    def _narrower(self, schema: dict[str, Any], path: str, trail: tuple[str, ...]) -> Iterable[Node]:
        """One node for each keyword that further narrows a place."""
        names = schema.get("type", TYPES)
        names = [names] if isinstance(names, str) else names
        if "enum" in schema or "const" in schema:
            yield _valued([schema["const"]] if "const" in schema else schema["enum"], names)
        elif "type" in schema:
            yield _typed(names)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                yield self._union(schema[keyword], keyword, path, trail)
        for member in schema.get("allOf", ()):
            yield self.node(member, path, trail)

    def _members(self, schema: dict[str, Any], path: str, trail: tuple[str, ...]) -> Node:
        node: Node = {}
        if "properties" in schema:
            properties = schema["properties"]
            ordering = [name for name in schema.get("propertyOrdering", ()) if name in properties]
            names = dict.fromkeys([*ordering, *properties])
            node["properties"] = {name: self.node(properties[name], f"{path}.{name}", trail) for name in names}
        rest = schema.get("additionalProperties", True)
        if rest is not True:
            node["additionalProperties"] = rest if rest is False else self.node(rest, f"{path}.*", trail)
        items, prefix = schema.get("items", True), schema.get("prefixItems", [])
        if isinstance(items, list):
            items, prefix = schema.get("additionalItems", True), items
        if prefix:
            node["prefixItems"] = [self.node(item, f"{path}[{at}]", trail) for at, item in enumerate(prefix)]
        if items is not True:
            node["items"] = False if items is False else self.node(items, f"{path}[]", trail)
        return node

    def _union(self, members: list[Any], keyword: str, path: str, trail: tuple[str, ...]) -> Node:
        branches = [self.node(member, path, trail) for member in members]
        node = alternatives(branches)
        if keyword == "oneOf" and not _is_optional(branches):
            self.notes.append(f"{path}: oneOf is given as anyOf; that only one of them fits is checked in the answers")
            node = mark_inexact(node)
        return node

    def _merge(self, first: Node, second: Node, path: str) -> Node:
        merged = merge(first, second)
        if merged.get("inexact") and not (first.get("inexact") or second.get("inexact")):
            self.notes.append(
                f"{path}: what is asked together cannot be said at once; all of it is checked in the answers"
            )
        return merged


def _is_optional(branches: list[Node]) -> bool:
    """Whether one of two branches is null alone and the other one cannot be null: then one of them is any of them."""
    nulls = [branch for branch in branches if branch.get("type") == "null"]
    return len(branches) - len(nulls) <= 1 and len(nulls) <= 1 and sum(map(allows_null, branches)) == len(nulls)


def _typed(names: Sequence[str]) -> Node:
    return alternatives([{"type": name} for name in names if name != "integer" or "number" not in names])


def _valued(values: list[Any], names: Sequence[str]) -> Node:
    branches = [settle_enum({"type": name, "enum": values}) for name in names]
    if "number" in names and any(type_name(value) == "number" for value in values):
        branches = [branch for branch in branches if branch.get("type") != "integer"]
    elif "integer" in names:
        branches = [branch for branch in branches if branch.get("type") != "number"]
    possible = [branch for branch in branches if "refuse" not in branch]
    return alternatives(possible) if possible else branches[0]


def alternatives(branches: list[Node]) -> Node:
    """The node that allows what any of the nodes allows."""
    flat: list[Node] = []
    for branch in branches:
        if "anyOf" in branch and branch.keys() <= {"anyOf", "nullable"}:
            flat += branch["anyOf"]
        elif branch.get("type") != "null":
            flat.append(branch)
    distinct = [branch for at, branch in enumerate(flat) if branch not in flat[:at]]
    node: Node = {"anyOf": distinct} if len(distinct) > 1 else distinct[0] if distinct else {"type": "null"}
    if any(map(allows_null, branches)) and "refuse" not in node:
        node = make_nullable(node)
    return mark_inexact(node) if any(map(_loses_something, branches)) else node


def _loses_something(branch: Node) -> bool:
    """Whether an alternative allows less than its node will: it is inexact itself, or a null with conditions."""
    bare_null = branch.keys() - ANNOTATIONS <= {"type", "enum"}
    return "inexact" in branch or (branch.get("type") == "null" and not bare_null)
