import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import requests

from geminate.emulator.limits import LIMITS

from .conftest import BUCKET, PARENT, job_body, prompt

KEYS = [f"r-{place:03d}" for place in range(40)]
ROWS = [prompt(key, f"Question {key}") for key in KEYS]


def states(client, name, steps=50):
    """The job after each step, until nothing moves any more."""
    seen = [client.job(name)]
    for _ in range(steps):
        left = client.emulator.step()
        seen.append(client.job(name))
        if not left:
            return seen
    raise AssertionError(seen[-1])


def test_a_job_goes_from_pending_over_running_to_its_end(emulate):
    client = emulate(manual=True, rows_per_move=15)
    seen = states(client, client.create(ROWS))
    words = [job["state"] for job in seen]
    assert list(dict.fromkeys(words)) == ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"]
    assert seen[1]["completionStats"] == {"incompleteCount": "-1"}
    assert "outputInfo" not in seen[1]
    counts = [job["completionStats"] for job in seen if "outputInfo" in job]
    assert counts[0] == {"incompleteCount": "40"}
    assert counts[1] == {"successfulCount": "15", "incompleteCount": "25"}
    assert counts[-1] == {"successfulCount": "40"}
    times = [seen[-1][name] for name in ("createTime", "startTime", "endTime")]
    assert times == sorted(times)
    assert len(set(times)) == 3
    assert "error" not in seen[-1]


def test_output_appears_before_the_state_says_so(emulate):
    client = emulate(manual=True, rows_per_move=10)
    name = client.create(ROWS)
    while client.emulator.step():
        job = client.job(name)
        if "outputInfo" in job:
            visible = [file for file in client.files(job) if not file.startswith(".")]
            assert visible == []
    assert list(client.files(client.job(name))) == ["predictions.jsonl"]


def test_the_output_directory_bears_the_creation_time(client):
    job = client.run(ROWS)
    assert job["outputInfo"]["gcsOutputDirectory"] == f"gs://{BUCKET}/out/prediction-model-{job['createTime']}"


def test_a_tuned_models_directory_bears_its_display_name(emulate):
    model = "projects/1/locations/us-central1/models/77"
    client = emulate(tuned_model_names={model: "my tuned model"})
    job = client.run(ROWS[:1], model=model)
    assert job["outputInfo"]["gcsOutputDirectory"].endswith(f"/out/prediction-my tuned model-{job['createTime']}")
    assert client.predictions(job)[0]["response"]["modelVersion"] == "77@emulated"


def test_rows_come_back_once_each_and_in_another_order(client):
    keys = [line["key"] for line in client.predictions(client.run(ROWS))]
    assert sorted(keys) == KEYS
    assert keys != KEYS
    pair = [line["key"] for line in client.predictions(client.run(ROWS[:2]))]
    assert pair == KEYS[1::-1]


def test_a_seed_makes_numbers_and_order_the_same(emulate):
    def run():
        client = emulate(seed=7)
        name = client.create(ROWS)
        keys = [line["key"] for line in client.predictions(client.wait(name))]
        client.call("DELETE", name)
        return name, keys

    assert run() == run()


def test_the_time_of_rows_is_that_of_the_clock(emulate):
    client = emulate(manual=True, pending_s=10, row_latency_s=2, rows_per_move=3)
    name = client.create(ROWS[:6])
    client.emulator.step(9)
    assert client.job(name)["state"] == "JOB_STATE_PENDING"
    client.emulator.step(2)
    assert client.job(name)["state"] == "JOB_STATE_RUNNING"
    while "outputInfo" not in client.job(name):
        client.emulator.step(0)
    client.emulator.step(4.5)
    assert client.job(name)["completionStats"] == {"successfulCount": "2", "incompleteCount": "4"}
    client.emulator.step(0)
    assert client.job(name)["completionStats"]["successfulCount"] == "2"
    while client.emulator.step(1):
        pass
    assert client.job(name)["state"] == "JOB_STATE_SUCCEEDED"


def test_a_cancelled_job_keeps_the_rows_that_were_done(emulate):
    client = emulate(manual=True, rows_per_move=5)
    name = client.create(ROWS)
    while client.job(name).get("completionStats", {}).get("successfulCount") != "10":
        client.emulator.step()
    client.call("POST", f"{name}:cancel", json={})
    assert client.job(name)["state"] == "JOB_STATE_CANCELLING"
    job = states(client, name)[-1]
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_CANCELLED", 1)
    assert job["completionStats"] == {"successfulCount": "10", "incompleteCount": "30"}
    assert len(client.predictions(job)) == 10


def test_a_job_over_a_cut_jobs_output_does_what_that_one_did_not(emulate):
    asked, failing = [], {"status": "UNAVAILABLE", "keys": "r-00?"}
    faults = {"jobs": [{"times": 1, "end": "FAILED", "after": 0.5, "lists_unfinished": True, "rows": [failing]}]}
    client = emulate(faults=faults, answerer=lambda _, siblings: asked.append(siblings["key"]) or "done")
    first = client.run(ROWS)
    cut = {line["key"]: line for line in client.predictions(first)}
    assert sorted(cut) == KEYS
    assert first["completionStats"]["incompleteCount"] == "20"
    assert any(line["status"] for line in cut.values())
    answered = [key for key, line in cut.items() if line["response"]]
    assert sorted(asked) == sorted(answered)
    asked.clear()
    (source,) = client.files(first)
    directory = first["outputInfo"]["gcsOutputDirectory"].removeprefix(f"gs://{BUCKET}/")
    resumed = client.wait(client.create(inputConfig=job_body(f"{directory}/{source}")["inputConfig"]))
    whole = {line["key"]: line for line in client.predictions(resumed)}
    assert sorted(asked) == sorted(set(KEYS) - set(answered))
    assert [whole[key] for key in answered] == [cut[key] for key in answered]
    assert all(line["response"] and not line["status"] for line in whole.values())


def test_a_job_that_waits_too_long_expires(emulate):
    client = emulate(manual=True, pending_s=1e9)
    name = client.create(ROWS)
    client.emulator.step(LIMITS.queue_limit_s - 60)
    client.emulator.step(0)
    assert client.job(name)["state"] == "JOB_STATE_PENDING"
    client.emulator.step(120)
    job = client.job(name)
    assert job["state"] == "JOB_STATE_EXPIRED"
    assert job["error"]["message"]


@pytest.mark.parametrize("pending_s", [LIMITS.queue_limit_s + 60, 1e9])
def test_a_job_expires_however_far_the_time_moves_at_once(emulate, pending_s):
    client = emulate(manual=True, pending_s=pending_s)
    name = client.create(ROWS)
    client.emulator.step(2 * LIMITS.queue_limit_s)
    assert client.job(name)["state"] == "JOB_STATE_EXPIRED"


@pytest.mark.parametrize("days", [0.25, 1, 7])
def test_after_a_day_of_running_the_rest_is_cancelled(emulate, days):
    client = emulate(manual=True, row_latency_s=LIMITS.run_limit_s / 8, rows_per_move=3)
    name = client.create(ROWS)
    while "outputInfo" not in client.job(name):
        client.emulator.step(0)
    while client.emulator.step(LIMITS.run_limit_s * days):
        pass
    job = client.job(name)
    assert job["state"] == "JOB_STATE_CANCELLED"
    assert len(client.predictions(job)) == 8
    assert job["completionStats"] == {"successfulCount": "8", "incompleteCount": "32"}


def test_rows_that_take_no_time_are_cut_once_the_day_is_over(emulate):
    client = emulate(manual=True, rows_per_move=10)
    name = client.create(ROWS)
    while client.job(name).get("completionStats", {}).get("successfulCount") != "20":
        client.emulator.step(0)
    while client.emulator.step(LIMITS.run_limit_s):
        pass
    job = client.job(name)
    assert (job["state"], len(client.predictions(job))) == ("JOB_STATE_CANCELLED", 20)


def test_jobs_run_side_by_side(emulate):
    client = emulate(row_latency_s=0.005)
    client.write(ROWS)
    names = [client.create(displayName=f"job {place}") for place in range(3)]
    jobs = [client.wait(name) for name in names]
    assert max(job["startTime"] for job in jobs) < min(job["endTime"] for job in jobs)


def test_a_clock_of_the_users_own_is_followed(emulate):
    start, real = 2_000_000_000.0, time.time()
    client = emulate(clock=lambda: start + 1000 * (time.time() - real), pending_s=100, row_latency_s=1)
    job = client.run(ROWS)
    assert job["createTime"].startswith("2033-")
    assert job["state"] == "JOB_STATE_SUCCEEDED"


def test_trouble_inside_one_job_fails_it_alone(emulate):
    client = emulate(faults={"jobs": [{"display_name": "bad", "replay": "no-such-file.jsonl"}]})
    job = client.run(ROWS, displayName="bad")
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 13)
    assert "no-such-file.jsonl" in job["error"]["message"]
    assert client.run(ROWS)["state"] == "JOB_STATE_SUCCEEDED"


class TestRestart:
    def test_jobs_and_their_output_are_still_there(self, emulate):
        client = emulate()
        job = client.run(ROWS)
        again = emulate()
        assert again.job(job["name"]) == job
        assert again.call("GET", f"{PARENT}/batchPredictionJobs").json()["batchPredictionJobs"] == [job]

    def test_a_job_under_way_begins_again_and_has_one_output(self, emulate):
        client = emulate(manual=True, rows_per_move=5)
        name = client.create(ROWS)
        while client.job(name).get("completionStats", {}).get("successfulCount") != "10":
            client.emulator.step()
        before = client.job(name)
        again = emulate(manual=True)
        assert again.job(name) == before
        job = states(again, name)[-1]
        assert job["state"] == "JOB_STATE_SUCCEEDED"
        assert job["startTime"] == before["startTime"]
        assert [path.name for path in (again.bucket / "out").iterdir()] == [f"prediction-model-{job['createTime']}"]
        assert sorted(line["key"] for line in again.predictions(job)) == KEYS

    def test_a_job_that_was_being_cancelled_keeps_its_rows(self, emulate):
        client = emulate(manual=True, rows_per_move=5)
        name = client.create(ROWS)
        while client.job(name).get("completionStats", {}).get("successfulCount") != "10":
            client.emulator.step()
        client.call("POST", f"{name}:cancel", json={})
        again = emulate(manual=True, row_latency_s=100)
        assert again.job(name)["state"] == "JOB_STATE_CANCELLING"
        job = states(again, name)[-1]
        assert (job["state"], len(again.predictions(job))) == ("JOB_STATE_CANCELLED", 10)

    def test_new_jobs_follow_the_old_ones(self, emulate):
        old = emulate().run(ROWS)["name"]
        client = emulate()
        new = client.create()
        client.wait(new)
        listed = client.call("GET", f"{PARENT}/batchPredictionJobs").json()["batchPredictionJobs"]
        assert [job["name"] for job in listed] == [new, old]


@pytest.fixture
def killable(tmp_path: Path):
    """Starts emulators in processes of their own on one folder."""
    script = (
        "import sys; from pathlib import Path; from geminate.emulator import *; "
        "serve(Path(sys.argv[1]), EmulatorOptions(pending_s=0, row_latency_s=float(sys.argv[2]), rows_per_move=5), "
        "announce=lambda text: print(text, flush=True))"
    )
    started = []

    def start(row_latency_s: float) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", script, str(tmp_path / "emulator"), str(row_latency_s)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_emulator_loses_nothing(killable, tmp_path):
    process, url = killable(0.01)
    bucket = tmp_path / "emulator" / "buckets" / BUCKET
    bucket.mkdir(parents=True)
    (bucket / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer any"
        jobs_url = f"{url}/v1/{PARENT}/batchPredictionJobs"
        job = session.post(jobs_url, json=job_body(), timeout=10).json()
        while job.get("completionStats", {}).get("successfulCount", "0") == "0":
            job = session.get(f"{url}/v1/{job['name']}", timeout=10).json()
        assert job["state"] == "JOB_STATE_RUNNING"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        _, url = killable(0)
        while job["state"] == "JOB_STATE_RUNNING":
            job = session.get(f"{url}/v1/{job['name']}", timeout=10).json()
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    [directory] = (bucket / "out").iterdir()
    assert [path.name for path in directory.iterdir()] == ["predictions.jsonl"]
    lines = (directory / "predictions.jsonl").read_bytes().splitlines()
    assert sorted(msgspec.json.decode(line)["key"] for line in lines) == KEYS
