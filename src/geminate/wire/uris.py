"""Names of places: ``gs://`` objects, models, and the host that serves a location."""

from __future__ import annotations

import re

from geminate.errors import InputError

GS_SCHEME = "gs://"
BQ_SCHEME = "bq://"

# The naming rules of Cloud Storage, https://cloud.google.com/storage/docs/buckets (2026-11).
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
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
    if not uri.startswith(GS_SCHEME) or not _BUCKET.fullmatch(bucket):
        raise InputError("not a Cloud Storage URI", where=uri, remedy="write it as gs://bucket/name")
    return bucket, name


def join_uri(prefix_uri: str, *names: str) -> str:
    """The URI of a name below a prefix."""
    return "/".join([prefix_uri.rstrip("/"), *names])


def service_endpoint(location: str) -> str:
    """The base URL of Vertex AI for a location."""
    host = _SPECIAL_HOSTS.get(location, f"{location}-aiplatform.googleapis.com")
    return f"https://{host}"


def model_name(model: str) -> str:
    """The model as a job names it: a bare id becomes the publisher's resource name, any other name stays."""
    return model if "/" in model else f"publishers/google/models/{model}"
