"""Predictions joined to their prompts, in the order of the prompts, in bounded memory.

Predictions come in any order, and more of them than memory holds. Of each prompt 12 bytes stay in memory, 40 where it
has a fingerprint: enough to tell to which row a prediction belongs. By that row the decoded predictions are dealt out
to ranges of prompts, in a spool; then each range is joined by itself, in input order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.stages.correlate import Found, PromptIndex
from geminate.stages.match import NO_ROW
from geminate.stages.predictions import DecodedBlock
from geminate.stages.prompt_store import PromptRange, PromptStore, Reread
from geminate.stages.reading import ReadOptions
from geminate.stages.report import JoinReport
from geminate.stages.rows import Origin, assemble_rows, choose, fill_unanswered, find_repeats, joined_schema
from geminate.stages.spooling import Spool
from geminate.stages.strays import Stray, iter_unreadable, stray_at
from geminate.wire.outcomes import Outcome
from geminate.wire.tables import DEFAULT_PREFIX, TOKEN_COLUMNS

_PROMPTS_SLOT = 0  # Ranges have the slots from 1; halves of ranges those below 0.
_DROPPED = frozenset({"fingerprint", "siblings"})
_MAX_RANGE_FACTOR = 4
_UNKNOWN_KEY = ("unknown_key", "no prompt has this key")


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """How to join.

    Attributes:
        reading: What is read from the prediction lines.
        prefix: What the added columns begin with.
        cross_check: Whether a prediction's request must be that of the prompt with its key, where both are known.
        pending_bytes: How much is decoded before it goes to the spool.
        range_bytes: About how much a range of prompts and their predictions may take in memory.
        max_range_rows: The most prompts in a range, and so the most rows in a joined record batch.
    """

    reading: ReadOptions = field(default_factory=ReadOptions)
    prefix: str = DEFAULT_PREFIX
    cross_check: bool = True
    pending_bytes: int = 32 << 20
    range_bytes: int = 32 << 20
    max_range_rows: int = 65_536


class Joiner:
    """Joins in three steps: all prompts in, all predictions in, all rows out.

    Args:
        prompts_schema: The schema of the prompts' own columns.
        options: How to join.
        spool: Where what does not fit in memory goes; the caller closes it.
        on_stray: Called with each line that is unreadable, of no prompt, or under suspicion, as soon as it is found.
        reread: Where the prompts' columns come from; without it, from ``add_prompts``.

    Attributes:
        schema: The schema of the joined rows.
        report: The counts; complete after the last row.

    Raises:
        UsageError: A column of the prompts has the name of one that is to be added.
    """

    def __init__(
        self,
        prompts_schema: pa.Schema,
        options: JoinOptions,
        spool: Spool,
        on_stray: Callable[[Stray], None],
        reread: Reread | None = None,
    ) -> None:
        self.schema = joined_schema(prompts_schema, options.reading, options.prefix)
        self.report = JoinReport()
        self._options = options
        self._spool = spool
        self._on_stray = on_stray
        self._prompts = PromptStore(prompts_schema, spool, _PROMPTS_SLOT, reread)
        self._index: PromptIndex | None = None
        self._origins: dict[Origin, int] = {}
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0
        self._range_rows = 0
        self._extra_slots = 0

    def add_prompts(
        self,
        batch: pa.RecordBatch,
        keys: pa.StringArray | None = None,
        fingerprints: pa.FixedSizeBinaryArray | None = None,
        rejects: pa.StringArray | None = None,
    ) -> None:
        """Nothing; these prompts come after those before.

        Args:
            batch: The prompts' own columns; of those that are reread, any.
            keys: Their keys as text, as their owner wrote them.
            fingerprints: Of their requests; needed to join by request and to cross-check.
            rejects: Why a prompt was never sent; null for those that were.

        Raises:
            PromptError: A prompt has neither a key nor a fingerprint, and was not rejected.
        """
        self._prompts.add(batch, keys, fingerprints, rejects)

    def add_predictions(
        self, decoded: DecodedBlock, attempt: int = 1, job: str | None = None, *, resumes: bool = False
    ) -> None:
        """Nothing; the predictions have found their prompts, or have been handed on as strays.

        Blocks have to come in the order of their lines, and attempts in the order in which they were made.

        Args:
            decoded: The predictions.
            attempt: The attempt that they are of.
            job: Its job.
            resumes: Whether that went on from a former job's output; what it repeats of it is counted apart.

        Raises:
            PromptError: With the first block: two prompts have one key.
        """
        if self._index is None:
            self._index = self._prompts.index()
        predictions = decoded.predictions
        self.report.lines += predictions.num_rows + len(decoded.unreadable)
        self.report.unreadable += len(decoded.unreadable)
        for stray in iter_unreadable(decoded):
            self._on_stray(stray)
        found = self._index.find(predictions, cross_check=self._options.cross_check)
        self._report_strays(decoded, found)
        origin = self._origins.setdefault(Origin(decoded.source, attempt, job, resumes), len(self._origins))
        names = [name for name in predictions.schema.names if name not in _DROPPED]
        columns = [*map(predictions.column, names), pa.array(found.rows)]
        columns.append(pa.repeat(pa.scalar(origin, pa.int32()), len(found.rows)))
        batch = pa.RecordBatch.from_arrays(columns, names=[*names, "row", "origin"])
        self._pending.append(batch)
        self._pending_bytes += batch.nbytes
        if self._pending_bytes >= self._options.pending_bytes:
            self._deal_out()

    def iter_rows(self) -> Iterator[pa.RecordBatch]:
        """The joined rows in input order; afterwards the report is complete."""
        if self._index is None:
            self._index = self._prompts.index()
        self._index = None
        self._deal_out()
        self.report.prompts = self._prompts.count
        for at, prompts in enumerate(self._prompts.iter_ranges(self._range_rows)):
            yield from self._join_range(prompts, at + 1)

    def _report_strays(self, decoded: DecodedBlock, found: Found) -> None:
        orphans = np.flatnonzero(found.rows == NO_ROW)
        self.report.orphans += len(orphans)
        self.report.suspects += len(found.suspects)
        for at in orphans.tolist():
            self._on_stray(stray_at(decoded, at, "orphan", *_orphan_reason(decoded.predictions, at)))
        for at, other in found.suspects.items():
            whose = "no prompt" if other == NO_ROW else f"prompt {other + 1}"
            message = f"its key is that of prompt {found.rows[at] + 1}, its request that of {whose}"
            self._on_stray(stray_at(decoded, at, "suspect", "key_and_request_disagree", message))

    def _deal_out(self) -> None:
        """Moves what is pending to the spool, to the slots of its ranges."""
        if not self._range_rows:
            self._range_rows = self._choose_range_rows()
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        if not pending:
            return
        batch = pa.concat_batches(pending)
        rows = batch.column("row").to_numpy()
        for at, part in _split(batch, np.where(rows == NO_ROW, NO_ROW, rows // self._range_rows)):
            if at != NO_ROW:
                self._spool.append(_PROMPTS_SLOT + 1 + at, part)

    def _choose_range_rows(self) -> int:
        prompts = self._prompts
        rows = sum(batch.num_rows for batch in self._pending)
        row_bytes = prompts.nbytes / max(prompts.count, 1) + self._pending_bytes / max(rows, 1)
        fitting = int(self._options.range_bytes / max(row_bytes, 1))
        return max(1, min(fitting, self._options.max_range_rows))

    def _join_range(self, prompts: PromptRange, slot: int) -> Iterator[pa.RecordBatch]:
        if self._spool.nbytes(slot) > _MAX_RANGE_FACTOR * self._options.range_bytes and len(prompts.keys) > 1:
            yield from self._join_halves(prompts, slot)
            return
        batches = list(self._spool.read(slot))
        self._spool.drop(slot)
        predictions = pa.concat_batches(batches) if batches else self._no_predictions()
        yield self._join(prompts, self._without_strangers(predictions, prompts))

    def _join_halves(self, prompts: PromptRange, slot: int) -> Iterator[pa.RecordBatch]:
        """The same for a range whose predictions are far larger than those before let expect."""
        half = len(prompts.keys) // 2
        slots = [self._new_slot(), self._new_slot()]
        for batch in self._spool.read(slot):
            for at, part in _split(batch, batch.column("row").to_numpy() >= prompts.first + half):
                self._spool.append(slots[at], part)
        self._spool.drop(slot)
        yield from self._join_range(prompts.slice(0, half), slots[0])
        yield from self._join_range(prompts.slice(half), slots[1])

    def _new_slot(self) -> int:
        self._extra_slots += 1
        return _PROMPTS_SLOT - self._extra_slots

    def _no_predictions(self) -> pa.RecordBatch:
        fields = [field for field in self._options.reading.schema if field.name not in _DROPPED]
        places = [pa.field("row", pa.int64()), pa.field("origin", pa.int32())]
        return pa.RecordBatch.from_pylist([], schema=pa.schema([*fields, *places]))

    def _without_strangers(self, predictions: pa.RecordBatch, prompts: PromptRange) -> pa.RecordBatch:
        """The predictions without those whose key only has the hash of their prompt's key."""
        own = prompts.keys.take(pc.subtract(predictions.column("row"), prompts.first))
        strangers = pc.fill_null(pc.not_equal(predictions.column("key"), own), False)
        if not pc.any(strangers).as_py():
            return predictions
        origins = list(self._origins)
        for row in predictions.filter(strangers).select(["key", "line", "offset", "origin"]).to_pylist():
            self.report.orphans += 1
            place = (origins[row["origin"]].file, row["line"], row["offset"])
            self._on_stray(Stray("orphan", *place, *_UNKNOWN_KEY, row["key"]))
        return predictions.filter(pc.invert(strangers))

    def _without_repeats(self, predictions: pa.RecordBatch, origins: list[Origin]) -> pa.RecordBatch:
        """The predictions without those that repeat an earlier attempt's."""
        repeats = find_repeats(predictions.column("row").to_numpy(), predictions, origins)
        self.report.repeats += repeats.true_count
        return predictions.filter(pc.invert(repeats))

    def _join(self, prompts: PromptRange, predictions: pa.RecordBatch) -> pa.RecordBatch:
        origins = list(self._origins)
        if any(origin.resumes for origin in origins):
            predictions = self._without_repeats(predictions, origins)
        rows = predictions.column("row").to_numpy() - prompts.first
        ok = pc.equal(predictions.column("outcome"), Outcome.OK.value).to_numpy(zero_copy_only=False)
        attempts = np.array([origin.attempt for origin in origins], np.int32)[predictions.column("origin").to_numpy()]
        chosen = choose(rows, ok, attempts)
        duplicates = np.maximum(np.bincount(rows, minlength=len(prompts.keys)) - 1, 0)
        places = np.full(len(prompts.keys), -1, np.int64)
        places[rows[chosen]] = chosen
        used = predictions.take(pa.array(places, mask=places < 0))
        extras = fill_unanswered(used, prompts.rejects) | {"duplicates": pa.array(duplicates.astype(np.int32))}
        joined = assemble_rows(self.schema, prompts.columns, used, origins, extras)
        self._count(joined, used, predictions, int(duplicates.sum()))
        return joined

    def _count(
        self, joined: pa.RecordBatch, used: pa.RecordBatch, predictions: pa.RecordBatch, duplicates: int
    ) -> None:
        report = self.report
        report.used += predictions.num_rows - duplicates
        report.duplicates += duplicates
        report.count_outcomes(joined.column(f"{self._options.prefix}outcome"))
        report.count_repairs(used)
        for name in TOKEN_COLUMNS:
            tokens = pc.sum(used.column(name)).as_py() or 0
            report.tokens[name] += tokens
            report.duplicate_tokens[name] += (pc.sum(predictions.column(name)).as_py() or 0) - tokens


def _split(batch: pa.RecordBatch, places: npt.NDArray[Any]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows by place, in the order of the places, those of one place in their order."""
    if not len(places):
        return
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True):
        # A copy of its own, since a slice in the spool would keep all the others in memory.
        yield int(ordered[start]), batch.take(pa.array(order[start:end]))


def _orphan_reason(predictions: pa.RecordBatch, at: int) -> tuple[str, str]:
    if predictions.column("key")[at].is_valid:
        return _UNKNOWN_KEY
    if "fingerprint" in predictions.schema.names and predictions.column("fingerprint")[at].is_valid:
        return "unknown_request", "no prompt has this request"
    return "no_key", "it has neither a key nor a request to be known by"
