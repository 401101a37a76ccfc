"""What responses hold beside their text, through the command and the emulator."""

import json

import pytest

ANSWERS = """
def answer(request):
    word = request["contents"][0]["parts"][0]["text"]
    parts = [
        {"text": "Let me see.", "thought": True},
        {"text": '```json\\n{"word": "' + word + '"}\\n```'},
        {"inlineData": {"mimeType": "image/png", "data": "aW1hZ2U="}},
    ]
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "avgLogprobs": -0.5}
    return {"candidates": [candidate]}
"""
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
SPEC = ("--model", "gemini-3.5-flash", "--prompt", "{{ word }}", "--answer-schema", "schema.json")
CONTENT = ("--keep-thoughts", "--with", "logprobs,code", "--with", "safety", "--media", "media")


@pytest.fixture(autouse=True)
def _prompts(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "answers.py").write_text(ANSWERS)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "prompts.csv").write_text("key,word\nB/1,good\na,bad\n")


def test_contents_come_with_run_with_collect_and_with_join(geminate, tmp_path):
    run = ("run", "prompts.csv", *SPEC, "--emulate", "--answerer", "answers:answer", "-o", "run.jsonl", *CONTENT)
    finished = geminate(*run)
    assert "2  answers were JSON only after a repair: code_fence 2" in finished.stderr
    geminate("collect", "run.jsonl.run", "-o", "collect.jsonl", *CONTENT)
    predictions = next((tmp_path / "run.jsonl.run").rglob("*predictions.jsonl"))
    geminate("join", "--inputs", "prompts.csv", "--predictions", predictions, "-o", "join.jsonl", *CONTENT)
    wanted = ("gemini_thoughts", "gemini_code", "gemini_logprobs", "gemini_safety", "gemini_media")
    tables = [
        [{name: row[name] for name in wanted} for row in map(json.loads, (tmp_path / out).read_text().splitlines())]
        for out in ("run.jsonl", "collect.jsonl", "join.jsonl")
    ]
    assert tables[0] == tables[1] == tables[2]
    for row in tables[0]:
        assert (row["gemini_thoughts"], row["gemini_logprobs"]["avg_logprobs"]) == ("Let me see.", -0.5)
        assert (tmp_path / row["gemini_media"][0]["path"]).read_bytes() == b"image"
    assert tables[0][1]["gemini_media"][0]["path"] == "media/a-1.png"
    assert len(list((tmp_path / "media").iterdir())) == 2


def test_a_content_that_is_not_there_is_refused_before_anything_is_paid(geminate, tmp_path):
    finished = geminate("run", "prompts.csv", *SPEC, "--emulate", "-o", "out.jsonl", "--with", "cod", code=2)
    assert "did you mean 'code'" in finished.stderr
    (tmp_path / "file").touch()
    geminate("run", "prompts.csv", *SPEC, "--emulate", "-o", "out.jsonl", "--media", "file", code=5)
    assert not (tmp_path / "out.jsonl.run").exists()
