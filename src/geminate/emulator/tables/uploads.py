"""Media uploads: a job's description and its bytes in one request, or the bytes in several that can be resumed."""

from __future__ import annotations

import re
import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urlencode

import msgspec

from geminate.emulator.exchange import HttpReply, HttpRequest
from geminate.emulator.tables.errors import BigQueryError

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_RANGE = re.compile(r"bytes (?:(?P<start>\d+)-(?P<end>\d+)|\*)/(?P<total>\d+|\*)")

TakeMedia = Callable[[Any, IO[bytes]], dict[str, Any]]
"""What a finished upload is given to: the description and the file of the bytes; gives the answer's document."""


@dataclass(slots=True)
class _Session:
    description: Any
    file: IO[bytes]
    size: int = 0
    answer: dict[str, Any] | BigQueryError | None = None
    # A client that lost patience asks how far it is while its bytes are still being worked on.
    lock: threading.Lock = field(default_factory=threading.Lock)


class Uploads:
    """Uploads under way; they end with the process, as nothing else holds what they have brought."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Nothing; what unfinished uploads have brought is gone."""
        with self._lock:
            for session in self._sessions.values():
                session.file.close()
            self._sessions.clear()

    def answer(self, request: HttpRequest, take: TakeMedia) -> HttpReply:
        """The answer to one request of an upload.

        Raises:
            BigQueryError: It cannot be read, or the upload is unknown.
        """
        if request.query.get("uploadType") == "multipart":
            description, media = _split_multipart(request)
            with tempfile.TemporaryFile() as file:
                file.write(media)
                file.seek(0)
                return HttpReply.of_json(take(description, file))
        if "upload_id" not in request.query:
            return self._begin(request)
        with self._lock:
            session = self._sessions.get(request.query["upload_id"])
        if session is None:
            raise BigQueryError("notFound", "Not found: no such upload")
        with session.lock:
            return self._go_on(request, session, take)

    def _begin(self, request: HttpRequest) -> HttpReply:
        upload_id = secrets.token_urlsafe(24)
        session = _Session(_decode(request.body), tempfile.TemporaryFile())  # noqa: SIM115 - it lives as long as the upload
        with self._lock:
            self._sessions[upload_id] = session
        query = urlencode({**request.query, "upload_id": upload_id})
        return HttpReply(200, b"", {"Location": f"{request.base_url}{request.path}?{query}"})

    def _go_on(self, request: HttpRequest, session: _Session, take: TakeMedia) -> HttpReply:
        found = _RANGE.fullmatch(request.headers.get("content-range", f"bytes */{len(request.body)}"))
        if found is None:
            raise BigQueryError("invalid", "Invalid Content-Range")
        if session.answer is None:
            start = int(found["start"] or session.size)
            if start > session.size:
                raise BigQueryError("invalid", f"Upload continues at {session.size}, not at {start}")
            session.file.seek(start)
            session.file.write(request.body)
            session.size = max(session.size, start + len(request.body))
            if found["total"] == "*" or int(found["total"]) > session.size:
                headers = {"Range": f"bytes=0-{session.size - 1}"} if session.size else {}
                return HttpReply(308, b"", headers)
            session.file.seek(0)
            with session.file:
                try:
                    session.answer = take(session.description, session.file)
                except BigQueryError as error:
                    session.answer = error
        if isinstance(session.answer, BigQueryError):
            raise session.answer
        return HttpReply.of_json(session.answer)


def _split_multipart(request: HttpRequest) -> tuple[Any, bytes]:
    found = _BOUNDARY.search(request.headers.get("content-type", ""))
    if found is None:
        raise BigQueryError("invalid", "A multipart upload needs a boundary")
    delimiter = b"--" + found[1].encode()
    begin, middle, end = request.body.find(delimiter), -1, request.body.rfind(b"\r\n" + delimiter)
    middle = request.body.find(b"\r\n" + delimiter, begin + len(delimiter))
    if not 0 <= begin < middle < end:
        raise BigQueryError("invalid", "A multipart upload has two parts")
    description = _part(request.body[begin + len(delimiter) : middle])
    return _decode(description), _part(request.body[middle + 2 + len(delimiter) : end])


def _part(text: bytes) -> bytes:
    head, separator, body = text.partition(b"\r\n\r\n")
    del head
    if not separator:
        raise BigQueryError("invalid", "A part of a multipart upload has headers")
    return body


def _decode(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text or b"{}")
    except msgspec.DecodeError as error:
        raise BigQueryError("invalid", f"Invalid JSON payload received. {error}") from None
