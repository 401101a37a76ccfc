"""The bytes of one object of a store, in order or from any place, all of one generation; no copy is made on disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Final

import pyarrow as pa

from geminate.errors import InputError, PromptError
from geminate.formats.pieces import PieceReader
from geminate.ports import ObjectInfo, ObjectStore

_END_BYTES: Final = 64 * 1024
"""What is kept of an object's beginning and end, where formats say what they are."""
_BLOCK_BYTES: Final = 2 * 1024 * 1024
_KEPT_BLOCKS: Final = 24
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

    It is fetched in blocks of 2 MiB, and where one follows another, two more ahead. Memory is that of 24 blocks.

    Args:
        stored: The object.
    """

    def __init__(self, stored: StoredBytes) -> None:
        self._stored = stored
        self._at = 0
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._threads = ThreadPoolExecutor(_FETCHES_AT_ONCE, "geminate-ranges")
        self.closed = False

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

    def _part(self, stop: int) -> bytes:
        """The bytes from here on that are at hand together, up to a place."""
        tail_start = self._stored.size_bytes - len(self._stored.tail)
        if self._at >= tail_start:
            return self._stored.tail[self._at - tail_start : stop - tail_start]
        number, skipped = divmod(self._at, _BLOCK_BYTES)
        return self._block(number)[skipped : skipped + stop - self._at]

    def _block(self, number: int) -> bytes:
        ahead = _BLOCKS_AHEAD if number - 1 in self._blocks else 0
        last = (self._stored.size_bytes - 1) // _BLOCK_BYTES
        for each in range(number, min(number + ahead, last) + 1):
            if each not in self._blocks:
                self._blocks[each] = self._threads.submit(self._fetch, each)
        self._blocks.move_to_end(number)
        block = self._blocks[number]
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return block.result()

    def _fetch(self, number: int) -> bytes:
        start = number * _BLOCK_BYTES
        return b"".join(self._stored.iter_range(start, min(start + _BLOCK_BYTES, self._stored.size_bytes)))
