"""One prediction line as typed values, in both dialects and every layout.

Vertex AI writes ``status``, ``processed_time``, the echoed ``request``, ``response`` and the siblings of the request;
the Gemini Developer API writes ``key`` and ``response`` or ``error``. Key order is never relied on. The strict
decoders here read what the services write today, and skip the echo; whatever they refuse or find incomplete is for
``geminate.wire.leniency``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, cast

import msgspec
from msgspec import Meta, Raw, Struct

Count = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A token count that Arrow can hold; int64 on the wire as well."""

ABSENT = Raw(b"")
"""A member that the line does not have."""

SERVICE_MEMBERS = frozenset({"status", "processed_time", "request", "response"})
"""What the service writes on a line; everything else is a sibling of the request."""


class FunctionCall(Struct, gc=False):
    """A call the model asks for; ``args`` as JSON."""

    name: str | None = None
    args: Raw = ABSENT


class Part(Struct, rename="camel", gc=False):
    """One part of an answer; parts with ``thought`` are none of it."""

    text: str | None = None
    thought: bool | None = None
    function_call: FunctionCall | None = None
    inline_data: Raw = ABSENT
    executable_code: Raw = ABSENT
    code_execution_result: Raw = ABSENT


class Content(Struct, gc=False):
    """The parts of a candidate."""

    parts: list[Part] | None = None


class Candidate(Struct, rename="camel", gc=False):
    """One answer; its finish reason may be a name nobody has listed."""

    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None


class PromptFeedback(Struct, rename="camel", gc=False):
    """Why a prompt was not answered."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class Usage(Struct, rename="camel", gc=False):
    """Token counts; one that is absent is unknown, not 0. The order is that of the joined rows."""

    prompt_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    total_token_count: Count | None = None


class Response(Struct, rename="camel", gc=False):
    """What we read of a ``GenerateContentResponse``."""

    candidates: list[Candidate] | None = None
    model_version: str | None = None
    prompt_feedback: PromptFeedback | None = None
    response_id: str | None = None
    usage_metadata: Usage | None = None


class Prediction(Struct, gc=False):
    """One line, read.

    Attributes:
        key: The sibling that is the key, as it travelled; None where the line has none.
        status: The row's own error, empty where all is well.
        processed_time: When the service was done with it, as ISO 8601.
        response: The response; None where the line has none, or has another thing in its place.
        error: The Developer API's error object.
        request: The echo as it stands, where it was asked for.
        response_json: The response as it stands, where it was asked for.
        siblings: The members beside the service's own, as a JSON object, where they were asked for.
    """

    key: str | None = None
    status: str | None = None
    processed_time: str | None = None
    response: Response | None = None
    error: dict[str, Raw] | None = None
    request: Raw = ABSENT
    response_json: Raw = ABSENT
    siblings: Raw = ABSENT


class Unreadable(Struct, frozen=True):
    """A line that is no prediction.

    Attributes:
        reason: Which kind of damage; one of ``UNREADABLE_REASONS``.
        message: What is wrong, in words.
        key: The key as it travelled, where the damage left it whole; None where it is unknown.
    """

    reason: str
    message: str
    key: str | None = None


UNREADABLE_REASONS = (
    "invalid_json",
    "invalid_utf8",
    "lone_surrogate",
    "not_an_object",
    "overlong",
    "request_line",
    "too_deep",
    "truncated",
)
"""The kinds of damage."""


@cache
def strict_decoder(key_name: str | None, *, with_request: bool, with_members: bool) -> Callable[[bytes], Prediction]:
    """The fastest decoder of one line that gives what is wanted.

    Args:
        key_name: The sibling that is the key, None for none.
        with_request: Whether ``request`` is wanted.
        with_members: Whether ``response_json`` and ``siblings`` are wanted, and with them ``request``.

    Raises:
        msgspec.MsgspecError: From the decoder, on a line that is not JSON or has a member of an unforeseen type.
        RecursionError, UnicodeDecodeError: From the decoder, on hostile lines.
    """
    if with_members or not is_plain_name(key_name):
        return _members_decoder(key_name)
    return _struct_decoder(key_name, with_request=with_request)


def is_plain_name(key_name: str | None) -> bool:
    """Whether msgspec takes the name for a struct's member: JSON does not have to escape it."""
    return key_name is None or json.dumps(key_name, ensure_ascii=False) == f'"{key_name}"'


def _struct_decoder(key_name: str | None, *, with_request: bool) -> Callable[[bytes], Prediction]:
    """A decoder into a struct with some of the members of ``Prediction``, in one pass."""
    fields: list[tuple[str, object, object]] = [
        ("status", str | None, None),
        ("response", Response | None, None),
        ("processed_time", str | None, None),
        ("error", dict[str, Raw] | None, None),
    ]
    if with_request:
        fields.insert(0, ("request", Raw, ABSENT))
    if key_name is None:
        line = msgspec.defstruct("Line", fields, gc=False, namespace={"key": None})
    else:
        line = msgspec.defstruct("Line", [("key", str | None, None), *fields], gc=False, rename={"key": key_name})
    return cast("Callable[[bytes], Prediction]", msgspec.json.Decoder(line).decode)


def _members_decoder(key_name: str | None) -> Callable[[bytes], Prediction]:
    """A decoder that finds the line's members first, and then reads each."""

    def decode(line: bytes) -> Prediction:
        members = _decode_members(line)
        error = members.get("error", _NULL)
        response_json = members.get("response", _NULL)
        return Prediction(
            key=None if key_name is None else _decode_text(members.get(key_name, _NULL)),
            status=_decode_text(members.get("status", _NULL)),
            processed_time=_decode_text(members.get("processed_time", _NULL)),
            response=_decode_response(response_json),
            error=_decode_error(error),
            request=members.get("request", ABSENT),
            response_json=response_json,
            siblings=encode_siblings(members),
        )

    return decode


def is_request_line(line: bytes) -> bool:
    """Whether a line that has been decoded is a request: it has nothing that an answer has.

    Raises:
        msgspec.MsgspecError: The line is no JSON object.
    """
    members = _decode_members(line).keys()
    return "request" in members and members.isdisjoint({*SERVICE_MEMBERS, "error"} - {"request"})


def encode_siblings(members: Mapping[str, Raw]) -> Raw:
    """The members that the service only copied, as a JSON object."""
    is_vertex = "status" in members or "processed_time" in members
    taken = SERVICE_MEMBERS if is_vertex else SERVICE_MEMBERS | {"error"}
    return Raw(msgspec.json.encode({name: value for name, value in members.items() if name not in taken}))


_NULL = Raw(b"null")
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str | None).decode
_decode_response = msgspec.json.Decoder(Response | None).decode
_decode_error = msgspec.json.Decoder(dict[str, Raw] | None).decode
