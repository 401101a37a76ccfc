import json

import pyarrow as pa
import pytest

from geminate.errors import UsageError
from geminate.stages.contents import NAMED_CONTENTS, order_contents
from geminate.stages.predictions import decode_block
from geminate.stages.reading import ReadOptions
from geminate.wire.content_types import CONTENT_TYPES
from geminate.wire.lines import LineBlock

RESPONSE = {
    "candidates": [{"content": {"parts": [{"thought": True, "text": "Hm."}, {"text": "Yes."}]}, "avgLogprobs": -1}]
}


def decode(*lines, contents):
    block = LineBlock(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    return decode_block(block, ReadOptions(contents=contents)).predictions


def test_contents_come_in_the_order_of_their_columns_each_once():
    assert order_contents(["safety", "code", "safety"], with_media=True) == ("code", "safety", "media")
    assert order_contents(NAMED_CONTENTS) == NAMED_CONTENTS
    assert order_contents(()) == ()


@pytest.mark.parametrize(
    "names, hint",
    [(["cod"], "did you mean 'code'"), (["x"], "use some of"), ("code,safety", "did you mean"), (["media"], "--media")],
)
def test_an_unknown_content_is_refused_with_what_to_do(names, hint):
    with pytest.raises(UsageError, match=hint):
        order_contents(names)


def test_a_prediction_is_read_the_same_on_the_fast_and_on_the_slow_road():
    plain = {"key": "a", "status": "", "response": RESPONSE}
    as_text = {"key": "b", "status": "", "response": json.dumps(RESPONSE)}
    failed = {"key": "c", "status": "gone", "response": {}}
    bare = {"key": "d", "status": "gone"}
    contents = tuple(CONTENT_TYPES)
    predictions = decode(plain, as_text, failed, bare, contents=contents)
    assert predictions.column("thoughts").to_pylist() == ["Hm.", "Hm.", None, None]
    tokens = [cell and cell["avg_logprobs"] for cell in predictions.column("logprobs").to_pylist()]
    assert tokens == [-1.0, -1.0, None, None]
    assert predictions.column("text").to_pylist() == ["Yes.", "Yes.", None, None]


def test_there_are_no_columns_but_those_asked_for():
    names = decode({"key": "a", "response": RESPONSE}, contents=("code",)).schema.names
    assert [name for name in names if name in CONTENT_TYPES] == ["code"]


@pytest.mark.parametrize("contents", [(), ("thoughts",), tuple(CONTENT_TYPES)])
def test_the_schema_is_that_of_the_options(contents):
    schema = decode({"key": "a", "response": RESPONSE}, contents=contents).schema
    assert schema == ReadOptions(contents=contents).schema
    assert all(schema.field(name).type == CONTENT_TYPES[name] for name in contents)
    assert pa.schema([field for field in schema if field.name not in contents]) == ReadOptions().schema
