"""Files of lines, be they predictions or requests, as streams that are never copied to disk."""

from __future__ import annotations

import glob
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa

from geminate.errors import AccessError, InputError, TransientError, TruncatedError, UsageError
from geminate.formats.pieces import PieceReader
from geminate.ports import ObjectInfo, ObjectStore
from geminate.wire.uris import GS_SCHEME

PIECE_BYTES = 4 * 1024 * 1024
_PART_BYTES = 64 * 1024
_LINE_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_MAGICS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class LineFile:
    """One file of lines.

    Attributes:
        name: What the caller calls it: a path or URI.
        size_bytes: How long it is as it lies there, None for a stream.
        iter_pieces: Reads it from the start, decompressed, a few MiB at a time.
    """

    name: str
    size_bytes: int | None
    iter_pieces: Callable[[], Iterator[bytes]]


def find_line_files(names: Iterable[str], store: Callable[[], ObjectStore]) -> list[LineFile]:
    """The files that the names stand for, in order, each once; those of a folder or prefix in the order of their names.

    A file called ``.json`` holds one value, or an array of them. A folder or a ``gs://`` prefix stands for all files
    below it whose name ends like one of JSON lines.

    Args:
        names: Paths, folders, globs, ``gs://`` objects or prefixes, or ``-`` for standard input.
        store: Opens what ``gs://`` URIs are read from, if there is one.

    Raises:
        AccessError: One may not be read.
        InputError: One stands for no file.
    """
    found: dict[str, LineFile] = {}
    for name in names:
        files = list(_iter_found(name, store))
        if not files:
            raise InputError("no file of JSON lines there", where=name, remedy="check the name")
        found |= {file.name: file for file in files}
    if not found:
        raise UsageError("no files are named")
    return list(found.values())


def iter_path_pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a local file, a few MiB at a time."""
    with path.open("rb") as file:
        yield from _iter_read(file)


def _iter_found(name: str, store: Callable[[], ObjectStore]) -> Iterator[LineFile]:
    if name == "-":
        yield _standard_input()
    elif name.startswith(GS_SCHEME):
        yield from _iter_objects(name, store())
    elif "://" in name:
        raise UsageError("lines are not read from there", where=name, remedy="copy them to a file or gs://")
    elif Path(name).is_dir():
        yield from (_local(path) for path in sorted(Path(name).rglob("*")) if _is_lines(path.name) and path.is_file())
    elif Path(name).exists():
        yield _local(Path(name))
    else:
        found = map(Path, sorted(glob.glob(name, recursive=True)))  # noqa: PTH207 Path.glob takes no absolute pattern
        yield from (_local(path) for path in found if path.is_file())


def _standard_input() -> LineFile:
    once = iter([sys.stdin.buffer])

    def iter_pieces() -> Iterator[bytes]:
        stdin = next(once, None)
        if stdin is None:
            raise TransientError("cannot be read twice", where="<stdin>", remedy="run the command again")
        return _iter_decompressed("<stdin>", _iter_read(stdin))

    return LineFile("<stdin>", None, iter_pieces)


def _iter_objects(uri: str, store: ObjectStore) -> Iterator[LineFile]:
    exact = None if uri.endswith("/") else store.stat(uri)
    infos = [exact] if exact else (info for info in store.list(uri) if _is_lines(info.uri))
    for info in infos:
        yield LineFile(info.uri, info.size, partial(_iter_object, store, info))


def _iter_object(store: ObjectStore, info: ObjectInfo) -> Iterator[bytes]:
    return _iter_decompressed(info.uri, store.read(info))


def _iter_document_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A JSON document as lines: one for each element of an array, one for anything else."""
    document = b"".join(pieces)
    try:
        is_array = document.lstrip().startswith(b"[")
        values = msgspec.json.decode(document, type=list[msgspec.Raw]) if is_array else [document]
        yield from (msgspec.json.format(bytes(value), indent=-1) + b"\n" for value in values)
    except msgspec.MsgspecError:
        yield document  # It may be lines after all; whoever reads them says what is wrong.


def _iter_read(file: BinaryIO) -> Iterator[bytes]:
    ahead = _bytes_to_line_end if file.seekable() else lambda _file: 0
    while piece := file.read(PIECE_BYTES + ahead(file)):
        yield piece


def _bytes_to_line_end(file: BinaryIO) -> int:
    """How much longer a piece has to be to end with a line, which then need not be moved; 0 where that is far away."""
    start = file.tell()
    file.seek(start + PIECE_BYTES)
    end = file.read(_PART_BYTES).find(b"\n") + 1
    file.seek(start)
    return end


def _is_lines(name: str) -> bool:
    return name.endswith(_LINE_SUFFIXES) and not Path(name).name.startswith(".")


def _local(path: Path) -> LineFile:
    def iter_pieces() -> Iterator[bytes]:
        with path.open("rb") as file:
            pieces = _iter_decompressed(str(path), _iter_read(file))
            yield from _iter_document_lines(pieces) if path.suffix == ".json" else pieces

    try:
        with path.open("rb"):
            return LineFile(str(path), path.stat().st_size, iter_pieces)
    except PermissionError as error:
        raise AccessError("may not be read", where=str(path), remedy="check its rights") from error


def _iter_decompressed(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    compression = next((kind for magic, kind in _MAGICS.items() if first.startswith(magic)), None)
    if compression is None:
        yield first
        yield from pieces
        return
    raw = pa.PythonFile(PieceReader(chain([first], pieces)), "r")
    parts: list[bytes] = []
    try:
        with pa.CompressedInputStream(raw, compression) as stream:
            # What is read at once is lost as a whole where the data ends within it.
            while part := stream.read(_PART_BYTES):
                parts.append(part)
                if len(parts) * _PART_BYTES >= PIECE_BYTES:
                    yield b"".join(parts)
                    parts = []
    except OSError as error:
        yield b"".join(parts)
        what = f"its compressed data is damaged or ends early ({error})"
        raise TruncatedError(what, where=name, remedy="copy it again") from error
    yield b"".join(parts)
