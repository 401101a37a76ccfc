"""What each format can carry from ``write_rows`` to ``open_prompts``, as properties."""

import datetime as dt
import math
import tempfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.formats.options import PromptOptions
from geminate.formats.prompts import open_prompts
from geminate.formats.rows import write_rows

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), min_size=1, max_size=4)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
floats = st.floats(allow_nan=False, allow_infinity=False)
int64s = st.integers(-(2**63), 2**63 - 1)
moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 -- the strategy adds the zone.

JSON_TYPES = {
    pa.bool_(): st.booleans(),
    pa.int64(): int64s,
    pa.float64(): floats,
    pa.string(): texts,
    pa.list_(pa.string()): st.lists(texts, min_size=1, max_size=3),
    pa.struct({"k": pa.int64(), "l": pa.string()}): st.fixed_dictionaries({"k": int64s, "l": texts}),
}
EXACT_TYPES = JSON_TYPES | {
    pa.float32(): st.floats(allow_nan=False, allow_infinity=False, width=32),
    pa.timestamp("us", "UTC"): moments,
    pa.date32(): st.dates(),
    pa.decimal128(6, 2): st.decimals(-1000, 1000, places=2),
    pa.binary(): st.binary(max_size=5),
    pa.map_(pa.string(), pa.int64()): st.lists(st.tuples(texts, int64s), max_size=2),
    pa.list_(pa.list_(pa.int64())): st.lists(st.none() | st.lists(st.none() | int64s, max_size=2), max_size=2),
}


@st.composite
def tables(draw, types, *, least_columns=1):
    columns = draw(st.lists(names, min_size=least_columns, max_size=4, unique=True))
    rows = draw(st.integers(1, 6))
    arrays = []
    for _ in columns:
        type_ = draw(st.sampled_from(list(types)))
        cells = draw(st.lists(st.none() | types[type_], min_size=rows, max_size=rows))
        arrays.append(pa.array(cells, type_))
    return pa.Table.from_arrays(arrays, names=columns)


def trip(table, suffix, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"p.{suffix}"
        write_rows(table.to_batches(max_chunksize=2), table.schema, path, **options)
        prompts = open_prompts(path, options=PromptOptions(max_record_batch_rows=3))
        return pa.Table.from_batches(prompts.iter_record_batches(), prompts.schema)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@given(table=tables(EXACT_TYPES))
@settings(max_examples=40)
def test_tables_come_back_exactly(table, suffix):
    assert trip(table, suffix).equals(table)


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst"])
@given(table=tables(JSON_TYPES))
@settings(max_examples=40)
def test_json_lines_carry_what_json_has_types_for(table, suffix):
    back = trip(table, suffix)
    assert back.to_pylist() == table.to_pylist()
    for was, now in zip(table.schema, back.schema, strict=True):
        # A column, list or member without a value has no type to come back.
        assert now.type == was.type or "null" in str(now.type)


@given(table=tables(EXACT_TYPES))
@settings(max_examples=40)
def test_json_lines_carry_the_text_of_everything_else(table):
    for was, now in zip(table.to_pylist(), trip(table, "jsonl").to_pylist(), strict=True):
        assert was.keys() == now.keys()
        for cell, text in zip(was.values(), now.values(), strict=True):
            assert (cell is None) == (text is None)
            if isinstance(cell, float):
                assert math.isclose(
                    float(text), cell, rel_tol=1e-6, abs_tol=1e-45
                )  # The least that 32 bits tell apart.
            if isinstance(cell, Decimal):
                assert Decimal(text) == cell
            if isinstance(cell, dt.datetime):
                assert dt.datetime.fromisoformat(text) == cell


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
@given(table=tables({pa.string(): texts}, least_columns=2))
@settings(max_examples=40)
def test_csv_carries_text_and_tells_null_from_empty(table, suffix):
    assert trip(table, suffix, guard_formulas=False).equals(table)


@given(table=tables({pa.string(): texts}, least_columns=2))
@settings(max_examples=40)
def test_the_guard_adds_an_apostrophe_and_nothing_else(table):
    for was, now in zip(table.to_pylist(), trip(table, "csv").to_pylist(), strict=True):
        for cell, text in zip(was.values(), now.values(), strict=True):
            assert text in (cell, f"'{cell}")


@given(cells=st.lists(st.none() | texts, min_size=1, max_size=5))
@settings(max_examples=40)
def test_a_csv_of_one_column_keeps_its_rows_but_not_its_nulls(cells):
    table = pa.table({"a": pa.array(cells, pa.string())})
    assert trip(table, "csv", guard_formulas=False)["a"].to_pylist() == [cell or "" for cell in cells]
