"""What goes wrong between here and Cloud Storage: whose fault it is, and when to try again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import requests
import urllib3
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import InvalidResponse

from geminate.errors import AccessError, GeminateError, InputError, TargetError, TransientError
from geminate.pauses import is_given_up
from geminate.resumable import BROKEN_CALLS, TRANSIENT_CODES

SERVICE = "Cloud Storage"


def _is_passing(error: Any) -> bool:
    if is_given_up():
        return False
    if isinstance(error, api.GoogleAPICallError | InvalidResponse):
        return code_of(error) in TRANSIENT_CODES
    return isinstance(error, (*BROKEN_CALLS, urllib3.exceptions.HTTPError, ConnectionError))


RETRY = Retry(initial=0.25, maximum=16, multiplier=2, timeout=120, predicate=_is_passing)
"""For calls that may be repeated: those that only read, those that make nothing visible, and deletes of one version."""
TIMEOUT_S = (10, 60)
"""For a connection, and for each silence on it."""
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, auth.TransportError)
"""What a connection that failed looks like; raw downloads let urllib3's own errors through."""


@contextmanager
def errors_about(uri: str) -> Iterator[None]:
    """A block of calls, whose failures become errors of ours about that URI."""
    try:
        yield
    except (api.GoogleAPICallError, InvalidResponse) as error:
        raise refusal(uri, code_of(error)) from error
    except (api.RetryError, *BROKEN) as error:
        raise TransientError("Cloud Storage did not answer", where=uri, remedy="try again") from error
    except auth.GoogleAuthError as error:
        raise refusal(uri, HTTPStatus.UNAUTHORIZED) from error


def code_of(error: Any) -> int:
    """The HTTP status of a failure; the start of an upload raises another kind than all other calls."""
    return int(error.response.status_code if isinstance(error, InvalidResponse) else error.code or 0)


def refusal(uri: str, code: int) -> GeminateError:
    """The error that an HTTP status means."""
    if code == HTTPStatus.PRECONDITION_FAILED:
        return TargetError("the object exists already, or changed meanwhile", where=uri)
    if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        remedy = "check the credentials and the roles on the bucket"
        return AccessError("Cloud Storage refuses access", where=uri, remedy=remedy)
    if code == HTTPStatus.NOT_FOUND:
        return InputError("no such bucket or object", where=uri, remedy="check the name")
    if 400 <= code < 500 and code not in TRANSIENT_CODES:
        return InputError(f"Cloud Storage refuses the request ({code})", where=uri)
    return TransientError(f"Cloud Storage answered {code}", where=uri, remedy="try again")
