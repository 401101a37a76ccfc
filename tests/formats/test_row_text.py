import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.formats.row_text import encode_csv, encode_json_lines

NOON = dt.datetime(2026, 1, 2, 12, 30, tzinfo=dt.UTC)
UB = pa.struct({"u": pa.uint64(), "b": pa.binary()})
BERLIN = pa.timestamp("ms", "Europe/Berlin")


@pytest.mark.parametrize(
    "column, cells",
    [
        (pa.array([NOON, None], BERLIN), ["2026-01-02T12:30:00.000Z", None]),
        (pa.array([1], pa.timestamp("ns", "UTC")), ["1970-01-01T00:00:00.000000001Z"]),
        (pa.array([0], pa.timestamp("s")), ["1970-01-01T00:00:00"]),
        (pa.array([1], pa.date32()), ["1970-01-02"]),
        (pa.array([1], pa.time64("us")), ["00:00:00.000001"]),
        (pa.array([90, None], pa.duration("s")), ["PT90S", None]),
        (pa.array(["1.10"]).cast(pa.decimal128(5, 2)), ["1.10"]),
        (pa.array([b"\x00\xff", None]), ["AP8=", None]),
        (pa.array([b"ab"], pa.binary(2)), ["YWI="]),
        (pa.array([np.float16(1.5), None], pa.float16()), [1.5, None]),
        (pa.array([float("nan"), float("inf"), 0.1]), [None, None, 0.1]),
        (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
        (pa.array(['{"a": 1}', "\u2028\0"]), ['{"a": 1}', "\u2028\0"]),
        (pa.array([{"k": [1, None]}, None]), [{"k": [1, None]}, None]),
        (pa.array([[NOON], None], pa.list_(pa.timestamp("ns", "UTC"))), [["2026-01-02T12:30:00Z"], None]),
        (pa.array([{"b": b"ab"}], pa.struct({"b": pa.binary(), "d": pa.date32()})), [{"b": "YWI=", "d": None}]),
        (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), [[{"key": "k", "value": 1}], None]),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [[1, 2]]),
        (pa.array([{"u": 1, "b": b""}, {"u": 2**64 - 1}], UB), [{"u": 1, "b": ""}, {"u": 2**64 - 1, "b": None}]),
        (pa.nulls(1), [None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)  # fmt: skip
def test_every_type_has_its_text(column, cells):
    lines = encode_json_lines(pa.record_batch([column], names=["c"])).splitlines()
    assert [json.loads(line)["c"] for line in lines] == cells


def test_every_column_is_on_every_line():
    record_batch = pa.record_batch({"a": [None, 1], "b": ["x", None]})
    assert encode_json_lines(record_batch) == b'{"a":null,"b":"x"}\n{"a":1,"b":null}\n'


def test_slices_are_written_as_what_they_show():
    record_batch = pa.record_batch({"a": [1, 2, 3], "l": [[b"x"], None, [b"y"]], "s": [{"k": 1}, {"k": 2}, None]})[1:]
    assert encode_json_lines(record_batch) == b'{"a":2,"l":null,"s":{"k":2}}\n{"a":3,"l":["eQ=="],"s":null}\n'


def test_csv_cells_are_quoted_where_they_must_be():
    record_batch = pa.record_batch({"a": ["x", "", None, 'q"', "l\n"], "b": [[1], None, [], [2], [0]]})
    assert encode_csv(record_batch, header=True, guard_formulas=True).decode().split("\r\n") == [
        "a,b", "x,[1]", '"",', ",[]", '"q""",[2]', '"l\n",[0]', "",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\ta", "\ra"])
def test_formulas_in_text_are_guarded_unless_told_not_to(text):
    record_batch = pa.record_batch({"a": [text, "a" + text, None], "b": [-1, 1, None]})
    guarded = encode_csv(record_batch, header=False, guard_formulas=True).decode()
    assert guarded.lstrip('"').startswith("'" + text)
    assert ",-1\r\n" in guarded
    plain = encode_csv(record_batch, header=False, guard_formulas=False).decode()
    assert guarded.replace("'", "", 1) == plain


@given(st.lists(st.text() | st.none(), min_size=1, max_size=5))
def test_a_guarded_cell_never_begins_as_a_formula(texts):
    column = pa.array(texts, pa.string())
    cells = encode_csv(pa.record_batch({"a": column, "b": column}), header=False, guard_formulas=True)
    assert not cells.startswith((b"=", b"+", b"-", b"@", b"\t", b"\r", b'"\t', b'"\r'))
