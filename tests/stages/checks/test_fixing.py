import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.checks import fix_line

FOLDER = Path(__file__).parents[3] / "fixtures" / "requests"
LINES = [
    line for path in sorted(FOLDER.rglob("*.jsonl")) for line in path.read_bytes().removesuffix(b"\n").split(b"\n")
]
TEXT = {"contents": [{"parts": [{"text": "Hi."}]}]}


def fixed(request: dict) -> tuple[dict, tuple[str, ...]]:
    repair = fix_line(json.dumps({"key": "a", "request": request}).encode())
    return json.loads(repair.line)["request"], repair.changes


REPAIRS = {
    "parts": (
        {"contents": [{"parts": {"text": "Hi."}}]},
        TEXT,
        ["made an array of $.request.contents[0].parts"],
    ),
    "model": (
        {**TEXT, "model": "gemini-2.5-flash"},
        TEXT,
        ["removed $.request.model: the job names the model"],
    ),
    "tool with fields": (
        {**TEXT, "tools": [{"googleSearch": {}}]},
        {**TEXT, "tools": [{"googleSearch": {"blockingConfidence": None}}]},
        ["added a null member $.request.tools[0].googleSearch.blockingConfidence"],
    ),
    "tool with fields, snake case": (
        {**TEXT, "tools": [{"google_search": {}}]},
        {**TEXT, "tools": [{"google_search": {"blocking_confidence": None}}]},
        ["added a null member $.request.tools[0].google_search.blocking_confidence"],
    ),
    "empty tool": (
        {**TEXT, "tools": [{}, {"googleMaps": {"groundingTypes": None}}]},
        {**TEXT, "tools": [{"googleMaps": {"groundingTypes": None}}]},
        ["removed $.request.tools[0]: it was empty"],
    ),
    "empty objects within each other": (
        {**TEXT, "generationConfig": {"thinkingConfig": {}}, "labels": {}},
        TEXT,
        [
            "removed $.request.generationConfig.thinkingConfig: it was empty",
            "removed $.request.generationConfig: it was empty",
            "removed $.request.labels: it was empty",
        ],
    ),
    "arguments": (
        {"contents": [{"parts": [{"functionCall": {"name": "now", "args": {}}}]}]},
        {"contents": [{"parts": [{"functionCall": {"name": "now"}}]}]},
        ["removed $.request.contents[0].parts[0].functionCall.args: it was empty"],
    ),
    "nulls in arrays": (
        {**TEXT, "generationConfig": {"stopSequences": [None, "END", None]}},
        {**TEXT, "generationConfig": {"stopSequences": ["END"]}},
        [
            "removed $.request.generationConfig.stopSequences[0]: it was null",
            "removed $.request.generationConfig.stopSequences[2]: it was null",
        ],
    ),
    "null for an array": (
        {**TEXT, "tools": None},
        TEXT,
        ["removed $.request.tools: it was null in place of an array"],
    ),
    "references": (
        {
            **TEXT,
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseSchema": {
                    "type": "OBJECT",
                    "properties": {"a": {"$ref": "#/$defs/Leaf", "title": "A"}, "$ref": {"type": "STRING"}},
                    "$defs": {"Leaf": {"type": "STRING", "title": "Leaf", "enum": ["$ref"]}},
                },
            },
        },
        {
            **TEXT,
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseSchema": {
                    "type": "OBJECT",
                    "properties": {
                        "a": {"type": "STRING", "title": "A", "enum": ["$ref"]},
                        "$ref": {"type": "STRING"},
                    },
                },
            },
        },
        ["inlined the references of $.request.generationConfig.responseSchema"],
    ),
}


@pytest.mark.parametrize("case", REPAIRS)
def test_a_repair(case):
    request, expected, changes = REPAIRS[case]
    assert fixed(request) == (expected, tuple(changes))


RECURSIVE = {"type": "OBJECT", "properties": {"next": {"$ref": "#/$defs/Node"}}}
LEFT = {
    "a tool without fields": {**TEXT, "tools": [{"urlContext": {}}]},
    "data in arguments": {"contents": [{"parts": [{"functionCall": {"name": "f", "args": {"a": {}, "b": [None]}}}]}]},
    "a null in an enum": {
        **TEXT,
        "generationConfig": {"responseSchema": {"type": "STRING", "enum": ["a", None], "nullable": True}},
    },
    "a recursive schema": {
        **TEXT,
        "generationConfig": {"responseJsonSchema": {"$ref": "#/$defs/Node", "$defs": {"Node": RECURSIVE}}},
    },
    "a schema elsewhere": {
        **TEXT,
        "generationConfig": {"responseJsonSchema": {"$ref": "https://example.invalid/schema.json"}},
    },
    "a required object": {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]},
    "the only member": {**TEXT, "tools": [{"googleSearch": {"excludeDomains": None}}]},
}


@pytest.mark.parametrize("case", LEFT)
def test_what_has_no_one_right_answer_is_left(case):
    line = json.dumps({"key": "a", "request": LEFT[case]}).encode()
    assert fix_line(line).line is line
    assert fix_line(line).changes == ()


def test_siblings_and_text_survive_a_repair():
    line = '{"n":1.0,"big":123456789012345678901234567890,"e":{},"t":"é\\u2028","request":{"contents":[],"labels":{}}}'
    repair = fix_line(line.encode())
    assert json.loads(repair.line) == {**json.loads(line), "request": {"contents": []}}
    assert b'"n":1.0,"big":123456789012345678901234567890' in repair.line


def test_marks_and_blank_lines():
    assert fix_line(b" \r").line is None
    assert fix_line(b"\xef\xbb\xbf").line is None
    assert fix_line(b"\xef\xbb\xbf{}") == fix_line(b"\xef\xbb\xbf{}")
    assert fix_line(b"\xef\xbb\xbf{}").line == b"{}"


def test_a_schema_that_explodes_is_left():
    definitions = {
        f"L{n}": {
            "type": "object",
            "properties": {"a": {"$ref": f"#/$defs/L{n + 1}"}, "b": {"$ref": f"#/$defs/L{n + 1}"}},
        }
        for n in range(40)
    }
    definitions["L40"] = {"type": "string"}
    schema = {"$ref": "#/$defs/L0", "$defs": definitions}
    line = json.dumps({"request": {**TEXT, "generationConfig": {"responseJsonSchema": schema}}}).encode()
    assert fix_line(line).line is line


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_repair_breaks_nothing_and_is_done_once(check_lines, line):
    repair = fix_line(line)
    if repair.line is None:
        return
    assert fix_line(repair.line) == type(repair)(repair.line)
    before = {violation.rule for violation in check_lines([line])}
    after = {violation.rule for violation in check_lines([repair.line])}
    assert after <= before
    assert (repair.line == line) == (not repair.changes)


REPAIRABLE = ["json.bom", "json.blank_line", "schema.parts_object", "schema.stray_model"]
REPAIRABLE_FILES = [
    "import.empty_object--args",
    "import.empty_object--generation-config",
    "import.empty_object--properties",
    "import.empty_object--search",
    "import.empty_object--search-snake-case",
    "import.field_name--definitions",
    "import.field_name--dollar-in-json-schema",
    "import.null_for_array--array-first",
    "import.null_for_array--null-first",
    "import.null_in_array--parts",
    "import.null_in_array--stop-sequences",
]


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted((FOLDER / "invalid").iterdir())
        if path.name.partition("--")[0] in REPAIRABLE or path.stem in REPAIRABLE_FILES
    ],
    ids=lambda path: path.stem,
)
def test_repaired_files_are_clean(check_lines, path):
    repairs = [fix_line(line) for line in path.read_bytes().removesuffix(b"\n").split(b"\n")]
    assert any(repair.changes for repair in repairs)
    assert check_lines([repair.line for repair in repairs if repair.line is not None]) == []


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LINES), st.integers(0, 400), st.binary(max_size=3))
def test_no_line_is_too_broken(line, at, damage):
    fix_line(line[:at] + damage + line[at + 2 :])
