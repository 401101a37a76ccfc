import importlib.util
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from geminate.wire.schemas import load_schema, schema_folder

FOLDER = Path(__file__).parents[2] / "schemas"
GENERATED = ("request", "response", "job")
NAMES = (*GENERATED, "spec", "manifest")


def validator(name):
    return jsonschema.Draft202012Validator(load_schema(name))


def generator():
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    return module


def test_the_generated_schemas_are_what_the_generator_writes(tmp_path):
    said = []
    generator().main(tmp_path, said.append)
    assert len(said) == len(GENERATED)
    for name in GENERATED:
        file = f"{name}.schema.json"
        assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_schema_under_its_own_name(name):
    schema = load_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == json.loads((FOLDER / f"{name}.schema.json").read_text("utf-8"))


def test_no_schema_file_is_left_out():
    assert {path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_schemas_hold_facts_and_no_prose(name):
    schema = load_schema(name)
    assert schema["x-source"]["revision"].isdecimal()
    keywords = set()

    def visit(node):
        if isinstance(node, dict):
            keywords.update(node)
            for key, value in node.items():
                for member in value.values() if key == "properties" else [value]:
                    visit(member)

    for definition in schema["$defs"].values():
        visit(definition)
    assert not keywords & {"description", "title", "enumDescriptions", "id"}
    assert not any(name.startswith("Google") and name.endswith("V1") for name in schema["$defs"])


@pytest.mark.parametrize(
    "request_, is_valid",
    [
        ({"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}, True),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA-_"}}]}]}, True),
        ({"contents": [], "generationConfig": {"responseSchema": {"type": "string", "maxItems": 3}}}, True),
        ({"contents": [], "generationConfig": {"responseSchema": {"type": "STRING", "maxItems": "3"}}}, True),
        ({"contents": [{"parts": [{"videoMetadata": {"startOffset": "3.5s"}}]}]}, True),
        ({"contents": [{"parts": [{"functionCall": {"args": {"any_thing": [1, {}]}}}]}]}, True),
        ({}, False),
        ({"contents": [], "content": []}, False),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "?"}}]}]}, False),
        ({"contents": [], "generationConfig": {"seed": 2**31}}, False),
        ({"contents": [], "safetySettings": [{"category": "HARM", "threshold": "OFF"}]}, False),
        ({"contents": [{"parts": [{"videoMetadata": {"startOffset": "3.5"}}]}]}, False),
    ],
)
def test_a_request(request_, is_valid):
    assert validator("request").is_valid(request_) == is_valid


def test_responses_are_read_laxly():
    response = {
        "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "score": -1.5}],
        "usageMetadata": {"promptTokenCount": 7, "billablePromptUsage": {"textCount": 9}},
        "modelVersion": "gemini-2.5-flash@default",
    }
    assert validator("response").is_valid(response)
    assert not validator("response").is_valid({"candidates": {"index": 0}})


def test_a_job():
    job = {
        "displayName": "a run",
        "model": "publishers/google/models/gemini-2.5-flash",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://bucket/requests.jsonl"]}},
        "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "gs://bucket/out"}},
    }
    assert validator("job").is_valid(job)
    assert validator("job").is_valid({**job, "state": "JOB_STATE_RUNNING", "completionStats": {"successfulCount": "3"}})
    assert not validator("job").is_valid({**job, "state": "RUNNING"})
    assert not validator("job").is_valid({**job, "input": "gs://bucket/requests.jsonl"})
    del job["outputConfig"]
    assert not validator("job").is_valid(job)


@pytest.mark.parametrize(
    "change, is_valid",
    [
        ({}, True),
        ({"answer": "label.schema.json"}, True),
        ({"answer": {"type": "object"}, "defaults": {"text": "", "n": 0}}, True),
        ({"request": {"contents": "{{ contents }}"}}, True),
        ({"media": {"photo": {"max_edge": 1536, "upload": "gs://bucket"}, "doc": {"mime": "text/plain"}}}, True),
        ({"media": {"photo": {"upload": True}}}, False),
        ({"media": {"photo": {"edge": 1}}}, False),
        ({"request": []}, False),
        ({"model": None}, False),
        ({"defaults": {"text": None}}, False),
        ({"answers": "label.schema.json"}, False),
    ],
)
def test_a_spec(change, is_valid):
    spec = {"model": "gemini-3.5-flash", "request": {"contents": [{"parts": [{"text": "{{ text }}"}]}]}}
    assert validator("spec").is_valid(spec | change) == is_valid


PROMPTS = {"count": 2, "rejected": 0, "selection": ""}
SHARD = {"name": "requests-00000.jsonl", "rows": 2, "size_bytes": 99, "sha256": "0f" * 32, "prompts": 2}


@pytest.mark.parametrize(
    "change, is_valid",
    [
        ({}, True),
        ({"shards": []}, True),
        ({"notes": ["pattern is not told to the model"], "files": [{"name": "spec.json", "sha256": "0f" * 32}]}, True),
        ({"prompts": {**PROMPTS, "identity": [{"uri": "-", "size_bytes": None, "crc32c": None}]}}, True),
        ({"prompts": PROMPTS}, False),
        ({"key": None}, False),
        ({"note": "x"}, False),
        ({"shards": [{**SHARD, "sha256": "0"}]}, False),
        ({"shards": [{**SHARD, "rows": -1}]}, False),
        ({"shards": [{**SHARD, "lines": 2}]}, False),
    ],
)
def test_a_manifest(change, is_valid):
    manifest = {
        "geminate": "0.1.0",
        "created": "2026-11-22T18:00:00Z",
        "run_id": "0f0f",
        "model": "gemini-3.5-flash",
        "spec_fingerprint": "0f" * 32,
        "prompts": {**PROMPTS, "identity": [{"uri": "words.csv", "size_bytes": 9, "crc32c": 7}]},
        "key": "key",
        "key_generated": False,
        "notes": [],
        "shards": [SHARD],
        "files": [],
    }
    assert validator("manifest").is_valid(manifest | change) == is_valid


def test_an_installed_package_has_them_inside_and_a_checkout_beside_src(tmp_path):
    package = tmp_path / "src" / "geminate"
    package.mkdir(parents=True)
    (tmp_path / "schemas").mkdir()
    assert Path(str(schema_folder(package))).resolve() == tmp_path / "schemas"
    (package / "schemas").mkdir()
    assert schema_folder(package) == package / "schemas"
    assert (schema_folder(resources.files("geminate")) / "request.schema.json").is_file()


def test_a_wheel_carries_them(tmp_path, monkeypatch):
    build = pytest.importorskip("hatchling.build")
    monkeypatch.chdir(FOLDER.parent)
    wheel = tmp_path / build.build_wheel(str(tmp_path))
    code = f"""
import sys
sys.path.insert(0, {str(wheel)!r})
import geminate
assert geminate.__file__.startswith({str(wheel)!r}), geminate.__file__
import geminate.wire.limits
from geminate.wire.schemas import load_schema
print(*(load_schema(name)["title"] for name in {NAMES!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.split() == [
        "GenerateContentRequest",
        "GenerateContentResponse",
        "BatchPredictionJob",
        "Spec",
        "Manifest",
    ]
