"""Retries against the embedded emulator, with an answerer whose faults pass or stay."""

import importlib
import json
import sys

import pyarrow.parquet as pq
import pytest

import geminate as gm
from geminate.errors import UsageError
from geminate.pipeline.verify import iter_damages

SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Say {{ word }}")
PROMPTS = [{"key": f"w{n}", "word": word} for n, word in enumerate(["fine", "busy", "blocked", "fine", "busy"])]
ANSWERS = """
from collections import Counter

calls = Counter()
busy_calls = 2


def answer(request):
    text = request["contents"][0]["parts"][0]["text"]
    calls[text] += 1
    if "blocked" in text:
        return {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1}}
    if "busy" in text and calls[text] <= busy_calls:
        return {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}
    return "done"
"""


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """The module that answers; two prompts are equal, so two busy calls are one attempt."""
    (tmp_path / "answers_of_retry.py").write_text(ANSWERS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("answers_of_retry")
    del sys.modules["answers_of_retry"]


@pytest.fixture
def run(tmp_path, answers):
    run = gm.Run.create(tmp_path / "run", PROMPTS, SPEC)
    run.submit(gm.Target(gm.Where(emulate=True, answerer=f"{answers.__name__}:answer")))
    return run


def outcomes(run, path):
    run.wait()
    run.collect(path)
    rows = pq.read_table(path).to_pylist()
    return [(row["gemini_outcome"], row["gemini_attempt"]) for row in rows]


def test_only_what_may_succeed_is_sent_again_and_the_rows_merge(run, tmp_path):
    before = outcomes(run, tmp_path / "first.parquet")
    assert before == [("ok", 1), ("failed", 1), ("blocked", 1), ("ok", 1), ("failed", 1)]
    planned = run.retry()
    assert (planned.rows, planned.exhausted) == (2, 0)
    assert outcomes(run, tmp_path / "second.parquet") == [("ok", 1), ("ok", 2), ("blocked", 1), ("ok", 1), ("ok", 2)]
    lines = (tmp_path / "run/requests-00000-2.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["w1", "w4"]
    assert list(iter_damages(run.folder)) == []
    assert run.retry().attempts == []


def test_a_prompt_has_only_so_many_attempts(run, answers, tmp_path):
    answers.busy_calls = 99
    outcomes(run, tmp_path / "first.parquet")
    assert run.retry(max_attempts=2).rows == 2
    run.wait()
    planned = run.retry(max_attempts=2)
    assert (planned.attempts, planned.exhausted) == ([], 2)


def test_a_run_whose_jobs_have_not_ended_cannot_be_retried(tmp_path):
    run = gm.Run.create(tmp_path / "run", PROMPTS, SPEC)
    with pytest.raises(UsageError):
        run.retry()
