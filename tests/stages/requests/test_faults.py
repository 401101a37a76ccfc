"""What varies is held to the same rules, in the same words, as request lines are."""

import json

import pyarrow as pa
import pytest

from geminate.stages.requests import compile_requests
from geminate.stages.specs import Spec


def rules_of(request, cells):
    """For each cell the rules that its line breaks, and where."""
    prompts = pa.RecordBatch.from_pydict({"x": cells})
    encoder = compile_requests(Spec("m", request), prompts.schema)
    block = encoder.encode(prompts, pa.array(map(str, range(len(cells)))))
    found = [[(v.rule, v.path) for at, v in block.violations if at == row] for row in range(len(cells))]
    assert [line is None for line in block.lines.to_pylist()] == [bool(rules) for rules in found]
    return [" ".join(rule for rule, _ in rules) for rules in found]


def contents(**part):
    return [{"role": "user", "parts": [part]}]


HI = contents(text="hi")
URIS = {
    "gs://b/o p": "",
    "gs://b": "schema.file_uri",
    "https://www.youtube.com/watch?v=1": "",
    "https://youtu.be/1": "",
    "https://example.invalid/a": "schema.file_uri",
    "": "schema.file_uri",
}


def blob(data, mime_type):
    return {"contents": contents(inlineData={"data": data, "mimeType": mime_type})}


def file(uri):
    return {"contents": contents(fileData={"fileUri": uri, "mimeType": "a/b"})}


@pytest.mark.parametrize(
    "request_, cells, rules",
    [
        ({"contents": contents(text="{{ x }}")}, ["a", "", " "], ["", "schema.empty_text", ""]),
        ({"contents": contents(text="a{{ x }}")}, ["a", ""], ["", ""]),
        ({"contents": [{"role": "{{ x }}"}]}, ["user", "model", "system"], ["", "", "schema.role"]),
        (file("{{ x }}"), list(URIS), list(URIS.values())),
        (file("gs://b/{{ x }}"), ["o", ""], ["", "schema.file_uri"]),
        (blob("YQ==", "image/{{ x }}"), ["png", "a b"], ["", "schema.mime_type"]),
        (blob("{{ x }}", "a/b"), ["YQ==", "?"], ["", "schema.base64"]),
        (
            {"contents": HI, "safetySettings": [{"category": "HARM_CATEGORY_{{ x }}"}]},
            ["HARASSMENT", "RUDENESS"],
            ["", "schema.bad_enum"],
        ),
        ({"contents": HI, "labels": {"topic": "{{ x }}"}}, ["a-1", "A b"], ["", "schema.label"]),
        ({"contents": HI, "generationConfig": {"temperature": "{{ x }}"}}, [0, 9], ["", "schema.out_of_range"]),
        ({"contents": HI, "generationConfig": {"seed": "{{ x }}"}}, [1.0, 1.5], ["", "schema.wrong_type"]),
        ({"contents": HI, "generationConfig": {"seed": "{{ x }}"}}, [True, False], ["schema.wrong_type"] * 2),
        ({"contents": HI, "generationConfig": {"responseLogprobs": "{{ x }}"}}, [True, False], ["", ""]),
        ({"contents": contents(functionCall={"name": "f", "args": {"text": "{{ x }}"}})}, ["", "a"], ["", ""]),
    ],
)
def test_rules_for_what_varies(request_, cells, rules):
    assert rules_of(request_, cells) == rules


def test_a_violation_says_where_and_what():
    prompts = pa.RecordBatch.from_pydict({"x": ["user", "robot"]})
    spec = Spec("m", {"contents": [{"role": "user"}, {"role": "{{ x }}"}]})
    block = compile_requests(spec, prompts.schema).encode(prompts, pa.array(["a", "b"]))
    ((row, violation),) = block.violations
    assert row == 1
    assert violation.path == "$.request.contents[1].role"
    assert "'robot'" in violation.message
    assert json.loads(block.lines[0].as_py())["request"]["contents"][1] == {"role": "user"}
