import io
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.formats.row_groups import write_row_groups

VALUES = {
    pa.string(): st.text(max_size=20),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.binary(): st.binary(max_size=9),
    pa.decimal128(12, 3): st.integers(-(10**9), 10**9).map(lambda value: Decimal(value).scaleb(-3)),
    pa.timestamp("us", "UTC"): st.integers(-(2**50), 2**52),
    pa.list_(pa.int64()): st.lists(st.integers(0, 9), max_size=3),
    pa.struct({"name": pa.string(), "args": pa.list_(pa.string())}): st.fixed_dictionaries(
        {"name": st.text(max_size=3), "args": st.lists(st.text(max_size=3), max_size=2)}
    ),
}


@st.composite
def tables_in_groups(draw):
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=20))
    metadata = draw(st.sampled_from([None, {"owner": "a team"}]))
    schema = pa.schema(
        [pa.field(f"column {at}", kind, metadata=metadata) for at, kind in enumerate(kinds)], metadata=metadata
    )
    groups = []
    for rows in draw(st.lists(st.integers(1, 6), max_size=20)):
        columns = [draw(st.lists(st.none() | VALUES[kind], min_size=rows, max_size=rows)) for kind in kinds]
        arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
        groups.append(pa.Table.from_arrays(arrays, schema=schema))
    return schema, groups


def put_together(groups, schema):
    file = io.BytesIO()
    write_row_groups(iter(groups), schema, file.write)
    return file.getvalue()


def written_by_arrow(groups, schema):
    file = io.BytesIO()
    with pq.ParquetWriter(file, schema, compression="zstd", compression_level=3) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=len(group))
    return file.getvalue()


@settings(max_examples=100, deadline=None)
@given(tables_in_groups())
def test_the_file_is_to_the_byte_the_one_that_arrow_writes_alone(case):
    schema, groups = case
    assert put_together(groups, schema) == written_by_arrow(groups, schema)


def test_another_reader_finds_every_row():
    groups = [pa.table({"at": [group * 10 + row for row in range(10)]}) for group in range(40)]
    file = put_together(groups, groups[0].schema)
    assert pl.read_parquet(io.BytesIO(file))["at"].to_list() == list(range(400))


def test_what_makes_the_groups_may_fail_and_is_heard():
    def groups():
        yield pa.table({"at": [1]})
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        put_together(groups(), pa.schema({"at": pa.int64()}))


def test_a_type_that_parquet_cannot_hold_is_refused_before_anything_is_written():
    written = []
    with pytest.raises(pa.ArrowException):
        write_row_groups(iter(()), pa.schema({"none": pa.struct([])}), written.append)
    assert not written
