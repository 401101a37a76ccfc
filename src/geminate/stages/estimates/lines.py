"""Request lines, read for what costs tokens: texts, media, and the settings that bound the answer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

_NOTHING = Raw(b"")


class Blob(Struct, rename="camel", gc=False):
    """Inline data, not decoded, or a file."""

    mime_type: str = ""
    file_uri: str = ""
    data: Raw = _NOTHING


class VideoMetadata(Struct, rename="camel", gc=False):
    """Which part of a video counts."""

    start_offset: str | None = None
    end_offset: str | None = None
    fps: float | None = None


class MediaResolution(Struct, gc=False):
    """How closely one medium is looked at."""

    level: str | None = None


class Part(Struct, rename="camel", gc=False):
    """One part of a turn; what is neither text nor media is JSON that the model reads."""

    text: str | None = None
    inline_data: Blob | None = None
    file_data: Blob | None = None
    video_metadata: VideoMetadata | None = None
    media_resolution: MediaResolution | None = None
    function_call: Raw = _NOTHING
    function_response: Raw = _NOTHING
    executable_code: Raw = _NOTHING
    code_execution_result: Raw = _NOTHING

    def iter_texts(self) -> Iterator[str]:
        """What the model reads as text."""
        if self.text is not None:
            yield self.text
        for raw in (self.function_call, self.function_response, self.executable_code, self.code_execution_result):
            if raw:
                yield bytes(raw).decode()


class Content(Struct, gc=False):
    """One turn."""

    parts: list[Part] | None = None


class Request(Struct, rename="camel", gc=False):
    """What is read of a request; tools and settings are alike in most lines and stay as they stand."""

    contents: list[Content] | None = None
    system_instruction: Content | None = None
    tools: Raw = _NOTHING
    generation_config: Raw = _NOTHING

    def iter_parts(self) -> Iterator[Part]:
        """The parts of all turns, the system instruction's first."""
        for content in (self.system_instruction, *(self.contents or ())):
            if content is not None and content.parts:
                yield from content.parts


class _Line(Struct, gc=False):
    request: Request


_decode = msgspec.json.Decoder(_Line).decode


def read_request(line: bytes) -> Request:
    """The request of a line as a build writes it; of any other, all of the line as one text."""
    try:
        return _decode(line).request
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return Request(contents=[Content([Part(text=line.decode("utf-8", "replace"))])])
