import base64
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.wire.content_types import CONTENT_TYPES
from geminate.wire.contents import read_contents

ALL = tuple(CONTENT_TYPES)
RICH = {
    "candidates": [
        {
            "content": {
                "parts": [
                    {"text": "First I ", "thought": True},
                    {"text": "count.", "thought": True},
                    {"text": "There are "},
                    {"executableCode": {"language": "PYTHON", "code": "print(3)"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "3\n"}},
                    {"text": "three."},
                    {"inlineData": {"mimeType": "image/png", "data": "aW1hZ2U="}},
                ]
            },
            "finishReason": "STOP",
            "avgLogprobs": -0.25,
            "logprobsResult": {"chosenCandidates": [{"token": "There", "tokenId": 7, "logProbability": -0.5}]},
            "citationMetadata": {
                "citations": [
                    {
                        "startIndex": 4,
                        "endIndex": 9,
                        "uri": "https://example.invalid/a",
                        "title": "A",
                        "license": "mit",
                        "publicationDate": {"year": 2024, "month": 3, "day": 5},
                    }
                ]
            },
            "groundingMetadata": {
                "webSearchQueries": ["how many"],
                "retrievalQueries": ["many how"],
                "groundingChunks": [
                    {"web": {"uri": "https://example.invalid/b", "title": "B", "domain": "example.invalid"}},
                    {"retrievedContext": {"uri": "gs://bucket/c", "title": "C", "text": "three"}},
                    {"image": {"sourceUri": "https://example.invalid/d", "title": "D"}},
                ],
                "groundingSupports": [
                    {
                        "segment": {"partIndex": 5, "startIndex": 0, "endIndex": 6, "text": "three."},
                        "groundingChunkIndices": [0, 2],
                    }
                ],
            },
            "safetyRatings": [
                {
                    "category": "HARM_CATEGORY_HARASSMENT",
                    "probability": "LOW",
                    "probabilityScore": 0.125,
                    "severity": "HARM_SEVERITY_LOW",
                    "severityScore": 0.0625,
                    "blocked": False,
                }
            ],
        }
    ]
}
RATING = {
    "category": "HARM_CATEGORY_HARASSMENT",
    "probability": "LOW",
    "blocked": False,
    "severity": "HARM_SEVERITY_LOW",
    "scores": {"probability": 0.125, "severity": 0.0625},
}
EXPECTED = {
    "thoughts": "First I count.",
    "code": [{"language": "PYTHON", "code": "print(3)", "outcome": "OUTCOME_OK", "output": "3\n"}],
    "citations": [
        {
            "start_index": 4,
            "end_index": 9,
            "uri": "https://example.invalid/a",
            "title": "A",
            "license": "mit",
            "publication_date": "2024-03-05",
        }
    ],
    "grounding": {
        "queries": ["how many", "many how"],
        "sources": [
            {"uri": "https://example.invalid/b", "title": "B", "domain": "example.invalid"},
            {"uri": "gs://bucket/c", "title": "C", "domain": None},
            {"uri": "https://example.invalid/d", "title": "D", "domain": None},
        ],
        "supports": [{"text": "three.", "part_index": 5, "start_index": 0, "end_index": 6, "source_indices": [0, 2]}],
    },
    "logprobs": {"avg_logprobs": -0.25, "tokens": [{"token": "There", "log_probability": -0.5}]},
    "safety": [RATING],
    "media": [{"mime_type": "image/png", "data": b"image"}],
}


def read(response, *names):
    """The contents as the cells of their columns; of one name its cell alone."""
    found = read_contents(json.dumps(response).encode(), names or ALL)
    cells = {name: pa.array([value], CONTENT_TYPES[name]).to_pylist()[0] for name, value in found.items()}
    return cells[names[0]] if len(names) == 1 else cells


def candidate(**members):
    return {"candidates": [members]}


def parts(*values):
    return candidate(content={"parts": list(values)})


def snake(value):
    if isinstance(value, dict):
        names = ("".join(f"_{c.lower()}" if c.isupper() else c for c in name) for name in value)
        return {name: snake(member) for name, member in zip(names, value.values(), strict=True)}
    return [snake(element) for element in value] if isinstance(value, list) else value


@pytest.mark.parametrize("respell", [lambda response: response, snake])
def test_every_content_is_read_in_either_spelling(respell):
    assert read(respell(RICH)) == EXPECTED


@pytest.mark.parametrize("response", [{}, {"candidates": []}, candidate(), parts(), parts({"text": "An answer."})])
def test_what_is_not_there_is_null(response):
    assert read(response) == dict.fromkeys(ALL)


def test_only_what_is_asked_for_is_read():
    assert list(read_contents(json.dumps(RICH).encode(), ("safety", "code"))) == ["safety", "code"]


def test_the_first_candidate_counts():
    other = candidate(avgLogprobs=-9)["candidates"]
    assert read({"candidates": RICH["candidates"] + other}) == EXPECTED


@pytest.mark.parametrize("flag", [True, 1, "true"])
def test_code_and_media_among_thoughts_are_no_part_of_the_answer(flag):
    blob = {"mimeType": "image/png", "data": "aW1hZ2U="}
    response = parts({"thought": flag, "inlineData": blob}, {"thought": flag, "executableCode": {"code": "1"}})
    assert (read(response, "media"), read(response, "code")) == (None, None)


def code(text, name=None):
    return {"executableCode": {"code": text} | ({"id": name} if name else {})}


def output(text, name=None):
    return {"codeExecutionResult": {"output": text} | ({"id": name} if name else {})}


@pytest.mark.parametrize(
    "values, runs",
    [
        ([code("a")], [("a", None)]),
        ([output("1")], [(None, "1")]),
        ([code("a"), output("1"), code("b"), output("2")], [("a", "1"), ("b", "2")]),
        ([code("a"), code("b"), output("1"), output("2")], [("a", "1"), ("b", "2")]),
        ([code("a", "x"), code("b", "y"), output("2", "y"), output("1", "x")], [("a", "1"), ("b", "2")]),
        ([code("a", "x"), output("1", "y")], [("a", None), (None, "1")]),
        ([code("a", "x"), output("1")], [("a", "1")]),
        ([code("a"), output("1"), output("2")], [("a", "1"), (None, "2")]),
    ],
)
def test_code_is_paired_with_its_result(values, runs):
    assert [(run["code"], run["output"]) for run in read(parts(*values), "code")] == runs


@pytest.mark.parametrize(
    "date, text",
    [
        ({"year": 2024, "month": 3, "day": 5}, "2024-03-05"),
        ({"year": 2024, "month": 3}, "2024-03"),
        ({"year": 2024, "month": 0, "day": 0}, "2024"),
        ({"year": "2024"}, "2024"),
        ({"month": 3, "day": 5}, None),
        ({}, None),
        ("spring 2024", "spring 2024"),
        (None, None),
    ],
)
def test_a_date_is_given_as_far_as_it_is_known(date, text):
    (citation,) = read(candidate(citationMetadata={"citations": [{"publicationDate": date}]}), "citations")
    assert citation["publication_date"] == text


def test_the_developer_api_has_its_own_name_for_citations():
    response = candidate(citationMetadata={"citationSources": [{"uri": "https://example.invalid"}]})
    assert [citation["uri"] for citation in read(response, "citations")] == ["https://example.invalid"]


def test_a_blocked_prompt_has_its_own_ratings():
    rating = {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}
    response = {"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": [rating]}}
    (found,) = read(response, "safety")
    assert {name: found[name] for name in rating} == rating


def test_numbers_stand_for_enums_and_unknown_values_are_kept():
    ratings = [{"category": 3, "probability": 2, "severity": 1}, {"category": "HARM_CATEGORY_NEW", "probability": 99}]
    found = read(candidate(safetyRatings=ratings), "safety")
    assert [(rating["category"], rating["probability"], rating["severity"]) for rating in found] == [
        ("HARM_CATEGORY_HARASSMENT", "LOW", "HARM_SEVERITY_NEGLIGIBLE"),
        ("HARM_CATEGORY_NEW", "99", None),
    ]


def test_a_malformed_piece_is_null_and_leaves_the_others():
    response = candidate(
        safetyRatings=[7, {"category": "HARM_CATEGORY_HARASSMENT", "blocked": "true", "probabilityScore": "much"}],
        logprobsResult={"chosenCandidates": [{"token": ["a"], "logProbability": "-Infinity"}, None]},
        groundingMetadata={"groundingChunks": [None, {"web": 5}, {"web": {"uri": 5}}], "webSearchQueries": "one"},
        content={"parts": [{"inlineData": "?"}, {"inlineData": {"mimeType": "image/png", "data": "%"}}]},
    )
    found = read(response)
    assert found["safety"][0] is None
    assert (found["safety"][1]["blocked"], found["safety"][1]["scores"]["probability"]) == (True, None)
    assert found["logprobs"]["tokens"] == [{"token": '["a"]', "log_probability": float("-inf")}, None]
    assert found["grounding"]["sources"] == [None, None, {"uri": "5", "title": None, "domain": None}]
    assert found["grounding"]["queries"] == ["one"]
    assert found["media"] == [None, {"mime_type": "image/png", "data": None}]


def test_a_number_beyond_json_costs_its_own_piece():
    text = json.dumps(RICH).replace("-0.25", "1e999")
    found = read_contents(text.encode(), ALL)
    assert found["logprobs"] == {"avg_logprobs": None, "tokens": EXPECTED["logprobs"]["tokens"]}
    assert {name: found[name] for name in ALL if name != "logprobs"} == {
        name: EXPECTED[name] for name in ALL if name != "logprobs"
    }


@given(st.binary(min_size=1), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]), st.booleans())
def test_data_is_read_in_either_alphabet_padded_or_not(data, encode, padded):
    text = encode(data).decode()
    blob = {"mimeType": "image/png", "data": text if padded else text.rstrip("=")}
    assert read(parts({"inlineData": blob}), "media") == [{"mime_type": "image/png", "data": data}]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def places(value, path=()):
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*path, name))


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=200)
@given(st.sampled_from(list(places(RICH))), VALUES)
def test_anything_in_any_place_makes_cells_of_the_right_types(path, value):
    assert set(read(replaced(RICH, path, value))) == set(ALL)


@pytest.mark.parametrize("path", [path for path in places(RICH) if path])
@pytest.mark.parametrize("depth", [960, 985, 995, 2_000])
def test_any_depth_in_any_place_makes_cells(path, depth):
    text = json.dumps(replaced(RICH, path, "\0deep")).replace('"\\u0000deep"', "[" * depth + "]" * depth)
    assert set(read_contents(text.encode(), ALL)) == set(ALL)


@pytest.mark.parametrize(
    "response", [b"", b"null", b"[]", b"7", b'"text"', b"{", b"\xff", b'{"candidates":[{"content":7}]}']
)
def test_what_is_no_response_has_no_contents(response):
    assert read_contents(response, ALL) == dict.fromkeys(ALL)
