import math

import pytest

from geminate.stages.estimates.answers import answer_tokens

LABEL = {"type": "OBJECT", "properties": {"label": {"type": "STRING", "enum": ["good", "bad"]}}, "required": ["label"]}


def test_a_closed_schema_has_an_end():
    low, likely, high = answer_tokens(LABEL)
    # The published vocabulary of Gemma 3 has 7 tokens for it.
    assert low <= 7 <= high < 100
    assert low <= likely <= high


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "array", "items": LABEL},
        {"type": "object", "properties": {"note": {"type": "string"}}},
        {"type": "object"},
        {"$ref": "#/$defs/x"},
        {},
        True,
    ],
)
def test_an_open_schema_has_none(schema):
    assert answer_tokens(schema).high == math.inf


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "maxLength": "20"},
        {"type": "string", "format": "date"},
        {"type": "array", "items": LABEL, "maxItems": 3},
        {"type": "array", "items": {}, "maxItems": 0},
        {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
        {"type": ["string", "null"], "enum": ["a", None]},
    ],
)
def test_bounds_end_it(schema):
    low, likely, high = answer_tokens(schema)
    assert 0 < low <= likely <= high < 1000


def test_more_elements_are_more_tokens():
    sizes = [answer_tokens({"type": "array", "items": LABEL, "maxItems": count}).high for count in (1, 5, 50)]
    assert sizes == sorted(set(sizes))


def test_an_optional_member_may_be_missing():
    optional = {**LABEL, "required": []}
    assert answer_tokens(optional).low < answer_tokens(LABEL).low
    assert answer_tokens({**LABEL, "nullable": True}).low <= 1


def test_a_schema_that_never_ends_does_not_hang():
    loop = {"type": "array", "maxItems": 2}
    loop["items"] = loop
    assert answer_tokens(loop).high == math.inf
