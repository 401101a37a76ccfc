import json

from .conftest import prompt


def echoes(client, lines):
    return {line.get("key"): line["request"] for line in client.predictions(client.run(lines))}


def test_keys_are_sorted_and_whole_floats_become_integers(client):
    config, contents = b'{"topP":0.95,"temperature":1.0}', b'[{"role":"user","parts":[{"text":"x"}]}]'
    line = b'{"request":{"generationConfig":' + config + b',"contents":' + contents + b"}}"
    echo = client.answer(line)["request"]
    assert json.dumps(echo) == (
        '{"contents": [{"parts": [{"text": "x"}], "role": "user"}],'
        ' "generationConfig": {"temperature": 1, "topP": 0.95}}'
    )


def test_a_field_of_any_row_is_null_in_the_others(client):
    found = echoes(
        client,
        [
            prompt("a", generationConfig={"temperature": 0.5}),
            prompt("b", generationConfig={"topK": 3}, labels={"team": "red"}),
            prompt("c"),
        ],
    )
    assert found["a"]["generationConfig"] == {"temperature": 0.5, "topK": None}
    assert found["b"]["generationConfig"] == {"temperature": None, "topK": 3}
    assert found["c"]["generationConfig"] is None
    assert found["a"]["labels"] is None


def test_the_elements_of_an_array_share_their_fields(client):
    line = {
        "request": {"contents": [{"role": "user", "parts": [{"text": "x"}, {"fileData": {"fileUri": "gs://b/x"}}]}]}
    }
    assert client.answer(line)["request"]["contents"][0]["parts"] == [
        {"fileData": None, "text": "x"},
        {"fileData": {"fileUri": "gs://b/x"}, "text": None},
    ]


def test_a_missing_role_is_the_users_and_spelling_stays(client):
    line = {
        "request": {
            "system_instruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"parts": [{"text": "x"}]}, {"role": "model", "parts": [{"text": "y"}]}],
        }
    }
    echo = client.answer(line)["request"]
    assert [content["role"] for content in echo["contents"]] == ["user", "model"]
    assert list(echo["contents"][0]) == ["parts", "role"]
    assert echo["system_instruction"] == {"parts": [{"text": "Be brief."}]}


def test_siblings_come_back_beside_the_request(client):
    lines = [prompt("a") | {"custom_id": "x", "weight": 2.0}, prompt("b"), prompt("c") | {"meta": {"page": 1}}]
    found = {line["key"]: line for line in client.predictions(client.run(lines))}
    assert {name: found["a"][name] for name in ("custom_id", "weight", "meta")} == {
        "custom_id": "x",
        "weight": 2,
        "meta": None,
    }
    assert found["b"]["custom_id"] is None
    assert found["c"]["meta"] == {"page": 1}


def test_large_numbers_keep_their_value(client):
    line = b'{"key":"a","big":9223372036854775807,"request":{"x":1e300,"contents":[{"parts":[{"text":"x"}]}]}}'
    found = client.answer(line)
    assert found["big"] == 9223372036854775807
    assert found["request"]["x"] == 1e300
