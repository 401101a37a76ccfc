"""Pieces of bytes as a file for Arrow."""

from __future__ import annotations

from collections.abc import Generator, Iterator


class PieceReader:
    """Pieces of any size, read in portions of any other, each byte copied once.

    Args:
        pieces: They are closed with it, if they can be.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """As many bytes as asked for, fewer only at the end."""
        parts: list[memoryview] = []
        wanted = size
        while wanted:
            while not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    return b"".join(parts)
                self._rest = memoryview(piece)
            part = self._rest if wanted < 0 else self._rest[:wanted]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            wanted -= len(part) if wanted > 0 else 0
        return b"".join(parts)

    def close(self) -> None:
        """Nothing; no more pieces are taken."""
        self.closed = True
        if isinstance(self._pieces, Generator):
            self._pieces.close()
