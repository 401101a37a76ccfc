"""One load job under an id of its own: found where it was made before, else made by one resumable upload."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from google.api_core import exceptions as api
from google.cloud import bigquery

from geminate import resumable
from geminate.adapters.bigquery import failures
from geminate.wire.uris import BQ_SCHEME

_CONTENT_TYPE = "application/octet-stream"
_CALL_TIMEOUT_S = (10, 60)
"""For a connection, and for each silence on it."""
_MAX_SESSIONS = 3


@dataclass(frozen=True, slots=True)
class LoadJob:
    """A load job that may have been made before.

    Attributes:
        uri: The new table.
        job_id: The job's id, which BigQuery lets be used once.
        project: Where it runs.
        location: Where the table's dataset lies.
        settings: What it loads, and how.
    """

    uri: str
    job_id: str
    project: str
    location: str
    settings: bigquery.LoadJobConfig

    def document(self) -> dict[str, Any]:
        """The job as it is inserted."""
        reference = {"projectId": self.project, "jobId": self.job_id, "location": self.location}
        target = bigquery.TableReference.from_string(self.uri.removeprefix(BQ_SCHEME)).to_api_repr()
        load = {**self.settings.to_api_repr()["load"], "destinationTable": target}
        return {"jobReference": reference, "configuration": {"load": load}}


def find_job(client: bigquery.Client, load: LoadJob) -> Any:
    """The job of that id, None where there is none."""
    try:
        return client.get_job(load.job_id, location=load.location, retry=failures.RETRY, timeout=failures.TIMEOUT_S)
    except api.NotFound:
        return None


def make_load(client: bigquery.Client, load: LoadJob, lines: Callable[[], Iterable[bytes]]) -> Any:
    """The job as it has begun, or as it is where its id was used before.

    The lines go up in calls of 16 MiB; after one without a clear end the upload goes on where the service says,
    or is begun anew where it knows it no more. Google's client would hold 100 MiB for each call, several times over.
    """
    for _ in range(_MAX_SESSIONS - 1):
        with suppress(resumable.SessionOverError):
            return _upload_load(client, load, lines)
    return _upload_load(client, load, lines)


def _upload_load(client: bigquery.Client, load: LoadJob, lines: Callable[[], Iterable[bytes]]) -> Any:
    is_doubtful = False
    try:
        upload = resumable.Upload(_open_session(client, load))
        try:
            made = upload.send(lines())
        finally:
            is_doubtful = upload.doubtful
    except (api.GoogleAPICallError, resumable.SessionOverError) as error:
        # What is refused may be a repetition of what was done.
        found = find_job(client, load) if is_doubtful or isinstance(error, api.Conflict) else None
        if found is None:
            raise
        return found
    return bigquery.LoadJob.from_api_repr(made, client)


def await_job(job: Any) -> None:
    """Nothing, once the job has ended, be it well or not.

    Raises:
        GoogleAPICallError: A call failed, not the job.
    """
    try:
        job.result(retry=failures.RETRY)
    except api.GoogleAPICallError:
        if job.error_result is None:
            raise


def _open_session(client: bigquery.Client, load: LoadJob) -> resumable.Session:
    http, connection = client._http, client._connection  # noqa: SLF001 - as Google's own uploads reach them
    base_url = f"{connection.get_api_base_url_for_mtls()}/upload/bigquery/v2/projects/{load.project}/jobs"

    def begin() -> str:
        answer = http.post(
            base_url,
            params={"uploadType": "resumable"},
            headers={"X-Upload-Content-Type": _CONTENT_TYPE},
            json=load.document(),
            timeout=_CALL_TIMEOUT_S,
        )
        if not answer.ok:
            raise api.from_http_response(answer)
        return str(answer.headers["location"])

    def put(rest: Any, headers: dict[str, str], _: bool) -> requests.Response:  # noqa: FBT001 - the port's
        headers = {**headers, "Content-Type": _CONTENT_TYPE}
        answer: requests.Response = http.put(session_url, data=rest, headers=headers, timeout=_CALL_TIMEOUT_S)
        return answer

    # Beginning makes no job, so it may be repeated.
    session_url = failures.RETRY(begin)()
    return resumable.Session(
        failures.SERVICE, load.uri, put, api.from_http_response, lambda document: "jobReference" in document
    )
