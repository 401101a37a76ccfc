"""File names for the media of a prediction, legal and different from each other on every file system."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType

MAX_STEM_CHARS = 64
"""How much of a key stands in a name; with all that follows it, a name stays below half of what file systems take."""

_DIGEST_CHARS = 20
_LEGAL = re.compile(rf"[a-z0-9_][a-z0-9_-]{{0,{MAX_STEM_CHARS - 1}}}")
_ILLEGAL_CHAR = re.compile("[^A-Za-z0-9_-]")

# Suffixes by what IANA and MDN list for what models write (2026-11). A closed set: a name never gets a suffix that a
# desktop would run.
_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        "application/json": "json",
        "application/pdf": "pdf",
        "audio/aac": "aac",
        "audio/flac": "flac",
        "audio/l16": "pcm",
        "audio/mp3": "mp3",
        "audio/mpeg": "mp3",
        "audio/ogg": "ogg",
        "audio/pcm": "pcm",
        "audio/wav": "wav",
        "audio/x-wav": "wav",
        "image/avif": "avif",
        "image/bmp": "bmp",
        "image/gif": "gif",
        "image/heic": "heic",
        "image/jpeg": "jpg",
        "image/jpg": "jpg",
        "image/png": "png",
        "image/tiff": "tif",
        "image/webp": "webp",
        "text/csv": "csv",
        "text/plain": "txt",
        "video/mp4": "mp4",
        "video/mpeg": "mpg",
        "video/quicktime": "mov",
        "video/webm": "webm",
    }
)
_UNKNOWN_SUFFIX = "bin"


def media_name(key: str | None, row: int, number: int, mime_type: str | None) -> str:
    """The name of one file: ``<key>-<number>.<suffix>``.

    A key of up to 64 small letters, digits, ``_`` and ``-`` stands as it is. Of any other, what is legal stands with a
    digest of the key behind a ``~``, so that different keys never share a name, not even where case does not count.

    Args:
        key: The key of the prediction; None where it has none.
        row: The row's number from 1, which stands for a key that is not there.
        number: Which of the prediction's media, from 1.
        mime_type: What it is; decides the suffix.
    """
    kind = (mime_type or "").split(";")[0].strip().lower()
    return f"{_stem(key, row)}-{number}.{_SUFFIXES.get(kind, _UNKNOWN_SUFFIX)}"


def _stem(key: str | None, row: int) -> str:
    if key is None:
        return f"row~{row:09d}"
    if _LEGAL.fullmatch(key):
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    legal = _ILLEGAL_CHAR.sub("_", key[:MAX_STEM_CHARS]) or "_"
    # Programs would take a name that begins with "-" for an option.
    return f"{'_' if legal.startswith('-') else ''}{legal}~{digest}"
