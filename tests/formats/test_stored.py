"""Prompts in a store: read from there, by ranges of one generation, without a copy."""

import gzip
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.adapters.folder import FolderStore
from geminate.errors import PromptError, TransientError
from geminate.formats import parquet, stored
from geminate.formats.prompts import open_prompts

ROWS = [{"key": f"k{n}", "text": f"line {n} " * (n % 40), "number": n} for n in range(5_000)]
TEXTS = [{name: str(value) for name, value in row.items()} | {"text": row["text"] or None} for row in ROWS]
URI = "gs://bucket/prompts"


class CountingStore(FolderStore):
    """A store that counts the bytes it hands out."""

    def __init__(self, root):
        super().__init__(root)
        self.read_bytes = 0
        self.error = None

    def read(self, info, start=0, stop=None):
        for piece in super().read(info, start, stop):
            if self.error:
                raise self.error
            self.read_bytes += len(piece)
            yield piece


@pytest.fixture
def store(tmp_path):
    return CountingStore(tmp_path / "buckets")


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(stored, "_END_BYTES", 4_000)
    monkeypatch.setattr(stored, "_BLOCK_BYTES", 10_000)
    return folder


def write(store, suffix, rows=ROWS):
    if suffix == ".parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=700, data_page_size=2_000, compression="none")
        data = sink.getvalue().to_pybytes()
    elif suffix.startswith(".csv"):
        data = ("key,text,number\n" + "".join(",".join(map(str, row.values())) + "\n" for row in rows)).encode()
    else:
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if suffix.endswith(".gz"):
        data = gzip.compress(data)
    store.write(URI + suffix, [data])
    return len(data)


def rows_of(prompts):
    return [row for record_batch in prompts.iter_record_batches() for row in record_batch.to_pylist()]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz"])
def test_objects_are_read_as_often_as_wanted_without_a_copy(store, temporary, suffix):
    write(store, suffix)
    prompts = open_prompts(URI + suffix, store=store)
    expected = TEXTS if "csv" in suffix else ROWS
    assert rows_of(prompts) == expected
    assert rows_of(prompts) == expected
    assert list(temporary.iterdir()) == []


def test_json_rows_that_do_not_fit_into_memory_are_read_again(store, temporary, monkeypatch):
    monkeypatch.setattr("geminate.formats.kept_rows._MEMORY_BYTES", 1_000)
    size = write(store, ".jsonl")
    prompts = open_prompts(f"{URI}.jsonl", store=store)
    first = store.read_bytes
    assert rows_of(prompts) == ROWS
    assert store.read_bytes - first >= size
    assert list(temporary.iterdir()) == []


def test_some_columns_of_parquet_are_read_without_the_others(store):
    size = write(store, ".parquet")
    prompts = open_prompts(f"{URI}.parquet", store=store)
    keys = [key for part in prompts.iter_columns(["key"]) for key in part["key"].to_pylist()]
    assert keys == [row["key"] for row in ROWS]
    assert store.read_bytes < size / 2


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_lines_are_read_again_instead_of_being_put_by(store, monkeypatch, suffix):
    monkeypatch.setattr("geminate.formats.kept_rows._MEMORY_BYTES", 0)
    size = write(store, suffix)
    prompts = open_prompts(URI + suffix, store=store)
    assert prompts.columnar_bytes == size
    parts = list(prompts.iter_columns(["number", "key"]))
    assert {tuple(part.schema.names) for part in parts} == {("number", "key")}
    assert [key for part in parts for key in part["key"].to_pylist()] == [row["key"] for row in ROWS]
    # Nobody knows how long the rows of packed lines are.
    write(store, f"{suffix}.gz")
    assert open_prompts(f"{URI}{suffix}.gz", store=store).columnar_bytes is None


def test_wide_parquet_is_fetched_about_once(store, monkeypatch):
    monkeypatch.setattr(stored, "_BLOCK_BYTES", 2 << 20)
    chance = random.Random(1)
    rows = [{f"c{column}": chance.randbytes(100) for column in range(100)} for _ in range(3_000)]
    size = write(store, ".parquet", rows)
    prompts = open_prompts(f"{URI}.parquet", store=store)
    assert sum(part.num_rows for part in prompts.iter_record_batches()) == 3_000
    assert store.read_bytes < 1.5 * size


@pytest.mark.parametrize("row_groups", [1, 3])
@pytest.mark.parametrize("number", [1, 10, 20, 60, 120])
def test_parquet_of_columns_longer_than_what_is_kept_is_fetched_once(store, monkeypatch, number, row_groups):
    # A fiftieth of what they are, as are the columns of 20 MB.
    monkeypatch.setattr(stored, "_BLOCK_BYTES", 20_000)
    monkeypatch.setattr(parquet, "_BUFFER_BYTES", 20_000)
    monkeypatch.setattr(parquet, "_STEP_BYTES", 80_000)
    chance = random.Random(number)
    columns = [pa.py_buffer(chance.randbytes(400_000)) for _ in range(number)]
    table = pa.table({f"c{n}": pa.Array.from_buffers(pa.binary(100), 4_000, [None, c]) for n, c in enumerate(columns)})
    sink = pa.BufferOutputStream()
    how = {"use_dictionary": False, "compression": "none", "data_page_size": 5_000}
    pq.write_table(table, sink, row_group_size=4_000 // row_groups, **how)
    size = len(sink.getvalue())
    store.write(f"{URI}.parquet", [sink.getvalue().to_pybytes()])
    prompts = open_prompts(f"{URI}.parquet", store=store)
    before = store.read_bytes
    assert pa.Table.from_batches(list(prompts.iter_record_batches())) == table
    assert store.read_bytes - before < 1.2 * size


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_an_object_that_changed_since_it_was_looked_at_is_told(store, monkeypatch, suffix):
    monkeypatch.setattr("geminate.formats.kept_rows._MEMORY_BYTES", 0)
    write(store, suffix)
    prompts = open_prompts(URI + suffix, store=store)
    rows_of(prompts)
    store.delete(store.stat(URI + suffix))
    write(store, suffix, ROWS[1:])
    with pytest.raises(PromptError, match=rf"^gs://bucket/prompts\{suffix}: changed, or was removed"):
        rows_of(prompts)


def test_pages_of_parquet_that_came_damaged_are_told_by_their_checksums(store):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(ROWS), sink, compression="none", use_dictionary=False, write_page_checksum=True)
    store.write(f"{URI}.parquet", [sink.getvalue().to_pybytes().replace(b"line 1234", b"lime 1234", 1)])
    with pytest.raises(PromptError, match=r"cannot be read .*CRC"):
        rows_of(open_prompts(f"{URI}.parquet", store=store))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl.gz"])
def test_a_store_that_does_not_answer_is_no_fault_of_the_prompts(store, monkeypatch, suffix):
    monkeypatch.setattr("geminate.formats.kept_rows._MEMORY_BYTES", 0)
    write(store, suffix)
    prompts = open_prompts(URI + suffix, store=store)
    store.error = TransientError("Cloud Storage did not answer")
    with pytest.raises(TransientError, match="did not answer"):
        rows_of(prompts)


@settings(max_examples=40)
@given(
    size=st.integers(0, 30_000), reads=st.lists(st.tuples(st.integers(0, 40_000), st.integers(-1, 25_000)), max_size=8)
)
def test_a_ranged_file_reads_like_any_other(tmp_path_factory, size, reads):
    data = random.Random(size).randbytes(size)
    store = FolderStore(tmp_path_factory.mktemp("buckets"))
    file = stored.StoredBytes(store, store.write("gs://bucket/a", [data])).open_random()
    for place, length in reads:
        assert file.seek(place) == place
        assert file.read(length) == (data[place:] if length < 0 else data[place : place + length])
        assert file.tell() == max(place, min(size, place + length) if length >= 0 else size)
    assert file.seek(-min(size, 3), 2) == size - min(size, 3)
    file.close()
