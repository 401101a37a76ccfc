"""Damaged bytes for what reads bytes of others: about a minute, or as many examples as GEMINATE_FUZZ_EXAMPLES says."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geminate.stages import predictions
from geminate.stages.predictions import iter_prediction_batches
from geminate.stages.reading import ReadOptions
from geminate.wire.answers import AnswerSchema
from geminate.wire.canonical import fingerprint
from geminate.wire.lines import iter_line_blocks

ADVERSARIAL = Path(__file__).parents[2] / "fixtures" / "predictions" / "adversarial.jsonl"
LINES = [line for line in ADVERSARIAL.read_bytes().split(b"\n") if 0 < len(line) < 4000]
REQUESTS = [
    b'{"contents":[{"role":"user","parts":[{"text":"a \\u00fc \\ud83d\\ude00"}]}],"generationConfig":{"topP":0.950}}',
    b'{"contents":{"parts":{"text":"x"}},"seed":123456789012345678901234567890,"x":[1e-7,1.0,-0,null,{}]}',
]
ANSWERS = [
    b'{"label":"a","score":0.5,"tags":["x",null],"more":{"n":9007199254740993}}',
    b'```json\n{"label": "b", "score": 1, "tags": []}\n```',
]
ANSWER_SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"enum": ["a", "b"]},
        "score": {"type": "number", "minimum": 0},
        "tags": {"type": "array", "items": {"type": ["string", "null"]}},
        "more": {"type": "object", "properties": {"n": {"type": "integer"}}},
    },
    "required": ["label", "score"],
}
TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b":",
    b"null",
    b"1e999",
    b"NaN",
    b"\\ud800",
    b"\xff",
    b"\n",
    b"\r",
    b"\0",
]
TOKENS += [b'"status":"x"', b'"response":{}', b'"text":', b"[" * 1200, b"9" * 40, b"\xe2\x80\xa8", b"-", b".0", b"{}"]
EXAMPLES = int(os.environ.get("GEMINATE_FUZZ_EXAMPLES", "2000"))
READINGS = [
    ReadOptions(),
    ReadOptions(key_name=None, fingerprints="all", keep_response=True),
    ReadOptions(with_siblings=True, contents=("thoughts", "citations")),
]

fuzzed = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)


@st.composite
def damaged(draw, corpus):
    """One of the corpus, with up to six bytes or tokens put in, taken out, or copied from another."""
    data = bytearray(draw(st.sampled_from(corpus)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3), st.just(b"")))
        if draw(st.booleans()):
            other = draw(st.sampled_from(corpus))
            start = draw(st.integers(0, len(other)))
            piece = other[start : start + draw(st.integers(0, 40))]
        data[at : at + draw(st.integers(0, 20))] = piece
    return bytes(data)


def read(data, piece_bytes, reading):
    pieces = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]
    return list(iter_prediction_batches(iter_line_blocks(pieces), source="f", reading=reading))


@fuzzed
@given(st.lists(damaged(LINES), min_size=1, max_size=4), st.integers(64, 9000), st.sampled_from(READINGS))
def test_every_line_is_a_prediction_or_is_unreadable_and_both_ways_of_reading_agree(lines, piece_bytes, reading):
    data = b"\n".join(lines)
    blocks = read(data, piece_bytes, reading)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictions, "read_ordinary", lambda _block, _reading: None)
        careful = read(data, piece_bytes, reading)
    for block, other in zip(blocks, careful, strict=True):
        block.predictions.validate(full=True)
        rows = [row | {"siblings": None} for row in block.predictions.to_pylist()]
        assert rows == [row | {"siblings": None} for row in other.predictions.to_pylist()]
        assert block.unreadable == other.unreadable
    found = sum(block.predictions.num_rows + len(block.unreadable) for block in blocks)
    assert found == sum(bool(line.strip()) for line in data.split(b"\n"))


@fuzzed
@given(st.lists(damaged(ANSWERS).map(lambda data: data.decode("utf-8", "replace")), min_size=1, max_size=4))
def test_every_answer_is_typed_or_has_a_problem(texts):
    judged = AnswerSchema.from_source(ANSWER_SCHEMA).judge_texts(pa.array(texts, pa.string()))
    assert [answer is None for answer in judged.answers.to_pylist()] == [
        problem is not None for problem in judged.problems
    ]


@fuzzed
@given(damaged(REQUESTS))
def test_a_request_has_the_fingerprint_of_its_echo_or_none(data):
    found = fingerprint(data)
    if found is not None:
        echo = json.dumps(json.loads(data), sort_keys=True, indent=1, ensure_ascii=True)
        assert fingerprint(echo.encode()) == found
