"""JSON values read for what they mean, whatever type they came in. Nothing here raises for a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

_decode_any = msgspec.json.Decoder().decode
_INT64 = range(-(2**63), 2**63)


def read_value(raw: Raw | None) -> Any:
    """The value, None where there is none or where it is more than JSON allows."""
    if raw is None:
        return None
    try:
        return _decode_any(raw)
    except (ValueError, RecursionError):
        return None


def dump_value(value: Any) -> str:
    """The value as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_text(value: Any) -> str | None:
    """A text as it is, anything else as JSON text."""
    return value if value is None or isinstance(value, str) else dump_value(value)


def read_count(value: Any) -> int | None:
    """An integer of 64 bits, also from a whole float or the short text of one; None for anything else."""
    if isinstance(value, str) and len(value) < 20:
        value = int(value) if value.strip().removeprefix("-").isdecimal() else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else None


def read_number(value: Any) -> float | None:
    """A number, also from its text; ``"NaN"`` and ``"Infinity"`` are how protobuf writes what JSON cannot."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def read_flag(value: Any) -> bool:
    """Whether it is true, 1 or the text of true."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() == "true")


def enum_reader(names: Sequence[str]) -> Callable[[Any], str | None]:
    """A reader of an enum's name; a number stands for one of ``names``, and what nobody has listed is kept."""

    def read(value: Any) -> str | None:
        number = read_count(value)
        if number is not None and 0 <= number < len(names):
            return names[number]
        return read_text(value)

    return read
