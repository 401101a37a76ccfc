"""Bytes to lines, as the service ends them: at the newline byte and nowhere else.

U+2028, U+0085 and a raw carriage return are legal inside or between JSON values, so neither ``str.splitlines`` nor
``bytes.splitlines`` will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

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

    def offsets(self) -> list[int]:
        """The byte offset in the file of each line of this block, and of what follows the block."""
        lengths = (self.overlong.get(at, len(line)) + 1 for at, line in enumerate(self.lines))
        return list(accumulate(lengths, initial=self.first_offset))


class LineDecoder:
    """Cuts a byte stream into lines; feed it pieces of any size, then flush.

    Holds at most one line, and of a line over ``max_line_bytes`` only its beginning.

    Args:
        max_line_bytes: The longest line that is kept whole.
    """

    def __init__(self, max_line_bytes: int = DEFAULT_MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._pending: list[bytes] = []
        self._length = 0  # Of the pending line, with what was not kept.
        self._number = 1
        self._offset = 0

    def feed(self, data: bytes) -> LineBlock:
        """The lines that this piece completes; a block of none where it completes none."""
        lines = data.split(b"\n")
        rest = lines.pop()
        if not lines:
            self._hold(rest)
            return self._block([])
        after_head = len(data) - len(lines[0]) - len(rest)
        self._hold(lines[0])
        lines[0], head_length = self._take()
        block = self._block(lines, head_length, consumed=head_length + after_head)
        self._hold(rest)
        return block

    def flush(self) -> LineBlock:
        """The last line where the stream did not end with a newline; a block of none where it did."""
        if not self._length:
            return self._block([])
        line, length = self._take()
        return self._block([line], length, consumed=length, terminated=False)

    def _hold(self, data: bytes) -> None:
        self._length += len(data)
        if self._length <= self._max:
            self._pending.append(data)
            return
        # Of a line over the cap the beginning stays, however the pieces fell.
        kept = b"".join(self._pending)[:SALVAGE_BYTES]
        self._pending = [kept + data[: SALVAGE_BYTES - len(kept)]]

    def _take(self) -> tuple[bytes, int]:
        line, length = b"".join(self._pending), self._length
        self._pending, self._length = [], 0
        return line, length

    def _block(
        self, lines: list[bytes], head_length: int = 0, *, consumed: int = 0, terminated: bool = True
    ) -> LineBlock:
        # Only the first line of a piece can have been held over several pieces, but any can be over the cap.
        overlong = {0: head_length} if head_length > self._max else {}
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
