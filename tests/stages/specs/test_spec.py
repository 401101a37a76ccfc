import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from geminate.errors import SpecError
from geminate.stages.specs import Spec

FIXTURES = Path(__file__).parents[3] / "fixtures" / "specs"


def request(text="{{ text }}", **more):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def test_a_file_is_read_with_the_answer_schema_beside_it():
    spec = Spec.load(FIXTURES / "label.yaml")
    assert spec.model == "gemini-3.5-flash"
    assert spec.columns == ("message",)
    assert list(spec.answer["properties"]) == ["topic", "angry"]
    assert spec.defaults == {"message": "(no text)"}


def test_a_json_file_is_a_spec_too(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"model": "m", "request": request()}))
    assert Spec.load(str(path)) == Spec("m", request())


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("missing.yaml", None, "missing.yaml: cannot be read"),
        ("latin.yaml", "model: ä".encode("latin-1"), "latin.yaml: the file is not UTF-8"),
        ("answer.yaml", b"model: m\nrequest: {}\nanswer: gone.json", "gone.json: cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError, match=message):
        Spec.load(path)


def test_a_prompt_makes_one_user_turn(tmp_path):
    schema = tmp_path / "answer.json"
    schema.write_text('{"type": "object"}')
    spec = Spec.from_prompt("m", "{{ text }}", system="Be {{ tone }}.", answer=schema)
    assert spec.request == {"systemInstruction": {"parts": [{"text": "Be {{ tone }}."}]}, **request()}
    assert spec.columns == ("tone", "text")
    assert spec.answer == {"type": "object"}


class Label(BaseModel):
    topic: str


@pytest.mark.parametrize("answer", [None, {"type": "object"}, Label])
def test_a_document_makes_an_equal_spec(answer):
    form = answer and "responseFormat"
    spec = Spec("m", request(), answer, {"text": "none"}, answer_form=form)
    document = json.loads(json.dumps(spec.to_document()))
    again = Spec.from_document(document)
    assert again.to_document() == document
    assert again.fingerprint == spec.fingerprint


def test_the_fingerprint_tells_apart_what_makes_other_lines():
    specs = [
        Spec("m", request()),
        Spec("n", request()),
        Spec("m", request("{{ text }} ")),
        Spec("m", request(), {"properties": {"a": {}, "b": {}}}),
        Spec("m", request(), {"properties": {"b": {}, "a": {}}}),
        Spec("m", request(), defaults={"text": "x"}),
    ]
    assert len({spec.fingerprint for spec in specs}) == len(specs)
    assert Spec.parse(f"request: {json.dumps(request())}\nmodel: m").fingerprint == specs[0].fingerprint


def test_a_spec_is_its_own_copy():
    mine = request()
    spec = Spec("m", mine)
    mine["contents"].clear()
    assert spec.request == request()


def test_field_names_become_camel_case_and_other_keys_stay():
    spec = Spec(
        "m",
        {
            "system_instruction": {"parts": [{"inline_data": {"mime_type": "a/b"}}]},
            "contents": [{"parts": [{"function_call": {"name": "f", "args": {"snake_case": {"mime_type": 1}}}}]}],
            "labels": {"mime_type": "x"},
            "generation_config": {"response_schema": {"properties": {"my_name": {"min_length": 1}}}},
            "no_such_field": 1,
            "toolConfig": {},
            "tool_config": {},
        },
    )
    assert spec.request == {
        "systemInstruction": {"parts": [{"inlineData": {"mimeType": "a/b"}}]},
        "contents": [{"parts": [{"functionCall": {"name": "f", "args": {"snake_case": {"mime_type": 1}}}}]}],
        "labels": {"mime_type": "x"},
        "generationConfig": {"responseSchema": {"properties": {"my_name": {"minLength": 1}}}},
        "no_such_field": 1,
        "toolConfig": {},
        "tool_config": {},
    }


def test_a_place_has_the_line_where_it_is_known():
    spec = Spec.parse("model: m\nrequest:\n  contents: []\n", "spec.yaml")
    assert spec.place("$.request.contents") == "spec.yaml:3: $.request.contents"
    assert spec.place("$.request.tools") == "spec.yaml: $.request.tools"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "a spec is a mapping"),
        ("[]", "a spec is a mapping"),
        ("modle: m\nrequest: {}", "spec.yaml:1: .*'modle'; did you mean 'model'"),
        ("request: {}", "has no 'model'"),
        ("model: m", "has no 'request'"),
        ("model: 3\nrequest: {}", "spec.yaml:1: .*name it, as text"),
        ("model: m\nrequest: []", "no mapping"),
        ("model: m\nrequest: just text", "the request is a text"),
        ("model: m\nrequest: {}\nanswer: a.json", "the answer is a text"),
        (
            "model: m\nrequest: {}\nanswer_form: responseFormat",
            r"spec.yaml:3: \$\.answer_form: there is no answer schema",
        ),
        ("model: m\nrequest: {}\nanswer: {type: string}\nanswer_form: [1]", "is no form of answer schemas"),
        ("model: m\nrequest: {}\ndefaults: [1]", "defaults are no mapping"),
        ("model: m\nrequest: {a: '{{ text }}'}\ndefaults: {txt: 1}", "'txt'; did you mean 'text'"),
        ("model: m\nrequest: {a: '{{ text }}'}\ndefaults: {text: ~}", "'text' is itself null"),
        ("model: m\nrequest:\n  a:\n    - '{{'", r"spec.yaml:4: \$.request.a\[0\]: not a template"),
        ('{"model": "m", "request": {"a": "\\ud800"}}', "surrogate"),
        ('{"model": "m", "request": {"a": 1e999}}', "not a JSON value"),
        ('{"model": "m", "request": ' + '{"a":' * 900 + "1" + "}" * 901, "too deep"),
        ('{"model": "m", "request": ' + '{"a":' * 120 + "1" + "}" * 121, "nested too deep"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text, message):
    with pytest.raises(SpecError, match=message):
        Spec.parse(text, "spec.yaml")
