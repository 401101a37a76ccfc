"""A flat tree as the schema that the service takes, in one of its forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geminate.errors import SpecError
from geminate.wire.answers.bounds import runs_of
from geminate.wire.answers.forms import Form, load_forms
from geminate.wire.answers.keywords import ANNOTATIONS, APPLIES_TO
from geminate.wire.answers.merge import Node, merge, type_name
from geminate.wire.answers.writers import write_keyword

MAX_RUNS = 10
"""Listed numbers become so many ranges at most, since the service refuses schemas that it finds too complex."""


@dataclass(frozen=True, slots=True)
class ConvertedSchema:
    """An answer schema as it goes into a request.

    Attributes:
        field: The form, which is the field of ``generationConfig`` that carries it.
        schema: The schema in that form.
        notes: What to know before using the form, and what it cannot say, one sentence each: where, what, and what
            becomes of it.
    """

    field: str
    schema: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def generation_config(self) -> dict[str, Any]:
        """The members of ``generationConfig`` that ask for such answers."""
        if self.field == "responseFormat":
            return {"responseFormat": [{"text": {"mimeType": "APPLICATION_JSON", "schema": self.schema}}]}
        return {"responseMimeType": "application/json", self.field: self.schema}


def convert_node(node: Node, form: str, where: str, *, for_table: bool) -> ConvertedSchema:
    """The tree in a form.

    Args:
        node: The flat root.
        form: A name from ``forms.json``.
        where: What errors name as their place.
        for_table: The request goes into a BigQuery column, where property names are free.

    Raises:
        SpecError: The service would refuse any schema made of this.
    """
    known = load_forms().forms[form]
    converter = _Converter(known, form, where, for_table=for_table)
    schema = converter.node(node, "$")
    return ConvertedSchema(form, schema, (*filter(None, [known.caution]), *dict.fromkeys(converter.notes)))


class _Converter:
    """One walk over one tree; what the form cannot say gathers in ``notes``."""

    def __init__(self, form: Form, name: str, where: str, *, for_table: bool) -> None:
        self.form = form
        self.name = name
        self.where = where
        self.for_table = for_table
        self.notes: list[str] = []

    def node(self, node: Node, path: str) -> dict[str, Any]:
        shapes = self._shapes({**node, "nullable": False}, path)
        if node.get("nullable") and self.form.nullable:
            shapes = [{**shape, "nullable": True} for shape in shapes]
        elif node.get("nullable"):
            shapes.append({"type": self.form.types["null"]})
        distinct = [shape for at, shape in enumerate(shapes) if shape not in shapes[:at]]
        # The service refuses whatever stands beside anyOf, so each alternative says all of it.
        return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}

    def note(self, path: str, what: str) -> None:
        self.notes.append(f"{path}: {what}")

    def error(self, path: str, what: str, remedy: str | None) -> SpecError:
        return SpecError(what, where=f"{self.where}: {path}", remedy=remedy)

    def _shapes(self, node: Node, path: str) -> list[dict[str, Any]]:
        """The alternatives of a place, null apart."""
        if "refuse" in node:
            raise self.error(path, node["refuse"], f"{self.name} cannot ask for that: change the schema there")
        if "anyOf" in node:
            return [shape for branch in node["anyOf"] for shape in self._shapes(_whole_branch(node, branch), path)]
        if "type" not in node:
            raise self.error(path, "it may be anything", "the service needs a type: give one")
        if "enum" in node and node["type"] not in self.form.enum_types:
            return [self._shape(listed, path) for listed in self._without_enum(node, path)]
        return [self._shape(node, path)]

    def _without_enum(self, node: Node, path: str) -> list[Node]:
        """Nodes that allow the listed values without listing them: numbers as ranges, the rest by type alone."""
        bare = {keyword: value for keyword, value in node.items() if keyword != "enum"}
        numbers = node["type"] in {"integer", "number"}
        runs = runs_of([value for value in node["enum"] if value is not None]) if numbers else []
        if 1 <= len(runs) <= MAX_RUNS:
            return [bare | {"minimum": least, "maximum": greatest} for least, greatest in runs]
        listable = " or ".join(self.form.enum_types)
        self.note(path, f"{self.name} lists only {listable} values; answers are judged by the enum, so describe it")
        return [bare | ({"minimum": runs[0][0], "maximum": runs[-1][1]} if runs else {})]

    def _shape(self, node: Node, path: str) -> dict[str, Any]:
        kind = node["type"]
        node = {keyword: value for keyword, value in node.items() if kind in APPLIES_TO.get(keyword, (kind,))}
        shape: dict[str, Any] = {"type": self.form.types[kind]}
        for keyword in self.form.keywords:
            value = write_keyword(self, keyword, node, path)
            if value is not None:
                shape[keyword] = value
        told = {*self.form.keywords, *_ELSEWHERE, *(["examples"] if "example" in self.form.keywords else [])}
        for keyword, value in node.items():
            if keyword not in told and value is not None:
                end = (
                    "it is left out"
                    if keyword in ANNOTATIONS
                    else "the model is not told, and answers are judged by it"
                )
                self.note(path, f"{self.name} has no {keyword}; {end}")
        return shape


def _whole_branch(node: Node, branch: Node) -> Node:
    """An alternative with what its node asks of all of them."""
    shared = {keyword: value for keyword, value in node.items() if keyword not in {"anyOf", "nullable"}}
    if "default" in shared and type_name(shared["default"]) != branch.get("type"):
        del shared["default"]
    return {**merge(branch, shared), "nullable": False}


_ELSEWHERE = frozenset({"type", "nullable", "inexact", "prefixItems", "exclusiveMinimum", "exclusiveMaximum"})
"""What the writer of another keyword speaks for, or no one needs to."""
