"""Prediction lines as anyone has ever seen them: the slow road, on which nothing but broken JSON is refused.

It reads snake_case, integers for enums, counts as strings, ``parts`` and ``candidates`` as one object, a response that
is a JSON string, as in a BigQuery column, and skips members of types that mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from geminate.wire.lax import dump_value, enum_reader, read_count, read_flag, read_text, read_value
from geminate.wire.outcomes import BLOCK_REASONS, FINISH_REASONS
from geminate.wire.predictions import (
    ABSENT,
    Candidate,
    Content,
    FunctionCall,
    Part,
    Prediction,
    PromptFeedback,
    Response,
    Unreadable,
    Usage,
    encode_siblings,
)
from geminate.wire.unreadable import explain_unreadable

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def decode_leniently(line: bytes, key_name: str | None) -> Prediction | Unreadable:
    """The prediction, with its siblings, or why the line cannot be read. Never raises."""
    try:
        return _decode(_decode_members(line), key_name)
    except (ValueError, RecursionError) as refusal:  # MsgspecError and the Unicode errors are ValueErrors.
        return explain_unreadable(line, refusal, key_name)


def _decode(members: Mapping[str, Raw], key_name: str | None) -> Prediction:
    response_json = _unwrap_json(members.get("response", ABSENT))
    error = read_value(members.get("error"))
    is_vertex = "status" in members or "processed_time" in members
    return Prediction(
        key=read_text(read_value(members.get(key_name))) if key_name is not None else None,
        status=read_text(read_value(members.get("status"))),
        processed_time=read_text(read_value(members.get("processed_time"))),
        response=_response(read_value(response_json)),
        error=None if is_vertex or error is None else _error(error),
        request=members.get("request", ABSENT),
        response_json=response_json,
        siblings=encode_siblings(members),
    )


def _unwrap_json(raw: Raw) -> Raw:
    """The JSON inside, where the value is a JSON string that holds an object."""
    if not bytes(raw).startswith(b'"'):
        return raw
    text = read_value(raw)
    return Raw(text.encode()) if isinstance(text, str) and text.lstrip().startswith("{") else raw


def _error(error: Any) -> dict[str, Raw]:
    members = error if isinstance(error, Mapping) else {"message": read_text(error)}
    return {str(name): Raw(dump_value(value).encode()) for name, value in members.items()}


def _presence(value: Any) -> Raw:
    return Raw(b"true") if value else ABSENT


def _call(value: Any) -> FunctionCall | None:
    if not isinstance(value, Mapping):
        return None
    args = value.get("args")
    return FunctionCall(read_text(value.get("name")), ABSENT if args is None else Raw(dump_value(args).encode()))


def _listed(read: Callable[[Any], Any]) -> Callable[[Any], list[Any] | None]:
    def read_list(value: Any) -> list[Any] | None:
        elements = value if isinstance(value, list) else [value]
        known = [read(element) for element in elements if element is not None]
        return [element for element in known if element is not None]

    return read_list


def _structured(kind: type[Struct], readers: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A reader of an object into a struct, by its fields' names in camelCase or else in snake_case."""
    names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return None
        given = {}
        for field, read_field in readers.items():
            member = value.get(names[field])
            member = value.get(field) if member is None else member
            if member is not None:
                given[field] = read_field(member)
        return kind(**given)

    return read


_usage = _structured(Usage, dict.fromkeys(Usage.__struct_fields__, read_count))
_feedback = _structured(PromptFeedback, {"block_reason": enum_reader(BLOCK_REASONS), "block_reason_message": read_text})
_part_object = _structured(
    Part,
    {
        "text": read_text,
        "thought": read_flag,
        "function_call": _call,
        "inline_data": _presence,
        "executable_code": _presence,
        "code_execution_result": _presence,
    },
)


def _part(value: Any) -> Part | None:
    return Part(text=value) if isinstance(value, str) else _part_object(value)


_content = _structured(Content, {"parts": _listed(_part)})
_candidate = _structured(
    Candidate,
    {"content": _content, "finish_reason": enum_reader(FINISH_REASONS), "finish_message": read_text},
)
_response: Callable[[Any], Response | None] = _structured(
    Response,
    {
        "candidates": _listed(_candidate),
        "model_version": read_text,
        "prompt_feedback": _feedback,
        "response_id": read_text,
        "usage_metadata": _usage,
    },
)
