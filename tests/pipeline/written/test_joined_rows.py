"""Answers as objects, and the repairs that made them JSON."""

import json

import pytest
from pydantic import BaseModel, field_validator

import geminate as gm
from geminate.errors import UsageError
from geminate.pipeline.join import JoinSettings, open_alone, open_join
from geminate.pipeline.written.outputs import write_joined


class Label(BaseModel):
    name: str
    stars: int

    @field_validator("stars")
    @classmethod
    def within_five(cls, stars):
        if stars > 5:
            raise ValueError("more than five stars")
        return stars


SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Rate {{ word }}", answer=Label)
PROMPTS = [{"key": key, "word": key} for key in "abcdef"]
ANSWERS = {
    "a": '{"name": "good", "stars": 5}',
    "b": '```json\n{"name": "fenced", "stars": 4}\n```',
    "c": 'Here it is: {"name": "told", "stars": 3}.',
    "d": '{"name": "too many", "stars": 6}',
    "e": '```json\n{"name": "no stars"}\n```',
}


def prediction(key, text):
    candidate = {"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
    return {"key": key, "status": "", "response": {"candidates": [candidate]}}


@pytest.fixture
def predictions(tmp_path):
    path = tmp_path / "predictions.jsonl"
    lines = [prediction(key, text) for key, text in ANSWERS.items()]
    lines += [prediction("b", ANSWERS["b"]), prediction("z", ANSWERS["b"])]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("prefix", ["gemini_", "x_"])
def test_every_row_comes_with_its_answer_as_an_object(predictions, prefix):
    rows = list(gm.join(PROMPTS, predictions, SPEC, by="key", prefix=prefix).iter_objects())
    assert [row["key"] for row, _, _ in rows] == list("abcdef")
    assert [answer for _, answer, _ in rows] == [
        Label(name="good", stars=5),
        Label(name="fenced", stars=4),
        Label(name="told", stars=3),
        None,
        None,
        None,
    ]
    assert rows[4].row[f"{prefix}outcome"] == "invalid_answer"


def test_an_answer_that_only_the_type_itself_refuses_says_why(predictions):
    rows = {row["key"]: (row["gemini_outcome"], problem) for row, _, problem in iter_joined(predictions)}
    assert rows["d"][0] == "ok"
    assert "more than five stars" in rows["d"][1]
    assert all(problem is None for key, (_, problem) in rows.items() if key != "d")


def iter_joined(predictions):
    return gm.join(PROMPTS, predictions, SPEC, by="key").iter_objects()


def test_predictions_alone_have_objects_too(predictions):
    answers = [answer for _, answer, _ in gm.read_predictions(predictions, SPEC).iter_objects()]
    assert answers.count(Label(name="fenced", stars=4)) == 3


def test_a_schema_that_is_no_type_gives_plain_objects(predictions):
    spec = gm.Spec(SPEC.model, SPEC.request, answer=Label.model_json_schema())
    answers = [answer for _, answer, _ in gm.join(PROMPTS, predictions, spec, by="key").iter_objects()]
    assert answers[:2] == [{"name": "good", "stars": 5}, {"name": "fenced", "stars": 4}]


def test_without_an_answer_schema_there_are_no_objects(predictions):
    with pytest.raises(UsageError, match="no answer schema"):
        gm.join(PROMPTS, predictions).iter_objects()


def test_repairs_of_the_used_answers_are_counted(predictions, tmp_path):
    rows = gm.join(PROMPTS, predictions, SPEC, by="key")
    rows.read_all()
    assert rows.report.repairs == {"code_fence": 1, "surrounding_text": 1}
    out = tmp_path / "rows.parquet"
    opened = open_join(PROMPTS, [str(predictions)], SPEC, JoinSettings(by="key"))
    joined = write_joined(opened, out)
    manifest = json.loads((tmp_path / "rows.parquet.manifest.json").read_text())
    assert manifest["repairs"] == joined.repairs == {"code_fence": 1, "surrounding_text": 1}


def test_predictions_alone_are_all_used(predictions, tmp_path):
    joined = write_joined(open_alone([str(predictions)], SPEC, JoinSettings()), tmp_path / "rows.jsonl")
    assert joined.repairs == {"code_fence": 3, "surrounding_text": 1}


def test_without_an_answer_schema_nothing_is_repaired(predictions):
    rows = gm.join(PROMPTS, predictions)
    rows.read_all()
    assert rows.report.repairs == {}
