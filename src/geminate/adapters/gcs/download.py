"""An object's bytes by ranges, several at once and a few ahead of whoever takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import google_crc32c
from google.api_core import exceptions as api
from google.cloud import storage

from geminate.adapters.gcs.failures import BROKEN, SERVICE, TIMEOUT_S, code_of, errors_about
from geminate.errors import DamageError, TransientError
from geminate.ports import ObjectInfo
from geminate.resumable import TRANSIENT_CODES, Patience

RANGE_BYTES = 8 * 1024 * 1024
_PART_BYTES = 1024 * 1024
_RANGES_AHEAD = 4
_HELD_BYTES = RANGE_BYTES * _RANGES_AHEAD
"""An object of at most this length is compared with its checksum before the first byte is handed out."""
_MAX_READS = 3


def iter_ranges(blob: storage.Blob, info: ObjectInfo, start: int, stop: int | None = None) -> Iterator[bytes]:
    """The bytes from ``start`` to ``stop`` in pieces of 8 MiB, of the one generation that the blob is pinned to.

    A range that breaks off goes on where it broke, a few times. The whole object is compared with its checksum: up to
    32 MiB before anything is handed out, and read again if it is damaged; beyond, at the end. Memory is five ranges.

    Raises:
        DamageError: The bytes that were handed out are not the object's.
        TransientError: The store did not answer for long.
    """
    end = info.size if stop is None else min(stop, info.size)
    is_checked = start == 0 and end == info.size and info.crc32c is not None
    if is_checked and info.size <= _HELD_BYTES:
        yield from _read_held(blob, info)
        return
    checksum = google_crc32c.Checksum()
    for piece in _iter_ahead(blob, info, start, end):
        if is_checked:
            checksum.update(piece)
        yield piece
    if is_checked and int.from_bytes(checksum.digest(), "big") != info.crc32c:
        raise _damaged(info)


def _read_held(blob: storage.Blob, info: ObjectInfo) -> list[bytes]:
    for _ in range(_MAX_READS):
        pieces = list(_iter_ahead(blob, info, 0, info.size))
        checksum = google_crc32c.Checksum()
        for piece in pieces:
            checksum.update(piece)
        if int.from_bytes(checksum.digest(), "big") == info.crc32c:
            return pieces
    raise _damaged(info)


def _iter_ahead(blob: storage.Blob, info: ObjectInfo, start: int, end: int) -> Iterator[bytes]:
    ranges = ((begin, min(begin + RANGE_BYTES, end)) for begin in range(start, end, RANGE_BYTES))
    # The first one alone: who only looks at the beginning does not pay for more.
    for begin, stop in islice(ranges, 1):
        yield _read_range(blob, info, begin, stop)
    if end - start <= RANGE_BYTES:
        return
    threads = ThreadPoolExecutor(_RANGES_AHEAD, "geminate-download")
    try:
        ahead = deque(threads.submit(_read_range, blob, info, *each) for each in islice(ranges, _RANGES_AHEAD))
        while ahead:
            piece = ahead.popleft().result()
            ahead.extend(threads.submit(_read_range, blob, info, *each) for each in islice(ranges, 1))
            yield piece
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def _read_range(blob: storage.Blob, info: ObjectInfo, begin: int, end: int) -> bytes:
    parts: list[bytes] = []
    place, patience = begin, Patience(SERVICE, info.uri)
    with errors_about(info.uri):
        while place < end:
            try:
                for part in _iter_answer(blob, place, end):
                    parts.append(part)
                    place += len(part)
                if place < end:
                    patience.endure("fewer bytes came than were asked for")
            except api.GoogleAPICallError as error:
                if code_of(error) not in TRANSIENT_CODES:
                    raise
                patience.endure(f"status {code_of(error)}", error)
            except BROKEN as error:
                patience.endure(type(error).__name__, error)
    if place > end:
        raise TransientError("the store sent more bytes than asked for", where=info.uri, remedy="try again")
    return b"".join(parts)


def _iter_answer(blob: storage.Blob, begin: int, end: int) -> Iterator[bytes]:
    """The bytes of one answer as they are stored, as far as they come.

    Google's client would take them 8 KiB at a time, which costs four times as much, and hold up whoever decodes.
    """
    client = blob.client
    http, connection = client._http, client._connection  # noqa: SLF001 - as Google's own downloads reach them
    url = f"{connection.get_api_base_url_for_mtls()}/download/storage/v1{blob.path}"
    headers = {"Range": f"bytes={begin}-{end - 1}", "Accept-Encoding": "gzip"}
    which = {"alt": "media", "generation": blob.generation}
    with http.get(url, params=which, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if not answer.ok:
            raise api.from_http_response(answer)
        while part := answer.raw.read(_PART_BYTES, decode_content=False):
            yield part


def _damaged(info: ObjectInfo) -> DamageError:
    return DamageError("the download arrived damaged", where=info.uri, remedy="try again")
