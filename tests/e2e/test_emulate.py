"""The emulator as a process of its own, and a run that talks to it over HTTP."""

import json
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

GEMINATE = [sys.executable, "-m", "geminate"]
PROMPT = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}.")


@pytest.fixture
def emulator(tmp_path):
    """The URL of a served emulator, and the folder of its buckets."""
    command = [*GEMINATE, "emulate", "--dir", str(tmp_path / "served")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        first = server.stderr.readline()
        url = next(word for word in first.split() if word.startswith("http://127.0.0.1:"))
        yield url.rstrip(",.;"), tmp_path / "served/buckets"
        server.send_signal(signal.SIGINT)
        server.wait(timeout=10)


def geminate(folder, *arguments):
    return subprocess.run([*GEMINATE, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False)


def test_a_run_against_a_served_emulator_is_a_run_against_the_service(emulator, tmp_path):
    url, buckets = emulator
    (tmp_path / "prompts.csv").write_text("key,word\n001,tyrant\n002,abdomen\n")
    where = ("--endpoint", url, "--buckets", buckets, "--staging", "gs://my-bucket/words")
    finished = geminate(tmp_path, "run", "prompts.csv", *PROMPT, *where, "-o", "rows.parquet", "--json")
    assert finished.returncode == 0, finished.stderr
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [(row["key"], row["gemini_outcome"]) for row in rows] == [("001", "ok"), ("002", "ok")]
    (job,) = json.loads(finished.stdout)["jobs"]
    assert job["output_uri"].startswith("gs://my-bucket/words/")


def test_a_cancelled_run_ends_and_its_prompts_are_missing_or_done(emulator, tmp_path):
    url, buckets = emulator
    (tmp_path / "prompts.csv").write_text("key,word\na,tyrant\n")
    geminate(tmp_path, "build", "prompts.csv", *PROMPT, "--out", "run")
    where = ("--endpoint", url, "--buckets", buckets, "--staging", "gs://my-bucket/words")
    assert geminate(tmp_path, "submit", "run", *where).returncode == 0
    assert geminate(tmp_path, "cancel", "run").returncode == 0
    assert geminate(tmp_path, "wait", "run").returncode in {0, 4}
    assert geminate(tmp_path, "collect", "run", "-o", "rows.parquet").returncode in {0, 3}
    (row,) = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert row["gemini_outcome"] in {"ok", "missing"}
