"""Reading an answer that is JSON with something around it, in a closed set of ways."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

REFUSALS = (ValueError, RecursionError)
"""What decoders raise on text that is not JSON or nests too deeply; msgspec's errors are ``ValueError`` too."""

_OPENING = re.compile(r"[{\[]")
_SCANNER = json.JSONDecoder()
_STRICT = msgspec.json.Decoder()


def read_json(text: str) -> tuple[Any, str, str | None]:
    """The decoded value, the text that it is of, and the name of the repair, None where the text itself was JSON.

    The repairs, in the order in which they are tried; the first that leaves JSON counts:

    ``outer_space``: a byte order mark, and white space that JSON does not know, outside.
    ``code_fence``: a Markdown fence around everything, plain or marked as JSON.
    ``surrounding_text``: prose around exactly one JSON object or array. No other bracket may stand outside it, so that
    a part of a broken answer is never taken for the whole.

    Of equal names in an object the last one counts. Lone surrogates, NaN and infinities are not JSON.

    Raises:
        ValueError: It is not JSON, and no repair makes it so; the message says why.
    """
    try:
        return _STRICT.decode(text), text, None
    except REFUSALS as error:
        refusal = error
    for name, repair in _REPAIRS.items():
        left = repair(text)
        if left is not None and left != text:
            try:
                return _STRICT.decode(left), left, name
            except REFUSALS:
                continue
    reason = "it nests too deeply" if isinstance(refusal, RecursionError) else str(refusal)
    raise ValueError(f"$: it is not JSON: {reason}" if text.strip() else "$: the text is empty") from refusal


def _strip_outer_space(text: str) -> str | None:
    return text.strip("\ufeff").strip()


def _strip_fence(text: str) -> str | None:
    bare = text.strip("\ufeff").strip()
    if len(bare) < 2 * len(_FENCE) or not (bare.startswith(_FENCE) and bare.endswith(_FENCE)):
        return None
    inner = bare[len(_FENCE) : -len(_FENCE)]
    return (inner[4:] if inner[:4].lower() == "json" else inner).strip()


def _strip_surrounding_text(text: str) -> str | None:
    opening = _OPENING.search(text)
    if not opening:
        return None
    try:
        _, end = _SCANNER.raw_decode(text, opening.start())
    except REFUSALS:
        return None
    return None if _OPENING.search(text, end) else text[opening.start() : end]


_FENCE = "```"
_REPAIRS: dict[str, Callable[[str], str | None]] = {
    "outer_space": _strip_outer_space,
    "code_fence": _strip_fence,
    "surrounding_text": _strip_surrounding_text,
}
