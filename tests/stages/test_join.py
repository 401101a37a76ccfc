import json
import random
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.errors import PromptError, UsageError
from geminate.formats.record_spool import RecordSpool
from geminate.stages import correlate, prompt_store
from geminate.stages.join import Joiner, JoinOptions
from geminate.stages.predictions import iter_prediction_batches
from geminate.stages.reading import ReadOptions
from geminate.wire.canonical import fingerprint
from geminate.wire.lines import iter_line_blocks

FIXTURES = Path(__file__).parents[2] / "fixtures" / "predictions"
BY_REQUEST = ReadOptions(key_name=None, fingerprints="all")
CHECKED = ReadOptions(fingerprints="all")
SMALL = {"pending_bytes": 1, "range_bytes": 1, "max_range_rows": 256}


def request_of(name):
    return {"contents": [{"parts": [{"text": f"Describe {name}."}]}]}


def line(key, text="An answer.", *, request=None, status="", tokens=1):
    response = {
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
        "modelVersion": "m",
        "usageMetadata": {"promptTokenCount": tokens},
    }
    return {
        "key": key,
        "request": request_of(key) if request is None else request,
        "status": status,
        "response": {} if status else response,
    }


def jsonl(lines):
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def join(
    names,
    attempts,
    reading=None,
    *,
    keyed=True,
    printed=True,
    rejects=None,
    piece=1 << 20,
    memory=1 << 20,
    resumes=(),
    **how,
):
    """The joined rows of prompts with these names, the strays and the report; ``attempts`` are files in order."""
    reading = reading or ReadOptions()
    strays = []
    prompts = pa.record_batch({"name": pa.array(names, pa.string()), "n": pa.array(range(len(names)), pa.int16())})
    prints = pa.array([fingerprint(json.dumps(request_of(name)).encode()) for name in names], pa.binary(16))
    with RecordSpool(memory) as spool:
        joiner = Joiner(prompts.schema, JoinOptions(reading=reading, **how), spool, strays.append)
        for start in range(0, len(names), 100):
            part = slice(start, start + 100)
            joiner.add_prompts(
                prompts[part],
                prompts.column("name")[part] if keyed else None,
                prints[part] if printed else None,
                None if rejects is None else pa.array(rejects, pa.string())[part],
            )
        for attempt, data in zip(count(1), attempts):
            pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
            source = f"file-{attempt}.jsonl"
            for decoded in iter_prediction_batches(iter_line_blocks(pieces), source=source, reading=reading):
                joiner.add_predictions(decoded, attempt, f"job-{attempt}", resumes=attempt in resumes)
        batches = list(joiner.iter_rows())
    assert all(batch.schema == joiner.schema for batch in batches)
    assert joiner.report.imbalances() == []
    rows = pa.Table.from_batches(batches, joiner.schema).to_pylist()
    assert [row["name"] for row in rows] == list(names)
    return rows, strays, joiner.report


def column(rows, name):
    return [row[f"gemini_{name}"] for row in rows]


def read_fixture(name):
    return [json.loads(text) for text in (FIXTURES / name).read_text("utf-8").split("\n") if text]


@pytest.mark.parametrize("piece", [1 << 20, 700])
@pytest.mark.parametrize("reading", [{}, {"keep_response": True}, {"with_siblings": True}])
def test_the_adversarial_file_is_read_to_the_cell(piece, reading):
    prompts = pa.RecordBatch.from_pylist(read_fixture("adversarial.prompts.jsonl"))
    data = (FIXTURES / "adversarial.jsonl").read_bytes()
    options = ReadOptions(**reading)
    strays = []
    with RecordSpool() as spool:
        joiner = Joiner(prompts.schema, JoinOptions(reading=options), spool, strays.append)
        joiner.add_prompts(prompts, prompts.column("key"))
        pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
        for block in iter_prediction_batches(iter_line_blocks(pieces), source="adversarial.jsonl", reading=options):
            joiner.add_predictions(block, 1, "job-1")
        table = pa.Table.from_batches(joiner.iter_rows(), joiner.schema)
    assert joiner.report.imbalances() == []
    left_out = {"note", "gemini_response"}
    cells = [
        {
            name.removeprefix("gemini_"): cell.isoformat(timespec="microseconds")
            if hasattr(cell, "isoformat")
            else cell
            for name, cell in row.items()
            if cell is not None and name not in left_out
        }
        for row in table.to_pylist()
    ]
    assert cells == read_fixture("adversarial.rows.jsonl")
    expected = read_fixture("adversarial.strays.jsonl")
    found = [{"kind": s.kind, "line": s.line, "reason": s.reason, "key": s.key} for s in strays]
    assert sorted(found, key=lambda stray: stray["line"]) == expected
    lines = data.split(b"\n")
    for stray in strays:
        assert stray.raw == lines[stray.line - 1]
        assert data[stray.offset :].startswith(stray.raw)
        assert json.loads(stray.encode())["line"] == stray.line


def test_rows_come_in_the_order_of_the_prompts_however_the_predictions_come():
    names = [f"name-{at}" for at in range(1000)]
    lines = [line(name, f"About {name}.", tokens=at) for at, name in enumerate(names)]
    random.Random(1).shuffle(lines)
    rows, strays, report = join(names, [jsonl(lines)])
    assert column(rows, "text") == [f"About {name}." for name in names]
    assert column(rows, "prompt_tokens") == list(range(1000))
    assert not strays
    assert report.tokens["prompt_tokens"] == sum(range(1000))


attempts_strategy = st.lists(
    st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from(["ok", "failed"]), st.sampled_from(["keyed", "keyless"])),
        max_size=12,
    ),
    max_size=3,
)


@given(attempts_strategy, st.integers(0, 10))
@settings(max_examples=60, deadline=None)
def test_memory_spool_and_ranges_do_not_change_what_comes_out(attempts, prompts):
    names = [f"name-{at % 7}" if at > 7 else f"name-{at}" for at in range(prompts)]
    files = []
    for attempt in attempts:
        lines = [line(f"name-{at}", str(at), status="" if kind == "ok" else "gone") for at, kind, _ in attempt]
        files.append(jsonl(lines))
    how = {"reading": BY_REQUEST, "keyed": False}
    whole = join(names, files, **how)
    for memory in (0, 2000):
        assert join(names, files, **how, piece=150, memory=memory, **SMALL) == whole


def test_many_ranges_on_disk_give_the_same_rows():
    names = [f"name-{at}" for at in range(1500)]
    lines = [line(f"name-{at % 1600}", "x" * (at % 900)) for at in range(3000)]
    random.Random(2).shuffle(lines)
    whole = join(names, [jsonl(lines)])
    for range_bytes in (1 << 18, 1 << 15):
        ranged = join(
            names, [jsonl(lines)], piece=50_000, memory=20_000, pending_bytes=1 << 16, range_bytes=range_bytes
        )
        assert ranged == whole
    assert whole[2].orphans == 100


def test_wide_prompts_are_joined_few_at_a_time():
    prompts = pa.record_batch({"photo": [bytes([at]) * 100_000 for at in range(60)]})
    keys = pa.array([f"name-{at}" for at in range(60)])
    lines = jsonl([line(key) for key in keys.to_pylist()])
    with RecordSpool(1 << 20) as spool:
        joiner = Joiner(prompts.schema, JoinOptions(range_bytes=1 << 20), spool, [].append)
        joiner.add_prompts(prompts, keys)
        for decoded in iter_prediction_batches(iter_line_blocks([lines]), source="p", reading=ReadOptions()):
            joiner.add_predictions(decoded)
        joined = list(joiner.iter_rows())
    assert max(record_batch.nbytes for record_batch in joined) < 2 << 20
    assert pa.Table.from_batches(joined)["photo"].to_pylist() == prompts["photo"].to_pylist()


@pytest.mark.parametrize(
    "attempts, text, outcome, attempt, duplicates",
    [
        ([["ok A"]], "A", "ok", 1, 0),
        ([["ok A", "ok B"]], "A", "ok", 1, 1),
        ([["failed", "ok A", "ok B"]], "A", "ok", 1, 2),
        ([["ok A", "failed"]], "A", "ok", 1, 1),
        ([["ok A"], ["ok B"]], "B", "ok", 2, 1),
        ([["ok A"], ["failed"]], "A", "ok", 1, 1),
        ([["failed"], ["ok A"], ["failed"]], "A", "ok", 2, 2),
        ([["failed"], ["failed"]], None, "failed", 2, 1),
        ([[], ["ok A"]], "A", "ok", 2, 0),
        ([], None, "missing", None, 0),
    ],
)
def test_the_best_line_makes_the_row_and_the_others_are_counted(attempts, text, outcome, attempt, duplicates):
    files = [
        jsonl(line("a", said[3:], status="" if said.startswith("ok") else "gone") for said in said_by)
        for said_by in attempts
    ]
    (row,), _, report = join(["a"], files)
    told = [row[f"gemini_{name}"] for name in ("text", "outcome", "attempt", "duplicates", "job")]
    assert told == [text, outcome, attempt, duplicates, attempt and f"job-{attempt}"]
    assert report.duplicates == duplicates


def test_of_two_failures_the_later_tells():
    rows, _, _ = join(["a"], [jsonl([line("a", status="one"), line("a", status="two")])])
    assert column(rows, "error_message") == ["two"]
    assert column(rows, "source") == ["file-1.jsonl:2"]


def test_tokens_of_duplicates_are_counted_apart():
    lines = [line("a", tokens=5), line("a", tokens=7), line("x", tokens=100)]
    _, strays, report = join(["a"], [jsonl(lines)])
    assert (report.tokens["prompt_tokens"], report.duplicate_tokens["prompt_tokens"]) == (5, 7)
    assert [(stray.kind, stray.key, stray.line) for stray in strays] == [("orphan", "x", 3)]


def answer_of(key, answer_id, tokens=5):
    prediction = line(key, tokens=tokens)
    return {**prediction, "response": {**prediction["response"], "responseId": answer_id}}


@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_what_a_resumed_job_repeats_is_counted_and_billed_once(memory):
    first = [answer_of("a", "A1"), line("b", status="busy"), answer_of("d", "D1"), answer_of("x", "X")]
    # It went on with what was not done, but did "d" anew, which is billed again.
    second = [answer_of("a", "A1"), answer_of("b", "B2", 7), answer_of("c", "C2", 11), answer_of("d", "D2")]
    third = [*second[:3], second[2]]
    files = list(map(jsonl, (first, second, third)))
    rows, _, report = join(["a", "b", "c", "d"], files, resumes={2, 3}, memory=memory, **SMALL)
    assert column(rows, "attempt") == [1, 2, 2, 2]
    assert column(rows, "duplicates") == [0, 1, 0, 1]
    assert (report.lines, report.used, report.duplicates, report.repeats, report.orphans) == (12, 4, 2, 5, 1)
    assert (report.tokens["prompt_tokens"], report.duplicate_tokens["prompt_tokens"]) == (28, 5)
    assert report.imbalances() == []


def test_of_an_ordinary_attempt_equal_answers_are_billed_twice():
    same = jsonl([answer_of("a", "A")])
    (_, _, report), (_, _, resumed) = join(["a"], [same, same]), join(["a"], [same, same], resumes={2})
    assert (report.duplicates, report.repeats) == (1, 0)
    assert (resumed.duplicates, resumed.repeats) == (0, 1)


def test_a_failure_is_no_answer_to_repeat():
    failed = jsonl([line("a", status="busy")])
    rows, _, report = join(["a"], [failed, failed], resumes={2})
    assert (column(rows, "attempt"), report.repeats) == ([2], 0)


def test_equal_requests_are_interchangeable():
    names = ["same", "other", "same", "same"]
    lines = [line("same", text) for text in ("A", "B", "C", "D")] + [line("nobody", "E")]
    rows, strays, report = join(names, [jsonl(lines)], BY_REQUEST, keyed=False)
    assert column(rows, "text") == ["A", None, "B", "C"]
    assert column(rows, "outcome") == ["ok", "missing", "ok", "ok"]
    assert (report.used, report.duplicates, report.orphans) == (3, 1, 1)
    assert strays[0].reason == "unknown_request"


def test_of_equal_requests_a_later_attempt_serves_those_without_an_answer():
    first = [line("same", "A"), line("same", status="gone"), line("same", "B")]
    rows, _, report = join(
        ["same"] * 4, [jsonl(first), jsonl([line("same", "C"), line("same", "D")])], BY_REQUEST, keyed=False
    )
    assert column(rows, "outcome") == ["ok"] * 4
    assert sorted(column(rows, "text")) == ["A", "B", "C", "D"]
    assert report.duplicates == 1


def test_lines_without_a_key_are_known_by_their_request():
    lines = [line("a"), {name: value for name, value in line("b").items() if name != "key"}]
    rows, strays, _ = join(["a", "b"], [jsonl(lines)], ReadOptions(fingerprints="keyless"))
    assert column(rows, "outcome") == ["ok", "ok"]
    assert not strays


def test_swapped_keys_are_reported():
    names = ["a", "b", "c", "d"]
    lines = [line("a", request=request_of("b")), line("b", request=request_of("a")), line("c")]
    lines.append(line("d", request=request_of("nobody")))
    rows, strays, report = join(names, [jsonl(lines)], CHECKED)
    assert column(rows, "outcome") == ["ok"] * 4
    assert [(stray.kind, stray.key, stray.line) for stray in strays] == [
        ("suspect", "a", 1),
        ("suspect", "b", 2),
        ("suspect", "d", 4),
    ]
    assert ["prompt 2" in strays[0].message, "prompt 1" in strays[1].message, "no prompt" in strays[2].message] == [
        True
    ] * 3
    assert report.suspects == 3
    assert join(names, [jsonl(lines)], CHECKED, cross_check=False)[2].suspects == 0


def test_a_prompt_that_was_never_sent_says_why():
    rows, strays, report = join(
        ["a", "a", "b"], [jsonl([line("a")])], rejects=[None, "it has the key of prompt 1", None]
    )
    assert column(rows, "outcome") == ["ok", "rejected", "missing"]
    assert column(rows, "error_message") == [None, "it has the key of prompt 1", None]
    assert column(rows, "retryable") == [False, False, True]
    assert (report.outcomes, strays) == ({"ok": 1, "rejected": 1, "missing": 1}, [])


def test_no_prompts_and_no_predictions_make_no_rows():
    assert join([], [])[0] == []
    assert join([], [jsonl([line("a")])])[2].orphans == 1


@pytest.mark.parametrize("bits", [0, 1, 8])
def test_keys_with_equal_hashes_are_told_apart(monkeypatch, bits):
    def weak(keys):
        return np.array([0 if key is None else 1 + hash(key) % (1 << bits) for key in keys.to_pylist()], np.uint64)

    names = [f"name-{at}" for at in range(50)]
    lines = [line(f"name-{at}", f"text {at}") for at in range(60)]
    whole = join(names, [jsonl(lines)])
    monkeypatch.setattr(prompt_store, "hash_keys", weak)
    monkeypatch.setattr(correlate, "hash_keys", weak)
    again = join(names, [jsonl(lines)])
    assert again[0] == whole[0]
    assert (
        {stray.key for stray in again[1]} == {stray.key for stray in whole[1]} == {f"name-{at}" for at in range(50, 60)}
    )
    with pytest.raises(PromptError, match="prompts 3 and 51 have the same key 'name-2'"):
        join([*names, "name-2"], [jsonl(lines)])


def test_prompts_that_cannot_be_told_apart_stop_the_join():
    with pytest.raises(PromptError, match="prompts 1 and 3 have the same key 'a'"):
        join(["a", "b", "a"], [])
    with pytest.raises(PromptError, match=r"prompt 2: it has no key"):
        join(["a", None, "c"], [], printed=False)


def test_a_column_that_would_be_added_twice_is_refused():
    schema = pa.schema([("gemini_text", pa.string())])
    with RecordSpool() as spool:
        with pytest.raises(UsageError, match="gemini_text"):
            Joiner(schema, JoinOptions(), spool, print)
        assert "x_text" in Joiner(schema, JoinOptions(prefix="x_"), spool, print).schema.names


def test_the_prompts_own_columns_come_through_untouched():
    prompts = pa.record_batch(
        {
            "key": pa.array(["a", "b"]).dictionary_encode(),
            "nested": pa.array([{"list": [1, None]}, None], pa.struct([("list", pa.list_(pa.int8()))])),
            "when": pa.array([1, None], pa.timestamp("ns", "Europe/Berlin")),
            "same": pa.array([1.5, None]),
        }
    )
    prompts = prompts.rename_columns(["key", "nested", "when", "key"])
    with RecordSpool(0) as spool:
        joiner = Joiner(prompts.schema, JoinOptions(), spool, print)
        joiner.add_prompts(prompts, pa.array(["a", "b"]))
        (rows,) = joiner.iter_rows()
    assert pa.RecordBatch.from_arrays(rows.columns[:4], schema=prompts.schema).equals(prompts)
