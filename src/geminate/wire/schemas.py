"""The JSON Schemas of the format, by name."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

import msgspec

SchemaName = Literal["request", "response", "job", "spec", "manifest"]

_CHECKOUT_FOLDER = ("..", "..", "schemas")


@cache
def load_schema(name: SchemaName) -> dict[str, Any]:
    """The schema of that name, shared by all callers: leave it as it is.

    An installed package carries the schemas inside itself; a checkout has them at its top, beside ``src``.

    Raises:
        FileNotFoundError: The installation is broken: the schemas are in neither place.
    """
    file = f"{name}.schema.json"
    schema: dict[str, Any] = msgspec.json.decode((schema_folder(resources.files("geminate")) / file).read_bytes())
    return schema


def schema_folder(package: Traversable) -> Traversable:
    """The folder that holds the schemas, given the package's own: inside it, else at the top of the checkout."""
    inside = package / "schemas"
    return inside if inside.is_dir() else package.joinpath(*_CHECKOUT_FOLDER)
