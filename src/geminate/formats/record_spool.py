"""Record batches put by in memory, and past a budget in one temporary file."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

import pyarrow as pa

from geminate.errors import room_left

DEFAULT_MEMORY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where one record batch stands in the file."""

    start: int
    nbytes: int


class RecordSpool:
    """Numbered slots of record batches; use it in a ``with`` block, which removes the file.

    The file has no name, so that it is gone even if the process is killed.

    Args:
        memory_bytes: How much stays in memory; what comes later goes to the file.
    """

    def __init__(self, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> None:
        self._room = memory_bytes
        self._slots: dict[int, list[pa.RecordBatch | _Extent]] = defaultdict(list)
        self._file: IO[bytes] | None = None
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nothing; memory and disk are free again."""
        self._slots.clear()
        if self._file is not None:
            self._file.close()

    def append(self, slot: int, batch: pa.RecordBatch) -> None:
        """Nothing; the slot has one more record batch.

        Raises:
            TransientError: The temporary folder is full.
        """
        if batch.nbytes <= self._room:
            self._room -= batch.nbytes
            self._slots[slot].append(batch)
        else:
            self._slots[slot].append(self._write(batch))

    def read(self, slot: int) -> Iterator[pa.RecordBatch]:
        """The slot's record batches in the order in which they came; memory is that of one."""
        for kept in self._slots.get(slot, ()):
            yield self._read(kept) if isinstance(kept, _Extent) else kept

    def nbytes(self, slot: int) -> int:
        """About how much memory the slot takes when it is read whole."""
        return sum(kept.nbytes for kept in self._slots.get(slot, ()))

    def drop(self, slot: int) -> None:
        """Nothing; the slot is empty again. Its room in the file is not used again."""
        for kept in self._slots.pop(slot, ()):
            if not isinstance(kept, _Extent):
                self._room += kept.nbytes

    def _write(self, batch: pa.RecordBatch) -> _Extent:
        with room_left(tempfile.gettempdir(), "set TMPDIR to a larger folder"):
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="geminate-")  # noqa: SIM115 - `close` ends it.
            start = self._file.seek(self._end)
            # A stream carries dictionaries too, which a bare message does not.
            with pa.ipc.new_stream(self._file, batch.schema) as stream:
                stream.write_batch(batch)
            self._end = self._file.tell()
        return _Extent(start, self._end - start)

    def _read(self, extent: _Extent) -> pa.RecordBatch:
        assert self._file is not None  # noqa: S101 - Extents come from `_write` alone.
        self._file.seek(extent.start)
        with pa.ipc.open_stream(self._file.read(extent.nbytes)) as stream:
            return stream.read_next_batch()
