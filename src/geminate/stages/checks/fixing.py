"""Repairs of request lines that have one right answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from geminate.stages.checks.decoding import decode_line
from geminate.stages.checks.fields import Node, request_node, snake_case
from geminate.stages.checks.inlining import inline_references
from geminate.stages.checks.paths import Path, render_path

# Objects in which it says something that a member is there, even if it is empty.
_PRESENCE_SPEAKS: Final = frozenset(
    {"GoogleMapsGroundingTypes", "ResponseFormat", "Tool", "ToolGoogleSearchSearchTypes"}
)
# Objects of which an empty member is a mistake that only its author can mend.
_LEFT_ALONE: Final = frozenset({"FunctionResponsePart", "GenerationConfigRoutingConfig", "Part"})
# Arrays in which a null has a meaning.
_NULLS_SPEAK: Final = frozenset({"Schema.enum"})

_SCHEMA_FIELDS: Final = frozenset(
    {
        "FunctionDeclaration.parameters",
        "FunctionDeclaration.parametersJsonSchema",
        "FunctionDeclaration.response",
        "FunctionDeclaration.responseJsonSchema",
        "GenerationConfig.responseJsonSchema",
        "GenerationConfig.responseSchema",
        "TextResponseFormat.schema",
    }
)

_BOM: Final = b"\xef\xbb\xbf"
_GONE: Final = object()


@dataclass(frozen=True, slots=True)
class FixedLine:
    """A line after its repair.

    Attributes:
        line: The line, the very same bytes where nothing was changed; None where it is to be left out.
        changes: What was changed, a clause each with the path.
    """

    line: bytes | None
    changes: tuple[str, ...] = ()


def fix_line(line: bytes) -> FixedLine:
    """The line with all repairs made that have one right answer; it may still break other rules.

    Repaired are byte order marks, blank lines, ``parts`` that are one object, a stray ``model``, references in answer
    schemas, nulls in arrays of the request, and empty objects, as far as they can be left out or be given a null
    member. What is data (arguments, siblings of the request) stays as it is. Repairing a second time changes nothing.
    """
    changes: list[str] = []
    if line.startswith(_BOM):
        line = line.removeprefix(_BOM)
        changes.append("removed a byte order mark")
    if not line.strip():
        return FixedLine(None, ("removed a blank line",))
    value, violations = decode_line(line)
    if value is None or violations or not isinstance(value.get("request"), dict):
        return FixedLine(line, tuple(changes))
    repair = _Repair()
    request = repair.rebuild(request_node(), value["request"], (None, "request"))
    if not repair.changes:
        return FixedLine(line, tuple(changes))
    encoded = json.dumps({**value, "request": request}, ensure_ascii=False, separators=(",", ":")).encode()
    return FixedLine(encoded, (*changes, *repair.changes))


@dataclass(slots=True)
class _Repair:
    """Rebuilds a request from the inside out, so that what becomes empty on the way is seen."""

    changes: list[str] = field(default_factory=list)

    def rebuild(self, node: Node, value: dict[str, Any], path: Path) -> dict[str, Any]:
        made = {}
        for key, member in value.items():
            fixed = self._member(node, key, member, (path, key))
            if fixed is not _GONE:
                made[key] = fixed
        return self._without_null_arrays(node, made, path)

    def _without_null_arrays(self, node: Node, made: dict[str, Any], path: Path) -> dict[str, Any]:
        """The members but those that are null in place of an array; all of them, if nothing else is there."""
        null_arrays = [
            key
            for key, value in made.items()
            if value is None and key in node.fields and node.fields[key].node.kind == "array"
        ]
        if not null_arrays or len(null_arrays) == len(made):
            return made
        for key in null_arrays:
            self._drop((path, key), "it was null in place of an array")
        return {key: value for key, value in made.items() if key not in null_arrays}

    def _member(self, node: Node, key: str, member: Any, path: Path) -> Any:
        known = node.fields.get(key)
        if known is None:
            is_stray = node.name == "GenerateContentRequest" and key == "model"
            return self._drop(path, "the job names the model") if is_stray else member
        place = f"{node.name}.{known.name}"
        if place in _NULLS_SPEAK:
            return member
        if place in _SCHEMA_FIELDS and isinstance(member, dict):
            member = self._inline(member, path)
        fixed = self._value(known.node, member, path)
        if fixed != {} or known.name in node.required or node.name in _LEFT_ALONE:
            return fixed
        if node.name in _PRESENCE_SPEAKS:
            return self._fill(known.node, key, path)
        return self._drop(path, "it was empty")

    def _value(self, node: Node, value: Any, path: Path) -> Any:
        element = node.element
        if node.kind == "object" and isinstance(value, dict):
            return self.rebuild(node, value, path)
        if element is None:
            return value
        if node.kind == "array" and element.name == "Part" and isinstance(value, dict):
            self._note("made an array of", path)
            value = [value]
        if node.kind == "array" and isinstance(value, list):
            return self._array(element, value, path)
        if node.kind == "map" and isinstance(value, dict):
            return {key: self._value(element, member, (path, key)) for key, member in value.items()}
        return value

    def _array(self, element: Node, values: list[Any], path: Path) -> list[Any]:
        made = []
        for index, value in enumerate(values):
            at = (path, index)
            fixed = self._value(element, value, at)
            if fixed is None:
                self._drop(at, "it was null")
            elif fixed == {} and element.name == "Tool":
                self._drop(at, "it was empty")
            else:
                made.append(fixed)
        return made

    def _fill(self, node: Node, key: str, path: Path) -> dict[str, Any]:
        """An empty object with a null member, in the spelling of its own key; empty still if it has no fields."""
        # Not an array: where another line has one, a null in its place would break a rule itself.
        candidates = {known.name for known in node.fields.values() if known.node.kind != "array"}
        if not candidates or node.required:
            return {}
        name = min(candidates)
        name = snake_case(name) if "_" in key else name
        self._note("added a null member", (path, name))
        return {name: None}

    def _inline(self, schema: dict[str, Any], path: Path) -> dict[str, Any]:
        inlined = inline_references(schema)
        if inlined is None or inlined == schema:
            return schema
        self._note("inlined the references of", path)
        return inlined

    def _drop(self, path: Path, reason: str) -> Any:
        self._note("removed", path, f": {reason}")
        return _GONE

    def _note(self, what: str, path: Path, reason: str = "") -> None:
        self.changes.append(f"{what} {render_path(path)}{reason}")
