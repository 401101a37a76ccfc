"""Messages stay short, whatever stands in the line they are about."""

import pytest

LONG = "x" * 100_000
GOOD = {"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}


def with_part(part: dict) -> dict:
    return {"key": "a", "request": {"contents": [{"role": "user", "parts": [part]}]}}


@pytest.mark.parametrize(
    "line, rule",
    [
        ({"key": "a", "request": {"contents": [{"role": LONG, "parts": [{"text": "Hi."}]}]}}, "schema.role"),
        (with_part({"functionResponse": {"name": LONG, "response": {"a": 1}}}), "schema.function_response"),
        ({"key": "a", "request": {**GOOD, LONG: 1}}, "schema.unknown_field"),
        (with_part({"text": "Hi.", LONG: 1}), "schema.unknown_field"),
        ({"key": "a", "request": {**GOOD, "labels": {LONG: "a"}}}, "schema.label"),
        ({"key": "a", "request": {**GOOD, "labels": {LONG + "-": "a"}}}, "import.field_name"),
        ({"key": "a", "request": GOOD, LONG: 1, LONG.upper(): 2}, "import.field_case"),
        (f'{{"key":"a","{LONG}":1,"{LONG}":2,"request":{{}}}}'.encode(), "json.duplicate_key"),
    ],
)
def test_what_is_long_is_quoted_in_part(check_lines, line, rule):
    found = [violation for violation in check_lines([line]) if violation.rule == rule]
    assert [(len(one.message) < 400, len(one.path) < 400) for one in found] == [(True, True)] * max(1, len(found))


def test_a_long_key_is_quoted_in_part(check_lines):
    (found,) = check_lines([{"key": LONG, "request": GOOD}, {"key": LONG, "request": GOOD}])
    assert (found.rule, found.key, len(found.message) < 400) == ("schema.duplicate_key", LONG, True)
