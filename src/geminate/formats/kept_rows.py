"""Rows that were typed while their types were still being found, kept so that they need not be decoded again."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from geminate.formats.record_batches import Numbered
from geminate.formats.record_spool import RecordSpool
from geminate.formats.schemas import conform

_MEMORY_BYTES = 64 << 20
_SLOT = 0


class KeptRows:
    """One source's rows, in memory up to 64 MiB and in a temporary file beyond.

    Args:
        may_spool: Whether there may be such a file; without, more rows than fit into memory are not kept at all.
    """

    def __init__(self, *, may_spool: bool = True) -> None:
        self._spool = RecordSpool(_MEMORY_BYTES)
        self._may_spool = may_spool
        self._room = _MEMORY_BYTES
        self._numbers: list[Sequence[int] | np.ndarray] = []
        self._schemas: list[pa.Schema] = []
        weakref.finalize(self, self._spool.close)

    def add(self, part: Numbered) -> None:
        """Nothing; the rows come after those that are kept.

        Raises:
            TransientError: The temporary folder is full.
        """
        self._room -= part.record_batch.nbytes
        if self._is_given_up:
            self._spool.close()
            return
        if not self._schemas or self._schemas[-1] != part.record_batch.schema:
            self._schemas.append(part.record_batch.schema)
        self._numbers.append(part.numbers)
        self._spool.append(_SLOT, part.record_batch)

    def settle(self, schema: pa.Schema) -> bool:
        """Whether the rows are what they would be, had these types been known from the start; if not, they are gone."""
        types = {field.name: field.type for field in schema}
        holds = not self._is_given_up and all(
            _holds(types[field.name], field.type) for known in self._schemas for field in known
        )
        if not holds:
            self._spool.close()
        return holds

    @property
    def _is_given_up(self) -> bool:
        return self._room < 0 and not self._may_spool

    def iter_parts(self, schema: pa.Schema) -> Iterator[Numbered]:
        """The rows in these types, for which they have been settled."""
        for record_batch, numbers in zip(self._spool.read(_SLOT), self._numbers, strict=True):
            yield Numbered(conform(record_batch, schema), numbers)


def _holds(later: pa.DataType, earlier: pa.DataType) -> bool:
    # Integers that were too large for a float would have made the column text.
    is_widened = pa.types.is_null(earlier) or (pa.types.is_float64(later) and pa.types.is_int64(earlier))
    return bool(later.equals(earlier) or is_widened)
