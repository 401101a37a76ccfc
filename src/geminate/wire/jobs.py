"""A batch prediction job: its body on the way out, its state and figures on the way back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from geminate.errors import UsageError
from geminate.wire.limits import LIMITS
from geminate.wire.uris import BQ_SCHEME, model_name, split_bq_uri, split_gs_uri

JobState = Literal[
    "JOB_STATE_UNSPECIFIED",
    "JOB_STATE_QUEUED",
    "JOB_STATE_PENDING",
    "JOB_STATE_RUNNING",
    "JOB_STATE_SUCCEEDED",
    "JOB_STATE_FAILED",
    "JOB_STATE_CANCELLING",
    "JOB_STATE_CANCELLED",
    "JOB_STATE_PAUSED",
    "JOB_STATE_EXPIRED",
    "JOB_STATE_UPDATING",
    "JOB_STATE_PARTIALLY_SUCCEEDED",
]

SUCCESS_STATES = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED"})
TERMINAL_STATES = SUCCESS_STATES | {"JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}
"""States that do not change any more. All of them may have left finished, billed rows."""

RESUMABLE_STATES = TERMINAL_STATES - SUCCESS_STATES
"""From the output of a job that ended so the service can go on with what was not done (the page on resuming batch
inference, read 2026-11-23; of jobs that succeeded it says nothing)."""

DELETED_STATE = "DELETED"
"""Our own word, where the service has none: it no longer knows the job. Only a job that has ended can be deleted."""

CANCELLING_STATE = "JOB_STATE_CANCELLING"
"""A job that was asked to end; it may still end otherwise."""

# With underscores, since a hyphen in a filter may be read as a minus.
ATTEMPT_LABEL = "geminate_attempt"
RUN_LABEL = "geminate_run"
OWN_LABELS = frozenset({ATTEMPT_LABEL, RUN_LABEL})

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]*")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]*")
# A run's id, a shard's name, an attempt's number and the hyphens between, with room to spare.
_MAX_ATTEMPT_ID_CHARS = 32


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the service last described it.

    Attributes:
        name: Its resource name.
        state: One of the ``JOB_STATE_*`` words, or ``DELETED_STATE``; an unknown one is kept as it is.
        output_uri: The directory or table of its predictions, empty until the service names one.
        error: What the service says went wrong, empty where nothing did.
        successful: Rows done, None while unknown.
        failed: Rows that failed, None while unknown.
        incomplete: Rows not done yet, None while unknown.
        create_time: RFC 3339, as the service wrote it.
        end_time: The same; empty until the end.
    """

    name: str
    state: str
    output_uri: str = ""
    error: str = ""
    successful: int | None = None
    failed: int | None = None
    incomplete: int | None = None
    create_time: str = ""
    end_time: str = ""

    @property
    def is_terminal(self) -> bool:
        """Whether its state is final."""
        return self.state in TERMINAL_STATES or self.state == DELETED_STATE

    @property
    def succeeded(self) -> bool:
        """Whether the service did what it was asked, rows that failed aside."""
        return self.state in SUCCESS_STATES


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What a caller may settle about the jobs of a run, beside model, input and output.

    Attributes:
        display_name: What the jobs' display names begin with; the attempt's id follows.
        labels: Labels beside our own.
        model_parameters: The body's ``modelParameters``, None to leave them out.

    Raises:
        UsageError: The service would not take them.
    """

    display_name: str = "geminate"
    labels: Mapping[str, str] = field(default_factory=dict)
    model_parameters: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        room = LIMITS.max_display_name_chars - _MAX_ATTEMPT_ID_CHARS
        if not 0 < len(self.display_name) <= room:
            raise UsageError(f"a display name has 1 to {room} characters here", where=self.display_name)
        _check_labels(self.labels)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a job is asked to do.

    Attributes:
        attempt_id: The attempt that the job is for.
        run_id: Its run.
        model: A publisher model's id, or any model's resource name.
        input_uri: The request lines, ``gs://bucket/name``, or their table, ``bq://project.dataset.table``.
        output_uri: Below which the service writes, ``gs://bucket/prefix``; or ``bq://project.dataset``, where it
            makes a table, or ``bq://project.dataset.table``, which must not exist.
        settings: The rest.
    """

    attempt_id: str
    run_id: str
    model: str
    input_uri: str
    output_uri: str
    settings: JobSettings = field(default_factory=JobSettings)


def encode_job(request: JobRequest) -> dict[str, Any]:
    """The body of a create call.

    Raises:
        InputError: The model or a URI is none that the service knows.
    """
    settings = request.settings
    body: dict[str, Any] = {
        "displayName": f"{settings.display_name}-{request.attempt_id}",
        "model": model_name(request.model),
        "labels": {**settings.labels, ATTEMPT_LABEL: request.attempt_id, RUN_LABEL: request.run_id},
        "inputConfig": _encode_input(request.input_uri),
        "outputConfig": _encode_output(request.output_uri),
    }
    if settings.model_parameters is not None:
        body["modelParameters"] = dict(settings.model_parameters)
    return body


def _encode_input(uri: str) -> dict[str, Any]:
    if uri.startswith(BQ_SCHEME):
        split_bq_uri(uri, parts=(3,))
        return {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": uri}}
    split_gs_uri(uri)
    # Always an array: the documentation shows both, and only the array is what the API says.
    return {"instancesFormat": "jsonl", "gcsSource": {"uris": [uri]}}


def _encode_output(uri: str) -> dict[str, Any]:
    if uri.startswith(BQ_SCHEME):
        split_bq_uri(uri, parts=(2, 3))
        return {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": uri}}
    split_gs_uri(uri)
    return {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": uri}}


def _check_labels(labels: Mapping[str, str]) -> None:
    most = LIMITS.max_labels - len(OWN_LABELS)
    if len(labels) > most:
        raise UsageError(f"{len(labels)} labels, and a job has room for {most} beside our own")
    for key, value in labels.items():
        if key in OWN_LABELS:
            raise UsageError("Geminate writes this label itself", where=f"label {key}", remedy="choose another name")
        longest = max(len(key), len(value))
        if longest > LIMITS.max_label_chars or not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            raise UsageError(
                "not a label that the service takes",
                where=f"label {key}={value}",
                remedy=f"use at most {LIMITS.max_label_chars} of a-z 0-9 _ - each, and begin the key with a letter",
            )


def decode_job(answer: Mapping[str, Any]) -> Job:
    """The job that the service's JSON describes; what is absent stays unknown."""
    statistics, output = _mapping(answer, "completionStats"), _mapping(answer, "outputInfo")
    return Job(
        name=str(answer.get("name", "")),
        state=str(answer.get("state", "JOB_STATE_UNSPECIFIED")),
        output_uri=_output_uri(output),
        error=_error_text(_mapping(answer, "error")),
        successful=_count(statistics, "successfulCount"),
        failed=_count(statistics, "failedCount"),
        incomplete=_count(statistics, "incompleteCount"),
        create_time=str(answer.get("createTime", "")),
        end_time=str(answer.get("endTime", "")),
    )


def deleted_job(last: Mapping[str, Any]) -> dict[str, Any]:
    """The job as it was last described, with what is known of it now: that the service knows it no more."""
    message = "the service no longer knows this job; somebody deleted it, and what it had answered was billed"
    return {**last, "state": DELETED_STATE, "error": {"message": message}}


def label_filter(label: str, value: str) -> str:
    """The filter that lists the jobs carrying a label."""
    return f'labels.{label}="{value}"'


def _output_uri(output: Mapping[str, Any]) -> str:
    dataset, table = output.get("bigqueryOutputDataset"), output.get("bigqueryOutputTable")
    if dataset and table:
        return f"{dataset}.{table}"
    return str(output.get("gcsOutputDirectory") or dataset or "")


def _mapping(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = answer.get(name)
    return value if isinstance(value, Mapping) else {}


def _error_text(error: Mapping[str, Any]) -> str:
    code, message = error.get("code"), error.get("message", "")
    return f"{message} (code {code})" if code is not None else str(message)


def _count(statistics: Mapping[str, Any], name: str) -> int | None:
    # Counts are text, "-1" where the service does not know, and absent where they are zero (a live capture, 2026-09).
    if not statistics:
        return None
    try:
        count = int(str(statistics.get(name, 0)))
    except ValueError:
        return None
    return count if count >= 0 else None
