"""Names of places: ``gs://`` objects, models, and the host that serves a location."""

from __future__ import annotations

import re

from geminate.errors import InputError

GS_SCHEME = "gs://"
BQ_SCHEME = "bq://"
BQ_QUERY_SCHEME = "bq:"
"""What stands before a table's URI without its slashes, or before the SQL of a query."""


# The naming rules of Cloud Storage, https://cloud.google.com/storage/docs/buckets (2026-11).
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_BQ_PART = re.compile(r"[^\s./`:][^\s./`]*")
_MODEL_ID = re.compile(r"[\w.-]+(@[\w.-]+)?")
_MODEL_NAME = re.compile(
    r"(?:projects/[^/\s]+/locations/(?P<location>[^/\s]+)/(?P<publisher>publishers/[^/\s]+/)?|publishers/[^/\s]+/)"
    r"models/[^/\s]+"
)
# Locations that are not a region have hosts of their own (format facts of 2026-11).
_SPECIAL_HOSTS = {
    "global": "aiplatform.googleapis.com",
    "us": "aiplatform.us.rep.googleapis.com",
    "eu": "aiplatform.eu.rep.googleapis.com",
}


def split_gs_uri(uri: str) -> tuple[str, str]:
    """The bucket and the object name, which is empty for a bucket alone.

    Raises:
        InputError: It is not ``gs://bucket/name``.
    """
    bucket, _, name = uri.removeprefix(GS_SCHEME).partition("/")
    if not uri.startswith(GS_SCHEME):
        raise InputError("not a Cloud Storage URI", where=uri, remedy="write it as gs://bucket/name")
    if not _BUCKET.fullmatch(bucket):
        remedy = "write gs://bucket/name; a bucket's name has 3 to 222 of a-z 0-9 . _ -"
        raise InputError(f"no bucket is called {bucket!r}", where=uri, remedy=remedy)
    return bucket, name


def split_bq_uri(uri: str, parts: tuple[int, ...] = (2, 3)) -> list[str]:
    """The project, the dataset and, if there, the table.

    Args:
        uri: ``bq://project.dataset.table`` or ``bq://project.dataset``.
        parts: How many names there may be.

    Raises:
        InputError: It is neither, or not of as many names.
    """
    names = uri.removeprefix(BQ_SCHEME).split(".")
    if not uri.startswith(BQ_SCHEME) or len(names) not in parts or not all(map(_BQ_PART.fullmatch, names)):
        wanted = " or ".join(BQ_SCHEME + ".".join(("project", "dataset", "table")[:count]) for count in parts)
        raise InputError("not a BigQuery URI that will do here", where=uri, remedy=f"write it as {wanted}")
    return names


def join_uri(prefix_uri: str, *names: str) -> str:
    """The URI of a name below a prefix."""
    return "/".join([prefix_uri.rstrip("/"), *names])


def service_endpoint(location: str) -> str:
    """The base URL of Vertex AI for a location."""
    host = _SPECIAL_HOSTS.get(location, f"{location}-aiplatform.googleapis.com")
    return f"https://{host}"


def collection_name(project: str, location: str) -> str:
    """The resource name of a project's batch prediction jobs."""
    return f"projects/{project}/locations/{location}/batchPredictionJobs"


def model_name(model: str) -> str:
    """The model as a job names it: a bare id becomes the publisher's resource name, a resource name stays.

    Raises:
        InputError: It is neither.
    """
    if _MODEL_ID.fullmatch(model):
        return f"publishers/google/models/{model}"
    if _MODEL_NAME.fullmatch(model):
        return model
    raise InputError(
        "not a model that a job can name",
        where=model,
        remedy="give an id such as gemini-3.5-flash, publishers/google/models/ID, or projects/P/locations/L/models/ID",
    )


def tuned_model_location(model: str) -> str | None:
    """The location that a tuned model's resource name says, None for any other model."""
    found = _MODEL_NAME.fullmatch(model)
    return found["location"] if found and not found["publisher"] else None
