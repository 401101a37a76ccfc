"""The names that ``import geminate`` promises, used as the README uses them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import geminate as gm

SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Say {{ word }}")
PROMPTS = pa.table({"key": ["a", "b"], "word": ["one", "two"]})


def test_every_public_name_is_there():
    assert [name for name in gm.__all__ if not hasattr(gm, name)] == []
    assert set(gm.__all__) <= set(dir(gm))


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="colect"):
        _ = gm.colect


def test_lines_are_built_lazily_in_the_order_of_the_prompts():
    lines = gm.build(PROMPTS, SPEC)
    first, second = (json.loads(line) for line in lines)
    assert first == {"key": "a", "request": {"contents": [{"role": "user", "parts": [{"text": "Say one"}]}]}}
    assert second["key"] == "b"


def test_prompts_that_break_a_rule_have_no_line_and_are_named():
    lines = gm.build([{"word": "one"}, {"word": None}], SPEC)
    assert len(list(lines)) == 1
    (violation,) = lines.violations
    assert violation.line == 2


def test_a_run_is_five_calls(tmp_path):
    run = gm.Run.create(tmp_path / "run", PROMPTS, SPEC)
    run.submit(gm.Target(gm.Where(emulate=True)))
    assert [job.succeeded for job in run.wait()] == [True]
    joined = gm.Run.open(tmp_path / "run").collect(tmp_path / "rows.parquet")
    assert joined.outcomes == {"ok": 2}
    rows = pq.read_table(tmp_path / "rows.parquet")
    assert rows.select(["key", "word"]).equals(PROMPTS)


def test_every_error_says_where_what_and_what_to_do():
    error = gm.InputError("it broke", where="here", remedy="mend it")
    assert str(error) == "here: it broke; mend it"
    assert isinstance(error, gm.GeminateError)
    assert gm.TransientError.exit_code == 75
