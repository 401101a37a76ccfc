import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from geminate.errors import InputError
from geminate.formats.table_rows import encode_table_rows, table_fields

ROW = {
    "text": (pa.string(), 'a "b"\n', "STRING", 'a "b"\n'),
    "flag": (pa.bool_(), True, "BOOLEAN", True),
    "count": (pa.int64(), 2**63 - 1, "INTEGER", 2**63 - 1),
    "wide": (pa.uint64(), 2**64 - 1, "NUMERIC", 2**64 - 1),
    "share": (pa.float64(), 0.5, "FLOAT", 0.5),
    "price": (pa.decimal128(38, 9), Decimal("1.5"), "NUMERIC", "1.500000000"),
    "huge": (pa.decimal128(38, 10), Decimal("1.5"), "STRING", "1.5000000000"),
    "day": (pa.date32(), date(2026, 11, 22), "DATE", "2026-11-22"),
    "at": (
        pa.timestamp("ns", "UTC"),
        datetime(2026, 11, 22, 1, tzinfo=UTC),
        "TIMESTAMP",
        "2026-11-22T01:00:00.000000Z",
    ),
    "local": (pa.timestamp("us"), datetime(2026, 11, 22, 1), "STRING", "2026-11-22T01:00:00.000000"),  # noqa: DTZ001
    "bytes": (pa.binary(), b"\0\1", "BYTES", "AAE="),
    "list": (pa.list_(pa.int64()), [1, 2], "JSON", [1, 2]),
    "record": (pa.struct({"a": pa.int64()}), {"a": 1}, "JSON", {"a": 1}),
}


@pytest.mark.parametrize("name", ROW)
def test_every_type_has_a_column_and_a_value_that_a_load_job_takes(name):
    type_, value, kind, written = ROW[name]
    rows = pa.RecordBatch.from_arrays([pa.array([value, None], type_)], names=[name])
    (field,) = table_fields(rows.schema)
    assert field.column.kind == kind
    assert [json.loads(line) for line in encode_table_rows(rows, [field]).splitlines()] == [
        {name: written},
        {name: None},
    ]


@pytest.mark.parametrize("name, legal", [("how sure?", "how_sure_"), ("1st", "_1st"), ("größe", "gr__e"), ("", "_")])
def test_names_are_made_legal(name, legal):
    (field,) = table_fields(pa.schema({name: pa.string()}))
    assert (field.name, field.column.name) == (name, legal)


@pytest.mark.parametrize("names, taken", [(["a b", "a_b"], {}), (["A", "a"], {}), (["Status"], {"status": "another"})])
def test_two_columns_of_one_name_are_refused(names, taken):
    with pytest.raises(InputError, match=r"it would have the name of .*; rename it"):
        table_fields(pa.schema([(name, pa.string()) for name in names]), taken)
