"""One resumable upload to an object that must not exist, its checksum beside its last bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Self

import google_crc32c
import requests
from google.cloud import storage

from geminate import resumable
from geminate.adapters.gcs.failures import RETRY, SERVICE, TIMEOUT_S, refusal
from geminate.errors import TransientError

_ABSENT = 0  # As a precondition, generation 0 means that the object must not exist.


class Upload:
    """An upload under way; use it as a context, which gives it up unless it was finished.

    Args:
        blob: The object that shall be.
        uri: Its URI.
        content_type: What it is called when it is read over HTTP; None for bytes of no kind.
    """

    def __init__(self, blob: storage.Blob, uri: str, content_type: str | None = None) -> None:
        self._uri = uri
        self._checksum = google_crc32c.Checksum()
        self._done = False
        # Starting makes nothing visible, so it may be repeated.
        self._url = blob.create_resumable_upload_session(
            content_type=content_type or "application/octet-stream",
            if_generation_match=_ABSENT,
            checksum=None,
            retry=RETRY,
            timeout=TIMEOUT_S,
        )
        # The session's URL is its own credential, as it is for whoever is handed one.
        self._http = requests.Session()
        self._upload = resumable.Upload(
            resumable.Session(SERVICE, uri, self._put, self._refusal, lambda document: "generation" in document)
        )

    @property
    def crc32c(self) -> int:
        """The checksum of the bytes so far."""
        return int.from_bytes(self._checksum.digest(), "big")

    @property
    def size(self) -> int:
        """How many bytes there are so far."""
        return self._upload.size

    @property
    def doubtful(self) -> bool:
        """Whether a call of it had no clear end, so that a refusal may be of a repetition."""
        return self._upload.doubtful

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._http:
            if not self._done:
                # Politeness: an upload that nobody ends is no object, and the service forgets it after a week.
                with suppress(requests.RequestException):
                    self._http.delete(self._url, timeout=TIMEOUT_S)

    def send(self, pieces: Iterable[bytes]) -> dict[str, Any]:
        """The new object's resource. Memory is that of two blocks of 16 MiB and a piece.

        Raises:
            GeminateError: The service refuses, or did not answer for long.
        """
        resource = self._upload.send(self._iter_summed(pieces))
        self._done = True
        return resource

    def _iter_summed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._checksum.update(piece)
            yield piece

    def _put(self, rest: Any, headers: dict[str, str], is_last: bool) -> requests.Response:  # noqa: FBT001 - the port's
        if is_last:
            headers["x-goog-hash"] = f"crc32c={base64.b64encode(self._checksum.digest()).decode()}"
        return self._http.put(self._url, data=rest, headers=headers, timeout=TIMEOUT_S)

    def _refusal(self, answer: requests.Response) -> Exception:
        if answer.status_code == 400 and "crc32c" in answer.text.lower():
            return TransientError("the upload arrived damaged and was refused", where=self._uri, remedy="try again")
        return refusal(self._uri, answer.status_code)
