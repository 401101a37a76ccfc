import re
from pathlib import Path

import pyarrow.csv
import pyarrow.json
import pytest
import yaml

from geminate.wire.answers import AnswerSchema
from geminate.wire.answers.compiled import compile_decoder
from geminate.wire.answers.flatten import flatten

FIXTURES = Path(__file__).parents[3] / "fixtures"


def read_spec(name):
    return yaml.safe_load((FIXTURES / "specs" / f"{name}.yaml").read_text("utf-8"))


def read_answer(name):
    answer = read_spec(name)["answer"]
    return yaml.safe_load((FIXTURES / "specs" / answer).read_text("utf-8")) if isinstance(answer, str) else answer


def read_prompts(name):
    if name == "words":
        return pyarrow.csv.read_csv(FIXTURES / "prompts" / "words.csv")
    return pyarrow.json.read_json(FIXTURES / "prompts" / "elements.jsonl")


@pytest.mark.parametrize("name, key, rows", [("words", "key", 745), ("elements", "symbol", 118)])
def test_every_prompt_has_its_own_key_and_fills_every_slot(name, key, rows):
    prompts = read_prompts(name)
    assert len(prompts) == len(set(prompts[key].to_pylist())) == rows
    assert sum(column.null_count for column in prompts.columns) == 0
    slots = set(re.findall(r"\{\{ (\w+) \}\}", str(read_spec(name)["request"])))
    assert slots
    assert slots <= set(prompts.column_names)


@pytest.mark.parametrize("name", ["words", "elements"])
def test_the_answers_can_be_asked_for_in_full_and_judged_quickly(name):
    schema = AnswerSchema.from_source(read_answer(name))
    assert schema.convert().notes == ()
    assert schema.arrow_type is not None
    assert compile_decoder(flatten(schema.schema, "answer")[0]) is not None


def test_words_are_of_the_parts_of_speech_that_answers_may_name():
    parts = read_answer("words")["properties"]["part_of_speech"]["enum"]
    assert set(read_prompts("words")["part_of_speech"].to_pylist()) == set(parts)


def test_elements_are_counted_without_a_gap():
    assert read_prompts("elements")["atomic_number"].to_pylist() == list(range(1, 119))
