"""Settled media to the columns that request lines are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import msgspec
import pyarrow as pa

from geminate.stages.checks.meanings import iter_parts, mime_type_of
from geminate.stages.requests.media import MediaColumns, MediaSlot, Medium, media_column
from geminate.stages.requests.values import TEXT
from geminate.stages.specs import Slot, parse_text
from geminate.wire.limits import Limits
from geminate.wire.lines import DEFAULT_MAX_LINE_BYTES
from geminate.wire.media_types import MEDIA_KINDS
from geminate.wire.violations import Violation

MAX_INLINE_BYTES: Final = DEFAULT_MAX_LINE_BYTES * 15 // 16
"""How much base64 a request may hold. Predictions repeat their request, and longer lines are not read back whole."""

Settled = Medium | Violation


def count_fixed_media(request: Any) -> Counter[str]:
    """How many media of each kind stand in a spec's request itself, beside what its media slots bring."""
    contents = request.get("contents") if isinstance(request, dict) else None
    parts = [
        part for content in (contents if isinstance(contents, list) else ()) for part, _ in iter_parts(content, None)
    ]
    return Counter(MEDIA_KINDS.get(mime_type_of(part), "") for part in parts if not _has_slot(part))


def find_excess(kinds: Counter[str], limits: Limits, path: str) -> Iterator[Violation]:
    """What is wrong with so many media of each kind in one request."""
    for kind, rule, most in (
        ("image", "limit.images", limits.max_images_per_prompt),
        ("video", "limit.videos", limits.max_videos_per_prompt),
    ):
        if kinds[kind] > most:
            yield Violation(rule, f"{kinds[kind]:,} {kind}s, where the model takes {most:,} at most", path)


class MediaColumnsBuilder:
    """Takes the media of consecutive rows, and makes columns of them.

    Args:
        slots: Where media go.
        limits: The limits of the model.
        fixed: The media of each kind that every request has beside them.
    """

    def __init__(self, slots: tuple[MediaSlot, ...], limits: Limits, fixed: Counter[str]) -> None:
        self._slots = slots
        self._limits = limits
        self._fixed = fixed
        self._rows = 0
        self._faults: list[tuple[int, Violation]] = []
        self._texts: dict[str, list[bytes | None]] = {
            media_column(slot.name, wanted): [] for slot in slots for wanted in slot.wanted
        }

    def add(self, row: list[list[Settled] | None]) -> int:
        """How many bytes the next row's media take up in a line, 0 where it is rejected; they are in the columns now.

        Args:
            row: The media by slot, None for a null.
        """
        faults = list(self._find_faults(row))
        size = 0
        for slot, media in zip(self._slots, row, strict=True):
            for wanted in slot.wanted:
                text = None if faults else _encode(wanted, slot, media)
                self._texts[media_column(slot.name, wanted)].append(text)
                size += len(text or b"")
        self._faults += [(self._rows, fault) for fault in faults]
        self._rows += 1
        return size

    def finish(self) -> MediaColumns:
        """The columns, and why rows have nothing in them."""
        columns = {name: pa.array(texts, pa.large_binary()).view(TEXT) for name, texts in self._texts.items()}
        return MediaColumns(columns, self._faults)

    def _find_faults(self, row: list[list[Settled] | None]) -> Iterator[Violation]:
        kinds = self._fixed.copy()
        inline_bytes = 0
        for slot, media in zip(self._slots, row, strict=True):
            for fault in _faults_of(slot, media):
                yield replace(fault, path=slot.path)
            for medium in media or ():
                if isinstance(medium, Medium):
                    kinds[MEDIA_KINDS.get(medium.mime_type, "")] += slot.count
                    inline_bytes += len(medium.base64) * slot.count
        path = self._slots[0].path
        yield from find_excess(kinds, self._limits, path)
        if inline_bytes > MAX_INLINE_BYTES:
            what = f"{inline_bytes:,} bytes of base64 are too many for a request line; upload the media"
            yield Violation("limit.line_bytes", what, path)


def _has_slot(part: dict[str, Any]) -> bool:
    texts = [
        text for data in part.values() if isinstance(data, dict) for text in data.values() if isinstance(text, str)
    ]
    return any(isinstance(piece, Slot) and piece.medium for text in texts for piece in parse_text(text, ""))


def _faults_of(slot: MediaSlot, media: list[Settled] | None) -> Iterator[Violation]:
    if media is None:
        if slot.default is None:
            yield Violation(
                "schema.null_slot", f"{slot.name!r} is null or empty; fill it, or name a default in the spec"
            )
        return
    for medium in media:
        if isinstance(medium, Violation):
            yield medium
        elif "base64" in slot.wanted and medium.uri is not None:
            yield Violation("schema.file_uri", f"{medium.uri}: is not fetched, so it has no '| base64'; use '| part'")
        elif "uri" in slot.wanted and medium.uri is None:
            what = f"{slot.name!r} is here, so it has no '| uri'; upload it, or use '| part'"
            yield Violation("schema.file_uri", what)


def _encode(wanted: str, slot: MediaSlot, media: list[Settled] | None) -> bytes | None:
    """The text that goes into a line; there is no fault."""
    if media is None:
        return (slot.default or "").encode()
    return b",".join(_WRITERS[wanted](medium) for medium in media if isinstance(medium, Medium))


def _encode_part(medium: Medium) -> bytes:
    if medium.uri is not None:
        return msgspec.json.encode({"fileData": {"fileUri": medium.uri, "mimeType": medium.mime_type}})
    return b'{"inlineData":{"mimeType":%s,"data":"%s"}}' % (msgspec.json.encode(medium.mime_type), medium.base64)


_WRITERS: dict[str, Callable[[Medium], bytes]] = {
    "part": _encode_part,
    "base64": lambda medium: medium.base64,
    "mime": lambda medium: medium.mime_type.encode(),
    "uri": lambda medium: (medium.uri or "").encode(),
}
