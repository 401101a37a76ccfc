import pytest

from geminate.errors import SpecError
from geminate.stages.specs.documents import read_document


@pytest.mark.parametrize(
    "text, value",
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("True", "True"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-11-22", "2026-11-22"),
        ("2026-11-22 08:30:00", "2026-11-22 08:30:00"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("+1", "+1"),
        ("-7", -7),
        ("0.25", 0.25),
        ("1e3", 1000.0),
        ("'7'", "7"),
        ("!!str 7", "7"),
        ("[1, a]", [1, "a"]),
        ("|\n  x\n  y\n", "x\ny\n"),
    ],
)
def test_yaml_reads_as_its_author_sees_it(text, value):
    assert read_document(f"key: {text}", "spec.yaml").value == {"key": value}


def test_json_and_yaml_flow_mappings_both_begin_with_a_brace():
    assert read_document('\ufeff {"a": "\\ud83d\\ude00\\/"}', "x").value == {"a": "😀/"}
    assert read_document("{a: 1, b: [no], }", "x").value == {"a": 1, "b": ["no"]}


def test_aliases_are_followed():
    assert read_document("a: &x {b: 1}\nc: *x", "x").value == {"a": {"b": 1}, "c": {"b": 1}}


def test_every_value_knows_its_line():
    document = read_document("a:\n  - b: 1\n    c: 2\nd: 3\n", "x")
    assert document.lines["$.a[0].c"] == 3
    assert document.lines["$.d"] == 4


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: 1\nb: 2\na: 3", "x:3: the key 'a' stands twice"),
        ('{"a": 1, "a": 2}', "x: the key 'a' stands twice"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ("a:\n\t- b", "x:2: .*indent with blanks"),
        ("a: {{ b }}", "x:1: a key must be text; put texts with braces in quotes"),
        ("a: [*b]", "undefined alias"),
        ("a: !!binary aGk=", "x:1: .*leave out the tag"),
        ("a: !!int x", "leave out the tag"),
        ("a: 1\n b: 2", "x:2: neither JSON nor YAML"),
        ("a: \x01", "neither JSON nor YAML"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: &b [*b]", "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("[" * 2_000, "nested too deep"),
        ("\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else '1'] * 10)}]" for n in range(9)), "too large"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text, message):
    with pytest.raises(SpecError, match=message):
        read_document(text, "x")
