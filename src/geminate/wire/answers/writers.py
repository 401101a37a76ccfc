"""How a keyword of a flat node is written for the service, for each keyword that is not simply copied."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from geminate.errors import SpecError
from geminate.wire.answers.bounds import bounds_of
from geminate.wire.answers.checks import did_you_mean
from geminate.wire.answers.flatten import alternatives
from geminate.wire.answers.forms import Form, load_forms
from geminate.wire.answers.merge import Node

# Of a Cloud Storage job every object key becomes the name of a BigQuery column, and these know no case.
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Converter(Protocol):
    """What a writer needs: the form, a way into the places below, and where to say what is lost."""

    form: Form
    name: str
    for_table: bool

    def node(self, node: Node, path: str) -> dict[str, Any]:
        """The schema of a place below."""
        ...

    def note(self, path: str, what: str) -> None:
        """Nothing; the sentence is kept."""
        ...

    def error(self, path: str, what: str, remedy: str | None) -> SpecError:
        """The error to raise for a place."""
        ...


def write_keyword(converter: Converter, keyword: str, node: Node, path: str) -> Any:
    """The keyword's value for the service, None where it is to be left out."""
    writer = _WRITERS.get(keyword)
    return writer(converter, keyword, node, path) if writer else node.get(keyword)


def _count(_converter: Converter, keyword: str, node: Node, _path: str) -> int | None:
    # JSON Schema lets a count be 2.0.
    return int(node[keyword]) if keyword in node else None


def _scalar(converter: Converter, keyword: str, node: Node, path: str) -> Any:
    examples = node.get("examples") if keyword == "example" else None
    value = node.get(keyword, examples[0] if examples else None)
    if isinstance(value, (dict, list)):
        converter.note(path, f"a {keyword} that is no single value may not pass the service's import; it is left out")
        return None
    return value


def _format(converter: Converter, _keyword: str, node: Node, path: str) -> str | None:
    wanted = node.get("format")
    if wanted is None or wanted in converter.form.formats.get(node["type"], ()):
        return wanted
    converter.note(path, f"{converter.name} names no format {wanted!r} for {node['type']}; it is left out")
    return None


def _enum(converter: Converter, _keyword: str, node: Node, path: str) -> list[Any] | None:
    if "" in node.get("enum", ()):
        converter.note(path, "the service refuses an empty text in enum; the model cannot answer with it")
    values = [value for value in node.get("enum", ()) if value not in ("", None)]
    return [int(value) if node["type"] == "integer" else value for value in values] or None


def _minimum(converter: Converter, _keyword: str, node: Node, path: str) -> int | float | None:
    bounds = bounds_of(node)
    if bounds.above:
        _note_end(converter, "exclusiveMinimum", bounds.least, path)
    return bounds.least


def _maximum(converter: Converter, _keyword: str, node: Node, path: str) -> int | float | None:
    bounds = bounds_of(node)
    if bounds.below:
        _note_end(converter, "exclusiveMaximum", bounds.greatest, path)
    return bounds.greatest


def _note_end(converter: Converter, keyword: str, end: float | None, path: str) -> None:
    converter.note(path, f"{converter.name} has no {keyword}; the model may say {end}, and answers are judged by it")


def _items(converter: Converter, _keyword: str, node: Node, path: str) -> dict[str, Any] | None:
    if node["type"] != "array":
        return None
    prefix, items = node.get("prefixItems", []), node.get("items")
    if prefix and "prefixItems" in converter.form.keywords:
        return converter.node(items, f"{path}[]") if items else None
    kinds = [*prefix, items] if items else prefix
    if not kinds:
        raise converter.error(f"{path}[]", "nothing says what the items are", "the service needs items: give a schema")
    if len(kinds) > 1:
        converter.note(path, f"{converter.name} has no prefixItems; answers are judged by what stands at which place")
    return converter.node(alternatives(kinds), f"{path}[]")


def _prefix_items(converter: Converter, _keyword: str, node: Node, path: str) -> list[dict[str, Any]] | None:
    return [converter.node(item, f"{path}[{at}]") for at, item in enumerate(node.get("prefixItems", ()))] or None


def _max_items(_converter: Converter, keyword: str, node: Node, _path: str) -> int | None:
    ends = [int(node[keyword])] if keyword in node else []
    if "prefixItems" in node and node.get("items") is False:
        ends.append(len(node["prefixItems"]))
    return min(ends, default=None)


def _properties(converter: Converter, _keyword: str, node: Node, path: str) -> dict[str, Any] | None:
    if node["type"] != "object":
        return None
    properties = node.get("properties", {})
    if not properties and not _is_map(converter, node):
        remedy = "name its properties, or ask for an array of objects with a name and a value"
        if "additionalProperties" in node and "additionalProperties" not in converter.form.keywords:
            others = [name for name, form in load_forms().forms.items() if "additionalProperties" in form.keywords]
            remedy += f", or take a form that knows dictionaries ({', '.join(others)})"
        raise converter.error(path, f"an object without properties, which {converter.name} cannot ask for", remedy)
    if not converter.for_table:
        _check_names(converter, properties, path)
    return {name: converter.node(member, f"{path}.{name}") for name, member in properties.items()} or None


def _is_map(converter: Converter, node: Node) -> bool:
    return "additionalProperties" in converter.form.keywords and isinstance(node.get("additionalProperties"), dict)


def _check_names(converter: Converter, properties: dict[str, Node], path: str) -> None:
    remedy = "use letters, digits and _, or give the prompts as a BigQuery table"
    folded: dict[str, str] = {}
    for name in properties:
        if not _COLUMN_NAME.fullmatch(name):
            raise converter.error(path, f"the property name {name!r} makes the whole job fail at import", remedy)
        other = folded.setdefault(name.lower(), name)
        if other != name:
            raise converter.error(path, f"the property names {other!r} and {name!r} differ only in case", remedy)


def _property_ordering(_converter: Converter, _keyword: str, node: Node, _path: str) -> list[str] | None:
    return list(node.get("properties", ())) or None


def _required(converter: Converter, _keyword: str, node: Node, path: str) -> list[str] | None:
    properties, required = node.get("properties", {}), node.get("required", ())
    for name in required:
        if name not in properties and not _is_map(converter, node):
            remedy = did_you_mean(name, properties) or "describe it in properties"
            raise converter.error(path, f"required names {name!r}, which is no property", remedy)
    return list(required) or None


def _additional_properties(converter: Converter, keyword: str, node: Node, path: str) -> Any:
    rest = node.get(keyword)
    return converter.node(rest, f"{path}.*") if isinstance(rest, dict) else rest


_WRITERS: dict[str, Callable[[Converter, str, Node, str], Any]] = {
    **dict.fromkeys(("minLength", "maxLength", "minItems", "minProperties", "maxProperties"), _count),
    "default": _scalar,
    "example": _scalar,
    "format": _format,
    "enum": _enum,
    "minimum": _minimum,
    "maximum": _maximum,
    "items": _items,
    "prefixItems": _prefix_items,
    "maxItems": _max_items,
    "properties": _properties,
    "propertyOrdering": _property_ordering,
    "required": _required,
    "additionalProperties": _additional_properties,
}
