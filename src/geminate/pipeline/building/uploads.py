"""Bytes brought to a store once, under a name that nobody else's bytes have."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import msgspec

from geminate.errors import InputError, TargetError, TransientError
from geminate.pipeline.pace.patience import call_patiently
from geminate.ports import Clock, ObjectInfo, ObjectStore
from geminate.wire.media_types import suffix_of
from geminate.wire.uris import join_uri

_PIECE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes that can be had again and again.

    Attributes:
        iter_pieces: The bytes, from the first one.
        size_bytes: Their number.
        crc32c: Their Castagnoli checksum, None where it has to be found first.
    """

    iter_pieces: Callable[[], Iterator[bytes]]
    size_bytes: int
    crc32c: int | None


def upload_once(store: ObjectStore, source: Bytes, uri: str, given_up: threading.Event) -> ObjectInfo:
    """The object that holds the bytes; one that already holds them is taken as it is.

    Args:
        store: Where it goes.
        source: The bytes.
        uri: The object's name.
        given_up: Ends the upload when it is set, and no object appears.

    Raises:
        TargetError: Another object has that name.
        TransientError: It was given up, or the store did not answer.
    """
    try:
        return store.write(uri, _iter_wanted(source.iter_pieces(), uri, given_up))
    except TargetError:
        info = store.stat(uri)
        if info is None or not _holds(store, info, source.size_bytes, partial(_crc32c_of, source)):
            raise
        return info


@dataclass(frozen=True, slots=True)
class Digest:
    """What tells bytes from others."""

    sha256: str
    crc32c: int
    size_bytes: int


def digest_of(file: BinaryIO) -> Digest:
    """The digest of a file's bytes, read in pieces."""
    import google_crc32c

    sha256, crc32c, size_bytes = hashlib.sha256(), 0, 0
    for piece in _iter_pieces(file):
        sha256.update(piece)
        crc32c = google_crc32c.extend(crc32c, piece)
        size_bytes += len(piece)
    return Digest(sha256.hexdigest(), crc32c, size_bytes)


class UploadedObject(msgspec.Struct, frozen=True):
    """One medium in the store.

    Attributes:
        uri: Its object.
        sha256: The hash of its bytes, which its name is made of.
        size_bytes: Their number.
        mime_type: What it is.
        reused: Whether the object was there before.
    """

    uri: str
    sha256: str
    size_bytes: int
    mime_type: str
    reused: bool


class Uploader:
    """Uploads media, each content once, whatever the number of threads and of places where it stands.

    Memory is some hundred bytes for each different medium.

    Args:
        store: Where they go; None to learn their names alone.
        clock: The time between tries where the store does not answer.
    """

    def __init__(self, store: ObjectStore | None, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, Future[UploadedObject]] = {}

    @property
    def objects(self) -> list[UploadedObject]:
        """What was uploaded or found there, by URI."""
        return [self._objects[uri].result() for uri in sorted(self._objects)]

    def upload(self, prefix_uri: str, file: BinaryIO, digest: Digest, mime_type: str) -> str:
        """The URI of the object that holds the file's bytes: the prefix, their SHA-256, the type's suffix.

        Args:
            prefix_uri: ``gs://bucket/prefix``.
            file: The bytes.
            digest: Theirs, by ``digest_of``.
            mime_type: What they are.

        Raises:
            AccessError: The store refuses access.
            InputError: There is no such bucket, or the file changed while it was read.
            TargetError: Another object has that name.
            TransientError: The store did not answer; the same call goes on.
        """
        uri = join_uri(prefix_uri, digest.sha256 + suffix_of(mime_type))
        with self._lock:
            mine: Future[UploadedObject] = Future()
            known = self._objects.setdefault(uri, mine)
        if known is not mine:
            known.result()
            return uri
        try:
            # Under a name that its content gives, an object can be brought again.
            reused = call_patiently(lambda: self._bring(uri, file, digest, mime_type), self._clock)
            mine.set_result(UploadedObject(uri, digest.sha256, digest.size_bytes, mime_type, reused))
        except BaseException as error:
            mine.set_exception(error)
            raise
        return uri

    def _bring(self, uri: str, file: BinaryIO, digest: Digest, mime_type: str) -> bool:
        """Whether the object was there before; it is now."""
        if self._store is None:
            return False
        if _is_there(self._store, uri, digest):
            return True
        try:
            self._store.write(uri, _iter_unchanged(file, digest, uri), mime_type)
        except TargetError:
            if not _is_there(self._store, uri, digest):
                raise
            return True
        return False


def _is_there(store: ObjectStore, uri: str, digest: Digest) -> bool:
    info = store.stat(uri)
    if info is None:
        return False
    if not _holds(store, info, digest.size_bytes, lambda: digest.crc32c):
        raise TargetError(
            "an object is there with other bytes than its name says", where=uri, remedy="name another --upload"
        )
    return True


def _holds(store: ObjectStore, info: ObjectInfo, size_bytes: int, crc32c: Callable[[], int]) -> bool:
    if info.size != size_bytes:
        return False
    held = _crc32c(store.read(info)) if info.crc32c is None else info.crc32c
    return held == crc32c()


def _crc32c_of(source: Bytes) -> int:
    return _crc32c(source.iter_pieces()) if source.crc32c is None else source.crc32c


def _crc32c(pieces: Iterator[bytes]) -> int:
    import google_crc32c

    value = 0
    for piece in pieces:
        value = google_crc32c.extend(value, piece)
    return value


def _iter_unchanged(file: BinaryIO, digest: Digest, uri: str) -> Iterator[bytes]:
    """The pieces; if they are not those of the digest an error follows the last one, so that no object appears."""
    sha256 = hashlib.sha256()
    try:
        for piece in _iter_pieces(file):
            sha256.update(piece)
            yield piece
    except OSError as error:
        raise InputError("the file cannot be read any more", where=uri, remedy="build again") from error
    if sha256.hexdigest() != digest.sha256:
        raise InputError("the file changed while it was uploaded", where=uri, remedy="build again")


def _iter_wanted(pieces: Iterator[bytes], uri: str, given_up: threading.Event) -> Iterator[bytes]:
    for piece in pieces:
        if given_up.is_set():
            raise TransientError("the upload was given up", where=uri, remedy="run the same command again")
        yield piece


def _iter_pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        yield piece
