"""Cloud Storage through google-cloud-storage, every write and read pinned by a precondition."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import google_crc32c
import requests.exceptions
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from geminate.errors import AccessError, GeminateError, InputError, TargetError, TransientError
from geminate.ports import ObjectInfo
from geminate.wire.uris import GS_SCHEME, split_gs_uri

_PIECE_BYTES = 8 * 1024 * 1024
_ABSENT = 0  # As a precondition, generation 0 means that the object must not exist.


class GcsStore:
    """An ``ObjectStore`` over Cloud Storage. Never overwrites, never touches a version it was not shown.

    Args:
        client: Google's own client; ``STORAGE_EMULATOR_HOST`` works through it.
    """

    def __init__(self, client: storage.Client) -> None:
        self._client = client

    def write(self, uri: str, pieces: Iterable[bytes], content_type: str | None = None) -> ObjectInfo:
        """The new object: one resumable upload that succeeds only where the name is free, its checksum compared."""
        blob = self._blob(uri)
        checksum = google_crc32c.Checksum()
        with _errors_about(uri):
            stream = blob.open(
                "wb", content_type=content_type, chunk_size=_PIECE_BYTES, if_generation_match=_ABSENT, checksum=None
            )
            try:
                for piece in pieces:
                    checksum.update(piece)
                    stream.write(piece)
            except BaseException:
                # Closing would finish the upload, and make a half object visible.
                stream.terminate()
                raise
            stream.close()
            blob.reload()
        info = _info(blob)
        if info.crc32c != int.from_bytes(checksum.digest(), "big"):
            self.delete(info)
            raise TransientError("the upload arrived damaged and was removed", where=uri, remedy="try again")
        return info

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
        """The object's bytes by ranges of 8 MiB of the one generation; the whole is checked against its checksum."""
        bucket, name = split_gs_uri(info.uri)
        blob = self._client.bucket(bucket).blob(name, generation=info.generation)
        checksum = google_crc32c.Checksum()
        for begin in range(start, info.size, _PIECE_BYTES):
            end = min(begin + _PIECE_BYTES, info.size) - 1
            with _errors_about(info.uri):
                piece = blob.download_as_bytes(start=begin, end=end, raw_download=True, checksum=None)
            if len(piece) != end - begin + 1:
                raise TransientError("the store sent fewer bytes than asked for", where=info.uri, remedy="try again")
            checksum.update(piece)
            yield piece
        if start == 0 and info.crc32c is not None and info.crc32c != int.from_bytes(checksum.digest(), "big"):
            raise TransientError("the download arrived damaged", where=info.uri, remedy="try again")

    def list(self, prefix_uri: str) -> Iterator[ObjectInfo]:
        """The objects whose URI begins so, in the order of their names."""
        bucket, prefix = split_gs_uri(prefix_uri)
        with _errors_about(prefix_uri):
            for blob in self._client.list_blobs(bucket, prefix=prefix):
                if not blob.name.endswith("/"):
                    yield _info(blob)

    def stat(self, uri: str) -> ObjectInfo | None:
        """The object, None where there is none."""
        bucket, name = split_gs_uri(uri)
        with _errors_about(uri):
            blob = self._client.bucket(bucket).get_blob(name)
        return None if blob is None else _info(blob)

    def delete(self, info: ObjectInfo) -> None:
        """Nothing; a version other than the one named stays."""
        with _errors_about(info.uri):
            try:
                self._blob(info.uri).delete(if_generation_match=info.generation)
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


def _info(blob: Any) -> ObjectInfo:
    crc32c = None if blob.crc32c is None else int.from_bytes(base64.b64decode(blob.crc32c), "big")
    return ObjectInfo(f"{GS_SCHEME}{blob.bucket.name}/{blob.name}", blob.size, blob.generation, crc32c)


@contextmanager
def _errors_about(uri: str) -> Iterator[None]:
    try:
        yield
    except (api.GoogleAPICallError, InvalidResponse) as error:
        raise _error(uri, _code(error)) from error
    except auth.DefaultCredentialsError as error:
        raise _error(uri, HTTPStatus.UNAUTHORIZED) from error
    except DataCorruption as error:
        raise TransientError("the download arrived damaged", where=uri, remedy="try again") from error
    except (api.RetryError, auth.TransportError, requests.exceptions.RequestException) as error:
        raise TransientError("Cloud Storage did not answer", where=uri, remedy="try again") from error


def _code(error: Any) -> int:
    # Uploads and downloads raise another kind of error than all other calls, with the answer in it.
    return int(error.response.status_code if isinstance(error, InvalidResponse) else error.code or 0)


def _error(uri: str, code: int) -> GeminateError:
    if code == HTTPStatus.PRECONDITION_FAILED:
        return TargetError("the object exists already, or changed meanwhile", where=uri)
    if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        remedy = "check the credentials and the roles on the bucket"
        return AccessError("Cloud Storage refuses access", where=uri, remedy=remedy)
    if code == HTTPStatus.NOT_FOUND:
        return InputError("no such bucket or object", where=uri, remedy="check the name")
    if 400 <= code < 500 and code not in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
        return InputError(f"Cloud Storage refuses the request ({code})", where=uri)
    return TransientError(f"Cloud Storage answered {code}", where=uri, remedy="try again")
