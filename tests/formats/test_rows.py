import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geminate.errors import TargetError, TransientError
from geminate.formats.rows import WrittenRows, check_target, write_rows

TABLE = pa.table({"key": ["r-1", "r-2"], "n": [1, None]})
FULL = Path("/dev/full")
SUFFIXES = ["parquet", "arrow", "jsonl", "csv", "jsonl.gz", "jsonl.zst", "csv.gz", "csv.zst"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_written_whole_and_what_was_written_is_told(tmp_path, suffix):
    path = tmp_path / f"out.{suffix}"
    written = write_rows(TABLE.to_batches(), TABLE.schema, path)
    assert written == WrittenRows(str(path), 2, path.stat().st_size)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_rows_are_the_same_bytes(tmp_path, suffix):
    first, second = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
    for path in (first, second):
        write_rows(TABLE.to_batches(), TABLE.schema, path)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_left_where_the_rows_stop(tmp_path, suffix):
    def record_batches():
        yield from TABLE.to_batches()
        raise TransientError("gone")

    with pytest.raises(TransientError, match="gone"):
        write_rows(record_batches(), TABLE.schema, tmp_path / f"out.{suffix}")
    assert not list(tmp_path.iterdir())


def test_no_rows_still_have_columns(tmp_path):
    write_rows([], TABLE.schema, tmp_path / "out.parquet")
    write_rows([], TABLE.schema, tmp_path / "out.csv")
    assert pq.read_schema(tmp_path / "out.parquet") == TABLE.schema
    assert (tmp_path / "out.csv").read_bytes() == b"key,n\r\n"


def test_row_groups_are_neither_tiny_nor_huge(tmp_path):
    record_batch = pa.record_batch({"a": range(1000), "t": ["x" * 200] * 1000})
    write_rows([record_batch] * 400, record_batch.schema, tmp_path / "out.parquet")
    metadata = pq.read_metadata(tmp_path / "out.parquet")
    groups = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert sum(groups) == 400_000
    assert len(groups) > 1
    assert all(100_000 < rows <= 132_000 for rows in groups[:-1])


def test_the_standard_output_gets_json_lines_unless_said_otherwise():
    out = io.BytesIO()
    assert write_rows(TABLE.to_batches(), TABLE.schema, "-", stdout=out) == WrittenRows("-", 2, len(out.getvalue()))
    assert [json.loads(line) for line in out.getvalue().splitlines()] == TABLE.to_pylist()
    out = io.BytesIO()
    write_rows(TABLE.to_batches(), TABLE.schema, "-", stdout=out, output_format="parquet")
    assert pq.read_table(out).equals(TABLE)


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet", "arrow"])
@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
def test_a_full_standard_output_is_told(file_format):
    with FULL.open("wb", buffering=0) as full, pytest.raises(TransientError, match="no room left"):
        write_rows(TABLE.to_batches(), TABLE.schema, "-", stdout=full, output_format=file_format)


def test_dictionaries_that_differ_are_written_as_what_they_stand_for(tmp_path):
    parts = [pa.record_batch({"a": pa.array(texts).dictionary_encode()}) for texts in (["x", "y"], ["z", "x"])]
    for suffix in ("arrow", "parquet", "jsonl"):
        assert write_rows(parts, parts[0].schema, tmp_path / f"out.{suffix}").rows == 4
    assert pq.read_table(tmp_path / "out.parquet")["a"].to_pylist() == ["x", "y", "z", "x"]


def test_an_existing_target_is_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("old")
    with pytest.raises(TargetError, match="exists already"):
        check_target(path)
    with pytest.raises(TargetError, match="exists already"):
        write_rows(TABLE.to_batches(), TABLE.schema, path)
    assert path.read_text() == "old"
    check_target(path, overwrite=True)
    write_rows(TABLE.to_batches(), TABLE.schema, path, overwrite=True)
    assert path.read_text() != "old"


@pytest.mark.parametrize(
    "target, reason",
    [
        ("out.tsv", "no format of joined rows; use one of .parquet, .jsonl, .csv, .arrow"),
        ("out", "no format"),
        ("out.parquet.gz", "compressed inside"),
        ("no/out.csv", "folder does not exist"),
        ("gs://bucket/out.csv", "not written there"),
    ],
)
def test_what_is_no_target_is_refused_before_any_work(tmp_path, monkeypatch, target, reason):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError, match=reason):
        check_target(target)


def test_a_type_that_the_format_cannot_hold_is_refused_before_any_row(tmp_path):
    schema = pa.schema({"a": pa.struct([])})
    with pytest.raises(TargetError, match="cannot hold"):
        write_rows(iter_none(), schema, tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())


def iter_none():
    raise AssertionError("a row was asked for")
    yield


def test_other_tools_read_what_is_compressed(tmp_path):
    write_rows(TABLE.to_batches(), TABLE.schema, tmp_path / "out.csv.gz")
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == b"key,n\r\nr-1,1\r\nr-2,\r\n"
