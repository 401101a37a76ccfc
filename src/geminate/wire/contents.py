"""What a response holds beside its answer's text: thoughts, code, citations, grounding, log-probabilities and so on.

It is read from the raw response, and only where it is asked for. Names are read in camelCase and in snake_case, numbers
as enums where older predictions have them; an unknown value is kept as it is; a piece that makes no sense is null. As
everywhere, the first candidate counts. The fields are those of the REST discovery document ``aiplatform.v1`` (revision
20261106), the enums' numbers those of ``google.cloud.aiplatform_v1.types`` (2025-11).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from types import MappingProxyType
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Raw

from geminate.wire.lax import enum_reader, read_count, read_flag, read_number, read_text, read_value

Reader = Callable[[Any], Any]

_TEXTS = pa.list_(pa.string())

CONTENT_TYPES: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "thoughts": pa.string(),
        "code": pa.list_(
            pa.struct({"language": pa.string(), "code": pa.string(), "outcome": pa.string(), "output": pa.string()})
        ),
        "citations": pa.list_(
            pa.struct(
                {
                    "start_index": pa.int64(),
                    "end_index": pa.int64(),
                    "uri": pa.string(),
                    "title": pa.string(),
                    "license": pa.string(),
                    "publication_date": pa.string(),
                }
            )
        ),
        "grounding": pa.struct(
            {
                "queries": _TEXTS,
                "sources": pa.list_(pa.struct({"uri": pa.string(), "title": pa.string(), "domain": pa.string()})),
                "supports": pa.list_(
                    pa.struct(
                        {
                            "text": pa.string(),
                            "start_index": pa.int64(),
                            "end_index": pa.int64(),
                            "source_indices": pa.list_(pa.int64()),
                        }
                    )
                ),
            }
        ),
        "logprobs": pa.struct(
            {
                "avg_logprobs": pa.float64(),
                "tokens": pa.list_(pa.struct({"token": pa.string(), "log_probability": pa.float64()})),
            }
        ),
        "safety": pa.list_(
            pa.struct(
                {
                    "category": pa.string(),
                    "probability": pa.string(),
                    "blocked": pa.bool_(),
                    "severity": pa.string(),
                    "scores": pa.struct({"probability": pa.float64(), "severity": pa.float64()}),
                }
            )
        ),
        "media": pa.list_(pa.struct({"mime_type": pa.string(), "data": pa.large_binary()})),
    }
)
"""What can be asked for, in the order of its columns, and its Arrow type."""

_LANGUAGES = ("LANGUAGE_UNSPECIFIED", "PYTHON")
_CODE_OUTCOMES = ("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED")
_HARM_CATEGORIES = tuple(
    f"HARM_CATEGORY_{name}"
    for name in (
        "UNSPECIFIED",
        "HATE_SPEECH",
        "DANGEROUS_CONTENT",
        "HARASSMENT",
        "SEXUALLY_EXPLICIT",
        "CIVIC_INTEGRITY",
    )
)
_HARM_PROBABILITIES = ("HARM_PROBABILITY_UNSPECIFIED", "NEGLIGIBLE", "LOW", "MEDIUM", "HIGH")
_HARM_SEVERITIES = tuple(f"HARM_SEVERITY_{name}" for name in ("UNSPECIFIED", *_HARM_PROBABILITIES[1:]))

_NULL = Raw(b"null")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_elements = msgspec.json.Decoder(list[Raw]).decode


@dataclass(frozen=True, slots=True)
class _Answer:
    """The pieces that contents are read from, none of them decoded yet: what is not asked for is not looked at."""

    response: Mapping[str, Any]
    candidate: Mapping[str, Any]
    parts: list[Mapping[str, Any]]
    thoughts: list[Mapping[str, Any]]


def read_contents(response: bytes | Raw, names: Collection[str]) -> dict[str, Any]:
    """The contents of these names, as ``pa.array`` takes them for their types; None for what is not there.

    Never raises for what the response holds.

    Args:
        response: The response as it stands on the line.
        names: Names of ``CONTENT_TYPES``.
    """
    members = _members(response)
    candidates = map(_members, _elements(_member(members, "candidates")))
    candidate = next(filter(None, candidates), {})
    parts = [_members(part) for part in _elements(_member(_members(_member(candidate, "content")), "parts"))]
    are_thoughts = [read_flag(read_value(_member(part, "thought"))) for part in parts]
    answer = _Answer(
        members,
        candidate,
        [part for part, is_thought in zip(parts, are_thoughts, strict=True) if not is_thought],
        [part for part, is_thought in zip(parts, are_thoughts, strict=True) if is_thought],
    )
    return {name: _CONTENTS[name](answer) for name in names}


def _members(raw: bytes | Raw | None) -> dict[str, Raw]:
    """An object's members; none of anything else."""
    try:
        return {} if raw is None else _decode_members(raw)
    except (ValueError, RecursionError):
        return {}


def _elements(raw: Raw | None) -> list[Raw]:
    """An array's elements; anything else is its own only element, since arrays of one have been seen without brackets."""
    try:
        return [] if raw is None else _decode_elements(raw)
    except (ValueError, RecursionError):
        return [] if raw is None else [raw]


def _member(members: Any, name: str) -> Any:
    """The member of that name, which is in snake_case, in either spelling; None where it is absent or null."""
    for spelling in (_camel(name), name):
        value = members.get(spelling)
        if value is not None and value != _NULL:
            return value
    return None


@cache
def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


def _value_of(members: Mapping[str, Any], name: str) -> Any:
    return read_value(_member(members, name))


def _listed(read: Reader) -> Reader:
    def read_list(value: Any) -> list[Any] | None:
        if value is None:
            return None
        return [read(element) for element in (value if isinstance(value, list) else [value])]

    return read_list


def _structured(readers: Mapping[str, Reader]) -> Reader:
    """A reader of an object's members, by the names of the struct's fields; None for anything else."""

    def read(value: Any) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            return None
        return {name: read_field(_member(value, name)) for name, read_field in readers.items()}

    return read


def _read_bool(value: Any) -> bool | None:
    return None if value is None else read_flag(value)


def _read_date(value: Any) -> str | None:
    """As much of a date as is known, in ISO 8601: protobuf dates may lack the day, or day and month."""
    if not isinstance(value, Mapping):
        return read_text(value)
    numbers = takewhile(bool, (read_count(value.get(name)) for name in ("year", "month", "day")))
    return "-".join(f"{number:0{width}}" for number, width in zip(numbers, (4, 2, 2), strict=False)) or None


def _thoughts(answer: _Answer) -> str | None:
    texts = [read_text(_value_of(part, "text")) for part in answer.thoughts]
    return "".join(text for text in texts if text) or None


_read_executable = _structured({"id": read_text, "language": enum_reader(_LANGUAGES), "code": read_text})
_read_executed = _structured({"id": read_text, "outcome": enum_reader(_CODE_OUTCOMES), "output": read_text})


def _code(answer: _Answer) -> list[Any] | None:
    """Each code with its result: the one of its id, or else the next that has no other code to belong to."""
    runs: list[dict[str, Any] | None] = []
    waiting: list[dict[str, Any]] = []
    for part in answer.parts:
        for name, read in (("executable_code", _read_executable), ("code_execution_result", _read_executed)):
            value = _member(part, name)
            if value is None:
                continue
            found = read(read_value(value))
            run = _pick_run(waiting, found) if found and read is _read_executed else None
            if run is not None:
                run.update(found)
                continue
            runs.append(found)
            if found and read is _read_executable:
                waiting.append(found)
    return [run and {name: run.get(name) for name in ("language", "code", "outcome", "output")} for run in runs] or None


def _pick_run(waiting: list[dict[str, Any]], result: dict[str, Any]) -> dict[str, Any] | None:
    """The run that the result belongs to, which no longer waits; None where there is none."""
    fitting = [run for run in waiting if run["id"] == result["id"]]
    fitting += [run for run in waiting if None in {run["id"], result["id"]}]
    if fitting:
        waiting[:] = [run for run in waiting if run is not fitting[0]]
    return fitting[0] if fitting else None


_read_citations = _listed(
    _structured(
        {
            "start_index": read_count,
            "end_index": read_count,
            "uri": read_text,
            "title": read_text,
            "license": read_text,
            "publication_date": _read_date,
        }
    )
)


def _citations(answer: _Answer) -> Any:
    metadata = _members(_member(answer.candidate, "citation_metadata"))
    # The Developer API says citationSources.
    citations = _value_of(metadata, "citations")
    return _read_citations(_value_of(metadata, "citation_sources") if citations is None else citations)


_read_texts = _listed(read_text)
_SOURCE_KINDS = ("web", "retrieved_context", "maps", "image")


def _read_source(value: Any) -> dict[str, str | None] | None:
    """A grounding chunk's place, whichever kind of place it is."""
    if not isinstance(value, Mapping):
        return None
    kinds = (_member(value, kind) for kind in _SOURCE_KINDS)
    place = next((kind for kind in kinds if isinstance(kind, Mapping)), None)
    if place is None:
        return None
    uris = (_member(place, name) for name in ("uri", "source_uri", "image_uri"))
    uri = next((uri for uri in uris if uri is not None), None)
    title, domain = _member(place, "title"), _member(place, "domain")
    return {"uri": read_text(uri), "title": read_text(title), "domain": read_text(domain)}


def _read_support(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    segment = _read_segment(_member(value, "segment")) or {}
    return {**segment, "source_indices": _read_indices(_member(value, "grounding_chunk_indices"))}


_read_segment = _structured({"text": read_text, "start_index": read_count, "end_index": read_count})
_read_indices = _listed(read_count)
_read_sources = _listed(_read_source)
_read_supports = _listed(_read_support)


def _grounding(answer: _Answer) -> dict[str, Any] | None:
    metadata = _members(_member(answer.candidate, "grounding_metadata"))
    if not metadata:
        return None
    kinds = ("web_search_queries", "image_search_queries", "retrieval_queries")
    queries = [_read_texts(_value_of(metadata, kind)) for kind in kinds]
    known = [query for texts in queries if texts is not None for query in texts]
    return {
        "queries": known or (None if queries == [None] * len(kinds) else []),
        "sources": _read_sources(_value_of(metadata, "grounding_chunks")),
        "supports": _read_supports(_value_of(metadata, "grounding_supports")),
    }


_read_tokens = _listed(_structured({"token": read_text, "log_probability": read_number}))


def _logprobs(answer: _Answer) -> dict[str, Any] | None:
    average = read_number(_value_of(answer.candidate, "avg_logprobs"))
    chosen = _value_of(_members(_member(answer.candidate, "logprobs_result")), "chosen_candidates")
    if average is None and chosen is None:
        return None
    return {"avg_logprobs": average, "tokens": _read_tokens(chosen)}


_read_rating = _structured(
    {
        "category": enum_reader(_HARM_CATEGORIES),
        "probability": enum_reader(_HARM_PROBABILITIES),
        "blocked": _read_bool,
        "severity": enum_reader(_HARM_SEVERITIES),
    }
)
_read_scores = _structured({"probability_score": read_number, "severity_score": read_number})


def _read_scored(value: Any) -> dict[str, Any] | None:
    rating, scores = _read_rating(value), _read_scores(value)
    if rating is None:
        return None
    return {**rating, "scores": {name.removesuffix("_score"): score for name, score in scores.items()}}


def _safety(answer: _Answer) -> Any:
    """The ratings of the answer; those of the prompt where the answer has none, as when the prompt was blocked."""
    ratings = _value_of(answer.candidate, "safety_ratings")
    if ratings is None:
        ratings = _value_of(_members(_member(answer.response, "prompt_feedback")), "safety_ratings")
    return _listed(_read_scored)(ratings)


def _media(answer: _Answer) -> list[Any] | None:
    blobs = [_member(part, "inline_data") for part in answer.parts]
    return [_read_blob(read_value(blob)) for blob in blobs if blob is not None] or None


def _read_blob(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    return {"mime_type": read_text(_member(value, "mime_type")), "data": _read_bytes(_member(value, "data"))}


def _read_bytes(value: Any) -> bytes | None:
    """Base64 of either alphabet, padded or not; None where it is not that, or nothing."""
    if not isinstance(value, str) or not value.isascii():
        return None
    text = value.encode().translate(_URL_SAFE, b"\r\n\t ").rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True) or None
    except ValueError:
        return None


_CONTENTS: Mapping[str, Callable[[_Answer], Any]] = MappingProxyType(
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
