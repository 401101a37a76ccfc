"""Writes the schemas that come from Google's discovery document.

    python schemas/generate.py [FOLDER]

The document is the one inside the package ``google-api-python-client``, so the same package version always gives the
same bytes. Only facts are taken over (names, types, enums, what is required or deprecated), never prose.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

Json = dict[str, Any]

PACKAGE = "google-api-python-client"
DOCUMENT = "aiplatform.v1.json"
PREFIX = "GoogleCloudAiplatformV1"
FOREIGN_PREFIXES = ("GoogleType", "Google")

BASE64 = "^[A-Za-z0-9+/_-]*={0,2}$"
DURATION = "^-?[0-9]+([.][0-9]{1,9})?s$"
INT64 = "^-?[0-9]{1,19}$"

FORMATS: dict[tuple[str, str | None], Json] = {
    ("any", None): {},
    ("boolean", None): {"type": "boolean"},
    ("string", None): {"type": "string"},
    ("string", "byte"): {"type": "string", "contentEncoding": "base64", "pattern": BASE64},
    ("string", "google-datetime"): {"type": "string", "format": "date-time"},
    ("string", "google-duration"): {"type": "string", "pattern": DURATION},
    ("string", "int64"): {"type": ["string", "integer"], "format": "int64", "pattern": INT64},
    ("integer", "int32"): {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    ("number", "float"): {"type": "number", "format": "float"},
    ("number", "double"): {"type": "number", "format": "double"},
}

# The service's own samples write these in lower case (docs.cloud.google.com, "Function calling reference",
# seen 2026-11-22), so both cases stand in the schema.
CASELESS_ENUMS = {("Schema", "type")}


@dataclass(frozen=True)
class Target:
    """One schema to write.

    Attributes:
        name: The file's name before ``.schema.json``.
        root: The definition it describes.
        strict: Whether unknown fields are refused and required ones demanded: so for what is sent. What is read
            may hold more than the document knows, and less than it promises.
    """

    name: str
    root: str
    strict: bool


TARGETS = (
    Target("request", "GenerateContentRequest", strict=True),
    Target("response", "GenerateContentResponse", strict=False),
    Target("job", "BatchPredictionJob", strict=True),
)


def short_name(name: str) -> str:
    """The definition's name without the prefix of its package."""
    for prefix in (PREFIX, *FOREIGN_PREFIXES):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def reachable(schemas: Json, root: str) -> list[str]:
    """The root and all definitions it refers to, by name."""
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += iter_refs(schemas[name])
    return sorted(seen)


def iter_refs(node: Any) -> Iterator[str]:
    """Every ``$ref`` in a piece of the discovery document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from iter_refs(value)


def convert_object(name: str, source: Json, *, strict: bool) -> Json:
    """An object with its fields, as JSON Schema."""
    fields = source.get("properties", {})
    converted: Json = {"type": "object"}
    if fields:
        converted["properties"] = {field: convert_field((name, field), fields[field]) for field in sorted(fields)}
    if strict:
        required = [field for field in sorted(fields) if is_required(fields[field])]
        if required:
            converted["required"] = required
        converted["additionalProperties"] = False
    return converted


def is_required(field: Json) -> bool:
    """Whether the field must be sent. The document says so in the first word of its description only."""
    return bool(re.match(r"Required\b", field.get("description", ""))) and not field.get("readOnly")


def convert_field(at: tuple[str, str], source: Json) -> Json:
    """One field as JSON Schema."""
    converted = convert_type(at, source)
    for mark in ("deprecated", "readOnly"):
        if source.get(mark):
            converted[mark] = True
    return converted


def convert_type(at: tuple[str, str], source: Json) -> Json:
    """A type as JSON Schema.

    Raises:
        SystemExit: The document holds a type or format that this script does not know.
    """
    if "$ref" in source:
        return {"$ref": f"#/$defs/{short_name(source['$ref'])}"}
    kind = source["type"]
    if kind == "array":
        return {"type": "array", "items": convert_type(at, source["items"])}
    if kind == "object" and "additionalProperties" in source:
        return {"type": "object", "additionalProperties": convert_type(at, source["additionalProperties"])}
    if kind == "object":
        return convert_object(".".join(at), source, strict=True)
    if "enum" in source:
        return convert_enum(at, source)
    try:
        return dict(FORMATS[kind, source.get("format")])
    except KeyError:
        sys.exit(f"{'.'.join(at)}: unknown type {kind!r} with format {source.get('format')!r}; extend FORMATS")


def convert_enum(at: tuple[str, str], source: Json) -> Json:
    """An enum; the values that the document marks as deprecated are named beside it."""
    values = list(source["enum"])
    if at in CASELESS_ENUMS:
        values += [value.lower() for value in values]
    converted: Json = {"type": "string", "enum": values}
    flags = source.get("enumDeprecated", [])
    deprecated = [value for value, flag in zip(source["enum"], flags, strict=False) if flag]
    if deprecated:
        converted["x-deprecated-values"] = deprecated
    return converted


def convert(document: Json, target: Target) -> Json:
    """The whole schema of one target."""
    schemas = document["schemas"]
    names = reachable(schemas, PREFIX + target.root)
    definitions = {
        short_name(name): convert_object(short_name(name), schemas[name], strict=target.strict) for name in names
    }
    if len(definitions) != len(names):
        sys.exit(f"{target.root}: two definitions have the same short name; change FOREIGN_PREFIXES")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": target.root,
        "x-source": {"document": DOCUMENT, "package": PACKAGE, "revision": document["revision"]},
        "$ref": f"#/$defs/{target.root}",
        "$defs": dict(sorted(definitions.items())),
    }


def load_document() -> Json:
    """The discovery document of the installed package."""
    folder = resources.files("googleapiclient") / "discovery_cache" / "documents"
    document: Json = json.loads((folder / DOCUMENT).read_text("utf-8"))
    return document


def main(folder: Path, say: Callable[[str], object]) -> None:
    """Nothing; the schemas are written into the folder."""
    document = load_document()
    for target in TARGETS:
        path = folder / f"{target.name}.schema.json"
        path.write_text(json.dumps(convert(document, target), indent=1) + "\n", "utf-8")
        say(f"{path}: revision {document['revision']} from {PACKAGE} {metadata.version(PACKAGE)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent, print)
