import pytest

from geminate.wire.answers import AnswerSchema

POINT = {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}}


def column(schema):
    kind = AnswerSchema.from_source({"type": "object", "properties": {"a": schema}}).arrow_type
    return str(kind.field("a").type)


@pytest.mark.parametrize(
    "schema, expected",
    [
        ({"type": "string", "format": "date-time"}, "string"),
        ({"type": "boolean"}, "bool"),
        ({"type": ["integer", "null"]}, "int64"),
        ({"type": ["integer", "number"]}, "double"),
        ({"enum": ["x", "y", None]}, "string"),
        ({"enum": [1, 2, 5]}, "int64"),
        ({"enum": [1, 2.5]}, "double"),
        ({"const": True}, "bool"),
        (POINT, "struct<x: double, y: double>"),
        ({"type": "array", "items": POINT}, "list<item: struct<x: double, y: double>>"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, "list<item: list<item: int64>>"),
        ({"type": "array", "prefixItems": [{"type": "number"}] * 2, "items": False}, "list<item: double>"),
        ({"type": "array", "prefixItems": [{"type": "number"}] * 2, "maxItems": 2}, "list<item: double>"),
        ({"anyOf": [{"const": "x"}, {"type": "string", "pattern": "^y"}]}, "string"),
        ({"anyOf": [{"type": "integer", "maximum": 3}, {"type": "integer", "minimum": 7}]}, "int64"),
        ({**POINT, "anyOf": [{"required": ["x"]}, {"required": ["y"]}]}, "struct<x: double, y: double>"),
        ({"allOf": [POINT, {"properties": {"z": {"type": "integer"}}}]}, "struct<x: double, y: double, z: int64>"),
    ],
)
def test_typed(schema, expected):
    assert column(schema) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        False,
        {"type": "null"},
        {"type": ["integer", "string"]},
        {"enum": ["x", 1]},
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "array"},
        {"type": "array", "items": {}},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"anyOf": [{"type": "object", "properties": {"x": {"type": "string"}}}, POINT]},
        {"properties": {"x": {"type": "string"}}},
        {"type": "array", "items": {"$ref": "#"}},
        {"minLength": 3},
    ],
)
def test_json_text_where_no_one_type_fits(schema):
    assert column(schema) == "string"
    outer = AnswerSchema.from_source({"type": "array", "items": schema})
    assert outer.arrow_type is None, "a list of such places is one text, not a list of texts"


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": ["object", "string"]}, {"$ref": "#"}])
def test_a_wholly_untypable_schema_has_no_type(schema):
    assert AnswerSchema.from_source(schema).arrow_type is None


def test_fields_stand_in_the_order_of_their_declaration():
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in ("zeta", "alpha", "mid")}}
    assert AnswerSchema.from_source(schema).arrow_type.names == ["zeta", "alpha", "mid"]
