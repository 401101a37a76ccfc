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
        lines = np.flatnonzero(line_bytes)
        ends = np.cumsum(line_bytes[lines], dtype=np.int64)
        start = done = 0
        while start < len(line_bytes):
            fitting = self._count_fitting(ends, done)
            stop = int(lines[done + fitting]) if done + fitting < len(lines) else len(line_bytes)
            if stop > start:
                yield Slice(self._shard, start, stop)
            self._rows += fitting
            self._bytes += int(ends[done + fitting - 1] - (ends[done - 1] if done else 0)) if fitting else 0
            if stop < len(line_bytes):
                self._shard, self._rows, self._bytes = self._shard + 1, 0, 0
            start, done = stop, done + fitting

    def _count_fitting(self, ends: Any, done: int) -> int:
        """How many of the lines from ``done`` on fit into the open shard; one always fits into an empty shard."""
        before = ends[done - 1] if done else 0
        room = before + self._limits.max_shard_bytes - self._bytes
        by_bytes = int(np.searchsorted(ends, room, side="right")) - done
        fitting = min(max(by_bytes, 0), self._limits.max_rows - self._rows, len(ends) - done)
        return 1 if fitting == 0 and self._rows == 0 and done < len(ends) else fitting
