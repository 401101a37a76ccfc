import copy
from random import Random

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.emulator.schema_instances import schema_instance

TEXTS = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": st.integers(0, 12),
        "maxLength": st.integers(12, 40),
        "nullable": st.booleans(),
    },
)
INTEGERS = st.fixed_dictionaries(
    {"type": st.just("integer")},
    optional={"minimum": st.integers(-50, 5), "maximum": st.integers(6, 90), "multipleOf": st.integers(1, 3)},
)
NUMBERS = st.fixed_dictionaries(
    {"type": st.just("number")},
    optional={"minimum": st.floats(-9, 0.999), "maximum": st.floats(1, 9), "exclusiveMinimum": st.floats(-2, 0.5)},
)
ENUMS = st.lists(st.text(max_size=5), min_size=1, unique=True).map(lambda words: {"type": "string", "enum": words})
PLAIN = st.one_of(TEXTS, ENUMS, INTEGERS, NUMBERS, st.just({"type": "boolean"}), st.just({"type": ["string", "null"]}))


def _objects(schemas: st.SearchStrategy) -> st.SearchStrategy:
    def with_required(properties: dict) -> st.SearchStrategy:
        names = st.lists(st.sampled_from(sorted(properties)), unique=True) if properties else st.just([])
        ordering = st.permutations(sorted(properties))
        return st.builds(
            lambda required, order: {
                "type": "object",
                "properties": properties,
                "required": required,
                "propertyOrdering": order,
                "additionalProperties": False,
            },
            names,
            ordering,
        )

    return st.dictionaries(st.sampled_from("abcde"), schemas, max_size=4).flatmap(with_required)


def _containers(schemas: st.SearchStrategy) -> st.SearchStrategy:
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": schemas},
        optional={"minItems": st.integers(0, 3), "maxItems": st.integers(3, 5)},
    )
    unions = st.lists(schemas, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    return st.one_of(arrays, unions, _objects(schemas))


SCHEMAS = st.recursive(PLAIN, _containers, max_leaves=12)


def as_json_schema(schema: object) -> object:
    """The schema with ``nullable``, which JSON Schema does not know, put into its terms."""
    if isinstance(schema, list):
        return [as_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: as_json_schema(rule) for name, rule in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def upper_cased(schema: object) -> object:
    """The schema in the service's own dialect: types in capitals, bounds as texts."""
    if isinstance(schema, list):
        return [upper_cased(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {}
    for name, rule in schema.items():
        if name == "type" and isinstance(rule, str):
            changed[name] = rule.upper()
        elif name in {"minItems", "maxItems", "minLength", "maxLength"} and isinstance(rule, int):
            changed[name] = str(rule)
        else:
            changed[name] = upper_cased(rule) if name != "enum" else rule
    return changed


@settings(max_examples=150, deadline=None)
@given(SCHEMAS, st.integers(0, 2**64))
def test_instances_are_valid(schema, seed):
    before = copy.deepcopy(schema)
    instance = schema_instance(schema, Random(seed))
    jsonschema.Draft202012Validator(as_json_schema(schema)).validate(instance)
    assert schema == before
    own_dialect = schema_instance(upper_cased(schema), Random(seed))
    jsonschema.Draft202012Validator(as_json_schema(schema)).validate(own_dialect)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
        {"type": "string", "pattern": r"^(red|green|blue)(\s\w+)?$", "maxLength": 12},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "uuid"},
        {"type": "string", "format": "date-time"},
        {"const": {"a": [1]}},
        {"enum": [1, None, "x"]},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
        {"type": "integer", "exclusiveMinimum": 2, "exclusiveMaximum": 4},
        {"type": "integer", "maximum": -7},
        {"type": "integer", "minimum": 1.5, "maximum": 2.5},
        {"type": "number", "multipleOf": 0.25, "minimum": 3, "maximum": 4},
        {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 3}, "uniqueItems": True, "minItems": 3},
        {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "integer"}],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        },
        {"type": "array", "items": {"type": "string"}, "maxItems": 0},
        {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
        {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "minProperties": 2},
        {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "maxProperties": 1},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"required": ["b"]},
            ]
        },
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                    "required": ["next"],
                }
            },
            "$ref": "#/$defs/node",
        },
        {
            "$defs": {
                "tree": {
                    "type": "object",
                    "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                    "required": ["kids"],
                }
            },
            "type": "array",
            "items": {"$ref": "#/$defs/tree"},
        },
        {},
    ],
)
def test_rules_of_json_schema_are_kept(schema):
    checker = jsonschema.FormatChecker()
    for seed in range(40):
        instance = schema_instance(schema, Random(seed))
        jsonschema.Draft202012Validator(schema, format_checker=checker).validate(instance)


def test_an_equal_seed_gives_an_equal_instance_and_others_vary():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    }
    assert schema_instance(schema, Random(7)) == schema_instance(schema, Random(7))
    assert len({str(schema_instance(schema, Random(seed))) for seed in range(30)}) > 20


def test_members_stand_in_the_order_that_is_asked_for():
    schema = {
        "type": "OBJECT",
        "properties": {name: {"type": "STRING"} for name in "abc"},
        "required": ["a", "b", "c"],
        "property_ordering": ["c", "a"],
    }
    assert list(schema_instance(schema, Random(0))) == ["c", "a", "b"]


def test_definitions_of_the_services_dialect_are_found():
    schema = {
        "type": "OBJECT",
        "properties": {"a": {"ref": "#/defs/x"}},
        "required": ["a"],
        "defs": {"x": {"type": "INTEGER"}},
    }
    assert isinstance(schema_instance(schema, Random(1))["a"], int)
