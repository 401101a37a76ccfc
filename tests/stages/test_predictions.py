import json
import pickle
from dataclasses import dataclass

import pyarrow as pa
import pytest

from geminate.errors import UsageError
from geminate.stages.predictions import decode_block, iter_prediction_batches
from geminate.stages.reading import ReadOptions
from geminate.wire.canonical import fingerprint
from geminate.wire.lines import iter_line_blocks

REQUEST = {"contents": [{"parts": [{"text": "Describe it."}]}]}


def response(*parts, finish="STOP"):
    content = {"parts": list(parts)}
    return {
        "candidates": [{"content": content, "finishReason": finish}],
        "modelVersion": "m",
        "usageMetadata": {"promptTokenCount": 1},
    }


def line(key, text="An answer.", **members):
    members = {"request": REQUEST, "status": "", "response": response({"text": text}), **members}
    return json.dumps({"key": key, **members} if key is not None else members).encode()


def decode(data, reading=None):
    """The one block that these lines make; add a line end to those that have one."""
    blocks = iter_prediction_batches(iter_line_blocks([data]), source="f.jsonl", reading=reading or ReadOptions())
    (block,) = blocks
    return block


NUMBER = pa.int64()


@dataclass(frozen=True)
class Verdicts:
    answers: pa.Array
    problems: list
    repairs: list


@dataclass(frozen=True)
class EvenNumbers:
    """An answer schema of the simplest kind."""

    arrow_type: pa.DataType = NUMBER

    def judge_texts(self, texts):
        assert texts.null_count == 0
        numbers = [int(text) if text.isdecimal() and int(text) % 2 == 0 else None for text in texts.to_pylist()]
        problems = [None if number is not None else "odd" for number in numbers]
        return Verdicts(pa.array(numbers, pa.int64()), problems, [None] * len(numbers))


def test_answers_are_judged_where_there_is_a_finished_text():
    call = {"functionCall": {"name": "f"}}
    lines = [
        line("even", "4"),
        line("odd", "5"),
        line("cut", response=response({"text": "6"}, finish="MAX_TOKENS")),
        line("call", response=response(call)),
        line("failed", status="gone", response={}),
        line("split", response=response({"text": "1"}, {"text": "2"})),
    ]
    block = decode(b"\n".join([*lines, b""]), ReadOptions(answer=EvenNumbers()))
    rows = {row["key"]: row for row in block.predictions.to_pylist()}
    assert {key: row["outcome"] for key, row in rows.items()} == {
        "even": "ok",
        "odd": "invalid_answer",
        "cut": "truncated",
        "call": "ok",
        "failed": "failed",
        "split": "ok",
    }
    assert [row["answer"] for row in rows.values()] == [4, None, None, None, None, 12]
    assert (rows["odd"]["error_message"], rows["odd"]["retryable"], rows["odd"]["text"]) == ("odd", True, "5")
    assert rows["failed"]["error_message"] == "gone"


def test_without_an_answer_schema_the_answers_are_null_texts():
    answers = decode(line("a")).predictions.column("answer")
    assert (answers.type, answers.to_pylist()) == (pa.string(), [None])


@pytest.mark.parametrize("text", [b"", b"\n", b"\r\n \n", b"\xef\xbb\xbf"])
def test_a_file_of_nothing_has_no_lines(text):
    blocks = list(iter_prediction_batches(iter_line_blocks([text]), source="", reading=ReadOptions()))
    assert all(block.predictions.num_rows == 0 and not block.unreadable for block in blocks)


@pytest.mark.parametrize(
    "reading", [ReadOptions(), ReadOptions(with_siblings=True, keep_response=True, fingerprints="all")]
)
def test_the_schema_is_the_same_for_every_block(reading):
    blocks = [line("a"), b"", b"broken", line("b", status="gone"), line("c", response={"x": 1})]
    for text in blocks:
        assert decode(text + b"\n", reading).predictions.schema.equals(reading.schema)


@pytest.mark.parametrize("wanted, expected", [("none", None), ("keyless", [None, True]), ("all", [True, True])])
def test_requests_are_fingerprinted_where_it_is_wanted(wanted, expected):
    predictions = decode(line("a") + b"\n" + line(None) + b"\n", ReadOptions(fingerprints=wanted)).predictions
    if expected is None:
        assert "fingerprint" not in predictions.schema.names
    else:
        own = fingerprint(json.dumps(REQUEST).encode())
        assert predictions.column("fingerprint").to_pylist() == [own if has else None for has in expected]


def test_the_response_is_kept_as_it_stands():
    kept = b'{"candidates": [{"finishReason":"STOP", "score":1.50}], "x":123456789012345678901234567890}'
    data = (
        b'{"key":"a","status":"","response":'
        + kept
        + b'}\n{"key":"b","status":"x","response":null}\n{"key":"c","status":"x"}\n'
    )
    predictions = decode(data, ReadOptions(keep_response=True)).predictions
    assert predictions.column("response").to_pylist() == [kept.decode(), None, None]


@pytest.mark.parametrize("name", ["status", "processed_time", "request", "response"])
def test_what_the_service_writes_cannot_be_the_key(name):
    with pytest.raises(UsageError, match=name):
        ReadOptions(key_name=name)


def test_deep_nesting_costs_its_own_line_alone():
    deep = b'{"key":"deep","request":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
    block = decode(b"\n".join([line("a"), deep, line("b"), deep.replace(b"request", b"response"), line("c"), b""]))
    assert block.predictions.column("key").to_pylist() == ["a", "b", "c"]
    assert {at: (line.reason, line.key) for at, line in block.unreadable.items()} == dict.fromkeys(
        (1, 3), ("too_deep", "deep")
    )


def test_a_hundred_megabytes_in_one_line_are_named_not_kept():
    pieces = [line("a") + b'\n{"key":"big","x":"', *[b"y" * (1 << 20)] * 100, b'"}\n' + line("b") + b"\n"]
    blocks = list(iter_prediction_batches(iter_line_blocks(pieces), source="", reading=ReadOptions()))
    assert [key for block in blocks for key in block.predictions.column("key").to_pylist()] == ["a", "b"]
    ((at, big),) = blocks[1].unreadable.items()
    assert (big.reason, big.key) == ("overlong", "big")
    assert len(blocks[1].block.lines[at]) < 5000
    assert blocks[1].predictions.column("offset").to_pylist() == [sum(map(len, pieces)) - len(line("b")) - 1]


def test_a_large_line_within_the_cap_is_read():
    text = "long\n" * 4_000_000
    assert decode(line("a", text)).predictions.column("text").to_pylist() == [text]


def test_a_last_line_without_an_end_is_read_if_it_is_whole():
    assert decode(line("a")).predictions.column("key").to_pylist() == ["a"]
    assert decode(line("a")[:-1]).unreadable[0].reason == "truncated"
    assert decode(line("a")[:-1] + b"\n").unreadable[0].reason == "invalid_json"


def test_a_decoded_block_travels_between_processes():
    (block,) = iter_line_blocks([line("a") + b"\n\nbroken\n"])
    decoded = decode_block(block, ReadOptions())
    again = pickle.loads(pickle.dumps(decoded))  # noqa: S301 - Our own bytes.
    assert again.predictions.equals(decoded.predictions)
    assert again.unreadable == decoded.unreadable
