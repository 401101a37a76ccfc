"""What a build tells."""

import json

from geminate.emulator import Emulator

MODEL = ("--model", "gemini-3.5-flash")
SPEC = (*MODEL, "--prompt", "Rate {{ word }}.")


def test_equal_requests_for_lack_of_a_slot_are_told(geminate, prompts):
    told = "every prompt sends the same request"
    assert told in geminate("build", prompts, *MODEL, "--prompt", "Rate it.", "--out", "same.run").err
    assert told not in geminate("build", prompts, *SPEC, "--out", "words.run").err
    one = geminate("build", prompts, *MODEL, "--prompt", "Rate it.", "--limit", 1, "--out", "one.run")
    assert told not in one.err


def test_where_the_shards_lie_is_told(geminate, prompts, tmp_path):
    with Emulator(tmp_path / "emulator") as emulator:
        (emulator.buckets / "bucket").mkdir()
        options = ("--shard-rows", 2, "--buckets", emulator.buckets, "--endpoint", emulator.url)
        told = geminate("build", prompts, *SPEC, *options, "--out", "gs://bucket/words").err
        document = geminate("build", prompts, *SPEC, *options, "--out", "gs://bucket/others", "--json").document
    first, second = (shard["uri"] for shard in document["shards"])
    assert first.startswith("gs://bucket/others/")
    assert (emulator.buckets / second.removeprefix("gs://")).is_file()
    assert "request lines: gs://bucket/words/" in told
    assert "requests-00000.jsonl, and 1 more" in told


def test_answers_asked_for_by_response_format_are_given_and_judged(geminate, prompts, tmp_path):
    schema = {"type": "object", "properties": {"stars": {"enum": [1, 5]}}, "required": ["stars"]}
    (tmp_path / "stars.json").write_text(json.dumps(schema))
    asked = (*SPEC, "--answer-schema", tmp_path / "stars.json", "--answer-form", "responseFormat")
    done = geminate("run", prompts, *asked, "--emulate", "-o", tmp_path / "rows.jsonl")
    assert (done.code, "no batch with responseFormat has been seen" in done.err) == (0, True)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["gemini_answer"]["stars"] for row in rows} <= {1, 5}
    line = json.loads((tmp_path / "rows.jsonl.run" / "requests-00000.jsonl").read_text().splitlines()[0])
    assert list(line["request"]["generationConfig"]) == ["responseFormat"]


def test_a_model_that_takes_no_such_form_is_refused(geminate, prompts, tmp_path):
    (tmp_path / "a.json").write_text('{"type": "string"}')
    asked = ("--model", "gemini-1.5-pro-002", "--prompt", "{{ word }}", "--answer-schema", tmp_path / "a.json")
    done = geminate("build", prompts, *asked, "--answer-form", "responseFormat", "--out", tmp_path / "a.run")
    assert (done.code, "takes no responseFormat; models from 2.5 on do" in done.err) == (5, True)
