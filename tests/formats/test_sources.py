import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import pytest

from geminate.adapters.folder import FolderStore
from geminate.errors import AccessError, PromptError, UsageError
from geminate.formats.options import PromptOptions
from geminate.formats.prompts import open_prompts
from geminate.formats.sources import SourceIdentity

ONE, TWO = '{"a":1}\n', '{"a":2}\n'


@pytest.fixture
def store(tmp_path):
    store = FolderStore(tmp_path / "buckets")
    for name, line in (("p/one.jsonl", ONE), ("p/two.jsonl", TWO), ("p/below/three.jsonl", '{"a":3}\n')):
        store.write(f"gs://bucket/{name}", [line.encode()])
    return store


def test_a_pattern_is_its_files_in_the_order_of_their_names(put, rows, tmp_path):
    put("b.jsonl", TWO), put("a.jsonl", ONE), put("c.csv", "a\nx\n")
    (tmp_path / "folder.jsonl").mkdir()
    assert rows(f"{tmp_path}/*.jsonl") == [{"a": 1}, {"a": 2}]
    assert rows([str(tmp_path / "b.jsonl"), tmp_path / "a.jsonl"]) == [{"a": 2}, {"a": 1}]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(put, rows):
    put("a1.jsonl", ONE)
    assert rows(str(put("a[1].jsonl", TWO))) == [{"a": 2}]


@pytest.mark.parametrize(
    "name, reason",
    [
        ("prompt.jsonl", "does not exist; did you mean prompts.jsonl\\?"),
        ("other.csv", "does not exist$"),
        ("no/such/folder.csv", "does not exist$"),
        ("*.csv", "no file matches"),
        (".", r"is a folder; name its files"),
        ("notes.txt", r"known are \.jsonl, .* each also with \.gz or \.zst"),
    ],
)
def test_what_cannot_be_found_is_named_with_what_to_do(put, tmp_path, name, reason):
    put("prompts.jsonl", ONE), put("notes.txt", "")
    with pytest.raises(PromptError, match=reason):
        open_prompts(str(tmp_path / name))


@pytest.mark.parametrize("name", ["s3://bucket/p.jsonl", "https://example.invalid/p.jsonl"])
def test_other_schemes_are_no_files(name):
    with pytest.raises(UsageError, match="not read from there"):
        open_prompts(name)


def test_what_may_not_be_read_is_no_input_error(put, monkeypatch):
    path = put("p.jsonl", ONE)
    path.chmod(0)
    if os.access(path, os.R_OK):  # The superuser may read all, so the refusal is made up.
        monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(AccessError, match="may not be read"):
        open_prompts(path)


def refuse(*_):
    raise PermissionError


def test_the_format_can_be_named(put, rows):
    assert rows(put("p.txt", "a\n1\n"), PromptOptions(input_format="csv")) == [{"a": "1"}]


def test_the_standard_input_is_json_lines_unless_said_otherwise(rows, monkeypatch):
    assert rows("-", stdin=io.BytesIO(ONE.encode())) == [{"a": 1}]
    assert rows("-", PromptOptions(input_format="tsv"), stdin=io.BytesIO(b"a\tb\n1\t2\n")) == [{"a": "1", "b": "2"}]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TWO.encode())))
    assert rows(["-"]) == [{"a": 2}]


def test_a_pipe_is_read_once_and_kept(tmp_path):
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as other:
        other.submit(path.write_text, ONE + TWO)
        prompts = open_prompts(path)
    for _ in range(2):
        (record_batch,) = prompts.iter_record_batches()
        assert record_batch.to_pylist() == [{"a": 1}, {"a": 2}]


def test_a_name_that_cannot_be_one_is_an_input_error():
    with pytest.raises(PromptError, match="cannot be read"):
        open_prompts("x" * 5000 + ".jsonl")


def test_the_standard_input_can_be_given_once():
    with pytest.raises(UsageError, match="only once"):
        open_prompts(["-", "-"], stdin=io.BytesIO(ONE.encode()))


@pytest.mark.parametrize(
    "uri, found",
    [
        ("gs://bucket/p/two.jsonl", [2]),
        ("gs://bucket/p/*.jsonl", [1, 2]),
        ("gs://bucket/p/**/*.jsonl", [3, 1, 2]),
        ("gs://bucket/p/[!t]*.jsonl", [1]),
        ("gs://bucket/?/t?o.jsonl", [2]),
    ],
)
def test_objects_are_read_through_the_store(store, rows, uri, found):
    assert [row["a"] for row in rows(uri, store=store)] == found


@pytest.mark.parametrize(
    "uri, reason",
    [
        ("gs://bucket/p/tow.jsonl", "does not exist; did you mean two.jsonl"),
        ("gs://bucket/p/*.csv", "no object matches"),
        ("gs://bucket/p/", "does not exist"),
    ],
)
def test_objects_that_are_not_there_are_named(store, uri, reason):
    with pytest.raises(PromptError, match=reason):
        open_prompts(uri, store=store)


def test_objects_need_a_store():
    with pytest.raises(UsageError, match="pass one as store"):
        open_prompts("gs://bucket/p.jsonl")


def test_the_identity_is_of_the_bytes_as_they_are_stored(put, store):
    path = put("p.jsonl", ONE)
    file = SourceIdentity(str(path), len(ONE), google_crc32c.value(ONE.encode()))
    item = SourceIdentity("gs://bucket/p/two.jsonl", len(TWO), google_crc32c.value(TWO.encode()))
    assert open_prompts([path, item.uri], store=store).identity == (file, item)


def test_a_temporary_copy_goes_with_its_prompts(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    prompts = open_prompts("-", stdin=io.BytesIO(ONE.encode()))
    assert len(list(tmp_path.iterdir())) == 1
    del prompts
    assert not list(tmp_path.iterdir())
