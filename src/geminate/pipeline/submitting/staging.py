"""Staging: a run's shards to where the service reads them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from geminate import pauses
from geminate.errors import InputError, TransientError
from geminate.ledger import Attempt, Ledger
from geminate.pipeline.building.opening import DEFAULT_STORES
from geminate.pipeline.building.request_tables import RequestTables
from geminate.pipeline.building.shard_lines import ShardLines
from geminate.pipeline.building.uploads import upload_once
from geminate.pipeline.pace.patience import pause
from geminate.pipeline.pace.progress import Notify, Progress, silent
from geminate.pipeline.run_folder.folder import Manifest, RunFolder
from geminate.pipeline.submitting.datasets import is_table
from geminate.pipeline.submitting.plan import JobPlan
from geminate.ports import Clock, ObjectInfo, ObjectStore, TableStore
from geminate.wire.jobs import JobSettings

_UPLOADS_AT_ONCE = 4
_MAX_UPLOADS = 3
"""For one shard and command; within each, calls are repeated."""


@dataclass(frozen=True, slots=True)
class Stager:
    """Brings a run's shards to where the service reads them.

    Attributes:
        folder: The run's folder.
        manifest: Its manifest.
        ledger: Its ledger.
        store: Where the lines go.
        staging_uri: Below which they lie, and predictions will, ``gs://bucket/prefix`` or ``bq://project.dataset``.
        clock: The time of the ledger's entries.
        settings: What the jobs are called and labelled.
        predictions_uri: Where predictions will lie, if elsewhere.
        tables: Opens where request tables go.
    """

    folder: RunFolder
    manifest: Manifest
    ledger: Ledger
    store: ObjectStore
    staging_uri: str
    clock: Clock
    settings: JobSettings = field(default_factory=JobSettings)
    predictions_uri: str | None = None
    tables: Callable[[], TableStore] = DEFAULT_STORES.tables

    def stage_all(self, notify: Notify = silent) -> None:
        """Nothing; no attempt is merely planned any more.

        Raises:
            AccessError: The store refuses access.
            TargetError: Another object has the name of a shard.
            TransientError: The store did not answer; the same call goes on.
        """
        attempts = self.ledger.attempts()
        for done, _ in enumerate(self.iter_staged(attempts)):
            notify(Progress("upload", done, len(attempts), "shards"))

    def iter_staged(self, attempts: Sequence[Attempt], most: int | None = None) -> Generator[Attempt, None, None]:
        """The attempts in order, staged if they were only planned, a few uploads at once.

        Closed early, it gives up those under way. Memory is that of four uploads.

        Args:
            attempts: The attempts.
            most: How many planned ones are staged; None for all. The others come as they are.
        """
        planned = [attempt.attempt_id for attempt in attempts if attempt.state == "planned"][:most]
        given_up = Event()
        threads = ThreadPoolExecutor(_UPLOADS_AT_ONCE, "geminate-upload", pauses.end_when, (given_up,))
        try:
            ahead = [attempt for attempt in attempts if attempt.attempt_id in planned]
            uploads = {attempt.attempt_id: threads.submit(self._upload, attempt, given_up) for attempt in ahead}
            for attempt in attempts:
                upload = uploads.get(attempt.attempt_id)
                yield self._staged(attempt, upload.result()) if upload else attempt
        finally:
            given_up.set()
            threads.shutdown(cancel_futures=True)

    def _upload(self, attempt: Attempt, given_up: Event) -> int:
        """The generation of the object that has the attempt's lines; 0 for a table.

        An upload that cannot go on where it broke is begun anew.
        """
        uri = self.plan.request(attempt).input_uri
        if attempt.resumes:
            return self._find(uri)
        if is_table(uri):
            RequestTables(self.folder, self.manifest, self.tables()).load(attempt, uri)
            return 0
        if self.manifest.for_table:
            raise InputError(
                "the run was built for BigQuery tables, and its lines may break rules that hold for Cloud Storage",
                where=str(self.folder.path),
                remedy="give --staging bq://project.dataset, or build it again",
            )
        source = ShardLines(self.folder, self.manifest).bytes_of(attempt)
        for tries in range(1, _MAX_UPLOADS):
            try:
                return upload_once(self.store, source, uri, given_up).generation
            except TransientError as error:
                if given_up.is_set():
                    raise
                pause(self.clock, 2.0**tries, error)
        return upload_once(self.store, source, uri, given_up).generation

    def _find(self, uri: str) -> int:
        """The generation of a former job's output; 0 for a table."""
        info = (self.tables() if is_table(uri) else self.store).stat(uri)
        if info is None:
            remedy = "geminate cancel gives the attempt up; then retry without --by-service"
            raise InputError("the output that the service was to go on from is gone", where=uri, remedy=remedy)
        return info.generation if isinstance(info, ObjectInfo) else 0

    def _staged(self, attempt: Attempt, generation: int) -> Attempt:
        request = self.plan.request(attempt)
        return self.ledger.advance(
            attempt,
            "staged",
            at=self.clock.now(),
            input_uri=request.input_uri,
            input_generation=generation,
            output_prefix_uri=request.output_uri,
        )

    @property
    def plan(self) -> JobPlan:
        """What each attempt's job is asked."""
        return JobPlan(self.folder, self.manifest, self.staging_uri, self.settings, self.predictions_uri)
