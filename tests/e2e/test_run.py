"""Prompts to joined rows through the command, the emulator and back."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
WORDS = ROOT / "fixtures/prompts/words.csv"
WORDS_SPEC = ROOT / "fixtures/specs/words.yaml"
PROMPT = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}.")


def emulated_jobs(run_path):
    return [json.loads(path.read_text()) for path in (run_path / "emulator/jobs").glob("[!.]*.json")]


def test_every_shipped_prompt_comes_back_ok_beside_its_own_columns(geminate, tmp_path):
    geminate("run", WORDS, "--spec", WORDS_SPEC, "--emulate", "-o", "rows.parquet")
    rows = pq.read_table(tmp_path / "rows.parquet")
    prompts = pc.read_csv(WORDS)
    assert rows.num_rows >= 500
    assert rows.select(prompts.column_names).to_pylist() == prompts.to_pylist()
    assert set(rows["gemini_outcome"].to_pylist()) == {"ok"}
    assert all(1 <= answer["familiarity"] <= 7 for answer in rows["gemini_answer"].to_pylist())


def test_the_same_command_again_does_nothing_twice(geminate, tmp_path):
    command = ("run", WORDS, *PROMPT, "--emulate", "-o", "rows.parquet", "--json")
    first = json.loads(geminate(*command).stdout)
    written = (tmp_path / "rows.parquet").stat()
    again = json.loads(geminate(*command).stdout)
    assert again == first
    assert (tmp_path / "rows.parquet").stat() == written
    assert len(emulated_jobs(tmp_path / "rows.parquet.run")) == 1


def test_the_steps_one_by_one_give_what_run_gives(geminate, tmp_path):
    geminate("build", WORDS, *PROMPT, "--out", "run", "--shard-rows", 300)
    geminate("submit", "run", "--emulate")
    assert json.loads(geminate("status", "run", "--json").stdout)["attempts"][0]["job"] is not None
    geminate("wait", "run")
    geminate("collect", "run", "-o", "rows.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["key"] for row in rows] == pc.read_csv(WORDS)["key"].to_pylist()
    assert Counter(row["gemini_outcome"] for row in rows) == {"ok": len(rows)}
    assert len({row["gemini_job"] for row in rows}) == len(emulated_jobs(tmp_path / "run")) == -(-len(rows) // 300)
    geminate("verify", "run")


def test_rows_that_are_not_ok_are_there_and_the_exit_code_says_so(geminate, tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"key":"a","word":"x"}\n{"key":"b","word":null}\n{"key":"7","word":"y"}\n')
    finished = geminate("run", "prompts.jsonl", *PROMPT, "--emulate", "-o", "rows.parquet", "--json", code=3)
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [(row["key"], row["gemini_outcome"]) for row in rows] == [("a", "ok"), ("b", "rejected"), ("7", "ok")]
    assert "word" in rows[1]["gemini_error_message"]
    assert json.loads(finished.stdout)["outcomes"] == {"ok": 2, "rejected": 1}


def test_an_answerer_of_ones_own_decides_what_happens(geminate, tmp_path, monkeypatch):
    (tmp_path / "answers.py").write_text(
        "def answer(request):\n"
        "    text = request['contents'][0]['parts'][0]['text']\n"
        "    if 'bad' in text:\n"
        "        return {'error': {'code': 429, 'message': 'quota', 'status': 'RESOURCE_EXHAUSTED'}}\n"
        "    return text.upper()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "prompts.csv").write_text("word\ngood\nbad\n")
    command = ("run", "prompts.csv", *PROMPT, "--emulate", "--answerer", "answers:answer", "-o", "rows.parquet")
    geminate(*command, code=3)
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [row["key"] for row in rows] == ["r-000000001", "r-000000002"]
    assert rows[0]["gemini_text"] == "RATE GOOD."
    assert (rows[1]["gemini_outcome"], rows[1]["gemini_error_code"], rows[1]["gemini_retryable"]) == (
        "failed",
        429,
        True,
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda prompts: prompts.write_text("key,word\na,other\n"),
        lambda _: ("--prompt", "Judge {{ word }}."),
        lambda _: ("--limit", "1"),
    ],
)
def test_a_changed_input_is_refused_and_said(geminate, tmp_path, change):
    prompts = tmp_path / "prompts.csv"
    prompts.write_text("key,word\na,tyrant\n")
    base = ["run", prompts, "--model", "gemini-3.5-flash", "--emulate", "-o", "rows.parquet"]
    geminate(*base, "--prompt", "Rate {{ word }}.")
    (tmp_path / "rows.parquet").unlink()
    changed = change(prompts)
    options = changed if isinstance(changed, tuple) else ()
    options = options if "--prompt" in options else (*options, "--prompt", "Rate {{ word }}.")
    finished = geminate(*base, *options, code=5)
    assert "different now" in finished.stderr
    assert not (tmp_path / "rows.parquet").exists()


def test_a_build_for_a_bucket_writes_its_shards_there(geminate, tmp_path):
    where = ("--endpoint", "http://127.0.0.1:1", "--buckets", "buckets")
    geminate("build", WORDS, *PROMPT, "--out", "gs://bucket/words", *where)
    (shard,) = (tmp_path / "buckets/bucket/words").rglob("requests-*.jsonl")
    (record,) = json.loads((tmp_path / "words.run/manifest.json").read_text())["shards"]
    assert hashlib.sha256(shard.read_bytes()).hexdigest() == record["sha256"]


def test_damage_to_a_run_is_found(geminate, tmp_path):
    geminate("build", WORDS, *PROMPT, "--out", "run")
    for name in ("requests-00000.jsonl", "prompts-00000.arrow", "manifest.json", "spec.json"):
        path = tmp_path / "run" / name
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"r", b"q", 1))
        assert name in geminate("verify", "run", code=5).stderr
        path.write_bytes(whole[:-1])
        assert name in geminate("verify", "run", code=5).stderr
        path.unlink()
        assert "run" in geminate("verify", "run", code=5).stderr
        path.write_bytes(whole)
    (tmp_path / "run/foreign").touch()
    assert "foreign" in geminate("verify", "run", code=5).stderr


def test_a_finished_rehearsal_is_not_taken_for_the_real_run(geminate, tmp_path):
    (tmp_path / "prompts.csv").write_text("word\ntyrant\n")
    command = ("run", "prompts.csv", *PROMPT, "-o", "rows.parquet")
    geminate(*command, "--emulate")
    finished = geminate(*command, "--project", "p", "--staging", "gs://bucket/p", code=5)
    assert "submitted elsewhere" in finished.stderr
    assert "emulate was True and is now False" in finished.stderr


def test_a_clash_of_columns_is_told_before_anything_is_paid(geminate, tmp_path):
    (tmp_path / "prompts.csv").write_text("word,gemini_text\ntyrant,mine\n")
    finished = geminate("run", "prompts.csv", *PROMPT, "--emulate", "-o", "rows.parquet", code=2)
    assert "gemini_text" in finished.stderr
    assert not (tmp_path / "rows.parquet.run").exists()


def test_a_missing_place_for_the_lines_is_told_before_the_build(geminate, tmp_path):
    finished = geminate("run", WORDS, *PROMPT, "--project", "p", "-o", "rows.parquet", code=2)
    assert "--staging" in finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_other_columns_are_not_served_from_the_finished_output(geminate, tmp_path):
    (tmp_path / "prompts.csv").write_text("word\ntyrant\n")
    command = ("run", "prompts.csv", *PROMPT, "--emulate", "-o", "rows.parquet")
    geminate(*command)
    assert "exists" in geminate(*command, "--prefix", "p_", code=5).stderr
    geminate(*command, "--prefix", "p_", "--overwrite")
    assert "p_outcome" in pq.read_schema(tmp_path / "rows.parquet").names
    assert len(emulated_jobs(tmp_path / "rows.parquet.run")) == 1


def test_a_new_attempt_is_waited_for_and_not_reported_as_failed(geminate, tmp_path, monkeypatch):
    (tmp_path / "answers.py").write_text(
        "from pathlib import Path\n"
        "seen = Path(__file__).with_name('seen')\n"
        "def answer(request):\n"
        "    if seen.exists():\n"
        "        return 'done'\n"
        "    seen.touch()\n"
        "    return {'error': {'code': 429, 'message': 'quota', 'status': 'RESOURCE_EXHAUSTED'}}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "prompts.csv").write_text("word\ntyrant\n")
    command = ("run", "prompts.csv", *PROMPT, "--emulate", "--answerer", "answers:answer", "-o", "rows.parquet")
    geminate(*command, code=3)
    geminate("retry", "rows.parquet.run")
    geminate(*command, "--overwrite")
    (row,) = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert (row["gemini_outcome"], row["gemini_attempt"]) == ("ok", 2)


def test_the_folder_of_a_run_can_be_checked(geminate):
    geminate("run", WORDS, *PROMPT, "--emulate", "-o", "rows.parquet")
    assert "no violations" in geminate("check", "rows.parquet.run").stderr


def test_output_that_a_finished_job_should_have_is_not_passed_off_as_missing_rows(geminate, tmp_path):
    geminate("build", WORDS, *PROMPT, "--out", "run")
    geminate("submit", "run", "--emulate")
    geminate("wait", "run")
    (predictions,) = (tmp_path / "run/emulator/buckets").glob("*/*/predictions")
    shutil.move(predictions, tmp_path / "elsewhere")
    finished = geminate("collect", "run", "-o", "rows.parquet", code=5)
    assert "predictions" in finished.stderr
    assert not (tmp_path / "rows.parquet").exists()
    shutil.move(tmp_path / "elsewhere", predictions)
    geminate("collect", "run", "-o", "rows.parquet")
