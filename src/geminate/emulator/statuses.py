"""The service's error texts: of calls, of jobs and of rows.

The wording is that of the aiplatform documentation and of captures of 2024 to 2026, so that what a client makes of a
message can be rehearsed.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec


class Status(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ``google.rpc.Status`` as jobs carry it: a gRPC code and a message."""

    code: int
    message: str


class ApiError(Exception):
    """A call that is refused, in Google's shape.

    Args:
        code: The HTTP status.
        status: Its gRPC name.
        message: What is wrong.
        details: Google's typed details, where there are any.
    """

    def __init__(self, code: int, status: str, message: str, details: list[dict[str, object]] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.details = details

    def document(self) -> dict[str, object]:
        """The body of the answer."""
        error: dict[str, object] = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


class RowError(Exception):
    """What an answerer raises or returns to make a row fail.

    Args:
        code: The error's code, an HTTP status or a gRPC code.
        status: Its gRPC name.
        message: What the row's status says.
    """

    def __init__(self, code: int, status: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message

    def text(self) -> str:
        """The row's ``status``: the HTTP phrase, then the error as JSON."""
        error = {"code": self.code, "message": self.message, "status": self.status}
        phrase = _PHRASES.get(self.code, "Error")
        return f"{phrase}: {msgspec.json.format(msgspec.json.encode({'error': error}), indent=0).decode()}"


_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {4: "Deadline Exceeded"}

_NO_CREDENTIAL = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
CALL_STATUSES = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: (
        "UNAUTHENTICATED",
        _NO_CREDENTIAL,
    ),
    403: ("PERMISSION_DENIED", "Permission 'aiplatform.batchPredictionJobs.create' denied (or it may not exist)."),
    404: ("NOT_FOUND", "Requested entity was not found."),
    408: ("DEADLINE_EXCEEDED", "The request timed out."),
    409: ("ABORTED", "The operation was aborted."),
    412: ("FAILED_PRECONDITION", "A precondition does not hold."),
    429: ("RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: ("INTERNAL", "Internal error encountered."),
    501: ("UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."),
    502: ("UNAVAILABLE", "Bad gateway."),
    503: ("UNAVAILABLE", "The service is currently unavailable."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}

_MORE = "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
INVALID_ROLE = RowError(400, "INVALID_ARGUMENT", "Please use a valid role: user, model.")
NO_CONTENTS = RowError(
    400, "INVALID_ARGUMENT", f"Unable to submit request because at least one contents field is required. {_MORE}"
)
NO_PARTS = RowError(
    400,
    "INVALID_ARGUMENT",
    "Unable to submit request because it must include at least one parts field, which describes the prompt input. "
    f"{_MORE}",
)

ROW_STATUSES = {
    "INVALID_ROLE": INVALID_ROLE,
    "INVALID_ARGUMENT": RowError(400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "RESOURCE_EXHAUSTED": RowError(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."),
    "DEADLINE_EXCEEDED": RowError(4, "DEADLINE_EXCEEDED", "Request deadline exceeded before prefill finished."),
    "FAILED_PRECONDITION": RowError(
        400,
        "FAILED_PRECONDITION",
        "Service agents are being provisioned "
        "(https://cloud.google.com/vertex-ai/docs/general/access-control#service-agents). Service agents are needed to "
        "read the Cloud Storage file provided. So please try again in a few minutes.",
    ),
    "INTERNAL": RowError(500, "INTERNAL", "Internal error encountered."),
    "UNAVAILABLE": RowError(503, "UNAVAILABLE", "The service is currently unavailable."),
}
"""The row errors a fault script can name."""

CANCELLED = Status(1, "CANCELED")
SYSTEM_ERROR = Status(13, "System error. Please try this operation again.")
QUEUE_EXPIRED = Status(4, "The job waited too long for capacity and expired.")


def bucket_missing(bucket: str) -> Status:
    """Why a job ends that names a bucket the service cannot see."""
    return Status(
        9,
        f"Failed to get GCS bucket location for {bucket}. "
        "Please check that the bucket exists and permissions are set correctly.",
    )


def import_failed(reason: str) -> Status:
    """Why a job ends whose input breaks an import rule."""
    return Status(
        3,
        f"Failed to import data. Please check 'Prepare input' section of the batch predictions documentation. {reason}",
    )
