"""Predictions of any origin, through the public function and the side files."""

import gzip
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import geminate as gm
from geminate.errors import InputError, PromptError, UsageError
from geminate.pipeline.join import JoinSettings, open_join
from geminate.pipeline.written.outputs import write_joined


def request(text):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def prediction(text, *, answer="yes", **siblings):
    candidate = {"content": {"role": "model", "parts": [{"text": answer}]}, "finishReason": "STOP"}
    return {**siblings, "request": request(text), "status": "", "response": {"candidates": [candidate]}}


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def outcomes(rows, column="key"):
    return [(row[column], row["gemini_outcome"], row["gemini_text"]) for row in rows.read_all().to_pylist()]


PROMPTS = [{"key": "a", "word": "one"}, {"key": "b", "word": "two"}, {"key": "c", "word": "three"}]
SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Say {{ word }}")


def test_rows_come_in_the_order_of_the_prompts(tmp_path):
    path = write_lines(
        tmp_path / "p.jsonl", [prediction("x", key="c", answer="3"), prediction("x", key="a", answer="1")]
    )
    rows = gm.join(PROMPTS, path)
    assert outcomes(rows) == [("a", "ok", "1"), ("b", "missing", None), ("c", "ok", "3")]
    assert rows.report.outcomes == {"ok": 2, "missing": 1}
    assert rows.report.imbalances() == []


def test_the_rows_are_the_same_whether_the_prompts_lie_in_columns_or_in_lines(tmp_path):
    rows = [{"number": at, "key": f"p-{at}", "word": "w" * (at % 7)} for at in range(3000)]
    tables = pa.Table.from_pylist(rows[:1100]), pa.Table.from_pylist(rows[1100:]).select(["word", "key", "number"])
    pq.write_table(tables[0], tmp_path / "1.parquet", row_group_size=333)
    with pa.ipc.new_file(tmp_path / "2.arrow", tables[1].schema) as writer:
        writer.write_table(tables[1], max_chunksize=700)
    lines = [prediction("x", key=f"p-{at}", answer=str(at)) for at in range(2999, -1, -3)]
    predictions = write_lines(tmp_path / "p.jsonl", lines)
    whole = gm.join(write_lines(tmp_path / "prompts.jsonl", rows), predictions).read_all()
    for prompts in ([tmp_path / "1.parquet", tmp_path / "2.arrow"], list(tables)):
        joined = gm.join(prompts, predictions).read_all()
        assert joined.select(whole.column_names).to_pylist() == whole.to_pylist()
        assert joined.column_names[:3] == ["number", "key", "word"]


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.999])
def test_a_compressed_file_that_ends_early_gives_what_came_before(tmp_path, kept):
    lines = [json.dumps(prediction(str(at), key=f"p-{at}", answer=str(at) * 50)) + "\n" for at in range(20_000)]
    whole = gzip.compress("".join(lines).encode(), 1, mtime=0)
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(whole[: int(len(whole) * kept)])
    rows = gm.join([{"key": f"p-{at}"} for at in range(20_000)], path)
    joined = rows.read_all().to_pylist()
    good = [row["key"] for row in joined if row["gemini_outcome"] == "ok"]
    assert good == [f"p-{at}" for at in range(len(good))]
    assert len(good) > 20_000 * kept * 0.8
    assert rows.report.unreadable == 2  # The line that was cut, and all that came after it.
    assert rows.report.imbalances() == []


def test_request_lines_among_the_predictions_are_told_and_are_nobodys_answer(tmp_path):
    lines = [prediction("x", key="a", answer="1"), {"key": "a", "request": request("x")}, {"key": "b", "request": {}}]
    rows = gm.join(PROMPTS, write_lines(tmp_path / "p.jsonl", lines))
    assert outcomes(rows) == [("a", "ok", "1"), ("b", "missing", None), ("c", "missing", None)]
    assert (rows.report.unreadable, rows.report.duplicates) == (2, 0)


def test_any_arrow_data_is_a_prompt_set_and_any_arrow_reader_takes_the_rows(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", [prediction("x", key="a")])
    frame = pl.DataFrame(PROMPTS)
    assert pl.DataFrame(gm.join(frame, path))["gemini_outcome"].to_list() == ["ok", "missing", "missing"]
    reader = pa.RecordBatchReader.from_stream(gm.join(frame.to_arrow(), path))
    assert reader.read_all().num_rows == 3


def test_a_spec_lets_predictions_without_a_key_find_their_prompt(tmp_path):
    lines = [prediction("Say three", answer="3"), prediction("Say one", answer="1")]
    rows = gm.join(PROMPTS, write_lines(tmp_path / "p.jsonl", lines), SPEC)
    assert outcomes(rows) == [("a", "ok", "1"), ("b", "missing", None), ("c", "ok", "3")]


def test_predictions_without_a_key_or_a_spec_are_refused(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", [prediction("Say one")])
    with pytest.raises(UsageError, match="no key"):
        gm.join(PROMPTS, path)
    with pytest.raises(InputError, match="no member 'key'"):
        gm.join(PROMPTS, path, by="key")


def test_two_swapped_keys_are_reported(tmp_path):
    lines = [prediction("Say one", key="b"), prediction("Say two", key="a"), prediction("Say three", key="c")]
    rows = gm.join(PROMPTS, write_lines(tmp_path / "p.jsonl", lines), SPEC)
    assert [outcome for _, outcome, _ in outcomes(rows)] == ["ok", "ok", "ok"]
    assert rows.report.suspects == 2


@pytest.mark.parametrize("name", ["key", "custom_id"])
def test_request_lines_are_a_left_side(tmp_path, name):
    sent = [{name: key, "note": n, "request": request(key)} for n, key in enumerate("xyz")]
    requests = write_lines(tmp_path / "requests.jsonl", sent)
    lines = [prediction(key, **{name: key}, answer=key.upper()) for key in "zx"]
    rows = gm.join(requests, write_lines(tmp_path / "p.jsonl", lines))
    assert rows.schema.names[:2] == [name, "note"]
    assert outcomes(rows, name) == [("x", "ok", "X"), ("y", "missing", None), ("z", "ok", "Z")]


def test_request_lines_without_siblings_are_joined_by_request_and_numbered(tmp_path):
    requests = write_lines(tmp_path / "requests.jsonl", [{"request": request(text)} for text in "xyx"])
    lines = [prediction("x", answer="1"), prediction("y", answer="2"), prediction("x", answer="3")]
    rows = gm.join(requests, write_lines(tmp_path / "p.jsonl", lines))
    assert outcomes(rows) == [("r-000000001", "ok", "1"), ("r-000000002", "ok", "2"), ("r-000000003", "ok", "3")]


def test_a_key_that_travelled_with_a_prefix_comes_back_as_it_was(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", [prediction("x", key="k:007"), prediction("x", key="8")])
    rows = gm.join([{"key": "007"}, {"key": "8"}], path)
    assert [outcome for _, outcome, _ in outcomes(rows)] == ["ok", "ok"]


def test_a_passed_through_column_can_be_the_key(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", [prediction("x", id="b", key="other")])
    rows = gm.join([{"id": "a"}, {"id": "b"}], path, key="id", by="column")
    assert outcomes(rows, "id") == [("a", "missing", None), ("b", "ok", "yes")]


def test_predictions_alone_are_read_in_file_order_with_their_siblings(tmp_path):
    rows = gm.read_predictions(write_lines(tmp_path / "p.jsonl", [prediction("x", n=2), prediction("x", n=1)]))
    assert [row["n"] for row in rows.read_all().to_pylist()] == [2, 1]
    assert rows.report.outcomes == {"ok": 2}


def test_finished_files_win_over_what_was_written_while_the_job_ran(tmp_path):
    write_lines(tmp_path / "out/prediction-model-1/predictions.jsonl", [prediction("x", key="a", answer="final")])
    write_lines(tmp_path / "out/incremental_predictions/0.jsonl", [prediction("x", key="a", answer="early")])
    assert outcomes(gm.join(PROMPTS[:1], tmp_path / "out")) == [("a", "ok", "final")]
    (tmp_path / "out/prediction-model-1/predictions.jsonl").unlink()
    assert outcomes(gm.join(PROMPTS[:1], tmp_path / "out")) == [("a", "ok", "early")]


def test_an_unfinished_job_keeps_what_it_wrote_beside_a_finished_one(tmp_path):
    write_lines(tmp_path / "out/one/prediction-model-1/predictions.jsonl", [prediction("x", key="a", answer="final")])
    write_lines(tmp_path / "out/one/incremental_predictions/0.jsonl", [prediction("x", key="a", answer="early")])
    write_lines(tmp_path / "out/two/incremental_predictions/0.jsonl", [prediction("x", key="b", answer="early")])
    assert outcomes(gm.join(PROMPTS[:2], tmp_path / "out")) == [("a", "ok", "final"), ("b", "ok", "early")]


def test_a_spec_without_slots_says_nothing_about_whose_a_request_is(tmp_path):
    spec = gm.Spec.from_prompt("unknown", "unknown", answer={"type": "object", "properties": {"a": {"type": "string"}}})
    rows = gm.join(PROMPTS[:1], write_lines(tmp_path / "p.jsonl", [prediction("x", key="a", answer="{}")]), spec)
    assert outcomes(rows) == [("a", "ok", "{}")]
    assert rows.report.suspects == 0


def test_lines_of_no_prompt_and_lines_that_are_none_go_to_their_side_files(tmp_path):
    lines = [prediction("x", key="a"), prediction("x", key="zz"), '{"key": "b", \n', "\n", prediction("x", key="a")]
    path = write_lines(tmp_path / "p.jsonl", lines)
    out = tmp_path / "rows.jsonl"
    joined = write_joined(open_join(PROMPTS, [str(path)], None, JoinSettings()), out)
    assert (joined.rows, joined.used, joined.duplicates, joined.orphans, joined.unreadable) == (3, 1, 1, 1, 1)
    (orphan,) = map(json.loads, (tmp_path / "rows.jsonl.orphans.jsonl").read_text().splitlines())
    assert (orphan["file"], orphan["line"], orphan["key"]) == (str(path), 2, "zz")
    (unreadable,) = map(json.loads, (tmp_path / "rows.jsonl.unreadable.jsonl").read_text().splitlines())
    assert (unreadable["line"], unreadable["key"], unreadable["raw"]) == (3, "b", '{"key": "b", ')
    assert path.read_bytes()[unreadable["offset"] :].startswith(unreadable["raw"].encode())
    manifest = json.loads((tmp_path / "rows.jsonl.manifest.json").read_text())
    assert manifest["outcomes"] == {"ok": 1, "missing": 2}


def test_answers_are_held_against_the_schema_and_typed(tmp_path):
    answer = {"type": "object", "properties": {"score": {"type": "integer", "maximum": 7}}, "required": ["score"]}
    spec = gm.Spec.from_prompt("gemini-3.5-flash", "Say {{ word }}", answer=answer)
    lines = [
        prediction("Say one", key="a", answer='{"score": 3}'),
        prediction("Say two", key="b", answer='{"score": 9}'),
    ]
    rows = gm.join(PROMPTS[:2], write_lines(tmp_path / "p.jsonl", lines), spec).read_all().to_pylist()
    assert [(row["gemini_outcome"], row["gemini_answer"]) for row in rows] == [
        ("ok", {"score": 3}),
        ("invalid_answer", None),
    ]
    assert "9" in rows[1]["gemini_error_message"]


def test_a_prompt_column_with_the_prefix_is_a_clash_that_another_prefix_mends(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", [prediction("x", key="a")])
    prompts = [{"key": "a", "gemini_text": "mine"}]
    with pytest.raises(UsageError, match="gemini_text"):
        gm.join(prompts, path)
    assert gm.join(prompts, path, prefix="p_").read_all()["p_outcome"].to_pylist() == ["ok"]


NOT_UTF8 = b"caf\xe9"


def as_strings(values):
    return pa.array(values, pa.binary()).view(pa.string())


def test_one_text_that_is_not_utf8_leaves_the_rows_readable_by_all(tmp_path):
    plain = as_strings([b"fine", NOT_UTF8, None, "né".encode()])
    members = pa.StructArray.from_arrays([as_strings([b"a", NOT_UTF8, b"c"]), pa.array([1, 2, 3])], ["name", "at"])
    nested = pa.ListArray.from_arrays(pa.array([0, 1, 3, 3, 3]), members, mask=pa.array([False, False, True, False]))
    pairs = pa.MapArray.from_arrays([0, 1, 2, 2, 2], as_strings([b"k", b"l"]), as_strings([b"v", NOT_UTF8]))
    sized = pa.FixedSizeListArray.from_arrays(as_strings([b"1", NOT_UTF8, b"3", b"4"]), 1)
    prompts = pa.table({"key": ["a", "b", "c", "d"], "plain": plain, "nested": nested, "pairs": pairs, "sized": sized})
    predictions = write_lines(tmp_path / "p.jsonl", [prediction("x", key=key) for key in "abcd"])
    joined = gm.join(prompts, predictions).read_all()
    joined.validate(full=True)
    assert joined.column("plain").to_pylist() == ["fine", "caf\ufffd", None, "né"]
    assert joined.column("nested").to_pylist() == [
        [{"name": "a", "at": 1}],
        [{"name": "caf\ufffd", "at": 2}, {"name": "c", "at": 3}],
        None,
        [],
    ]
    assert joined.column("pairs").to_pylist() == [[("k", "v")], [("l", "caf\ufffd")], [], []]
    assert joined.column("sized").to_pylist() == [["1"], ["caf\ufffd"], ["3"], ["4"]]
    prompts = prompts.drop_columns(["pairs"])  # Polars has no maps.
    write_joined(open_join(prompts, [str(predictions)], None, JoinSettings()), tmp_path / "rows.parquet")
    assert pl.read_parquet(tmp_path / "rows.parquet")["plain"].to_list() == joined.column("plain").to_pylist()


def test_a_key_that_is_not_utf8_is_named(tmp_path):
    predictions = write_lines(tmp_path / "p.jsonl", [prediction("x", key="a")])
    prompts = pa.table({"key": as_strings([b"a", NOT_UTF8])})
    with pytest.raises(PromptError, match="no key"):
        gm.join(prompts, predictions).read_all()
