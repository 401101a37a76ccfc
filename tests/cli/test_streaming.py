"""Shards that lie in a bucket alone: no file of them here, and every later command finds their lines."""

import json
from contextlib import contextmanager
from functools import partial

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from geminate.emulator import Emulator, EmulatorOptions

SPEC = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }} and {{ number }}.")
ROWS = [f"k{n},{'the same' if n % 3 == 0 else f'word {n}'},{'' if n == 7 else 1}" for n in range(40)]


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("key,word,number\n" + "\n".join(ROWS) + "\n")
    return path


@contextmanager
def serve(folder, **faults):
    with Emulator(folder / "emulator", EmulatorOptions(faults={"storage": faults})) as emulator:
        (emulator.buckets / "bucket").mkdir(exist_ok=True)
        yield emulator


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")


@pytest.fixture
def emulator(tmp_path):
    with serve(tmp_path) as emulator:
        yield emulator


def objects(emulator):
    return sorted(emulator.buckets.glob("bucket/**/requests-*.jsonl"))


def lines(folder):
    return {path.name: path.read_bytes() for path in folder.glob("requests-*.jsonl")}


@pytest.mark.parametrize("options", [(), ("--dedupe",), ("--limit", 8), ("--shard-rows", 1000)])
def test_the_objects_are_the_files_of_a_local_build(geminate, prompts, emulator, tmp_path, options):
    command = ("build", prompts, *SPEC, "--shard-rows", 9, *options)
    local = geminate(*command, "--out", "local")
    remote = geminate(*command, "--out", "gs://bucket/staged", "--run", "far", "--endpoint", emulator.url, "--json")
    assert local.code == remote.code == 3
    assert lines(tmp_path / "far") == {}
    assert {path.name: path.read_bytes() for path in objects(emulator)} == lines(tmp_path / "local")
    assert len(remote.document["shards"]) == len(objects(emulator))
    assert geminate("verify", "far").code == 0


def test_with_spool_the_shards_lie_in_the_folder_too(geminate, prompts, emulator, tmp_path):
    geminate("build", prompts, *SPEC, "--spool", "--out", "gs://bucket/a", "--run", "r", "--endpoint", emulator.url)
    assert lines(tmp_path / "r") == {path.name: path.read_bytes() for path in objects(emulator)}


def test_the_same_build_again_uploads_what_is_missing(geminate, prompts, tmp_path):
    command = ("build", prompts, *SPEC, "--shard-rows", 9, "--out", "gs://bucket/a", "--endpoint")
    with serve(tmp_path, upload=["return-403"]) as emulator:
        assert geminate(*command, emulator.url).code == 77
    with serve(tmp_path) as emulator:
        before = [(path, path.stat().st_mtime_ns) for path in objects(emulator)]
        assert geminate(*command, emulator.url).code == 3
        made = [(path, path.stat().st_mtime_ns) for path in objects(emulator)]
        assert geminate(*command, emulator.url).code == 3
        assert [(path, path.stat().st_mtime_ns) for path in objects(emulator)] == made
        assert set(before) < set(made)
        changed = geminate(*command, emulator.url, "--limit", 8)
    assert changed.code == 5
    assert "which prompts are taken" in changed.err


@pytest.fixture
def finished(geminate, prompts, emulator):
    where = ("--endpoint", emulator.url, "--staging", "gs://bucket/a")
    run = geminate("run", prompts, *SPEC, "--shard-rows", 9, *where, "-o", "rows.parquet")
    assert run.code == 3, run.err
    return "rows.parquet.run"


def json_line(row):
    return json.dumps(row) + "\n"


def outcomes(path):
    return pq.read_table(path)["gemini_outcome"].to_pylist()


def test_later_commands_find_the_lines(geminate, finished, emulator, tmp_path):
    assert lines(tmp_path / finished) == {}
    estimate = geminate("estimate", finished, "--json").document
    assert estimate["requests"] == 39
    for path in emulator.buckets.glob("bucket/**/predictions.jsonl"):
        # As if the service had not given the keys back.
        path.write_bytes(path.read_bytes().replace(b'"key":', b'"kex":'))
    assert geminate("collect", finished, "-o", "by-request.parquet").code == 3
    assert outcomes(tmp_path / "by-request.parquet") == outcomes(tmp_path / "rows.parquet")


@pytest.mark.parametrize("are_gone", [False, True])
def test_a_retry_sends_the_same_lines_from_the_objects_or_the_prompts(geminate, finished, emulator, tmp_path, are_gone):
    sent = b"".join(path.read_bytes() for path in objects(emulator)).splitlines()
    for path in emulator.buckets.glob("bucket/**/predictions.jsonl"):
        path.write_bytes(path.read_bytes().partition(b"\n")[2])
    for path in objects(emulator) if are_gone else []:
        path.unlink()
    assert geminate("verify", finished).code == (5 if are_gone else 0)
    assert geminate("retry", finished, "--json").code == 0
    retried = b"".join(lines(tmp_path / finished).values()).splitlines()
    assert len(retried) == 5
    assert set(retried) <= set(sent)


def test_verify_tells_an_object_that_is_another(geminate, finished, emulator):
    first, *_ = objects(emulator)
    data = first.read_bytes()
    first.unlink()
    first.write_bytes(data.replace(b"Rate", b"Hate"))
    told = geminate("verify", finished)
    assert told.code == 5
    assert f"gs://bucket/{first.relative_to(emulator.buckets / 'bucket')}: it is not the object" in told.err


def test_a_dry_run_names_no_file_that_is_not_there(geminate, prompts, tmp_path):
    with serve(tmp_path, upload=["return-403"]) as emulator:
        geminate("build", prompts, *SPEC, "--out", "gs://bucket/a", "--endpoint", emulator.url)
        dry = geminate("submit", "a.run", "--dry-run", "--json")
        assert [upload["path"] for upload in dry.document["uploads"]] == [None]
        assert "before it, a shard would be uploaded to gs://bucket/a/" in geminate("submit", "a.run", "--dry-run").err


def test_prompts_that_changed_in_the_folder_make_no_object(geminate, prompts, tmp_path):
    command = ("build", prompts, *SPEC, "--out", "gs://bucket/a", "--endpoint")
    path = tmp_path / "a.run/prompts-00000.arrow"
    with serve(tmp_path, upload=["return-403"]) as emulator:
        geminate(*command, emulator.url)
        kept = path.read_bytes()
        path.write_bytes(kept.replace(b"word 1", b"ward 1"))
        told = geminate(*command, emulator.url)
        assert told.code == 5
        assert "do not come out again as they were" in told.err
        assert objects(emulator) == []
        path.write_bytes(kept)
        assert geminate(*command, emulator.url).code == 3
        assert len(objects(emulator)) == 1


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("name", ["words.parquet", "words.csv", "words.jsonl"])
def test_a_join_between_buckets_makes_no_copy_of_either_side(geminate, emulator, tmp_path, monkeypatch, name):
    table = pq.read_table(tmp_path / "rows.parquet", columns=["key", "word", "number"])
    write = {"words.parquet": partial(pq.write_table, row_group_size=7), "words.csv": pa.csv.write_csv}
    write["words.jsonl"] = lambda rows, path: path.write_text("".join(map(json_line, rows.to_pylist())))
    write[name](table, emulator.buckets / "bucket" / name)
    (predictions,) = emulator.buckets.glob("bucket/a/*/predictions")
    where = ("--endpoint", emulator.url, "--predictions", f"gs://{predictions.relative_to(emulator.buckets)}/")
    with monkeypatch.context() as patched:
        # What is put by goes to a temporary file at once, and there is no place for one.
        patched.setattr("geminate.formats.kept_rows._MEMORY_BYTES", 0)
        patched.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        joined = geminate("join", "--inputs", f"gs://bucket/{name}", *where, "-o", "joined.parquet")
        alone = geminate("join", *where, "-o", "alone.parquet")
    assert joined.code == 3, joined.err
    assert pq.read_table(tmp_path / "joined.parquet")["key"].equals(table["key"])
    assert outcomes(tmp_path / "joined.parquet").count("ok") == 39
    assert alone.code == 0, alone.err
    assert outcomes(tmp_path / "alone.parquet") == ["ok"] * 39
