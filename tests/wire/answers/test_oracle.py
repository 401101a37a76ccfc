"""Google's own converter, which the Gen AI SDK applies to models, says the same where both can say it.

Recursion, type lists, exclusive bounds, listed numbers and null within null it does not know or gets wrong: these are
outside the common domain.
"""

import enum
import json
from typing import Literal

import pydantic
import pytest
from google.genai import _transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.wire.answers import AnswerSchema


class Tone(enum.Enum):
    WARM = "warm"
    COLD = "cold"


class Place(pydantic.BaseModel):
    """Where something is."""

    name: str = pydantic.Field(description="Its usual name.", max_length=40)
    height: float | None = None


class Trip(pydantic.BaseModel):
    start: Place
    stops: list[Place] = pydantic.Field(min_length=1, max_length=9)
    end: Place | None = None
    kind: Literal["walk"]
    tone: Tone
    mood: Tone | None = None
    rating: int = pydantic.Field(ge=1, le=7)
    code: int | str = pydantic.Field(description="A number or a word.")
    maybe: int | str | None = None
    again: bool = False


def canonical(schema, shared=None):
    """A converted schema with what differs in spelling alone made equal: what stands beside ``anyOf`` goes inside."""
    shared = shared or {}
    own = {keyword: value for keyword, value in schema.items() if keyword not in {"anyOf", "properties", "items"}}
    own = {keyword: value for keyword, value in {**shared, **own}.items() if value is not None}
    if "anyOf" in schema:
        inherited = {keyword: value for keyword, value in own.items() if keyword != "default"}
        return {"anyOf": [canonical(branch, inherited) for branch in schema["anyOf"]]}
    if "properties" in schema:
        own["properties"] = {name: canonical(member) for name, member in schema["properties"].items()}
        own["propertyOrdering"] = list(schema["properties"])
    if "items" in schema:
        own["items"] = canonical(schema["items"])
    return own


def theirs(source):
    schema = _transformers.t_schema(None, source)
    return canonical(schema.model_dump(exclude_none=True, mode="json", by_alias=True))


def ours(source):
    converted = AnswerSchema.from_source(source).convert()
    assert converted.notes == ()
    return canonical(converted.schema)


@pytest.mark.parametrize("source", [Place, Trip])
def test_models_convert_alike(source):
    assert ours(source) == theirs(source)


def test_lists_of_models_convert_alike():
    expected = theirs(list[Place])
    assert expected.pop("title") == "Placeholder", "the name of the class that their converter puts around it"
    assert ours(list[Place]) == expected


def schemas():
    words = st.sampled_from(["A score.", "What it is."])
    notes = {"description": words, "title": words}
    counts = st.integers(0, 9)
    leaves = st.one_of(
        st.fixed_dictionaries({"type": st.just("string")}, optional={**notes, "maxLength": counts, "pattern": words}),
        st.fixed_dictionaries({"type": st.just("integer")}, optional={**notes, "minimum": counts, "default": counts}),
        st.fixed_dictionaries({"type": st.just("number")}, optional={**notes, "maximum": st.floats(-9, 9)}),
        st.fixed_dictionaries({"type": st.just("boolean")}, optional=notes),
        st.fixed_dictionaries(
            {"type": st.just("string"), "enum": st.lists(st.sampled_from("xyz"), min_size=1, unique=True)},
            optional=notes,
        ),
        st.fixed_dictionaries({"$ref": st.sampled_from(["#/$defs/Score", "#/$defs/Pair"])}),
    )

    def around(inner):
        properties = st.dictionaries(st.sampled_from(["a", "b", "c_1"]), inner, min_size=1)
        objects = properties.flatmap(
            lambda known: st.fixed_dictionaries(
                {
                    "type": st.just("object"),
                    "properties": st.just(known),
                    "required": st.lists(st.sampled_from(sorted(known)), unique=True, min_size=1),
                },
                optional=notes,
            )
        )
        arrays = st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner}, optional={**notes, "minItems": counts}
        )
        closed = inner.filter(lambda node: "anyOf" not in node)
        return st.one_of(objects, arrays, closed.map(lambda node: {"anyOf": [node, {"type": "null"}]}))

    defs = {
        "Score": {"type": "integer", "minimum": 1, "maximum": 7},
        "Pair": {"type": "object", "properties": {"a": {"$ref": "#/$defs/Score"}, "b": {"type": "string"}}},
    }
    return st.recursive(leaves, around, max_leaves=6).map(lambda node: {**node, "$defs": defs})


@settings(max_examples=150, deadline=None)
@given(schemas())
def test_mappings_convert_alike(schema):
    assert ours(schema) == theirs(json.loads(json.dumps(schema)))
