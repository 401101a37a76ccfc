import os
import subprocess
import sys

import pyarrow as pa
import pytest

from geminate.errors import PromptError, UsageError
from geminate.formats.options import PromptOptions
from geminate.formats.prompts import open_prompts


def test_columns_that_a_source_lacks_are_null_and_types_are_widened(put, rows):
    sources = [pa.table({"a": pa.array([1], pa.int32())}), put("p.jsonl", '{"b":"x","a":2}\n'), put("p.csv", "b\ny\n")]
    assert open_prompts(sources).schema == pa.schema({"a": pa.int64(), "b": pa.string()})
    assert rows(sources) == [{"a": 1, "b": None}, {"a": 2, "b": "x"}, {"a": None, "b": "y"}]


def test_json_columns_are_typed_over_all_json_sources(put, rows):
    sources = [put("1.jsonl", '{"a":1}\n'), put("2.json", '[{"a":"x"}]')]
    assert rows(sources) == [{"a": "1"}, {"a": "x"}]


def test_types_without_a_lossless_one_in_common_are_named(put):
    path = put("p.csv", "a\n1\n")
    with pytest.raises(PromptError, match=f"column 'a' is int64 in <memory> and string in {path}"):
        open_prompts([pa.table({"a": [1]}), path])


def test_rows_are_located_in_their_own_files(put):
    one, two, three = put("1.jsonl", '\n{"a":1}\n\n{"a":2}\n'), put("2.csv", "b\nx\ny\n"), put("3.json", '[{"a":5}]')
    prompts = open_prompts([one, two, three])
    with pytest.raises(IndexError):
        prompts.locate(0)
    list(prompts.iter_record_batches())
    found = [prompts.locate(row) for row in range(5)]
    assert found == [(str(one), 2), (str(one), 4), (str(two), 1), (str(two), 2), (str(three), 1)]
    with pytest.raises(IndexError):
        prompts.locate(5)


def test_selected_rows_are_located_where_they_came_from(put):
    path = put("p.jsonl", "".join(f'{{"a":{number}}}\n\n' for number in range(3000)))
    prompts = open_prompts(path, options=PromptOptions(where="a % 7 = 3", sample=50, seed=1))
    table = pa.Table.from_batches(prompts.iter_record_batches())
    for row, a in enumerate(table["a"].to_pylist()):
        assert a % 7 == 3
        assert prompts.locate(row) == (str(path), 2 * a + 1)


def test_two_readings_at_once_do_not_disturb_each_other(put):
    path = put("p.jsonl", "".join(f'{{"a":{number}}}\n\n' for number in range(100)))
    prompts = open_prompts(path, options=PromptOptions(max_record_batch_rows=10))
    ahead, behind = prompts.iter_record_batches(), prompts.iter_record_batches()
    for _ in range(10):
        next(ahead)
        next(behind)
    assert [prompts.locate(row)[1] for row in (0, 10, 99)] == [1, 21, 199]


def test_record_batches_keep_to_the_bounds_whatever_the_rows_are(put):
    sizes = [10, 10, 10, 5000, 10, 900, 900, 10] * 100
    path = put("p.jsonl", "".join(f'{{"t":"{"x" * size}"}}\n' for size in sizes))
    options = PromptOptions(max_record_batch_bytes=2000, max_record_batch_rows=3)
    record_batches = list(open_prompts(path, options=options).iter_record_batches())
    assert [len(t) for b in record_batches for t in b.column("t").to_pylist()] == sizes
    assert all(0 < b.num_rows <= 3 and (b.nbytes <= 2000 or b.num_rows == 1) for b in record_batches)
    assert all(b.column("t").offset == 0 or b.num_rows for b in record_batches)


def test_limit_takes_the_first_rows_of_all_sources(put, rows):
    sources = [put("1.jsonl", '{"a":1}\n{"a":2}\n'), put("2.jsonl", '{"a":3}\n{"a":4}\n')]
    for limit in range(6):
        assert [row["a"] for row in rows(sources, PromptOptions(limit=limit))] == [1, 2, 3, 4][:limit]
    assert [row["a"] for row in rows(sources, PromptOptions(limit=1, where="a > 2"))] == [3]


def test_a_sample_is_in_input_order_and_does_not_depend_on_how_rows_are_cut(rows):
    table = pa.table({"a": range(5000)})
    whole = rows(table, PromptOptions(sample=100, seed=7))
    cut = rows([table[:1], table[1:]], PromptOptions(sample=100, seed=7))
    assert whole == cut
    assert [row["a"] for row in whole] == sorted({row["a"] for row in whole})
    assert len(whole) == 100
    assert whole != rows(table, PromptOptions(sample=100, seed=8))


@pytest.mark.parametrize("wrong", [{"limit": -1}, {"max_record_batch_rows": 0}, {"input_format": "xml"}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        PromptOptions(**wrong)


def test_neither_polars_nor_google_is_loaded_until_needed(put):
    code = (
        "import sys; from geminate.formats.prompts import open_prompts; import geminate.formats.rows;"
        "list(open_prompts(sys.argv[1]).iter_record_batches());"
        "print([m for m in sys.modules if m.split('.')[0] in ('polars', 'google', 'google_crc32c')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(put("p.jsonl", '{"a":1}\n'))], capture_output=True, check=True, env=os.environ
    )
    assert run.stdout.strip() == b"[]"
