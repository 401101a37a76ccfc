"""Each mistake: one sentence that says where and what to do, the contract's exit code, nothing half-made."""

import os
from pathlib import Path

import pytest

MODEL = ("--model", "gemini-3.5-flash")
SPEC = (*MODEL, "--prompt", "Rate {{ word }}.")


def assert_told(finished, code, *words):
    assert finished.code == code, finished.err
    assert finished.out == ""
    assert finished.err.count("\n") == 1, finished.err
    for word in words:
        assert word in finished.err


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "prompts.csv")


def test_a_slot_names_a_column_that_the_prompts_lack(geminate, prompts, tmp_path):
    finished = geminate("build", prompts, *MODEL, "--prompt", "Rate {{ wrod }}.", "--out", "run")
    assert_told(finished, 5, "wrod", "word")
    assert visible(tmp_path) == []


def test_two_prompts_have_one_key(geminate, prompts, tmp_path):
    prompts.write_text("key,word\na,tyrant\nb,abdomen\na,attendant\n")
    finished = geminate("build", prompts, *SPEC, "--out", "run")
    assert_told(finished, 5, "'a'", "row 3", "row 1", "--key")
    assert visible(tmp_path) == []


def test_a_prompt_has_no_key(geminate, prompts, tmp_path):
    prompts.write_text("key,word\na,tyrant\n,abdomen\n")
    assert_told(geminate("build", prompts, *SPEC, "--out", "run"), 5, "row 2", "--key")
    assert visible(tmp_path) == []


def test_a_named_key_column_is_not_there(geminate, prompts, tmp_path):
    assert_told(geminate("build", prompts, *SPEC, "--out", "run", "--key", "wird"), 5, "--key wird", "word")
    assert visible(tmp_path) == []


def test_a_line_cannot_be_read(geminate, tmp_path):
    (tmp_path / "p.jsonl").write_text('{"word": "tyrant"}\n{"word": \n{"word": "abdomen"}\n')
    finished = geminate("build", "p.jsonl", *SPEC, "--out", "run")
    assert_told(finished, 5, "p.jsonl", "2")
    assert visible(tmp_path) == ["p.jsonl"]


def test_a_spec_has_an_unknown_field(geminate, prompts, tmp_path):
    (tmp_path / "spec.yaml").write_text("modle: gemini-3.5-flash\nrequest: {contents: []}\n")
    assert_told(geminate("build", prompts, "--spec", "spec.yaml", "--out", "run"), 5, "modle", "model", "spec.yaml")


def test_a_request_in_a_spec_has_an_unknown_field(geminate, prompts, tmp_path):
    request = "{contents: [{role: user, parts: [{text: '{{ word }}'}]}], generationConfg: {temperature: 0}}"
    (tmp_path / "spec.yaml").write_text(f"model: gemini-3.5-flash\nrequest: {request}\n")
    finished = geminate("build", prompts, "--spec", "spec.yaml", "--out", "run")
    assert_told(finished, 5, "generationConfg", "generationConfig", "spec.yaml")


def test_a_prompt_file_is_not_there(geminate, prompts):
    assert_told(geminate("build", "promts.csv", *SPEC, "--out", "run"), 5, "promts.csv", prompts.name)


def test_the_run_exists(geminate, prompts):
    assert geminate("build", prompts, *SPEC, "--out", "run").code == 0
    assert_told(geminate("build", prompts, *SPEC, "--out", "run"), 5, "run", "exists")


def test_an_output_exists(geminate, prompts, tmp_path):
    (tmp_path / "rows.parquet").write_text("mine")
    finished = geminate("run", prompts, *SPEC, "--emulate", "-o", "rows.parquet")
    assert_told(finished, 5, "rows.parquet", "exists")
    assert (tmp_path / "rows.parquet").read_text() == "mine"
    assert visible(tmp_path) == ["rows.parquet"]


def test_a_folder_is_not_writable(geminate, prompts, tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir()
    # The superuser may write anywhere, so the system's refusal is played.
    real_mkdir, real_access = Path.mkdir, os.access

    def mkdir(path, *arguments, **options):
        if path.parent == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return real_mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and real_access(path, mode))
    assert_told(geminate("build", prompts, *SPEC, "--out", closed / "run"), 77, "closed")
    assert_told(geminate("run", prompts, *SPEC, "--emulate", "-o", closed / "rows.parquet"), 77, "closed")
    assert visible(tmp_path) == ["closed"]


def test_an_output_has_an_unknown_suffix(geminate, prompts, tmp_path):
    assert_told(geminate("run", prompts, *SPEC, "--emulate", "-o", "rows.xlsx"), 5, "rows.xlsx", ".parquet")
    assert visible(tmp_path) == []


@pytest.mark.parametrize("options", [(), MODEL, ("--prompt", "x"), ("--spec", "a.yaml", *SPEC)])
def test_the_spec_is_missing_or_said_twice(geminate, prompts, options):
    assert_told(geminate("build", prompts, *options, "--out", "run"), 2, "--spec")


def test_nothing_says_where_the_jobs_should_run(geminate, prompts):
    geminate("build", prompts, *SPEC, "--out", "run")
    assert_told(geminate("submit", "run"), 2, "--staging", "--emulate")


@pytest.mark.parametrize("command", ["submit", "status", "wait", "cancel", "verify"])
def test_a_folder_is_no_run(geminate, command, tmp_path):
    assert_told(geminate(command, tmp_path), 5, "run", "geminate build")


def test_a_command_is_misspelt(geminate):
    finished = geminate("colect")
    assert finished.code == 2
    assert "collect" in finished.err


def test_an_error_is_one_json_document_when_asked(geminate):
    finished = geminate("build", "none.csv", *SPEC, "--out", "run", "--json")
    assert finished.code == 5
    assert finished.err == ""
    assert finished.document["error"]["exit_code"] == 5


def test_an_expression_names_a_column_that_the_prompts_lack(geminate, prompts, tmp_path):
    finished = geminate("build", prompts, *SPEC, "--where", "wird = 'x'", "--out", "run")
    assert_told(finished, 2, "--where", "'wird'", "word")
    assert visible(tmp_path) == []


def test_a_text_is_in_a_file_that_is_not_there(geminate, prompts):
    finished = geminate("build", prompts, *MODEL, "--prompt", "@nowhere.txt", "--out", "run")
    assert_told(finished, 2, "nowhere.txt: cannot be read: No such file")


def test_a_bucket_has_a_name_that_no_bucket_has(geminate):
    finished = geminate("build", "gs://bk/prompts.csv", *SPEC, "--buckets", ".", "--out", "run")
    assert_told(finished, 5, "gs://bk", "no bucket", "'bk'")


def test_an_endpoint_is_no_url(geminate, prompts, tmp_path):
    finished = geminate("run", prompts, *SPEC, "--endpoint", "localhost:9", "--staging", "gs://bucket", "-o", "a.csv")
    assert_told(finished, 2, "--endpoint localhost:9", "http://")
    assert visible(tmp_path) == []


def test_a_row_has_more_cells_than_the_header(geminate, prompts, tmp_path):
    prompts.write_text("key,word\na,tyrant\nb,abdomen,x\n")
    assert_told(geminate("build", prompts, *SPEC, "--out", "run"), 5, "prompts.csv, row 2: expected 2 columns, got 3")
    assert visible(tmp_path) == []
