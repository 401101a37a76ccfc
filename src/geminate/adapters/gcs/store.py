"""Objects of Cloud Storage, by the calls that the flow needs."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import requests.exceptions
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud import storage

from geminate.adapters.gcs.download import iter_ranges
from geminate.adapters.gcs.failures import RETRY, TIMEOUT_S, errors_about
from geminate.adapters.gcs.upload import Upload
from geminate.errors import InputError, TargetError, TransientError
from geminate.ports import ObjectInfo
from geminate.resumable import SessionOverError
from geminate.wire.uris import GS_SCHEME, split_gs_uri

_FIELDS = "items(name,bucket,size,generation,crc32c),nextPageToken"


class GcsStore:
    """An ``ObjectStore`` over Cloud Storage. Never overwrites, never touches a version it was not shown.

    Args:
        client: Google's own client; ``STORAGE_EMULATOR_HOST`` works through it.
    """

    def __init__(self, client: storage.Client) -> None:
        self._client = client

    def write(self, uri: str, pieces: Iterable[bytes], content_type: str | None = None) -> ObjectInfo:
        """The new object: one resumable upload that succeeds only where the name is free, its checksum compared.

        A call of it that fails is repeated from where the service says it is; if the last call is refused since the
        name is taken, and its answer may have been lost before, an object of these very bytes is taken for ours.
        Memory is that of two blocks of 16 MiB.
        """
        blob = self._blob(uri)
        with errors_about(uri), Upload(blob, uri, content_type) as upload:
            try:
                resource = upload.send(pieces)
            except (TargetError, SessionOverError):
                info = self.stat(uri) if upload.doubtful else None
                if info is None or (info.size, info.crc32c) != (upload.size, upload.crc32c):
                    raise
                return info
        # Not every server tells in the upload's answer what the object is.
        info = _info(blob, resource) if "crc32c" in resource else self.stat(uri)
        if info is None or (info.size, info.crc32c) != (upload.size, upload.crc32c):
            if info is not None:
                self.delete(info)
            raise TransientError("the upload arrived damaged and was removed", where=uri, remedy="try again")
        return info

    def read(self, info: ObjectInfo, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The object's bytes by ranges of 8 MiB of the one generation, a few ahead; all of them held to its checksum.

        Raises:
            DamageError: They came damaged; those of an object of up to 32 MiB are read again first.
        """
        bucket, name = split_gs_uri(info.uri)
        blob = self._client.bucket(bucket).blob(name, generation=info.generation)
        yield from iter_ranges(blob, info, start, stop)

    def list(self, prefix_uri: str) -> Iterator[ObjectInfo]:
        """The objects whose URI begins so, in the order of their names."""
        bucket, prefix = split_gs_uri(prefix_uri)
        with errors_about(prefix_uri):
            listed = self._client.list_blobs(bucket, prefix=prefix, fields=_FIELDS, retry=RETRY, timeout=TIMEOUT_S)
            for blob in listed:
                if not blob.name.endswith("/"):
                    yield _info(blob)

    def stat(self, uri: str) -> ObjectInfo | None:
        """The object, None where there is none."""
        bucket, name = split_gs_uri(uri)
        with errors_about(uri):
            blob = self._client.bucket(bucket).get_blob(name, retry=RETRY, timeout=TIMEOUT_S)
        return None if blob is None else _info(blob)

    def delete(self, info: ObjectInfo) -> None:
        """Nothing; a version other than the one named stays."""
        with errors_about(info.uri):
            try:
                self._blob(info.uri).delete(if_generation_match=info.generation, retry=RETRY, timeout=TIMEOUT_S)
            except (api.NotFound, api.PreconditionFailed):
                return

    def _blob(self, uri: str) -> Any:
        bucket, name = split_gs_uri(uri)
        if not name:
            raise InputError("a bucket, where an object is wanted", where=uri, remedy="add the object's name")
        return self._client.bucket(bucket).blob(name)


def read_bucket_location(client: storage.Client, bucket_uri: str) -> str | None:
    """The bucket's location as Cloud Storage writes it, None where it does not say."""
    try:
        location: str | None = client.get_bucket(split_gs_uri(bucket_uri)[0]).location
    except (api.GoogleAPICallError, api.RetryError, auth.GoogleAuthError, requests.exceptions.RequestException):
        # The right to read a bucket's metadata is often withheld, and nothing depends on it.
        return None
    return location


def _info(blob: storage.Blob, resource: dict[str, Any] | None = None) -> ObjectInfo:
    """What a blob says of itself, or an answer that has its resource."""
    said = resource or {"crc32c": blob.crc32c, "size": blob.size, "generation": blob.generation}
    crc32c = None if said.get("crc32c") is None else int.from_bytes(base64.b64decode(said["crc32c"]), "big")
    uri = f"{GS_SCHEME}{blob.bucket.name}/{blob.name}"
    return ObjectInfo(uri, int(said["size"]), int(said["generation"]), crc32c)
