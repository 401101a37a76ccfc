"""What media cost as input, and what a model may write, as dated data."""

from __future__ import annotations

import re
from functools import cache

import msgspec

from geminate.wire.limits import bare_model, read_data

Triple = tuple[float, float, float]
"""The least, the likely and the most."""


class Lengths(msgspec.Struct, frozen=True):
    """How long media of one kind are taken to be.

    Attributes:
        unknown: Where nobody says: seconds, pages or tokens.
        bytes: What one second, page or token of inline data takes.
    """

    unknown: Triple
    bytes: Triple


class MediaRates(msgspec.Struct, frozen=True):
    """Tokens of an image, a video's frame and a document's page, by resolution; the empty one is the default."""

    models: str
    image: dict[str, Triple]
    frame: dict[str, Triple]
    page: dict[str, Triple]


class MediaFile(msgspec.Struct, frozen=True):
    """``data/media_tokens.json``."""

    max_input_tokens: int
    audio_per_second: Triple
    generations: list[MediaRates]
    lengths: dict[str, Lengths]


class Thinking(msgspec.Struct, frozen=True):
    """The likely and the most tokens of thoughts, and whether there are any unasked."""

    likely: int
    most: int
    unasked: bool = True


class OutputRates(msgspec.Struct, frozen=True):
    """What a model may write: answer and thoughts together, thoughts if it has any, and whether answers are images."""

    models: str
    max_tokens: int
    thinking: Thinking | None = None
    images: bool = False


class OutputFile(msgspec.Struct, frozen=True):
    """``data/output_tokens.json``."""

    likely_answer_tokens: int
    image_tokens: int
    levels: dict[str, int]
    models: list[OutputRates]


@cache
def media_file() -> MediaFile:
    """What media cost, whatever the model."""
    return msgspec.json.decode(read_data("media_tokens.json"), type=MediaFile)


@cache
def output_file() -> OutputFile:
    """What models may write."""
    return msgspec.json.decode(read_data("output_tokens.json"), type=OutputFile)


def media_rates(model: str) -> MediaRates:
    """What media cost as input of a model; of one that is not known, what they cost of the newest."""
    return next(rates for rates in media_file().generations if re.fullmatch(rates.models, bare_model(model)))


def output_rates(model: str) -> OutputRates:
    """What a model may write; of one that is not known, what the newest may."""
    return next(rates for rates in output_file().models if re.fullmatch(rates.models, bare_model(model)))
