import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.formats.json_rows import RowBlock, iter_typed, observe_blocks
from geminate.formats.shapes import Shape

KL = pa.struct({"k": pa.int64(), "l": pa.string()})


def columns(*values):
    """The type of a column of these values, and the values as they are in it."""
    shape = Shape()
    blocks = [RowBlock([{"a": value}], range(number, number + 1)) for number, value in enumerate(values, 1)]
    observe_blocks(shape, lambda _: iter(blocks), "here")
    cells = [
        cell
        for part in iter_typed(lambda _: iter(blocks), shape, "here")
        for cell in part.record_batch.column(0).to_pylist()
    ]
    return shape.fields["a"].arrow_type, cells


@pytest.mark.parametrize(
    "values, type_, cells",
    [
        ([None], pa.null(), [None]),
        ([True, None], pa.bool_(), [True, None]),
        ([1, -(2**63)], pa.int64(), [1, -(2**63)]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([2**53, 2.5], pa.float64(), [2.0**53, 2.5]),
        ([2**53 + 1, 2.5], pa.string(), ["9007199254740993", "2.5"]),
        ([2**63, 1], pa.string(), ["9223372036854775808", "1"]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["x", 1, None], pa.string(), ["x", "1", None]),
        (["x", {"k": "é"}], pa.string(), ["x", '{"k":"é"}']),
        ([[1], []], pa.list_(pa.int64()), [[1], []]),
        ([[1], ["x", None]], pa.list_(pa.string()), [["1"], ["x", None]]),
        ([[]], pa.list_(pa.null()), [[]]),
        ([{"k": 1}, {"l": "x"}], KL, [{"k": 1, "l": None}, {"k": None, "l": "x"}]),
        ([{"k": 1}, {"k": "x"}], pa.struct({"k": pa.string()}), [{"k": "1"}, {"k": "x"}]),
        ([{"k": 1}, [1]], pa.string(), ['{"k":1}', "[1]"]),
        ([{}], pa.string(), ["{}"]),
        ([{}, {"k": {}}], pa.struct({"k": pa.string()}), [{"k": None}, {"k": "{}"}]),
    ],
)  # fmt: skip
def test_a_column_has_the_type_that_holds_all_its_values(values, type_, cells):
    assert columns(*values) == (type_, cells)


def test_what_is_nested_too_deeply_for_arrow_is_json_text():
    value = deep = []
    for _ in range(40):
        deep.append([])
        deep = deep[0]
    type_, (cell,) = columns(value)
    depth = 0
    while pa.types.is_list(type_):
        type_, (cell,), depth = type_.value_type, cell, depth + 1
    assert depth == 32
    assert json.loads(cell) == [[[[[[[[[]]]]]]]]]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def same(cell, value, type_):
    """Whether a cell of that type says what the value says."""
    if cell is None or value is None:
        return cell is None and value is None
    if pa.types.is_string(type_):
        return cell == value if isinstance(value, str) else json.loads(cell) == value
    if pa.types.is_list(type_):
        return len(cell) == len(value) and all(same(c, v, type_.value_type) for c, v in zip(cell, value, strict=True))
    if pa.types.is_struct(type_):
        members = {field.name for field in type_}
        return value.keys() <= members == cell.keys() and all(
            same(cell[field.name], value.get(field.name), field.type) for field in type_
        )
    return cell == value and isinstance(cell, bool) == isinstance(value, bool)


@given(st.lists(json_values, min_size=1, max_size=6))
def test_no_value_is_lost_or_changed(values):
    type_, cells = columns(*values)
    assert all(same(cell, value, type_) for cell, value in zip(cells, values, strict=True))
