"""One request against its schema, with every breach explained."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from geminate.stages.checks.fields import Field, Node
from geminate.stages.checks.paths import Path, render_path
from geminate.wire.limits import IGNORED_SCHEMA_KEYWORDS
from geminate.wire.violations import Violation, brief

_BASE64_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_MAX_PADDING: Final = 2

FILE_URI_PATTERN: Final = (
    r"gs://[^/\s]+/.+|https?://(?:(?:www|m|music)\.)?youtube\.com/(?:watch\?|shorts/|live/|embed/|v/).+"
    r"|https?://youtu\.be/.+"
)

_INT64: Final = re.compile(r"-?[0-9]{1,19}")
_TEXT_FORMS: Final[dict[str, tuple[re.Pattern[str], str]]] = {
    "duration": (re.compile(r"-?[0-9]+(?:[.][0-9]{1,9})?s"), "is not a duration such as '3.5s'"),
    "mime_type": (
        re.compile(r"[A-Za-z0-9][\w!#$&^.+-]*/[\w!#$&^.+*-]+(?:\s*;.*)?"),
        "is not a MIME type such as 'image/jpeg'",
    ),
    "file_uri": (
        re.compile(FILE_URI_PATTERN),
        "is neither gs://bucket/object nor a YouTube address, and batch prediction reads nothing else",
    ),
    "function_name": (
        re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}"),
        "is not a function name: a letter or '_', then letters, digits and '_.:-', 128 in all",
    ),
}

Members = dict[str, tuple[Any, Path]]
"""An object's fields that are there, by their camelCase name: the value and where it stands."""


@dataclass(slots=True)
class Findings:
    """What was found in one line so far, and what to look for.

    Attributes:
        import_rules: Whether the importer's rules are checked too, which report a null in an array themselves.
        advice: Whether deprecated and ignored fields are reported.
        is_slot: Tells text that stands for a value of any type; None where there is none such.
        violations: The breaches so far, without file, line and key.
    """

    import_rules: bool = True
    advice: bool = False
    is_slot: Callable[[str], bool] | None = None
    violations: list[Violation] = field(default_factory=list)

    def stands_open(self, value: Any) -> bool:
        """Whether the value is text that stands for one still to come."""
        return self.is_slot is not None and isinstance(value, str) and self.is_slot(value)

    def add(self, rule: str, path: Path, message: str) -> None:
        """Nothing; the breach is kept."""
        self.violations.append(Violation(rule, message, render_path(path)))

    def advise(self, rule: str, path: Path, message: str) -> None:
        """Nothing; the breach is kept if advice was asked for."""
        if self.advice:
            self.add(rule, path, message)


ObjectCheck = Callable[[Findings, Members, Path], None]


class StructureCheck:
    """Checks values against nodes, and objects against the rules that no schema holds.

    Args:
        meanings: Further checks of objects, by the name of their definition.
        exclusive: Fields that exclude each other, by the name of their definition.
    """

    def __init__(self, meanings: dict[str, ObjectCheck], exclusive: dict[str, tuple[tuple[str, str], ...]]) -> None:
        self._meanings = meanings
        self._exclusive = exclusive
        self._checks: dict[str, Callable[[Findings, Node, Any, Path], None]] = {
            "object": self._check_object,
            "array": self._check_array,
            "map": self._check_map,
            "any": _check_any,
            "string": _check_string,
            "enum": _check_enum,
            "boolean": _check_boolean,
            "integer": _check_number,
            "number": _check_number,
            "int64": _check_int64,
            "bytes": _check_bytes,
            **dict.fromkeys(_TEXT_FORMS, _check_form),
        }

    def check(self, findings: Findings, node: Node, value: Any, path: Path) -> None:
        """Nothing; the breaches of this value and all it holds are added to the findings, in document order."""
        if findings.stands_open(value):
            return
        self._checks[node.kind](findings, node, value, path)

    def _check_object(self, findings: Findings, node: Node, value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            _wrong_type(findings, "an object", value, path)
            return
        members: Members = {}
        for key, member in value.items():
            # To the service a null member is an absent one, whatever its name.
            if member is None:
                continue
            at = (path, key)
            known = node.fields.get(key)
            if known is None:
                _report_unknown(findings, node, key, at)
            elif known.name in members:
                findings.add("schema.both_spellings", at, f"{known.name!r} stands here in both spellings; keep one")
            else:
                members[known.name] = (member, at)
                _check_use(findings, known, at)
                self.check(findings, known.node, member, at)
        for name in node.required:
            if name not in members:
                findings.add("schema.missing_field", path, f"{node.name} needs {name!r}")
        self._check_meaning(findings, node.name, members, path)

    def _check_meaning(self, findings: Findings, name: str, members: Members, path: Path) -> None:
        for one, other in self._exclusive.get(name, ()):
            if one in members and other in members:
                findings.add("schema.exclusive_fields", members[other][1], f"{other!r} and {one!r} exclude each other")
        if name in self._meanings:
            self._meanings[name](findings, members, path)

    def _check_array(self, findings: Findings, node: Node, value: Any, path: Path) -> None:
        element = node.element
        if element is None:
            return
        if isinstance(value, dict) and element.name == "Part":
            findings.add("schema.parts_object", path, "'parts' is one object; write an array of one part")
            self.check(findings, element, value, path)
        elif not isinstance(value, list):
            _wrong_type(findings, "an array", value, path)
        else:
            for index, item in enumerate(value):
                if item is not None or not findings.import_rules:
                    self.check(findings, element, item, (path, index))

    def _check_map(self, findings: Findings, node: Node, value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            _wrong_type(findings, "an object", value, path)
        elif node.element is not None:
            for key, member in value.items():
                if member is not None:
                    self.check(findings, node.element, member, (path, key))


def _report_unknown(findings: Findings, node: Node, key: str, path: Path) -> None:
    if node.name == "GenerateContentRequest" and key == "model":
        findings.add("schema.stray_model", path, "the model is named when the job is submitted; leave it out here")
    elif node.name == "Schema" and key in IGNORED_SCHEMA_KEYWORDS:
        findings.advise("schema.ignored_field", path, f"the service ignores {brief(key)} in an answer schema")
    else:
        message = f"{node.name} has no field {brief(key)}{_guess(key, node.fields)}"
        findings.add("schema.unknown_field", path, message)


def _check_use(findings: Findings, known: Field, path: Path) -> None:
    if known.unsupported:
        message = f"{known.name!r} asks for {known.unsupported}, which batch prediction does not do"
        findings.add("limit.unsupported", path, message)
    if known.is_deprecated:
        findings.advise("schema.deprecated", path, f"{known.name!r} is deprecated")


def _check_any(_findings: Findings, _node: Node, _value: Any, _path: Path) -> None:
    """Nothing: it may be anything."""


def _check_string(findings: Findings, _node: Node, value: Any, path: Path) -> None:
    if not isinstance(value, str):
        _wrong_type(findings, "text", value, path)


def _check_form(findings: Findings, node: Node, value: Any, path: Path) -> None:
    if not isinstance(value, str):
        _wrong_type(findings, "text", value, path)
        return
    pattern, complaint = _TEXT_FORMS[node.kind]
    if not pattern.fullmatch(value):
        findings.add(f"schema.{node.kind}", path, f"{brief(value)} {complaint}")


def _check_enum(findings: Findings, node: Node, value: Any, path: Path) -> None:
    if not isinstance(value, str):
        _wrong_type(findings, "the name of an enum value", value, path)
    elif value not in node.values:
        findings.add(
            "schema.bad_enum", path, f"{brief(value)} is not a value of this field{_guess(value, node.values)}"
        )
    elif value in node.deprecated_values:
        findings.advise("schema.deprecated", path, f"{value!r} is deprecated")


def _check_boolean(findings: Findings, _node: Node, value: Any, path: Path) -> None:
    if not isinstance(value, bool):
        _wrong_type(findings, "true or false", value, path)


def _check_number(findings: Findings, node: Node, value: Any, path: Path) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong_type(findings, "a number", value, path)
    elif isinstance(value, float) and not math.isfinite(value):
        findings.add("json.not_finite", path, f"{value} is no JSON number")
    elif node.kind == "integer" and value != int(value):
        findings.add("schema.wrong_type", path, f"expected a whole number, found {value}")
    elif (node.least is not None and value < node.least) or (node.greatest is not None and value > node.greatest):
        least = "" if node.least is None else f" from {node.least:.10g}"
        greatest = "" if node.greatest is None else f" up to {node.greatest:.10g}"
        findings.add("schema.out_of_range", path, f"{value} is out of range; it takes numbers{least}{greatest}")


def _check_int64(findings: Findings, _node: Node, value: Any, path: Path) -> None:
    is_whole = value.is_integer() if isinstance(value, float) else type(value) is int
    if not is_whole and not (isinstance(value, str) and _INT64.fullmatch(value)):
        _wrong_type(findings, "a whole number, also as text", value, path)


def _check_bytes(findings: Findings, _node: Node, value: Any, path: Path) -> None:
    if not isinstance(value, str):
        _wrong_type(findings, "base64 text", value, path)
    elif not is_base64(value.encode("utf-8", "surrogatepass")):
        findings.add("schema.base64", path, f"{brief(value)} is not base64")


def is_base64(text: bytes) -> bool:
    """Whether it is base64 of either alphabet, padded or not."""
    bare = text.rstrip(b"=")
    return len(text) - len(bare) <= _MAX_PADDING and not bare.translate(None, _BASE64_ALPHABET)


def _wrong_type(findings: Findings, expected: str, value: Any, path: Path) -> None:
    findings.add("schema.wrong_type", path, f"expected {expected}, found {_name_type(value)}")


def _name_type(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {brief(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"the number {value}"


def _guess(name: str, known: Iterable[str]) -> str:
    folded = {_fold(other): other for other in sorted(known) if ("_" in name) == ("_" in other) or other.isupper()}
    near = difflib.get_close_matches(_fold(name), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def _fold(name: str) -> str:
    return name.lower().replace("_", "")
