"""What holds for every schema and every answer: on what we send, and on how we judge."""

import functools
import json
import math
import pathlib
import re

import googleapiclient
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from geminate.errors import SpecError
from geminate.wire.answers import AnswerSchema
from geminate.wire.answers.compiled import compile_decoder
from geminate.wire.answers.flatten import flatten

FORMS = ("responseSchema", "responseJsonSchema", "responseFormat")
NAMES = st.sampled_from(["a", "b", "c_1"])
WORDS = st.sampled_from(["", "x", "y", "xyz", "😀😀", "2026-01-01"])
NUMBERS = st.one_of(
    st.integers(-9, 9),
    st.sampled_from([1.0, 2.5, -0.0, 1e300, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30]),
)
SCALARS = st.one_of(WORDS, NUMBERS, st.booleans(), st.none())
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=5,
)


def leaf_schemas():
    small = st.one_of(st.integers(-3, 9), st.sampled_from([0.5, 2.0, 2**53, 2**64]))
    length = st.integers(0, 3)
    numeric = {"minimum": small, "maximum": small, "exclusiveMinimum": small, "exclusiveMaximum": small}
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["string", ["string", "null"]])},
            optional={"minLength": length, "maxLength": length, "pattern": st.sampled_from(["x", "^x$", "y|z"])},
        ),
        st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"])}, optional=numeric),
        st.fixed_dictionaries({"type": st.sampled_from(["boolean", "null", ["integer", "string"]])}),
        st.fixed_dictionaries(
            {"enum": st.lists(st.sampled_from(["x", "y", "", 1, 2, 4, 2.5, True, None]), min_size=1, unique_by=repr)},
            optional={"default": st.sampled_from(["x", 1, None, [1], {}])},
        ),
        st.sampled_from([{"const": "x"}, {"const": 1.0}, {"enum": [1, 2, 3]}, {"enum": ["x", "y"]}]),
        st.sampled_from([{"$ref": "#/$defs/Score"}, {"$ref": "#/$defs/Score", "maximum": 4}]),
    )


def schemas_around(inner):
    properties = st.dictionaries(NAMES, inner, min_size=1)
    objects = properties.flatmap(
        lambda known: st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.just(known)},
            optional={
                "required": st.lists(st.sampled_from(sorted(known)), unique=True),
                "additionalProperties": st.booleans(),
            },
        )
    )
    members = st.lists(inner, min_size=1, max_size=3)
    length = st.integers(0, 3)
    return st.one_of(
        objects,
        objects,
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner}, optional={"minItems": length, "maxItems": length}
        ),
        st.fixed_dictionaries({"type": st.just("array"), "prefixItems": members, "items": st.just(False)}),
        st.builds(lambda node: {"anyOf": [node, {"type": "null"}]}, inner),
        st.fixed_dictionaries({"anyOf": members}, optional={"description": st.just("Any of these.")}),
        st.fixed_dictionaries({"oneOf": members}),
        st.fixed_dictionaries({"allOf": members}),
        st.builds(lambda node, other: {**node, "allOf": [other]}, inner, inner),
    )


DEFS = {"Score": {"type": "integer", "minimum": 1, "maximum": 7}}
SCHEMAS = st.recursive(leaf_schemas(), schemas_around, max_leaves=6).map(lambda node: {**node, "$defs": DEFS})


def answers_to(schema):
    """Answers that mostly fit."""
    if "$ref" in schema:
        likely = answers_to(DEFS["Score"])
    elif "enum" in schema:
        likely = st.sampled_from(schema["enum"])
    elif "properties" in schema:
        known = {name: answers_to(member) for name, member in schema["properties"].items()}
        required = {name: known[name] for name in schema.get("required", ())}
        likely = st.fixed_dictionaries(
            required,
            optional={name: member for name, member in (known | {"z": SCALARS}).items() if name not in required},
        )
    elif schema.get("items"):
        likely = st.lists(answers_to(schema["items"]), max_size=4)
    elif "prefixItems" in schema:
        likely = st.tuples(*map(answers_to, schema["prefixItems"])).map(list)
    elif branches := [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]:
        likely = st.one_of(*map(answers_to, branches))
    else:
        kinds = {"string": WORDS, "integer": NUMBERS, "number": NUMBERS, "boolean": st.booleans(), "null": st.none()}
        names = schema.get("type", "string")
        likely = st.one_of(*(kinds.get(name, SCALARS) for name in ([names] if isinstance(names, str) else names)))
    return st.one_of(likely, likely, likely, ANYTHING)


CASES = SCHEMAS.flatmap(lambda schema: st.tuples(st.just(schema), st.lists(answers_to(schema), max_size=6)))


def is_held(value, kind):
    """Whether the column can hold a valid value, so that only the schema decides: integers have 64 bits there."""
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return all(is_held(value.get(field.name), field.type) for field in kind)
    if pa.types.is_list(kind) and isinstance(value, list):
        return all(is_held(item, kind.value_type) for item in value)
    return value is None or not pa.types.is_int64(kind) or -(2**63) <= value < 2**63


def typed(value, kind):
    """The value as the column gives it back."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {field.name: typed(value.get(field.name), field.type) for field in kind}
    if pa.types.is_list(kind):
        return [typed(item, kind.value_type) for item in value]
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else ("JSON", value)
    return {"int64": int, "double": float, "bool": bool}[str(kind)](value)


def same(found, expected):
    if isinstance(expected, tuple):
        return json.loads(found) == expected[1]
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and (found == expected or json.loads(found) == expected)


@settings(max_examples=120, deadline=None)
@given(CASES)
def test_answers_are_judged_as_jsonschema_judges_them_and_typed_unchanged(case):
    schema, values = case
    answer_schema = AnswerSchema.from_source(schema)
    validator = Draft202012Validator(schema)
    judged = answer_schema.judge_texts(pa.array([json.dumps(value) for value in values], pa.string()))
    kind = answer_schema.arrow_type or pa.string()
    assert judged.answers.type == kind
    assert judged.repairs == [None] * len(values)
    for value, answer, problem in zip(values, judged.answers.to_pylist(), judged.problems, strict=True):
        valid = validator.is_valid(value)
        assert (problem is None) == (valid and is_held(value, kind)), (value, problem)
        if problem is None and answer_schema.arrow_type is None:
            assert answer is None if value is None else json.loads(answer) == value
        elif problem is None:
            assert same(answer, typed(value, kind))


@settings(max_examples=120, deadline=None)
@given(CASES)
def test_the_compiled_and_the_plain_way_agree(case):
    schema, values = case
    assume(compile_decoder(flatten(schema, "answer")[0]))
    texts = pa.array([json.dumps(value) for value in values], pa.string())
    quick = AnswerSchema.from_source(schema).judge_texts(texts)
    # What "not: false" says is always true, and is not compiled.
    plain = AnswerSchema.from_source({**schema, "not": False}).judge_texts(texts)
    assert quick.problems == plain.problems
    assert quick.answers.equals(plain.answers)


def iter_nodes(value):
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict):
        yield value
    for member in members:
        yield from iter_nodes(member)


def iter_shapes(value, path=()):
    """Every path of a JSON value with what is found there, the items of an array under one path."""
    yield path, "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "scalar"
    members = value.items() if isinstance(value, dict) else []
    for name, member in [("[]", item) for item in value] if isinstance(value, list) else members:
        yield from iter_shapes(member, (*path, name))


def convert(schema, form):
    try:
        return AnswerSchema.from_source(schema).convert(form)
    except SpecError:
        assume(False)


@settings(max_examples=100, deadline=None)
@given(SCHEMAS, st.sampled_from(FORMS))
def test_whatever_is_converted_passes_the_import_rules(schema, form):
    members = convert(schema, form).generation_config
    shapes = {}
    for path, shape in iter_shapes(members):
        assert all(name == "[]" or re.fullmatch(r"[A-Za-z_]\w*", name) for name in path)
        assert shapes.setdefault(path, shape) == shape, path
    for node in iter_nodes(members):
        assert node, "an empty object"
        assert "anyOf" not in node or list(node) == ["anyOf"]
        assert all(not isinstance(member, list) or None not in member for member in node.values())


@functools.cache
def discovery_schemas():
    path = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache/documents/aiplatform.v1.json"
    return json.loads(path.read_text("utf-8"))["schemas"]


def check_described(value, described):
    described = discovery_schemas()[described["$ref"]] if "$ref" in described else described
    kind = described["type"]
    if kind == "object" and "properties" in described:
        for name, member in value.items():
            check_described(member, described["properties"][name])
    elif kind in {"object", "array"}:
        for member in value.values() if kind == "object" else value:
            check_described(member, described["additionalProperties" if kind == "object" else "items"])
    elif described.get("format") == "int64":
        assert type(value) is int
    elif kind != "any":
        assert type(value) in {"string": {str}, "boolean": {bool}, "number": {int, float}}[kind]
        assert "enum" not in described or value in described["enum"]


@settings(max_examples=100, deadline=None)
@given(SCHEMAS, st.sampled_from(FORMS))
def test_whatever_is_converted_is_what_the_api_describes(schema, form):
    described = discovery_schemas()["GoogleCloudAiplatformV1GenerationConfig"]["properties"]
    for name, value in convert(schema, form).generation_config.items():
        check_described(value, described[name])


def as_json_schema(node):
    """A converted schema read as JSON Schema again."""
    if "anyOf" in node:
        return {"anyOf": [as_json_schema(branch) for branch in node["anyOf"]]}
    plain = {keyword: value for keyword, value in node.items() if keyword != "nullable"}
    plain["type"] = node["type"].lower()
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            plain[keyword] = as_json_schema(node[keyword])
    if "properties" in node:
        plain["properties"] = {name: as_json_schema(member) for name, member in node["properties"].items()}
    if "prefixItems" in node:
        plain["prefixItems"] = [as_json_schema(member) for member in node["prefixItems"]]
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") else plain


@settings(max_examples=120, deadline=None)
@given(CASES, st.sampled_from(FORMS))
def test_the_service_may_answer_all_that_is_valid_and_without_notes_nothing_else(case, form):
    schema, values = case
    converted = convert(schema, form)
    theirs, ours = Draft202012Validator(as_json_schema(converted.schema)), Draft202012Validator(schema)
    assume(not any("empty text" in note for note in converted.notes))
    for value in values:
        if ours.is_valid(value):
            assert theirs.is_valid(value)
        elif not any(note.startswith("$") for note in converted.notes):
            assert not theirs.is_valid(value)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(), st.binary().map(lambda data: data.decode("latin-1")))), SCHEMAS)
def test_no_text_raises(texts, schema):
    judged = AnswerSchema.from_source(schema).judge_texts(
        pa.array([t and t.encode("utf-8", "ignore").decode() for t in texts], pa.string())
    )
    assert len(judged.answers) == len(judged.problems) == len(judged.repairs) == len(texts)
    for text, answer, problem in zip(texts, judged.answers.to_pylist(), judged.problems, strict=True):
        assert text is not None or (answer is None and problem is None)
        assert problem is None or (answer is None and 0 < len(problem) <= 300)


def test_floats_come_through_to_the_last_bit():
    values = [0.1, 5e-324, 1.7976931348623157e308, -0.0, 123456789.123456789]
    judged = AnswerSchema.from_source({"type": "number"}).judge_texts(pa.array([repr(value) for value in values]))
    assert judged.answers.to_pylist() == values
    assert math.copysign(1, judged.answers[3].as_py()) == -1
