"""The check of a request's structure agrees with a JSON Schema validator on the published schema."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.checks import check_request
from geminate.wire.limits import IGNORED_SCHEMA_KEYWORDS
from geminate.wire.schemas import load_schema

FIXTURES = Path(__file__).parents[3] / "fixtures" / "requests" / "valid"
VALIDATOR = jsonschema.Draft202012Validator(load_schema("request"))
STRUCTURAL = {
    "schema.unknown_field",
    "schema.wrong_type",
    "schema.bad_enum",
    "schema.missing_field",
    "schema.parts_object",
    "schema.stray_model",
    "schema.base64",
    "schema.duration",
}
# Values that are wrong nearly everywhere, and some that are right here and there. No nulls: to the service they are
# absent members, which a JSON Schema cannot say.
VALUES = st.sampled_from(
    [
        "",
        "x",
        "user",
        "3.5s",
        "AA==",
        "STRING",
        "string",
        "12",
        0,
        1,
        -1,
        2.0,
        2.5,
        2**40,
        True,
        [],
        ["x"],
        {},
        {"text": "x"},
    ]
)


def requests_of_fixtures() -> list[dict]:
    found = []
    for path in sorted(FIXTURES.iterdir()):
        found += [json.loads(line)["request"] for line in path.read_bytes().decode().split("\n") if line]
    return [
        request
        for request in found
        if "_" not in json.dumps(list(iter_keys(request))) and None not in iter_all(request)
    ]


def iter_keys(value):
    if isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from iter_keys(member)
    elif isinstance(value, list):
        for element in value:
            yield from iter_keys(element)


def iter_all(value):
    yield None if value is None else ...
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from iter_all(below)


REQUESTS = requests_of_fixtures()


def spots(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, member in value.items():
            yield from spots(member, (*path, key))
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from spots(element, (*path, index))


@st.composite
def mutants(draw):
    request = copy.deepcopy(draw(st.sampled_from(REQUESTS)))
    *above, last = draw(st.sampled_from([spot for spot in spots(request) if spot]))
    holder = request
    for step in above:
        holder = holder[step]
    action = draw(st.sampled_from(["replace", "replace", "remove", "rename", "add"]))
    if action == "replace":
        holder[last] = draw(VALUES)
    elif isinstance(holder, list) or action == "remove":
        del holder[last]
    elif action == "rename":
        holder[last + "s"] = holder.pop(last)
    else:
        holder["model"] = draw(VALUES)
    return request


@settings(max_examples=200, deadline=None)
@given(mutants())
def test_it_agrees_with_a_json_schema_validator(request_):
    found = {violation.rule for violation in check_request(request_, import_rules=False)}
    if VALIDATOR.is_valid(request_):
        assert not found & STRUCTURAL
    elif not found:
        # The one thing that the schema refuses and the service does not.
        assert set(iter_keys(request_)) & IGNORED_SCHEMA_KEYWORDS


@pytest.mark.parametrize("least, is_good", [(2, True), (2.0, True), ("2", True), (2.5, False), (True, False)])
def test_a_count_is_a_whole_number_however_written(least, is_good):
    schema = {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": least}
    settings_ = {"responseMimeType": "application/json", "responseSchema": schema}
    request = {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": settings_}
    assert (check_request(request, import_rules=False) == []) == is_good


def test_the_validator_takes_the_good_requests():
    assert len(REQUESTS) > 40
    refused = [request for request in REQUESTS if not VALIDATOR.is_valid(request)]
    assert [set(iter_keys(request)) & IGNORED_SCHEMA_KEYWORDS for request in refused] == [
        {"exclusiveMinimum", "multipleOf"}
    ]


@pytest.mark.parametrize(
    "value, found",
    [("x", "the text 'x'"), (1, "the number 1"), (True, "true"), ([], "an array"), ("y" * 99, "the text 'yyy")],
)
def test_a_wrong_type_is_named(value, found):
    (violation,) = check_request({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": value})
    assert violation.message.startswith(f"expected an object, found {found}")
    assert len(violation.message) < 120


def test_nulls_in_arrays_are_wrong_types_where_the_importer_is_not_asked():
    request = {"contents": [{"parts": [None, {"text": "x"}]}]}
    assert [one.rule for one in check_request(request)] == ["import.null_in_array"]
    assert [one.rule for one in check_request(request, import_rules=False)] == ["schema.wrong_type"]


def test_python_values_that_json_cannot_hold_are_refused():
    request = {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"temperature": float("nan")}}
    assert [one.rule for one in check_request(request)] == ["json.not_finite"]
