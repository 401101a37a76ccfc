"""What becomes of one job, move by move: queue, import, rows, end.

All of it can be done again from the start: the rows, their order, the answers and the name of the output directory
follow from the job and its input. That is how a job survives a killed emulator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from geminate.emulator.answers import Answerer
from geminate.emulator.bodies import model_id
from geminate.emulator.faults import Faults
from geminate.emulator.fields import BrokenRuleError
from geminate.emulator.importer import Input, iter_import
from geminate.emulator.job_objects import JobObjects
from geminate.emulator.job_tables import JobTables, Place, TableError, TableOutput
from geminate.emulator.jobs import (
    CANCELLED,
    CANCELLING,
    EXPIRED,
    FAILED,
    PARTIALLY_SUCCEEDED,
    PENDING,
    RUNNING,
    Counts,
    Job,
    JobStore,
)
from geminate.emulator.options import EmulatorOptions
from geminate.emulator.output import Directory, OutputWriter, bucket_of, directory_uri, table_uri
from geminate.emulator.plans import iter_replayed, plan_lines
from geminate.emulator.rows import RowMaker, iter_left, iter_lines
from geminate.emulator.statuses import CANCELLED as CANCELLED_STATUS
from geminate.emulator.statuses import QUEUE_EXPIRED, SYSTEM_ERROR, Status, bucket_missing, import_failed

# A move that computes longer than this makes way for other jobs, cancellations and the end of the emulator.
_MOVE_S = 0.05
_END_ERRORS = {FAILED: SYSTEM_ERROR, CANCELLED: CANCELLED_STATUS, EXPIRED: QUEUE_EXPIRED}


@dataclass(frozen=True, slots=True)
class Shop:
    """What all jobs share.

    Attributes:
        store: Where jobs are kept.
        objects: Reaches Cloud Storage.
        tables: Reaches BigQuery.
        scratch: A folder for what tables are copied to while a job works on them.
        options: How the emulator behaves.
        faults: What goes wrong.
        answerer: What stands in for the model.
        now: The time.
    """

    store: JobStore
    objects: JobObjects
    tables: JobTables
    scratch: Path
    options: EmulatorOptions
    faults: Faults
    answerer: Answerer
    now: Callable[[], float]


def iter_moves(shop: Shop, job: Job) -> Generator[float, None, None]:
    """Moves of the job, each as the time at which the next one is due, until the job is at its end.

    An unfinished job from before the emulator was killed begins again; one that was being cancelled does as many rows
    as it had done.
    """
    work = _Work(shop, job)
    try:
        yield from work.moves()
    except TableError as error:
        work.fail(error.status)
    finally:
        work.clean()


class _Work:
    def __init__(self, shop: Shop, job: Job) -> None:
        self._shop = shop
        self._job = job
        self._fault = shop.faults.job_fault(job.fault)
        self._restarted = job.start_time is not None
        # Rows that a job which is being cancelled had done already are done again before it ends.
        self._owed = job.counts.finished if job.state == CANCELLING and job.counts else 0
        self._counts = Counts()

    def moves(self) -> Generator[float, None, None]:
        yield from self._queue()
        if self._job.state not in {PENDING, RUNNING, CANCELLING}:
            return
        if self._is_cancelled():
            return self._end(CANCELLED)
        for uri in (self._job.input_uri, self._job.output_prefix_uri):
            if uri.startswith("bq://"):
                self._shop.tables.check_dataset(Place(uri, self._job.location))
            elif not self._shop.objects.has_bucket(uri):
                return self._end(FAILED, bucket_missing(bucket_of(uri)))
        if (
            self._job.writes_table
            and not self._restarted
            and self._shop.tables.exists(Place(table_uri(self._job), self._job.location))
        ):
            raise TableError(f"Already Exists: Table {table_uri(self._job)}")
        started = self._job.start_time or self._shop.now()
        self._change(state=RUNNING, start_time=started, counts=Counts(incomplete=None))
        yield 0
        source = self._input()
        try:
            for _ in self._iter_import(source):
                if self._is_cancelled():
                    return self._end(CANCELLED)
                yield 0
        except BrokenRuleError as error:
            return self._end(FAILED, import_failed(error.reason))
        yield from self._write_rows(source)

    def fail(self, error: Status) -> None:
        """Nothing; the job has failed."""
        self._end(FAILED, error)

    def clean(self) -> None:
        """Nothing; the copy of its input table is gone."""
        self._copy("input").unlink(missing_ok=True)

    def _copy(self, what: str) -> Path:
        return self._shop.scratch / f"{self._job.id}.{what}.jsonl"

    def _input(self) -> Input:
        if self._job.reads_table:
            return Input(self._job.input_uri, self._copy("input"), fields=None)
        return Input(self._job.input_uri, self._shop.objects.place(self._job.input_uri, self._copy("input")))

    def _iter_import(self, source: Input) -> Iterator[int]:
        if self._job.reads_table:
            place = Place(source.uri, self._job.location)
            for count in self._shop.tables.iter_fetched(place, source.path, source.columns):
                if count % self._shop.options.rows_per_move == 0:
                    yield count
        else:
            self._shop.objects.fetch(source.uri, self._copy("input"))
        yield from iter_import(source, self._shop.options.limits)

    def _open_output(self, source: Input, output_uri: str, stop: int) -> OutputWriter | TableOutput:
        fault = self._fault
        if self._job.writes_table:
            place = Place(output_uri, self._job.location)
            return TableOutput(self._shop.tables, place, self._copy("output"), source.columns, self._job.id)
        if self._restarted:
            self._shop.objects.clear(output_uri)
        objects, path = self._shop.objects, self._shop.objects.place(output_uri, self._shop.scratch)
        directory = Directory(path, lambda written, name: objects.show(written, path, output_uri, name))
        return OutputWriter(directory, self._job.id, stop, fault.output_files, incremental=fault.incremental)

    def _queue(self) -> Iterator[float]:
        pending_s, limit_s = self._latencies[0], self._shop.options.limits.queue_limit_s
        until = self._job.create_time + min(pending_s, limit_s)
        while self._refreshed().state == PENDING and self._shop.now() < until:
            yield until
        if self._job.state == PENDING and pending_s > limit_s:
            self._end(EXPIRED)

    def _write_rows(self, source: Input) -> Iterator[float]:
        fault = self._fault
        replay = Path(fault.replay) if fault.replay else None
        plan = plan_lines(source.tokens, self._job.id, fault)
        total = sum(1 for _ in iter_replayed(replay)) if replay else len(plan)
        stop = math.floor(total * fault.after)
        writes_table = self._job.writes_table
        output_uri = table_uri(self._job) if writes_table else directory_uri(self._job, self._tuned_model_name())
        self._change(output_uri=output_uri)
        self._count(Counts(incomplete=total))
        maker, now, lists_all = self._maker(source), self._shop.now, fault.lists_unfinished and not replay
        with self._open_output(source, output_uri, total if lists_all else stop) as writer:
            if self._restarted:
                writer.clear()
            yield 0
            with closing(iter_replayed(replay) if replay else iter_lines(maker, source, plan, now)) as lines:
                yield from self._write_until(stop, writer, lines)
            state = f"JOB_STATE_{fault.end}" if self._counts.finished >= stop else CANCELLED
            if lists_all:
                left = iter_left(maker, source, plan[self._counts.finished :], now)
                while some := list(islice(left, self._shop.options.rows_per_move)):
                    writer.write(some)
                    yield 0
            if fault.final_files and (self._counts.finished or lists_all or state not in _END_ERRORS):
                writer.publish()
        # Only now, so that nobody who sees the end sees a file in flight.
        self._end(state)

    def _write_until(
        self, stop: int, writer: OutputWriter | TableOutput, lines: Iterator[tuple[bytes, bool]]
    ) -> Iterator[float]:
        while self._counts.finished < stop and not self._is_cancelled():
            if allowed := self._allowed(stop):
                self._write_some(writer, islice(lines, allowed))
                yield 0
            elif self._shop.now() >= self._run_end:
                return
            else:
                yield min(self._started + (self._counts.finished + 1) * self._latencies[1], self._run_end)

    def _allowed(self, stop: int) -> int:
        """How many rows may be done now: those that were due within the time a job may run, however late it is."""
        finished, latency_s = self._counts.finished, self._latencies[1]
        most = min(self._shop.options.rows_per_move, stop - finished)
        if self._owed > finished:
            return min(most, self._owed - finished)
        if not latency_s:
            return most if self._shop.now() < self._run_end else 0
        # The margin keeps a clock that was waited for from falling short by a rounding.
        due = math.floor((min(self._shop.now(), self._run_end) - self._started) / latency_s + 1e-6)
        return max(0, min(most, due - finished))

    @property
    def _latencies(self) -> tuple[float, float]:
        """How long the job waits, and how long each of its rows takes."""
        fault, options = self._fault, self._shop.options
        pending_s = options.pending_s if fault.pending_s is None else fault.pending_s
        return pending_s, options.row_latency_s if fault.row_latency_s is None else fault.row_latency_s

    @property
    def _started(self) -> float:
        """When it first ran, be it by an emulator that is gone; its rows' times are counted from then."""
        return self._job.start_time or self._shop.now()

    @property
    def _run_end(self) -> float:
        return self._started + self._shop.options.limits.run_limit_s

    def _write_some(self, writer: OutputWriter | TableOutput, lines: Iterator[tuple[bytes, bool]]) -> None:
        until = math.inf if self._shop.options.manual else time.monotonic() + _MOVE_S
        written, good = [], 0
        for line, is_good in lines:
            written.append(line)
            good += is_good
            if time.monotonic() >= until:
                break
        writer.write(written)
        before, failed = self._counts, len(written) - good
        left = (before.incomplete or 0) - len(written)
        self._count(Counts(before.successful + good, before.failed + failed, left))

    def _count(self, counts: Counts) -> None:
        self._counts = counts
        # Rows owed to a cancelled job are not forgotten, should the emulator be killed once more.
        if counts.finished >= self._owed:
            self._change(counts=counts)

    def _maker(self, source: Input) -> RowMaker:
        model, shop = self._job.body["model"], self._shop
        version = f"{model_id(model) or model.rpartition('/')[2]}@emulated"
        return RowMaker(self._job.id, version, shop.answerer, source.fields, self._fault, shop.options.line_layout)

    def _tuned_model_name(self) -> str | None:
        model = str(self._job.body["model"])
        if model_id(model):
            return None
        return self._shop.options.tuned_model_names.get(model, f"tuned model {model.rpartition('/')[2]}")

    def _is_cancelled(self) -> bool:
        cancelling = self._refreshed().state == CANCELLING and not self._fault.ignore_cancel
        return cancelling and self._counts.finished >= self._owed

    def _refreshed(self) -> Job:
        self._job = self._shop.store.get(self._job.id) or self._job
        return self._job

    def _change(self, **changes: Any) -> None:
        self._job = self._shop.store.update(self._job.id, update_time=self._shop.now(), **changes)

    def _end(self, state: str, error: Status | None = None) -> None:
        fault, limits = self._fault, self._shop.options.limits
        failures = fault.partial_failures or ([SYSTEM_ERROR] if state == PARTIALLY_SUCCEEDED else [])
        ended = state == f"JOB_STATE_{fault.end}"
        self._change(
            state=state,
            end_time=self._shop.now(),
            error=error or (fault.error if ended else None) or _END_ERRORS.get(state),
            partial_failures=failures[: limits.max_partial_failures] if ended else [],
        )
