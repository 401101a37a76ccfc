"""Retries against the embedded emulator, with an answerer whose faults pass or stay."""

import importlib
import json
import sys

import pyarrow.parquet as pq
import pytest

import geminate as gm
from geminate.emulator import Emulator, EmulatorOptions
from geminate.errors import InputError, UsageError
from geminate.ledger import Ledger
from geminate.pipeline.budget import Budget
from geminate.pipeline.retrying.planned import RetryOptions
from geminate.pipeline.submit import SubmitOptions
from geminate.pipeline.verify import iter_damages
from geminate.wire.changes import Changes

SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Say {{ word }}")
PROMPTS = [{"key": f"w{n}", "word": word} for n, word in enumerate(["fine", "busy", "blocked", "fine", "busy"])]
ANSWERS = """
is_busy = True


def answer(request):
    text = request["contents"][0]["parts"][0]["text"]
    if "blocked" in text:
        return {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1}}
    if "busy" in text and is_busy:
        return {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}
    return "done"
"""


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """The module that answers."""
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


def test_only_what_may_succeed_is_sent_again_and_the_rows_merge(run, answers, tmp_path):
    before = outcomes(run, tmp_path / "first.parquet")
    assert before == [("ok", 1), ("failed", 1), ("blocked", 1), ("ok", 1), ("failed", 1)]
    answers.is_busy = False
    planned = run.retry()
    assert (planned.rows, planned.exhausted) == (2, 0)
    assert outcomes(run, tmp_path / "second.parquet") == [("ok", 1), ("ok", 2), ("blocked", 1), ("ok", 1), ("ok", 2)]
    lines = (tmp_path / "run/requests-00000-2.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["w1", "w4"]
    assert list(iter_damages(run.folder)) == []
    assert run.retry().attempts == []


def test_a_prompt_has_only_so_many_attempts(run, tmp_path):
    outcomes(run, tmp_path / "first.parquet")
    assert run.retry(RetryOptions(2)).rows == 2
    run.wait()
    planned = run.retry(RetryOptions(2))
    assert (planned.attempts, planned.exhausted) == ([], 2)


def test_a_run_whose_jobs_have_not_ended_cannot_be_retried(tmp_path):
    run = gm.Run.create(tmp_path / "run", PROMPTS, SPEC)
    with pytest.raises(UsageError):
        run.retry()


def test_a_run_of_rejected_prompts_has_nothing_to_retry(tmp_path):
    run = gm.Run.create(tmp_path / "run", [{"key": "only", "word": None}], SPEC)
    run.submit(gm.Target(gm.Where(emulate=True)))
    planned = run.retry()
    assert (planned.attempts, planned.left) == ([], {"rejected": 1})


TRUNCATING = gm.Spec(
    "gemini-3.5-flash",
    {
        "contents": [{"role": "user", "parts": [{"text": "{{ word }}"}]}],
        "generationConfig": {"maxOutputTokens": 4, "temperature": 0},
    },
)
WORDS = [{"key": "short", "word": "a"}, {"key": "long", "word": "b"}]
LENGTHS = """
def answer(request):
    text = request["contents"][0]["parts"][0]["text"]
    return "w" * (8 if text == "a" else 40)
"""


@pytest.fixture
def truncated(tmp_path, monkeypatch):
    """A run, one of whose two answers is cut at four tokens of four letters; whole, it has ten."""
    (tmp_path / "lengths_of_retry.py").write_text(LENGTHS)
    monkeypatch.syspath_prepend(tmp_path)
    run = gm.Run.create(tmp_path / "run", WORDS, TRUNCATING)
    run.submit(gm.Target(gm.Where(emulate=True, answerer="lengths_of_retry:answer")))
    assert outcomes(run, tmp_path / "first.parquet") == [("ok", 1), ("truncated", 1)]
    yield run
    del sys.modules["lengths_of_retry"]


def sent(run, number):
    lines = run.folder.requests_path("00000", number).read_text().splitlines()
    return [(document["key"], document["request"]["generationConfig"]) for document in map(json.loads, lines)]


def test_a_truncated_answer_is_left_alone_unless_it_gets_more_tokens(truncated):
    planned = truncated.retry()
    assert (planned.attempts, planned.left) == ([], {"truncated": 1})


def test_each_retry_doubles_what_was_sent_last(truncated, tmp_path):
    planned = truncated.retry(RetryOptions(changes=Changes("double")))
    assert (planned.rows, planned.changed) == (1, {"truncated": 1})
    assert sent(truncated, 2) == [("long", {"maxOutputTokens": 8, "temperature": 0})]
    assert outcomes(truncated, tmp_path / "second.parquet") == [("ok", 1), ("truncated", 2)]
    truncated.retry(RetryOptions(changes=Changes("double")))
    assert sent(truncated, 3) == [("long", {"maxOutputTokens": 16, "temperature": 0})]
    assert outcomes(truncated, tmp_path / "third.parquet") == [("ok", 1), ("ok", 3)]
    assert list(iter_damages(truncated.folder)) == []
    with Ledger(truncated.folder.path) as ledger:
        recorded = ledger.facts()["retry_changes"]
    assert list(recorded.values()) == [{"changes": {"max_output_tokens": "double"}, "prompts": {"truncated": 1}}] * 2
    assert [name.rpartition("-")[2] for name in recorded] == ["2", "3"]


def test_prompts_of_several_earlier_attempts_keep_their_order(tmp_path, monkeypatch):
    (tmp_path / "busy_or_long.py").write_text(
        "def answer(request):\n"
        "    busy = request['contents'][0]['parts'][0]['text'] == 'busy'\n"
        "    return {'error': {'code': 429, 'status': 'RESOURCE_EXHAUSTED'}} if busy else 'w' * 40\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    prompts = [{"key": word, "word": word} for word in ("first", "busy", "last")]
    run = gm.Run.create(tmp_path / "run", prompts, TRUNCATING)
    run.submit(gm.Target(gm.Where(emulate=True, answerer="busy_or_long:answer")))
    run.wait()
    assert run.retry().rows == 1
    run.wait()
    run.retry(RetryOptions(changes=Changes("double")))
    del sys.modules["busy_or_long"]
    assert [key for key, _ in sent(run, 3)] == ["first", "busy", "last"]


def test_no_more_tokens_than_the_model_gives(truncated):
    with pytest.raises(InputError, match="at most 65,536"):
        truncated.retry(RetryOptions(changes=Changes(100_000)))


def test_an_interrupted_retry_goes_on_as_it_was_planned(truncated, monkeypatch):
    monkeypatch.setattr(type(truncated), "submit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        truncated.retry(RetryOptions(changes=Changes("double")))
    monkeypatch.undo()
    with pytest.raises(UsageError, match="planned otherwise"):
        truncated.retry(RetryOptions(changes=Changes(500)))
    assert truncated.retry().rows == 1
    assert sent(truncated, 2)[0][1]["maxOutputTokens"] == 8


def test_a_retry_that_was_cancelled_before_it_was_sent_is_no_try(truncated, monkeypatch):
    monkeypatch.setattr(type(truncated), "submit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        truncated.retry(RetryOptions(changes=Changes("double")))
    monkeypatch.undo()
    assert truncated.cancel().abandoned == 1
    options = SubmitOptions(budget=Budget(max_jobs=2))
    assert truncated.retry(RetryOptions(2, Changes("double")), options=options).rows == 1
    assert sent(truncated, 3) == [("long", {"maxOutputTokens": 8, "temperature": 0})]


def test_fewer_tokens_help_nobody(truncated):
    planned = truncated.retry(RetryOptions(changes=Changes(3)))
    assert (planned.attempts, planned.left) == ([], {"truncated": 1})


def test_a_change_that_breaks_a_rule_is_refused_and_nothing_is_planned(truncated):
    with pytest.raises(InputError, match="thinkingBudget"):
        truncated.retry(RetryOptions(changes=Changes(thinking_budget=-7)))
    assert not truncated.folder.requests_path("00000", 2).exists()
    assert truncated.retry(RetryOptions(changes=Changes("double"))).rows == 1


def test_a_change_is_refused_where_the_keys_did_not_come_back(tmp_path):
    run = gm.Run.create(tmp_path / "run", WORDS, TRUNCATING)
    cut = {"candidates": [{"content": {"parts": [{"text": "w"}]}, "finishReason": "MAX_TOKENS"}]}
    requests = [json.loads(line)["request"] for line in run.folder.requests_path("00000").read_bytes().splitlines()]
    replayed = [json.dumps({"request": request, "status": "", "response": cut}) for request in requests]
    (tmp_path / "predictions.jsonl").write_text("\n".join(replayed) + "\n")
    faults = {"jobs": [{"replay": str(tmp_path / "predictions.jsonl")}]}
    with Emulator(tmp_path / "emulator", EmulatorOptions(faults=faults)) as emulator:
        run.submit(gm.Target(gm.Where(endpoint=emulator.url, buckets_path=emulator.buckets), "gs://bucket/x"))
        assert outcomes(run, tmp_path / "first.parquet") == [("truncated", 1), ("truncated", 1)]
        with pytest.raises(InputError, match="did not give the keys back"):
            run.retry(RetryOptions(changes=Changes("double")))
        assert run.retry().left == {"truncated": 2}


def calls(args, text):
    call = {"functionCall": {"name": "f", "args": args}}
    return [{"role": "model", "parts": [call]}, {"role": "user", "parts": [{"text": text}]}]


@pytest.mark.parametrize("third, rows, left", [("busy", 2, {}), ("fine", 0, {"failed": 1})])
def test_a_line_that_is_sound_only_beside_others_is_not_sent_alone(tmp_path, monkeypatch, third, rows, left):
    (tmp_path / "busy_of_retry.py").write_text(
        "def answer(request):\n"
        "    text = request['contents'][1]['parts'][0]['text']\n"
        "    return {'error': {'code': 429, 'status': 'RESOURCE_EXHAUSTED'}} if text == 'busy' else 'done'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec = gm.Spec.parse("model: gemini-3.5-flash\nrequest: {contents: '{{ calls }}'}")
    # An empty object is legal where another line of the file has a member there.
    prompts = [calls({}, "busy"), calls({"x": 1}, "fine"), calls({"x": 2}, third)]
    run = gm.Run.create(tmp_path / "run", [{"key": f"c{n}", "calls": calls} for n, calls in enumerate(prompts)], spec)
    run.submit(gm.Target(gm.Where(emulate=True, answerer="busy_of_retry:answer")))
    run.wait()
    planned = run.retry()
    del sys.modules["busy_of_retry"]
    assert (planned.rows, planned.left) == (rows, left)
    assert [job.state for job in run.wait()] == ["JOB_STATE_SUCCEEDED"] * (2 if rows else 1)
