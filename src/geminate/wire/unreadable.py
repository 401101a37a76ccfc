"""Why a line cannot be read, and the key that can be saved from it."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from geminate.wire.predictions import Unreadable

_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_STRING = r'"((?:[^"\\\x00-\x1f]|\\.){0,4096})"'


def explain_unreadable(line: bytes, error: Exception, key_name: str | None) -> Unreadable:
    """The reason, the decoder's words for it, and the key where it stands whole. Never raises."""
    return Unreadable(_reason(line, error), str(error), salvage_key(line, key_name))


def salvage_key(line: bytes, key_name: str | None) -> str | None:
    """The key from the beginning or the end of a broken line, where a sibling of the request stands.

    A guess for a person who looks for the line's prompt; nothing is joined by it.
    """
    if key_name is None:
        return None
    member = re.escape(json.dumps(key_name)) + r"\s*:\s*" + _STRING
    head = re.match(r"\ufeff?\s*\{\s*" + member, line[:8192].decode("utf-8", "replace"))
    tail = re.search(r",\s*" + member + r"\s*\}\s*$", line[-8192:].decode("utf-8", "replace"))
    found = head or tail
    try:
        return str(json.loads(f'"{found[1]}"')) if found else None
    except ValueError:
        return None


def _reason(line: bytes, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "too_deep"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        return "too_deep"
    except ValueError:
        return "invalid_json"
    if not isinstance(value, dict):
        return "not_an_object"
    # What only the standard library takes is a surrogate that has lost its other half.
    return "lone_surrogate" if _LONE_SURROGATE.search(line) else "invalid_json"


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
