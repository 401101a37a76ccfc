import gzip
import io

import pyarrow as pa
import pytest

from geminate.errors import PromptError
from geminate.formats.prompts import open_prompts
from geminate.formats.rows import write_rows

LINES = b"".join(b'{"a":%d}\n' % number for number in range(1000))


def zstd(data):
    frame = pa.BufferOutputStream()
    with pa.CompressedOutputStream(frame, "zstd") as stream:
        stream.write(data)
    return frame.getvalue().to_pybytes()


COMPRESS = {"gz": gzip.compress, "zst": zstd}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_members_and_frames_follow_each_other(put, rows, suffix):
    path = put(f"p.jsonl.{suffix}", COMPRESS[suffix](LINES[:500]) + COMPRESS[suffix](LINES[500:]))
    assert [row["a"] for row in rows(path)] == list(range(1000))


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("kept", [4, 40, -1])
def test_a_file_that_is_cut_off_is_an_error(put, suffix, kept):
    path = put(f"p.jsonl.{suffix}", COMPRESS[suffix](LINES)[:kept])
    with pytest.raises(PromptError, match="its compressed data ends early") as caught:
        open_prompts(path)
    assert caught.value.where == str(path)


def test_damaged_data_is_an_error(put):
    data = bytearray(gzip.compress(LINES))
    data[-8] ^= 1  # The checksum of the content.
    with pytest.raises(PromptError, match="incorrect data check"):
        open_prompts(put("p.jsonl.gz", bytes(data)))


def test_bytes_tell_more_than_the_name(put, rows):
    assert len(rows(put("p.jsonl.gz", LINES))) == 1000
    assert len(rows(put("p.jsonl", gzip.compress(LINES)))) == 1000


@pytest.mark.parametrize("name", ["p.json.gz", "p.csv.gz", "p.tsv.gz"])
def test_every_text_format_may_be_compressed(put, rows, name):
    content = b'[{"a":"1"}]' if "json" in name else b"a\n1\n"
    assert rows(put(name, gzip.compress(content))) == [{"a": "1"}]


@pytest.mark.parametrize("suffix", ["parquet.gz", "arrow.zst"])
def test_tables_may_be_compressed(put, rows, suffix):
    table = pa.table({"a": [1, 2]})
    written = io.BytesIO()
    file_format, compression = suffix.split(".")
    write_rows(table.to_batches(), table.schema, "-", output_format=file_format, stdout=written)
    assert rows(put(f"p.{suffix}", COMPRESS[compression](written.getvalue()))) == table.to_pylist()
