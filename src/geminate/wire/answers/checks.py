"""Whether a JSON Schema can judge answers; where it cannot, what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from geminate.errors import SpecError
from geminate.wire.answers.keywords import KEYWORDS, REFUSED, TYPES, iter_subschemas

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_DEFAULT_DRAFT = "https://json-schema.org/draft/2020-12/schema"

DRAFTS = {
    "http://json-schema.org/draft-07/schema": "Draft7Validator",
    "https://json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    _DEFAULT_DRAFT: "Draft202012Validator",
}
"""The drafts that answers can be judged by, with the names of their validators."""


def check_schema(schema: dict[str, Any], where: str) -> type[Validator]:
    """The validator class of the schema's draft, once the schema has passed.

    Raises:
        SpecError: Not a JSON Schema of a known draft, or one whose words would not do what they say: a misspelt
            keyword, a reference that leads nowhere or away, a pattern that ``re`` cannot read.
    """
    import jsonschema

    draft = schema.get("$schema", _DEFAULT_DRAFT)
    name = DRAFTS.get(str(draft).removesuffix("#"))
    if name is None:
        raise SpecError(f"$schema {draft!r} is not supported", where=where, remedy=f"use one of {', '.join(DRAFTS)}")
    validator: type[Validator] = getattr(jsonschema, name)
    try:
        _check_node(schema, "$", where, schema, set())
        validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
        raise SpecError(f"not a JSON Schema: {error.message[:200]}", where=f"{where}: ${path}") from error
    except RecursionError as error:
        raise SpecError("the schema nests too deeply", where=where) from error
    return validator


def resolve(root: dict[str, Any], reference: str) -> Any:
    """What a reference such as ``#/$defs/Name`` points to.

    Raises:
        LookupError: It points out of the schema, or to nothing.
    """
    if not reference.startswith("#"):
        raise LookupError
    found: Any = root
    for step in unquote(reference[1:]).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found[int(name)] if isinstance(found, list) and name.isdecimal() else found[name]
    if not isinstance(found, (dict, bool)) or (reference != "#" and not reference.startswith("#/")):
        raise LookupError
    return found


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A remedy naming the nearest known word, None where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.8)
    return f"did you mean {near[0]!r}?" if near else None


def _check_node(schema: Any, path: str, where: str, root: dict[str, Any], seen: set[int]) -> None:
    if not isinstance(schema, dict) or id(schema) in seen:
        return
    seen.add(id(schema))
    place = f"{where}: {path}"
    _check_names(schema, place)
    if "$id" in schema and path != "$":
        raise SpecError("$id inside a schema moves its references", where=place, remedy="remove it")
    _check_type(schema.get("type"), place)
    if isinstance(reference := schema.get("$ref"), str):
        # What it points to may lie where no keyword leads.
        _check_node(_check_reference(root, reference, place), reference, where, root, seen)
    patterns = schema.get("patternProperties")
    for pattern in [schema.get("pattern"), *(patterns if isinstance(patterns, dict) else ())]:
        _check_pattern(pattern, place)
    for step, member in iter_subschemas(schema):
        _check_node(member, f"{path}.{step}", where, root, seen)


def _check_names(schema: dict[str, Any], place: str) -> None:
    for keyword in schema:
        if keyword in REFUSED:
            raise SpecError(f"{keyword} is not supported", where=place, remedy=REFUSED[keyword])
        alike = [known for known in KEYWORDS if known.startswith("$") == keyword.startswith("$")]
        if keyword not in KEYWORDS and (remedy := did_you_mean(keyword, alike)):
            raise SpecError(f"{keyword!r} is not a JSON Schema keyword", where=place, remedy=remedy)
    if schema and not KEYWORDS & schema.keys():
        raise SpecError(
            f"{next(iter(schema))!r} is not a JSON Schema keyword, and no other key is one",
            where=place,
            remedy='to describe fields, write {"type": "object", "properties": {...}}',
        )


def _check_type(types: Any, place: str) -> None:
    for name in types if isinstance(types, list) else [types]:
        if isinstance(name, str) and name not in TYPES:
            near = name.lower() if name.lower() in TYPES else None
            remedy = f"did you mean {near!r}?" if near else did_you_mean(name, TYPES)
            raise SpecError(f"{name!r} is not a type", where=place, remedy=remedy or f"use one of {', '.join(TYPES)}")


def _check_reference(root: dict[str, Any], reference: str, place: str) -> Any:
    try:
        return resolve(root, reference)
    except (LookupError, TypeError) as error:
        remedy = "define it in $defs and point there with #/$defs/Name"
        raise SpecError(f"$ref {reference!r} leads to no schema here", where=place, remedy=remedy) from error


def _check_pattern(pattern: Any, place: str) -> None:
    try:
        re.compile(pattern if isinstance(pattern, str) else "")
    except re.error as error:
        raise SpecError(f"Python cannot read the pattern {pattern!r}: {error}", where=place) from error
