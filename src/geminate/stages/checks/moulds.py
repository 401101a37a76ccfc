"""Lines that differ from the one before only where no rule looks: known by their constant parts.

A mould is a good line with holes. It is cast from two lines of one shape, and has a hole wherever they differ: between
the quotes of a string, or between two strings, where a number stands. A line that is strict JSON, has the same bytes
around the holes, and has in each hole what can stand there, has the same structure as the line the mould was cast from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from geminate.stages.checks.decoding import is_inside_string

ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
"""Makes all digits one."""

# Enough to be rare, and short enough to be searched for quickly.
_MARK_BYTES: Final = 24

Test: TypeAlias = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Hole:
    """Where lines differ.

    Attributes:
        is_text: Whether it lies inside a string.
        test: What else must hold of what stands there.
        mark: The constant bytes behind it, or as many of them as it takes to find its end.
        after: All of them.
    """

    is_text: bool
    test: Test | None
    mark: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Mould:
    """A line with holes.

    Attributes:
        head: What stands before the first hole.
        holes: The holes, in order.
        key_hole: The hole that holds the key, -1 where lines have none.
        key_is_text: Whether the key is a string.
    """

    head: bytes
    holes: tuple[Hole, ...]
    key_hole: int
    key_is_text: bool

    def fit(self, line: bytes) -> bytes | None:
        """What stands in the hole of the key, empty where lines have none; None where the line does not fit."""
        if not line.startswith(self.head):
            return None
        start = len(self.head)
        key = b""
        for index, hole in enumerate(self.holes):
            end = line.find(hole.mark, start)
            if end < 0 or not line.startswith(hole.after, end):
                return None
            found = line[start:end]
            if hole.is_text and (b'"' in found or found[-1:] == b"\\") and not is_inside_string(found):
                return None
            if hole.test is not None and not hole.test(found):
                return None
            if index == self.key_hole:
                key = found
            start = end + len(hole.after)
        return key if start == len(line) else None


def cast_mould(pieces: Sequence[bytes], earlier: Sequence[bytes], tests: dict[int, Test], key_at: int) -> Mould | None:
    """A mould of two lines of one shape and variant, None where they do not make one.

    Args:
        pieces: A line cut at its quotes, pieces as long as in the line itself.
        earlier: Another line, cut likewise.
        tests: What pieces must pass that rules look at, by position.
        key_at: The position of the piece that holds the key, -1 where there is none.
    """
    holes_at = [at for at, (one, other) in enumerate(zip(pieces, earlier, strict=True)) if one != other]
    # A key that did not change would be taken for a constant; behind the last piece stands no quote to find its end by.
    if not holes_at or (key_at >= 0 and key_at not in holes_at) or holes_at[-1] == len(pieces) - 1:
        return None
    holes = []
    for at, following in zip(holes_at, [*holes_at[1:], len(pieces)], strict=True):
        is_last = following == len(pieces)
        after = b'"'.join([b"", *pieces[at + 1 : following]]) + (b"" if is_last else b'"')
        is_text = at % 2 == 1
        test = tests.get(at) if is_text else partial(_is_alike, pieces[at].translate(ALIKE))
        holes.append(Hole(is_text, test, after[:_MARK_BYTES], after))
    head = b'"'.join(pieces[: holes_at[0]]) + b'"'
    return Mould(head, tuple(holes), holes_at.index(key_at) if key_at >= 0 else -1, key_at % 2 == 1)


def _is_alike(alike: bytes, found: bytes) -> bool:
    return found.translate(ALIKE) == alike
