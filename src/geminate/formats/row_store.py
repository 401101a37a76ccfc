"""Rows put by in a temporary file, to be taken again by their number, in any order and any number of times."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from geminate.errors import room_left


class RowStore:
    """Rows of one schema, numbered from 0 as they come; use it in a ``with`` block, which removes the file.

    The file has no name, so that it is gone even if the process is killed. It is mapped, not read, so that memory is
    that of the rows taken at a time.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._ends = [0]  # In bytes, of each record batch.
        self._starts = [0]  # In rows.
        self._mapped: list[pa.RecordBatch] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._mapped.clear()
        if self._file is not None:
            self._file.close()

    def append(self, rows: pa.RecordBatch) -> None:
        """Nothing; the rows have the next numbers.

        Raises:
            TransientError: The temporary folder is full.
        """
        if not rows.num_rows:
            return
        with room_left(tempfile.gettempdir(), "set TMPDIR to a larger folder"):
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="geminate-")  # noqa: SIM115 - `__exit__` closes it.
            self._file.seek(self._ends[-1])
            with pa.ipc.new_stream(self._file, rows.schema) as stream:
                stream.write_batch(rows)
            self._ends.append(self._file.tell())
            self._file.flush()
        self._starts.append(self._starts[-1] + rows.num_rows)

    def take(self, numbers: npt.NDArray[np.int64]) -> pa.RecordBatch:
        """The rows of these numbers, in their order; there is at least one."""
        self._map()
        homes = np.searchsorted(self._starts, numbers, side="right") - 1
        parts, places = [], []
        for home in np.unique(homes).tolist():
            at = np.flatnonzero(homes == home)
            parts.append(self._mapped[home].take(pa.array(numbers[at] - self._starts[home])))
            places.append(at)
        order = np.argsort(np.concatenate(places), kind="stable")
        return _concat(parts).take(pa.array(order))

    def _map(self) -> None:
        """Maps what was appended since the last time."""
        if self._file is None or len(self._mapped) == len(self._ends) - 1:
            return
        mapped = pa.py_buffer(mmap.mmap(self._file.fileno(), self._ends[-1], access=mmap.ACCESS_READ))
        for number in range(len(self._mapped), len(self._ends) - 1):
            start, end = self._ends[number : number + 2]
            with pa.ipc.open_stream(mapped.slice(start, end - start)) as stream:
                self._mapped.append(stream.read_next_batch())


def _concat(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)
