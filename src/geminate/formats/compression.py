"""Plain bytes of a file, whether it is compressed or not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from geminate.formats.readable import readable
from geminate.formats.sources import Source

PIECE_BYTES = 1024 * 1024
"""How much is read at once."""

BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")

# RFC 1952, 2.3.1; RFC 8878, 3.1.1 and 3.1.2, a skippable frame being what parallel compressors begin with.
_MAGICS = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL),
}
_HEAD_BYTES = 4


def compression_of(source: Source) -> str | None:
    """``gzip``, ``zstd`` or None, by the file's first bytes.

    The name is not asked: a store may hand out ``.gz`` objects already decompressed, and a compressed file keeps its
    bytes under any name.
    """
    head = source.place.read_head(_HEAD_BYTES)
    return next((name for name, magic in _MAGICS.items() if magic.match(head)), None)


def open_plain(source: Source) -> pa.NativeFile:
    """The decompressed bytes as a stream; members of a gzip file and frames of a Zstandard file follow each other.

    Raises:
        PromptError: The file is gone, or not what it was when it was first looked at.
    """
    with readable(source.name):
        source.check_unchanged()
        raw = source.place.open()
        compression = compression_of(source)
    return pa.CompressedInputStream(raw, compression) if compression else raw


def plain_head(source: Source, size: int) -> bytes:
    """The first decompressed bytes."""
    if compression_of(source) is None:
        return source.place.read_head(size)
    with open_plain(source) as stream:
        return bytes(stream.read(size))


def iter_plain(source: Source) -> Iterator[bytes]:
    """The decompressed bytes in pieces of 1 MiB.

    Raises:
        PromptError: The file is cut off or its compressed data is damaged.
    """
    with readable(source.name), open_plain(source) as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece
