"""One line to its object, strictly, with every breach of JSON told apart."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from geminate.stages.checks.paths import Path, render_path
from geminate.wire.violations import Violation, brief

MAX_DEPTH: Final = 100
"""How deep objects and arrays are followed; ten times what a request needs, and far from Python's own end."""

_BOM: Final = b"\xef\xbb\xbf"
_WHITESPACE: Final = b" \t\r\n"
_MAX_DIGITS: Final = 300
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _AnyObject(msgspec.Struct):
    """Any object; its members are skipped, which checks their syntax all the same."""


_STRICT: Final = msgspec.json.Decoder(_AnyObject)


def is_json_object(line: bytes) -> bool:
    """Whether the line is an object, in UTF-8 and strict JSON, at the speed of a scan.

    Keys that stand twice and numbers too large for a double are not looked for.
    """
    try:
        _STRICT.decode(line)
        if not line.isascii():
            str(line, "utf-8")
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return True


def decode_line(line: bytes) -> tuple[dict[str, Any] | None, list[Violation]]:
    """The line's object, and what is wrong with its JSON; None where there is no such object.

    An object whose keys stand twice is given with their last values.
    """
    violation = _find_coding_fault(line)
    if violation is None:
        reader = _Reader()
        value = reader.read(str(line, "utf-8"))
        violation = reader.fault or _find_strict_fault(line, value)
        if violation is None:
            return value, [_duplicate(value, owner, key) for owner, key in reader.twice]
    return None, [violation]


def _find_coding_fault(line: bytes) -> Violation | None:
    if not line.strip(_WHITESPACE):
        return Violation("json.blank_line", "a blank line is no request; remove it")
    if line.startswith(_BOM):
        return Violation("json.bom", "the line begins with a byte order mark; save the file without one")
    try:
        str(line, "utf-8")
    except UnicodeDecodeError as error:
        return Violation("json.encoding", f"not UTF-8 at byte {error.start + 1} of the line; convert the file")
    return None


def _find_strict_fault(line: bytes, value: Any) -> Violation | None:
    """What the reader lets pass."""
    if not isinstance(value, dict):
        return Violation("json.not_object", 'the line is not an object; write {"request": …}')
    try:
        _STRICT.decode(line)
    except msgspec.MsgspecError as error:
        path = _find_lone_surrogate(value)
        if path is not None:
            return Violation("json.lone_surrogate", "half of a surrogate pair is no character", path)
        return _syntax_fault(str(error))
    return None


@dataclass(slots=True)
class _Reader:
    """Reads one text, and keeps what a plain decoder would not tell."""

    fault: Violation | None = None
    twice: list[tuple[dict[str, Any], str]] = field(default_factory=list)

    def read(self, text: str) -> Any:
        try:
            value = json.loads(
                text,
                object_pairs_hook=self._make_object,
                parse_constant=self._refuse_number,
                parse_float=self._make_float,
                parse_int=self._make_int,
            )
        except RecursionError:
            self.fault = _nesting_fault()
            return None
        except json.JSONDecodeError as error:
            self.fault = _syntax_fault(f"{error.msg.removesuffix(' at')} at character {error.pos + 1}")
            return None
        if _is_too_deep(text, value):
            self.fault = _nesting_fault()
        return value

    def _make_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            self.twice += [(made, key) for key, count in counts.items() if count > 1]
        return made

    def _make_float(self, digits: str) -> float:
        number = float(digits)
        return number if abs(number) != float("inf") else self._refuse_number(digits)

    def _make_int(self, digits: str) -> float:
        return int(digits) if len(digits) < _MAX_DIGITS else self._make_float(digits)

    def _refuse_number(self, digits: str) -> float:
        shown = digits if len(digits) <= 40 else digits[:37] + "…"
        self.fault = self.fault or Violation("json.not_finite", f"{shown} is no number that JSON readers agree on")
        return 0.0


def _nesting_fault() -> Violation:
    return Violation("json.nesting", f"objects and arrays nest deeper than {MAX_DEPTH} levels")


def _syntax_fault(reason: str) -> Violation:
    return Violation("json.syntax", f"not JSON: {reason}")


def _duplicate(value: Any, owner: dict[str, Any], key: str) -> Violation:
    path = next((path for path, found in _iter_values(value) if found is owner), None)
    return Violation(
        "json.duplicate_key", f"the key {brief(key)} stands twice in this object", render_path((path, key))
    )


def _find_lone_surrogate(value: Any) -> str | None:
    for path, found in _iter_values(value):
        texts = list(found) if isinstance(found, dict) else [found] if isinstance(found, str) else []
        if any(_LONE_SURROGATE.search(text) for text in texts):
            return render_path(path)
    return None


def _is_too_deep(text: str, value: Any) -> bool:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [below for found in level for below in _children(found) if isinstance(below, dict | list)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _iter_values(value: Any) -> Iterator[tuple[Path, Any]]:
    waiting: list[tuple[Path, Any]] = [(None, value)]
    while waiting:
        path, found = waiting.pop()
        yield path, found
        if isinstance(found, dict):
            waiting += [((path, key), member) for key, member in found.items()]
        elif isinstance(found, list):
            waiting += [((path, index), element) for index, element in enumerate(found)]
