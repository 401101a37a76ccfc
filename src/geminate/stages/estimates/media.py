"""The tokens of media, of which a request seldom says how long they are."""

from __future__ import annotations

from dataclasses import dataclass

from geminate.stages.estimates.lines import Blob, Part, VideoMetadata
from geminate.stages.estimates.ranges import NOTHING, Range
from geminate.wire.token_rates import Triple, media_file, media_rates

_BASE64_SHARE = 3 / 4
_LEVEL_PREFIX = "MEDIA_RESOLUTION_"
# What a MIME type begins with, and what its media are; the first that fits, the last fits all.
_KINDS = (
    ("image/", "image"),
    ("audio/", "audio"),
    ("video/", "video"),
    ("application/pdf", "document"),
    ("text/", "text"),
    ("application/json", "text"),
    ("", "document"),
)


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium: what it is, its tokens, and those of them that are priced as audio."""

    kind: str
    plain: Range
    audio: Range


class MediaTokens:
    """What media cost as input of one model."""

    def __init__(self, model: str) -> None:
        self._file = media_file()
        self._rates = media_rates(model)

    def measure(self, part: Part, resolution: str) -> Medium | None:
        """The part's medium, None where it has none.

        Args:
            part: A part of a request.
            resolution: The request's ``mediaResolution``, empty where it has none.
        """
        blob = part.inline_data or part.file_data
        if blob is None:
            return None
        kind = next(name for prefix, name in _KINDS if blob.mime_type.lower().startswith(prefix))
        if part.media_resolution is not None and part.media_resolution.level:
            resolution = part.media_resolution.level
        level = resolution.removeprefix(_LEVEL_PREFIX)
        if kind == "image":
            return Medium(kind, Range(*_at(self._rates.image, level)), NOTHING)
        length = self._length(kind, blob, part.video_metadata)
        if kind == "audio":
            return Medium(kind, NOTHING, length.times(self._file.audio_per_second))
        if kind == "video":
            frames = (part.video_metadata and part.video_metadata.fps) or 1.0
            pictures = length.times((frames,) * 3).times(_at(self._rates.frame, level))
            # A video may have no sound.
            return Medium(kind, pictures, length.times((0, *self._file.audio_per_second[1:])))
        if kind == "document":
            return Medium(kind, length.times(_at(self._rates.page, level)), NOTHING)
        return Medium(kind, length, NOTHING)

    def _length(self, kind: str, blob: Blob, cut: VideoMetadata | None) -> Range:
        """Seconds, pages or tokens."""
        lengths = self._file.lengths[kind]
        if blob.data:
            size_bytes = len(memoryview(blob.data)) * _BASE64_SHARE
            length = Range(*(size_bytes,) * 3).over(lengths.bytes)
        else:
            length = Range(*lengths.unknown)
        end_s = _seconds(cut.end_offset) if cut else None
        if cut is not None and end_s is not None:
            seconds = max(end_s - (_seconds(cut.start_offset) or 0.0), 0.0)
            return Range(*(seconds,) * 3)
        return length


def _at(tokens: dict[str, Triple], level: str) -> Triple:
    return tokens.get(level, tokens[""])


def _seconds(duration: str | None) -> float | None:
    try:
        return None if duration is None else float(duration.removesuffix("s"))
    except ValueError:
        return None
