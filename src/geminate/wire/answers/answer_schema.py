"""The answer schema of a spec: what the service is asked for, what answers are judged by, and how they are typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from geminate.errors import InputError
from geminate.wire.answers.checks import check_schema
from geminate.wire.answers.convert import ConvertedSchema, convert_node
from geminate.wire.answers.flatten import flatten
from geminate.wire.answers.forms import choose_form
from geminate.wire.answers.judge import Judge, JudgedTexts
from geminate.wire.answers.merge import Node
from geminate.wire.answers.repairs import read_json
from geminate.wire.answers.sources import read_object, read_source


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """What an answer must be. Make one with ``from_source``.

    Attributes:
        schema: The JSON Schema, which judges answers; ``format`` is not checked.
        model: The Python type it was made from, None for a mapping.
        arrow_type: The type of the answer column; None where Arrow has none for it, and answers stay JSON text.
    """

    schema: dict[str, Any]
    model: Any = field(compare=False)
    arrow_type: pa.DataType | None = field(compare=False)
    _where: str = field(compare=False, repr=False)
    _node: Node = field(compare=False, repr=False)
    _notes: tuple[str, ...] = field(compare=False, repr=False)
    _judge: Judge = field(compare=False, repr=False)

    @classmethod
    def from_source(cls, source: Mapping[str, Any] | type, *, where: str = "answer") -> AnswerSchema:
        """The answer schema that a JSON Schema mapping (drafts 7, 2019-09, 2020-12) or a Python type stands for.

        Types are Pydantic models, dataclasses, ``TypedDict``, ``msgspec.Struct``, and generic aliases such as
        ``list[Model]``. Of a model only its JSON Schema judges; validators in Python run in ``parse`` alone. Properties
        keep their order, and so do listed values but those of types that are not Pydantic's, which come sorted.

        Args:
            source: The mapping or type.
            where: What errors name as their place.

        Raises:
            SpecError: It is no schema, or one that would not do what it says; where in it, and what to write instead.
        """
        schema = read_source(source, where)
        validator = check_schema(schema, where)
        node, notes = flatten(schema, where)
        judge = Judge(validator(schema), node)
        arrow_type = None if judge.column.as_json else judge.column.type
        return cls(schema, None if isinstance(source, Mapping) else source, arrow_type, where, node, notes, judge)

    def convert(self, form: str | None = None, model: str = "", *, for_table: bool = False) -> ConvertedSchema:
        """The schema for the service, which knows only part of JSON Schema.

        References are inlined, ``allOf`` is merged, ``oneOf`` becomes ``anyOf``, and the order of the properties is
        always given. Listed numbers become ranges, since the service lists only texts. Whatever the form cannot say is
        in the notes; the answers are judged by the schema itself all the same.

        Args:
            form: ``responseSchema``, ``responseJsonSchema`` or ``responseFormat``; ``forms.json`` has what each knows
                and what takes it since when, with sources and date. None takes its first that the model takes.
            model: The model that is asked; what its generation is known not to take is refused.
            for_table: The request goes into a BigQuery table, where property names need not be column names.

        Raises:
            SpecError: The form is unknown or not for this model, or the service would refuse any schema made of this:
                it refers to itself, an object has no properties, a place has no type, or a property's name would fail
                the job's import.
        """
        chosen = choose_form(form, model, self._where)
        converted = convert_node(self._node, chosen, self._where, for_table=for_table)
        return ConvertedSchema(converted.field, converted.schema, (*self._notes, *converted.notes))

    def judge_texts(self, texts: pa.StringArray) -> JudgedTexts:
        """Every text's answer typed, or what is wrong with it; null for null.

        Never raises for what a text holds. A text that is not JSON is read again with what stands around the JSON
        taken off (``repairs.read_json`` has the closed set of ways). Memory is that of the texts and their answers.
        """
        return self._judge.judge(texts.to_pylist())

    def parse(self, text: str) -> Any:
        """One answer as an object of ``model``, as plain Python where the source was a mapping.

        Raises:
            InputError: It is no valid answer, or the model's own validators refuse it.
        """
        try:
            value, json_text, _ = read_json(text)
            self._judge.shape(value, json_text)
            return read_object(self.model, json_text)
        except ValueError as error:
            raise InputError(str(error), where="answer") from error

    def __reduce__(self) -> tuple[Any, ...]:
        """How worker processes get one: made again from its source."""
        return _again, (self.schema if self.model is None else self.model, self._where)


def _again(source: Any, where: str) -> AnswerSchema:
    return AnswerSchema.from_source(source, where=where)
