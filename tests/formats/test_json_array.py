import json

import pytest

from geminate.errors import PromptError
from geminate.formats.options import PromptOptions
from geminate.formats.prompts import open_prompts


def test_an_array_is_its_rows_and_an_object_is_one(put, rows):
    assert rows(put("p.json", '\ufeff [{"a": 1},\n {"a": "x"}] ')) == [{"a": "1"}, {"a": "x"}]
    assert rows(put("p.json", '{"a": {"b": 1}}')) == [{"a": {"b": 1}}]


def test_rows_are_numbered_through_all_blocks(put):
    path = put("p.json", json.dumps([{"a": number} for number in range(3000)]))
    prompts = open_prompts(path)
    (record_batch,) = prompts.iter_record_batches()
    assert record_batch.column("a").to_pylist() == list(range(3000))
    assert prompts.locate(2999) == (str(path), 3000)


@pytest.mark.parametrize(
    "content, place, reason",
    [
        ('[{"a":1}', "", "no array of objects"),
        ("7", "", "no array of objects"),
        ('[{"a":1}, 5]', ":2", "not a JSON object"),
        (b'[{"a":1}, {"a":"\xff"}]', ":2", "not valid UTF-8"),
        ("[" * 100_000, "", "no array of objects"),
    ],
)
def test_what_is_no_such_document_is_named(put, content, place, reason):
    path = put("p.json", content)
    with pytest.raises(PromptError, match=reason) as caught:
        open_prompts(path)
    assert caught.value.where == f"{path}{place}"


def test_json_lines_under_the_wrong_name_are_explained_and_can_be_read(put, rows):
    path = put("p.json", '{"a":1}\n{"a":2}\n')
    with pytest.raises(PromptError, match="name the format jsonl"):
        open_prompts(path)
    assert rows(path, PromptOptions(input_format="jsonl")) == [{"a": 1}, {"a": 2}]
