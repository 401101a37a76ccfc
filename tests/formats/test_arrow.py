import pyarrow as pa
import pytest

from geminate.errors import PromptError
from geminate.formats.prompts import open_prompts

TABLE = pa.table({"id": range(100), "t": [f"text {number}" for number in range(100)]})
WRITERS = {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}


@pytest.fixture(params=WRITERS)
def path(request, tmp_path):
    path = tmp_path / "p.arrow"
    with WRITERS[request.param](str(path), TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=30)
    return path


def test_both_formats_are_read(path, rows):
    assert rows(path) == TABLE.to_pylist()


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda _: b"hello", lambda _: b""])
def test_a_damaged_file_is_an_error(path, put, damage):
    put("p.arrow", damage(path.read_bytes()))
    with pytest.raises(PromptError, match="cannot be read") as caught:
        list(open_prompts(path).iter_record_batches())
    assert caught.value.where == str(path)


def test_text_that_is_none_is_refused_before_it_is_used(path, put):
    put("p.arrow", path.read_bytes().replace(b"text 7text", b"text \xfftext"))
    with pytest.raises(PromptError, match="UTF8"):
        list(open_prompts(path).iter_record_batches())
