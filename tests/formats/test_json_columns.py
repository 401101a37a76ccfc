"""Lines read into columns at once are what reading them row by row makes of them."""

from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.errors import PromptError
from geminate.formats.jsonl import decode_row
from geminate.formats.prompts import open_prompts

PLAIN = [b'{"a":"x","i":1,"f":0.5,"b":true,"n":null}', b'{"a":"y \\u00e9\\ud83d\\ude00\\u0000","i":-7,"f":1e3}']
ODD = [
    b'{"a":1}',
    b'{"a":["x"]}',
    b'{"a":"x","a":"y"}',
    b'{"a":"\\u0061","z":1}',
    b'{"i":2.0}',
    b'{"i":-0}',
    b'{"i":9007199254740993}',
    b'{"i":9223372036854775808}',
    b'{"i":"1"}',
    b'{"f":3}',
    b'{"f":-0}',
    b'{"f":-0.0}',
    b'{"f":9007199254740993}',
    b'{"f":1e999}',
    b'{"b":1}',
    b'{"n":"now"}',
    b'{"n":{"m":[1,null]}}',
    b' {"a":"x"} \r',
    b'{"a":"x"}{"a":"y"}',
    b'{"a":\n"x"}',
    b'{"a":"\\ud800"}',
    b'{"a":"\xff"}',
    b'{"a":"\t"}',
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"{}",
    b"",
    b"null",
]


def read(path):
    try:
        prompts = open_prompts(path)
        rows = [row for part in prompts.iter_record_batches() for row in with_texts_as_bytes(part).to_pylist()]
    except PromptError as error:
        return str(error)
    return prompts.schema, repr(rows), [prompts.locate(row) for row in range(len(rows))]


def with_texts_as_bytes(part):
    """The same rows, so that also half of a surrogate pair can be compared."""
    texts = [column.cast(pa.binary()) if column.type == pa.string() else column for column in part.columns]
    return pa.RecordBatch.from_arrays(texts, names=part.schema.names)


def expect_the_same(path, lines):
    path.write_bytes(b"\n".join(lines) + b"\n")
    with patch("geminate.formats.compression.PIECE_BYTES", 100):  # So that few lines are many blocks.
        at_once = read(path)
        with patch("geminate.formats.json_rows.read_columns", return_value=None):
            assert read(path) == at_once
        with patch("geminate.formats.kept_rows.KeptRows.settle", return_value=False):
            assert read(path) == at_once


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_line_is_read_as_if_it_stood_alone(tmp_path, odd):
    expect_the_same(tmp_path / "p.jsonl", [*PLAIN * 5, odd, *PLAIN * 5])


@pytest.mark.parametrize(
    "odd, other",
    [
        (b'{"i":9007199254740993}', b'{"i":0.5}'),
        (b'{"i":9007199254740992}', b'{"i":0.5}'),
        (b'{"i":5}', b'{"i":"text"}'),
        (b'{"a":"x"}{"a":"y"}', b""),
    ],
)
def test_two_odd_lines_are_read_as_if_each_stood_alone(tmp_path, odd, other):
    expect_the_same(tmp_path / "p.jsonl", [*PLAIN * 5, odd, *PLAIN * 5, other, *PLAIN * 5])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(PLAIN + ODD[:-1]), max_size=30))
def test_lines_in_any_order_are_read_alike(tmp_path_factory, lines):
    expect_the_same(tmp_path_factory.mktemp("lines") / "p.jsonl", lines)


def test_ordinary_lines_are_decoded_once_and_never_one_by_one(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\n".join(PLAIN * 500))
    with (
        patch("geminate.formats.compression.PIECE_BYTES", 4000),
        patch("geminate.formats.jsonl.decode_row", wraps=decode_row) as decoded,
    ):
        prompts = open_prompts(path)
        assert sum(part.num_rows for part in prompts.iter_record_batches()) == len(PLAIN) * 500
    # The first block teaches the types.
    assert decoded.call_count < 100
