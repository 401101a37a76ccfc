"""The emulator as a process of its own, and a run that talks to it over HTTP."""

import json
import signal
import subprocess
import sys
from contextlib import closing, contextmanager

import pyarrow.parquet as pq
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from geminate.emulator import Emulator, EmulatorOptions

GEMINATE = [sys.executable, "-m", "geminate"]
PROMPT = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}.")


@contextmanager
def served(*options):
    """The URL of an emulator that serves while the block runs."""
    with subprocess.Popen([*GEMINATE, "emulate", *options], stderr=subprocess.PIPE, text=True) as server:
        first = server.stderr.readline()
        url = next(word for word in first.split() if word.startswith("http://127.0.0.1:"))
        yield url.rstrip(",.;")
        server.send_signal(signal.SIGINT)
        server.wait(timeout=10)


@pytest.fixture
def emulator(tmp_path):
    """The URL of a served emulator, and the folder of its buckets."""
    with served("--dir", str(tmp_path / "served")) as url:
        yield url, tmp_path / "served/buckets"


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


def test_prompts_shards_and_predictions_travel_over_the_emulators_http(emulator, tmp_path):
    url, buckets = emulator
    (buckets / "my-bucket").mkdir()
    (buckets / "my-bucket/prompts.csv").write_text("key,word\n001,tyrant\n002,abdomen\n")
    where = ("--endpoint", url, "--staging", "gs://my-bucket/words")
    finished = geminate(tmp_path, "run", "gs://my-bucket/prompts.csv", *PROMPT, *where, "-o", "rows.parquet")
    assert finished.returncode == 0, finished.stderr
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [(row["key"], row["gemini_outcome"]) for row in rows] == [("001", "ok"), ("002", "ok")]
    assert geminate(tmp_path, "verify", "rows.parquet.run").returncode == 0


@pytest.mark.parametrize(
    "buckets, faults, code, sentence",
    [([], "{}", 5, "no such bucket"), (["b-1"], "{storage: {insert: [return-403]}}", 77, "refuses access")],
)
def test_a_wrong_bucket_or_a_missing_right_is_one_sentence(tmp_path, buckets, faults, code, sentence):
    (tmp_path / "prompts.csv").write_text("key,word\n001,tyrant\n")
    (tmp_path / "faults.yaml").write_text(faults)
    for bucket in buckets:
        (tmp_path / "served/buckets" / bucket).mkdir(parents=True)
    with served("--dir", str(tmp_path / "served"), "--faults", str(tmp_path / "faults.yaml")) as url:
        where = ("--endpoint", url, "--staging", "gs://b-1/words")
        finished = geminate(tmp_path, "run", "prompts.csv", *PROMPT, *where, "-o", "rows.jsonl")
    assert finished.returncode == code, finished.stderr
    assert sentence in finished.stderr
    assert "gs://b-1/words" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_build_for_a_bucket_that_is_not_there_leaves_nothing(emulator, tmp_path):
    url, buckets = emulator
    (tmp_path / "prompts.csv").write_text("key,word\n001,tyrant\n")
    build = ("build", "prompts.csv", *PROMPT, "--endpoint", url, "--out", "gs://my-bucket/words")
    finished = geminate(tmp_path, *build)
    assert (finished.returncode, "no such bucket" in finished.stderr) == (5, True)
    assert not (tmp_path / "words.run").exists()
    (buckets / "my-bucket").mkdir()
    assert geminate(tmp_path, *build).returncode == 0
    (shard,) = (buckets / "my-bucket/words").rglob("requests-*.jsonl")
    (line,) = shard.read_text().splitlines()
    assert json.loads(line)["key"] == "k:001"
    assert not list((tmp_path / "words.run").glob("requests-*.jsonl"))


def test_a_run_whose_objects_lie_on_another_server(gcs_url, tmp_path, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_url)
    (tmp_path / "prompts.csv").write_text("key,word\n001,tyrant\n002,abdomen\n")
    with served("--dir", str(tmp_path / "served"), "--storage-endpoint", gcs_url) as url:
        where = ("--endpoint", url, "--staging", f"gs://bucket/{tmp_path.name}")
        finished = geminate(tmp_path, "run", "prompts.csv", *PROMPT, *where, "-o", "rows.parquet")
        assert finished.returncode == 0, finished.stderr
    assert [row["gemini_outcome"] for row in pq.read_table(tmp_path / "rows.parquet").to_pylist()] == ["ok", "ok"]
    assert list((tmp_path / "served/buckets").iterdir()) == []
    assert list((tmp_path / "served/scratch").iterdir()) == []


def test_a_run_whose_tables_lie_on_another_server(tmp_path, monkeypatch):
    (tmp_path / "prompts.csv").write_text("key,word\n001,tyrant\n002,abdomen\n")
    with Emulator(tmp_path / "other", EmulatorOptions(new_dataset_location="us-central1")) as other:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", other.url)
        with served("--dir", str(tmp_path / "served"), "--bigquery-endpoint", other.url) as url:
            where = ("--endpoint", url, "--location", "us-central1", "--staging", "bq://emulated.words")
            finished = geminate(tmp_path, "run", "prompts.csv", *PROMPT, *where, "-o", "bq://emulated.words.rows")
            assert finished.returncode == 0, finished.stderr
        options = {"api_endpoint": other.url}
        with closing(bigquery.Client("emulated", credentials=AnonymousCredentials(), client_options=options)) as client:
            assert client.get_table("emulated.words.rows").num_rows == 2
            assert len(list(client.list_tables("emulated.words"))) == 3
    assert not (tmp_path / "served/tables.duckdb").exists()


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
