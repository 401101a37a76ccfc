"""Many lines cut at the quotes of their strings at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geminate.wire.lines import is_utf8

Positions = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

_QUOTE, _SLASH, _SPACE = b'"\\ '
_NEWLINE = ord("\n")

# The masks of one block stay in the processor's cache; larger ones cost more in page faults than in arithmetic.
_BLOCK_BYTES = 256 * 1024

# What may follow a backslash by itself, and what after a u.
_MAY_FOLLOW = np.zeros(256, np.bool_)
_MAY_FOLLOW[list(b'"\\/bfnrtu')] = True
_IS_HEX = np.zeros(256, np.bool_)
_IS_HEX[list(b"0123456789abcdefABCDEF")] = True
_IS_D = np.zeros(256, np.bool_)
_IS_D[list(b"dD")] = True
_HEX_DIGITS = np.arange(2, 6)
# Behind the last line, so that an escape's digits can be looked at wherever it stands.
_PADDING = b"\n" * 6


@dataclass(frozen=True, slots=True)
class CutLines:
    """Consecutive lines, and where in them strings begin and end.

    Attributes:
        data: The lines, a line feed behind each, and some more behind the last.
        starts: Where each line begins.
        ends: Where its line feed stands.
        quotes: Every quote that begins or ends a string.
        first_quotes: The place in ``quotes`` of each line's first one, and the number of all.
        is_sound: Whether a line has no control character, and behind every backslash what JSON has there; a line with
            half of a surrogate pair, or a whole one, counts as one that has not.
    """

    data: bytes
    starts: Positions
    ends: Positions
    quotes: Positions
    first_quotes: Positions
    is_sound: Flags


def find_specials(values: Bytes) -> Positions:
    """Where quotes, backslashes and control characters stand, which are no part of a JSON string as they are."""
    found = [start + np.flatnonzero(mask) for start, mask in _iter_masks(values)]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def cut_lines(lines: bytes) -> CutLines | None:
    """The lines, each with its line feed but perhaps for the last one, cut; None where one of them is not UTF-8."""
    size = len(lines) + (not lines.endswith(b"\n"))
    data = lines + _PADDING
    if not is_utf8(lines):
        return None
    values = np.frombuffer(data, np.uint8)
    found = find_specials(values[:size])
    kinds = values[found]
    ends = found[kinds == _NEWLINE]
    starts = np.concatenate(([0], ends[:-1] + 1))
    odd = [found[(kinds < _SPACE) & (kinds != _NEWLINE)]]
    slashes = np.flatnonzero(kinds == _SLASH)
    if slashes.size:
        escapes = slashes[_begins_escape(found[slashes])]
        at = found[escapes]
        following = values[at + 1]
        odd.append(at[~_is_escape(values, at, following)])
        # Nothing lies between a backslash and its quote, so they are neighbours among what was found, too.
        kinds[escapes[following == _QUOTE] + 1] = _SLASH
    quotes = found[kinds == _QUOTE]
    is_sound = np.ones(len(ends), np.bool_)
    is_sound[np.searchsorted(ends, np.concatenate(odd))] = False
    first_quotes = np.append(np.searchsorted(quotes, starts), len(quotes))
    return CutLines(data, starts, ends, quotes, first_quotes, is_sound)


def _iter_masks(values: Bytes) -> Iterator[tuple[int, Flags]]:
    for start in range(0, values.size, _BLOCK_BYTES):
        block = values[start : start + _BLOCK_BYTES]
        # Flipping bit 1 maps the quote, 34, to 32 and keeps the control characters below it: one comparison for both.
        mask = (block ^ np.uint8(_QUOTE ^ _SPACE)) <= _SPACE
        mask |= block == _SLASH
        yield start, mask


def _begins_escape(slashes: Positions) -> Flags:
    """Which of the backslashes are not themselves escaped: in an unbroken row of them, every other one."""
    order = np.arange(slashes.size)
    is_first = np.ones(slashes.size, np.bool_)
    is_first[1:] = np.diff(slashes) != 1
    first = np.maximum.accumulate(np.where(is_first, order, 0))
    begins: Flags = (order - first) % 2 == 0
    return begins


def _is_escape(values: Bytes, at: Positions, following: Bytes) -> Flags:
    """Whether JSON knows each escape; surrogates, which come in pairs, are left to who knows about pairs."""
    known: Flags = _MAY_FOLLOW[following]
    is_hex = np.flatnonzero(following == ord("u"))
    if is_hex.size:
        digits = values[at[is_hex][:, None] + _HEX_DIGITS]
        is_surrogate = _IS_D[digits[:, 0]] & (digits[:, 1] >= ord("8"))
        known[is_hex] = _IS_HEX[digits].all(axis=1) & ~is_surrogate
    return known
