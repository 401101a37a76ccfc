"""What a caller gives, as a JSON Schema: a mapping as it is, a Python type by the library that knows its kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_type_hints, is_typeddict

import msgspec

from geminate.errors import SpecError


def read_source(source: Any, where: str) -> dict[str, Any]:
    """The JSON Schema that a mapping, Pydantic model, dataclass, ``TypedDict`` or generic alias of these stands for.

    Args:
        source: The mapping or type.
        where: What errors name as their place.

    Raises:
        SpecError: It is neither, or holds what JSON cannot.
    """
    if source is None or isinstance(source, (str, bytes, int, float, list, tuple)):
        raise SpecError(
            f"a {type(source).__name__} is no schema",
            where=where,
            remedy="give a JSON Schema mapping, a Pydantic model, a dataclass or a TypedDict",
        )
    try:
        schema = source if isinstance(source, Mapping) else _schema_of_type(source, where)
        return _plain_json(schema, where)  # type: ignore[no-any-return]
    except RecursionError as error:
        raise SpecError("the schema nests too deeply", where=where) from error


def read_object(source: Any, text: str) -> Any:
    """The JSON text as an object of the type; as plain Python where the source was a mapping.

    Raises:
        ValueError: The type's own rules, which may go beyond its schema, refuse it.
    """
    if source is None:
        return msgspec.json.decode(text)
    if is_pydantic(source):
        return _type_adapter(source).validate_json(text)
    return msgspec.json.decode(text, type=source)


def is_pydantic(source: Any) -> bool:
    """Whether a type is a Pydantic model or a generic alias that holds one; imports nothing to find out."""
    return hasattr(source, "model_json_schema") or any(map(is_pydantic, get_args(source)))


def _type_adapter(source: Any) -> Any:
    # Pydantic is optional: whoever gives one of its models has it.
    from pydantic import TypeAdapter

    return TypeAdapter(source)


def _schema_of_type(source: Any, where: str) -> dict[str, Any]:
    try:
        if is_pydantic(source):
            return _type_adapter(source).json_schema()  # type: ignore[no-any-return]
        schema = msgspec.json.schema(source)
    except Exception as error:
        # Both libraries raise errors of their own kinds for types they cannot express.
        raise SpecError(f"{_name(source)} has no JSON Schema: {error}", where=where) from error
    _restore_order(schema, source)
    return schema


def _restore_order(schema: dict[str, Any], source: Any) -> None:
    """Puts the properties of every ``TypedDict`` in the order of its declaration, where msgspec sorts them."""
    orders = [list(get_type_hints(kind)) for kind in _iter_types(source, set()) if is_typeddict(kind)]
    for definition in schema.get("$defs", {}).values():
        properties = definition.get("properties", {})
        for order in orders:
            if properties.keys() == set(order):
                definition["properties"] = {name: properties[name] for name in order}


def _iter_types(source: Any, seen: set[type]) -> Iterator[Any]:
    """The type and every type inside it, each class once."""
    hints: Iterable[Any] = ()
    if isinstance(source, type):
        if source in seen:
            return
        seen.add(source)
        hints = get_type_hints(source, include_extras=True).values()
    yield source
    for part in (*get_args(source), *hints):
        yield from _iter_types(part, seen)


def _name(source: Any) -> str:
    return getattr(source, "__name__", None) or repr(source)


def _plain_json(value: Any, where: str, path: str = "$") -> Any:
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise SpecError(f"the key {name!r} is not text", where=f"{where}: {path}", remedy="put it in quotes")
        return {name: _plain_json(member, where, f"{path}.{name}") for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_json(member, where, f"{path}[{at}]") for at, member in enumerate(value)]
    if value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise SpecError(f"{value!r} is not a JSON value", where=f"{where}: {path}", remedy="write it as text or a number")
