"""The canonical form of a request, equal for a request and for the service's echo of it.

The service echoes a request re-serialised: keys sorted, ``1.0`` as ``1``, nulls for fields that other rows of the
file have, ``role`` filled in. The canonical form undoes all of it: keys sorted, null members and the objects that
become empty left out, whole floats as integers, ``role`` ``user`` where ``contents[]`` has none; written as RFC 8785
writes JSON. Spelling (camelCase or snake_case) and shape are kept, as the echo keeps them.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any

import msgspec

FINGERPRINT_VERSION = 1
"""Goes into every fingerprint; raised whenever the canonical form changes, so that old ones never match by chance."""

FINGERPRINT_BYTES = 16

_PERSON = f"geminate/{FINGERPRINT_VERSION}".encode()

# Between these repr and RFC 8785 write a number the same way; outside they differ in notation, never in digits.
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e16
_DECIMAL_FROM, _DECIMAL_TO = 1e-6, 1e21


def fingerprint(request: bytes | msgspec.Raw) -> bytes | None:
    """Sixteen bytes that are equal for equal requests; None where the bytes are not one JSON object.

    Never raises.
    """
    try:
        return blake2b(encode_canonical(request), digest_size=FINGERPRINT_BYTES, person=_PERSON).digest()
    except (ValueError, RecursionError):  # The JSON and Unicode errors are ValueErrors.
        return None


def encode_canonical(request: bytes | msgspec.Raw) -> bytes:
    """The canonical form of one request: RFC 8785, but that integers beyond 2**53 keep all their digits.

    Raises:
        ValueError: The bytes are not one JSON object, or a number in it is not finite.
        RecursionError: It is nested too deeply.
    """
    value = _decode(request)
    if type(value) is not dict:
        raise ValueError("a request is a JSON object")
    contents = value.get("contents")
    for content in contents if type(contents) is list else [contents]:
        if type(content) is dict and content.get("role") is None:
            content["role"] = "user"
    try:
        text = _encode(value)
    except OverflowError:
        value = _with_raw_integers(value)
        text = _encode(value)
    # The walk is the slow part, and most requests have nothing to leave out.
    return _encode(_shrink(value)) if b"null" in text or b"{}" in text else text


def _shrink(value: Any) -> Any:
    """The value without null members and the objects that become empty; elements of arrays keep their places."""
    if type(value) is dict:
        members = [(name, _shrink(member)) for name, member in value.items() if member is not None]
        return {name: member for name, member in members if member != {}}
    return [_shrink(element) for element in value] if type(value) is list else value


def _with_raw_integers(value: Any) -> Any:
    """The value with every integer as its digits, for those that the encoder does not take."""
    if type(value) is dict:
        return {name: _with_raw_integers(member) for name, member in value.items()}
    if type(value) is list:
        return [_with_raw_integers(element) for element in value]
    return msgspec.Raw(str(value).encode()) if type(value) is int else value


def _number(text: str) -> int | float | msgspec.Raw:
    """A number with a fraction or an exponent, as something that is encoded as ECMAScript writes it."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("JSON has no infinite numbers")
    size = abs(value)
    if size < _PLAIN_TO and value == int(value):
        return int(value)
    if _PLAIN_FROM <= size < _PLAIN_TO:
        return value
    mantissa, _, exponent_text = repr(size).partition("e")
    exponent = int(exponent_text)
    sign = "-" if value < 0 else ""
    if size < _DECIMAL_FROM or size >= _DECIMAL_TO:
        return msgspec.Raw(f"{sign}{mantissa}e{exponent:+d}".encode())
    digits = mantissa.replace(".", "")
    digits = digits.ljust(exponent + 1, "0") if exponent > 0 else f"0.{'0' * (-exponent - 1)}{digits}"
    return msgspec.Raw(f"{sign}{digits}".encode())


_decode = msgspec.json.Decoder(float_hook=_number).decode
_encode = msgspec.json.Encoder(order="sorted").encode
