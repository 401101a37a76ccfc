"""What the join needs to put record batches by; ``geminate.formats.spool`` has one over memory and a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa


class Spool(Protocol):
    """Record batches put by for later, in numbered slots."""

    def append(self, slot: int, batch: pa.RecordBatch) -> None:
        """Nothing; the slot has one more record batch."""
        ...

    def read(self, slot: int) -> Iterator[pa.RecordBatch]:
        """The slot's record batches in the order in which they came; none for a slot never written."""
        ...

    def nbytes(self, slot: int) -> int:
        """About how much memory the slot takes when it is read whole."""
        ...

    def drop(self, slot: int) -> None:
        """Nothing; the slot is empty again."""
        ...
