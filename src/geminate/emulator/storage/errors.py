"""Refusals in the shape and, where it is known, the words of Cloud Storage's JSON API (documentation of 2026-11)."""

from __future__ import annotations

from http import HTTPStatus


class StorageError(Exception):
    """A call that is refused.

    Args:
        code: The HTTP status.
        reason: The API's name for why.
        message: What is wrong.
    """

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message

    def document(self) -> dict[str, object]:
        """The body of the answer."""
        errors = [{"message": self.message, "domain": "global", "reason": self.reason}]
        return {"error": {"code": self.code, "message": self.message, "errors": errors}}


_REASONS = {
    400: "invalid",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    408: "uploadBrokenConnection",
    409: "conflict",
    410: "gone",
    429: "rateLimitExceeded",
    500: "backendError",
    502: "badGateway",
    503: "backendError",
    504: "gatewayTimeout",
}


def struck(code: int) -> StorageError:
    """What a fault script's status looks like."""
    return StorageError(code, _REASONS.get(code, "backendError"), HTTPStatus(code).phrase)


def invalid(message: str) -> StorageError:
    """A call that is wrong in itself."""
    return StorageError(400, "invalid", message)


def not_emulated(what: str) -> StorageError:
    """A call that the service would take."""
    return StorageError(400, "invalid", f"This is the Geminate emulator: {what}.")


def no_bucket() -> StorageError:
    """A bucket that is not there."""
    return StorageError(404, "notFound", "The specified bucket does not exist.")


def no_object(bucket: str, name: str) -> StorageError:
    """An object that is not there, or no longer in this generation."""
    return StorageError(404, "notFound", f"No such object: {bucket}/{name}")


def condition_not_met() -> StorageError:
    """A precondition that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold."
    return StorageError(412, "conditionNotMet", message)


def not_modified() -> StorageError:
    """A read that asked for something newer."""
    return StorageError(304, "notModified", "Not Modified")
