"""The fields of ``generationConfig`` that can carry an answer schema, and what each of them understands."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec


class Form(msgspec.Struct, frozen=True):
    """What one field understands; ``forms.json`` has the sources.

    Attributes:
        types: How it spells the JSON Schema types.
        nullable: Whether null is allowed by ``nullable``, or else by an alternative of type null.
        enum_types: The types whose values it can list.
        keywords: What else it understands, in the order in which it is written.
        formats: The formats it names, by type.
    """

    types: dict[str, str]
    nullable: bool
    enum_types: tuple[str, ...]
    keywords: tuple[str, ...]
    formats: dict[str, tuple[str, ...]]


class Forms(msgspec.Struct, frozen=True):
    """The table.

    Attributes:
        date: When its sources were read.
        forms: The forms by their field's name.
    """

    date: str
    forms: dict[str, Form]


@cache
def load_forms() -> Forms:
    """The table that ships with the package."""
    return msgspec.json.decode(files(__package__).joinpath("forms.json").read_bytes(), type=Forms)
