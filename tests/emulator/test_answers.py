import json
import sys
from pathlib import Path

import jsonschema
import pytest

from geminate.emulator import Emulator, EmulatorOptions, RowError
from geminate.errors import UsageError

from .conftest import prompt

SCHEMA = {
    "type": "OBJECT",
    "properties": {
        "label": {"type": "STRING", "enum": ["a", "b"]},
        "score": {"type": "NUMBER", "minimum": 0, "maximum": 1},
    },
    "required": ["label", "score"],
    "propertyOrdering": ["score", "label"],
}
PLAIN_SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["a", "b"]}, "score": {"type": "number", "minimum": 0, "maximum": 1}},
    "required": ["label", "score"],
    "additionalProperties": False,
}


def text_of(line):
    return line["response"]["candidates"][0]["content"]["parts"][0]["text"]


class TestBuiltIn:
    def test_text_follows_from_the_prompt(self, client):
        first, second = (text_of(client.answer(prompt("a", text))) for text in ("One\n thing", "Another"))
        assert first.endswith(" to: One thing")
        assert first.split(" to: ")[0] != second.split(" to: ")[0]
        assert text_of(client.answer(prompt("b", "One\n thing"))) == first

    @pytest.mark.parametrize("name", ["responseSchema", "response_schema", "responseJsonSchema"])
    def test_an_answer_follows_its_schema(self, client, name):
        schema = PLAIN_SCHEMA if name == "responseJsonSchema" else SCHEMA
        config = {"responseMimeType": "application/json", name: schema}
        lines = client.predictions(
            client.run([prompt(str(place), f"Q{place}", generationConfig=config) for place in "abcdefgh"])
        )
        answers = [json.loads(text_of(line)) for line in lines]
        for answer in answers:
            jsonschema.validate(answer, PLAIN_SCHEMA)
        assert len({answer["score"] for answer in answers}) > 1
        if name != "responseJsonSchema":
            assert list(answers[0]) == ["score", "label"]

    def test_the_newer_place_of_a_schema_counts_too(self, client):
        form = {"text": {"mimeType": "APPLICATION_JSON", "schema": PLAIN_SCHEMA}}
        answer = text_of(client.answer(prompt("a", generationConfig={"responseFormat": [form]})))
        jsonschema.validate(json.loads(answer), PLAIN_SCHEMA)

    def test_json_without_a_schema(self, client):
        line = client.answer(prompt("a", generationConfig={"responseMimeType": "application/json"}))
        assert set(json.loads(text_of(line))) == {"answer"}

    def test_an_enumeration_is_bare(self, client):
        config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["red", "blue"]}}
        assert text_of(client.answer(prompt("a", generationConfig=config))) in {"red", "blue"}

    def test_a_demanded_function_is_called(self, client):
        tools = [{"functionDeclarations": [{"name": name, "parameters": SCHEMA} for name in ("f", "g")]}]
        calling = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}
        candidate = client.answer(prompt("a", tools=tools, toolConfig=calling))["response"]["candidates"][0]
        call = candidate["content"]["parts"][0]["functionCall"]
        assert (candidate["finishReason"], call["name"]) == ("STOP", "g")
        jsonschema.validate(call["args"], PLAIN_SCHEMA)
        assert "Emulated" in text_of(client.answer(prompt("a", tools=tools)))

    def test_text_is_cut_at_the_token_limit(self, client):
        response = client.answer(prompt("a", generationConfig={"maxOutputTokens": 2}))["response"]
        assert response["candidates"][0]["finishReason"] == "MAX_TOKENS"
        assert response["usageMetadata"]["candidatesTokenCount"] == 2


class TestResponse:
    def test_it_says_where_it_comes_from(self, client):
        lines = client.predictions(client.run([prompt("a"), prompt("b")]))
        assert {line["response"]["modelVersion"] for line in lines} == {"gemini-3.5-flash@emulated"}
        assert len({line["response"]["responseId"] for line in lines}) == 2

    def test_its_token_counts_add_up(self, client):
        parts = [{"text": "x" * 40}, {"fileData": {"fileUri": "gs://b/x.png", "mimeType": "image/png"}}]
        line = {"request": {"contents": [{"role": "user", "parts": parts}]}}
        usage = client.answer(line)["response"]["usageMetadata"]
        details = {each["modality"]: each["tokenCount"] for each in usage["promptTokensDetails"]}
        assert details == {"IMAGE": 258, "TEXT": 10}
        assert usage["promptTokenCount"] == 268
        assert usage["totalTokenCount"] == 268 + usage["candidatesTokenCount"]

    def test_members_stand_as_the_service_has_put_them_since_2025_12(self, client):
        line = client.answer({"zeta": 1, "custom_id": "x", **prompt(None)})
        assert list(line) == ["custom_id", "zeta", "request", "status", "response", "processed_time"]
        assert line["processed_time"].endswith("+00:00")
        assert list(line["response"]) == sorted(line["response"])

    def test_and_as_it_put_them_before(self, emulate):
        line = emulate(line_layout="until-2025-09").answer(prompt("a"))
        assert list(line) == ["key", "status", "processed_time", "request", "response"]


class TestChecks:
    @pytest.mark.parametrize(
        "request_, words",
        [
            ({"contents": [{"role": "tester", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
            ({"labels": {"a": "b"}}, "at least one contents field is required"),
            ({"contents": []}, "at least one contents field is required"),
            ({"contents": [{"role": "user"}]}, "at least one parts field"),
            ("plain text", "at least one contents field is required"),
        ],
    )
    def test_a_request_the_model_refuses_fails_alone(self, client, request_, words):
        job = client.run([{"key": "bad", "request": request_}])
        [line] = client.predictions(job)
        assert job["state"] == "JOB_STATE_SUCCEEDED"
        assert line["status"].startswith('Bad Request: {"error": {"code": 400, "message": "')
        assert words in line["status"]
        assert (line["key"], line["response"]) == ("bad", {})

    def test_the_wording_is_the_documented_one(self, client):
        bad = {"request": {"contents": [{"role": "tester", "parts": [{"text": "x"}]}]}}
        assert client.answer(bad)["status"] == (
            'Bad Request: {"error": {"code": 400, "message": "Please use a valid role: user, model.", '
            '"status": "INVALID_ARGUMENT"}}'
        )

    def test_good_rows_of_a_former_job_come_back_as_they_are(self, client):
        rows = [prompt("a"), {"key": "b", "request": {"contents": [{"role": "tester", "parts": [{"text": "x"}]}]}}]
        first = {line["key"]: line for line in client.predictions(client.run(rows))}
        assert (first["a"]["status"], bool(first["b"]["status"])) == ("", True)
        first["b"]["request"]["contents"][0]["role"] = "user"
        second = {line["key"]: line for line in client.predictions(client.run(list(first.values())))}
        assert second["a"]["response"] == first["a"]["response"]
        assert second["b"]["status"] == ""


class TestOwn:
    def test_a_function_of_the_request(self, emulate):
        client = emulate(answerer=lambda request: request["contents"][0]["parts"][0]["text"].upper())
        assert text_of(client.answer(prompt("a", "loud"))) == "LOUD"

    def test_a_function_of_the_request_and_its_siblings(self, emulate):
        client = emulate(answerer=lambda _request, siblings: siblings["key"])
        assert text_of(client.answer(prompt("a"))) == "a"

    def test_a_whole_response_is_kept(self, emulate):
        response = {"candidates": [{"finishReason": "OTHER"}], "usageMetadata": {"totalTokenCount": 3}}
        line = emulate(answerer=lambda _: response).answer(prompt("a"))
        assert line["response"]["candidates"] == response["candidates"]
        assert line["response"]["usageMetadata"] == {"totalTokenCount": 3}
        assert line["response"]["modelVersion"] == "gemini-3.5-flash@emulated"

    @pytest.mark.parametrize(
        "answerer, words",
        [
            (
                lambda _: {"error": {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED"}},
                "Too Many Requests: ",
            ),
            (lambda _: RowError(429, "RESOURCE_EXHAUSTED", "Slow down."), "Slow down."),
            (lambda _: ValueError("returned"), "ValueError: returned"),
            (lambda request: request["nothing"], "KeyError"),
            (lambda _: 7, "int, not a text"),
            (lambda _: {"candidates": 7}, "TypeError"),
            (lambda _: {"candidates": [], "extra": object()}, "TypeError"),
            (lambda _: {"error": "short"}, "short"),
        ],
    )
    def test_an_error_is_the_rows_failure(self, emulate, answerer, words):
        client = emulate(answerer=answerer)
        job = client.run([prompt("a"), prompt("b")])
        assert job["completionStats"] == {"failedCount": "2"}
        assert all(words in line["status"] for line in client.predictions(job))

    def test_a_raised_row_error_counts_as_such(self, emulate):
        def refuse(_request):
            raise RowError(400, "INVALID_ARGUMENT", "No.")

        assert emulate(answerer=refuse).answer(prompt("a"))["status"].startswith("Bad Request: ")

    def test_what_an_answerer_does_to_its_request_is_not_echoed(self, emulate):
        def spoil(request):
            request["contents"].clear()
            return "x"

        assert (
            emulate(answerer=spoil).answer(prompt("a", "kept"))["request"]["contents"][0]["parts"][0]["text"] == "kept"
        )

    def test_a_function_is_imported_by_name(self, emulate, tmp_path, monkeypatch):
        (tmp_path / "emulated_answers.py").write_text("def shout(request):\n    return 'HEY'\n")
        monkeypatch.chdir(tmp_path)
        client = emulate(answerer="emulated_answers:shout")
        sys.modules.pop("emulated_answers")
        assert text_of(client.answer(prompt("a"))) == "HEY"

    @pytest.mark.parametrize("name", ["no_such_module_here:f", "json:no_such_function", "json", ":f", "json:__name__"])
    def test_a_name_that_names_nothing_is_refused(self, tmp_path: Path, name):
        with pytest.raises(UsageError, match="answerer"):
            Emulator(tmp_path, EmulatorOptions(answerer=name))
