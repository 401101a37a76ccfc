"""A call's body: taken from its connection piece by piece, with whatever a fault script does to it on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec

from geminate.emulator.storage.errors import StorageError, invalid

_PIECE_BYTES = 256 * 1024
_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
_MAX_MULTIPART_BYTES = 256 * 1024 * 1024
_BOUNDARY = re.compile(r'multipart/related\s*;.*boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))')


class Body:
    """The bytes that a call brings.

    Args:
        stream: The connection.
        length: How many bytes they are.

    Attributes:
        was_trapped: Whether a fault was set upon them.
    """

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self.length = length
        self._stream = stream
        self._left = length
        self.was_trapped = False
        self._trap: tuple[int, Callable[[], None]] | None = None

    def set_trap(self, after_bytes: int, spring: Callable[[], None]) -> None:
        """Nothing; that is called once so many bytes were taken, or all of them if they are fewer."""
        self.was_trapped = True
        self._trap = (min(after_bytes, self.length), spring)

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, to be taken once.

        Raises:
            ConnectionError: The caller hung up before the end.
            StorageError: What the trap does.
        """
        while self._left:
            taken = self.length - self._left
            room = self._trap[0] - taken if self._trap else self._left
            if room <= 0:
                self._spring()
                continue
            piece = self._stream.read(min(_PIECE_BYTES, self._left, room))
            if not piece:
                self._left = 0
                raise ConnectionResetError("the caller hung up")
            self._left -= len(piece)
            yield piece
        self._spring()

    def read_all(self, max_bytes: int = _MAX_DOCUMENT_BYTES) -> bytes:
        """All bytes at once.

        Raises:
            StorageError: 413, they are too many.
        """
        if self.length > max_bytes:
            raise StorageError(413, "uploadTooLarge", "The body is too large for this kind of call.")
        return b"".join(self)

    def read_document(self) -> dict[str, object]:
        """The JSON object that they are; no bytes are an empty one.

        Raises:
            StorageError: 400, they are none.
        """
        return _decode(self.read_all() or b"{}")

    def read_multipart(self, content_type: str) -> tuple[dict[str, object], bytes]:
        """The resource and the media of a multipart upload; what the media part says of its type is in the resource.

        Raises:
            StorageError: 400, they are not two parts.
        """
        found = _BOUNDARY.match(content_type)
        if not found:
            raise invalid("A multipart upload needs a Content-Type of multipart/related with a boundary.")
        boundary = b"--" + (found[1] or found[2]).encode()
        # The line feed before the first boundary makes all of them alike.
        parts = (b"\r\n" + self.read_all(_MAX_MULTIPART_BYTES)).split(b"\r\n" + boundary)
        if len(parts) != 4 or not parts[3].startswith(b"--"):
            raise invalid("A multipart upload has two parts: the resource, then the media.")
        (_, described), (headers, media) = _split_part(parts[1]), _split_part(parts[2])
        resource = _decode(described)
        media_type = re.search(rb"(?im)^content-type:\s*([^\r\n]+)", headers)
        if media_type:
            resource.setdefault("contentType", media_type[1].decode("latin-1").strip())
        return resource, media

    def drain(self) -> None:
        """Nothing; the connection is ready for the next call, or at its end."""
        while self._left:
            piece = self._stream.read(min(_PIECE_BYTES, self._left))
            self._left = self._left - len(piece) if piece else 0

    def _spring(self) -> None:
        if self._trap:
            spring, self._trap = self._trap[1], None
            spring()


def _split_part(part: bytes) -> tuple[bytes, bytes]:
    headers, _, content = part.partition(b"\r\n\r\n")
    return headers, content


def _decode(text: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"Parse Error: {error}") from None
