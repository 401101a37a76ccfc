"""One resumable upload, from pieces of any size to an object.

The protocol is Cloud Storage's: a session, then calls that each bring the next bytes, then one that brings the last
(documentation of resumable uploads, 2026-11). After a call without a clear end the session says how far it is, and the
upload goes on from there. The session's URL is its own credential, as it is for whoever is handed one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Self

import google_crc32c
import requests
from google.cloud import storage

from geminate.adapters.gcs.failures import RETRY, TIMEOUT_S, TRANSIENT_CODES, Patience, refusal
from geminate.errors import TransientError

_BLOCK_BYTES = 16 * 1024 * 1024
"""What a call brings; the service wants multiples of 256 KiB."""
_ABSENT = 0  # As a precondition, generation 0 means that the object must not exist.
_KEPT = re.compile(r"bytes=0-(\d+)")
_CONTINUE = 308


class Upload:
    """An upload under way; use it as a context, which gives it up unless it was finished.

    Args:
        blob: The object that shall be.
        uri: Its URI.
        content_type: What it is called when it is read over HTTP; None for bytes of no kind.

    Attributes:
        crc32c: The checksum of the bytes so far.
        size: How many they are.
        doubtful: Whether a call of it had no clear end, so that a refusal may be of a repetition.
    """

    def __init__(self, blob: storage.Blob, uri: str, content_type: str | None = None) -> None:
        self._uri = uri
        self._checksum = google_crc32c.Checksum()
        self.size = 0
        self.doubtful = False
        self._done = False
        # Starting makes nothing visible, so it may be repeated.
        self._url = blob.create_resumable_upload_session(
            content_type=content_type or "application/octet-stream",
            if_generation_match=_ABSENT,
            checksum=None,
            retry=RETRY,
            timeout=TIMEOUT_S,
        )
        self._session = requests.Session()

    @property
    def crc32c(self) -> int:
        """The checksum of the bytes so far."""
        return int.from_bytes(self._checksum.digest(), "big")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._session:
            if not self._done:
                # Politeness: an upload that nobody ends is no object, and the service forgets it after a week.
                with suppress(requests.RequestException):
                    self._session.delete(self._url, timeout=TIMEOUT_S)

    def send(self, pieces: Iterable[bytes]) -> dict[str, Any]:
        """The new object's resource. Memory is that of two blocks of 16 MiB and a piece.

        Raises:
            GeminateError: The service refuses, or did not answer for long.
        """
        for block, is_last in _iter_blocks(pieces):
            first, self.size = self.size, self.size + len(block)
            self._checksum.update(block)
            resource = self._advance(block, first, is_last=is_last)
        self._done = True
        return resource or {}

    def _advance(self, block: bytes, first: int, *, is_last: bool) -> dict[str, Any] | None:
        """The resource once the whole object is there, None while more is to come; the block is kept either way."""
        kept, patience, asking = first, Patience(self._uri), False
        while kept < self.size or is_last:
            rest = b"" if asking else memoryview(block)[kept - first :]
            answer = self._put(rest, kept, is_last=is_last)
            code = 0 if isinstance(answer, requests.RequestException) else answer.status_code
            if isinstance(answer, requests.Response) and code in {200, 201}:
                resource = _resource(answer)
                if resource is not None:
                    return resource
                patience.endure("the answer is no object's resource")
            elif isinstance(answer, requests.Response) and code == _CONTINUE:
                now = _kept_bytes(answer)
                if not first <= now <= self.size:
                    raise TransientError("the upload lost bytes on the way", where=self._uri, remedy="try again")
                if now == kept and not asking:
                    patience.endure("no byte of a call was kept")
                kept, asking = now, False
                continue
            elif code in TRANSIENT_CODES or isinstance(answer, requests.RequestException):
                patience.endure(f"status {code}" if code else type(answer).__name__)
            else:
                raise self._refusal(answer)
            self.doubtful = asking = True
        return None

    def _put(self, rest: Any, kept: int, *, is_last: bool) -> requests.Response | requests.RequestException:
        """The answer to the next bytes, or, where there are none, to the question how far the upload is."""
        total = str(self.size) if is_last else "*"
        headers = {"Content-Range": f"bytes {kept}-{kept + len(rest) - 1}/{total}" if rest else f"bytes */{total}"}
        if is_last:
            headers["x-goog-hash"] = f"crc32c={base64.b64encode(self._checksum.digest()).decode()}"
        try:
            return self._session.put(self._url, data=rest, headers=headers, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            return error

    def _refusal(self, answer: requests.Response) -> Exception:
        if answer.status_code == 400 and "crc32c" in answer.text.lower():
            return TransientError("the upload arrived damaged and was refused", where=self._uri, remedy="try again")
        return refusal(self._uri, answer.status_code)


def _iter_blocks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Blocks of one size, the last of them shorter and told from the others; there is at least one."""
    waiting: list[bytes | memoryview] = []
    room = _BLOCK_BYTES
    for piece in pieces:
        rest: bytes | memoryview = piece
        while len(rest) > room:
            yield b"".join([*waiting, rest[:room]]), False
            rest, waiting, room = memoryview(rest)[room:], [], _BLOCK_BYTES
        if rest:
            waiting.append(rest)
            room -= len(rest)
    yield b"".join(waiting), True


def _kept_bytes(answer: requests.Response) -> int:
    found = _KEPT.fullmatch(answer.headers.get("Range", ""))
    return int(found[1]) + 1 if found else 0


def _resource(answer: requests.Response) -> dict[str, Any] | None:
    try:
        document = answer.json()
    except requests.JSONDecodeError:
        return None
    return document if isinstance(document, dict) and "generation" in document else None
