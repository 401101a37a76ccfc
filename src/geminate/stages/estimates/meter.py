"""Blocks of request lines to the tokens that each of them may use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from geminate.stages.estimates.lines import Request, read_request
from geminate.stages.estimates.media import MediaTokens
from geminate.stages.estimates.outputs import OutputTokens, Settings
from geminate.stages.estimates.ranges import Range, Ranges
from geminate.wire.token_rates import media_file
from geminate.wire.tokens import count_tokens

_MAX_SETTINGS = 1000


class Measured(NamedTuple):
    """Some requests, measured.

    Attributes:
        plain: Input tokens of each that are not audio.
        audio: Those that are.
        output: What the model may write for each, thoughts included.
        media: Their media by kind.
        unbounded: Requests that do not bound what the model may write.
        searching: Requests with a tool that is billed by its use.
    """

    plain: Ranges
    audio: Ranges
    output: Ranges
    media: Counter[str]
    unbounded: int
    searching: int

    @property
    def likely_input(self) -> Ranges:
        """The likely input tokens of each."""
        total: Ranges = (self.plain + self.audio)[1]
        return total


class RequestMeter:
    """Measures the request lines of one model; memory is that of the lines given."""

    def __init__(self, model: str) -> None:
        self._media = MediaTokens(model)
        self._outputs = OutputTokens(model)
        self._settings: dict[tuple[bytes, bytes], Settings] = {}

    def measure(self, lines: Sequence[bytes]) -> Measured:
        """The lines' requests, in order."""
        requests = [read_request(line) for line in lines]
        settings = [self._read_settings(request) for request in requests]
        plain = _measure_texts([_text(request) for request in requests]) + _columns([each.input for each in settings])
        audio = np.zeros(plain.shape)
        media: Counter[str] = Counter()
        for row, (request, each) in enumerate(zip(requests, settings, strict=True)):
            for part in request.iter_parts():
                medium = self._media.measure(part, each.resolution)
                if medium is not None:
                    media[medium.kind] += 1
                    plain[:, row] += medium.plain
                    audio[:, row] += medium.audio
        plain = np.minimum(plain, media_file().max_input_tokens)
        return Measured(
            plain,
            np.minimum(audio, media_file().max_input_tokens - plain),
            _columns([each.output for each in settings]),
            media,
            sum(not each.bounded for each in settings),
            sum(each.searches for each in settings),
        )

    def _read_settings(self, request: Request) -> Settings:
        key = (bytes(request.generation_config), bytes(request.tools))
        if key not in self._settings:
            if len(self._settings) >= _MAX_SETTINGS:
                self._settings.clear()
            self._settings[key] = self._outputs.read(*key)
        return self._settings[key]


def _text(request: Request) -> str:
    return "".join([text for part in request.iter_parts() for text in part.iter_texts()])


def _columns(ranges: Sequence[Range]) -> Ranges:
    return np.array(ranges, np.float64).reshape(-1, 3).T


def _measure_texts(texts: Sequence[str]) -> Ranges:
    likely, spread = count_tokens(pa.array(texts, pa.large_string()))
    return np.stack([likely - spread, likely, likely + spread])
