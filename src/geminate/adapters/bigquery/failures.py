"""What goes wrong between here and BigQuery: whose fault it is, and when to try again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import requests.exceptions
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth import exceptions as auth

from geminate.errors import AccessError, GeminateError, InputError, TargetError, TransientError
from geminate.pauses import is_given_up
from geminate.resumable import BROKEN_CALLS, TRANSIENT_CODES

SERVICE = "BigQuery"
TIMEOUT_S = 60.0
PASSING = frozenset(
    [
        "backendError",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
        "stopped",
        "tableUnavailable",
        "timeout",
    ]
)
"""Reasons of a failed job after which another one may succeed, some of them with the status 403.

By the error table of the BigQuery documentation, read 2026-11-22.
"""


@contextmanager
def errors_about(uri: str) -> Iterator[None]:
    """A block of calls, whose failures become errors of ours about that URI."""
    try:
        yield
    except api.GoogleAPICallError as error:
        details = _details(error)
        message = str(details.get("message") or error.message)
        raise refusal(uri, str(details.get("reason", "")), int(error.code or 0), message) from error
    except auth.DefaultCredentialsError as error:
        raise refusal(uri, "accessDenied") from error
    except (api.RetryError, auth.TransportError, requests.exceptions.RequestException) as error:
        raise TransientError("BigQuery did not answer", where=uri, remedy="try again") from error


def refusal(uri: str, reason: str, code: int = 0, message: str = "") -> GeminateError:
    """The error that a reason or, without a known one, an HTTP status means."""
    if reason in PASSING or _is_passing_code(code):
        return TransientError(f"BigQuery answered {reason or code}", where=uri, remedy="try again")
    if reason == "quotaExceeded":
        return TransientError("a quota of BigQuery is used up", where=uri, remedy="try again when there is more of it")
    if reason == "accessDenied" or code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        remedy = "check the credentials, and the roles BigQuery Data Editor and Job User"
        return AccessError("BigQuery refuses access", where=uri, remedy=remedy)
    if reason == "duplicate" or code == HTTPStatus.CONFLICT:
        return TargetError("the table exists already, and has rows", where=uri, remedy="name another, or remove it")
    if reason == "notFound" or code == HTTPStatus.NOT_FOUND:
        return InputError("no such dataset or table", where=uri, remedy="check the name, and make the dataset first")
    return InputError(f"BigQuery refuses the request: {message.strip().rstrip('.')}", where=uri)


def _is_passing(error: Any) -> bool:
    if is_given_up():
        return False
    if isinstance(error, api.GoogleAPICallError):
        return _details(error).get("reason") in PASSING or int(error.code or 0) in TRANSIENT_CODES
    return isinstance(error, BROKEN_CALLS)


def _is_passing_code(code: int) -> bool:
    passing = code >= 500 or code in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
    return passing and code != HTTPStatus.NOT_IMPLEMENTED


def _details(error: Any) -> dict[str, Any]:
    details = error.errors[0] if error.errors else {}
    return details if isinstance(details, dict) else {}


RETRY = Retry(timeout=TIMEOUT_S, predicate=_is_passing)
"""For calls that may be repeated: those that only read, and those whose job has an id of its own."""
