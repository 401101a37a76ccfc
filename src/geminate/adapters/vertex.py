"""Vertex AI batch prediction over plain REST, so that a create call is one request and no layer repeats it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import requests
from google.auth import exceptions as auth
from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession, Request
from requests.adapters import HTTPAdapter

from geminate.errors import AccessError, GeminateError, InputError, TransientError
from geminate.wire.times import decode_retry_after
from geminate.wire.uris import collection_name

_TIMEOUT_S = (10, 120)
_PAGE_SIZE = 100
# With 5xx, whoever sends them, they leave open what became of the call: format facts of 2026-11, google/rpc/code.proto.
_UNCLEAR_CODES = frozenset({408, 429, 499})
_MOST_WORDS = 1_000  # Characters of an error message; longer ones are pages of a proxy.


class VertexJobs:
    """A ``JobService`` over ``projects.locations.batchPredictionJobs``, v1.

    Args:
        endpoint: The base URL, without a path.
        project: The project's id or number.
        location: The location's name.
        credentials: Google's; refreshed before a create call, never during one.
    """

    def __init__(self, endpoint: str, project: str, location: str, credentials: Credentials) -> None:
        self._base = f"{endpoint.rstrip('/')}/v1/"
        self.project = project
        self._collection = collection_name(project, location)
        self._credentials = credentials
        self._session = _open_session(credentials)

    def close(self) -> None:
        """Nothing; the connections are closed."""
        self._session.close()

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The created job. One request on a connection of its own: a kept one may be dead, and then none would know."""
        with _open_session(self._credentials) as session:
            try:
                if not self._credentials.valid:
                    self._credentials.refresh(Request())
            except auth.GoogleAuthError as error:
                raise _no_credentials(error) from error
            return _checked(self._send(session, "POST", self._collection, json=dict(body)), self._collection)

    def get(self, job_name: str) -> dict[str, Any] | None:
        """The job as it is now, None where the service knows none of that name."""
        answer = self._call(self._session, "GET", job_name)
        return None if answer.status_code == HTTPStatus.NOT_FOUND else _checked(_document(answer), job_name)

    def list(self, filter_text: str) -> Iterator[dict[str, Any]]:
        """The jobs that match, newest first, page by page."""
        token = ""
        while True:
            query = {"filter": filter_text, "pageSize": str(_PAGE_SIZE), "pageToken": token}
            page = self._send(self._session, "GET", self._collection, params=query)
            found, last = page.get("batchPredictionJobs", []), token
            for job in found if isinstance(found, list) else [found]:
                yield _checked(job, self._collection)
            token = page.get("nextPageToken", "")
            if not token:
                return
            if token == last:
                raise TransientError("the list of jobs does not end", where=self._collection, remedy="try again")

    def cancel(self, job_name: str) -> None:
        """Nothing; the service ends the job in its own time."""
        if self._send(self._session, "POST", f"{job_name}:cancel", json={}):
            raise TransientError("the answer is not that of a cancel call", where=job_name, remedy="try again")

    def _send(self, session: requests.Session, method: str, path: str, **options: Any) -> dict[str, Any]:
        return _document(self._call(session, method, path, **options))

    def _call(self, session: requests.Session, method: str, path: str, **options: Any) -> requests.Response:
        url = self._base + path
        try:
            return session.request(method, url, timeout=_TIMEOUT_S, allow_redirects=False, **options)
        except auth.TransportError as error:
            raise TransientError("no answer from the sign-in service", where=url, remedy="try again") from error
        except auth.GoogleAuthError as error:
            raise _no_credentials(error) from error
        except requests.RequestException as error:
            raise TransientError(f"no answer ({type(error).__name__})", where=url, remedy="try again") from error


def _document(answer: requests.Response) -> dict[str, Any]:
    """What the service says, where it does not refuse."""
    if not answer.ok or answer.is_redirect:
        raise _error(answer)
    url = answer.url.partition("?")[0]
    try:
        document = answer.json()
    except requests.JSONDecodeError as error:
        raise TransientError("the answer is not JSON", where=url, remedy="try again") from error
    if not isinstance(document, dict):
        raise TransientError("the answer is not a JSON object", where=url, remedy="try again")
    return document


def _checked(job: Any, where: str) -> dict[str, Any]:
    """The job, if it can be one: a damaged answer must not pass for a job without a name."""
    if isinstance(job, dict) and job.get("name") and isinstance(job["name"], str):
        return job
    raise TransientError("the answer is not a job", where=where, remedy="try again")


def _open_session(credentials: Credentials) -> AuthorizedSession:
    # No status is retried after a refreshed token, and urllib3 repeats nothing.
    session = AuthorizedSession(credentials, refresh_status_codes=(), max_refresh_attempts=0)
    session.mount("https://", HTTPAdapter(max_retries=0))
    session.mount("http://", HTTPAdapter(max_retries=0))
    return session


def _no_credentials(error: Exception) -> AccessError:
    return AccessError(
        f"no usable Google credentials ({type(error).__name__})",
        remedy="sign in with gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
    )


def _error(answer: requests.Response) -> GeminateError:
    # What the service says stands apart from our own words, of which alone the ledger keeps a note.
    url, code, says = answer.url.partition("?")[0], answer.status_code, f"the service says: {_message(answer)}"
    if code in {401, 403}:
        return AccessError(f"the service refuses access ({code})", where=url, remedy=f"check the roles; {says}")
    if code in _UNCLEAR_CODES or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait_s = decode_retry_after(answer.headers.get("Retry-After", ""), answer.headers.get("Date", ""))
        remedy = f"try again; {says}"
        return TransientError(f"the service answered {code}", where=url, remedy=remedy, retry_after_s=wait_s)
    return InputError(f"the service refuses the request ({code})", where=url, remedy=says)


def _message(answer: requests.Response) -> str:
    """The service's own words, without our token should they repeat it, and no more of them than one reads."""
    try:
        message = str(answer.json()["error"]["message"])
    except (requests.JSONDecodeError, KeyError, TypeError):
        message = answer.reason or "nothing"
    token = str(answer.request.headers.get("authorization", "")).removeprefix("Bearer ")
    return (message.replace(token, "…") if token else message)[:_MOST_WORDS]
