"""One bad line among many good ones is found, with its number, wherever it stands."""

import json

import pytest

SMALL = [(300, 1), (300, 2), (300, 300)]
LARGE = {"import.": (100_000, 67_890), "json.syntax": (100_000, 67_890), "": (20_000, 12_345)}
"""How many lines there are, and which of them is the bad one; in large files by what the rule begins with."""

GOOD = {"contents": [{"role": "user", "parts": [{"text": "How long is the river?"}]}], "generationConfig": {"seed": 1}}


def good_line(number: int) -> dict:
    part = {"fileData": {"fileUri": f"gs://example-bucket/{number}.jpg", "mimeType": "image/jpeg"}}
    request = {**GOOD, "contents": [{"role": "user", "parts": [part, {"text": f'River "{number}"\n\\'}]}]}
    return {"key": f"r-{number:06d}", "n": number, "request": request}


def with_request(**members: object) -> dict:
    return {"key": "needle", "n": 0, "request": {**GOOD, **members}}


def with_text(text: object) -> dict:
    return with_request(contents=[{"role": "user", "parts": [{"text": text}]}])


def nested(levels: int) -> object:
    return "end" if levels == 0 else {"m": nested(levels - 1)}


NEEDLES = {
    "import.empty_object": with_request(tools=[{"googleSearch": {}}]),
    "import.nesting": {**with_request(), "extra": nested(15)},
    "import.field_name": with_request(labels={"cost-centre": "x"}),
    "import.field_case": {**with_request(), "N": 1},
    "import.type_conflict": {**with_request(), "n": "one"},
    "import.nested_array": {**with_request(), "extra": [[1]]},
    "import.null_in_array": {**with_request(), "extra": [1, None]},
    "import.null_for_array": {**with_request(), "request": {**GOOD, "generationConfig": {"stopSequences": None}}},
    "json.syntax": b'{"key": "needle", "request": {',
    "json.encoding": b'{"key": "needle", "request": "\xff"}',
    "json.duplicate_key": b'{"key": "needle", "key": "needle", "n": 1, "request": ' + json.dumps(GOOD).encode() + b"}",
    "json.lone_surrogate": json.dumps(with_text("\ud83c")).encode(),
    "schema.unknown_field": with_request(tool=[]),
    "schema.role": with_request(contents=[{"role": "system", "parts": [{"text": "x"}]}]),
    "schema.empty_text": with_text(""),
    "schema.out_of_range": with_request(generationConfig={"seed": 3_000_000_000}),
    "schema.duplicate_key": {**good_line(99_999), "key": "r-000007"},
}


@pytest.fixture(scope="module")
def haystack() -> list[bytes]:
    return [json.dumps(good_line(number)).encode() for number in range(1, 100_000)]


def cases():
    for rule in NEEDLES:
        large = next(place for prefix, place in LARGE.items() if rule.startswith(prefix))
        yield from ((rule, *place) for place in [large, *SMALL])


def test_the_haystack_is_clean(check_lines, haystack):
    assert check_lines(haystack) == []


@pytest.mark.parametrize("rule, count, number", list(cases()))
def test_one_bad_line_is_found(check_lines, haystack, rule, count, number):
    needle = NEEDLES[rule]
    needle = needle if isinstance(needle, bytes) else json.dumps(needle).encode()
    lines = [*haystack[: number - 1], needle, *haystack[number - 1 : count - 1]]
    if rule == "import.null_for_array":
        lines[3] = json.dumps(with_request(generationConfig={"stopSequences": ["END"]})).replace("needle", "n").encode()
    violations = check_lines(lines)
    assert {violation.rule for violation in violations} == {rule}
    assert [violation.line for violation in violations] == [expected_line(rule, number)]


def expected_line(rule: str, number: int) -> int:
    """A rule over several lines is broken where the second of them stands."""
    second = {
        "import.type_conflict": 2,
        "import.null_for_array": 4,
        "schema.duplicate_key": 8 if number <= 7 else 7,
    }
    return max(number, second.get(rule, 1))
