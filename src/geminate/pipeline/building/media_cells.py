"""One cell that is a medium: read, told its type, made smaller, held against the limits, inlined or uploaded."""

from __future__ import annotations

import binascii
import codecs
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

import pyarrow as pa

from geminate.formats.images import SCALED_TYPES, Box, ImageFault, scale_image
from geminate.pipeline.building.uploads import Uploader, digest_of
from geminate.stages.checks.structure import FILE_URI_PATTERN
from geminate.stages.requests.media import MediaCell, Medium
from geminate.stages.requests.media_columns import MAX_INLINE_BYTES
from geminate.stages.specs import MediaOptions
from geminate.wire.limits import Limits
from geminate.wire.lines import DEFAULT_MAX_LINE_BYTES
from geminate.wire.media_types import HEAD_BYTES, MEDIA_KINDS, YOUTUBE_TYPE, find_type
from geminate.wire.uris import GS_SCHEME, split_gs_uri
from geminate.wire.violations import Violation

_MAX_SCALED_BYTES: Final = DEFAULT_MAX_LINE_BYTES
_PIECE_BYTES: Final = 1024 * 1024
_FILE_URI: Final = re.compile(FILE_URI_PATTERN)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|data:")


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done with the media of one slot.

    Attributes:
        options: What the spec says.
        limits: The limits of the model.
        upload_uri: Below which URI local media are stored; None to have them inline.
        uploader: What stores them.
    """

    options: MediaOptions
    limits: Limits
    upload_uri: str | None = None
    uploader: Uploader | None = None

    @property
    def is_inline(self) -> bool:
        """Whether media go into request lines as they are, so that their size is known beforehand."""
        return self.upload_uri is None and self.box is None

    @property
    def box(self) -> Box | None:
        """What images must fit into, None where any will do."""
        edge, pixels = self.options.max_edge, self.options.max_pixels
        return Box(edge, pixels) if edge or pixels else None


class _Fault(Exception):  # noqa: N818 - it befalls one row, and never leaves this module.
    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def is_remote(cell: MediaCell, folder: str) -> bool:
    """Whether the medium's bytes are not here, so that nothing is read."""
    if cell.data is not None:
        return False
    place = cell.place or ""
    return _SCHEME.match(place) is not None or (folder.startswith(GS_SCHEME) and not place.startswith("/"))


def size_of(cell: MediaCell, folder: str) -> int:
    """How many bytes reading the medium will take, as far as can be told beforehand."""
    if cell.data is not None:
        return int(cell.data.size)
    try:
        return os.stat(_local_path(cell.place or "", folder)).st_size  # noqa: PTH116 - twice as fast as pathlib.
    except (OSError, ValueError):
        return 0


def settle_medium(cell: MediaCell, folder: str, treatment: Treatment) -> Medium | Violation:
    """The medium, or why there is none; the violation has neither path nor place.

    Args:
        cell: What the prompt gives.
        folder: What relative paths are relative to: a folder, or a ``gs://`` prefix.
        treatment: What is done with it.

    Raises:
        GeminateError: An upload fails, which is no fault of the row.
    """
    try:
        if is_remote(cell, folder):
            return _settle_remote(cell.place or "", folder, treatment)
        with _open(cell, folder) as (file, size):
            return _settle_content(file, size, cell.place, treatment)
    except _Fault as fault:
        place = "" if cell.place is None else f"{_brief(cell.place)}: "
        return Violation(fault.rule, f"{place}{fault}")


def _settle_remote(place: str, folder: str, treatment: Treatment) -> Medium:
    uri = place if _SCHEME.match(place) else _beside(folder, place)
    if not uri.isprintable():
        raise _Fault("schema.file_uri", "a URI has no control characters, and is UTF-8")
    if not _FILE_URI.fullmatch(uri):
        raise _Fault("schema.file_uri", _refusal(uri))
    if not uri.startswith(GS_SCHEME):
        return Medium(treatment.options.mime or YOUTUBE_TYPE, uri)
    mime_type, notes = _find_type(None, uri, treatment)
    if treatment.box and MEDIA_KINDS.get(mime_type) == "image":
        # What lies there is not touched, nor looked at.
        notes = (*notes, ("unscaled", _brief(uri)))
    return Medium(mime_type, uri, notes=notes)


def _beside(folder: str, place: str) -> str:
    """The object that a relative path means; a bucket is never left."""
    bucket, prefix = split_gs_uri(folder)
    return f"{GS_SCHEME}{bucket}{posixpath.normpath(f'/{prefix}/{place}')}"


def _refusal(uri: str) -> str:
    if uri.startswith(GS_SCHEME):
        return "an object's URI is gs://bucket/object"
    if uri.startswith(("http://", "https://")):
        return (
            "of the web only YouTube addresses are taken, and nothing is fetched from it: "
            "download it and give its path, or copy it to a bucket and give gs://bucket/object"
        )
    if uri.startswith("data:"):
        return "a data: URL is not taken; give the bytes in a binary column"
    return "media are named by a path, gs://bucket/object or a YouTube address"


@contextmanager
def _open(cell: MediaCell, folder: str) -> Iterator[tuple[BinaryIO, int]]:
    """The medium's bytes as a file, and their number."""
    if cell.data is not None:
        yield pa.BufferReader(cell.data), cell.data.size
        return
    try:
        # A pipe would have its opener wait for a writer.
        handle = os.open(_local_path(cell.place or "", folder), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise _Fault("schema.media_file", f"cannot be read ({_reason(error)})") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise _Fault("schema.media_file", "is a folder" if stat.S_ISDIR(status.st_mode) else "is no regular file")
    with os.fdopen(handle, "rb") as file:
        yield file, status.st_size


def _local_path(place: str, folder: str) -> str:
    # What Arrow let pass as text without being UTF-8 may still be the name of a file.
    return os.path.join(folder, place)  # noqa: PTH118 - pathlib would take "" for the folder itself.


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)


def _settle_content(file: BinaryIO, size: int, name: str | None, treatment: Treatment) -> Medium:
    upload_uri = treatment.upload_uri
    try:
        if not size:
            raise _Fault("schema.media_file", "is empty")
        mime_type, notes = _find_type(file.read(HEAD_BYTES), name, treatment)
        kind = MEDIA_KINDS.get(mime_type, "")
        if kind == "text":
            _check_size(kind, size, treatment.limits, inline=upload_uri is None)
            _check_text(file)
        scaled = _scale(file, size, mime_type, treatment.box) if treatment.box and kind == "image" else None
        if scaled is not None:
            file, size = pa.BufferReader(scaled), len(scaled)
        _check_size(kind, size, treatment.limits, inline=upload_uri is None)
        medium = Medium(mime_type, size_bytes=size, is_scaled=scaled is not None, notes=notes)
        if upload_uri is None or treatment.uploader is None:
            data = _read_whole(file, MAX_INLINE_BYTES * 3 // 4)
            return replace(medium, base64=binascii.b2a_base64(data, newline=False))
        digest = digest_of(file)
    except OSError as error:
        raise _Fault("schema.media_file", f"cannot be read ({_reason(error)})") from error
    return replace(medium, uri=treatment.uploader.upload(upload_uri, file, digest, mime_type))


def _find_type(head: bytes | None, name: str | None, treatment: Treatment) -> tuple[str, Any]:
    """The type, and notes."""
    told = treatment.options.mime
    if told is not None:
        return told, () if told in MEDIA_KINDS else (("unlisted", told),)
    found = find_type(head, name)
    if found.mime_type is None:
        raise _Fault("schema.media_type", found.trouble)
    return found.mime_type, (("mistyped", f"{_brief(name or '')}: {found.note}"),) if found.note else ()


def _check_text(file: BinaryIO) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while piece := file.read(_PIECE_BYTES):
            if b"\0" in piece:
                raise _Fault("schema.media_type", "is to be plain text, and holds NUL")
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _Fault("schema.media_type", "is to be plain text, and is not UTF-8") from error


def _scale(file: BinaryIO, size: int, mime_type: str, box: Box) -> bytes | None:
    if mime_type not in SCALED_TYPES:
        raise _Fault("schema.media_image", f"{mime_type} cannot be scaled; convert it, or scale it yourself")
    if size > _MAX_SCALED_BYTES:
        raise _Fault("schema.media_image", f"{size:,} bytes are too many to be scaled")
    try:
        return scale_image(_read_whole(file, _MAX_SCALED_BYTES), mime_type, box)
    except ImageFault as fault:
        raise _Fault("schema.media_image", str(fault)) from fault


def _check_size(kind: str, size: int, limits: Limits, *, inline: bool) -> None:
    rule, most = {
        ("image", True): ("limit.inline_image", limits.max_inline_image_bytes),
        ("image", False): ("limit.stored_image", limits.max_gcs_image_bytes),
        ("document", True): ("limit.document", limits.max_document_bytes),
        ("document", False): ("limit.document", limits.max_document_bytes),
        ("text", True): ("limit.text_file", limits.max_text_bytes),
        ("text", False): ("limit.text_file", limits.max_text_bytes),
    }.get((kind, inline), ("", size))
    if size > most:
        smaller = "; upload it, or scale it down" if rule == "limit.inline_image" else ""
        raise _Fault(rule, f"{size:,} bytes, where {most:,} are the most{smaller}")
    if inline and (size + 2) // 3 * 4 > MAX_INLINE_BYTES:
        raise _Fault("limit.line_bytes", f"{size:,} bytes are too many for a request line; upload it")


def _read_whole(file: BinaryIO, most: int) -> bytes:
    file.seek(0)
    data = file.read(most + 1)
    if len(data) > most:
        raise _Fault("schema.media_file", "grew while it was read")
    return data


def _brief(place: str) -> str:
    shown = place if len(place) <= 120 else f"{place[:50]}…{place[-60:]}"
    return shown if shown.isprintable() else repr(shown)
