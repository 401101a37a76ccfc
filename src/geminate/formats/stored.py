"""The bytes of one object of a store, in order or from any place, all of one generation; no copy is made on disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import pyarrow as pa

from geminate.errors import InputError, PromptError
from geminate.formats.pieces import PieceReader
from geminate.ports import ObjectInfo, ObjectStore

_END_BYTES: Final = 64 * 1024
"""What is kept of an object's beginning and end, where formats say what they are."""
_BLOCK_BYTES: Final = 1024 * 1024
_KEPT_BLOCKS: Final = 80
_BLOCKS_AHEAD: Final = 2
_FETCHES_AT_ONCE: Final = 4


class StoredBytes:
    """An object as the source of prompts, pinned to the generation that was looked at.

    Args:
        store: Where it is.
        info: What was looked at.

    Attributes:
        size_bytes: Its length.
    """

    def __init__(self, store: ObjectStore, info: ObjectInfo) -> None:
        self._store = store
        self._info = info
        self.size_bytes = info.size

    def check_unchanged(self, name: str) -> None:
        """Nothing: a generation does not change, and one that is gone is told when it is read."""

    def read_head(self, size: int) -> bytes:
        """The first bytes, up to 64 KiB of them."""
        return self._head[:size]

    def iter_pieces(self) -> Iterator[bytes]:
        """All bytes in order, a few MiB at a time and a few ahead, compared with the object's checksum."""
        return self.iter_range(0, None)

    def open(self) -> pa.NativeFile:
        """All bytes in order, as a stream for Arrow."""
        return pa.PythonFile(PieceReader(self.iter_pieces()), "r")

    def open_random(self) -> RangedFile:
        """The bytes from any place."""
        return RangedFile(self)

    def iter_range(self, start: int, stop: int | None) -> Iterator[bytes]:
        """The bytes between two places.

        Raises:
            PromptError: The generation is gone.
        """
        try:
            yield from self._store.read(self._info, start, stop)
        except InputError as error:
            what = "changed, or was removed, since it was first looked at"
            raise PromptError(what, where=self._info.uri, remedy="run again with the object as it is now") from error

    @cached_property
    def tail(self) -> bytes:
        """The last 64 KiB, or all of a smaller object."""
        return b"".join(self.iter_range(max(0, self.size_bytes - _END_BYTES), self.size_bytes))

    @cached_property
    def _head(self) -> bytes:
        return b"".join(self.iter_range(0, min(_END_BYTES, self.size_bytes)))


class RangedFile:
    """An object as a file that can be read from any place, enough of one for Arrow.

    It is fetched in blocks of 1 MiB, and where one follows another, two more ahead as long as half of the room is free.
    Memory is that of 80 blocks. Blocks that are still to be read never make room for others: where there is none, just
    what is asked for is fetched until the next ``begin_part``, so that reading parts in order fetches each byte once.

    Args:
        stored: The object.
    """

    def __init__(self, stored: StoredBytes) -> None:
        self._stored = stored
        self._at = 0
        # Those that may go first stand first.
        self._blocks: OrderedDict[int, _Block] = OrderedDict()
        self._number_of_part = 0
        self._begun: set[int] = set()  # The blocks of this part; what another column has read is not read ahead again.
        self._is_full = False
        self._threads = ThreadPoolExecutor(_FETCHES_AT_ONCE, "geminate-ranges")
        self.closed = False

    def begin_part(self) -> None:
        """Nothing; what was fetched for the part before may make room."""
        self._number_of_part += 1
        self._begun.clear()
        self._is_full = False

    def read(self, size: int = -1) -> bytes:
        """Some bytes, fewer at the end."""
        whole = self._stored.size_bytes
        stop = whole if size < 0 else min(self._at + size, whole)
        parts = []
        while self._at < stop:
            part = self._part(stop)
            parts.append(part)
            self._at += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def seek(self, place: int, whence: int = 0) -> int:
        """The new place."""
        self._at = place + (0, self._at, self._stored.size_bytes)[whence]
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def close(self) -> None:
        """Nothing; no block is held any more."""
        self.closed = True
        self._threads.shutdown(cancel_futures=True)
        self._blocks.clear()

    @property
    def _end(self) -> int:
        """Where the bytes end that are fetched in blocks, and the tail begins."""
        return self._stored.size_bytes - len(self._stored.tail)

    def _part(self, stop: int) -> bytes:
        """The bytes from here on that are at hand together, up to a place."""
        end = self._end
        if self._at >= end:
            return self._stored.tail[self._at - end : stop - end]
        number, skipped = divmod(self._at, _BLOCK_BYTES)
        block = self._block(number)
        if block is None:
            return self._fetch(self._at, self._gap_end(number, min(stop, end)))
        part = block.fetched.result()[skipped : skipped + stop - self._at]
        block.unread -= len(part)
        self._blocks.move_to_end(number, last=block.unread > 0)
        return part

    def _block(self, number: int) -> _Block | None:
        """The block, None where there is no room for it."""
        follows = number - 1 in self._blocks
        if number not in self._blocks and not self._add(number):
            return None
        block = self._blocks[number]
        block.number_of_part = self._number_of_part
        self._blocks.move_to_end(number)
        last = (self._end - 1) // _BLOCK_BYTES
        for each in range(number + 1, min(number + _BLOCKS_AHEAD, last) + 1):
            if follows and not self._is_begun(each) and self._waiting() < _KEPT_BLOCKS // 2:
                self._add(each)
        return block

    def _add(self, number: int) -> bool:
        """Whether there was room to begin to fetch a block."""
        if len(self._blocks) >= _KEPT_BLOCKS:
            oldest = next(iter(self._blocks))
            self._is_full |= self._is_waiting(self._blocks[oldest])
            if not self._is_full:
                del self._blocks[oldest]
        if self._is_full:
            return False
        self._begun.add(number)
        start = number * _BLOCK_BYTES
        stop = min(start + _BLOCK_BYTES, self._end)
        fetched = self._threads.submit(self._fetch, start, stop)
        self._blocks[number] = _Block(fetched, stop - start, self._number_of_part)
        return True

    def _is_begun(self, number: int) -> bool:
        return number in self._begun or number in self._blocks

    def _is_waiting(self, block: _Block) -> bool:
        return block.unread > 0 and block.number_of_part == self._number_of_part

    def _waiting(self) -> int:
        return sum(map(self._is_waiting, self._blocks.values()))

    def _gap_end(self, number: int, stop: int) -> int:
        """Where what is not at hand ends."""
        after = number + 1
        while after * _BLOCK_BYTES < stop and after not in self._blocks:
            after += 1
        return min(stop, after * _BLOCK_BYTES)

    def _fetch(self, start: int, stop: int) -> bytes:
        return b"".join(self._stored.iter_range(start, stop))


@dataclass(slots=True)
class _Block:
    fetched: Future[bytes]
    unread: int
    number_of_part: int
