import json

import pytest

GOOD = '{"key":"a","request":{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}}\n'
BAD = '{"key":"b","request":{"contents":[{"role":"robot","parts":[{"text":"hi"}]}],"tools":[{"googleSearch":{}}]}}\n'


def test_good_lines_pass(geminate, tmp_path):
    (tmp_path / "requests.jsonl").write_text(GOOD)
    finished = geminate("check", "requests.jsonl")
    assert (finished.code, finished.out) == (0, "")


def test_each_violation_is_one_json_line_with_its_place(geminate, tmp_path):
    (tmp_path / "requests.jsonl").write_text(GOOD + BAD)
    finished = geminate("check", "requests.jsonl", "--json")
    assert finished.code == 5
    found = [json.loads(line) for line in finished.out.splitlines()]
    assert {violation["rule"] for violation in found} == {"schema.role", "import.empty_object"}
    for violation in found:
        assert set(violation) == {"file", "line", "key", "path", "rule", "message"}
        assert (violation["file"], violation["line"], violation["key"]) == ("requests.jsonl", 2, "b")


def test_a_person_reads_the_same_in_words(geminate, tmp_path):
    (tmp_path / "requests.jsonl").write_text(BAD)
    finished = geminate("check", "requests.jsonl")
    assert finished.code == 5
    assert "requests.jsonl:1 (key b)" in finished.out
    assert "schema.role" in finished.out
    assert "2 violations" in finished.err


def test_rules_of_the_importer_do_not_hold_for_bigquery(geminate, tmp_path):
    (tmp_path / "requests.jsonl").write_text(BAD.replace("robot", "user"))
    assert geminate("check", "requests.jsonl", "--for-bigquery").code == 0


@pytest.mark.parametrize("name", ["folder", "none.jsonl"])
def test_what_is_not_there_is_said(geminate, tmp_path, name):
    (tmp_path / "folder").mkdir()
    finished = geminate("check", name)
    assert finished.code == 5
    assert name in finished.err


def test_what_has_one_right_answer_is_repaired_and_said(geminate, tmp_path):
    (tmp_path / "requests.jsonl").write_text(GOOD + BAD.replace("robot", "user"))
    finished = geminate("check", "requests.jsonl", "--fix", "fixed.jsonl")
    assert finished.code == 0, finished.err
    assert "requests.jsonl:2: " in finished.err
    assert "googleSearch" in finished.err
    assert (tmp_path / "fixed.jsonl").read_text().startswith(GOOD)
    assert geminate("check", "fixed.jsonl").code == 0
    assert geminate("check", "requests.jsonl", "--fix", "fixed.jsonl").code == 5


def test_a_file_in_the_way_of_repairs_is_told_without_an_option_that_is_not_there(geminate, tmp_path):
    (tmp_path / "requests.jsonl").write_text(GOOD)
    (tmp_path / "fixed.jsonl").write_text("mine")
    finished = geminate("check", "requests.jsonl", "--fix", "fixed.jsonl")
    assert (finished.code, "--overwrite" in finished.err) == (5, False)
    assert "fixed.jsonl: exists already" in finished.err
    assert (tmp_path / "fixed.jsonl").read_text() == "mine"


@pytest.mark.parametrize("command", ["check", "join", "estimate"])
def test_what_only_jobs_need_is_taken_and_not_offered(geminate, tmp_path, command):
    (tmp_path / "requests.jsonl").write_text(GOOD)
    offered = geminate(command, "--help").out
    assert "--endpoint" in offered
    assert "--emulate" not in offered
    assert "--location" not in offered
    if command == "check":
        assert geminate(command, "requests.jsonl", "--emulate", "--location", "us-central1").code == 0
