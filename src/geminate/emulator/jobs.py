"""Jobs as the emulator keeps them: one JSON file each, replaced whole, so that a killed emulator loses none."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec

from geminate.emulator.statuses import Status
from geminate.emulator.times import rfc3339

PENDING, RUNNING, CANCELLING = "JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING"
SUCCEEDED, FAILED, CANCELLED = "JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"
EXPIRED, PARTIALLY_SUCCEEDED = "JOB_STATE_EXPIRED", "JOB_STATE_PARTIALLY_SUCCEEDED"
TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED, EXPIRED, PARTIALLY_SUCCEEDED})
OTHER_STATES = frozenset(f"JOB_STATE_{word}" for word in ("UNSPECIFIED", "QUEUED", "PAUSED", "UPDATING"))
STATES = TERMINAL | {PENDING, RUNNING, CANCELLING} | OTHER_STATES

# What may follow each state; a job asked to go elsewhere stays where it is.
_NEXT = {
    PENDING: {PENDING, RUNNING, CANCELLING} | TERMINAL,
    RUNNING: {RUNNING, CANCELLING} | TERMINAL,
    CANCELLING: {CANCELLING} | TERMINAL,
}


class Counts(msgspec.Struct, frozen=True):
    """Rows by how far they came; None while unknown."""

    successful: int = 0
    failed: int = 0
    incomplete: int | None = None

    @property
    def finished(self) -> int:
        """Rows that have a prediction."""
        return self.successful + self.failed


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One job.

    Attributes:
        id: The number in its name.
        ordinal: Its place among all jobs ever made in this folder, from 0.
        project: The project of its name.
        location: The location of its name.
        body: What the create call said, checked.
        state: One of ``STATES``.
        create_time: When it was made, in seconds since the epoch.
        update_time: When it last changed.
        start_time: When it first ran.
        end_time: When it ended.
        error: Why it failed or was cancelled.
        output_uri: Its output directory or table, from when it runs.
        counts: Its rows, from when it runs.
        partial_failures: What went wrong without ending it.
        fault: The entry of the fault script that it falls under, or one of its own.
    """

    id: str
    ordinal: int
    project: str
    location: str
    body: dict[str, Any]
    state: str = PENDING
    create_time: float
    update_time: float
    start_time: float | None = None
    end_time: float | None = None
    error: Status | None = None
    output_uri: str | None = None
    counts: Counts | None = None
    partial_failures: list[Status] = []
    fault: int | dict[str, Any] | None = None

    @property
    def parent(self) -> str:
        """The location's resource name."""
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def name(self) -> str:
        """The job's resource name."""
        return f"{self.parent}/batchPredictionJobs/{self.id}"

    @property
    def input_uri(self) -> str:
        """The object or table that holds the requests."""
        source = self.body["inputConfig"]
        return str(source["bigquerySource"]["inputUri"] if self.reads_table else source["gcsSource"]["uris"][0])

    @property
    def output_prefix_uri(self) -> str:
        """The directory the output directory is made in, or the dataset or table of the output."""
        target = self.body["outputConfig"]
        if self.writes_table:
            return str(target["bigqueryDestination"]["outputUri"])
        return str(target["gcsDestination"]["outputUriPrefix"])

    @property
    def reads_table(self) -> bool:
        """Whether its input is a table."""
        return "bigquerySource" in self.body["inputConfig"]

    @property
    def writes_table(self) -> bool:
        """Whether its output is a table."""
        return "bigqueryDestination" in self.body["outputConfig"]


def encode_job(job: Job) -> dict[str, Any]:
    """The job as REST shows it. Counts of zero are absent and unknown ones are ``"-1"``, as captured in 2026-09."""
    shown: dict[str, Any] = {"name": job.name, **job.body, "state": job.state}
    times = {
        "createTime": job.create_time,
        "startTime": job.start_time,
        "endTime": job.end_time,
        "updateTime": job.update_time,
    }
    shown |= {name: rfc3339(seconds) for name, seconds in times.items() if seconds is not None}
    if job.error:
        shown["error"] = msgspec.to_builtins(job.error)
    if job.output_uri:
        shown["outputInfo"] = _encode_output(job)
    if job.counts:
        shown["completionStats"] = _encode_counts(job.counts)
    if job.partial_failures:
        shown["partialFailures"] = msgspec.to_builtins(job.partial_failures)
    return shown


def _encode_output(job: Job) -> dict[str, str]:
    if not job.writes_table:
        return {"gcsOutputDirectory": str(job.output_uri)}
    dataset_uri, _, table = str(job.output_uri).rpartition(".")
    return {"bigqueryOutputDataset": dataset_uri, "bigqueryOutputTable": table}


def _encode_counts(counts: Counts) -> dict[str, str]:
    incomplete = -1 if counts.incomplete is None else counts.incomplete
    figures = {"successfulCount": counts.successful, "failedCount": counts.failed, "incompleteCount": incomplete}
    return {name: str(figure) for name, figure in figures.items() if figure}


class JobStore:
    """The jobs of one folder, held in memory and on disk; safe to use from several threads.

    Args:
        folder: Where the files lie; it is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)
        files = [path for path in folder.glob("*.json") if not path.name.startswith(".")]
        jobs = [msgspec.json.decode(path.read_bytes(), type=Job) for path in files]
        self._jobs = {job.id: job for job in sorted(jobs, key=lambda job: job.ordinal)}
        self._next_ordinal = max((job.ordinal for job in jobs), default=-1) + 1

    def next_ordinal(self) -> int:
        """The place of the next job to be added."""
        return self._next_ordinal

    def add(self, job: Job) -> None:
        """Nothing; the job is on disk when this returns."""
        with self._lock:
            self._write(job)
            self._jobs[job.id] = job
            self._next_ordinal = max(self._next_ordinal, job.ordinal + 1)

    def get(self, job_id: str) -> Job | None:
        """The job as it is now."""
        with self._lock:
            return self._jobs.get(job_id)

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def update(self, job_id: str, **changes: Any) -> Job:
        """The job after the change, or unchanged where its state may not go there.

        Raises:
            KeyError: It was deleted.
        """
        with self._lock:
            job = self._jobs[job_id]
            state = changes.get("state", job.state)
            if state not in _NEXT.get(job.state, ()):
                return job
            job = msgspec.structs.replace(job, **changes)
            self.add(job)
            return job

    def delete(self, job_id: str) -> None:
        """Nothing; the job is forgotten, its output stays."""
        with self._lock:
            del self._jobs[job_id]
            self._path(job_id).unlink()

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"

    def _write(self, job: Job) -> None:
        path = self._path(job.id)
        partial = path.with_name(f".{path.name}")
        partial.write_bytes(msgspec.json.encode(job))
        partial.replace(path)
