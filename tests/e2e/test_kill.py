"""A run killed at some instant, and run again: the same rows, and one job for each shard."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
WORDS = ROOT / "fixtures/prompts/words.csv"
COMMAND = [sys.executable, "-m", "geminate", "run", str(WORDS), "--spec", str(ROOT / "fixtures/specs/words.yaml")]
COMMAND += ["--emulate", "--shard-rows", "250", "-o", "rows.parquet"]
SHARDS = 3

# What there is to see in the run's folder once a step has begun; the kill comes right after.
MOMENTS = {
    "building": ".rows.parquet.run.partial",
    "built": "rows.parquet.run/manifest.json",
    "uploading": "rows.parquet.run/emulator/buckets/*/*/requests-00000.jsonl",
    "first job": "rows.parquet.run/emulator/jobs/[!.]*.json",
    "predicting": "rows.parquet.run/emulator/buckets/*/*/predictions/*/*",
    "collecting": ".geminate-*.tmp",
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run(COMMAND, cwd=folder, check=True, capture_output=True)
    return stable(folder)


def stable(folder):
    """The rows without what differs between two runs of the emulator."""
    rows = pq.read_table(folder / "rows.parquet")
    return rows.drop_columns(["gemini_job", "gemini_source", "gemini_processed_time", "gemini_response_id"])


def kill_at(folder, pattern):
    """Whether the command was still alive when the moment came."""
    with subprocess.Popen(COMMAND, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if next(folder.glob(pattern), None) is not None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return process.returncode == -signal.SIGKILL
            time.sleep(0.001)
    return False


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_goes_on_and_pays_once(tmp_path, expected, moment):
    kill_at(tmp_path, MOMENTS[moment])
    assert not (tmp_path / "rows.parquet").exists() or moment == "collecting"
    finished = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert stable(tmp_path).equals(expected)
    jobs = [json.loads(path.read_text()) for path in (tmp_path / "rows.parquet.run/emulator/jobs").glob("[!.]*.json")]
    assert len(jobs) == SHARDS


def test_runs_killed_again_and_again_come_to_an_end(tmp_path, expected):
    killed = [kill_at(tmp_path, MOMENTS[moment]) for moment in ("building", "uploading", "first job", "predicting")]
    assert any(killed)
    subprocess.run(COMMAND, cwd=tmp_path, check=True, capture_output=True)
    assert stable(tmp_path).equals(expected)
    assert len(list((tmp_path / "rows.parquet.run/emulator/jobs").glob("[!.]*.json"))) == SHARDS
