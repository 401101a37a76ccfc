"""Lines like one that was found good are good: known at the speed of a split.

Request lines of one origin differ in few places. So a line that kept all rules teaches its *shape*: everything
outside strings, with digits made alike, and of the strings all those that rules look at (keys, roles, names, enums).
A later line of a known shape can differ only where no rule looks, such as in a part's text, or where a quick test of
the bytes decides, such as in a file's URI. It is accepted without being decoded into Python objects, and it can add
nothing to what is known of the paths and types of the set. Whatever is not of a known shape is checked in full.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter
from typing import Any, Final

import msgspec

from geminate.stages.checks.cutting import cut_lines
from geminate.stages.checks.decoding import is_json_object
from geminate.stages.checks.fields import Node, request_node
from geminate.stages.checks.moulds import ALIKE, Mould, Test, cast_mould
from geminate.stages.checks.structure import FILE_URI_PATTERN, is_base64
from geminate.wire.limits import LIMITS

_MAX_HELD_BYTES: Final = 32 * 1024 * 1024

# A mould is worth its making if this many lines fit it; if fewer do, ever more lines pass before the next is made.
_WORTHWHILE_FITS: Final = 8
_MAX_PAUSE: Final = 1024

# Numbers whose size hangs on more than how many digits they have.
_ODD_NUMBER: Final = re.compile(rb"0[eE]|0{300}")

# The strings of a request that no rule looks into; of a part's text, only whether it is empty.
_FREE_TEXTS: Final = frozenset(
    {
        "Blob.displayName",
        "CodeExecutionResult.output",
        "ExecutableCode.code",
        "FileData.displayName",
        "FunctionCall.id",
        "FunctionDeclaration.description",
        "FunctionResponse.id",
        "Schema.description",
        "Schema.title",
    }
)
_FREE_NUMBERS: Final = frozenset({"GenerationConfig.seed"})
_MAX_FREE_DIGITS: Final = 9

_FILE_URI: Final = re.compile(FILE_URI_PATTERN.encode())

_QUOTE: Final = b'\\"'
_BACKSLASH: Final = b"\\\\"
# What stands for them while a line is cut; of the same length, since such replacements are twice as fast.
_CUT_QUOTE: Final = b"\x02\x02"
_CUT_BACKSLASH: Final = b"\x01\x01"

_ANY: Final = Node("any")


@dataclass(slots=True)
class _Shape:
    """Lines that look alike outside their strings.

    Attributes:
        pick: Takes from a line's pieces those that rules look at.
        tests: What other pieces that rules look at must pass, by position.
        key_at: The position of the piece that holds the key, -1 where there is none.
        variants: The picked pieces of good lines, joined.
    """

    pick: Callable[[list[bytes]], tuple[bytes, ...]]
    tests: dict[int, Test]
    key_at: int
    variants: set[bytes] = field(default_factory=set)


class ShapeMemory:
    """What is known of good lines. Bounded: when it is full it is emptied.

    Args:
        key_names: The members of a line that may hold its key, the first one first.
    """

    def __init__(self, key_names: tuple[str, ...]) -> None:
        self._key_names = key_names
        self._shapes: dict[bytes, _Shape] = {}
        self._held_bytes = 0
        self._request = request_node()
        self._mould: Mould | None = None
        self._mould_of: tuple[_Shape, bytes] | None = None
        self._recent: tuple[_Shape, bytes, list[bytes]] | None = None
        self._fits = 0
        self._pause = 1
        self._to_pass = 1

    def recognise_all(self, lines: bytes) -> list[bytes | None]:
        """What ``recognise`` says of each line, None for those that cannot be told at a glance; empty if none can."""
        cut = cut_lines(lines) if self._mould else None
        if self._mould is None or cut is None:
            return []
        rows, found = self._mould.fit(cut)
        self._fits += len(rows)
        is_text = self._mould.key_at % 2 == 1
        if not is_text or b"\\" in b"".join(found):
            found = [_read_key(key, is_text=is_text) for key in found]
        keys: list[bytes | None] = [None] * len(cut.ends)
        for row, key in zip(rows.tolist(), found, strict=True):
            keys[row] = key
        return keys

    def recognise(self, line: bytes) -> bytes | None:
        """The line's key (empty where it has none) if it is known to be good, else None: nothing is known of it."""
        if not is_json_object(line):
            return None
        pieces = _cut(line)
        shape = self._shapes.get(_outline(pieces))
        if shape is None:
            return None
        variant = b'"'.join(shape.pick(pieces))
        if variant not in shape.variants or not all(test(pieces[at]) for at, test in shape.tests.items()):
            return None
        self._recast(shape, variant, line, pieces)
        return b"" if shape.key_at < 0 else _read_key(pieces[shape.key_at], is_text=shape.key_at % 2 == 1)

    def _recast(self, shape: _Shape, variant: bytes, line: bytes, pieces: list[bytes]) -> None:
        """Nothing; the mould is made anew from this line and one before, if it is time to."""
        self._to_pass -= 1
        if self._to_pass > 0:
            return
        self._pause = 1 if self._fits >= _WORTHWHILE_FITS else min(2 * self._pause, _MAX_PAUSE)
        self._to_pass, self._fits = self._pause, 0
        earlier, self._recent = self._recent, (shape, variant, _restore(line, pieces))
        if earlier is None or earlier[0] is not shape or earlier[1] != variant:
            return
        # What has differed once may differ again.
        known = [at for at, _ in self._mould.holes] if self._mould and self._mould_of == earlier[:2] else []
        differ = (at for at, (one, other) in enumerate(zip(self._recent[2], earlier[2], strict=True)) if one != other)
        self._mould = cast_mould(self._recent[2], [*known, *differ], shape.tests, shape.key_at)
        self._mould_of = earlier[:2]

    def learn(self, line: bytes, value: dict[str, Any]) -> None:
        """Nothing; lines like this one, which breaks no rule of its own, are recognised from now on."""
        pieces = _cut(line)
        outline = _outline(pieces)
        if _ODD_NUMBER.search(outline):
            return
        if self._held_bytes > _MAX_HELD_BYTES:
            self._shapes.clear()
            self._held_bytes = 0
        shape = self._shapes.get(outline)
        if shape is None:
            shape = self._shapes[outline] = self._make_shape(pieces, value)
            # Its positions take some space too.
            self._held_bytes += len(outline) + 32 * len(pieces)
        variant = b'"'.join(shape.pick(pieces))
        shape.variants.add(variant)
        self._held_bytes += len(variant)

    def _make_shape(self, pieces: list[bytes], value: dict[str, Any]) -> _Shape:
        survey = _Survey()
        key_at = -1
        key_name = next((name for name in self._key_names if value.get(name) is not None), None)
        for (name, member), (mark, marked) in zip(value.items(), _mark(pieces).items(), strict=True):
            survey.matters.append(int(mark))
            survey.visit(self._request if name == "request" else _ANY, member, marked)
            if name == key_name:
                key_at = int(marked) if isinstance(member, str) else int(mark) + 1
        matters = sorted(set(survey.matters))
        # Two positions at least, so that itemgetter gives a tuple.
        return _Shape(itemgetter(*matters, matters[0]), survey.tests, key_at)


@dataclass(slots=True)
class _Survey:
    """Which pieces of a line rules look at, and which must pass a test."""

    matters: list[int] = field(default_factory=list)
    tests: dict[int, Test] = field(default_factory=dict)

    def visit(self, node: Node, value: Any, marked: Any, place: str = "", after: int = 0) -> None:
        """Nothing; value and marked are the same document, once with its strings and once with their positions."""
        if isinstance(value, dict):
            for (key, member), (mark, marked_member) in zip(value.items(), marked.items(), strict=True):
                self.matters.append(int(mark))
                known = node.fields.get(key)
                below = known.node if known else node.element if node.kind == "map" and node.element else _ANY
                at = f"{node.name}.{known.name}" if known else ""
                self.visit(below, member, marked_member, at, int(mark) + 1)
        elif isinstance(value, list):
            below = node.element or _ANY
            for element, marked_element in zip(value, marked, strict=True):
                self.visit(below, element, marked_element, place, after)
        elif isinstance(value, str):
            self._visit_text(node, int(marked), place, is_empty=not value)
        elif node.kind != "any" and not isinstance(value, bool) and value is not None:
            is_free = place in _FREE_NUMBERS and len(str(value)) <= _MAX_FREE_DIGITS
            self.matters += [] if is_free else [after]

    def _visit_text(self, node: Node, position: int, place: str, *, is_empty: bool) -> None:
        if node.kind == "bytes":
            self.tests[position] = _is_small_base64
        elif node.kind == "file_uri":
            self.tests[position] = _is_plain_file_uri
        elif place == "Part.text" and not is_empty:
            self.tests[position] = bool
        elif node.kind != "any" and place not in _FREE_TEXTS:
            self.matters.append(position)


def _cut(line: bytes) -> list[bytes]:
    """The line cut at its quotes: what is outside strings at even positions, what is inside at odd ones.

    Escapes that would mislead the cut are replaced by control characters, which strict JSON does not hold raw.
    """
    if _QUOTE in line:
        # Only a backslash just before a quote can be mistaken for the quote's.
        if _BACKSLASH + b'"' in line:
            line = line.replace(_BACKSLASH, _CUT_BACKSLASH)
        line = line.replace(_QUOTE, _CUT_QUOTE)
    return line.split(b'"')


def _outline(pieces: list[bytes]) -> bytes:
    return b'"'.join(pieces[::2]).translate(ALIKE)


def _mark(pieces: list[bytes]) -> dict[str, Any]:
    """The document with every string, keys included, replaced by its position as text."""
    marked = pieces.copy()
    marked[1::2] = [b"%d" % position for position in range(1, len(pieces), 2)]
    document: dict[str, Any] = json.loads(b'"'.join(marked))
    return document


def _restore(line: bytes, pieces: list[bytes]) -> list[bytes]:
    """The pieces as they stand in the line; the replaced escapes are as long as they were."""
    ends = accumulate(len(piece) + 1 for piece in pieces)
    return [line[end - 1 - len(piece) : end - 1] for piece, end in zip(pieces, ends, strict=True)]


def _read_key(piece: bytes, *, is_text: bool) -> bytes:
    """The key's text in UTF-8, from the piece that holds it."""
    if not is_text:
        return piece.strip(b":, }\t\r")
    if b"\\" in piece or _CUT_QUOTE in piece or _CUT_BACKSLASH in piece:
        escaped = piece.replace(_CUT_QUOTE, _QUOTE).replace(_CUT_BACKSLASH, _BACKSLASH)
        return msgspec.json.decode(b'"' + escaped + b'"', type=str).encode()
    return piece


def _is_plain_file_uri(text: bytes) -> bool:
    # Escapes, and what counts as a blank beyond ASCII, are for those who look at characters.
    return text.isascii() and b"\\" not in text and _FILE_URI.fullmatch(text) is not None


def _is_small_base64(data: bytes) -> bool:
    return len(data) <= LIMITS.max_inline_image_bytes and is_base64(data)
