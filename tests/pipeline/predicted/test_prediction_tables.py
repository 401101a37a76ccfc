import json

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.errors import InputError
from geminate.pipeline.predicted.prediction_tables import encode_table_lines, open_prediction_table
from geminate.ports import TableColumn, TableInfo
from geminate.stages.predictions import decode_block
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import iter_line_blocks

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
GOOD = '{"candidates": [{"content":\n {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]}'


def rows(**columns):
    return pa.RecordBatch.from_pydict(columns)


@given(st.lists(st.tuples(TEXT, st.one_of(st.none(), TEXT), st.one_of(st.none(), TEXT)), min_size=1))
@settings(max_examples=100)
def test_each_row_is_one_line_with_its_own_members(given):
    keys, responses, statuses = zip(*given, strict=True)
    table = rows(
        key=pa.array(keys, pa.string()),
        response=pa.array(responses, pa.string()),
        status=pa.array(statuses, pa.string()),
    )
    lines = encode_table_lines(table).split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(given)
    for line, (key, response, status) in zip(lines, given, strict=True):
        members = json.loads(line)
        assert (members["key"], members["status"]) == (key, status or "")
        try:
            expected = msgspec.json.decode(response) if response is not None else None
        except msgspec.MsgspecError:
            expected = response
        assert members["response"] == expected


@pytest.mark.parametrize("response", [GOOD, json.dumps(GOOD)])
def test_a_response_is_read_from_json_and_from_text(response):
    lines = encode_table_lines(rows(key=["a"], status=[""], response=[response]))
    (block,) = iter_line_blocks([lines])
    decoded = decode_block(block, ReadOptions()).predictions.to_pylist()
    assert [(row["key"], row["outcome"], row["text"]) for row in decoded] == [("a", "ok", "hi")]


def test_a_response_cannot_break_out_of_its_line():
    lines = encode_table_lines(rows(key=["a"], status=[""], response=['{}, "key": "b"}\n{"key": "c"']))
    (line,) = lines.splitlines()
    assert json.loads(line)["key"] == "a"


class Tables:
    def __init__(self, *names):
        self.info = TableInfo("bq://p.d.t", "us", tuple(TableColumn(name, "STRING") for name in names), 0, 0, "")
        self.asked = None

    def stat(self, uri):
        return self.info if uri == self.info.uri else None

    def read(self, info, columns=()):
        assert info == self.info
        self.asked = list(columns)
        return iter(())


def test_with_a_key_the_prompts_columns_are_not_read():
    tables = Tables("request", "key", "word", "response", "status", "processed_time")
    list(open_prediction_table("bq://p.d.t", tables, "key").iter_pieces())
    assert tables.asked == ["key", "response", "status", "processed_time"]
    list(open_prediction_table("bq://p.d.t", tables, "id").iter_pieces())
    assert "request" in tables.asked


@pytest.mark.parametrize("uri, said", [("bq://p.d.other", "no such table"), ("bq://p.d.t", "holds no predictions")])
def test_a_table_that_holds_no_predictions_is_said_so(uri, said):
    with pytest.raises(InputError, match=said):
        open_prediction_table(uri, Tables("key", "request"))
