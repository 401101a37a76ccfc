"""Waiting, looking and cancelling, with an emulator that takes its time."""

import json
import signal
import subprocess
import sys
import time

import pytest
import requests

from geminate.emulator import Emulator, EmulatorOptions

SPEC = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}.")


@pytest.fixture
def emulate(tmp_path):
    """Starts an emulator, and gives the options that aim a run at it."""
    started = []

    def start(**options):
        emulator = Emulator(tmp_path / "emulator", EmulatorOptions(**options))
        emulator.start()
        started.append(emulator)
        start.emulator = emulator
        (emulator.buckets / "bucket").mkdir()
        return ("--endpoint", emulator.url, "--buckets", str(emulator.buckets), "--staging", "gs://bucket/x")

    yield start
    for emulator in started:
        emulator.stop()


def jobs_of(tmp_path):
    return [json.loads(path.read_text()) for path in (tmp_path / "emulator/jobs").glob("[!.]*.json")]


def test_cancelling_waits_collects_what_was_done_and_gives_up_what_was_not_sent(geminate, prompts, emulate, tmp_path):
    slow = emulate(row_latency_s=3600)
    geminate("build", prompts, *SPEC, "--shard-rows", 2, "--out", "words.run")
    geminate("submit", "words.run", *slow, "--max-running", 1, "--label", "team=red")
    assert geminate("retry", "words.run").code == 2
    while not any(job.get("start_time") for job in jobs_of(tmp_path)):
        time.sleep(0.02)
    requests.post(f"{slow[1]}/step", json={"seconds": 3600}, timeout=30).raise_for_status()
    while not any(job.get("counts", {}).get("successful") for job in jobs_of(tmp_path)):
        time.sleep(0.02)
    (tmp_path / "taken.jsonl").touch()
    assert geminate("cancel", "words.run", "-o", "taken.jsonl").code == 5
    assert [job["state"] for job in jobs_of(tmp_path)] == ["JOB_STATE_RUNNING"]
    finished = geminate("cancel", "words.run", "-o", "rows.jsonl", "--json")
    assert finished.code == 3, finished.err
    assert (finished.document["cancelled"], finished.document["abandoned"]) == (1, 1)
    assert finished.document["outcomes"] == {"ok": 1, "missing": 2}
    assert [job["state"] for job in jobs_of(tmp_path)] == ["JOB_STATE_CANCELLED"]
    states = [attempt["state"] for attempt in geminate("status", "words.run", "--json").document["attempts"]]
    assert states == ["ended", "abandoned"]
    assert "0 create calls" in geminate("submit", "words.run", "--dry-run").err
    again = geminate("run", prompts, *SPEC, "--run", "words.run", "-o", "again.jsonl")
    assert (again.code, len(jobs_of(tmp_path))) == (4, 1)
    assert geminate("retry", "words.run", "--json").document["prompts"] == 2
    assert [job["body"]["labels"]["team"] for job in jobs_of(tmp_path)] == ["red"] * 3


def test_a_caller_without_the_role_is_told_which(geminate, prompts, emulate, tmp_path):
    denied = emulate(faults={"http": {"list": ["return-403"]}})
    finished = geminate("run", prompts, *SPEC, *denied, "-o", "rows.jsonl")
    assert finished.code == 77
    assert "roles/aiplatform.user" in finished.err
    assert jobs_of(tmp_path) == []


def test_a_job_made_by_hand_from_a_dry_run_is_adopted(geminate, prompts, emulate, tmp_path):
    options = emulate()
    geminate("build", prompts, *SPEC, "--out", "words.run")
    shown = geminate("submit", "words.run", *options, "--dry-run", "--json").document
    (upload,), (body,) = shown["uploads"], shown["bodies"]
    target = tmp_path / "emulator/buckets" / upload["uri"].removeprefix("gs://")
    target.parent.mkdir(parents=True)
    target.write_bytes((tmp_path / upload["path"]).read_bytes())
    made = requests.post(shown["url"], json=body, headers={"Authorization": "Bearer x"}, timeout=30)
    assert made.ok, made.text
    assert geminate("submit", "words.run", *options, "--json").document["jobs"][0]["name"] == made.json()["name"]
    assert len(jobs_of(tmp_path)) == 1


def test_cancelling_without_an_output_says_how_to_get_one(geminate, prompts, emulate):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *emulate(row_latency_s=60))
    finished = geminate("cancel", "words.run")
    assert finished.code == 0
    assert "asked 1 job to end" in finished.err
    assert "JOB_STATE_CANCELLED" in finished.err
    assert "geminate collect words.run -o OUT" in finished.err


def test_a_service_out_of_reach_is_told_with_what_was_last_known(geminate, prompts, emulate):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *emulate(row_latency_s=60, faults={"http": {"get": ["return-503"]}}))
    shown = geminate("status", "words.run", "--json")
    assert "503" in shown.document["trouble"]
    assert shown.document["attempts"][0]["job"]["state"] == "JOB_STATE_PENDING"
    assert shown.document["attempts"][0]["seen_at"]
    assert geminate("status", "words.run", "--json").document["trouble"] is None


def test_a_person_reads_how_old_the_last_known_state_is(geminate, prompts, emulate):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *emulate(row_latency_s=60, faults={"http": {"get": ["return-503"]}}))
    shown = geminate("status", "words.run")
    assert shown.code == 0
    assert "not asked anew" in shown.err
    assert " ago, projects/" in shown.err


def test_waiting_honours_retry_after_and_ends_with_the_counts(geminate, prompts, emulate):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *emulate(faults={"http": {"get": ["return-429; retry-after=2"]}}))
    before = time.monotonic()
    finished = geminate("wait", "words.run")
    assert time.monotonic() - before >= 2
    assert "1 job ended: 3 rows done, 0 failed" in finished.err


def test_an_interrupted_wait_leaves_the_jobs_and_says_how_to_cancel(geminate, prompts, emulate, tmp_path):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *emulate(row_latency_s=60, faults={"http": {"get": ["stall-for-30s"]}}))
    command = [sys.executable, "-m", "geminate", "wait", "words.run", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as waiting:
        # Not by the run's lock: who looks whether it is held holds it for a moment himself.
        while emulate.emulator._faults._calls["http", "get"]:
            time.sleep(0.05)
        waiting.send_signal(signal.SIGINT)
        error = json.loads(waiting.communicate(timeout=20)[0])["error"]
    assert waiting.returncode == 130
    assert "geminate cancel words.run" in error["message"]
    assert (error["kind"], error["exit_code"]) == ("Interrupted", 130)
    assert [job["state"] for job in jobs_of(tmp_path)] == ["JOB_STATE_RUNNING"]


HOOK = "cat >> told.jsonl"


def told(tmp_path):
    path = tmp_path / "told.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_detached_run_is_gone_on_with_by_the_same_command(geminate, prompts, tmp_path):
    command = ("run", prompts, *SPEC, "--emulate", "--shard-rows", 1, "--max-running", 2, "-o", "rows.jsonl")
    detached = geminate(*command, "--detach")
    assert detached.code == 0
    assert "1 shard left to submit" in detached.err
    assert "without --detach" in detached.err
    assert not (tmp_path / "rows.jsonl").exists()
    assert geminate(*command).code == 0
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3


def test_a_command_is_run_once_when_all_jobs_have_ended(geminate, prompts, tmp_path):
    command = ("run", prompts, *SPEC, "--emulate", "-o", "rows.jsonl", "--on-done", HOOK)
    finished = geminate(*command, "--json")
    assert told(tmp_path) == [finished.document]
    assert (tmp_path / "told.jsonl").read_text().endswith("}\n")
    assert finished.document["outcomes"] == {"ok": 3}
    assert geminate(*command).code == 0
    assert geminate("wait", "rows.jsonl.run", "--on-done", HOOK).code == 0
    assert len(told(tmp_path)) == 1


def test_a_command_that_fails_is_told_and_run_again_and_no_row_is_lost(geminate, prompts, tmp_path):
    hook = "cat > /dev/null; test -e ready || { touch ready; exit 7; }; touch done"
    command = ("run", prompts, *SPEC, "--emulate", "-o", "rows.jsonl", "--on-done", hook)
    failed = geminate(*command)
    assert failed.code == 0
    assert "--on-done ended with 7" in failed.err
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3
    assert "on-done" not in geminate(*command).err
    assert (tmp_path / "done").exists()


def test_a_command_may_use_the_run_and_waits_for_the_last_job(geminate, prompts, tmp_path):
    hook = f"{sys.executable} -m geminate collect words.run -o rows.jsonl"
    geminate("build", prompts, *SPEC, "--shard-rows", 2, "--out", "words.run")
    geminate("submit", "words.run", "--emulate", "--max-running", 1)
    geminate("wait", "words.run", "--on-done", hook)
    assert not (tmp_path / "rows.jsonl").exists()
    geminate("submit", "words.run")
    finished = geminate("wait", "words.run", "--on-done", hook)
    assert finished.code == 0, finished.err
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3


def test_a_command_that_nobody_would_run_is_refused(geminate, prompts):
    finished = geminate("run", prompts, *SPEC, "--emulate", "-o", "rows.jsonl", "--detach", "--on-done", "true")
    assert finished.code == 2


@pytest.mark.parametrize("command", [("wait",), ("cancel",), ("retry",), ("collect", "-o", "rows.jsonl")])
def test_a_run_that_has_no_job_is_to_be_submitted_first(geminate, prompts, command):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    shown = geminate("status", "words.run").err
    assert "no job yet; geminate submit words.run goes on" in shown
    name, *options = command
    finished = geminate(name, "words.run", *options)
    assert finished.code == 2
    assert "run geminate submit with --staging" in finished.err


def test_an_output_in_the_way_of_a_cancellation_may_be_replaced(geminate, prompts, emulate, tmp_path):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *emulate(row_latency_s=60))
    (tmp_path / "rows.jsonl").write_text("mine")
    assert "--overwrite" in geminate("cancel", "words.run", "-o", "rows.jsonl").err
    assert geminate("cancel", "words.run", "-o", "rows.jsonl", "--overwrite").code == 3
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3


def delete_ended_jobs(options, tmp_path, most):
    """Nothing; so many jobs have ended and were deleted, as in the console."""
    deleted = 0
    while deleted < most:
        for job in jobs_of(tmp_path):
            name = f"projects/{job['project']}/locations/{job['location']}/batchPredictionJobs/{job['id']}"
            if job.get("state") == "JOB_STATE_SUCCEEDED" and deleted < most:
                answer = requests.delete(f"{options[1]}/v1/{name}", headers={"Authorization": "Bearer x"}, timeout=30)
                deleted += answer.ok
        time.sleep(0.02)


def test_where_no_job_could_be_made_there_is_none_to_wait_for(geminate, prompts, emulate):
    options = emulate(faults={"http": {"create": ["return-403"]}})
    geminate("build", prompts, *SPEC, "--out", "words.run")
    assert geminate("submit", "words.run", *options).code == 77
    waited = geminate("wait", "words.run")
    assert (waited.code, "no job yet for 1 shard; run geminate submit first" in waited.err) == (2, True)
    assert "no job runs any more" in geminate("cancel", "words.run").err
    assert geminate("wait", "words.run").code == 0


def test_a_status_says_what_is_left_and_names_the_attempt(geminate, prompts, emulate, tmp_path):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *emulate(row_latency_s=60))
    while "JOB_STATE_RUNNING" not in (shown := geminate("status", "words.run")).err:
        time.sleep(0.02)
    while "3 left" not in shown.err:
        shown = geminate("status", "words.run")
    (attempt,) = geminate("status", "words.run", "--json").document["attempts"]
    (job,) = jobs_of(tmp_path)
    assert attempt["attempt_id"] == job["body"]["labels"]["geminate_attempt"]
    assert (attempt["resumes"], bool(attempt["job"]["create_time"]), attempt["job"]["end_time"]) == (None, True, "")


def test_a_job_deleted_in_the_console_blocks_nothing_and_its_rows_are_read(geminate, prompts, emulate, tmp_path):
    options = emulate()
    geminate("build", prompts, *SPEC, "--shard-rows", 2, "--out", "words.run")
    geminate("submit", "words.run", *options)
    delete_ended_jobs(options, tmp_path, 1)
    waited = geminate("wait", "words.run")
    assert waited.code == 4
    assert "DELETED projects/" in waited.err
    assert "somebody deleted it" in waited.err
    collected = geminate("collect", "words.run", "-o", "rows.jsonl", "--json")
    assert (collected.code, collected.document["outcomes"]) == (0, {"ok": 3})
    assert geminate("retry", "words.run", "--json").document["prompts"] == 0
    assert geminate("wait", "words.run").code == 4
    assert len(jobs_of(tmp_path)) == 1


def test_of_a_job_deleted_with_its_output_the_prompts_are_missing_until_retried(geminate, prompts, emulate, tmp_path):
    options = emulate()
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *options)
    delete_ended_jobs(options, tmp_path, 1)
    for path in (tmp_path / "emulator/buckets").rglob("predictions*.jsonl"):
        path.unlink()
    again = geminate("run", prompts, *SPEC, "--run", "words.run", "-o", "rows.jsonl", "--json")
    assert (again.code, again.document["outcomes"]) == (4, {"missing": 3})
    assert again.document["jobs"][0]["state"] == "DELETED"
    assert jobs_of(tmp_path) == []
    assert geminate("retry", "words.run", "--json").document["prompts"] == 3
    assert geminate("wait", "words.run").code == 0
    assert geminate("collect", "words.run", "-o", "rows.jsonl", "--overwrite").code == 0


CUT = {"times": 1, "end": "FAILED", "after": 0.5}


def test_the_service_goes_on_by_itself_where_it_is_told_to(geminate, prompts, emulate, tmp_path):
    options = emulate(faults={"jobs": [{**CUT, "lists_unfinished": True}]})
    assert geminate("run", prompts, *SPEC, *options, "-o", "rows.jsonl").code == 4
    assert geminate("retry", "rows.jsonl.run", "--by-service", "--seed", "7").code == 2
    shown = geminate("retry", "rows.jsonl.run", "--by-service", "--dry-run", "--json").document
    assert (shown["prompts"], shown["uploads"], shown["refused"], len(jobs_of(tmp_path))) == (2, [], {}, 1)
    retried = geminate("retry", "rows.jsonl.run", "--by-service", "--json").document
    assert (retried["prompts"], retried["unlisted"]) == (2, 0)
    body = max(jobs_of(tmp_path), key=lambda job: job["ordinal"])["body"]
    assert {name: body[name] for name in shown["bodies"][0]} == shown["bodies"][0]
    assert geminate("wait", "rows.jsonl.run").code == 0
    first, second = geminate("status", "rows.jsonl.run", "--json").document["attempts"]
    assert second["resumes"] == first["attempt_id"]
    collected = geminate("collect", "rows.jsonl.run", "-o", "more.jsonl")
    assert collected.code == 0
    assert "1  prediction repeats what a former job had answered; it is billed once" in collected.err
    refused = geminate("retry", "rows.jsonl.run", "--by-service")
    assert (refused.code, "no prompt is sent again" in refused.err) == (0, True)


def test_a_retry_takes_the_options_of_submit(geminate, prompts, emulate, tmp_path):
    geminate("run", prompts, *SPEC, *emulate(faults={"jobs": [CUT]}), "-o", "rows.jsonl")
    run, before = tmp_path / "rows.jsonl.run", sorted(path.name for path in (tmp_path / "rows.jsonl.run").iterdir())
    shown = geminate("retry", run, "--dry-run")
    (body,) = map(json.loads, shown.out.splitlines())
    assert (shown.code, "2 prompts in 1 new attempt" in shown.err) == (0, True)
    assert "before it, a shard would be uploaded to gs://bucket/x/" in shown.err
    assert sorted(path.name for path in run.iterdir()) == before
    over = geminate("retry", run, "--max-jobs", 1)
    assert (over.code, "2 jobs, and the limit is 1" in over.err) == (5, True)
    assert geminate("retry", run, "--max-cost", "0.0000001").code == 5
    assert geminate("retry", run, "--history", "rows.jsonl").code == 2
    assert sorted(path.name for path in run.iterdir()) == before
    assert geminate("collect", run, "-o", "again.jsonl").code == 3
    assert geminate("retry", run, "--max-jobs", 2, "--label", "team=red", "--no-preflight").code == 0
    made = max(jobs_of(tmp_path), key=lambda job: job["ordinal"])["body"]
    assert made == {**body, "labels": {**body["labels"], "team": "red"}}


@pytest.mark.parametrize("options, looks", [((), 1), (("--no-preflight",), 0)])
def test_a_retry_looks_at_what_is_in_the_way_unless_told_not_to(geminate, prompts, emulate, options, looks):
    elsewhere = (*emulate(faults={"jobs": [CUT]}), "--location", "europe-west4")
    geminate("run", prompts, *SPEC, *elsewhere, "-o", "rows.jsonl")
    assert geminate("retry", "rows.jsonl.run", *options).err.count("not known to run in europe-west4") == looks


def test_what_failed_before_a_retry_is_no_failure_of_the_run_after_it(geminate, prompts, emulate):
    options = emulate(faults={"jobs": [CUT]})
    assert geminate("run", prompts, *SPEC, *options, "-o", "rows.jsonl").code == 4
    assert geminate("wait", "rows.jsonl.run").code == 4
    geminate("retry", "rows.jsonl.run")
    assert geminate("wait", "rows.jsonl.run").code == 0
    assert geminate("run", prompts, *SPEC, *options, "-o", "rows.jsonl", "--overwrite").code == 0


def test_a_retry_says_how_its_rows_come(geminate, prompts, emulate):
    options = emulate(faults={"rows": [{"status": "RESOURCE_EXHAUSTED", "keys": "a"}]})
    geminate("run", prompts, *SPEC, *options, "-o", "rows.jsonl")
    assert "geminate wait rows.jsonl.run" in geminate("retry", "rows.jsonl.run").err
