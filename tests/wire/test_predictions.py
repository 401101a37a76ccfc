import json
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.wire.leniency import decode_leniently
from geminate.wire.predictions import Prediction, Unreadable, strict_decoder
from geminate.wire.verdicts import judge

texts = st.text(max_size=6)
counts = st.integers(0, 2**40)
calls = st.fixed_dictionaries({"name": texts}, optional={"args": st.dictionaries(texts, st.integers() | texts)})
parts = st.fixed_dictionaries(
    {},
    optional={
        "text": texts | st.none(),
        "thought": st.booleans(),
        "functionCall": calls,
        "inlineData": st.just({"data": "AA=="}),
        "executableCode": st.just({"code": "1"}) | st.just({}),
        "codeExecutionResult": st.just({"output": "1"}) | st.none(),
    },
)
candidates = st.fixed_dictionaries(
    {},
    optional={
        "content": st.fixed_dictionaries({}, optional={"parts": st.lists(parts, max_size=3)}),
        "finishReason": st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "SOMETHING_NEW"]),
        "finishMessage": texts,
    },
)
usages = st.dictionaries(
    st.sampled_from(["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"]), counts
)
responses = st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.lists(candidates, max_size=2),
        "promptFeedback": st.fixed_dictionaries({}, optional={"blockReason": st.sampled_from(["SAFETY", "OTHER"])}),
        "modelVersion": texts,
        "responseId": texts,
        "usageMetadata": usages,
    },
)
lines = st.fixed_dictionaries(
    {"request": st.just({"contents": []})},
    optional={
        "key": texts,
        "status": st.sampled_from(["", "Bad Request: {}", "gone"]),
        "processed_time": texts,
        "response": responses | st.none(),
        "error": st.fixed_dictionaries({"code": st.integers(0, 600)}, optional={"message": texts}),
    },
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
MEMBERS = [
    ("response",),
    ("response", "candidates"),
    ("response", "candidates", 0),
    ("response", "candidates", 0, "content"),
    ("response", "candidates", 0, "content", "parts"),
    ("response", "candidates", 0, "content", "parts", 0),
    ("response", "candidates", 0, "content", "parts", 0, "text"),
    ("response", "candidates", 0, "content", "parts", 0, "functionCall"),
    ("response", "candidates", 0, "content", "parts", 0, "thought"),
    ("response", "candidates", 0, "finishReason"),
    ("response", "usageMetadata"),
    ("response", "usageMetadata", "promptTokenCount"),
    ("response", "promptFeedback"),
    ("response", "promptFeedback", "blockReason"),
    ("response", "modelVersion"),
    ("status",),
    ("processed_time",),
    ("key",),
    ("error",),
]


def usual():
    return {
        "key": "a",
        "request": {"contents": []},
        "status": "",
        "response": {
            "candidates": [{"content": {"parts": [{"text": "A river."}], "role": "model"}, "finishReason": "STOP"}],
            "modelVersion": "m",
            "promptFeedback": {},
            "usageMetadata": {"promptTokenCount": 1},
        },
        "processed_time": "2026-11-20T10:00:00Z",
    }


def told(prediction):
    """Everything the rows take from a prediction."""
    response = prediction.response
    usage = response.usage_metadata if response else None
    verdict = judge(prediction)
    # Arguments are JSON text, and one value has many texts: the slow road writes it anew.
    calls = [call | {"args": call["args"] and json.loads(call["args"])} for call in verdict.function_calls or []]
    return (
        verdict._replace(function_calls=calls),
        prediction.key,
        prediction.processed_time,
        response and (response.model_version, response.response_id),
        usage and {value for value in msgspec.structs.astuple(usage) if value is not None},
    )


@given(lines)
def test_the_fast_roads_and_the_slow_road_tell_the_same(line):
    data = json.dumps(line).encode()
    slow = told(decode_leniently(data, "key"))
    for with_request, with_members in product([False, True], repeat=2):
        assert told(strict_decoder("key", with_request=with_request, with_members=with_members)(data)) == slow


@pytest.mark.parametrize("path", MEMBERS, ids=lambda path: ".".join(map(str, path)))
@given(odd)
def test_no_value_in_any_place_raises_or_hides_the_key(path, value):
    line = usual()
    place = line
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    data = json.dumps(line).encode()
    prediction = decode_leniently(data, "key")
    judge(prediction)
    if path != ("key",):
        assert prediction.key == "a"
    for with_members in (False, True):
        try:
            strict = strict_decoder("key", with_request=False, with_members=with_members)(data)
        except msgspec.MsgspecError:
            continue
        judge(strict)


@given(st.binary(max_size=80) | st.text(alphabet='{}[]":,key0123\\u status', max_size=80).map(str.encode))
def test_no_bytes_raise(data):
    assert isinstance(decode_leniently(data, "key"), Prediction | Unreadable)


@pytest.mark.parametrize("key_name", ["custom_id", "schlüssel", 'quo"te', "back\\slash", "line\nbreak", "", "a.b c"])
@pytest.mark.parametrize("with_members", [False, True])
def test_any_sibling_can_be_the_key(key_name, with_members):
    data = json.dumps({key_name: "k-1", "key": "no", "response": {}, "status": ""}).encode()
    assert strict_decoder(key_name, with_request=False, with_members=with_members)(data).key == "k-1"
    assert decode_leniently(data, key_name).key == "k-1"


@pytest.mark.parametrize("with_members", [False, True])
def test_without_a_key_name_no_sibling_is_the_key(with_members):
    data = b'{"key":"a","response":{},"status":""}'
    assert strict_decoder(None, with_request=True, with_members=with_members)(data).key is None


def test_siblings_are_all_that_the_service_did_not_write():
    vertex = b'{"a":1,"error":{"n":2},"request":{},"status":"","response":{},"processed_time":"t","b":[1e999]}'
    developer = b'{"a":1,"error":{"code":2}}'
    decode = strict_decoder(None, with_request=False, with_members=True)
    for read in (decode, lambda line: decode_leniently(line, None)):
        assert bytes(read(vertex).siblings) == b'{"a":1,"error":{"n":2},"b":[1e999]}'
        assert bytes(read(developer).siblings) == b'{"a":1}'
