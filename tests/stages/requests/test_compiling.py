import json

import pyarrow as pa
import pytest

from geminate.errors import SpecError
from geminate.stages.requests import compile_requests
from geminate.stages.specs import Spec

SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "n": pa.float64(),
        "row": pa.struct({"field": pa.string(), "deep": pa.struct({"n": pa.int8()})}),
        "turns": pa.list_(pa.struct({"role": pa.string()})),
        "sound": pa.binary(),
        "a.b": pa.string(),
    }
)


def compiled(request, **more):
    return compile_requests(Spec("m", request, origin="spec.yaml"), SCHEMA, **more)


def lines(request, columns, **more):
    prompts = pa.RecordBatch.from_pydict(columns)
    encoder = compile_requests(Spec("m", request), prompts.schema, **more)
    block = encoder.encode(prompts, pa.array(map(str, range(prompts.num_rows))))
    return [line and json.loads(line)["request"] for line in block.lines.to_pylist()]


@pytest.mark.parametrize(
    "text, message",
    [
        ("{{ txt }}", r"spec.yaml: \$.request.contents: the prompts have no column 'txt'; did you mean 'text'"),
        ("{% if txt %}{% endif %}", "no column 'txt'"),
        ("{{ a.b }}", r"no column 'a'.*write \{\{ columns\[\"a.b\"\] \}\}"),
        ("{{ row.feild }}", "'feild', which is no field there; did you mean 'field'"),
        ("{{ row.field.more }}", "'more', which is no field there"),
        ("{{ text.more }}", "'more', which is no field there"),
        ("{{ sound }}", "'sound' holds binary, which has no text"),
        ("{% if sound %}{% endif %}", "'sound' holds binary"),
    ],
)
def test_what_the_prompts_lack_is_refused(text, message):
    with pytest.raises(SpecError, match=message):
        compiled({"contents": text})


def test_a_column_that_is_there_twice_is_refused():
    schema = pa.schema([("text", pa.string()), ("text", pa.string())])
    with pytest.raises(SpecError, match="several columns called 'text'"):
        compile_requests(Spec("m", {"contents": "{{ text }}"}), schema)


def test_only_the_columns_that_are_used_are_read():
    encoder = compiled({"a": "{{ row.field }} {% if true %}{{ text }}{% endif %}", "b": "{{ columns['a.b'] }}"})
    assert encoder.columns == ("row", "text", "a.b")


def test_a_slot_alone_takes_the_type_of_its_field():
    request = {
        "contents": "{{ turns }}",
        "generationConfig": {
            "temperature": "{{ n }}",
            "maxOutputTokens": "{{ n }}",
            "responseLogprobs": "{{ flag }}",
            "stopSequences": ["{{ n }}"],
        },
        "systemInstruction": {"parts": [{"text": "{{ n }}"}]},
    }
    turns = [[{"role": "user", "parts": [{"text": "a"}]}]]
    (line,) = lines(request, {"turns": turns, "n": [1.0], "flag": [True]})
    assert line == {
        "contents": turns[0],
        "generationConfig": {
            "temperature": 1.0,
            "maxOutputTokens": 1,
            "responseLogprobs": True,
            "stopSequences": ["1.0"],
        },
        "systemInstruction": {"parts": [{"text": "1.0"}]},
    }
    assert isinstance(line["generationConfig"]["maxOutputTokens"], int)


def test_json_is_asked_for_where_anything_may_stand():
    args = {"a": "{{ n | json }}", "b": "{{ n }}", "c": "{{ text | json }}"}
    request = {"contents": [{"parts": [{"functionCall": {"name": "f", "args": args}}]}]}
    made = lines(request, {"n": [1, 2], "text": ['{"x" : [1]}', "{"]})
    assert made[0]["contents"][0]["parts"][0]["functionCall"]["args"] == {"a": 1, "b": "1", "c": {"x": [1]}}
    assert made[1] is None


@pytest.mark.parametrize(
    "request_, free_paths",
    [
        ({"contents": [{"parts": [{"text": "{{ text }} {{ turns }}"}]}]}, ()),
        ({"generationConfig": {"temperature": "{{ n }}"}}, ()),
        ({"generationConfig": {"temperature": "{{ text }}"}}, ("$.request.generationConfig.temperature",)),
        ({"contents": "{{ turns }}"}, ("$.request.contents",)),
        ("{{ text | json }}", ("$.request",)),
    ],
)
def test_where_cells_bring_json_of_their_own_is_known(request_, free_paths):
    assert compiled(request_).free_paths == free_paths


ASKED = {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}}
FORMAT = {"responseFormat": [{"text": {"mimeType": "APPLICATION_JSON", "schema": {"type": "object"}}}]}


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, ASKED),
        ({"seed": 1}, {**ASKED, "seed": 1}),
        ({"responseMimeType": "text/x.enum"}, {**ASKED, "responseMimeType": "text/x.enum"}),
        ({"response_schema": {"type": "STRING"}}, {"responseSchema": {"type": "STRING"}}),
        ({"responseJsonSchema": {}}, {"responseJsonSchema": {}}),
    ],
)
def test_the_answer_schema_is_asked_for_unless_the_spec_does(settings, expected):
    (line,) = lines({"generationConfig": settings}, {"text": ["a"]}, answer_settings=ASKED)
    assert line == {"generationConfig": expected}
    assert compiled({"generationConfig": settings}, answer_settings=ASKED).request == line


def test_the_answer_schema_stands_behind_the_settings_of_the_spec():
    (line,) = lines({"generationConfig": {"seed": 1}}, {"text": ["a"]}, answer_settings=ASKED)
    assert list(line["generationConfig"]) == ["responseMimeType", "seed", "responseSchema"]


def test_response_format_needs_no_response_mime_type():
    (line,) = lines({"generationConfig": {"seed": 1}}, {"text": ["a"]}, answer_settings=FORMAT)
    assert line == {"generationConfig": {"seed": 1, **FORMAT}}


@pytest.mark.parametrize("request_", [{"generationConfig": {"responseSchema": {"type": "STRING"}}}, "{{ text }}"])
def test_a_form_is_refused_where_the_request_asks_in_its_own_way(request_):
    spec = Spec("m", request_, {"type": "object"}, answer_form="responseFormat")
    with pytest.raises(SpecError, match=r"\$\.answer_form: responseFormat has no place here") as caught:
        compile_requests(spec, pa.schema({"text": pa.string()}), answer_settings=FORMAT)
    assert caught.value.remedy == "leave out 'answer_form'"


def test_an_answer_schema_needs_a_place():
    with pytest.raises(SpecError, match="the answer schema has no place here"):
        compiled({"generationConfig": "{{ row }}"}, answer_settings=ASKED)
    whole = json.dumps({"contents": []})
    assert lines("{{ text }}", {"text": [whole]}, answer_settings=ASKED) == [{"contents": []}]
