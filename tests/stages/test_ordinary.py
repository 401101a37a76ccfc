import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages import predictions
from geminate.stages.ordinary import read_ordinary
from geminate.stages.predictions import decode_block
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import LineBlock

OPTIONS = [
    ReadOptions(),
    ReadOptions(key_name=None, fingerprints="all"),
    ReadOptions(key_name="key", keep_response=True, contents=("thoughts",)),
]

TEXTS = st.sampled_from(["", "an answer", 'a "quoted"\nanswer', "\u2028\x00\U0001f600", "ß" * 40])
FLAGS = st.sampled_from([True, False, None])
PARTS = st.one_of(
    st.fixed_dictionaries(
        {"text": TEXTS},
        optional={
            "thought": FLAGS,
            "thoughtSignature": st.just("c2ln"),
            "functionCall": st.sampled_from([None, {}, {"name": "f"}, {"name": "f", "args": {"a": [1, None]}}]),
            "inlineData": st.just({"mimeType": "image/png", "data": "aaaa"}),
        },
    ),
    st.sampled_from([None, {}, {"text": None}, {"function_call": {"name": "g"}}, {"text": 5}]),
)
CONTENTS = st.sampled_from([None, {}, {"parts": None}, {"parts": {"text": "alone"}}])
CANDIDATES = st.one_of(
    st.fixed_dictionaries(
        {"content": st.one_of(st.fixed_dictionaries({"parts": st.lists(PARTS, max_size=3)}), CONTENTS)},
        optional={
            "finishReason": st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "NEW_REASON", "", None, 1]),
            "finishMessage": st.sampled_from(["why", "", None]),
            "avgLogprobs": st.just(-0.5),
        },
    ),
    st.none(),
)
COUNTS = st.sampled_from([0, 7, -1, 2**63 - 1, 2**63, 1.5, "9", None])
USAGES = st.one_of(
    st.fixed_dictionaries({"promptTokenCount": COUNTS}, optional={"totalTokenCount": COUNTS, "trafficType": TEXTS}),
    st.sampled_from([None, {}]),
)
RESPONSES = st.one_of(
    st.fixed_dictionaries(
        {"candidates": st.one_of(st.lists(CANDIDATES, max_size=2), st.none())},
        optional={
            "usageMetadata": USAGES,
            "modelVersion": st.sampled_from(["gemini-3.5-flash", "", None]),
            "model_version": st.just("snake"),
            "responseId": TEXTS,
            "promptFeedback": st.sampled_from([None, {}, {"blockReason": "SAFETY"}, {"blockReason": None}]),
        },
    ),
    st.sampled_from([None, {}, [], "text", 5, False]),
)
GOOD = {
    "candidates": [{"content": {"parts": [{"text": "fine"}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
    "modelVersion": "gemini-3.5-flash",
    "responseId": "id",
}
LINES = st.one_of(
    st.fixed_dictionaries(
        {"key": st.sampled_from(["a", "k:7", 'q"\\', None, 5]), "request": st.just({"contents": [{"parts": []}]})},
        optional={
            "status": st.sampled_from(["", None, 'Bad Request: {"error": {"code": 400}}']),
            "response": st.one_of(st.just(GOOD), RESPONSES),
            "processed_time": st.sampled_from(["2026-11-01T10:00:00.5+00:00", "never", None]),
            "error": st.sampled_from([None, {"code": 5, "message": "no"}]),
        },
    ),
    st.sampled_from([{}, [], None, 3]),
)


def decode_both_ways(data, reading):
    """The predictions, the same whether ordinary lines are read at once or each carefully by itself."""
    decoded = decode_block(block_of(data), reading)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictions, "read_ordinary", lambda _block, _reading: None)
        careful = decode_block(block_of(data), reading)
    decoded.predictions.validate(full=True)
    assert decoded.predictions.to_pylist() == careful.predictions.to_pylist()
    assert decoded.unreadable == careful.unreadable
    return decoded.predictions


def block_of(data):
    return LineBlock(data, terminated=data.endswith(b"\n"))


def encode(*lines):
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def good(**members):
    return {"key": "g", "status": "", "response": GOOD | members}


@settings(max_examples=200)
@given(st.lists(st.one_of(st.just(good()), LINES), min_size=1, max_size=6), st.sampled_from(OPTIONS))
def test_both_ways_of_decoding_agree_on_every_line(lines, reading):
    decode_both_ways(encode(*lines), reading)


GOOD_LINE = encode(good())
HOSTILE = {
    "two objects on a line": b"{}{}\n",
    "an object over two lines, and two on one": b'{"key":\n"a"}\n{}{}\n',
    "an object that opens a line and closes the next": b'{"key":{"a":{}\n}}\n',
    "a null response": b'{"key":"a","status":"","response":null}\n',
    "a member twice": b'{"key":"a","response":{"modelVersion":"m","modelVersion":"n"}}\n',
    "a lone surrogate": GOOD_LINE.replace(b"fine", b"\\ud800"),
    "a lone surrogate that is skipped": GOOD_LINE.replace(b'"role"', b'"x":"\\udc00","role"'),
    "invalid utf-8": GOOD_LINE.replace(b"fine", b"\xff"),
    "invalid utf-8 that is skipped": GOOD_LINE.replace(b'"role"', b'"x":"\xff","role"'),
    "blank lines": b"\n  \n" + GOOD_LINE,
    "carriage returns": GOOD_LINE.replace(b"\n", b"\r\n") * 2,
    "a byte order mark": b"\xef\xbb\xbf" + GOOD_LINE,
    "no last newline": GOOD_LINE + GOOD_LINE[:-1],
    "a truncated end": GOOD_LINE + GOOD_LINE[:-9],
    "deep nesting": b'{"response":{"x":' + b"[" * 900 + b"]" * 900 + b"}}\n",
    "nesting beyond any stack": b'{"response":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}\n",
    "not a number": GOOD_LINE.replace(b'"promptTokenCount": 3', b'"promptTokenCount": NaN'),
    "a number out of range": GOOD_LINE.replace(b'"promptTokenCount": 3', b'"x": 1e999, "promptTokenCount": 3'),
    "a whole number with a point": GOOD_LINE.replace(b'"promptTokenCount": 3', b'"promptTokenCount": 3.0'),
    "a name in escapes": GOOD_LINE.replace(b"finishReason", b"finish\\u0052eason"),
}


@pytest.mark.parametrize("reading", OPTIONS)
@pytest.mark.parametrize("name", HOSTILE)
def test_both_ways_of_decoding_agree_on_hostile_lines(name, reading):
    decode_both_ways(GOOD_LINE + HOSTILE[name] + GOOD_LINE, reading)
    decode_both_ways(HOSTILE[name], reading)


def test_texts_in_parts_with_thoughts_between_them_are_ordinary():
    parts = [{"text": "mull", "thought": True}, {"text": "one "}, {"text": ""}, {"text": "two", "thought": False}]
    split = good(candidates=[{"content": {"parts": parts}, "finishReason": "STOP"}])
    ordinary, columns = read_ordinary(block_of(encode(good(), split, good())), ReadOptions())
    assert ordinary.all()
    assert columns["text"].to_pylist() == ["fine", "one two", "fine"]


@pytest.mark.parametrize(
    "response",
    [
        {"candidates": []},
        {"candidates": [{"content": {"parts": [{"text": "cut"}]}, "finishReason": "MAX_TOKENS"}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {}}]}, "finishReason": "STOP"}]},
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {"modelVersion": None},
    ],
)
def test_one_line_out_of_the_ordinary_leaves_the_others_ordinary(response):
    ordinary, _ = read_ordinary(block_of(encode(good(), good(**response), good())), ReadOptions())
    assert ordinary.tolist() == [True, False, True]
