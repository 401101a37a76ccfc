"""Record batches whose rows know their number in the file, and their size in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

STEP_ROWS = 1024
"""How many rows readers take at once, before their size is known; small ones are put together again."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """Rows and what their reader calls them.

    Attributes:
        record_batch: The rows.
        numbers: Each row's number in its file, as its reader counts: lines for JSON lines, else rows from 1.
    """

    record_batch: pa.RecordBatch
    numbers: Sequence[int] | np.ndarray

    def slice(self, start: int, stop: int) -> Numbered:
        """The rows from ``start`` up to ``stop``, without a copy."""
        return Numbered(self.record_batch.slice(start, stop - start), self.numbers[start:stop])

    def filter(self, mask: np.ndarray) -> Numbered:
        """The rows whose mask is true."""
        if mask.all():
            return self
        return Numbered(self.record_batch.filter(pa.array(mask)), np.asarray(self.numbers)[mask])


def iter_numbered(record_batches: Iterable[pa.RecordBatch]) -> Iterator[Numbered]:
    """The same rows, numbered from 1, in small steps."""
    number = 1
    for record_batch in record_batches:
        for start in range(0, record_batch.num_rows, STEP_ROWS):
            step = record_batch.slice(start, STEP_ROWS)
            yield Numbered(step, range(number, number + step.num_rows))
            number += step.num_rows


def iter_packed(parts: Iterable[Numbered], max_rows: int, max_bytes: int) -> Iterator[Numbered]:
    """The same rows in record batches as large as the bounds allow, none of them empty.

    A row larger than ``max_bytes`` has a record batch of its own. Memory is twice the bound and one part.
    """
    pending: list[Numbered] = []
    rows = size = 0
    for part in parts:
        for piece in _iter_bounded(part, max_rows, max_bytes):
            piece_size = piece.record_batch.nbytes
            if pending and (rows + piece.record_batch.num_rows > max_rows or size + piece_size > max_bytes):
                yield _joined(pending)
                pending, rows, size = [], 0, 0
            pending.append(piece)
            rows += piece.record_batch.num_rows
            size += piece_size
    if pending:
        yield _joined(pending)


def _iter_bounded(part: Numbered, max_rows: int, max_bytes: int) -> Iterator[Numbered]:
    rows = part.record_batch.num_rows
    if rows > max_rows:
        for start in range(0, rows, max_rows):
            yield from _iter_bounded(part.slice(start, min(start + max_rows, rows)), max_rows, max_bytes)
    elif rows > 1 and part.record_batch.nbytes > max_bytes:
        yield from _iter_bounded(part, rows // 2, max_bytes)
    elif rows:
        yield part


def _joined(parts: list[Numbered]) -> Numbered:
    if len(parts) == 1:
        return parts[0]
    (record_batch,) = pa.Table.from_batches([part.record_batch for part in parts]).combine_chunks().to_batches()
    spans = [part.numbers for part in parts]
    first, last = spans[0][0], spans[-1][-1]
    if last - first + 1 == record_batch.num_rows:  # Numbers only grow, so as many as their span has no gap.
        return Numbered(record_batch, range(int(first), int(last) + 1))
    return Numbered(record_batch, np.concatenate([np.asarray(span) for span in spans]))
