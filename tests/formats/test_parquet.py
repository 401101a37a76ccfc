import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geminate.errors import PromptError
from geminate.formats.options import PromptOptions
from geminate.formats.prompts import open_prompts

TABLE = pa.table({"id": range(5000), "t": [f"text {number}" for number in range(5000)]})


@pytest.mark.parametrize("row_group_size", [100, 5000])
def test_rows_come_in_order_and_bounded_whatever_the_row_groups(tmp_path, row_group_size):
    path = tmp_path / "p.parquet"
    pq.write_table(TABLE, path, row_group_size=row_group_size)
    prompts = open_prompts(path, options=PromptOptions(max_record_batch_bytes=20_000))
    record_batches = list(prompts.iter_record_batches())
    assert pa.Table.from_batches(record_batches).equals(TABLE)
    assert max(record_batch.nbytes for record_batch in record_batches) <= 20_000
    assert prompts.locate(4999) == (str(path), 5000)


def test_a_long_text_that_repeats_is_not_taken_for_a_short_one(tmp_path):
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"t": ["x" * 30_000] * 3000}), path)  # A few kilobytes, since it is stored once.
    sizes = [b.nbytes for b in open_prompts(path).iter_record_batches()]
    assert max(sizes) <= 16 * 1024**2
    assert sum(sizes) > 90_000_000


def test_dictionaries_are_undone_and_metadata_is_kept(tmp_path, rows):
    path = tmp_path / "p.parquet"
    table = pa.table({"d": pa.array(["x", "y", "x"]).dictionary_encode()}).replace_schema_metadata({"origin": "here"})
    pq.write_table(table, path)
    schema = open_prompts(path).schema
    assert (schema.field("d").type, schema.metadata[b"origin"]) == (pa.string(), b"here")
    assert [row["d"] for row in rows(path)] == ["x", "y", "x"]


@pytest.mark.parametrize("damage", [lambda b: b[:-20], lambda b: b[:8] + bytes(80) + b[88:], lambda _: b"a,b\n"])
def test_a_damaged_file_is_an_error(put, tmp_path, damage):
    path = tmp_path / "p.parquet"
    pq.write_table(TABLE, path, compression="snappy")
    put("p.parquet", damage(path.read_bytes()))
    with pytest.raises(PromptError, match="cannot be read") as caught:
        list(open_prompts(path).iter_record_batches())
    assert caught.value.where == str(path)
