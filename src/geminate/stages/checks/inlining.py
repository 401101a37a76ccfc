"""JSON Schemas without references: every ``$ref`` replaced by what it refers to.

The importer takes no key that begins with ``$``, so a schema cannot carry its definitions along.
"""

from __future__ import annotations

from typing import Any, Final

_DEFINITION_KEYS: Final = ("$defs", "definitions")
_EMPTY_TALK: Final = frozenset({"$schema", "$id", "$comment", "$anchor"})
_MAX_NODES: Final = 20_000


class _CannotInlineError(Exception):
    """A reference leads nowhere, into itself, or into more than a request should hold."""


def inline_references(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The same schema without references and definitions; the given one is left as it is.

    None where that cannot be: a reference is recursive, or leads out of the schema, or to an unknown place. What
    stands beside a ``$ref`` wins over what it refers to.
    """
    try:
        inlined = _Inlining(schema).inline(schema, ())
    except _CannotInlineError:
        return None
    return inlined if isinstance(inlined, dict) else None


class _Inlining:
    """One schema on its way."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._node_count = 0

    def inline(self, node: Any, above: tuple[str, ...]) -> Any:
        """The node without references; ``above`` are those that led here."""
        self._node_count += 1
        if self._node_count > _MAX_NODES:
            raise _CannotInlineError
        if isinstance(node, list):
            return [self.inline(element, above) for element in node]
        if not isinstance(node, dict):
            return node
        dropped = _EMPTY_TALK.union(_DEFINITION_KEYS) if node is self._root else _EMPTY_TALK
        rest = {key: value for key, value in node.items() if key not in dropped}
        reference = rest.pop("$ref", None)
        if not isinstance(reference, str):
            return {key: self._inline_member(key, value, above) for key, value in node.items() if key not in dropped}
        if reference in above:
            raise _CannotInlineError
        target = self.inline(self._resolve(reference), (*above, reference))
        own = {key: self._inline_member(key, value, above) for key, value in rest.items()}
        return {**target, **own} if isinstance(target, dict) else target

    def _inline_member(self, key: str, value: Any, above: tuple[str, ...]) -> Any:
        # Below these, keys are the names of properties and not keywords.
        if key in {"properties", "patternProperties"} and isinstance(value, dict):
            return {name: self.inline(member, above) for name, member in value.items()}
        # These hold data, in which nothing is a reference.
        if key in {"enum", "const", "default", "example", "examples", "required"}:
            return value
        return self.inline(value, above)

    def _resolve(self, reference: str) -> Any:
        parts = reference.split("/")
        if len(parts) != 3 or parts[0] != "#" or parts[1] not in _DEFINITION_KEYS:
            raise _CannotInlineError
        definitions = self._root.get(parts[1])
        name = parts[2].replace("~1", "/").replace("~0", "~")
        if not isinstance(definitions, dict) or name not in definitions:
            raise _CannotInlineError
        return definitions[name]
