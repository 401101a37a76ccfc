"""YAML or JSON text as plain JSON values, with the line each of them stands on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from geminate.errors import SpecError

MAX_DEPTH = 100
"""How deep a spec may nest: far deeper than the service follows, and no stack runs out."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says.

    Attributes:
        value: Its JSON value.
        lines: The line, from 1, of each value by its JSON path; empty where the text is JSON.
    """

    value: Any
    lines: Mapping[str, int] = field(default_factory=dict)


def read_document(text: str, where: str) -> Document:
    """The document that a YAML or JSON text holds.

    Args:
        text: The text.
        where: What errors name as its place.

    Raises:
        SpecError: It is neither, has a key twice, or holds what JSON cannot.
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] == "{":
        try:
            return Document(json.loads(text, object_pairs_hook=_Pairs(where), parse_constant=_Constants(where)))
        except RecursionError as error:
            raise SpecError("the document is nested too deep", where=where) from error
        except json.JSONDecodeError:
            # A flow mapping of YAML begins like this, too.
            pass
    from geminate.stages.specs.yaml_documents import read_yaml

    return Document(*read_yaml(text, where))


@dataclass(frozen=True, slots=True)
class _Pairs:
    where: str

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise SpecError(f"the key {twice!r} stands twice in one object", where=self.where, remedy="keep one")
        return members


@dataclass(frozen=True, slots=True)
class _Constants:
    where: str

    def __call__(self, name: str) -> NoReturn:
        raise SpecError(f"{name} is no JSON number", where=self.where)
