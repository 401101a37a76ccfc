import json

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.checks.decoding import MAX_DEPTH, decode_line, is_json_object

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=10,
)
LINES = st.dictionaries(st.text(), VALUES, max_size=4).map(lambda line: json.dumps(line).encode())


@settings(max_examples=200)
@given(LINES)
def test_what_json_writes_is_read(line):
    assert is_json_object(line)
    assert decode_line(line) == (json.loads(line), [])


@settings(max_examples=200)
@given(LINES, st.data())
def test_damaged_lines_are_refused_by_both_readers_or_by_neither(line, data):
    at = data.draw(st.integers(0, len(line)))
    damage = data.draw(st.binary(max_size=2) | st.sampled_from([b'"', b"\\", b",", b"NaN", b"\xff", b"}", b"\\ud800"]))
    damaged = line[:at] + damage + line[at + data.draw(st.integers(0, 2)) :]
    value, violations = decode_line(damaged)
    if is_json_object(damaged):
        # The quick reader alone does not see these two.
        assert {one.rule for one in violations} <= {"json.duplicate_key", "json.not_finite"}
    else:
        assert value is None
        assert len(violations) == 1
    if value is not None and not violations:
        assert json.loads(damaged) == value
        orjson.loads(damaged)


def test_depth_has_an_end():
    fits = b'{"m":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    assert decode_line(fits)[1] == []
    for levels in (MAX_DEPTH + 1, 5_000, 200_000):
        value, violations = decode_line(b'{"m":' + b"[" * levels + b"]" * levels + b"}")
        assert value is None
        assert [one.rule for one in violations] == ["json.nesting"]


def test_huge_numbers_are_no_trouble():
    assert decode_line(b'{"n": ' + b"7" * 40 + b"}")[1] == []
    assert [one.rule for one in decode_line(b'{"n": ' + b"7" * 100_000 + b"}")[1]] == ["json.not_finite"]


def test_a_key_that_stands_twice_is_named_with_its_path():
    value, violations = decode_line(b'{"a": [{"b": 1, "c": 2, "b": 3}], "d": {"e": 1, "e": 2}}')
    assert value == {"a": [{"b": 3, "c": 2}], "d": {"e": 2}}
    assert [one.path for one in violations] == ["$.a[0].b", "$.d.e"]
