import enum
import pickle
import sys
from dataclasses import dataclass, field
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from geminate.errors import InputError, SpecError
from geminate.wire.answers import AnswerSchema


class Tone(enum.Enum):
    WARM = "warm"
    COLD = "cold"


class LabelModel(pydantic.BaseModel):
    tone: Tone
    score: int = pydantic.Field(ge=1, le=7)
    note: str | None = None

    @pydantic.field_validator("note")
    @classmethod
    def never_blank(cls, value):
        if value == "":
            raise ValueError("a note is not blank")
        return value


@dataclass
class LabelDataclass:
    tone: Tone
    score: Annotated[int, msgspec.Meta(ge=1, le=7)]
    note: str | None = None


class LabelDict(TypedDict):
    tone: Literal["cold", "warm"]
    score: Annotated[int, msgspec.Meta(ge=1, le=7)]
    note: NotRequired[str | None]


@dataclass
class Labels:
    labels: list[LabelDataclass] = field(default_factory=list)


LABEL_MAPPING = {
    "type": "object",
    "properties": {
        "tone": {"enum": ["warm", "cold"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 7},
        "note": {"type": ["string", "null"]},
    },
    "required": ["tone", "score"],
}

GOOD = '{"tone": "warm", "score": 3}'


@pytest.mark.parametrize("source", [LabelModel, LabelDataclass, LabelDict, LABEL_MAPPING])
def test_every_kind_of_source_says_the_same(source):
    schema = AnswerSchema.from_source(source)
    assert str(schema.arrow_type) == "struct<tone: string, score: int64, note: string>"
    properties = schema.convert().schema["properties"]
    assert sorted(properties["tone"]["enum"]) == ["cold", "warm"]
    assert (properties["score"]["minimum"], properties["score"]["maximum"]) == (1, 7)
    assert properties["note"] == {"type": "STRING", "nullable": True} | (
        {"title": "Note"} if source is LabelModel else {}
    )


@pytest.mark.parametrize("source", [list[LabelModel], list[LabelDataclass]])
def test_lists_of_models_are_sources_too(source):
    schema = AnswerSchema.from_source(source)
    assert str(schema.arrow_type) == "list<item: struct<tone: string, score: int64, note: string>>"
    assert [type(label) for label in schema.parse(f"[{GOOD}]")] == list(source.__args__)


def test_parse_gives_objects_of_the_source():
    assert AnswerSchema.from_source(LabelModel).parse(f"```json\n{GOOD}\n```") == LabelModel(tone=Tone.WARM, score=3)
    assert AnswerSchema.from_source(LabelDataclass).parse(GOOD) == LabelDataclass(Tone.WARM, 3)
    assert AnswerSchema.from_source(LABEL_MAPPING).parse(GOOD) == {"tone": "warm", "score": 3}


@pytest.mark.parametrize(
    "text, reason",
    [
        ("no", "not JSON"),
        ('{"tone": "warm", "score": 9}', r"\$\.score: 9 is greater than the maximum of 7"),
        ('{"tone": "warm", "score": 3, "note": ""}', "a note is not blank"),
    ],
)
def test_parse_refuses_what_the_schema_or_the_model_refuses(text, reason):
    with pytest.raises(InputError, match=reason):
        AnswerSchema.from_source(LabelModel).parse(text)


@pytest.mark.parametrize("source", [LabelModel, LabelDataclass, LABEL_MAPPING])
def test_a_schema_travels_to_worker_processes(source):
    schema = AnswerSchema.from_source(source, where="spec.yaml: answer")
    again = pickle.loads(pickle.dumps(schema))  # noqa: S301 - Our own bytes.
    assert again == schema
    assert again.convert() == schema.convert()


def test_the_source_is_not_shared_with_the_caller():
    source = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema = AnswerSchema.from_source(source)
    source["properties"]["a"]["type"] = "integer"
    assert schema.schema["properties"]["a"] == {"type": "string"}


@pytest.mark.parametrize(
    "source, message",
    [
        ("label.json", "a str is no schema"),
        (None, "a NoneType is no schema"),
        ([LABEL_MAPPING], "a list is no schema"),
        (complex, "complex has no JSON Schema"),
        ({"const": float("nan")}, r"\$\.const: nan is not a JSON value"),
        ({"enum": [b"x"]}, r"\$\.enum\[0\]: b'x' is not a JSON value"),
        ({"properties": {True: {"type": "string"}}}, r"\$\.properties: the key True is not text; put it in quotes"),
    ],
)
def test_what_is_no_schema_is_refused(source, message):
    with pytest.raises(SpecError, match=message):
        AnswerSchema.from_source(source)


def test_other_sources_do_without_pydantic(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    assert AnswerSchema.from_source(Labels).parse(f'{{"labels": [{GOOD}]}}') == Labels([LabelDataclass(Tone.WARM, 3)])
