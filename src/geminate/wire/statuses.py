"""The ``status`` text of a failed prediction, taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from geminate.wire.outcomes import ERROR_CODES, HTTP_REASONS, is_error_retryable

_MAX_NESTED = 3
_INT32_MAX = 2**31 - 1

_NUMBER = re.compile(r"\b(\d{1,3})\b")
_NAME = re.compile("|".join(rf"\b{name}\b" for name in ERROR_CODES))
_REASON = re.compile("|".join(rf"^\s*{reason}\b" for reason in HTTP_REASONS))


class RowError(NamedTuple):
    """Why the service did not answer one request.

    Attributes:
        code: The number as the service gave it, HTTP or gRPC; where it gave only a name, that name's HTTP number.
        status_name: The name, such as ``INVALID_ARGUMENT``; None where it gave none.
        message: The service's words.
        retryable: Whether a new attempt may succeed.
    """

    code: int | None
    status_name: str | None
    message: str
    retryable: bool


@lru_cache(maxsize=1024)
def decode_status(text: str) -> RowError:
    """The error that a status text tells of.

    The text is taken as words up to the first ``{`` and JSON from there. Where the JSON does not parse, numbers and
    names are taken from the words and the message is the whole text.
    """
    words, brace, rest = text.partition("{")
    body = _decode_json(brace + rest)
    return _row_error(body if isinstance(body, Mapping) else {}, words, text)


def decode_error(body: Mapping[str, Any]) -> RowError:
    """The error in an ``error`` object, of the Developer API's dialect or inside a status."""
    return _row_error(body, "", "")


def _row_error(body: Mapping[str, Any], words: str, text: str) -> RowError:
    body = _innermost(body)
    name_match = _NAME.search(words)
    name = _word(body.get("status")) or (name_match[0] if name_match else None)
    code = _number(body.get("code"))
    if code is None:
        code = _code_from_words(words, name)
    message = _word(body.get("message")) or text.strip() or name or ""
    return RowError(code, name, message, is_error_retryable(code, name, message))


def _code_from_words(words: str, name: str | None) -> int | None:
    if number := _NUMBER.search(words):
        return int(number[1])
    if name is not None and name in ERROR_CODES:
        return ERROR_CODES[name][1]
    if reason := _REASON.match(words):
        return HTTP_REASONS[reason[0].strip()]
    return None


def _innermost(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that bears the message: errors come wrapped in ``error``, and in a message that is JSON itself."""
    for _ in range(_MAX_NESTED):
        inner = body.get("error")
        message = body.get("message")
        if not isinstance(inner, Mapping) and isinstance(message, str) and message.lstrip().startswith("{"):
            inner = _decode_json(message)
        if not isinstance(inner, Mapping):
            return body
        body = {**{k: v for k, v in body.items() if k in {"code", "status"}}, **inner}
    return body


def _decode_json(text: str) -> Any:
    end = text.rfind("}") + 1
    try:
        return msgspec.json.decode(text[:end]) if end else None
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _INT32_MAX:
        return value
    return None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
