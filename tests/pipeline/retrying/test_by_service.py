"""The service's own resuming: jobs over the output of jobs that were cut, on the emulator."""

import json

import pyarrow.parquet as pq
import pytest

import geminate as gm
from geminate.emulator import Emulator, EmulatorOptions
from geminate.errors import InputError, UsageError
from geminate.ledger import Ledger
from geminate.pipeline.budget import Budget
from geminate.pipeline.build import BuildOptions
from geminate.pipeline.retrying.planned import RetryOptions
from geminate.pipeline.submit import SubmitOptions
from geminate.pipeline.verify import iter_damages
from geminate.wire.changes import Changes

SPEC = gm.Spec.from_prompt("gemini-2.5-flash", "Say {{ word }}")
PROMPTS = [{"key": f"k{n:02d}", "word": f"word {n}"} for n in range(20)]
CUT = {"times": 1, "end": "FAILED", "after": 0.5, "lists_unfinished": True}
BY_SERVICE = RetryOptions(by_service=True)


class Asked:
    """An answerer that keeps whom it was asked about."""

    def __init__(self):
        self.keys = []

    def __call__(self, _request, siblings):
        self.keys.append(siblings["key"])
        return "done"


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def start(tmp_path, asked):
    """Runs the prompts on an emulator with these faults of jobs, until their jobs have ended."""
    started = []

    def run(*jobs, target="gs://bucket/x", options=None, location="us-central1"):
        emulator = Emulator(tmp_path / "emulator", EmulatorOptions(answerer=asked, faults={"jobs": list(jobs)}))
        emulator.start()
        started.append(emulator)
        (emulator.buckets / "bucket").mkdir()
        made = gm.Run.create(tmp_path / "run", PROMPTS, SPEC, options)
        where = gm.Where(location=location, endpoint=emulator.url, buckets_path=emulator.buckets)
        made.submit(gm.Target(where, *([target] if isinstance(target, str) else target)))
        made.wait()
        return made

    yield run
    for emulator in started:
        emulator.stop()


def collect(run, path):
    joined = run.collect(path)
    return joined, pq.read_table(path).to_pylist()


def sent(run, number, shard="00000"):
    lines = run.folder.requests_path(shard, number).read_text().splitlines()
    return [json.loads(line)["key"] for line in lines]


def test_what_was_answered_is_kept_counted_and_billed_once(start, asked, tmp_path):
    run = start({**CUT, "rows": [{"status": "UNAVAILABLE", "keys": "k0?"}]})
    joined, before = collect(run, tmp_path / "first.parquet")
    answered = {row["key"]: row for row in before if row["gemini_outcome"] == "ok"}
    assert 0 < len(answered) < 20
    first_tokens, asked.keys = joined.tokens, []
    planned = run.retry(BY_SERVICE)
    assert planned.rows == len(sent(run, 2)) == 20 - len(answered)
    run.wait()
    assert sorted(asked.keys) == sorted(sent(run, 2)) == sorted(set(sent(run, 1)) - set(answered))
    joined, rows = collect(run, tmp_path / "second.parquet")
    assert joined.outcomes == {"ok": 20}
    assert (joined.repeats, joined.used) == (len(answered), 20)
    assert joined.lines == joined.used + joined.duplicates + joined.repeats
    for row in rows:
        assert row["gemini_attempt"] == (1 if row["key"] in answered else 2)
        assert row["gemini_job"] != before[0]["gemini_job"] or row["gemini_attempt"] == 1
    assert [answered[row["key"]] for row in rows if row["gemini_attempt"] == 1] == list(answered.values())
    assert joined.tokens["total_tokens"] == first_tokens["total_tokens"] * 20 // len(answered)
    assert not any(joined.duplicate_tokens.values())
    assert list(iter_damages(run.folder)) == []
    assert run.retry().attempts == []


def test_the_job_reads_the_former_output_and_nothing_is_uploaded(start, tmp_path):
    run = start(CUT)
    (former,) = (tmp_path / "emulator/buckets").rglob("predictions.jsonl")
    _, preview = run.preview_retry(BY_SERVICE)
    assert not run.folder.requests_path("00000", 2).exists()
    run.retry(BY_SERVICE)
    with Ledger(run.folder.path, lock=False) as ledger:
        first, second = ledger.attempts()
    uri = f"gs://bucket/{former.relative_to(tmp_path / 'emulator/buckets/bucket')}"
    assert (second.resumes, second.input_uri, second.input_generation > 0) == (first.attempt_id, uri, True)
    assert json.loads(second.body)["inputConfig"]["gcsSource"]["uris"] == [uri]
    assert [draft.body for draft in preview.drafts] == [json.loads(second.body)]
    assert [draft.path for draft in preview.drafts] == [None]
    assert len(list((tmp_path / "emulator/buckets").rglob("requests-*.jsonl"))) == 1


def test_prompts_that_the_former_output_does_not_show_are_told_and_stay_missing(start, tmp_path):
    run = start({**CUT, "lists_unfinished": False, "rows": [{"status": "UNAVAILABLE", "keys": "k0[0-4]"}]})
    planned = run.retry(BY_SERVICE)
    failed = planned.rows - planned.unlisted
    assert (planned.unlisted, 0 < failed < 10) == (10, True)
    run.wait()
    joined, _ = collect(run, tmp_path / "rows.parquet")
    assert (joined.outcomes, joined.repeats, joined.duplicates) == ({"ok": 10, "missing": 10}, 10 - failed, failed)
    assert run.retry().rows == 10
    run.wait()
    assert run.collect(tmp_path / "more.parquet").outcomes == {"ok": 20}


def test_a_resumed_job_that_is_cut_can_be_gone_on_with_again(start, asked, tmp_path):
    run = start({**CUT, "times": 2, "end": "EXPIRED"})
    run.retry(BY_SERVICE)
    run.wait()
    run.retry(BY_SERVICE)
    run.wait()
    joined, _ = collect(run, tmp_path / "rows.parquet")
    assert (joined.outcomes, sorted(asked.keys)) == ({"ok": 20}, [prompt["key"] for prompt in PROMPTS])
    planned = run.retry(RetryOptions(3, by_service=True))
    assert planned.attempts == []


def test_what_has_an_answer_already_is_not_paid_again(start, tmp_path):
    run = start({**CUT, "times": 2})
    run.retry(BY_SERVICE)
    run.wait()
    repeated = set(sent(run, 1)) - set(sent(run, 2))
    *_, path = sorted((tmp_path / "emulator/buckets").rglob("predictions.jsonl"), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text(
        "".join(json.dumps({**line, "response": {}} if line["key"] in repeated else line) + "\n" for line in lines)
    )
    with pytest.raises(UsageError, match=f"what has an answer, or is nobody's: {len(repeated)} lines"):
        run.retry(BY_SERVICE)


@pytest.mark.parametrize("target", [("bq://emulated.words", None), ("gs://bucket/x", "bq://emulated.words")])
def test_a_table_is_gone_on_with_too(start, tmp_path, monkeypatch, target):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    make = Emulator.start

    def start_with_dataset(emulator):
        make(emulator)
        client = bigquery.Client(
            "emulated", credentials=AnonymousCredentials(), client_options={"api_endpoint": emulator.url}
        )
        dataset = bigquery.Dataset("emulated.words")
        dataset.location = "us-central1"
        client.create_dataset(dataset)
        client.close()

    monkeypatch.setattr(Emulator, "start", start_with_dataset)
    run = start(CUT, target=target, options=BuildOptions(for_table=target[1] is None))
    planned = run.retry(BY_SERVICE)
    assert (planned.rows, planned.unlisted) == (10, 0)
    assert planned.attempts[0].input_uri.startswith("bq://emulated.words.predictions_")
    run.wait()
    joined, _ = collect(run, tmp_path / "rows.parquet")
    assert (joined.outcomes, joined.repeats, joined.duplicates) == ({"ok": 20}, 10, 10)


@pytest.mark.parametrize(
    "fault, why",
    [
        ({"rows": [{"status": "UNAVAILABLE", "keys": "k00"}]}, "only with one that failed"),
        ({"end": "PARTIALLY_SUCCEEDED", "after": 0.5}, "only with one that failed"),
        ({"end": "FAILED", "after": 0}, "wrote no output"),
        ({"end": "FAILED", "after": 0.5, "output_files": 2}, "wrote 2 files"),
        ({"end": "FAILED", "after": 0.5, "incremental": True, "final_files": False}, "while it ran"),
        ({**CUT, "doubled": 1}, "several lines of one key"),
        ({**CUT, "lists_unfinished": False}, "to do again"),
        ({**CUT, "lists_unfinished": False, "rows": [{"status": "INVALID_ARGUMENT", "keys": "k0?"}]}, "to do again"),
        (
            {"end": "FAILED", "rows": [{"status": "INVALID_ARGUMENT", "keys": "k00"}, {"answer": "EMPTY"}]},
            "to do again",
        ),
    ],
)
def test_where_the_service_cannot_go_on_it_is_said_and_nothing_is_planned(start, fault, why):
    run = start(fault)
    with pytest.raises(UsageError, match=f"{why}.*retry without --by-service"):
        run.retry(BY_SERVICE)
    assert not run.folder.requests_path("00000", 2).exists()
    with Ledger(run.folder.path, lock=False) as ledger:
        assert len(ledger.attempts()) == 1
    assert list(iter_damages(run.folder)) == []


def test_a_shard_that_cannot_be_gone_on_with_leaves_the_others_alone(start, tmp_path):
    fault = {**CUT, "display_name": "*-00000-1"}
    run = start(fault, {"rows": [{"status": "UNAVAILABLE", "keys": "k15"}]}, options=BuildOptions(max_rows=10))
    planned = run.retry(BY_SERVICE)
    assert ([attempt.shard for attempt in planned.attempts], list(planned.refused)) == (["00000"], ["00001"])
    run.wait()
    assert run.collect(tmp_path / "rows.parquet").outcomes == {"ok": 19, "failed": 1}


def test_an_interrupted_one_goes_on_as_it_was_planned(start, monkeypatch):
    run = start(CUT)
    with monkeypatch.context() as cut:
        cut.setattr(gm.Run, "submit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run.retry(BY_SERVICE)
    with pytest.raises(UsageError, match="planned otherwise"):
        run.retry()
    assert run.retry(BY_SERVICE).rows == 10
    assert [job.state for job in run.wait()] == ["JOB_STATE_FAILED", "JOB_STATE_SUCCEEDED"]


def test_an_output_that_is_gone_is_not_gone_on_from_and_the_attempt_can_be_given_up(start, tmp_path, monkeypatch):
    run = start(CUT)
    with monkeypatch.context() as cut:
        cut.setattr(gm.Run, "submit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run.retry(BY_SERVICE)
    for path in (tmp_path / "emulator/buckets").rglob("predictions.jsonl"):
        path.unlink()
    with pytest.raises(InputError, match="geminate cancel"):
        run.retry(BY_SERVICE)
    assert run.cancel().abandoned == 1
    assert run.retry().rows == 20


def test_it_changes_nothing_in_a_request():
    with pytest.raises(UsageError, match="requests as they are"):
        RetryOptions(changes=Changes("double"), by_service=True)


def test_a_budget_counts_what_is_to_be_done_and_leaves_nothing_behind(start):
    run = start(CUT)
    with pytest.raises(InputError, match="2 jobs, and the limit is 1"):
        run.retry(BY_SERVICE, options=SubmitOptions(budget=Budget(max_jobs=1)))
    assert list(iter_damages(run.folder)) == []
    whole = run.estimate().cost_usd.high
    with pytest.raises(InputError, match="may cost up to"):
        run.retry(BY_SERVICE, options=SubmitOptions(budget=Budget(whole)))
    assert run.retry(BY_SERVICE, options=SubmitOptions(budget=Budget(whole * 1.6))).rows == 10
