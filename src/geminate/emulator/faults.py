"""Fault scripts: what shall go wrong, for which calls, jobs and rows.

A script is a mapping, or a YAML or JSON file of one::

    http:                                   # calls about jobs, each entry used up in turn
      create: [return-503, "return-503; commit", "return-429; retry-after=1; times=2"]
      get: [reset-before, "stall-for-2s"]   # also list, cancel, delete, tables (BigQuery's), any
    storage:                                # calls about objects: bucket, insert (or the start of an upload), upload,
      upload: [return-503-after-256K]       # query (how far an upload is), get, read, list, patch, delete, compose, any
      read: [return-broken-stream, return-corrupted-data, stall-for-2s-after-64K]
    jobs:                                   # the first entry that a new job matches counts
      - {display_name: "*-00001", times: 1, end: FAILED, after: 0.5}
      - {labels: {team: red}, missing: 0.01, doubled: 0.01, orphaned: 0.01, output_files: 3}
      - {pending_s: 300000, listed_after_s: 30}   # it expires; a list shows it late
      - {replay: predictions.jsonl}
    rows:                                   # in every job; a job's own ``rows`` come first
      - {status: RESOURCE_EXHAUSTED, rate: 0.1}
      - {answer: SAFETY, contains: "poison"}
      - {answer: MAX_TOKENS, keys: "r-0000*", rate: 0.5}

An entry of ``jobs`` can also come with its create call, as JSON in the header ``x-geminate-fault``.

Words for calls: ``return-CODE``, ``reset-before`` and ``reset-after`` the job is made (``return-reset-connection`` is
the first of these), ``stall-for-Ns``, ``return-broken-stream`` and ``return-corrupted-data`` of the answer; ``commit``
does the call's work before the fault. For storage also ``return-CODE-after-NK`` of the body,
``return-broken-stream-after-NK`` of the answer, ``return-broken-stream-final-chunk-after-NB`` of the answer that ends
an upload, ``stall-for-Ns-after-NK``. They follow Google's storage testbench where it has a word. Rates are decided by
each row's key, so the same rows fail again the next time.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from geminate.emulator.call_faults import CallFault, no_such_fault, parse_call_fault
from geminate.emulator.jobs import Job
from geminate.emulator.statuses import Status
from geminate.errors import UsageError

FAULT_HEADER = "x-geminate-fault"

Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class RowFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What some rows meet: a ``status``, or an ``answer`` bent out of shape.

    Attributes:
        status: A name in ``ROW_STATUSES``, or the row's whole status text.
        answer: A name in ``BENDS``, or a finish reason.
        rate: The share of the rows it is for.
        keys: A pattern of keys, with ``*`` and ``?``.
        lines: Row numbers, from 1.
        contains: A text that the request line holds.
        when: In Python, a function of the row (request and siblings) that says whether it is meant.
    """

    status: str | None = None
    answer: str | None = None
    rate: Rate = 1
    keys: str | None = None
    lines: list[int] | None = None
    contains: str | None = None
    when: Any = None


class JobFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What some jobs meet.

    Attributes:
        display_name: A pattern of display names.
        labels: Labels that the job must carry.
        times: How many jobs it is for; None for all.
        pending_s: How long it waits before it runs; None for as long as others. Past the queue's limit it expires.
        row_latency_s: How long each of its rows takes; None for as long as others'.
        listed_after_s: How long after it was made a list shows it.
        end: The state it ends in, without ``JOB_STATE_``.
        after: The share of its rows that are done by then.
        error: Why it ends so; by default what the service says.
        partial_failures: What it reports beside.
        incremental: Whether finished rows show up in objects of their own while it runs.
        final_files: Whether there is a final file.
        lists_unfinished: Whether rows that it did not come to stand in its output, too, without an answer.
        output_files: How many files the output is cut into.
        missing: The share of rows left out.
        doubled: The share of rows written twice.
        orphaned: The share of rows beside which a foreign one stands.
        coerce_keys: Whether siblings that look like numbers come back as numbers.
        ignore_cancel: Whether it runs on when it is cancelled.
        replay: A file of prediction lines that becomes the output as it is.
        rows: What its rows meet.
    """

    display_name: str | None = None
    labels: dict[str, str] = {}
    times: int | None = None
    pending_s: Seconds | None = None
    row_latency_s: Seconds | None = None
    listed_after_s: Seconds = 0
    end: Literal["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"] = "SUCCEEDED"
    after: Rate = 1
    error: Status | None = None
    partial_failures: list[Status] = []
    incremental: bool = False
    final_files: bool = True
    lists_unfinished: bool = False
    output_files: Annotated[int, msgspec.Meta(ge=1, le=9999)] = 1
    missing: Rate = 0
    doubled: Rate = 0
    orphaned: Rate = 0
    coerce_keys: bool = False
    ignore_cancel: bool = False
    replay: str | None = None
    rows: list[RowFault] = []

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Whether a job with this body is meant."""
        labels = body.get("labels") or {}
        named = self.display_name is None or fnmatchcase(body["displayName"], self.display_name)
        return named and all(labels.get(key) == value for key, value in self.labels.items())


_StorageVerb = Literal[
    "bucket", "insert", "upload", "query", "get", "read", "list", "patch", "delete", "compose", "any"
]
_TableVerb = Literal["dataset", "table", "read", "stream", "insert", "upload", "job", "query", "any"]


class _Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    http: dict[Literal["create", "get", "list", "cancel", "delete", "any"], list[str]] = {}
    storage: dict[_StorageVerb, list[str]] = {}
    tables: dict[_TableVerb, list[str]] = {}
    jobs: list[JobFault] = []
    rows: list[RowFault] = []


class Faults:
    """A fault script at work; call faults are used up as calls come in.

    Args:
        script: The script, a path to one, or None for no faults.

    Raises:
        UsageError: The script cannot be read.
    """

    def __init__(self, script: Mapping[str, Any] | str | Path | None) -> None:
        where = str(script) if isinstance(script, (str, Path)) else "fault script"
        try:
            read = yaml.safe_load(Path(where).read_text("utf-8")) if isinstance(script, (str, Path)) else script
            self._script = msgspec.convert(read or {}, _Script)
        except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
            raise UsageError(f"the fault script cannot be used: {error}", where=where) from error
        self._calls: dict[tuple[str, str], list[CallFault]] = {
            (section, call): [fault for word in words for fault in _repeat(_parse(word, section))]
            for section in ("http", "storage", "tables")
            for call, words in getattr(self._script, section).items()
        }
        self._lock = threading.Lock()

    def call_fault(self, call: str, header: str | None) -> CallFault | None:
        """What this call about jobs meets: what its own header says, else the script's next entry for it.

        Raises:
            UsageError: The header cannot be read.
        """
        return _parse(header, "http") if header else self._next("http", call)

    def storage_fault(self, call: str, header: str | None, *, is_final: bool) -> CallFault | None:
        """The same for a call about objects; ``is_final`` says that it is not one of an upload that goes on.

        Raises:
            UsageError: The header cannot be read.
        """
        return parse_call_fault(header) if header else self._next("storage", call, is_final=is_final)

    def table_fault(self, call: str, header: str | None) -> CallFault | None:
        """The same for a call about tables.

        Raises:
            UsageError: The header cannot be read.
        """
        return _parse(header, "tables") if header else self._next("tables", call)

    def _next(self, section: str, call: str, *, is_final: bool = True) -> CallFault | None:
        with self._lock:
            for waiting in (self._calls.get((section, call)), self._calls.get((section, "any"))):
                if waiting and (is_final or not waiting[0].final_only):
                    return waiting.pop(0)
        return None

    def job_entry(self, body: Mapping[str, Any], former: list[Job]) -> int | None:
        """The place of the entry that a new job falls under, given the jobs made before it."""
        for place, fault in enumerate(self._script.jobs):
            used = sum(job.fault == place for job in former)
            if fault.matches(body) and (fault.times is None or used < fault.times):
                return place
        return None

    def job_fault(self, entry: int | dict[str, Any] | None) -> JobFault:
        """What a job under that entry meets, or with one of its own, the script's ``rows`` included."""
        if isinstance(entry, dict):
            fault = msgspec.convert(entry, JobFault)
        else:
            known = entry is not None and entry < len(self._script.jobs)
            fault = self._script.jobs[entry] if entry is not None and known else JobFault()
        return msgspec.structs.replace(fault, rows=[*fault.rows, *self._script.rows])


def parse_job_fault(header: str) -> dict[str, Any]:
    """The entry that a create call's header brings for its job.

    Raises:
        UsageError: It is none.
    """
    try:
        entry: dict[str, Any] = msgspec.json.decode(header)
        msgspec.convert(entry, JobFault)
    except msgspec.MsgspecError as error:
        raise UsageError(f"the job's fault cannot be used: {error}", where=FAULT_HEADER) from error
    return entry


def _parse(word: str, section: str) -> CallFault:
    """The fault, if it is one that calls of that section can meet."""
    fault = parse_call_fault(word)
    has_stream = fault.broken or fault.after_bytes is not None
    if section == "http" and fault.is_of_streams:
        raise no_such_fault("a fault of streams, for a call without one")
    if section == "tables" and (fault.final_only or (has_stream and fault.stall_s)):
        raise no_such_fault("a fault of objects, for a call about tables")
    return fault


def _repeat(fault: CallFault) -> list[CallFault]:
    return [fault] * fault.times
