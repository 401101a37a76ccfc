"""crc32c and md5: computed from the bytes, and compared with what a caller says they are."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import google_crc32c
import msgspec

from geminate.emulator.storage.errors import invalid

_PIECE_BYTES = 1024 * 1024


class Checksums(msgspec.Struct, frozen=True):
    """An object's checksums in Base64, as the API has them; a composed object has no md5."""

    crc32c: str
    md5: str | None = None

    def header(self) -> str:
        """The value of ``x-goog-hash``."""
        return f"crc32c={self.crc32c}" + (f",md5={self.md5}" if self.md5 else "")


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a caller says the checksums are; None where nothing is said."""

    crc32c: str | None = None
    md5: str | None = None

    def check(self, actual: Checksums) -> None:
        """Nothing, where they are right.

        Raises:
            StorageError: 400, one is not.
        """
        for name, claimed, found in (("CRC32C", self.crc32c, actual.crc32c), ("MD5 hash", self.md5, actual.md5)):
            if claimed is not None and claimed != found:
                raise invalid(f'Provided {name} "{claimed}" doesn\'t match calculated {name} "{found}".')


def read_claims(headers: Mapping[str, Any], resource: Mapping[str, Any]) -> Claims:
    """What the headers of a call and the object resource in it say, the headers first."""
    said = dict(part.strip().partition("=")[::2] for part in str(headers.get("x-goog-hash") or "").split(","))
    return Claims(
        crc32c=said.get("crc32c") or resource.get("crc32c"),
        md5=said.get("md5") or headers.get("Content-MD5") or resource.get("md5Hash"),
    )


def compute_checksums(path: Path) -> Checksums:
    """The checksums of a file's bytes; those of a file that has not changed are remembered."""
    status = path.stat()
    return _compute(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=4096)
def _compute(path: Path, *_identity: int) -> Checksums:
    crc32c, md5 = google_crc32c.Checksum(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            crc32c.update(piece)
            md5.update(piece)
    return Checksums(_text(crc32c.digest()), _text(md5.digest()))


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
