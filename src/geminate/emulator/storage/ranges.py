"""Byte ranges of reads, and the content ranges of resumable uploads."""

from __future__ import annotations

import re

from geminate.emulator.storage.errors import StorageError, invalid

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CONTENT_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")


def read_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last that a ``Range`` header asks for, None for the whole object.

    Raises:
        StorageError: 416, the object has no such bytes.
    """
    found = _RANGE.fullmatch(header or "")
    if not found or found[0] == "bytes=-" or (found[1] and found[2] and int(found[2]) < int(found[1])):
        # A header that is not understood is ignored, by RFC 9110, 14.2.
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
    if start >= stop:
        raise StorageError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
    return start, stop


def read_content_range(header: str | None, length: int) -> tuple[int | None, int | None]:
    """Where the bytes of an upload's call begin, None for a question how far it is; and the object's size if known.

    Raises:
        StorageError: 400, the header makes no sense, or not with that many bytes.
    """
    if header is None:
        return 0, length
    found = _CONTENT_RANGE.fullmatch(header)
    if not found:
        raise invalid(f"Failed to parse Content-Range header: {header!r}")
    total = None if found["total"] == "*" else int(found["total"])
    if found["first"] is None:
        if length and total != 0:
            raise invalid("A status query has no body.")
        return None, total
    first, last = int(found["first"]), int(found["last"])
    if last - first + 1 != length or (total is not None and last >= total):
        raise invalid(f"Content-Range {header!r} does not fit a body of {length} bytes.")
    return first, total
