import pytest

from geminate.errors import PromptError
from geminate.formats.options import PromptOptions
from geminate.formats.prompts import open_prompts


def test_lines_end_at_line_feeds_only_and_blank_ones_are_no_rows(put, rows):
    path = put("p.jsonl", '\ufeff{"a":"\u2028\u0085\u2029x"}\r\n\n   \n{"a":"y"}\n\r\n{"a":"z"}')
    assert rows(path) == [{"a": "\u2028\u0085\u2029x"}, {"a": "y"}, {"a": "z"}]
    prompts = open_prompts(path)
    list(prompts.iter_record_batches())
    assert [prompts.locate(row) for row in range(3)] == [(str(path), 1), (str(path), 4), (str(path), 6)]


def test_columns_stand_in_order_of_appearance_and_absent_fields_are_null(put, rows):
    path = put("p.jsonl", '{"b":1}\n{"a":2,"b":3}\n')
    assert list(rows(path)[0].items()) == [("b", 1), ("a", None)]


def test_a_type_that_changes_after_many_rows_is_still_seen(put):
    path = put("p.jsonl", '{"a":1}\n' * 5000 + '{"a":"x","late":true}\n')
    assert open_prompts(path).schema.names == ["a", "late"]
    assert open_prompts(path).schema.field("a").type == "string"


@pytest.mark.parametrize(
    "line, reason",
    [
        (b'{"a":1', "not valid JSON"),
        (b'{"a":1}{"a":2}', "not valid JSON"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'{"a":1e999}', "out of range"),
        (b'{"a":"\\ud800"', "not valid JSON"),
        (b'["\\udc00x"]', "an array and not a JSON object"),
        (b'{"a":"\xff"}', "not valid UTF-8"),
        (b'{"\xff":1}', "not valid UTF-8"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b"[1]", "an array and not a JSON object"),
        (b"null", "not a JSON object"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_place_and_reason(put, line, reason):
    path = put("p.jsonl", b'{"a":1}\n\n' + line + b'\n{"a":2}\n')
    with pytest.raises(PromptError, match=reason) as caught:
        open_prompts(path)
    assert caught.value.where == f"{path}:3"
    assert "begins at byte 9)" in caught.value.what


def test_all_unreadable_lines_are_counted(put):
    path = put("p.jsonl", b'{"a":1}\n' + b"bad\n" * 1501)
    with pytest.raises(PromptError, match="and 1,500 more lines") as caught:
        open_prompts(path)
    assert caught.value.where == f"{path}:2"


def test_a_line_longer_than_the_cap_is_named(put):
    path = put("p.jsonl", b'{"a":1}\n{"a":"' + b"x" * (64 * 1024**2) + b'"}\n')
    with pytest.raises(PromptError, match="a line of 67,108,872 bytes"):
        open_prompts(path)


def test_utf16_is_refused_with_what_to_do(put):
    with pytest.raises(PromptError, match="save it as UTF-8"):
        open_prompts(put("p.jsonl", '{"a":1}\n'.encode("utf-16")))


@pytest.mark.parametrize("content", ["", "\n\n", "{}\n{}\n"])
def test_a_file_without_a_column_is_an_error(put, content):
    with pytest.raises(PromptError, match="no prompts"):
        open_prompts(put("p.jsonl", content))


def test_a_file_that_changes_between_the_two_readings_is_an_error(put):
    prompts = open_prompts(put("p.jsonl", '{"a":1}\n'), options=PromptOptions())
    put("p.jsonl", '{"a":"x"}\n{}\n')
    with pytest.raises(PromptError, match="changed while it was read"):
        list(prompts.iter_record_batches())
