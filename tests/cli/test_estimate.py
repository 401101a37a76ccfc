import json

import pytest

SPEC = ("--model", "gemini-2.5-flash", "--prompt", "Rate {{ word }}.")
ENDS = ("low", "likely", "high")


@pytest.fixture
def rows(tmp_path):
    """Joined rows whose usage is twice what anybody would guess."""
    path = tmp_path / "rows.jsonl"
    row = {"gemini_prompt_tokens": 12, "gemini_output_tokens": 5, "gemini_thought_tokens": 2}
    lost = {"key": "x", "word": "lost", "gemini_prompt_tokens": None}
    lines = [{"key": str(number), "word": "abdomen", **row} for number in range(50)]
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, lost]))
    return path


def test_prompts_are_estimated_without_a_trace(geminate, prompts, tmp_path):
    before = sorted(tmp_path.iterdir())
    finished = geminate("estimate", prompts, *SPEC)
    assert finished.code == 0
    assert finished.out == ""
    assert "3 requests to gemini-2.5-flash" in finished.err
    assert "$" in finished.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_is_estimated_as_its_prompts_are(geminate, prompts):
    from_prompts = geminate("estimate", prompts, *SPEC, "--json").document
    geminate("build", prompts, *SPEC, "--out", "run")
    assert geminate("estimate", "run", "--json").document == from_prompts


def test_the_document_has_every_range_in_order(geminate, prompts):
    document = geminate("estimate", prompts, *SPEC, "--json").document
    assert document["requests"] == 3
    assert document["prices"]["source"].startswith("https://")
    for name in ("input_tokens", "output_tokens", "cost_usd"):
        ends = [document[name][end] for end in ENDS]
        assert ends == sorted(ends)


def test_a_rejected_prompt_is_counted_and_costs_nothing(geminate, tmp_path):
    (tmp_path / "p.jsonl").write_text('{"key": "a", "word": "x"}\n{"key": "b", "word": null}\n')
    document = geminate("estimate", "p.jsonl", *SPEC, "--json").document
    assert (document["requests"], document["rejected"]) == (1, 1)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
def test_joined_rows_correct_the_estimate_in_every_format(geminate, prompts, rows, suffix):
    import polars as pl

    frame, path = pl.read_ndjson(rows), rows.with_suffix(f".{suffix}")
    {"jsonl": frame.write_ndjson, "parquet": frame.write_parquet, "csv": frame.write_csv}[suffix](path)
    document = geminate("estimate", prompts, *SPEC, "--history", path, "--json").document
    assert document["history_rows"] == 50
    assert document["output_tokens"]["likely"] == 3 * 7
    assert document["output_tokens"]["high"] < 3 * 8
    assert document["input_tokens"]["likely"] == pytest.approx(3 * 12, rel=0.2)


def test_a_finished_run_is_history_and_a_rehearsal_is_said_to_be_one(geminate, prompts):
    geminate("run", prompts, *SPEC, "--emulate", "-o", "rows.parquet")
    document = geminate("estimate", "rows.parquet.run", "--history", "rows.parquet.run", "--json").document
    assert document["history_rows"] == 3
    assert any("rehearsal" in note for note in document["notes"])


@pytest.fixture
def built(geminate, prompts, tmp_path):
    geminate("build", prompts, *SPEC, "--out", "run")
    (tmp_path / "unused.jsonl").write_text('{"key": "a", "word": "b", "gemini_prompt_tokens": null}\n')
    (tmp_path / "odd.jsonl").write_text('{"key": "a", "word": "b", "gemini_prompt_tokens": "many"}\n')


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (("prompts.csv",), 2, "no spec"),
        (("run", "--model", "m"), 2, "its own spec"),
        (("run", "prompts.csv"), 2, "by itself"),
        (("run", "--history", "prompts.csv"), 5, "no column of prompt_tokens"),
        (("run", "--history", "unused.jsonl"), 5, "no row tells its usage"),
        (("run", "--history", "odd.jsonl"), 5, "holds no numbers"),
        (("run", "--history", "nowhere.parquet"), 5, "nowhere.parquet"),
    ],
)
@pytest.mark.usefixtures("built")
def test_what_cannot_be_estimated_is_said_in_a_sentence(geminate, arguments, code, words):
    finished = geminate("estimate", *arguments)
    assert finished.code == code
    assert words in finished.err
    assert "Traceback" not in finished.err


def test_media_are_counted_in_words(geminate, tmp_path):
    (tmp_path / "p.csv").write_text("key,file\na,gs://bucket/a.png\nb,gs://bucket/b.png\nc,gs://bucket/c.pdf\n")
    model = ("--model", "gemini-2.5-flash", "--prompt", "What is it?", "--media-column", "file")
    said = geminate("estimate", "p.csv", *model).err
    assert "2 images" in said
    assert "1 document" in said
    assert "media of unknown length: 1;" in said
