"""BigQuery's errors: in an HTTP answer, and in the status of a job that failed."""

from __future__ import annotations

from typing import Any

# The HTTP status that goes with a reason, from the error table of the BigQuery documentation, read 2026-11-22.
_CODES = {
    "accessDenied": (403, "PERMISSION_DENIED"),
    "bytesBilledLimitExceeded": (400, "INVALID_ARGUMENT"),
    "duplicate": (409, "ALREADY_EXISTS"),
    "invalid": (400, "INVALID_ARGUMENT"),
    "invalidQuery": (400, "INVALID_ARGUMENT"),
    "notFound": (404, "NOT_FOUND"),
    "notImplemented": (501, "UNIMPLEMENTED"),
    "resourceInUse": (400, "INVALID_ARGUMENT"),
    "backendError": (503, "UNAVAILABLE"),
    "internalError": (500, "INTERNAL"),
}


class BigQueryError(Exception):
    """What BigQuery refuses, with its reason and its words.

    Args:
        reason: A reason of the error table.
        message: What is wrong.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def code(self) -> int:
        """The HTTP status."""
        return _CODES[self.reason][0]

    @property
    def proto(self) -> dict[str, Any]:
        """The error as jobs carry it."""
        return {"reason": self.reason, "message": self.message}

    def document(self) -> dict[str, Any]:
        """The error as the body of an answer."""
        code, status = _CODES[self.reason]
        entry = {"message": self.message, "domain": "global", "reason": self.reason}
        return {"error": {"code": code, "message": self.message, "errors": [entry], "status": status}}


def not_found(what: str, name: str) -> BigQueryError:
    """The error about a dataset, table or job that is not there."""
    return BigQueryError("notFound", f"Not found: {what} {name}")


def not_emulated(what: str) -> BigQueryError:
    """The error about what only a larger emulator does."""
    message = (
        f"This is the Geminate emulator: {what}. For arbitrary SQL run local-bigquery and name it as the endpoint."
    )
    return BigQueryError("notImplemented", message)
