"""From where a run lives to the adapters that reach it, each imported on use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geminate.errors import AccessError, UsageError
from geminate.ports import JobService, ObjectStore, TableStore
from geminate.wire.uris import collection_name, service_endpoint

if TYPE_CHECKING:
    from google.cloud import storage

    from geminate.adapters.bigquery import BigQueryTables

DEFAULT_LOCATION = "global"
EMULATED_PROJECT = "emulated"
EMULATED_STAGING_URI = "gs://geminate-emulator"
# Google's own clients know them, too.
_BIGQUERY_HOST = "BIGQUERY_EMULATOR_HOST"
_STORAGE_HOST = "STORAGE_EMULATOR_HOST"
_BUCKETS = "buckets"  # The emulator's name for them, too.
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


@dataclass(frozen=True, slots=True)
class Where:
    """Where jobs run and buckets lie.

    Attributes:
        project: The Google Cloud project, None for the credentials' own.
        location: The location of the jobs.
        emulate: Whether the embedded emulator stands in for the service, and a folder for the buckets.
        endpoint: Another base URL for jobs, objects and tables, such as a running ``geminate emulate``.
        buckets_path: A folder that stands in for Cloud Storage.
        answerer: What answers in the embedded emulator, as ``module:function``; None for the built-in one.
        impersonate: The service account that calls are made as, None for the credentials' own.
        faults: What goes wrong in the embedded emulator: the path of a fault script.
    """

    project: str | None = None
    location: str = DEFAULT_LOCATION
    emulate: bool = False
    endpoint: str | None = None
    buckets_path: Path | None = None
    answerer: str | None = None
    impersonate: str | None = None
    faults: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether an emulator answers, so that nothing costs money and nothing takes hours."""
        return self.emulate or self.endpoint is not None


@dataclass(frozen=True, slots=True)
class Outside:
    """The adapters of one run; that of tables is opened when it is first asked for.

    Attributes:
        store: Reaches ``gs://``.
        jobs: The service.
        tables: Opens what reaches ``bq://``.
        project: The project that jobs are made in, be it named or the credentials' own.
    """

    store: ObjectStore
    jobs: JobService
    tables: Callable[[], TableStore]
    project: str


@contextmanager
def open_outside(where: Where, emulator_path: Path) -> Iterator[Outside]:
    """The adapters for a run; an embedded emulator lives as long as the context.

    Raises:
        AccessError: There are no usable credentials.
        UsageError: No project is named, and the credentials name none.
    """
    with ExitStack() as stack:
        if where.emulate:
            where = stack.enter_context(_embedded_emulator(where, emulator_path))
        jobs = _open_jobs(where)
        stack.callback(jobs.close)
        yield Outside(open_store(where), jobs, cache(lambda: _closed_by(stack, open_tables(where))), jobs.project)


def create_url(where: Where) -> str | None:
    """Where a create call goes, ``PROJECT`` in it where no project is named; None if the emulator is embedded."""
    if where.emulate:
        return None
    endpoint = where.endpoint or service_endpoint(where.location)
    project = where.project or (EMULATED_PROJECT if where.endpoint else "PROJECT")
    return f"{endpoint.rstrip('/')}/v1/{collection_name(project, where.location)}"


def open_store(where: Where, emulator_path: Path | None = None) -> ObjectStore:
    """The store behind ``gs://``: a folder where one stands in, another server if one is named, else Cloud Storage.

    Args:
        where: Where the run lives.
        emulator_path: The folder of the run's embedded emulator, if it may have one.

    Raises:
        AccessError: There are no usable credentials.
    """
    buckets_path = where.buckets_path
    if where.emulate and emulator_path is not None:
        buckets_path = emulator_path / _BUCKETS
    if buckets_path is not None:
        from geminate.adapters.folder import FolderStore

        return FolderStore(buckets_path)
    from geminate.adapters.gcs import GcsStore

    return GcsStore(_open_storage_client(where))


def _open_storage_client(where: Where) -> storage.Client:
    """Google's client: of another server where the environment or an endpoint names one, else of Cloud Storage."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    endpoint = os.environ.get(_STORAGE_HOST) or where.endpoint
    if endpoint is not None:
        project, options = where.project or EMULATED_PROJECT, {"api_endpoint": endpoint}
        return storage.Client(project, credentials=AnonymousCredentials(), client_options=options)
    credentials, _ = _open_credentials(where)
    return storage.Client(where.project, credentials=credentials)


def open_tables(where: Where) -> BigQueryTables:
    """The store behind ``bq://``: another server where the environment or an endpoint names one, else BigQuery.

    Only BigQuery itself is asked for the Storage Read API, and only if its client is installed.

    Raises:
        AccessError: There are no usable credentials.
    """
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    from geminate.adapters.bigquery import BigQueryTables, open_read_client

    endpoint = os.environ.get(_BIGQUERY_HOST) or where.endpoint
    if endpoint is not None:
        project = where.project or EMULATED_PROJECT
        options = {"api_endpoint": endpoint}
        return BigQueryTables(bigquery.Client(project, credentials=AnonymousCredentials(), client_options=options))
    credentials, own_project = _open_credentials(where)
    client = bigquery.Client(_project(where, own_project), credentials=credentials)
    return BigQueryTables(client, open_read_client(client))


def _closed_by(stack: ExitStack, tables: BigQueryTables) -> BigQueryTables:
    stack.callback(tables.close)
    return tables


def locate_bucket(where: Where, bucket_uri: str) -> str | None:
    """The location of a bucket; None where a folder stands in for it, or the caller may not know."""
    if where.emulate or where.buckets_path is not None:
        return None
    from geminate.adapters.gcs import read_bucket_location

    return read_bucket_location(_open_storage_client(where), bucket_uri)


@contextmanager
def _embedded_emulator(where: Where, emulator_path: Path) -> Iterator[Where]:
    from geminate.emulator import Emulator, EmulatorOptions

    options = EmulatorOptions(
        answerer=where.answerer,
        faults=where.faults,
        bigquery_endpoint=os.environ.get(_BIGQUERY_HOST),
        new_dataset_location=where.location,
    )
    with Emulator(emulator_path, options) as emulator:
        yield Where(
            project=where.project or EMULATED_PROJECT,
            location=where.location,
            endpoint=emulator.url,
            buckets_path=emulator.buckets,
        )


def _open_jobs(where: Where) -> Any:
    from geminate.adapters.vertex import VertexJobs

    if where.endpoint is not None:
        from google.oauth2.credentials import Credentials

        project = where.project or EMULATED_PROJECT
        return VertexJobs(where.endpoint, project, where.location, Credentials(token="emulated"))  # noqa: S106 an emulator takes any
    credentials, own_project = _open_credentials(where)
    return VertexJobs(service_endpoint(where.location), _project(where, own_project), where.location, credentials)


def _open_credentials(where: Where) -> tuple[Any, str | None]:
    """google-auth's default credentials, perhaps to act as a service account, and the project that they name."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        credentials, own_project = google.auth.default(scopes=_SCOPES)
    except DefaultCredentialsError as error:
        raise _no_credentials() from error
    if where.impersonate is not None:
        from google.auth import impersonated_credentials

        credentials = impersonated_credentials.Credentials(credentials, where.impersonate, list(_SCOPES))
    return credentials, own_project


def _project(where: Where, own_project: str | None) -> str:
    project = where.project or own_project
    if not project:
        raise UsageError("no project is named, and the credentials name none", remedy="give --project")
    return project


def _no_credentials() -> AccessError:
    return AccessError(
        "no Google credentials",
        remedy="sign in with gcloud auth application-default login, set GOOGLE_APPLICATION_CREDENTIALS, "
        "or rehearse with --emulate",
    )
