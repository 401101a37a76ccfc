"""The resumable uploads of Google's services, from pieces of any size, in calls of one size.

A session, then calls that each bring the next bytes, then one that brings the last (documentation of resumable uploads
of Cloud Storage and BigQuery, 2026-11). After a call without a clear end the session says how far it is, and the upload
goes on from there.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import requests
from google.auth.exceptions import TransportError

from geminate.errors import TransientError
from geminate.pauses import pause_for

TRANSIENT_CODES = frozenset({408, 429, 500, 502, 503, 504})
"""What asks to try again (documentation of the retry strategy of Cloud Storage, 2026-11)."""

BROKEN_CALLS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.JSONDecodeError,
    TransportError,
)
"""A call without an answer, or with one that breaks off or comes damaged."""

_BLOCK_BYTES = 16 * 1024 * 1024
"""What a call brings; the services want multiples of 256 KiB."""
_OVER = frozenset({404, 410})
"""Of a session that was there once, these say that it is over (documentation of resumable uploads, 2026-11)."""
_KEPT = re.compile(r"bytes=0-(\d+)")
_CONTINUE = 308
_MAX_FAILURES = 8
_FIRST_CEILING_S, _LAST_CEILING_S = 0.25, 16.0


class SessionOverError(TransientError):
    """The service knows an upload no more; its bytes have to be brought from the first one."""


class Patience:
    """Counts the failures of one piece of work, and waits a little longer after each.

    Args:
        service: Who fails.
        uri: What the work is about.
    """

    def __init__(self, service: str, uri: str) -> None:
        self._service = service
        self._uri = uri
        self.failures = 0

    def endure(self, why: str, cause: BaseException | None = None) -> None:
        """Nothing, after a pause.

        Raises:
            TransientError: That was one failure too many, or the work was given up.
        """
        self.failures += 1
        if self.failures >= _MAX_FAILURES:
            what = f"{self._service} failed {self.failures} times, the last time so: {why}"
            raise TransientError(what, where=self._uri, remedy="try again") from cause
        ceiling_s = min(_FIRST_CEILING_S * 2 ** (self.failures - 1), _LAST_CEILING_S)
        pause_for(random.random() * ceiling_s, self._uri)  # noqa: S311 jitter needs no secrecy


@dataclass(frozen=True, slots=True)
class Session:
    """One upload's place at a service, and what is the service's own about it.

    Attributes:
        service: What it is called.
        uri: What is being made there.
        put: Makes one call: its bytes, its headers, and whether it brings the last of them.
        refusal: The error that an answer means.
        is_made: Whether a document is that of what was made.
    """

    service: str
    uri: str
    put: Callable[[Any, dict[str, str], bool], requests.Response]
    refusal: Callable[[requests.Response], Exception]
    is_made: Callable[[dict[str, Any]], bool]


class Upload:
    """An upload under way.

    Args:
        session: Where to.

    Attributes:
        size: How many bytes it has so far.
        doubtful: Whether a call of it had no clear end, so that a refusal may be of a repetition.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.size = 0
        self.doubtful = False

    def send(self, pieces: Iterable[bytes]) -> dict[str, Any]:
        """The document of what was made. Memory is that of two blocks of 16 MiB and a piece.

        Raises:
            SessionOverError: The upload has to be begun anew.
            GeminateError: The service refuses, or did not answer for long, or the work was given up.
        """
        made = None
        for block, is_last in _iter_blocks(pieces):
            pause_for(0.0, self._session.uri)  # No call is made for who has given up.
            first, self.size = self.size, self.size + len(block)
            made = self._advance(block, first, is_last=is_last)
        return made or {}

    def _advance(self, block: bytes, first: int, *, is_last: bool) -> dict[str, Any] | None:
        """The document once all is there, None while more is to come; the block is kept either way."""
        uri = self._session.uri
        kept, patience, asking = first, Patience(self._session.service, uri), False
        while kept < self.size or is_last:
            # An empty view would travel without a length, in chunks.
            rest = b"" if asking else memoryview(block)[kept - first :] or b""
            answer = self._put(rest, kept, is_last=is_last)
            code = answer.status_code if isinstance(answer, requests.Response) else 0
            if isinstance(answer, requests.Response) and code in {200, 201}:
                made = self._made(answer)
                if made is not None:
                    return made
                patience.endure("the answer is no document of what was made")
            elif isinstance(answer, requests.Response) and code == _CONTINUE:
                now = _kept_bytes(answer)
                if not first <= now <= self.size:
                    raise TransientError("the upload lost bytes on the way", where=uri, remedy="try again")
                if now == kept and not asking:
                    patience.endure("no byte of a call was kept")
                kept, asking = now, False
                continue
            elif code in TRANSIENT_CODES or isinstance(answer, Exception):
                patience.endure(f"status {code}" if code else type(answer).__name__)
            elif code in _OVER:
                raise SessionOverError(
                    f"{self._session.service} knows the upload no more", where=uri, remedy="try again"
                )
            else:
                raise self._session.refusal(answer)
            self.doubtful = asking = True
        return None

    def _put(self, rest: Any, kept: int, *, is_last: bool) -> requests.Response | Exception:
        """The answer to the next bytes, or, where there are none, to the question how far the upload is."""
        total = str(self.size) if is_last else "*"
        headers = {"Content-Range": f"bytes {kept}-{kept + len(rest) - 1}/{total}" if rest else f"bytes */{total}"}
        try:
            return self._session.put(rest, headers, is_last)
        except (requests.RequestException, TransportError) as error:
            return error

    def _made(self, answer: requests.Response) -> dict[str, Any] | None:
        try:
            document = answer.json()
        except requests.JSONDecodeError:
            return None
        return document if isinstance(document, dict) and self._session.is_made(document) else None


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
