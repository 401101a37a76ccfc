"""The quotes of a CSV file: whether they pair up, and which line ends are therefore the ends of rows.

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
class _Piece:
    """Bytes of the file, and its quotes: where they are in them, and the bytes before and after each."""

    data: bytes
    at: np.ndarray
    before: np.ndarray
    after: np.ndarray


def pair_up(pieces: Iterable[bytes], delimiter: bytes) -> bool:
    """Whether every quote opens a cell, closes one, or is doubled inside one, as RFC 4180 has it."""
    edges = np.frombuffer(delimiter + b'\n\r"', np.uint8)
    inside = 0
    for piece in _iter_pieces(pieces):
        if not (np.isin(piece.before[inside::2], edges).all() and np.isin(piece.after[1 - inside :: 2], edges).all()):
            return False
        inside = (inside + len(piece.at)) % 2
    return not inside


def find_fault(pieces: Iterable[bytes], delimiter: bytes) -> QuoteFault | None:
    """The first quote that breaks the file, found one by one; inside an unquoted cell a quote is only a character."""
    walk = _Walk(delimiter)
    for piece in _iter_pieces(pieces):
        walk.structural(piece)
        if walk.fault:
            return walk.fault
    return None if walk.opened is None else QuoteFault(walk.opened, "a quote is never closed")


def iter_whole_rows(pieces: Iterable[bytes], delimiter: bytes, *, paired: bool) -> Iterator[bytes]:
    """The same bytes, cut only where a row ends, about as large as the pieces or as the longest row.

    Args:
        pieces: The file's bytes; ``find_fault`` finds none in them.
        delimiter: What stands between cells.
        paired: What ``pair_up`` says of the file; where it is false, the quotes must be walked one by one.
    """
    walk = _Walk(delimiter)
    pending: list[bytes] = []
    inside = 0
    for piece in _iter_pieces(pieces):
        at = piece.at if paired else walk.structural(piece)
        cut = _last_row_end(piece.data, at, inside)
        inside = (inside + len(at)) % 2
        if cut:
            yield b"".join([*pending, piece.data[:cut]])
            pending = []
        pending.append(piece.data[cut:])
    rest = b"".join(pending)
    if rest:
        yield rest


class _Walk:
    """Goes from quote to quote and remembers whether it is inside a cell."""

    def __init__(self, delimiter: bytes) -> None:
        self.opened: int | None = None
        self.fault: QuoteFault | None = None
        self._edges = {*delimiter, _LF, _CR}
        self._doubled = False
        self._offset = 0

    def structural(self, piece: _Piece) -> np.ndarray:
        """Where the next piece has quotes that open or close a cell; it stops at the first fault."""
        found = []
        for at, before, after in zip(piece.at.tolist(), piece.before.tolist(), piece.after.tolist(), strict=True):
            if self.opened is None:
                if before in self._edges:
                    self.opened = self._offset + at
                    found.append(at)
            elif self._doubled or after == _QUOTE:
                self._doubled = not self._doubled
            elif after in self._edges:
                self.opened = None
                found.append(at)
            else:
                self.fault = QuoteFault(self._offset + at, "text follows a closing quote")
                break
        self._offset += len(piece.data)
        return np.array(found, dtype=np.int64)


def _last_row_end(data: bytes, at: np.ndarray, inside: int) -> int:
    """The position after the last line end that no quotes surround, 0 where there is none."""
    stop = len(data)
    for index in range(len(at), -1, -1):
        start = int(at[index - 1]) + 1 if index else 0
        if (index + inside) % 2 == 0:
            end = max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop))
            if end >= 0:
                return end + 1
        stop = start
    return 0


def _iter_pieces(pieces: Iterable[bytes]) -> Iterator[_Piece]:
    # A byte of context is kept back on either side; the file begins and ends as if between lines.
    kept = b"\n"
    for piece in pieces:
        data = kept + piece
        yield _piece(data)
        kept = data[-2:]
    yield _piece(kept + b"\n")


def _piece(data: bytes) -> _Piece:
    values = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(values[1:-1] == _QUOTE)
    return _Piece(data[1:-1], at, values[at], values[at + 2])
