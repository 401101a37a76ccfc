"""A run whose prompts and files lie in Cloud Storage, by HTTP and Google's client, with a fault at every call."""

import pyarrow.parquet as pq
import pytest

import geminate as gm
from geminate import resumable
from geminate.adapters.gcs import download
from geminate.connect import open_store
from geminate.emulator import Emulator, EmulatorOptions
from geminate.errors import DamageError, TransientError
from geminate.formats.prompts import open_prompts
from geminate.ledger import Ledger
from geminate.pipeline.build import BuildOptions
from geminate.pipeline.predicted.predictions import find_predictions, iter_decoded
from geminate.stages.reading import ReadOptions

SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Rate {{ word }}.")
WORDS = "key,word\n" + "".join(f"k{number},word {number}\n" for number in range(12))
VOLATILE = ["gemini_job", "gemini_source", "gemini_processed_time", "gemini_response_id"]
FAULTS = ["return-503", "return-503; commit", "return-reset-connection", "reset-after", "return-broken-stream"]
FAULTS += ["return-503-after-256K", "return-broken-stream-final-chunk-after-5B", "stall-for-0.05s"]
CASES = [(verb, fault) for verb in ("insert", "upload") for fault in FAULTS]
CASES += [(verb, fault) for verb in ("get", "list", "read") for fault in [*FAULTS[:2], *FAULTS[3:5]]]
CASES += [("read", "return-corrupted-data")]


@pytest.fixture(autouse=True)
def _prompt_failures(monkeypatch):
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    monkeypatch.setattr(resumable, "_FIRST_CEILING_S", 0.01)


def run_all(folder, faults):
    """The joined rows of a run on an emulator with these faults, and the emulator's files."""
    with Emulator(folder / "emulator", EmulatorOptions(faults={"storage": faults}, seed=1)) as emulator:
        bucket = emulator.buckets / "bucket"
        (bucket / "in").mkdir(parents=True)
        (bucket / "in/words.csv").write_text(WORDS)
        where = gm.Where(endpoint=emulator.url)
        prompts = open_prompts("gs://bucket/in/words.csv", store=open_store(where))
        run = gm.Run.create(folder / "run", prompts, SPEC, BuildOptions(max_rows=4, keep_lines=False))
        run.submit(gm.Target(where, "gs://bucket/staging"))
        run.wait()
        run.collect(folder / "rows.parquet")
        files = {path.relative_to(bucket).as_posix(): path.stat() for path in bucket.rglob("*") if path.is_file()}
    with Ledger(folder / "run", lock=False) as ledger:
        attempts = ledger.attempts()
    return pq.read_table(folder / "rows.parquet").drop_columns(VOLATILE), files, attempts


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return run_all(tmp_path_factory.mktemp("quiet"), {})[0]


@pytest.mark.parametrize("verb, fault", CASES)
def test_a_fault_at_every_call_gives_the_same_rows_and_overwrites_nothing(tmp_path, expected, verb, fault):
    rows, files, attempts = run_all(tmp_path, {verb: [fault, "stall-for-0s"] * 30})
    assert rows.equals(expected)
    assert rows["gemini_outcome"].to_pylist() == ["ok"] * 12
    assert len(attempts) == 3
    for attempt in attempts:
        staged = files[attempt.input_uri.removeprefix("gs://bucket/")]
        assert staged.st_mtime_ns == attempt.input_generation
    assert sum("requests-" in name for name in files) == 3
    assert not any(name.rpartition("/")[2].startswith(".") for name in files)


def test_uploads_that_the_service_forgets_are_begun_anew_and_their_lines_made_again(tmp_path, expected):
    rows, files, _ = run_all(tmp_path, {"upload": ["return-404"] * 2})
    assert rows.equals(expected)
    assert sum("requests-" in name for name in files) == 3
    assert not list((tmp_path / "run").glob("requests-*"))


READINGS = 4
"""Of the prompts: their beginning, their quotes, their rows; and the beginning of the first predictions."""


def test_large_objects_that_come_damaged_are_read_again(tmp_path, expected, monkeypatch):
    # As if they were larger than what is held back until it is checked.
    monkeypatch.setattr(download, "_HELD_BYTES", -1)
    found, damaged = [], download._damaged
    monkeypatch.setattr(download, "_damaged", lambda info: found.append(info.uri) or damaged(info))
    # Prompts are handed on as they come, so that nothing is made of them.
    with pytest.raises(DamageError, match=r"words\.csv"):
        run_all(tmp_path / "prompts", {"read": ["stall-for-0s", "return-corrupted-data"]})
    assert not (tmp_path / "prompts/run").exists()
    # The beginning of predictions is looked at before.
    rows, _, _ = run_all(tmp_path / "predictions", {"read": [*["stall-for-0s"] * READINGS, "return-corrupted-data"]})
    assert rows.equals(expected)
    assert ["predictions" in uri for uri in found] == [False, True]


def test_a_killed_upload_leaves_nothing_that_a_reader_takes_for_a_shard(tmp_path):
    with Emulator(tmp_path / "emulator") as emulator:
        bucket = emulator.buckets / "bucket"
        bucket.mkdir()
        store = open_store(gm.Where(endpoint=emulator.url))

        def killed():
            yield b"x" * 20_000_000
            emulator.stop()
            yield b"y" * 20_000_000

        with pytest.raises(TransientError):
            store.write("gs://bucket/requests-00000.jsonl", killed())
        assert list(bucket.iterdir()) == []
    with Emulator(tmp_path / "emulator") as emulator:
        store = open_store(gm.Where(endpoint=emulator.url))
        assert list(store.list("gs://bucket/")) == []
        store.write("gs://bucket/requests-00000.jsonl", [b"whole"])
        assert [info.size for info in store.list("gs://bucket/")] == [5]


def test_several_prediction_files_are_fetched_at_once_and_come_in_order(tmp_path):
    line = '{{"key": "{0}", "status": "", "response": {{"candidates": []}}}}\n'
    faults = {"read": ["return-503", "return-broken-stream", "stall-for-0.2s", "return-reset-connection"]}
    with Emulator(tmp_path / "emulator", EmulatorOptions(faults={"storage": faults})) as emulator:
        folder = emulator.buckets / "bucket/out"
        folder.mkdir(parents=True)
        for number in range(6):
            (folder / f"predictions_{number}.jsonl").write_text(line.format(number) * 3)
        store = open_store(gm.Where(endpoint=emulator.url))
        files = find_predictions(["gs://bucket/out/"], lambda: store, lambda: pytest.fail("no table is asked for"))
        keys = [key for block in iter_decoded(files, ReadOptions()) for key in block.predictions["key"].to_pylist()]
    assert keys == [str(number) for number in range(6) for _ in range(3)]
