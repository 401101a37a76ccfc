import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.requests.escapes import escape_json

HOSTILE = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from('"\\\n\r\t\b\f\0\x1b\x7f\u2028\ufeff😀')))


@settings(max_examples=200)
@given(st.lists(st.none() | HOSTILE), st.data())
def test_escapes_are_those_of_the_json_encoder(texts, data):
    start = data.draw(st.integers(0, len(texts)))
    length = data.draw(st.integers(0, len(texts) - start))
    column = pa.array(texts, pa.large_string()).slice(start, length)
    escaped = escape_json(column)
    escaped.validate(full=True)
    assert escaped.to_pylist() == [
        None if text is None else msgspec.json.encode(text).decode()[1:-1] for text in column.to_pylist()
    ]


@pytest.mark.parametrize(
    "text", ["".join(map(chr, range(0x180))), 'é"' * 400_000, "\n" * 300_000, "x" * 262_143 + '"y']
)
def test_long_texts_are_escaped_across_blocks(text):
    escaped = escape_json(pa.array(["", text, text], pa.large_string()))
    assert escaped.to_pylist() == ["", *[msgspec.json.encode(text).decode()[1:-1]] * 2]


def test_a_column_without_escapes_is_not_copied():
    column = pa.array(["plain", "größe", None], pa.large_string())
    assert escape_json(column) is column
