import pytest

from geminate.errors import SpecError
from geminate.wire.answers import AnswerSchema

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DEEP: dict = {}
for _ in range(3000):
    DEEP = {"items": DEEP}


@pytest.mark.parametrize(
    "schema, message",
    [
        ({"type": "object", "requierd": ["a"]}, r"answer: \$: 'requierd' is not .*did you mean 'required'\?"),
        ({"items": {"type": "array", "minItem": 1}}, r"\$\.items: 'minItem'.*did you mean 'minItems'"),
        ({"type": "OBJECT"}, r"\$: 'OBJECT' is not a type; did you mean 'object'\?"),
        ({"type": "text"}, "use one of string, integer"),
        ({"type": ["strng", "null"]}, "did you mean 'string'"),
        ({"type": "string", "nullable": True}, r'nullable is not supported.*\["string", "null"\]'),
        ({"name": "string", "age": "integer"}, r"'name' is not a JSON Schema keyword.*\"properties\""),
        ({"$ref": "#/$defs/Missing"}, r"'#/\$defs/Missing' leads to no schema here; define it in \$defs"),
        ({"$ref": "https://example.invalid/label.json"}, "leads to no schema here"),
        ({"$ref": "#/$defs/a/title", "$defs": {"a": {"title": "x"}}}, "leads to no schema"),
        ({"$ref": "#/parts/a", "parts": {"a": {"$ref": "#/parts/b"}}}, r"#/parts/a: \$ref '#/parts/b' leads to no"),
        ({"$ref": "#name", "$defs": {"a": {"$anchor": "name"}}}, "leads to no schema"),
        ({"$defs": {"a": {"$anchor": "name"}}}, r"\$\.\$defs\.a: \$anchor is not supported; write the reference as"),
        ({"properties": {"a": {"$id": "https://example.invalid/a"}}}, r"\$\.properties\.a: \$id inside a schema"),
        ({"type": "string", "pattern": "(["}, "Python cannot read the pattern"),
        ({"patternProperties": {"*": {}}}, "Python cannot read the pattern"),
        ({"minimum": "1"}, r"answer: \$\.minimum: not a JSON Schema: '1' is not of type 'number'"),
        ({"properties": ["a"]}, r"\$\.properties: not a JSON Schema"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "is not supported; use one of http"),
        (DEEP, "nests too deeply"),
    ],
)
def test_a_schema_that_would_not_do_what_it_says_is_refused(schema, message):
    with pytest.raises(SpecError, match=message):
        AnswerSchema.from_source(schema)


def test_errors_name_the_place_that_the_caller_gives():
    with pytest.raises(SpecError, match=r"^spec\.yaml: answer: \$: 'txt' is not a type"):
        AnswerSchema.from_source({"type": "txt"}, where="spec.yaml: answer")


def test_references_may_unfold_only_so_far():
    doubling = {f"n{at}": {"anyOf": [{"$ref": f"#/$defs/n{at + 1}"}] * 2} for at in range(30)}
    schema = {"$ref": "#/$defs/n0", "$defs": {**doubling, "n30": {"type": "string"}}}
    with pytest.raises(SpecError, match="unfold to more than"):
        AnswerSchema.from_source(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "x-origin": "ours", "id": "tone", "comments": []},
        {"properties": {"nullable": {"type": "boolean"}, "requierd": {"type": "string"}}},
        {"$schema": DRAFT_7, "definitions": {"a/b": {"type": "string"}}, "$ref": "#/definitions/a~1b"},
        {"$id": "https://example.invalid/label", "$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "string"}}},
        {"anyOf": [{"type": "string"}, {"$ref": "#/anyOf/0"}]},
        {"enum": [{"nullable": True, "type": "OBJECT"}]},
    ],
)
def test_unusual_schemas_pass(schema):
    AnswerSchema.from_source(schema)
