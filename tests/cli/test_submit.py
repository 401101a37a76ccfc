"""What submitting asks of the service, seen before and after."""

import json
from pathlib import Path

import pytest

from geminate.emulator import Emulator

SPEC = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}.")
NAMED = ("--display-name", "words", "--label", "team=red", "--label", "cost=low", "--model-parameters", '{"a": 1}')
REAL = ("--project", "my-project", "--location", "eu", "--staging", "gs://my-bucket/x")
URL = "https://aiplatform.eu.rep.googleapis.com/v1/projects/my-project/locations/eu/batchPredictionJobs"


def files(folder):
    return sorted((str(path.relative_to(folder)), path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def emulated(run_path):
    return [json.loads(path.read_text())["body"] for path in sorted((run_path / "emulator/jobs").glob("[!.]*.json"))]


def test_a_dry_run_prints_what_submit_would_send_and_changes_nothing(geminate, prompts, tmp_path):
    geminate("build", prompts, *SPEC, "--shard-rows", 2, "--out", "words.run")
    before = files(tmp_path / "words.run")
    shown = geminate("submit", "words.run", *REAL, *NAMED, "--dry-run")
    assert shown.code == 0
    assert files(tmp_path / "words.run") == before
    first, second = map(json.loads, shown.out.splitlines())
    run_id = first["labels"]["geminate_run"]
    assert first == {
        "displayName": f"words-{run_id}-00000-1",
        "model": "publishers/google/models/gemini-3.5-flash",
        "labels": {"team": "red", "cost": "low", "geminate_attempt": f"{run_id}-00000-1", "geminate_run": run_id},
        "inputConfig": {
            "instancesFormat": "jsonl",
            "gcsSource": {"uris": [f"gs://my-bucket/x/{run_id}/requests-00000.jsonl"]},
        },
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"gs://my-bucket/x/{run_id}/predictions/{run_id}-00000-1"},
        },
        "modelParameters": {"a": 1},
    }
    assert URL in shown.err
    document = geminate("submit", "words.run", *REAL, *NAMED, "--dry-run", "--json").document
    assert (document["url"], document["bodies"]) == (URL, [first, second])
    assert [upload["uri"] for upload in document["uploads"]] == [
        body["inputConfig"]["gcsSource"]["uris"][0] for body in (first, second)
    ]


def test_what_a_dry_run_of_a_whole_run_shows_is_what_the_run_then_sends(geminate, prompts, tmp_path):
    command = ("run", prompts, *SPEC, *NAMED, "--emulate", "-o", "rows.jsonl")
    bodies = list(map(json.loads, geminate(*command, "--dry-run").out.splitlines()))
    assert not (tmp_path / "rows.jsonl").exists()
    assert not (tmp_path / "rows.jsonl.run/emulator").exists()
    assert geminate(*command).code == 0
    assert emulated(tmp_path / "rows.jsonl.run") == bodies
    again = geminate("submit", "rows.jsonl.run", "--dry-run")
    assert (again.out, "0 create calls" in again.err) == ("", True)


def test_a_label_given_later_changes_no_job_that_is_made(geminate, prompts, tmp_path):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    geminate("submit", "words.run", *NAMED, "--emulate")
    (body,) = emulated(tmp_path / "words.run")
    assert (body["labels"]["team"], body["modelParameters"]) == ("red", {"a": 1})
    assert geminate("submit", "words.run", "--label", "team=blue").code == 0
    assert emulated(tmp_path / "words.run") == [body]


@pytest.mark.parametrize(
    "options, code, said",
    [
        (("--label", "team"), 2, "KEY=VALUE"),
        (("--label", "Team=red"), 2, "Team=red"),
        (("--label", "geminate_run=x"), 2, "writes this label itself"),
        (("--model-parameters", "[1]"), 2, "not a JSON object"),
        (("--model-parameters", "@nowhere.json"), 2, "nowhere.json"),
        (("--display-name", "x" * 200), 2, "display name"),
    ],
)
def test_what_the_service_would_refuse_is_refused_at_once(geminate, prompts, options, code, said):
    finished = geminate("run", prompts, *SPEC, *options, "--emulate", "-o", "rows.jsonl")
    assert finished.code == code
    assert said in finished.err
    assert not Path("rows.jsonl.run").exists()


def test_a_dry_run_needs_to_know_where(geminate, prompts):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    finished = geminate("submit", "words.run", "--dry-run")
    assert (finished.code, "--staging" in finished.err) == (2, True)


def overlaps(run_path):
    """How many jobs ran at once, by the service's own times."""
    jobs = [json.loads(path.read_text()) for path in (run_path / "emulator/jobs").glob("[!.]*.json")]
    spans = [(job["create_time"], job["end_time"]) for job in jobs]
    return len(jobs), max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)


@pytest.mark.parametrize("window", [1, 2])
def test_a_run_keeps_to_its_window(geminate, prompts, tmp_path, window):
    finished = geminate(
        "run", prompts, *SPEC, "--shard-rows", 1, "--emulate", "--max-running", window, "-o", "rows.jsonl"
    )
    assert finished.code == 0, finished.err
    jobs, most = overlaps(tmp_path / "rows.jsonl.run")
    assert jobs == 3
    assert most <= window


def test_submitting_by_hand_says_how_many_are_left(geminate, prompts):
    geminate("build", prompts, *SPEC, "--shard-rows", 1, "--out", "words.run")
    command = ("submit", "words.run", "--max-running", 2)
    first = geminate(*command, "--emulate")
    assert "1 shard left to submit: run geminate submit words.run again" in first.err
    assert geminate("collect", "words.run", "-o", "rows.jsonl").code == 2
    waited = geminate("wait", "words.run", "--json").document
    assert ([job["state"] for job in waited["jobs"]], waited["left_to_submit"]) == (["JOB_STATE_SUCCEEDED"] * 2, 1)
    assert geminate(*command, "--json").document["left_to_submit"] == 0
    geminate("wait", "words.run")
    assert geminate("collect", "words.run", "-o", "rows.jsonl").code == 0


def test_what_looks_odd_is_told_without_a_terminal_and_can_be_skipped(geminate, prompts):
    command = ("--emulate", "--location", "europe-west4")
    warned = geminate("run", prompts, *SPEC, *command, "-o", "rows.jsonl")
    assert (warned.code, warned.err.count("not known to run in europe-west4")) == (0, 1)
    unwarned = geminate("run", prompts, *SPEC, *command, "--no-preflight", "-o", "others.jsonl")
    assert (unwarned.code, "not known" in unwarned.err) == (0, False)


def test_a_place_that_was_mistaken_can_be_put_right_until_a_job_is_made(geminate, prompts, tmp_path):
    geminate("build", prompts, *SPEC, "--out", "words.run")
    with Emulator(tmp_path / "emulator") as emulator:
        (emulator.buckets / "bucket").mkdir()
        command = ("submit", "words.run", "--endpoint", emulator.url)
        assert geminate(*command, "--project", "mine", "--staging", "gs://bukcet/x").code == 5
        right = geminate(*command, "--project", "yours", "--location", "eu", "--staging", "gs://bucket/x")
        assert right.code == 0, right.err
        assert "projects/yours/locations/eu/" in right.err
        other = geminate(*command, "--project", "mine", "--staging", "gs://bucket/x")
    assert other.code == 5
    assert "submitted elsewhere: project was 'yours'" in other.err


def test_shards_that_lie_in_a_bucket_are_submitted_in_the_project_named_then(geminate, prompts, tmp_path):
    with Emulator(tmp_path / "emulator") as emulator:
        (emulator.buckets / "bucket").mkdir()
        geminate("build", prompts, *SPEC, "--out", "gs://bucket/words", "--endpoint", emulator.url)
        command = ("submit", "words.run", "--endpoint", emulator.url, "--project", "mine")
        refused = geminate(*command, "--staging", "gs://bucket/others").err
        assert "request lines lie elsewhere: staging_uri was" in refused
        submitted = geminate(*command)
    assert submitted.code == 0, submitted.err
    assert "projects/mine/" in submitted.err


def test_a_fault_script_for_the_embedded_emulator_stays_with_the_run(geminate, prompts, tmp_path, monkeypatch):
    (tmp_path / "faults.yaml").write_text("jobs: [{display_name: '*-1', rows: [{status: RESOURCE_EXHAUSTED}]}]")
    run = ("run", prompts, *SPEC, "--emulate", "--faults", "faults.yaml", "-o", "rows.jsonl")
    assert (first := geminate(*run)).code == 3, first.err
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert (again := geminate("retry", tmp_path / "rows.jsonl.run")).code == 0, again.err
    refused = geminate("build", prompts, *SPEC, "--faults", "faults.yaml", "--out", "run")
    assert (refused.code, "--faults goes with --emulate" in refused.err) == (2, True)
