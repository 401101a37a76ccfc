import json

import pyarrow as pa
import pytest

from geminate.wire.answers import AnswerSchema

LABEL = {
    "type": "object",
    "properties": {
        "score": {"type": "integer", "minimum": 1, "maximum": 7},
        "tone": {"enum": ["cold", "warm"]},
        "note": {"type": ["string", "null"]},
    },
    "required": ["score"],
}


def judge(schema, *texts):
    return AnswerSchema.from_source(schema).judge_texts(pa.array(texts, pa.string()))


def judge_one(schema, text):
    judged = judge(schema, text)
    return judged.answers[0].as_py(), judged.problems[0], judged.repairs[0]


def test_answers_keep_their_places():
    good = '{"score": %d, "tone": "warm"}'
    texts = [good % 1, None, good % 9, "```json\n" + good % 2 + "\n```", "no", '{"score": 3.0}', good % 4]
    judged = judge(LABEL, *texts)
    assert judged.answers.field("score").to_pylist() == [1, None, None, 2, None, 3, 4]
    assert judged.answers.is_valid().to_pylist() == [True, False, False, True, False, True, True]
    assert [problem is None for problem in judged.problems] == [True, True, False, True, False, True, True]
    assert judged.repairs == [None, None, None, "code_fence", None, None, None]


def test_no_texts_make_no_answers():
    judged = judge(LABEL)
    assert (len(judged.answers), judged.problems, judged.repairs) == (0, [], [])
    assert judge(LABEL, None, None).answers.null_count == 2


@pytest.mark.parametrize(
    "text, problem",
    [
        ('{"score": 11}', "$.score: 11 is greater than the maximum of 7"),
        ('{"score": true}', "$.score: true is not of type 'integer'"),
        ('{"score": "7"}', "$.score: \"7\" is not of type 'integer'"),
        ('{"score": null}', "$.score: null is not of type 'integer'"),
        ('{"tone": "warm"}', "$: 'score' is a required property"),
        ('{"score": 1, "tone": "hot"}', "$.tone: \"hot\" is not one of ['cold', 'warm']"),
        ("[]", "$: [] is not of type 'object'"),
        ("null", "$: null is not of type 'object'"),
        ("", "$: the text is empty"),
        (" \n", "$: the text is empty"),
        ("The score is 7.", "$: it is not JSON: JSON is malformed: invalid character (byte 0)"),
        ('{"score": NaN}', "$: it is not JSON: JSON is malformed: invalid character (byte 10)"),
        ('{"score": 1', "$: it is not JSON: Input data was truncated"),
        ("[" * 100_000, "$: it is not JSON: it nests too deeply"),
        ('{"score": ' * 50_000, "$: it is not JSON: it nests too deeply"),
    ],
)
def test_a_problem_says_where_and_what(text, problem):
    assert judge_one(LABEL, text) == (None, problem, None)


def test_a_problem_never_quotes_a_whole_answer():
    for text in (json.dumps({"score": "secret " * 1000}), json.dumps({"score": 1, "note": [0] * 9999})):
        _, problem, _ = judge_one({**LABEL, "additionalProperties": False}, text)
        assert len(problem) < 100
    _, problem, _ = judge_one({**LABEL, "additionalProperties": False}, json.dumps({"s" * 9999: 1, "score": 1}))
    assert len(problem) <= 300
    assert problem.startswith("$: Additional properties are not allowed")
    assert problem.endswith("…")


@pytest.mark.parametrize(
    "text, repair",
    [
        ('\ufeff{"score": 3}', "outer_space"),
        ('\u00a0{"score": 3}\u2028', "outer_space"),
        ('```json\n{"score": 3}\n```', "code_fence"),
        ('\n```\n{"score": 3}```\n', "code_fence"),
        ('```JSON {"score": 3} ```', "code_fence"),
        ('Here it is:\n```json\n{"score": 3}\n```\nAsk away!', "surrounding_text"),
        ('Answer: {"score": 3}', "surrounding_text"),
        ('{"score": 3}}', "surrounding_text"),
    ],
)
def test_what_stands_around_json_is_taken_off(text, repair):
    answer, problem, found = judge_one(LABEL, text)
    assert (answer["score"], problem, found) == (3, None, repair)


@pytest.mark.parametrize(
    "text",
    [
        '{"score": 3} {"score": 4}',
        'As [1] says, {"score": 3}',
        '{"labels": [{"score": 3}, {"score": 4',
        "{'score': 3}",
        '{"score": 3,}',
        '// Mine\n"score": 3',
        "score: 3",
        "``` ```",
        "`````",
    ],
)
def test_nothing_is_guessed(text):
    answer, problem, repair = judge_one(LABEL, text)
    assert (answer, repair) == (None, None)
    assert problem.startswith("$: it is not JSON")


def test_a_repaired_answer_is_judged_like_any_other():
    assert judge_one(LABEL, "```\n[3]\n```") == (None, "$: [3] is not of type 'object'", "code_fence")
    assert judge_one({"type": "integer"}, "```\n3\n```") == (3, None, "code_fence")


def test_repairs_do_not_slow_down_on_hostile_texts():
    for text in ("```" + " " * 300_000, "x" + "[" * 300_000, "{" + '"' * 300_000, "```json" * 100_000 + "```"):
        assert judge_one(LABEL, text)[1].startswith("$: it is not JSON")


@pytest.mark.parametrize(
    "schema, text, answer",
    [
        ({"type": "integer"}, "1.0", 1),
        ({"type": "integer"}, "1e3", 1000),
        ({"type": "number"}, "7", 7.0),
        ({"type": "number"}, "9" * 30, 1e30),
        ({"const": 1}, "1.0", 1),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, '{"a": "x", "a": 2}', {"a": 2}),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, '{"b": {"c": 1}}', {"a": None}),
        (
            {"type": "object", "properties": {"a b": {"const": "x"}, "class": {}}},
            '{"a b": "x", "class": [1.0]}',
            {"a b": "x", "class": "[1.0]"},
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, '{"b":1, "a":2}', '{"b":1, "a":2}'),
        ({"type": ["integer", "string"]}, " 1e2 ", " 1e2 "),
        ({"type": ["integer", "null"]}, "null", None),
        ({}, "null", None),
    ],
)
def test_valid_answers_are_typed(schema, text, answer):
    found, problem, repair = judge_one(schema, text)
    assert (found, type(found), problem, repair) == (answer, type(answer), None, None)


@pytest.mark.parametrize(
    "schema, text, problem",
    [
        (
            {"type": "integer"},
            "9223372036854775808",
            "$: valid, but not a value that the answer column (int64) can hold",
        ),
        (
            {"type": "array", "items": {"type": "integer"}},
            "[1, -1e19]",
            "$[1]: valid, but not a value that the answer column (int64) can hold",
        ),
        ({"type": "number"}, "1" + "0" * 400, "$: valid, but not a value that the answer column (double) can hold"),
        ({"type": "number"}, "1e400", "$: it is not JSON: Number out of range"),
        ({"type": "string"}, r'"\ud800"', "$: it is not JSON: Input data was truncated"),
        (
            {"type": "number", "maximum": 2**53},
            str(2**53 + 1),
            "$: 9007199254740993 is greater than the maximum of 9007199254740992",
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "null", "not": {"type": "null"}}]},
            "null",
            "$: null should not be valid under {'type': 'null'}",
        ),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
                    {"properties": {"b": {"type": "string"}}},
                ]
            },
            '{"b": "x"}',
            "$: Additional properties are not allowed ('b' was unexpected)",
        ),
    ],
)
def test_what_no_column_can_hold_or_only_the_schema_knows_is_a_problem(schema, text, problem):
    assert judge_one(schema, text) == (None, problem, None)


def test_a_recursive_schema_judges_and_survives_a_deep_answer():
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "leaf": {"type": "integer"}}}
    assert judge_one(tree, '{"left": {"leaf": 1}, "leaf": 2}')[0] == {"left": '{"leaf":1}', "leaf": 2}
    assert judge_one(tree, '{"left": {"leaf": "x"}}')[1] == "$.left.leaf: \"x\" is not of type 'integer'"
    deep = '{"left": ' * 400 + "{}" + "}" * 400
    assert judge_one(tree, deep)[1] in {None, "$: it nests too deeply", "$: it is not JSON: it nests too deeply"}


def test_formats_are_not_judged():
    answer, problem, _ = judge_one({"type": "string", "format": "date-time"}, '"yesterday"')
    assert (answer, problem) == ("yesterday", None)
