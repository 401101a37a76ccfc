import pytest

from geminate.errors import SpecError
from geminate.wire.answers import AnswerSchema

FORMS = ("responseSchema", "responseJsonSchema", "responseFormat")


def convert(schema, form="responseSchema", **options):
    return AnswerSchema.from_source(schema).convert(form, **options)


def of(schema, form="responseSchema"):
    """The converted schema and notes of one property, so that cases need not repeat the object around it."""
    converted = convert({"type": "object", "properties": {"a": schema}}, form)
    return converted.schema["properties"]["a"], converted.notes


@pytest.mark.parametrize(
    "schema, expected",
    [
        ({"type": ["string", "null"], "maxLength": 9}, {"type": "STRING", "maxLength": 9, "nullable": True}),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, {"type": "NUMBER", "nullable": True}),
        ({"anyOf": [{"enum": ["x"]}, {"type": "null"}]}, {"type": "STRING", "enum": ["x"], "nullable": True}),
        ({"enum": ["x", "y", None]}, {"type": "STRING", "enum": ["x", "y"], "nullable": True}),
        ({"const": "x"}, {"type": "STRING", "enum": ["x"]}),
        ({"type": "null"}, {"type": "NULL"}),
        ({"const": None}, {"type": "NULL"}),
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 7.5}, {"type": "INTEGER", "minimum": 1, "maximum": 7}),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": 1}, {"type": "INTEGER", "minimum": 3}),
        ({"type": "number", "minimum": 0.5, "maximum": 1.0}, {"type": "NUMBER", "minimum": 0.5, "maximum": 1}),
        ({"enum": [3, 1, 2]}, {"type": "INTEGER", "minimum": 1, "maximum": 3}),
        ({"const": 4}, {"type": "INTEGER", "minimum": 4, "maximum": 4}),
        (
            {"enum": [1, 2, 5], "title": "Size"},
            {
                "anyOf": [
                    {"type": "INTEGER", "title": "Size", "minimum": 1, "maximum": 2},
                    {"type": "INTEGER", "title": "Size", "minimum": 5, "maximum": 5},
                ]
            },
        ),
        (
            {"enum": [0.5, 1]},
            {
                "anyOf": [
                    {"type": "NUMBER", "minimum": 0.5, "maximum": 0.5},
                    {"type": "NUMBER", "minimum": 1, "maximum": 1},
                ]
            },
        ),
        ({"type": ["integer", "number"]}, {"type": "NUMBER"}),
        (
            {"type": ["integer", "string", "null"], "minimum": 1, "minLength": 1, "description": "Either."},
            {
                "anyOf": [
                    {"type": "INTEGER", "description": "Either.", "minimum": 1, "nullable": True},
                    {"type": "STRING", "description": "Either.", "minLength": 1, "nullable": True},
                ]
            },
        ),
        (
            {"type": ["integer", "string"], "enum": ["x", 1, None]},
            {"anyOf": [{"type": "INTEGER", "minimum": 1, "maximum": 1}, {"type": "STRING", "enum": ["x"]}]},
        ),
        (
            {"anyOf": [{"enum": [1]}, {"anyOf": [{"enum": ["x"]}]}]},
            {"anyOf": [{"type": "INTEGER", "minimum": 1, "maximum": 1}, {"type": "STRING", "enum": ["x"]}]},
        ),
        (
            {"allOf": [{"type": "integer", "minimum": 1}, {"maximum": 7, "minimum": 0}]},
            {"type": "INTEGER", "minimum": 1, "maximum": 7},
        ),
        ({"allOf": [{"enum": ["x", "y"]}, {"enum": ["y", "z"]}]}, {"type": "STRING", "enum": ["y"]}),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1.0},
            {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": 1},
        ),
        (
            {"type": "string", "format": "date-time", "examples": ["2026-01-01T00:00:00Z"]},
            {"type": "STRING", "example": "2026-01-01T00:00:00Z", "format": "date-time"},
        ),
        ({"type": "integer", "default": 3}, {"type": "INTEGER", "default": 3}),
        (
            {"type": "string", "default": None, "description": "D", "$comment": "C"},
            {"type": "STRING", "description": "D"},
        ),
        ({"type": "string", "minimum": 3, "required": ["x"]}, {"type": "STRING"}),
    ],
)
def test_exactly_said(schema, expected):
    assert of(schema) == (expected, ())


@pytest.mark.parametrize(
    "schema, expected, note",
    [
        (
            {"type": "number", "exclusiveMaximum": 1},
            {"type": "NUMBER", "maximum": 1},
            "has no exclusiveMaximum; the model may say 1,",
        ),
        (
            {"type": "integer", "multipleOf": 5},
            {"type": "INTEGER"},
            "has no multipleOf; the model is not told, and answers are judged by it",
        ),
        ({"type": "string", "not": {"const": "x"}}, {"type": "STRING"}, "has no not;"),
        ({"type": "string", "format": "uuid"}, {"type": "STRING"}, "names no format 'uuid' for string; it is left out"),
        ({"type": "string", "deprecated": True}, {"type": "STRING"}, "has no deprecated; it is left out"),
        ({"type": "string", "x-source": "ours"}, {"type": "STRING"}, "x-source is no keyword of JSON Schema"),
        ({"enum": ["x", ""]}, {"type": "STRING", "enum": ["x"]}, "the service refuses an empty text in enum"),
        ({"const": True}, {"type": "BOOLEAN"}, "lists only string values; answers are judged by the enum"),
        ({"enum": list(range(0, 40, 2))}, {"type": "INTEGER", "minimum": 0, "maximum": 38}, "lists only string values"),
        (
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            {"type": "ARRAY", "items": {"type": "STRING"}},
            "has no uniqueItems",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "default": ["x"]},
            {"type": "ARRAY", "items": {"type": "STRING"}},
            "a default that is no single value",
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
            "oneOf is given as anyOf",
        ),
        (
            {"allOf": [{"type": "string", "pattern": "^a"}, {"pattern": "b$"}]},
            {"type": "STRING", "pattern": "^a"},
            "what is asked together cannot be said at once",
        ),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
            {"type": "ARRAY", "items": {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}, "maxItems": 2},
            "has no prefixItems; answers are judged by what stands at which place",
        ),
        (
            {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False},
            {"type": "OBJECT", "properties": {"b": {"type": "STRING"}}, "propertyOrdering": ["b"]},
            "has no additionalProperties; the model is not told, and answers are judged by it",
        ),
    ],
)
def test_what_cannot_be_said_is_noted(schema, expected, note):
    converted, notes = of(schema)
    assert converted == expected
    assert len(notes) == 1
    assert notes[0].startswith("$.a: ")
    assert note in notes[0]


@pytest.mark.parametrize(
    "schema, message",
    [
        ({"type": "object"}, r"\$\.a: an object without properties, .*name its properties"),
        ({"type": "object", "properties": {}}, "an object without properties"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "an object without properties"),
        ({}, r"\$\.a: it may be anything; the service needs a type"),
        (True, "it may be anything"),
        (False, "no value is allowed there"),
        ({"type": "array"}, r"\$\.a\[\]: nothing says what the items are"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "it asks for string and for integer at once"),
        (
            {"type": "array", "items": {"allOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}},
            "it asks for string and for integer at once",
        ),
        ({"type": "string", "enum": [1]}, "no value of its enum is of its type"),
        (
            {"type": "object", "properties": {"score": {"type": "string"}}, "required": ["scor"]},
            "required names 'scor', which is no property; did you mean 'score'",
        ),
        (
            {"type": "object", "properties": {"part of speech": {"type": "string"}}},
            "'part of speech' makes the whole job fail at import; use letters, digits",
        ),
        ({"type": "object", "properties": {"$x": {"type": "string"}}}, r"'\$x' makes the whole job fail"),
        (
            {"type": "object", "properties": {"Tone": {"type": "string"}, "tone": {"type": "string"}}},
            "'Tone' and 'tone' differ only in case",
        ),
        ({"$ref": "#"}, r"\$\.a: it refers to itself: # → #"),
    ],
)
def test_what_the_service_would_refuse_is_refused_here(schema, message):
    with pytest.raises(SpecError, match=message):
        of(schema)


def test_recursion_is_refused_by_the_name_of_its_cycle():
    schema = {
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Branch"}}},
            "Branch": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]},
        },
    }
    with pytest.raises(SpecError, match=r"answer: \$\.left: it refers to itself: Tree → Branch → Tree"):
        convert(schema)


def test_references_are_inlined_with_what_stands_beside_them():
    schema = {
        "type": "object",
        "properties": {
            "first": {"$ref": "#/$defs/Score", "description": "The first."},
            "second": {"$ref": "#/$defs/Score"},
        },
        "$defs": {"Score": {"type": "integer", "minimum": 1, "description": "A score."}},
    }
    properties = convert(schema).schema["properties"]
    assert properties == {
        "first": {"type": "INTEGER", "description": "The first.", "minimum": 1},
        "second": {"type": "INTEGER", "description": "A score.", "minimum": 1},
    }
    draft_7 = convert({"$schema": "http://json-schema.org/draft-07/schema#", **schema})
    assert draft_7.schema["properties"]["first"]["description"] == "A score."
    assert draft_7.notes == ("$.first: description beside $ref counts for nothing in draft 7",)


def test_objects_of_all_of_are_merged():
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    dated = {
        "type": "object",
        "properties": {"year": {"type": "integer"}, "name": {"maxLength": 9}},
        "required": ["year"],
    }
    assert convert({"allOf": [named, dated]}).schema == {
        "type": "OBJECT",
        "properties": {"name": {"type": "STRING", "maxLength": 9}, "year": {"type": "INTEGER"}},
        "propertyOrdering": ["name", "year"],
        "required": ["name", "year"],
    }


def test_what_stands_beside_any_of_is_said_in_each_alternative():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    converted = convert(schema).schema
    assert list(converted) == ["anyOf"]
    assert [branch["required"] for branch in converted["anyOf"]] == [["a"], ["b"]]
    assert all(list(branch["properties"]) == ["a", "b"] for branch in converted["anyOf"])


def test_properties_stand_in_the_order_of_their_declaration_or_as_told():
    properties = {name: {"type": "string"} for name in ("zeta", "alpha", "mid")}
    schema = {"type": "object", "properties": properties}
    assert convert(schema).schema["propertyOrdering"] == ["zeta", "alpha", "mid"]
    told = convert({**schema, "propertyOrdering": ["mid", "zeta"]})
    assert told.schema["propertyOrdering"] == list(told.schema["properties"]) == ["mid", "zeta", "alpha"]


def test_a_table_can_carry_names_that_a_file_cannot():
    schema = {"type": "object", "properties": {"part of speech": {"type": "string"}}}
    assert list(convert(schema, for_table=True).schema["properties"]) == ["part of speech"]


def test_the_json_forms_say_more():
    schema = {
        "type": "object",
        "properties": {
            "size": {"enum": [1, 5, None]},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "additionalProperties": False,
    }
    expected = {
        "type": "object",
        "properties": {
            "size": {"anyOf": [{"type": "integer", "enum": [1, 5]}, {"type": "null"}]},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "maxItems": 2},
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "propertyOrdering": ["size", "pair", "counts"],
        "additionalProperties": False,
    }
    for form in ("responseJsonSchema", "responseFormat"):
        converted = convert(schema, form)
        assert converted.schema == expected
        assert all("try a few prompts first" in note for note in converted.notes)
    assert of({"type": "string", "maxLength": 3}, "responseFormat")[1][1:] == (
        "$.a: responseFormat has no maxLength; the model is not told, and answers are judged by it",
    )


def test_generation_config_holds_what_each_form_needs():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    forms = {form: convert(schema, form) for form in FORMS}
    assert forms["responseSchema"].generation_config == {
        "responseMimeType": "application/json",
        "responseSchema": forms["responseSchema"].schema,
    }
    assert list(forms["responseJsonSchema"].generation_config) == ["responseMimeType", "responseJsonSchema"]
    assert forms["responseFormat"].generation_config == {
        "responseFormat": [{"text": {"mimeType": "APPLICATION_JSON", "schema": forms["responseFormat"].schema}}]
    }
    with pytest.raises(SpecError, match="did you mean 'responseSchema'"):
        convert(schema, "response_schema")


def test_a_dictionary_is_refused_with_the_forms_that_know_it():
    schema = {"type": "object", "properties": {"d": {"type": "object", "additionalProperties": {"type": "integer"}}}}
    with pytest.raises(SpecError, match="an object without properties") as caught:
        convert(schema)
    assert caught.value.remedy.endswith("a form that knows dictionaries (responseJsonSchema, responseFormat)")
    assert convert(schema, "responseFormat").schema["properties"] == schema["properties"]
