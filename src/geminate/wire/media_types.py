"""Which media Gemini takes, and what a medium is by its first bytes and by its name.

The tables stand in ``data/media_types.json``, with their sources and the date they were read.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Final

import msgspec

HEAD_BYTES: Final = 512
"""How much of a medium's beginning tells its type."""

YOUTUBE_TYPE: Final = "video/mp4"
"""What the service's samples call a YouTube video (docs.cloud.google.com, "Video understanding", 2026-11-22)."""


class _Kind(msgspec.Struct, frozen=True):
    source: str
    types: tuple[str, ...]


class _Taken(msgspec.Struct, frozen=True):
    date: str
    kinds: dict[str, _Kind]


class _Suffixes(msgspec.Struct, frozen=True):
    types: dict[str, str]


class _Mark(msgspec.Struct, frozen=True, array_like=True):
    """Bytes that stand at an offset, or those of their bits that count, in hex."""

    offset: int
    bits: str
    mask: str = ""

    def stands_in(self, head: bytes) -> bool:
        size = len(self.bits) // 2
        piece = head[self.offset : self.offset + size]
        if not self.mask:
            return piece == bytes.fromhex(self.bits)
        return len(piece) == size and int.from_bytes(piece) & int(self.mask, 16) == int(self.bits, 16)


class _Signature(msgspec.Struct, frozen=True):
    types: tuple[str, ...]
    marks: tuple[_Mark, ...]


class _Signatures(msgspec.Struct, frozen=True):
    table: list[_Signature]


class _File(msgspec.Struct, frozen=True):
    taken: _Taken
    suffixes: _Suffixes
    signatures: _Signatures


_FILE: Final = msgspec.json.decode(
    (resources.files("geminate") / "wire" / "data" / "media_types.json").read_bytes(), type=_File
)

MEDIA_KINDS: Final[dict[str, str]] = {
    mime_type: kind for kind, entry in _FILE.taken.kinds.items() for mime_type in entry.types
}
"""The MIME types that are taken, each with its kind: ``image``, ``document``, ``text``, ``video`` or ``audio``."""

MEDIA_DATE: Final = _FILE.taken.date
"""When the table was read, as an ISO date."""


_SIGNED: Final = frozenset(mime_type for signature in _FILE.signatures.table for mime_type in signature.types)
# The first name in the table for a type is the one to give.
_SUFFIX_OF: Final = {mime_type: suffix for suffix, mime_type in reversed(_FILE.suffixes.types.items())}


@dataclass(frozen=True, slots=True)
class TypeFinding:
    """What a medium is.

    Attributes:
        mime_type: Its type; None where it has none that is taken.
        trouble: Why it has none, as a clause.
        note: What its author should know: that the name says another type than the content, which was followed.
    """

    mime_type: str | None
    trouble: str = ""
    note: str = ""


def find_type(head: bytes | None, name: str | None) -> TypeFinding:
    """The type of a medium; its content decides, and its name where the content leaves it open.

    Args:
        head: Its first bytes, ``HEAD_BYTES`` or all; None for a medium that is not looked at.
        name: Its file's name, path or URI, None where it has none.
    """
    named = type_of_name(name) if name else None
    signed = () if head is None else types_of_content(head)
    if signed:
        return _settle_signed(signed, named)
    if named is None:
        what = "its name does not say" if head is None else "neither its content nor its name says"
        return TypeFinding(None, f"{what} of which type it is; name the type in the spec, as media.mime")
    if named not in MEDIA_KINDS:
        return TypeFinding(None, f"its name says {named}, which Gemini does not take; convert it")
    if head is not None and named in _SIGNED:
        return TypeFinding(None, f"its name says {named}, and its content is something else or damaged")
    return TypeFinding(named)


def types_of_content(head: bytes) -> tuple[str, ...]:
    """The types that begin with these bytes, the likeliest first, taken or not; empty where none is known."""
    for signature in _FILE.signatures.table:
        if all(mark.stands_in(head) for mark in signature.marks):
            return signature.types
    return ()


def type_of_name(name: str) -> str | None:
    """The type that a file's name says, taken or not; None where it says none."""
    _, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return _FILE.suffixes.types.get(suffix.lower()) if dot else None


def suffix_of(mime_type: str) -> str:
    """What a file of the type is called at its end, dot included; empty for types that the table does not know."""
    suffix = _SUFFIX_OF.get(mime_type)
    return f".{suffix}" if suffix else ""


def _settle_signed(signed: tuple[str, ...], named: str | None) -> TypeFinding:
    mime_type = named if named in signed else signed[0]
    if mime_type not in MEDIA_KINDS:
        return TypeFinding(None, f"it is {mime_type}, which Gemini does not take; convert it")
    note = f"its name says {named}, and its content is {mime_type}" if named not in (None, mime_type) else ""
    return TypeFinding(mime_type, note=note)
