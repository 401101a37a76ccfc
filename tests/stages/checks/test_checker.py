"""What the checker says of a line must not hang on the lines it has seen, but for the rules of sets."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.checks import CheckOptions, Lattice, Place, RequestChecker, check_request
from geminate.stages.checks.checker import read_key
from geminate.wire.lines import LineBlock

FIXTURES = Path(__file__).parents[3] / "fixtures" / "requests" / "valid"
TEXTS = st.text(max_size=8) | st.sampled_from(
    [
        "",
        "user",
        "model",
        "system",
        "gs://b/o",
        "gs://b/",
        '"',
        "\\",
        '\\"',
        '", "x": "',
        "\\\\",
        "a\nb",
        "é",
        "12",
        "\x7f",
    ]
)
NUMBERS = st.integers(-(2**33), 2**33) | st.sampled_from([0, 1, 9, 10, 2**31, 1e300, -0.5, 1.0, 2.5])


def replaced(value, text, number, at):
    """The value with its ``at``-th scalar replaced by another of its type."""
    count = -1

    def visit(node):
        nonlocal count
        if isinstance(node, dict):
            return {key: visit(member) for key, member in node.items()}
        if isinstance(node, list):
            return [visit(element) for element in node]
        count += 1
        if count != at or isinstance(node, bool) or node is None:
            return node
        return text if isinstance(node, str) else number

    return visit(value)


def lines_of_fixtures() -> list[dict]:
    lines = []
    for path in sorted(FIXTURES.iterdir()):
        lines += [json.loads(line) for line in path.read_bytes().decode().split("\n") if line]
    return lines


LINES = lines_of_fixtures()


@st.composite
def similar_lines(draw):
    """Lines of one origin, each with a scalar or two of its own, in one of the usual ways of writing JSON."""
    base = draw(st.sampled_from(LINES))
    ascii_only = draw(st.booleans())
    lines = []
    for _ in range(draw(st.integers(2, 12))):
        line = base
        for _ in range(draw(st.integers(0, 2))):
            line = replaced(line, draw(TEXTS), draw(NUMBERS), draw(st.integers(0, 8)))
        lines.append(json.dumps(line, ensure_ascii=ascii_only).encode())
    return lines


def violations_of(lines, options):
    return RequestChecker(options).feed(LineBlock(b"".join(line + b"\n" for line in lines)), "f")


@settings(max_examples=200, deadline=None)
@given(similar_lines())
def test_a_line_is_judged_as_if_it_were_alone(lines):
    options = CheckOptions(import_rules=False)
    alone = []
    for number, line in enumerate(lines, 1):
        alone += RequestChecker(options).feed(LineBlock(line + b"\n", number), "f")
    together = [one for one in violations_of(lines, options) if one.rule != "schema.duplicate_key"]
    assert together == alone


@settings(max_examples=100, deadline=None)
@given(similar_lines())
def test_the_importers_rules_see_every_line(lines):
    found = [violation for violation in violations_of(lines, CheckOptions()) if violation.rule.startswith("import.")]
    lattice = Lattice()
    expected = []
    for number, line in enumerate(lines, 1):
        value = json.loads(line)
        expected += lattice.observe(value, Place("f", number, read_key(value)))
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(similar_lines())
def test_equal_keys_are_found_however_they_are_written(lines):
    seen: dict[str, int] = {}
    expected = []
    for number, line in enumerate(lines, 1):
        key = read_key(json.loads(line))
        if key and seen.setdefault(key, number) != number:
            expected.append((number, key))
    found = violations_of(lines, CheckOptions(import_rules=False))
    assert [(one.line, one.key) for one in found if one.rule == "schema.duplicate_key"] == expected


@settings(max_examples=100, deadline=None)
@given(similar_lines())
def test_lines_left_out_leave_no_trace(lines):
    found = violations_of(lines, CheckOptions(rejects=True))
    broken = {one.line for one in found if one.rule != "schema.duplicate_key"}
    kept: list[bytes] = []
    for number, line in enumerate(lines, 1):
        alone = [one for one in violations_of([*kept, line], CheckOptions()) if one.rule != "schema.duplicate_key"]
        assert bool(alone) == (number in broken)
        kept += [] if alone else [line]


def test_every_line_that_breaks_an_import_rule_is_named_if_it_will_be_left_out(check_lines):
    request = {"contents": [{"parts": [{"text": "Hi."}]}]}
    lines = [{"key": f"r{number}", "extra": [None] if number % 2 else ["x"], "request": request} for number in range(6)]
    assert [one.line for one in check_lines(lines)] == [2]
    assert [one.line for one in check_lines(lines, rejects=True)] == [2, 4, 6]
    lines = [{"key": f"r{number}", "extra": number or "x", "request": request} for number in range(4)]
    assert [one.line for one in check_lines(lines)] == [2]
    assert [one.line for one in check_lines(lines, rejects=True)] == [2, 3, 4]


def test_a_set_spans_files():
    checker = RequestChecker()
    request = {"contents": [{"parts": [{"text": "Hi."}]}]}
    first = json.dumps({"key": "a", "n": 1, "request": request}).encode()
    second = json.dumps({"key": "a", "n": "x", "request": {**request, "tools": [{"googleSearch": {}}]}}).encode()
    assert checker.feed(LineBlock(first + b"\n"), "one.jsonl") == []
    found = checker.feed(LineBlock(second + b"\n"), "two.jsonl")
    assert [(one.rule, one.file, one.line) for one in found] == [
        ("import.type_conflict", "two.jsonl", 1),
        ("schema.duplicate_key", "two.jsonl", 1),
    ]
    assert all("one.jsonl line 1" in one.message for one in found)
    assert [(one.rule, one.file) for one in checker.finish()] == [("import.empty_object", "two.jsonl")]
    assert checker.line_count == 2


def test_the_key_may_stand_in_any_member(check_lines):
    request = {"contents": [{"parts": [{"text": "Hi."}]}]}
    lines = [{"key": str(number), "row": "same", "request": request} for number in range(3)]
    assert check_lines(lines) == []
    assert [(one.line, one.key) for one in check_lines(lines, key="row")] == [(2, "same"), (3, "same")]


def test_tables_are_free_of_the_importers_rules(check_lines):
    request = {"contents": [{"parts": [{"text": "Hi."}]}], "tools": [{"urlContext": {}}], "labels": {"a-b": "c"}}
    lines = [{"key": "a", "request": request}]
    assert {one.rule for one in check_lines(lines)} == {"import.empty_object", "import.field_name"}
    assert check_lines(lines, import_rules=False) == []


def test_one_request_is_checked_like_a_line():
    request = {"contents": [{"role": "bot", "parts": [{"text": "Hi."}]}], "tools": [{"urlContext": {}}]}
    assert [(one.rule, one.path) for one in check_request(request)] == [
        ("schema.role", "$.request.contents[0].role"),
        ("import.empty_object", "$.request.tools[0].urlContext"),
    ]
    assert [one.rule for one in check_request(request, import_rules=False)] == ["schema.role"]


@pytest.mark.parametrize(
    "request_",
    [
        {"contents": [{"role": "{{ r }}", "parts": [{"text": "{{ t }}"}]}]},
        {"contents": "{{ c }}"},
        {"contents": [{"parts": "{{ p }}"}]},
        {"contents": [{"parts": [{"fileData": {"fileUri": "{{ u }}", "mimeType": "{{ m }}"}}]}]},
        {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"temperature": "{{ t }}", "seed": "{{ s }}"}},
        {"contents": [{"parts": [{"text": "x"}]}], "labels": {"team": "{{ l }}"}},
    ],
)
def test_a_slot_may_stand_for_any_value(request_):
    assert check_request(request_, is_slot=lambda text: text.startswith("{{")) == []
    text = {"contents": [{"role": "{{ r }}", "parts": [{"text": "{{ t }}"}]}]}
    assert [one.rule for one in check_request(text)] == ["schema.role"]
