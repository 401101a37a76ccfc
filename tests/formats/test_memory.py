import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from geminate.errors import PromptError, UsageError
from geminate.formats import readers
from geminate.formats.options import PromptOptions
from geminate.formats.prompts import open_prompts
from geminate.formats.row_text import encode_json_lines

TABLE = pa.table({"a": [1, 2, 3], "t": ["x", None, "z"]})
FRAME = pl.DataFrame(TABLE)


class Dataset:
    """Behaves like a Hugging Face dataset: rows in another order than those of the table below them."""

    def __init__(self, table, order):
        self.data, self.order, self.format = table, order, None

    def with_format(self, name):
        assert name == "arrow"
        return self

    def iter(self, batch_size):
        for start in range(0, len(self.order), batch_size):
            yield self.data.take(self.order[start : start + batch_size])


@pytest.mark.parametrize(
    "source",
    [
        TABLE,
        TABLE.to_batches()[0],
        FRAME,
        FRAME.lazy(),
        TABLE.to_pandas(),
        TABLE.to_pylist(),
        tuple(TABLE.to_pylist()),
        Dataset(TABLE.take([2, 1, 0]), [2, 1, 0]),
    ],
    ids=lambda source: type(source).__name__,
)
def test_what_hands_out_arrow_data_or_mappings_is_prompts(source):
    prompts = open_prompts(source)
    for _ in range(2):
        assert pa.Table.from_batches(prompts.iter_record_batches(), prompts.schema).to_pylist() == TABLE.to_pylist()
    assert prompts.schema.types == [pa.int64(), pa.string()]
    assert prompts.locate(2) == ("<memory>", 3)


@pytest.mark.parametrize("make", [TABLE.to_reader, lambda: (row for row in TABLE.to_pylist())])
def test_what_can_be_read_only_once_can_be_read_again_from_here(make):
    prompts = open_prompts(make(), options=PromptOptions(sample=2))
    once = list(prompts.iter_record_batches())
    assert once[0].num_rows == 2
    assert list(prompts.iter_record_batches()) == once


def test_encodings_are_undone_and_types_are_plain(rows):
    table = pa.table(
        {
            "d": pa.array(["x", None, "x"]).dictionary_encode(),
            "v": pa.array(["x", None, "z"], pa.string_view()),
            "l": pa.array([["x"], None, []], pa.large_list(pa.large_string())),
            "b": pa.array([b"x", None, b""], pa.large_binary()),
            "r": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", None])),
            "s": pa.array([{"k": "x"}] * 3, pa.struct({"k": pa.dictionary(pa.int8(), pa.string())})),
        }
    )
    plain = [pa.string(), pa.string(), pa.list_(pa.string()), pa.binary(), pa.string(), pa.struct({"k": pa.string()})]
    assert open_prompts(table).schema.types == plain
    assert rows(table) == table.to_pylist()
    assert rows(pl.DataFrame({"c": ["x", "y"]}, schema={"c": pl.Categorical})) == [{"c": "x"}, {"c": "y"}]


def test_an_extension_type_is_its_storage(rows):
    table = pa.table({"u": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16], pa.binary(16)))})
    assert rows(table) == [{"u": b"x" * 16}]


def test_an_unnamed_pandas_index_is_no_column_and_a_named_one_is():
    frame = TABLE.to_pandas()
    assert open_prompts(frame[frame.a > 1]).schema.names == ["a", "t"]
    assert open_prompts(frame.set_index(pd.Index(["x", "z", "y"], name="n"))).schema.names == ["a", "t", "n"]


def test_mappings_may_hold_what_json_has_no_type_for(rows):
    values = {"d": dt.date(2020, 1, 2), "n": Decimal("1.5"), "b": b"x", "i": np.int8(3), "l": [dt.time(1)]}
    assert rows([values, dict.fromkeys(values)]) == [values, dict.fromkeys(values)]


def test_a_missing_text_or_date_may_be_nan_as_pandas_has_it(rows):
    nan = float("nan")
    both = [{"t": "x", "d": dt.date(2020, 1, 2)}, {"t": nan, "d": nan}]
    assert rows(both) == [both[0], {"t": None, "d": None}]


def test_the_identity_is_of_the_rows_however_they_are_cut():
    cut = pa.concat_tables([TABLE[:1], TABLE[1:]])
    identities = {open_prompts(source).identity for source in (TABLE, cut, TABLE.to_reader(), FRAME, TABLE.to_pylist())}
    assert len(identities) == 1
    assert open_prompts(TABLE[:2]).identity not in identities


@pytest.mark.parametrize(
    "source, reason",
    [
        ([{"a": 1}, 5], "<memory>:2: a row is a mapping"),
        ([{1: 2}], "<memory>:1: a row is a mapping"),
        ([{"a": ["x"]}, {"a": ["\ud800"]}], "<memory>:2: column 'a' cannot hold this value"),
        ([{"a": object()}], "columns cannot be typed"),
        ([{"a": 1}, {"a": dt.date(2020, 1, 1)}], "<memory>:2: column 'a' cannot hold|columns cannot be typed"),
        ([{"a": ["x", {"k": object()}]}], "<memory>:1: column 'a' cannot hold|columns cannot be typed"),
        (pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"]), "two columns are called 'a'"),
    ],
)
def test_rows_that_are_none_are_named(source, reason):
    with pytest.raises(PromptError, match=reason):
        list(open_prompts(source).iter_record_batches())


@pytest.mark.parametrize("source", [5, None, {"a": [1]}, b"p.jsonl", []])
def test_what_is_no_source_is_refused(source):
    with pytest.raises(UsageError):
        open_prompts(source)


def test_large_cells_are_identified_few_at_a_time(monkeypatch):
    table = pa.table({"photo": [bytes([n]) * 3_000_000 for n in range(8)]})
    whole = open_prompts(table).identity
    sizes = []

    def spy(record_batch):
        sizes.append(record_batch.nbytes)
        return encode_json_lines(record_batch)

    monkeypatch.setattr(readers, "encode_json_lines", spy)
    assert open_prompts(table).identity == whole
    assert max(sizes) < 8_000_000
    assert sum(sizes) > 24_000_000
