"""YAML text as plain JSON values, with the line each of them stands on.

YAML is read as JSON with less punctuation: only ``true``, ``false``, ``null``, ``~`` and JSON numbers are not text. So
``no``, ``on``, ``2026-11-22``, ``010`` and ``1:30`` stay what their author sees. Keys are text and stand once.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, NoReturn

import yaml

from geminate.errors import SpecError
from geminate.stages.specs.documents import MAX_DEPTH

_MAX_VALUES = 100_000

_TAG = "tag:yaml.org,2002:"
_JSON_KINDS = {"null", "bool", "int", "float"}
_NULLS = {"", "~"}


class _Loader(yaml.SafeLoader):
    """Finds only JSON's own scalars in plain text; an explicit tag overrules it, and is refused later."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way to begin without any.


for _kind, _pattern, _starts in (
    ("null", r"(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"(?:true|false)$", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(_pattern), _starts)


def read_yaml(text: str, where: str) -> tuple[Any, dict[str, int]]:
    """The text's JSON value, and the line, from 1, of each value in it by its JSON path.

    Raises:
        SpecError: It is not YAML, has a key twice, or holds what JSON cannot.
    """
    reader = _YamlReader(where)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        _refuse(error, where)
    except yaml.YAMLError as error:
        reason = str(error).partition("\n")[0]
        raise SpecError(f"neither JSON nor YAML: {reason}", where=where) from error
    except RecursionError as error:
        raise SpecError("the document is nested too deep", where=where) from error
    return None if node is None else reader.read(node, "$", 0), reader.lines


def _refuse(error: yaml.MarkedYAMLError, where: str) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    remedy = "indent with blanks, not with tabs" if "\\t" in str(error.problem) else None
    raise SpecError(
        f"neither JSON nor YAML: {error.problem or error.context}",
        where=f"{where}:{mark.line + 1}" if mark else where,
        remedy=remedy,
    ) from error


class _YamlReader:
    """Turns one document's nodes into values, and remembers their lines."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._count = 0
        self.lines: dict[str, int] = {}

    def read(self, node: yaml.Node, path: str, depth: int) -> Any:
        self.lines[path] = node.start_mark.line + 1
        self._count += 1
        # An alias can stand within itself, or multiply what it stands for.
        if depth > MAX_DEPTH or self._count > _MAX_VALUES:
            raise SpecError("the document is nested too deep or its aliases grow too large", where=self._at(node))
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(node.value)]
        return self._read_scalar(node)

    def _read_mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise SpecError("a key must be text", where=self._at(key), remedy="put texts with braces in quotes")
            if key.value in members:
                raise SpecError(
                    f"the key {key.value!r} stands twice in one mapping", where=self._at(key), remedy="keep one"
                )
            members[key.value] = self.read(value, f"{path}.{key.value}", depth + 1)
        return members

    def _read_scalar(self, node: yaml.Node) -> Any:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            return text
        if kind in _JSON_KINDS:
            with suppress(ValueError):
                return None if text in _NULLS else json.loads(text)
        raise SpecError(f"{text!r} tagged {node.tag!r} is not JSON", where=self._at(node), remedy="leave out the tag")

    def _at(self, node: yaml.Node) -> str:
        return f"{self._where}:{node.start_mark.line + 1}"
