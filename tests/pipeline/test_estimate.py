import pyarrow as pa
import pytest

import geminate as gm

SPEC = gm.Spec.from_prompt("gemini-2.5-flash", "Rate {{ word }}.")
PROMPTS = [{"key": str(number), "word": "abdomen"} for number in range(40)]


def test_prompts_of_any_origin_are_estimated_alike(tmp_path):
    found = gm.estimate(PROMPTS, SPEC)
    assert isinstance(found, gm.Estimate)
    assert found.requests == 40
    assert gm.estimate(pa.Table.from_pylist(PROMPTS), SPEC) == found
    assert gm.Run.create(tmp_path / "run", PROMPTS, SPEC).estimate() == found


def test_history_may_have_any_prefix():
    rows = pa.Table.from_pylist([{**row, "g.prompt_tokens": 9, "g.output_tokens": 4} for row in PROMPTS])
    found = gm.estimate(PROMPTS, SPEC, history=rows)
    assert found.history_rows == 40
    assert found.output_tokens.likely == 160
    assert found.input_tokens.likely == pytest.approx(360, rel=0.01)
