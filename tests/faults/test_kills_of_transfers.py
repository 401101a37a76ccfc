"""Shards on their way to Cloud Storage and BigQuery, their process killed at each call that changes anything there."""

import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

import geminate as gm
from geminate.connect import open_tables
from geminate.emulator import Emulator, EmulatorOptions

from .conftest import World

SHARDS = 2
ROWS = 1_200
# With a call of 256 KiB, as the victims make them, a shard takes two.
TEXT = "Say {{ word }}, and mind that " + "this is said at length, " * 14
BUILD = ["build", "prompts.csv", "--model", "gemini-3.5-flash", "--prompt", TEXT, "--shard-rows", ROWS // SHARDS]
BUILD += ["--run", "far.run", "--location", "us-central1"]
PLACES = {"bucket": "gs://bucket/staged", "dataset": "bq://emulated.words"}


class Transfers(World):
    """A world whose stores are reached by HTTP alone."""

    def __init__(self, path, victims):
        super().__init__(path, victims, 0)
        path.mkdir()
        rows = (f"p{n:05},word {n}\n" for n in range(ROWS))
        (path / "prompts.csv").write_text("key,word\n" + "".join(rows))

    @contextmanager
    def serve(self):
        with self.service() as emulator:
            self.url = emulator.url
            with closing(self.tables) as tables:
                tables._client.create_dataset(self.dataset, exists_ok=True)
            yield emulator

    @property
    def dataset(self):
        from google.cloud import bigquery

        dataset = bigquery.Dataset("emulated.words")
        dataset.location = "us-central1"
        return dataset

    @property
    def tables(self):
        return open_tables(gm.Where(endpoint=self.url, location="us-central1"))

    def build(self, place, **how):
        return self.call(*BUILD, "--out", PLACES[place], "--endpoint", self.url, **how)

    def there(self, place):
        """What a reader finds: the bytes of each object, or the number of rows of each table."""
        if place == "bucket":
            return sorted(path.read_bytes() for path in self.emulator_path.glob("buckets/bucket/staged/*/*"))
        with closing(self.tables) as tables:
            found = [tables.stat(f"bq://{table.full_table_id.replace(':', '.')}") for table in self.listed(tables)]
            return sorted(info.rows for info in found)

    @staticmethod
    def listed(tables):
        return list(tables._client.list_tables("emulated.words"))

    def loads(self):
        """How many load jobs were made."""
        with closing(self.tables) as tables:
            return len(list(tables._client.list_jobs()))


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_any_call_of_a_transfer_nothing_partial_is_there_and_nothing_goes_twice(quick_folder, victims, place):
    world = Transfers(quick_folder / f"quiet-{place}", victims)
    with world.serve():
        quiet = world.build(place)
        assert quiet.code == 0, quiet.err
        expected = world.there(place)
    assert len(expected) == SHARDS
    sent = [number for number, call in enumerate(quiet.calls, 1) if call == "http"]
    assert len(sent) >= 3 * SHARDS  # One that begins, and two that bring bytes.
    # Before each, and before what follows it, when it is done and nobody has written that down.
    for call in sorted({*sent, *(number + 1 for number in sent)}):
        world = Transfers(quick_folder / f"{place}-{call}", victims)
        with world.serve():
            killed = world.build(place, fault={"kind": "kill", "at": [call]})
            assert killed.code == -signal.SIGKILL
            assert not set(world.there(place)) - set(expected)
            finished = world.build(place)
            assert finished.code == 0, finished.err
            assert world.there(place) == expected
            assert world.loads() == (SHARDS if place == "dataset" else 0)
            assert world.call("verify", "far.run").code == 0


@pytest.fixture
def emulate(tmp_path, monkeypatch):
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

    @contextmanager
    def emulate(**faults):
        with Emulator(tmp_path / "emulator", EmulatorOptions(faults={"storage": faults})) as emulator:
            (emulator.buckets / "bucket").mkdir(exist_ok=True)
            yield emulator

    return emulate


def test_killed_in_the_middle_of_a_call_an_upload_is_no_object(tmp_path, emulate):
    rows = (f"p{n:05},word {n}\n" for n in range(ROWS))
    (tmp_path / "prompts.csv").write_text("key,word\n" + "".join(rows))
    command = [sys.executable, "-m", "geminate", *map(str, BUILD), "--out", PLACES["bucket"], "--endpoint"]
    with emulate(upload=["stall-for-3s-after-256K; times=9"]) as emulator:
        with subprocess.Popen([*command, emulator.url], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
            # The service keeps the first bytes of a call while it waits for the rest.
            while not any(path.stat().st_size for path in tmp_path.glob("emulator/**/uploads/*") if not path.suffix):
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert [path for path in emulator.buckets.rglob("*") if path.is_file()] == []
    with emulate() as emulator:
        finished = subprocess.run([*command, emulator.url], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        assert len([path for path in emulator.buckets.rglob("requests-*.jsonl") if path.is_file()]) == SHARDS
    assert not list((tmp_path / "far.run").glob("requests-*"))
