import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.errors import UsageError
from geminate.formats.record_spool import RecordSpool
from geminate.stages import predictions
from geminate.stages.alone import LonePredictions
from geminate.stages.join import JoinOptions
from geminate.stages.predictions import iter_prediction_batches
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import iter_line_blocks

READING = ReadOptions(with_siblings=True)


def line(text, **siblings):
    response = {
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
        "modelVersion": "m",
        "usageMetadata": {"promptTokenCount": 1},
    }
    return json.dumps({**siblings, "request": {}, "status": "", "response": response}).encode() + b"\n"


def read(*files, memory=1 << 20, **how):
    strays = []
    with RecordSpool(memory) as spool:
        alone = LonePredictions(JoinOptions(reading=READING, **how), spool, strays.append)
        for number, data in enumerate(files):
            pieces = [data[at : at + 700] for at in range(0, len(data), 700)]
            for block in iter_prediction_batches(iter_line_blocks(pieces), source=f"f{number}", reading=READING):
                alone.add_predictions(block)
        table = pa.Table.from_batches(alone.iter_rows(), alone.schema)
    assert alone.report.imbalances() == []
    return table, strays, alone.report


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_every_line_is_a_row_in_file_order(memory):
    files = [b"".join(line(f"{number}-{at}", key=f"k{at}") for at in (2, 0, 1, 2)) for number in range(2)]
    table, strays, report = read(*files, memory=memory)
    assert table.column("gemini_text").to_pylist() == ["0-2", "0-0", "0-1", "0-2", "1-2", "1-0", "1-1", "1-2"]
    assert table.column("key").to_pylist() == ["k2", "k0", "k1", "k2"] * 2
    assert table.column("gemini_source").to_pylist()[3:5] == ["f0:4", "f1:1"]
    assert set(table.column("gemini_duplicates").to_pylist()) == {0}
    assert (report.prompts, report.lines, report.outcomes, strays) == (8, 8, {"ok": 8}, [])


@pytest.mark.parametrize(
    "values, kind, expected",
    [
        (["a", None, "b"], pa.string(), ["a", None, "b"]),
        ([1, None, 2**63 - 1], pa.int64(), [1, None, 2**63 - 1]),
        ([1, 1.5], pa.float64(), [1.0, 1.5]),
        ([True, False], pa.bool_(), [True, False]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([1, 2**80], pa.string(), ["1", str(2**80)]),
        (["a", 1, [2], {"b": "ü"}], pa.string(), ["a", "1", "[2]", '{"b": "ü"}']),
        ([None], pa.string(), [None]),
    ],
)
def test_a_sibling_gets_the_type_that_all_its_values_have(values, kind, expected):
    table, _, _ = read(b"".join(line("t", extra=value) for value in values))
    assert (table.column("extra").type, table.column("extra").to_pylist()) == (kind, expected)


@settings(max_examples=100)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["key", "other"]), st.sampled_from(["a", "k:7", 'q"', None, 5]), max_size=2),
        min_size=1,
        max_size=8,
    )
)
def test_lines_with_only_a_key_are_read_like_all_others(rows):
    data = b"".join(line("t", **row) for row in rows)
    table, _, _ = read(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictions, "read_ordinary", lambda _block, _reading: None)
        careful, _, _ = read(data)
    assert table.equals(careful)


def test_siblings_that_come_late_are_columns_too():
    table, _, _ = read(line("a", key="1") + line("b", late=7) + line("c"))
    assert table.column_names[:2] == ["key", "late"]
    assert table.column("late").to_pylist() == [None, 7, None]


def test_the_key_comes_back_without_the_prefix_it_travelled_with():
    table, _, _ = read(line("a", key="k:007", other="k:007"))
    assert table.select(["key", "other"]).to_pylist() == [{"key": "007", "other": "k:007"}]


def test_a_sibling_that_is_more_than_json_allows_is_kept_as_text():
    table, _, _ = read(b'{"key":"a","x":[1e999],"status":"","response":{}}\n')
    assert table.select(["x"]).to_pylist() == [{"x": "[1e999]"}]


def test_unreadable_lines_are_handed_on():
    table, strays, report = read(line("a", key="1") + b'{"key":"2",\n' + line("c", key="3"))
    assert table.column("key").to_pylist() == ["1", "3"]
    assert [(stray.kind, stray.line, stray.key) for stray in strays] == [("unreadable", 2, "2")]
    assert (report.lines, report.used, report.unreadable) == (3, 2, 1)


def test_a_sibling_named_like_an_added_column_is_refused():
    data = line("a", gemini_text="x")
    with pytest.raises(UsageError, match="gemini_text"):
        read(data)
    assert read(data, prefix="p_")[0].column("gemini_text").to_pylist() == ["x"]


def test_the_siblings_have_to_be_read():
    with RecordSpool() as spool, pytest.raises(UsageError, match="siblings"):
        LonePredictions(JoinOptions(), spool, print)
