"""Whether the quotes of a CSV file pair up.

A quote that is never closed makes a cell of the whole rest of the file, and readers, Arrow's among them, take that for
data: rows vanish without a word. So the quotes are looked at before the rows are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

_QUOTE, _LF, _CR = b'"\n\r'


@dataclass(frozen=True, slots=True)
class QuoteFault:
    """A quote that breaks the file.

    Attributes:
        offset: Its byte offset.
        reason: What is wrong with it.
    """

    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Quotes:
    """The quotes of one piece: their offsets in the file, and the bytes before and after each."""

    offsets: np.ndarray
    before: np.ndarray
    after: np.ndarray


def pair_up(pieces: Iterable[bytes], delimiter: bytes) -> bool:
    """Whether every quote opens a cell, closes one, or is doubled inside one, as RFC 4180 has it."""
    edges = np.frombuffer(delimiter + b'\n\r"', np.uint8)
    inside = 0
    for quotes in _iter_quotes(pieces):
        if not (np.isin(quotes.before[inside::2], edges).all() and np.isin(quotes.after[1 - inside :: 2], edges).all()):
            return False
        inside = (inside + len(quotes.offsets)) % 2
    return not inside


def find_fault(pieces: Iterable[bytes], delimiter: bytes) -> QuoteFault | None:
    """The first quote that breaks the file, found one by one; inside an unquoted cell a quote is only a character."""
    edges = {*delimiter, _LF, _CR}
    opened: int | None = None
    doubled = False
    for quotes in _iter_quotes(pieces):
        for offset, before, after in zip(
            *(part.tolist() for part in (quotes.offsets, quotes.before, quotes.after)), strict=True
        ):
            if opened is None:
                opened = offset if before in edges else None
            elif doubled or after == _QUOTE:
                doubled = not doubled
            elif after in edges:
                opened = None
            else:
                return QuoteFault(offset, "text follows a closing quote")
    return None if opened is None else QuoteFault(opened, "a quote is never closed")


def _iter_quotes(pieces: Iterable[bytes]) -> Iterator[_Quotes]:
    # A byte of context is carried over on either side; the file begins and ends as if between lines.
    carried, offset = b"\n", -1
    for piece in pieces:
        data = carried + piece
        yield _quotes(data, offset)
        carried = data[-2:]
        offset += len(data) - 2
    yield _quotes(carried + b"\n", offset)


def _quotes(data: bytes, offset: int) -> _Quotes:
    values = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(values[1:-1] == _QUOTE) + 1
    return _Quotes(at + offset, values[at - 1], values[at + 1])
