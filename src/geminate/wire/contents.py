"""What a response holds beside its answer's text: thoughts, code, citations, grounding, log-probabilities and so on.

It is read from the raw response, and only where it is asked for. Names are read in camelCase and in snake_case, enums
also by number; an unknown value is kept as it is, and a piece that makes no sense is null. As everywhere, the first
candidate counts, and thoughts are no part of the answer. The fields are those of the REST discovery document
``aiplatform.v1`` (revision 20261106), the numbers those of ``google.cloud.aiplatform_v1.types`` (2025-11).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType
from typing import Any

from msgspec import Raw

from geminate.wire.content_types import CODE_RUN_TYPE, CONTENT_TYPES
from geminate.wire.lax import (
    enum_reader,
    read_count,
    read_elements,
    read_flag,
    read_member,
    read_members,
    read_number,
    read_text,
    read_value,
    reader_of,
)

_LANGUAGES = ("LANGUAGE_UNSPECIFIED", "PYTHON")
_CODE_OUTCOMES = ("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED")
_HARM_CATEGORIES = (
    "HARM_CATEGORY_UNSPECIFIED",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_CIVIC_INTEGRITY",
    "HARM_CATEGORY_IMAGE_HATE",
    "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT",
    "HARM_CATEGORY_IMAGE_HARASSMENT",
    "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_JAILBREAK",
)
_HARM_PROBABILITIES = ("HARM_PROBABILITY_UNSPECIFIED", "NEGLIGIBLE", "LOW", "MEDIUM", "HIGH")
_HARM_SEVERITIES = (
    "HARM_SEVERITY_UNSPECIFIED",
    "HARM_SEVERITY_NEGLIGIBLE",
    "HARM_SEVERITY_LOW",
    "HARM_SEVERITY_MEDIUM",
    "HARM_SEVERITY_HIGH",
)
_QUERIES = ("web_search_queries", "image_search_queries", "retrieval_queries")
_PLACES = ("web", "retrieved_context", "maps", "image")
_PLACE_URIS = ("uri", "source_uri", "image_uri")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")

Members = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What contents are read from. No piece is decoded yet, so that what is not asked for costs nothing."""

    response: Members
    candidate: Members
    parts: list[Members]
    thoughts: list[Members]


def read_contents(response: bytes | Raw, names: Collection[str]) -> dict[str, Any]:
    """The contents of these names, as ``pa.array`` takes them for their types; None for what is not there.

    Never raises for what the response holds.

    Args:
        response: The response as it stands on the line.
        names: Names of ``CONTENT_TYPES``.
    """
    members = read_members(response)
    candidates = read_elements(read_member(members, "candidates"))
    candidate = read_members(next(filter(_is_object, candidates), None))
    content = read_members(read_member(candidate, "content"))
    parts: list[Members] = []
    thoughts: list[Members] = []
    for part in map(read_members, read_elements(read_member(content, "parts"))):
        (thoughts if read_flag(_value(part, "thought")) else parts).append(part)
    pieces = _Pieces(members, candidate, parts, thoughts)
    return {name: _READERS[name](pieces) for name in names}


def _is_object(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"{"


def _value(members: Members, name: str) -> Any:
    return read_value(read_member(members, name))


def _first(members: Members, names: Collection[str]) -> Any:
    values = (read_member(members, name) for name in names)
    return next((value for value in values if value is not None), None)


def _thoughts(pieces: _Pieces) -> str | None:
    texts = [read_text(_value(part, "text")) for part in pieces.thoughts]
    return "".join(filter(None, texts)) or None


_read_executable = reader_of(CODE_RUN_TYPE, language=enum_reader(_LANGUAGES))
_read_result = reader_of(CODE_RUN_TYPE, outcome=enum_reader(_CODE_OUTCOMES))


def _code(pieces: _Pieces) -> list[Any] | None:
    """Each code with its result: the one of the same id, else the next one where either has no id."""
    runs: list[Any] = []
    waiting: list[tuple[str | None, dict[str, Any]]] = []
    for part in pieces.parts:
        executable, result = _value(part, "executable_code"), _value(part, "code_execution_result")
        if executable is not None:
            runs.append(_read_executable(executable))
            waiting += [(_id(executable), runs[-1])] if runs[-1] else []
        if result is None:
            continue
        found = _read_result(result)
        own = _place_of(_id(result), [name for name, _ in waiting]) if found else None
        if own is None:
            runs.append(found)
        else:
            waiting.pop(own)[1].update(outcome=found["outcome"], output=found["output"])
    return runs or None


def _id(value: Any) -> str | None:
    return read_text(value.get("id")) if isinstance(value, Mapping) else None


def _place_of(name: str | None, waiting: list[str | None]) -> int | None:
    if name in waiting:
        return waiting.index(name)
    loose = [at for at, other in enumerate(waiting) if name is None or other is None]
    return loose[0] if loose else None


def _read_date(value: Any) -> str | None:
    """As much of a date as is known, in ISO 8601: protobuf dates may lack the day, or the day and the month."""
    if not isinstance(value, Mapping):
        return read_text(value)
    numbers = takewhile(bool, (read_count(value.get(name)) for name in ("year", "month", "day")))
    return "-".join(f"{number:0{width}}" for number, width in zip(numbers, (4, 2, 2), strict=False)) or None


_read_citations = reader_of(CONTENT_TYPES["citations"], publication_date=_read_date)


def _citations(pieces: _Pieces) -> Any:
    metadata = read_members(read_member(pieces.candidate, "citation_metadata"))
    # The Gemini Developer API has another name for them.
    return _read_citations(read_value(_first(metadata, ("citations", "citation_sources"))))


_GROUNDING_TYPE = CONTENT_TYPES["grounding"]
_read_queries = reader_of(_GROUNDING_TYPE.field("queries").type)
_read_place = reader_of(_GROUNDING_TYPE.field("sources").type.value_type)
_read_support = reader_of(_GROUNDING_TYPE.field("supports").type.value_type)


def _grounding(pieces: _Pieces) -> dict[str, Any] | None:
    metadata = read_members(read_member(pieces.candidate, "grounding_metadata"))
    if not metadata:
        return None
    queries = [_read_queries(_value(metadata, name)) for name in _QUERIES]
    known = [query for some in queries for query in some or ()]
    return {
        "queries": known if any(some is not None for some in queries) else None,
        "sources": _read_each(_value(metadata, "grounding_chunks"), _source),
        "supports": _read_each(_value(metadata, "grounding_supports"), _support),
    }


def _read_each(values: Any, read: Callable[[Members], Any]) -> list[Any] | None:
    if values is None:
        return None
    values = values if isinstance(values, list) else [values]
    return [read(value) if isinstance(value, Mapping) else None for value in values]


def _source(chunk: Members) -> Any:
    """Where a grounding chunk comes from, whichever kind of place it is."""
    place = _first(chunk, _PLACES)
    if not isinstance(place, Mapping):
        return None
    return _read_place({**place, "uri": _first(place, _PLACE_URIS)})


def _support(support: Members) -> Any:
    segment = read_member(support, "segment")
    segment = segment if isinstance(segment, Mapping) else {}
    return _read_support({**segment, "source_indices": read_member(support, "grounding_chunk_indices")})


_read_tokens = reader_of(CONTENT_TYPES["logprobs"].field("tokens").type)


def _logprobs(pieces: _Pieces) -> dict[str, Any] | None:
    average = read_number(_value(pieces.candidate, "avg_logprobs"))
    chosen = _value(read_members(read_member(pieces.candidate, "logprobs_result")), "chosen_candidates")
    if average is None and chosen is None:
        return None
    return {"avg_logprobs": average, "tokens": _read_tokens(chosen)}


_read_rating = reader_of(
    CONTENT_TYPES["safety"].value_type,
    category=enum_reader(_HARM_CATEGORIES),
    probability=enum_reader(_HARM_PROBABILITIES),
    severity=enum_reader(_HARM_SEVERITIES),
)


def _safety(pieces: _Pieces) -> list[Any] | None:
    """The ratings of the answer; those of the prompt where the answer has none, as when the prompt was blocked."""
    feedback = read_members(read_member(pieces.response, "prompt_feedback"))
    found = (read_member(members, "safety_ratings") for members in (pieces.candidate, feedback))
    return _read_each(read_value(next((raw for raw in found if raw is not None), None)), _rating)


def _rating(rating: Members) -> Any:
    scores = {name: read_member(rating, f"{name}_score") for name in ("probability", "severity")}
    return _read_rating({**rating, "scores": scores})


def _media(pieces: _Pieces) -> list[Any] | None:
    return [
        _blob(_value(part, "inline_data")) for part in pieces.parts if read_member(part, "inline_data") is not None
    ] or None


def _blob(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    return {"mime_type": read_text(read_member(value, "mime_type")), "data": _read_bytes(read_member(value, "data"))}


def _read_bytes(value: Any) -> bytes | None:
    """Base64 of either alphabet, padded or not; None where it is not that, or nothing."""
    if not isinstance(value, str) or not value.isascii():
        return None
    text = value.encode().translate(_URL_SAFE, b"\r\n\t ").rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True) or None
    except ValueError:
        return None


_READERS: Mapping[str, Callable[[_Pieces], Any]] = MappingProxyType(
    {
        "thoughts": _thoughts,
        "code": _code,
        "citations": _citations,
        "grounding": _grounding,
        "logprobs": _logprobs,
        "safety": _safety,
        "media": _media,
    }
)
