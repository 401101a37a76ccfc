"""Limits on cost and jobs: what is over them is not sent."""

import json

import pytest

from geminate.ledger import Ledger

SPEC = """
model: {model}
request:
  contents: [{{role: user, parts: [{{text: "Rate {{{{ word }}}}."}}]}}]
  generationConfig: {{maxOutputTokens: 100, thinkingConfig: {{thinkingBudget: 0}}}}
"""


@pytest.fixture
def build(geminate, prompts, tmp_path):
    def build_run(*options, model="gemini-2.5-flash"):
        (tmp_path / "spec.yaml").write_text(SPEC.format(model=model))
        assert geminate("build", prompts, "--spec", "spec.yaml", "--out", "run", *options).code == 0

    return build_run


def states(tmp_path):
    with Ledger(tmp_path / "run", lock=False) as ledger:
        return {attempt.state for attempt in ledger.attempts()}


@pytest.mark.parametrize(
    "limit, words",
    [
        (("--max-cost", "0.0000001"), "may cost up to"),
        (("--max-jobs", "2"), "3 jobs, and the limit is 2"),
    ],
)
def test_a_run_over_its_limit_stops_before_anything_is_sent(geminate, build, tmp_path, limit, words):
    build("--shard-rows", "1")
    finished = geminate("submit", "run", "--emulate", *limit)
    assert finished.code == 5
    assert words in finished.err
    assert len(finished.err.splitlines()) == 1
    assert states(tmp_path) == {"planned"}


def test_a_run_whose_price_nobody_knows_is_over_any_limit(geminate, build, tmp_path):
    build(model="gemini-9-flash")
    finished = geminate("submit", "run", "--emulate", "--max-cost", "1000")
    assert (finished.code, states(tmp_path)) == (5, {"planned"})
    assert "no price is known" in finished.err


def test_a_run_within_its_limits_is_submitted_and_goes_on(geminate, build, tmp_path):
    build("--shard-rows", "1")
    within = ("--max-cost", "0.01", "--max-jobs", "3")
    assert geminate("submit", "run", "--emulate", *within).code == 0
    assert states(tmp_path) == {"committed"}
    assert geminate("submit", "run", "--max-cost", "0").code == 0


def test_the_high_end_counts_and_history_lowers_it(geminate, build, tmp_path):
    build()
    rows = [{"key": str(n), "word": "x", "gemini_prompt_tokens": 5, "gemini_output_tokens": 2} for n in range(50)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cost = geminate("estimate", "run", "--json").document["cost_usd"]
    limit = ("--max-cost", (cost["likely"] + cost["high"]) / 2)
    assert geminate("submit", "run", "--emulate", *limit).code == 5
    assert geminate("submit", "run", "--emulate", *limit, "--history", "rows.jsonl").code == 0


def test_the_whole_command_keeps_to_it_too(geminate, prompts, tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC.format(model="gemini-2.5-flash"))
    call = ("run", prompts, "--spec", "spec.yaml", "--emulate", "-o", "rows.jsonl")
    assert geminate(*call, "--max-cost", "0.0000001").code == 5
    assert not (tmp_path / "rows.jsonl").exists()
    assert geminate(*call, "--max-cost", "1").code == 0


def test_history_without_a_limit_is_refused(geminate, build):
    build()
    assert geminate("submit", "run", "--emulate", "--history", "run").code == 2


def test_what_costs_too_much_is_told_without_credentials_and_settles_nothing(geminate, build, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    build()
    where = ("--project", "p", "--staging", "gs://bucket/x")
    assert geminate("submit", "run", *where, "--max-cost", "0.0000001").code == 5
    with Ledger(tmp_path / "run", lock=False) as ledger:
        assert "target" not in ledger.facts()
    assert geminate("submit", "run", *where, "--max-cost", "100").code == 77
