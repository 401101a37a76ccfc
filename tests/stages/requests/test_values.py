import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.requests.values import find_wordless, json_of, parse_json, text_of

HOUR_EAST = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    "cell, data_type, text, json_text",
    [
        ('a "b"\n', pa.string(), 'a "b"\n', '"a \\"b\\"\\n"'),
        ("a", pa.string_view(), "a", '"a"'),
        ("a", pa.dictionary(pa.int8(), pa.string()), "a", '"a"'),
        ("a", pa.json_(pa.string()), "a", '"a"'),
        (-7, pa.int8(), "-7", "-7"),
        (2**64 - 1, pa.uint64(), "18446744073709551615", "18446744073709551615"),
        (0.1, pa.float32(), "0.1", "0.1"),
        (1.0, pa.float64(), "1.0", "1.0"),
        (1e16, pa.float64(), "1e16", "1e16"),
        (-0.0, pa.float16(), "-0.0", "-0.0"),
        (Decimal("1.50"), pa.decimal128(5, 2), "1.50", "1.50"),
        (Decimal("-0.0000001"), pa.decimal128(38, 7), "-0.0000001", "-0.0000001"),
        (Decimal(12300), pa.decimal128(5, -2), "12300", "12300"),
        (True, pa.bool_(), "true", "true"),
        (date(2026, 11, 22), pa.date32(), "2026-11-22", '"2026-11-22"'),
        (time(8, 30), pa.time32("s"), "08:30:00", '"08:30:00"'),
        (time(8, 30, 0, 250_000), pa.time64("us"), "08:30:00.25", '"08:30:00.25"'),
        (datetime(2026, 11, 22, 8, 30), pa.timestamp("us"), "2026-11-22T08:30:00", '"2026-11-22T08:30:00"'),  # noqa: DTZ001 - no zone is the case
        (
            datetime(2026, 11, 22, 8, 30, 10, tzinfo=HOUR_EAST),
            pa.timestamp("ms", "Europe/Berlin"),
            "2026-11-22T07:30:10Z",
            '"2026-11-22T07:30:10Z"',
        ),
        (datetime(2026, 1, 2, tzinfo=UTC), pa.timestamp("ns", "UTC"), "2026-01-02T00:00:00Z", '"2026-01-02T00:00:00Z"'),
        ([1, None], pa.list_(pa.int8()), "[1,null]", "[1,null]"),
        (["a\n"], pa.large_list(pa.string()), '["a\\n"]', '["a\\n"]'),
        ([1.5, 2], pa.list_(pa.float64(), 2), "[1.5,2.0]", "[1.5,2.0]"),
        ({"a": 1, "b": None}, pa.struct({"a": pa.int8(), "b": pa.string()}), '{"a":1}', '{"a":1}'),
        ({"a": None}, pa.struct({"a": pa.int8()}), "{}", "{}"),
        ({}, pa.struct({}), "{}", "{}"),
        ([("k\n", 1), ("l", None)], pa.map_(pa.string(), pa.int8()), '{"k\\n":1,"l":null}', '{"k\\n":1,"l":null}'),
    ],
)  # fmt: skip
def test_the_stated_forms(cell, data_type, text, json_text):
    column = pa.array([None, cell, None], data_type)
    assert text_of(column).to_pylist() == [None, text, None]
    assert json_of(column.slice(1)).to_pylist() == [json_text, None]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: [1.0, n], lambda n: {"a": [{"b": n}]}])
def test_what_is_not_finite_is_null_however_deep(number, wrap):
    column = pa.array([wrap(0.5), wrap(number)])
    assert [cell is None for cell in json_of(column).to_pylist()] == [False, True]
    assert [cell is None for cell in text_of(column).to_pylist()] == [False, True]


SHAPES = [
    st.lists(st.none() | st.text(max_size=4)),
    st.lists(st.lists(st.integers(-9, 9))),
    st.fixed_dictionaries({"role": st.text(), "parts": st.lists(st.fixed_dictionaries({"text": st.text()}))}),
    st.lists(st.fixed_dictionaries({'"odd\n': st.floats(allow_nan=False, allow_infinity=False)})),
]


@settings(max_examples=150)
@given(st.data())
def test_nested_cells_read_back_as_they_are(data):
    cells = data.draw(st.lists(st.none() | data.draw(st.sampled_from(SHAPES)), min_size=1))
    start = data.draw(st.integers(0, len(cells) - 1))
    column = pa.array(cells).slice(start)
    texts = json_of(column).to_pylist()
    assert [None if text is None else json.loads(text) for text in texts] == cells[start:]


@pytest.mark.parametrize(
    "text, compact",
    [
        (' {"a" : [1.0,\n "\\u00e9\\/"]} ', '{"a":[1.0,"\\u00e9\\/"]}'),
        ('"\u2028"', '"\u2028"'),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        (None, None),
        ("", None),
        ("[1,]", None),
        ("[1] 2", None),
        ("NaN", None),
        ("1e999", None),
        ('"\\ud800"', None),
        ('"a\nb"', None),
        ("[" * 100_000, None),
    ],
)
def test_json_texts_are_compacted_and_otherwise_kept(text, compact):
    assert parse_json(pa.array([text], pa.large_string())).to_pylist() == [compact]


@pytest.mark.parametrize(
    "data_type, wordless",
    [
        (pa.list_(pa.struct({"a": pa.dictionary(pa.int8(), pa.string())})), None),
        (pa.null(), None),
        (pa.binary(), pa.binary()),
        (pa.struct({"a": pa.list_(pa.duration("s"))}), pa.duration("s")),
        (pa.map_(pa.string(), pa.binary(4)), pa.binary(4)),
        (pa.uuid(), pa.binary(16)),
    ],
)
def test_types_without_text_are_found(data_type, wordless):
    assert find_wordless(data_type) == wordless
