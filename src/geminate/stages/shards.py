"""Request lines into shards: which lines stand together in one job's input, whatever the record batches were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class ShardLimits:
    """How large a shard may become.

    Attributes:
        max_rows: Request lines.
        max_shard_bytes: Bytes of those lines. A single longer line makes a shard of its own.
    """

    max_rows: int
    max_shard_bytes: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive rows of one record batch that belong to one shard."""

    shard: int
    start: int
    stop: int


def shard_name(number: int) -> str:
    """The shard's name, which its files carry."""
    return f"{number:05d}"


class ShardCutter:
    """Assigns rows to shards in input order; the cut depends on the lines alone."""

    def __init__(self, limits: ShardLimits) -> None:
        self._limits = limits
        self._shard = 0
        self._rows = 0
        self._bytes = 0

    def iter_slices(self, line_bytes: Any) -> Iterator[Slice]:
        """The slices of a record batch whose lines have these lengths, 0 for a rejected row, as a numpy array.

        A rejected row goes where the line before it went and counts for nothing.
        """
        rows = np.concatenate([[0], np.cumsum(line_bytes > 0)])
        sizes = np.concatenate([[0], np.cumsum(line_bytes, dtype=np.int64)])
        start = 0
        while start < len(line_bytes):
            by_rows = np.searchsorted(rows, rows[start] + self._limits.max_rows - self._rows, side="right") - 1
            by_bytes = (
                np.searchsorted(sizes, sizes[start] + self._limits.max_shard_bytes - self._bytes, side="right") - 1
            )
            stop = max(min(int(by_rows), int(by_bytes), len(line_bytes)), start)
            if stop == start and self._rows == 0:
                stop = start + 1
            if stop > start:
                yield Slice(self._shard, start, stop)
                self._rows += int(rows[stop] - rows[start])
                self._bytes += int(sizes[stop] - sizes[start])
            if stop < len(line_bytes):
                self._shard, self._rows, self._bytes = self._shard + 1, 0, 0
            start = stop
