"""A batch prediction job: its body on the way out, its state and figures on the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from geminate.wire.uris import model_name

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

# With underscores, since a hyphen in a filter may be read as a minus.
ATTEMPT_LABEL = "geminate_attempt"
RUN_LABEL = "geminate_run"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the service last described it.

    Attributes:
        name: Its resource name.
        state: One of the ``JOB_STATE_*`` words; an unknown one is kept as it is.
        output_uri: The directory of its predictions, empty until the service names one.
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
        return self.state in TERMINAL_STATES

    @property
    def succeeded(self) -> bool:
        """Whether the service did what it was asked, rows that failed aside."""
        return self.state in SUCCESS_STATES


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a job is asked to do, Cloud Storage to Cloud Storage."""

    display_name: str
    model: str
    input_uri: str
    output_prefix_uri: str
    labels: Mapping[str, str]


def encode_job(request: JobRequest) -> dict[str, Any]:
    """The body of a create call."""
    return {
        "displayName": request.display_name,
        "model": model_name(request.model),
        "labels": dict(request.labels),
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [request.input_uri]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": request.output_prefix_uri},
        },
    }


def decode_job(answer: Mapping[str, Any]) -> Job:
    """The job that the service's JSON describes; what is absent stays unknown."""
    statistics = answer.get("completionStats") or {}
    output = answer.get("outputInfo") or {}
    return Job(
        name=str(answer.get("name", "")),
        state=str(answer.get("state", "JOB_STATE_UNSPECIFIED")),
        output_uri=str(output.get("gcsOutputDirectory", "")),
        error=_error_text(answer.get("error") or {}),
        successful=_count(statistics, "successfulCount"),
        failed=_count(statistics, "failedCount"),
        incomplete=_count(statistics, "incompleteCount"),
        create_time=str(answer.get("createTime", "")),
        end_time=str(answer.get("endTime", "")),
    )


def label_filter(label: str, value: str) -> str:
    """The filter that lists the jobs carrying a label."""
    return f'labels.{label}="{value}"'


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
