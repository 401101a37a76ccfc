"""New objects of the bytes of objects that are there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import msgspec

from geminate.emulator.storage.errors import StorageError, invalid
from geminate.emulator.storage.objects import Facts, ObjectFolder, StoredObject
from geminate.emulator.storage.preconditions import Preconditions
from geminate.emulator.storage.resources import read_fields

_MAX_SOURCES = 32
"""Of one compose call (documentation of 2026-11)."""


class _Conditions(msgspec.Struct, frozen=True, rename="camel"):
    if_generation_match: int | None = None


class _Source(msgspec.Struct, rename="camel"):
    name: str
    generation: int | None = None
    object_preconditions: _Conditions = _Conditions()


class _Composition(msgspec.Struct, rename="camel"):
    source_objects: list[_Source]
    destination: dict[str, Any] = {}


def compose(
    objects: ObjectFolder, bucket: str, name: str, document: Mapping[str, Any], conditions: Preconditions
) -> StoredObject:
    """The new object: the bytes of the sources, one after the other.

    Raises:
        StorageError: A source is not there, or a precondition does not hold.
    """
    try:
        wanted = msgspec.convert(document, _Composition, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(f"Parse Error: {error}") from None
    if not 1 <= len(wanted.source_objects) <= _MAX_SOURCES:
        raise invalid(f"The number of source components provided must be between 1 and {_MAX_SOURCES}.")
    objects.check(bucket, name, conditions)
    sources = [_find(objects, bucket, source) for source in wanted.source_objects]
    facts = Facts(
        fields=read_fields(wanted.destination), components=sum(each.facts.components or 1 for each in sources)
    )
    return _publish(objects, sources, (bucket, name), facts, conditions)


def copy(
    objects: ObjectFolder,
    source: StoredObject,
    place: tuple[str, str],
    resource: Mapping[str, Any],
    conditions: Preconditions,
) -> StoredObject:
    """The new object, with the fields of the source unless the call brings some.

    Raises:
        StorageError: A precondition does not hold.
    """
    facts = Facts(fields=read_fields(resource) or source.facts.fields, components=source.facts.components)
    return _publish(objects, [source], place, facts, conditions)


def _find(objects: ObjectFolder, bucket: str, source: _Source) -> StoredObject:
    found = objects.get(bucket, source.name, source.generation)
    Preconditions(generation_match=source.object_preconditions.if_generation_match).check(found.generation, 0)
    return found


def _publish(
    objects: ObjectFolder, sources: list[StoredObject], place: tuple[str, str], facts: Facts, conditions: Preconditions
) -> StoredObject:
    arrived = objects.new_file()
    try:
        with arrived.open("wb") as file:
            for each in sources:
                try:
                    with each.path.open("rb") as bytes_of_it:
                        shutil.copyfileobj(bytes_of_it, file)
                except FileNotFoundError:
                    raise StorageError(404, "notFound", f"No such object: {each.bucket}/{each.name}") from None
        return objects.publish(arrived, *place, facts, conditions)
    finally:
        arrived.unlink(missing_ok=True)
