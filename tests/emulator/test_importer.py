import json

import pytest

from geminate.emulator.limits import LIMITS

from .conftest import prompt

PREFIX = "Failed to import data. Please check 'Prepare input' section of the batch predictions documentation. "


def nested(names: int) -> dict:
    """A line whose deepest key has that many keys above it and itself."""
    value: object = 1
    for _ in range(names - 1):
        value = {"a": value}
    return prompt("k") | {"request": value}


def with_tool(**function: object) -> dict:
    return prompt("k", tools=[{"functionDeclarations": [{"name": "f", **function}]}])


BREACHES = {
    "empty object": ([prompt("a", tools=[{"googleSearch": {}}])], "Cannot store struct 'request.tools.googleSearch'"),
    "empty object in a row of others": (
        [prompt("a"), prompt("b", labels={}), prompt("c")],
        "Cannot store struct 'request.labels' with no fields",
    ),
    "nesting": ([nested(16)], "Schema nested too deeply, at least 16 compared to the maximum allowed level of 15"),
    "nesting beyond reading": (
        [b'{"request": ' + b'{"a":' * 90_000 + b"1" + b"}" * 90_001],
        "Schema nested too deeply, at least 16",
    ),
    "a dollar": ([with_tool(parameters={"$defs": {"x": 1}})], 'Invalid field name "$defs"'),
    "a blank": ([with_tool(parameters={"properties": {"so so": {"type": "STRING"}}})], 'Invalid field name "so so"'),
    "a digit first": ([{"1st": 1, **prompt("a")}], 'Invalid field name "1st"'),
    "an empty name": ([{"": 1, **prompt("a")}], 'Invalid field name ""'),
    "array, then scalar": (
        [with_tool(x={"type": ["a"]}), with_tool(x={"type": "a"})],
        "Repeated field must be imported as a JSON array. Field: request.tools.functionDeclarations.x.type.",
    ),
    "scalar, then array": (
        [prompt("a", x="a"), prompt("b", x=["a"])],
        "Array specified for non-repeated field: request.x.",
    ),
    "array, then object": (
        [prompt("a"), {"request": {"contents": [{"role": "user", "parts": {"text": "x"}}]}}],
        "Repeated field must be imported as a JSON array. Field: request.contents.parts.",
    ),
    "object, then scalar": ([prompt("a", x={"y": 1}), prompt("b", x=1)], "This field: request.x is not a record."),
    "scalar, then object": (
        [prompt("a", x=1), prompt("b", x={"y": 1})],
        "JSON object specified for non-record field: request.x",
    ),
    "null in an array": (
        [prompt("a", x={"enum": ["a", None]})],
        "Only optional fields can be set to NULL. Field: enum",
    ),
    "null, then an array": ([prompt("a", x=None), prompt("b", x=[1])], "Only optional fields can be set to NULL."),
    "an array, then null": ([prompt("a", x=[1]), prompt("b", x=None)], "Only optional fields can be set to NULL."),
    "array in an array": ([prompt("a", x=[[1]])], "Array specified for non-repeated field: request.x."),
    "syntax": ([prompt("a"), b'{"request": {'], "Syntax error: "),
    "not a number": ([b'{"request": {"x": NaN}}'], "Syntax error: "),
    "not UTF-8": ([b'{"request": {"x": "\xff"}}'], "Syntax error: "),
    "not an object": ([b"[]"], "Syntax error: "),
    "too many fields": (
        [{"request": {f"f{place}": 1 for place in range(10_001)}}],
        "maximum allowed field count 10000",
    ),
    "no lines": ([b"", b"  "], "no requests"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_one_breach_fails_the_whole_job(client, name):
    lines, words = BREACHES[name]
    job = client.run([prompt("good")] * (name != "no lines") + lines)
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["code"] == 3
    assert job["error"]["message"].startswith(PREFIX)
    assert words in job["error"]["message"]
    assert "outputInfo" not in job


def test_a_breach_names_where_its_row_begins(client):
    first = prompt("a")
    message = client.run([first, b"{"])["error"]["message"]
    assert f"row starting at position {len(json.dumps(first)) + 1}: " in message
    assert message.endswith("File: gs://bucket/in.jsonl")


@pytest.mark.parametrize(
    "lines",
    [
        [prompt("a", tools=[{"googleSearch": {}}]), prompt("b", tools=[{"googleSearch": {"excludeDomains": ["x"]}}])],
        [prompt("a", tools=[{"googleSearch": {"timeRangeFilter": None}}])],
        [nested(15)],
        [prompt("a"), b"", b"   ", prompt("b")],
        [prompt("a", x=1), prompt("b", x=None), prompt("c", x="1")],
        [prompt("a", x=[]), prompt("b", x=["y"])],
        [{"request": {"contents": [{"role": "user", "parts": {"text": "a single part"}}]}}],
        [json.dumps(prompt("a", "raw \u2028 and \x85"), ensure_ascii=False).encode()],
        [json.dumps(prompt("a")).encode() + b"\r"],
    ],
)
def test_these_are_imported(client, lines):
    job = client.run(lines)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert len(client.predictions(job)) == sum(
        bool(line and (not isinstance(line, bytes) or line.strip())) for line in lines
    )


def test_the_last_line_needs_no_end(client):
    (client.bucket / "in.jsonl").write_bytes(b"\n".join(json.dumps(prompt(key)).encode() for key in "ab"))
    assert len(client.predictions(client.wait(client.create()))) == 2


def test_the_limits_are_the_services():
    assert (LIMITS.max_requests, LIMITS.max_input_bytes, LIMITS.max_nesting) == (200_000, 1_000_000_000, 15)


@pytest.mark.parametrize(
    "limit, words", [({"max_requests": 2}, "more than 2 requests"), ({"max_input_bytes": 100}, "larger than 100")]
)
def test_a_file_over_a_limit_fails_the_job(emulate, limit, words):
    import msgspec

    client = emulate(limits=msgspec.structs.replace(LIMITS, **limit))
    job = client.run([prompt(key) for key in "abc"])
    assert job["error"]["code"] == 3
    assert words in job["error"]["message"]


def test_a_missing_bucket_or_object_fails_the_job_later(client):
    client.write([prompt("a")])
    source = {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://nowhere/in.jsonl"]}}
    job = client.wait(client.create(inputConfig=source))
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 9)
    assert job["error"]["message"].startswith("Failed to get GCS bucket location for nowhere. ")
    target = {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "gs://nowhere/out"}}
    assert client.wait(client.create(outputConfig=target))["error"]["code"] == 9
    source = {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://bucket/nothing.jsonl"]}}
    assert (
        "Not found: URI gs://bucket/nothing.jsonl" in client.wait(client.create(inputConfig=source))["error"]["message"]
    )
