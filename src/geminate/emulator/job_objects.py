"""The objects that jobs read and write: files in the folder of the buckets, or another server's by Google's client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any


class JobObjects:
    """Reaches the objects.

    Args:
        buckets: The folder of the buckets.
        endpoint: The base URL of the server that has them instead; None for the folder.
    """

    def __init__(self, buckets: Path, endpoint: str | None) -> None:
        self._buckets = buckets
        self._endpoint = endpoint

    def has_bucket(self, uri: str) -> bool:
        """Whether the bucket of a URI is there."""
        bucket, _ = _split(uri)
        if self._endpoint is None:
            return (self._buckets / bucket).is_dir()
        with self._client() as client:
            return bool(client.bucket(bucket).exists())

    def place(self, uri: str, copy: Path) -> Path:
        """The file that stands for an object or a prefix: its own in the folder, else the copy."""
        # Create calls refuse URIs that would leave their bucket.
        return self._buckets / uri.removeprefix("gs://") if self._endpoint is None else copy

    def fetch(self, uri: str, copy: Path) -> None:
        """Nothing; a copy is made where one is needed, if the object is there."""
        if self._endpoint is None:
            return
        from google.api_core.exceptions import NotFound

        bucket, name = _split(uri)
        with self._client() as client:
            try:
                client.bucket(bucket).blob(name).download_to_filename(copy, raw_download=True)
            except NotFound:
                copy.unlink(missing_ok=True)

    def show(self, written: Path, directory: Path, directory_uri: str, name: str) -> None:
        """Nothing; a finished file is an object of that name below the URI, and no longer what it was."""
        if self._endpoint is None:
            written.replace(directory / name)
            return
        bucket, prefix = _split(directory_uri)
        with self._client() as client:
            client.bucket(bucket).blob(f"{prefix}/{name}").upload_from_filename(written, if_generation_match=0)
        written.unlink()

    def clear(self, directory_uri: str) -> None:
        """Nothing; what an interrupted start of a job left on another server is gone."""
        if self._endpoint is None:
            return
        bucket, prefix = _split(directory_uri)
        with self._client() as client:
            for blob in list(client.list_blobs(bucket, prefix=f"{prefix}/")):
                blob.delete()

    @contextmanager
    def _client(self) -> Iterator[Any]:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        options = {"api_endpoint": self._endpoint}
        with closing(storage.Client("emulated", credentials=AnonymousCredentials(), client_options=options)) as client:
            yield client


def _split(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name.rstrip("/")
