"""Bytes to lines, as the service ends them: at the newline byte and nowhere else.

U+2028, U+0085 and a raw carriage return are legal inside or between JSON values, so neither ``str.splitlines`` nor
``bytes.splitlines`` will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

DEFAULT_MAX_LINE_BYTES = 64 * 1024 * 1024
"""Longer than any request the service takes and any answer it has been seen to give."""

SALVAGE_BYTES = 4096
"""How much of an overlong line is kept, enough to find its key."""


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Consecutive lines of one file, without their line ends.

    Attributes:
        lines: The lines' bytes, blank ones included, so that positions stay true.
        first_number: The first line's number, from 1.
        first_offset: The first line's byte offset in the file.
        overlong: For lines over the cap their whole length by position; ``lines`` holds only their beginning.
        terminated: Whether the last line ended with a newline.
    """

    lines: list[bytes]
    first_number: int
    first_offset: int
    overlong: dict[int, int] = field(default_factory=dict)
    terminated: bool = True

    def number(self, position: int) -> int:
        """The line number, from 1, of the line at a position in this block."""
        return self.first_number + position

    def offset(self, position: int) -> int:
        """The byte offset in the file of the line at a position in this block."""
        before = sum(map(len, self.lines[:position])) + position
        cut = sum(length - len(self.lines[at]) for at, length in self.overlong.items() if at < position)
        return self.first_offset + before + cut


class LineDecoder:
    """Cuts a byte stream into lines; feed it pieces of any size, then flush.

    Holds at most one line, and of a line over ``max_line_bytes`` only its beginning.

    Args:
        max_line_bytes: The longest line that is kept whole.
    """

    def __init__(self, max_line_bytes: int = DEFAULT_MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._dropped_bytes = 0
        self._number = 1
        self._offset = 0

    def feed(self, data: bytes) -> LineBlock:
        """The lines that this piece completes; a block of none where it completes none."""
        cut = data.rfind(b"\n")
        if cut < 0:
            self._hold(data)
            return self._block([])
        first = data.find(b"\n")
        self._hold(data[:first])
        head, head_length = self._take()
        lines = [head]
        if cut > first:
            lines += data[first + 1 : cut].split(b"\n")
        block = self._block(lines, head_length, consumed=head_length + (cut - first) + 1)
        self._hold(data[cut + 1 :])
        return block

    def flush(self) -> LineBlock:
        """The last line where the stream did not end with a newline; a block of none where it did."""
        if not self._pending_bytes and not self._dropped_bytes:
            return self._block([])
        line, length = self._take()
        return self._block([line], length, consumed=length, terminated=False)

    def _hold(self, data: bytes) -> None:
        room = self._max - self._pending_bytes
        if self._dropped_bytes or len(data) > room:
            self._dropped_bytes += len(data)
            if self._pending_bytes > SALVAGE_BYTES:
                kept = b"".join(self._pending)[:SALVAGE_BYTES]
                self._dropped_bytes += self._pending_bytes - len(kept)
                self._pending, self._pending_bytes = [kept], len(kept)
            elif self._pending_bytes < SALVAGE_BYTES:
                more = data[: SALVAGE_BYTES - self._pending_bytes]
                self._pending.append(more)
                self._pending_bytes += len(more)
                self._dropped_bytes -= len(more)
        elif data:
            self._pending.append(data)
            self._pending_bytes += len(data)

    def _take(self) -> tuple[bytes, int]:
        line = b"".join(self._pending)
        length = len(line) + self._dropped_bytes
        self._pending, self._pending_bytes, self._dropped_bytes = [], 0, 0
        return line, length

    def _block(
        self, lines: list[bytes], head_length: int = 0, *, consumed: int = 0, terminated: bool = True
    ) -> LineBlock:
        # Only the first line of a piece can have been held over several pieces, but any can be over the cap.
        overlong = {}
        if lines and head_length > len(lines[0]):
            overlong[0] = head_length
        for position in range(1, len(lines)):
            if len(lines[position]) > self._max:
                overlong[position] = len(lines[position])
                lines[position] = lines[position][:SALVAGE_BYTES]
        block = LineBlock(lines, self._number, self._offset, overlong, terminated)
        self._number += len(lines)
        self._offset += consumed
        return block


def iter_line_blocks(pieces: Iterable[bytes], max_line_bytes: int = DEFAULT_MAX_LINE_BYTES) -> Iterator[LineBlock]:
    """Blocks of lines from pieces of bytes, in order, none of them empty.

    Memory is that of one piece and one line.
    """
    decoder = LineDecoder(max_line_bytes)
    for piece in pieces:
        block = decoder.feed(piece)
        if block.lines:
            yield block
    block = decoder.flush()
    if block.lines:
        yield block
