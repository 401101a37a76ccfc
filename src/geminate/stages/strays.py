"""Prediction lines that need a person's eye: unreadable ones, those of no prompt, and those with two owners."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from geminate.stages.predictions import DecodedBlock
from geminate.wire.keys import decode_key


@dataclass(frozen=True, slots=True)
class Stray:
    """One such line.

    Attributes:
        kind: ``unreadable``, ``orphan`` (it belongs to no prompt) or ``suspect`` (its key and its request belong to
            different prompts; it was joined by its key).
        file: The file or URI.
        line: Its number, from 1.
        offset: Its first byte in the file.
        reason: Why, as one word.
        message: Why, as a sentence; empty where the reason says all.
        key: Its key, as its owner wrote it; None where it has none or the key is lost.
        raw: The line's bytes; of an overlong line the beginning; empty where they are no longer at hand.
    """

    kind: Literal["unreadable", "orphan", "suspect"]
    file: str
    line: int
    offset: int
    reason: str
    message: str = ""
    key: str | None = None
    raw: bytes = b""

    def encode(self) -> bytes:
        """One JSON line without its end; bytes that are not UTF-8 stand in ``raw_base64`` instead of ``raw``."""
        record: dict[str, object] = {
            "file": self.file,
            "line": self.line,
            "offset": self.offset,
            "reason": self.reason,
            "message": self.message,
            "key": self.key,
        }
        try:
            record["raw"] = self.raw.decode()
        except UnicodeDecodeError:
            record["raw_base64"] = base64.b64encode(self.raw).decode()
        return msgspec.json.encode(record)


def iter_unreadable(decoded: DecodedBlock) -> Iterator[Stray]:
    """The block's unreadable lines, in order."""
    if not decoded.unreadable:
        return
    block = decoded.block
    offsets = block.offsets()
    for at, line in sorted(decoded.unreadable.items()):
        key = None if line.key is None else decode_key(line.key)
        place = (decoded.source, block.number(at), int(offsets[at]))
        yield Stray("unreadable", *place, line.reason, line.message, key, block.line(at))


def stray_at(
    decoded: DecodedBlock, position: int, kind: Literal["orphan", "suspect"], reason: str, message: str = ""
) -> Stray:
    """One of the block's predictions as a stray."""
    row = {name: decoded.predictions.column(name)[position].as_py() for name in ("line", "offset", "key")}
    at = row["line"] - decoded.block.first_number
    raw = decoded.block.line(at) if at < len(decoded.block) else b""
    return Stray(kind, decoded.source, row["line"], row["offset"], reason, message, row["key"], raw)
