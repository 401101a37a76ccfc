"""From what the caller names to files and objects: paths, globs, ``gs://`` URIs and ``-``."""

from __future__ import annotations

import difflib
import glob
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from geminate.errors import DamageError, PromptError, UsageError
from geminate.formats.readable import readable
from geminate.formats.spool import Spool
from geminate.formats.stored import StoredBytes
from geminate.formats.suffixes import COMPRESSIONS, FORMATS, split_suffixes
from geminate.ports import ObjectInfo, ObjectStore, TableStore
from geminate.wire.uris import GS_SCHEME

STDIN = "-"
_STDIN_NAME = "<stdin>"
_MAGIC = re.compile(r"[*?\[]")
_PIECE_BYTES = 1024 * 1024
_MAX_READINGS = 3
_COPIED = frozenset({"arrow"})  # One record batch may hold all rows, and is only mapped where it lies in a file.
_MOST_SIBLINGS = 1000  # Enough to guess what was meant; a bucket may hold millions.


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What tells that a source has changed.

    Attributes:
        uri: The path or URI as the caller wrote it, ``<stdin>`` or ``<memory>``.
        size_bytes: The length of its bytes as they are stored, compressed or not; in memory, of its rows as JSON lines.
        crc32c: The Castagnoli checksum of these bytes.
    """

    uri: str
    size_bytes: int
    crc32c: int


@dataclass(frozen=True, slots=True)
class LocalBytes:
    """A file of this machine.

    Attributes:
        path: Where it is.
        size_bytes: Its length.
        mtime_ns: Its time of change.
    """

    path: Path
    size_bytes: int
    mtime_ns: int

    @classmethod
    def look_at(cls, path: Path) -> LocalBytes:
        """The file as it is now."""
        stat = path.stat()
        return cls(path, stat.st_size, stat.st_mtime_ns)

    def check_unchanged(self, name: str) -> None:
        """Nothing.

        Raises:
            PromptError: The file is not what it was.
        """
        if LocalBytes.look_at(self.path) != self:
            raise PromptError("changed while it was read", where=name, remedy="run again once it is complete")

    def read_head(self, size: int) -> bytes:
        """The first bytes."""
        with self.path.open("rb") as file:
            return file.read(size)

    def iter_pieces(self) -> Iterator[bytes]:
        """All bytes in order, a MiB at a time."""
        with self.path.open("rb") as file:
            yield from iter(lambda: file.read(_PIECE_BYTES), b"")

    def open(self) -> pa.NativeFile:
        """All bytes in order, as a stream for Arrow."""
        return pa.OSFile(str(self.path))

    def open_random(self) -> Path:
        """What Arrow reads from any place."""
        return self.path


@dataclass(frozen=True, slots=True)
class Source:
    """One file of prompts, as it was when it was first looked at.

    Attributes:
        name: What the caller calls it.
        place: Where its bytes are; for a stream, a temporary copy.
        format: One of ``FORMATS``.
        crc32c: The checksum of its bytes, None where nobody has told.
    """

    name: str
    place: LocalBytes | StoredBytes
    format: str
    crc32c: int | None = None

    def check_unchanged(self) -> None:
        """Nothing.

        Raises:
            PromptError: The file is not what it was when the prompts were opened.
        """
        self.place.check_unchanged(self.name)


@dataclass(frozen=True, slots=True)
class Outside:
    """Where bytes that are not local files come from, and go to.

    Attributes:
        spool: Holds the copies.
        store: What ``gs://`` URIs are read from.
        stdin: What ``-`` is read from, None for the process's standard input.
        tables: What ``bq://`` is read from.
    """

    spool: Spool
    store: ObjectStore | None
    stdin: BinaryIO | None
    tables: TableStore | None = None


def iter_sources(name: str, input_format: str | None, outside: Outside) -> Iterator[Source]:
    """The files that a name stands for; those of a pattern in the order of their names.

    Raises:
        PromptError: There is no such file, it is a folder, or its name does not tell its format.
        AccessError: It may not be read.
        UsageError: A scheme that is not read here, or no store to read ``gs://`` from.
    """
    if name == STDIN:
        stdin = outside.stdin or sys.stdin.buffer
        path = outside.spool.keep("stdin", iter(lambda: stdin.read(_PIECE_BYTES), b""))
        yield Source(_STDIN_NAME, LocalBytes.look_at(path), input_format or "jsonl")
    elif name.startswith(GS_SCHEME):
        store = _store(outside.store, name)
        for info in _iter_objects(name, store):
            file_format = _format_of(info.uri, input_format)
            is_copied = file_format in _COPIED
            place = LocalBytes.look_at(_copy(info, store, outside.spool)) if is_copied else StoredBytes(store, info)
            yield Source(info.uri, place, file_format, info.crc32c)
    elif "://" in name:
        raise UsageError(
            "prompts are not read from there", where=name, remedy="copy them to a file, to gs:// or to bq://"
        )
    else:
        for path in _iter_paths(name):
            yield _local(path, _format_of(str(path), input_format), outside.spool)


def read_identity(source: Source) -> SourceIdentity:
    """The source's identity; its bytes are read once unless their checksum is known.

    Raises:
        PromptError: The file has changed since it was first looked at.
    """
    if source.crc32c is not None:
        return SourceIdentity(source.name, source.place.size_bytes, source.crc32c)
    with readable(source.name):
        size_bytes, crc32c = measure(source.place.iter_pieces())
        source.check_unchanged()
    return SourceIdentity(source.name, size_bytes, crc32c)


def measure(pieces: Iterable[bytes]) -> tuple[int, int]:
    """The number of bytes and their Castagnoli checksum."""
    import google_crc32c

    size_bytes = crc32c = 0
    for piece in pieces:
        crc32c = google_crc32c.extend(crc32c, piece)
        size_bytes += len(piece)
    return size_bytes, crc32c


def _copy(info: ObjectInfo, store: ObjectStore, spool: Spool) -> Path:
    """A copy of the object; one that comes damaged is read again."""
    name = info.uri.rpartition("/")[2]
    for _ in range(_MAX_READINGS - 1):
        with suppress(DamageError):
            return spool.keep(name, store.read(info))
    return spool.keep(name, store.read(info))


def _local(path: Path, file_format: str, spool: Spool) -> Source:
    with readable(str(path)), path.open("rb") as file:
        # A pipe can be read only once.
        copy = path if path.is_file() else spool.keep("pipe", iter(lambda: file.read(_PIECE_BYTES), b""))
    return Source(str(path), LocalBytes.look_at(copy), file_format)


def _format_of(name: str, input_format: str | None) -> str:
    file_format = input_format or split_suffixes(name)[0]
    if file_format not in FORMATS:
        known = ", ".join(f".{suffix}" for suffix in FORMATS)
        raise PromptError(
            f"its name does not tell its format: known are {known}, each also with {' or '.join(COMPRESSIONS)}",
            where=name,
            remedy="rename it, or name the format",
        )
    return file_format


def _iter_paths(name: str) -> Iterator[Path]:
    path = Path(name)
    with readable(name):
        is_folder, exists = path.is_dir(), path.exists()
    if is_folder:
        raise PromptError("is a folder", where=name, remedy=f"name its files, such as {path / '*.jsonl'}")
    if exists:
        yield path
    elif _MAGIC.search(name):
        found = sorted(filter(os.path.isfile, glob.glob(name, recursive=True)))  # noqa: PTH207 -- Path.glob takes no absolute pattern.
        if not found:
            raise PromptError("no file matches", where=name)
        yield from map(Path, found)
    else:
        raise _missing(name, path.name, lambda: _siblings(path.parent))


def _siblings(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in islice(os.scandir(folder), _MOST_SIBLINGS)]
    except OSError:
        return []


def _iter_objects(uri: str, store: ObjectStore) -> Iterator[ObjectInfo]:
    magic = _MAGIC.search(uri)
    info = store.stat(uri) if not uri.endswith("/") else None
    if info:
        yield info
    elif magic:
        pattern = _glob_regex(uri)
        found = [info for info in store.list(uri[: magic.start()]) if pattern.fullmatch(info.uri)]
        if not found:
            raise PromptError("no object matches", where=uri)
        yield from found
    else:
        folder, _, name = uri.rpartition("/")
        below = islice(store.list(folder + "/"), _MOST_SIBLINGS)
        raise _missing(uri, name, lambda: [info.uri.removeprefix(folder + "/") for info in below])


def _store(store: ObjectStore | None, uri: str) -> ObjectStore:
    if store is None:
        raise UsageError("no object store to read it from", where=uri, remedy="pass one as store")
    return store


def _missing(where: str, name: str, siblings: Callable[[], list[str]]) -> PromptError:
    near = difflib.get_close_matches(name, siblings(), n=1, cutoff=0.8)
    return PromptError("does not exist", where=where, remedy=f"did you mean {near[0]}?" if near else None)


def _glob_regex(pattern: str) -> re.Pattern[str]:
    """What the shell means by the pattern: ``*`` and ``?`` stop at a slash, ``**`` does not."""
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    # The split keeps what it splits at, so every second part is a wildcard or a character class.
    literal, special = map(re.escape, parts[::2]), [wild.get(p) or p.replace("[!", "[^", 1) for p in parts[1::2]]
    return re.compile("".join(chain.from_iterable(zip_longest(literal, special, fillvalue=""))))
