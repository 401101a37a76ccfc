"""Equal requests sent once: every prompt still has its row, and what was sent is billed once."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import geminate as gm
from geminate.emulator import Emulator, EmulatorOptions
from geminate.pipeline.build import BuildOptions
from geminate.pipeline.collect import CollectOptions
from geminate.pipeline.run_folder.folder import RunFolder
from geminate.pipeline.verify import iter_damages

SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Rate {{ word }}.")
WORDS = ["bright", "dull", "bright", None, "quiet", "dull", "bright", "loud", None, "quiet"]
PROMPTS = [{"key": f"k{at}", "word": word} for at, word in enumerate(WORDS)]
TARGET = gm.Target(gm.Where(emulate=True))
TOKENS = [f"gemini_{name}_tokens" for name in ("prompt", "output", "thought", "cached", "tool", "total")]
SHARED = ["gemini_outcome", "gemini_text", "gemini_answer", "gemini_source", "gemini_job", "gemini_response_id"]


@pytest.fixture
def first_attempts_fail(tmp_path):
    """An emulator that fails two of the words in every first attempt."""
    failing = [{"status": "RESOURCE_EXHAUSTED", "contains": word} for word in ("bright", "quiet")]
    faults = {"jobs": [{"display_name": "*-1", "rows": failing}]}
    with Emulator(tmp_path / "emulator", EmulatorOptions(faults=faults)) as emulator:
        (emulator.buckets / "bucket").mkdir(parents=True)
        yield emulator


def create(path, prompts=PROMPTS, **options):
    return gm.Run.create(path, prompts, SPEC, BuildOptions(dedupe=True, **options))


def finish(run, out, target=TARGET, **options):
    run.submit(target)
    run.wait()
    joined = run.collect(out, CollectOptions(**options))
    return joined, pq.read_table(out).to_pylist()


@pytest.mark.parametrize("max_rows", [1, 2, 3, 100])
def test_one_line_for_each_different_request_and_one_row_for_each_prompt(tmp_path, max_rows):
    run = create(tmp_path / "run", max_rows=max_rows)
    assert run.manifest.prompts.followers == 4
    assert run.manifest.prompts.rejected == 2
    assert sum(shard.rows for shard in run.manifest.shards) == 4
    joined, rows = finish(run, tmp_path / "rows.parquet")
    assert [row["key"] for row in rows] == [prompt["key"] for prompt in PROMPTS]
    assert joined.outcomes == {"ok": 8, "rejected": 2} == Counter(row["gemini_outcome"] for row in rows)
    assert (joined.lines, joined.used, joined.fanned_out, joined.duplicates) == (4, 4, 4, 0)
    first = {}
    for row in rows:
        leader = first.setdefault(row["word"], row)
        assert [row[name] for name in SHARED] == [leader[name] for name in SHARED]
        if leader is not row:
            assert row["gemini_duplicates"] in {0, None}
            assert {row[name] for name in TOKENS} == {None}


def test_tokens_are_counted_once(tmp_path):
    joined, rows = finish(create(tmp_path / "run"), tmp_path / "rows.parquet")
    plain = gm.Run.create(tmp_path / "plain", [PROMPTS[at] for at in (0, 1, 4, 7)], SPEC)
    assert joined.tokens == finish(plain, tmp_path / "plain.parquet")[0].tokens
    assert sum(row["gemini_prompt_tokens"] or 0 for row in rows) == joined.tokens["prompt_tokens"]


def test_without_the_option_everything_is_sent(tmp_path):
    run = gm.Run.create(tmp_path / "run", PROMPTS, SPEC)
    assert sum(shard.rows for shard in run.manifest.shards) == 8
    assert finish(run, tmp_path / "rows.parquet")[0].fanned_out == 0


def test_the_rows_are_those_of_a_run_that_sends_all(tmp_path):
    prompts = [{"key": str(at), "word": str(at * 7919 % 101)} for at in range(500)]
    names = ["key", "word", "gemini_outcome", "gemini_text"]
    deduped = finish(create(tmp_path / "one", prompts, max_rows=17), tmp_path / "one.parquet")[1]
    plain = finish(gm.Run.create(tmp_path / "all", prompts, SPEC), tmp_path / "all.parquet")[1]
    assert [[row[name] for name in names] for row in deduped] == [[row[name] for name in names] for row in plain]


@pytest.mark.parametrize("max_rows", [1, 100])
def test_a_leader_that_is_tried_again_serves_all_its_followers(first_attempts_fail, tmp_path, max_rows):
    where = gm.Where(endpoint=first_attempts_fail.url, buckets_path=first_attempts_fail.buckets)
    run = create(tmp_path / "run", max_rows=max_rows)
    joined, rows = finish(run, tmp_path / "rows.parquet", gm.Target(where, "gs://bucket/x"))
    assert joined.outcomes == {"ok": 3, "failed": 5, "rejected": 2}
    planned = run.retry()
    assert (planned.rows, planned.left) == (2, {"rejected": 2})
    run.wait()
    joined = run.collect(tmp_path / "again.parquet")
    assert joined.outcomes == {"ok": 8, "rejected": 2}
    attempts = {row["word"]: set() for row in rows}
    for row in pq.read_table(tmp_path / "again.parquet").to_pylist():
        attempts[row["word"]].add(row["gemini_attempt"])
    assert attempts == {"bright": {2}, "quiet": {2}, "dull": {1}, "loud": {1}, None: {None}}
    assert list(iter_damages(run.folder)) == []


def test_followers_are_found_where_the_service_gives_no_keys_back(tmp_path):
    run = create(tmp_path / "run", max_rows=3)
    run.submit(TARGET)
    run.wait()
    for path in (tmp_path / "run" / "emulator").rglob("predictions.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps({k: v for k, v in line.items() if k != "key"}) + "\n" for line in lines))
    assert run.collect(tmp_path / "rows.parquet").outcomes == {"ok": 8, "rejected": 2}


def test_verify_knows_the_file_that_says_who_follows_whom(tmp_path):
    run = create(tmp_path / "run")
    assert list(iter_damages(run.folder)) == []
    path = RunFolder(tmp_path / "run").path / "followers.arrow"
    path.write_bytes(path.read_bytes()[:-8] + b"\xff" * 8)
    assert [damage.file for damage in iter_damages(run.folder)] == ["followers.arrow"]


def test_every_kind_of_column_is_shared(tmp_path):
    spec = gm.Spec.from_prompt(
        "gemini-3.5-flash",
        "Rate {{ word }}.",
        answer={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    )
    run = gm.Run.create(tmp_path / "run", PROMPTS, spec, BuildOptions(dedupe=True))
    rows = finish(run, tmp_path / "rows.parquet", keep_response=True, content=("thoughts", "safety"), prefix="g.")[1]
    for row in rows:
        if row["g.outcome"] == "ok":
            assert json.loads(row["g.text"]) == row["g.answer"]
            assert row["g.text"] == json.loads(row["g.response"])["candidates"][0]["content"]["parts"][0]["text"]


def test_a_long_answer_shared_by_many_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("geminate.pipeline.written.fan_out._MAX_FILLED_BYTES", 2000)
    prompts = [{"key": str(at), "word": "same"} for at in range(300)]
    run = create(tmp_path / "run", prompts)
    run.submit(TARGET)
    run.wait()
    joined = run.collect(tmp_path / "rows.arrow")
    assert joined.outcomes == {"ok": 300}
    with pa.ipc.open_file(tmp_path / "rows.arrow") as reader:
        assert reader.num_record_batches > 10
        assert set(reader.read_all().column("gemini_outcome").to_pylist()) == {"ok"}
