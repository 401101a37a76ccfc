"""An object's bytes on their way out: the whole, a range, or decompressed for who cannot."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from geminate.emulator.storage.errors import StorageError, no_object
from geminate.emulator.storage.objects import StoredObject
from geminate.emulator.storage.ranges import read_range
from geminate.emulator.storage.resources import etag

_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Media:
    """Bytes of an open file, to be sent once.

    Attributes:
        file: The file; it is closed once they are sent.
        start: The first byte.
        length: How many there are.
        code: 200, or 206 for a part of the object.
        headers: What is said of them.
    """

    file: IO[bytes]
    start: int
    length: int
    code: int
    headers: dict[str, str]

    def __iter__(self) -> Iterator[bytes]:
        """The bytes in pieces."""
        self.file.seek(self.start)
        left = self.length
        while left and (piece := self.file.read(min(_PIECE_BYTES, left))):
            left -= len(piece)
            yield piece


def open_media(found: StoredObject, headers: Mapping[str, Any]) -> Media:
    """The bytes that a read with these headers gets.

    Raises:
        StorageError: 404, the object is gone meanwhile; 416, it has no such bytes.
    """
    try:
        file = found.path.open("rb")
    except FileNotFoundError:
        raise no_object(found.bucket, found.name) from None
    try:
        if os.fstat(file.fileno()).st_mtime_ns != found.generation:
            raise no_object(found.bucket, found.name)
        if _is_transcoded(found, str(headers.get("Accept-Encoding", ""))):
            return _decompressed(found, file)
        span = read_range(headers.get("Range"), found.size)
    except StorageError:
        file.close()
        raise
    said = _headers(found)
    if encoding := found.facts.fields.get("contentEncoding"):
        said["Content-Encoding"] = encoding
    if span is None:
        return Media(file, 0, found.size, 200, said)
    start, stop = span
    return Media(file, start, stop - start, 206, {**said, "Content-Range": f"bytes {start}-{stop - 1}/{found.size}"})


def _is_transcoded(found: StoredObject, accepted: str) -> bool:
    """Whether the service would decompress (documentation of transcoding, 2026-11)."""
    fields = found.facts.fields
    kept = "no-transform" in fields.get("cacheControl", "") or "gzip" in accepted
    return fields.get("contentEncoding") == "gzip" and not kept


def _decompressed(found: StoredObject, file: IO[bytes]) -> Media:
    # A range of decompressed bytes is not served; the whole object comes instead.
    out = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed once it is sent
    with file, gzip.open(file) as stream:
        try:
            shutil.copyfileobj(stream, out)
        except (OSError, EOFError, zlib.error):
            out.close()
            raise StorageError(503, "backendError", "The object says that it is gzip, and is not.") from None
    return Media(out, 0, out.tell(), 200, {**_headers(found), "Warning": "214 UploadServer gunzipped"})


def _headers(found: StoredObject) -> dict[str, str]:
    fields = found.facts.fields
    said = {
        "Content-Type": fields.get("contentType", "application/octet-stream"),
        "ETag": f'"{etag(found)}"',
        "x-goog-generation": str(found.generation),
        "x-goog-metageneration": str(found.facts.metageneration),
        "x-goog-hash": found.checksums().header(),
        "x-goog-stored-content-length": str(found.size),
        "x-goog-stored-content-encoding": fields.get("contentEncoding", "identity"),
        "x-goog-storage-class": "STANDARD",
    }
    return {**said, **({"Cache-Control": fields["cacheControl"]} if "cacheControl" in fields else {})}
