"""The prompts of a join, put by until their predictions are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.errors import PromptError
from geminate.stages.correlate import PromptIndex
from geminate.stages.match import Hashes, MatchIndex, hash_keys, split_fingerprints
from geminate.stages.spooling import Spool


@dataclass(frozen=True, slots=True)
class PromptRange:
    """Consecutive prompts.

    Attributes:
        first: The first one's row, from 0.
        columns: Their own columns.
        keys: Their keys; null where they have none or were rejected.
        rejects: Why they were never sent; null for those that were.
    """

    first: int
    columns: list[pa.Array]
    keys: pa.StringArray
    rejects: pa.StringArray

    def slice(self, start: int, length: int | None = None) -> PromptRange:
        """A part of the range."""
        parts = [array.slice(start, length) for array in (*self.columns, self.keys, self.rejects)]
        return PromptRange(self.first + start, parts[:-2], parts[-2], parts[-1])


@dataclass(frozen=True, slots=True)
class Reread:
    """Prompts whose columns can be read once more for less than it costs to put them by.

    Attributes:
        nbytes: About how much memory they all take.
        iter_record_batches: Reads them, in the same order.
    """

    nbytes: int
    iter_record_batches: Callable[[], Iterator[pa.RecordBatch]]


class PromptStore:
    """The prompts, of which only what they are found by stays in memory; their columns go to a spool.

    Args:
        schema: The schema of the prompts' own columns.
        spool: Where the columns go.
        slot: The slot of the spool that is theirs.
        reread: Where the columns come from instead; only keys go to the spool then.
    """

    def __init__(self, schema: pa.Schema, spool: Spool, slot: int, reread: Reread | None = None) -> None:
        self.count = 0
        self.nbytes = reread.nbytes if reread else 0
        self._reread = reread
        own = [] if reread else [field.with_name(f"column {at}") for at, field in enumerate(schema)]
        self._schema = pa.schema([*own, pa.field("key", pa.string()), pa.field("reject", pa.string())])
        self._spool = spool
        self._slot = slot
        self._hashes: list[Hashes] = []
        self._halves: dict[int, tuple[Hashes, Hashes]] = {}  # By their place in `_hashes`.

    def add(
        self,
        batch: pa.RecordBatch,
        keys: pa.StringArray | None = None,
        fingerprints: pa.FixedSizeBinaryArray | None = None,
        rejects: pa.StringArray | None = None,
    ) -> None:
        """Nothing; the store has these prompts too.

        Raises:
            PromptError: A prompt has neither a key nor a fingerprint, and was not rejected.
        """
        rows = batch.num_rows
        rejects = pa.nulls(rows, pa.string()) if rejects is None else rejects
        sent = pc.is_null(rejects)
        keys = pa.nulls(rows, pa.string()) if keys is None else pc.if_else(sent, keys, None)
        self._hashes.append(hash_keys(keys))
        has_key = self._hashes[-1] != 0
        if fingerprints is not None:
            halves = split_fingerprints(pc.if_else(sent, fingerprints, None))
            self._halves[len(self._hashes) - 1] = halves
            has_key |= halves[0] != 0
        lost = sent.to_numpy(zero_copy_only=False) & ~has_key
        if lost.any():
            row = self.count + int(lost.argmax()) + 1
            raise PromptError("it has no key", where=f"prompt {row}", remedy="give every prompt a key")
        own = [] if self._reread else batch.columns
        kept = pa.RecordBatch.from_arrays([*own, keys, rejects], schema=self._schema)
        self._spool.append(self._slot, kept)
        self.count += rows
        self.nbytes += kept.nbytes

    def index(self) -> PromptIndex:
        """The index over all prompts; call it once, after the last of them.

        Raises:
            PromptError: Two prompts have one key.
        """
        firsts, seconds = self._join_halves(0), self._join_halves(1)
        hashes = np.concatenate([np.empty(0, np.uint64), *self._hashes])
        self._hashes, self._halves = [], {}
        keys = MatchIndex(hashes)
        return PromptIndex(keys, self._exact_rows(keys), firsts, seconds)

    def _join_halves(self, which: int) -> Hashes:
        """One half of every prompt's fingerprint; nothing if no prompt has one, which saves its memory."""
        if not self._halves:
            return np.empty(0, np.uint64)
        given = enumerate(self._hashes)
        return np.concatenate(
            [self._halves[at][which] if at in self._halves else np.zeros_like(hashes) for at, hashes in given]
        )

    def iter_ranges(self, range_rows: int) -> Iterator[PromptRange]:
        """The prompts in input order, ``range_rows`` at a time; memory is that of one range."""
        first = 0
        kept = _iter_ranges(self._spool.read(self._slot), range_rows)
        again = _iter_ranges(self._reread.iter_record_batches(), range_rows) if self._reread else None
        for batch in kept:
            *columns, keys, rejects = batch.columns
            yield PromptRange(first, next(again).columns if again else columns, keys, rejects)
            first += batch.num_rows

    def _exact_rows(self, index: MatchIndex) -> dict[str, int]:
        """The rows by key where several keys have one hash, which only the keys themselves can tell apart."""
        groups = index.shared_groups()
        exact: dict[str, int] = {}
        if not groups:
            return exact
        wanted: npt.NDArray[np.int64] = np.sort(np.concatenate(groups))
        first = 0
        for batch in self._spool.read(self._slot):
            here = wanted[(wanted >= first) & (wanted < first + batch.num_rows)]
            keys = batch.column("key").take(pa.array(here - first)).to_pylist()
            for row, key in zip(here.tolist(), keys, strict=True):
                if exact.setdefault(key, row) != row:
                    raise PromptError(
                        f"prompts {exact[key] + 1} and {row + 1} have the same key {key!r}",
                        remedy="give every prompt a key of its own, or join by request",
                    )
            first += batch.num_rows
        return exact


def _iter_ranges(batches: Iterable[pa.RecordBatch], range_rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows, so many at a time, and the rest."""
    pending: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        pending.append(batch)
        held += batch.num_rows
        while held >= range_rows:
            whole = pa.concat_batches(pending)
            yield whole.slice(0, range_rows)
            pending, held = [whole.slice(range_rows)], held - range_rows
    if held:
        yield pa.concat_batches(pending)
