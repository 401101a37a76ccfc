"""Jobs of lines of our own, for what a built run would not send: what is refused, and what becomes of siblings."""

import json
import time

import msgspec
import pytest
from google.cloud import bigquery

from geminate.connect import open_outside
from geminate.wire.jobs import label_filter

DONE = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
LABEL = "geminate_live"
MOST_LISTED_S = 120
# A public sample of Google's own documentation.
IMAGE = "https://storage.googleapis.com/cloud-samples-data/generative-ai/image/scones.jpg"


def request(*parts, role="user", **more):
    parts = parts or ({"text": "Say yes."},)
    generation = {"temperature": 0, "maxOutputTokens": 64}
    return {"contents": [{"role": role, "parts": list(parts)}], "generationConfig": generation, **more}


def line(*parts, **more):
    return json.dumps({"request": request(*parts, **more)})


def deep(levels):
    return {"type": "OBJECT", "properties": {"a": deep(levels - 1) if levels else {"type": "STRING"}}}


def schema(value):
    return {"responseMimeType": "application/json", "responseSchema": value}


BREACHES = {
    "import: an empty object fails the job": [line(labels={})],
    "import: sixteen levels fail the job": [line(generationConfig=schema(deep(8)))],
    "import: a key that is no column name fails the job": [
        line(generationConfig=schema({"type": "OBJECT", "properties": {"how sure?": {"type": "STRING"}}}))
    ],
    "import: two types on one path fail the job": [line(labels={"a": "b"}), line(labels={"a": ["b"]})],
    "import: a null in an array fails the job": [line({"text": "Say yes."}, None)],
    "import: a line that is no JSON fails the job": [line(), "{"],
}
JSON_SCHEMA = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
OWN_LINES = {
    "000000": request(),
    "failed": request(role="assistant"),
    "schema": request(generationConfig={"responseMimeType": "application/json", "responseJsonSchema": JSON_SCHEMA}),
    "https": request({"fileData": {"fileUri": IMAGE, "mimeType": "image/jpeg"}}, {"text": "Name what you see."}),
}


@pytest.fixture
def service(place, tmp_path):
    with open_outside(place.where, tmp_path / "none") as outside:
        yield outside


def create(place, service, name, source, target):
    body = {
        "displayName": f"geminate-live-{name}",
        "model": f"publishers/google/models/{place.model}",
        "labels": {LABEL: name},
        "inputConfig": source,
        "outputConfig": target,
    }
    return service.jobs.create(body)["name"]


def from_file(uri):
    return {"instancesFormat": "jsonl", "gcsSource": {"uris": [uri]}}


def to_files(uri):
    return {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": uri}}


def wait(place, service, job_name):
    while True:
        job = service.jobs.get(job_name)
        if job.get("state", "").removeprefix("JOB_STATE_") in DONE:
            return job
        time.sleep(0.05 if place.where.is_local else 20)


def read_lines(service, prefix_uri):
    found = [each for each in service.store.list(prefix_uri) if each.uri.endswith(".jsonl")]
    data = b"".join(piece for info in found for piece in service.store.read(info))
    return [json.loads(each) for each in data.split(b"\n") if each]


def test_what_the_importer_refuses(place, service, observe):
    names = {}
    for number, (assumption, lines) in enumerate(BREACHES.items()):
        uri = f"{place.bucket_uri}/breach-{number}/requests.jsonl"
        service.store.write(uri, ["\n".join([*lines, ""]).encode()])
        target = to_files(f"{place.bucket_uri}/breach-{number}/out")
        names[assumption] = create(place, service, f"breach-{number}", from_file(uri), target)
    for assumption, name in names.items():
        job = wait(place, service, name)
        observe(assumption, job["state"] == "JOB_STATE_FAILED", json.dumps(job.get("error", job["state"])))


def test_a_bucket_that_is_not_there(place, service, observe):
    missing = f"{place.bucket_uri}-not-there"
    name = create(place, service, "no-bucket", from_file(f"{missing}/in.jsonl"), to_files(f"{missing}/out"))
    began = time.monotonic()
    while not any(job["name"] == name for job in service.jobs.list(label_filter(LABEL, "no-bucket"))):
        assert time.monotonic() < began + 5 * MOST_LISTED_S
        time.sleep(0.05 if place.where.is_local else 1)
    took_s = time.monotonic() - began
    observe("a new job is listed by its label within two minutes", took_s < MOST_LISTED_S, f"{took_s:.0f} s")
    job = wait(place, service, name)
    state = job["state"]
    observe("a job for a bucket that is not there is taken, and fails later", state == "JOB_STATE_FAILED", state)


def test_what_becomes_of_lines(place, service, observe):
    uri = f"{place.bucket_uri}/own/requests.jsonl"
    lines = [json.dumps({"key": key, "n": "7", "request": each}) for key, each in OWN_LINES.items()]
    service.store.write(uri, ["\n".join([*lines, ""]).encode()])
    job = wait(place, service, create(place, service, "own", from_file(uri), to_files(f"{place.bucket_uri}/own/out")))
    rows = read_lines(service, f"{place.bucket_uri}/own/out/")
    assert len(rows) == len(OWN_LINES), job
    by_key = {str(row.get("key")): row for row in rows}
    failed, typed = by_key.get("failed", {}), [row.get("n") for row in rows]
    observe("siblings come back on failed rows", failed.get("status") and "n" in failed, str(failed.get("status")))
    as_sent = "000000" in by_key and set(typed) == {"7"}
    observe("siblings that look like numbers stay text", as_sent, f"{sorted(by_key)}, {typed}")
    text = _text(by_key.get("schema", {}))
    observe("responseJsonSchema is heeded", _is_sure(text), text)
    https = by_key.get("https", {})
    observe("a file may be named by an https address", https.get("status") == "", str(https.get("status")))


def test_a_job_over_a_former_output(place, service, observe):
    uris = [f"{place.bucket_uri}/former-{number}/requests.jsonl" for number in (1, 2)]
    targets = [f"{place.bucket_uri}/former-{number}/out" for number in (1, 2)]
    lines = [json.dumps({"key": key, "request": request()}) for key in ("kept", "done")]
    service.store.write(uris[0], ["\n".join([*lines, ""]).encode()])
    wait(place, service, create(place, service, "former-1", from_file(uris[0]), to_files(targets[0])))
    rows = {row["key"]: row for row in read_lines(service, f"{targets[0]}/")}
    # As the output of a job that was cut would be, if it shows all requests.
    cut = [rows["kept"], {**rows["done"], "response": {}}]
    service.store.write(uris[1], [json.dumps(row).encode() + b"\n" for row in cut])
    job = wait(place, service, create(place, service, "former-2", from_file(uris[1]), to_files(targets[1])))
    again = {row["key"]: row["response"] for row in read_lines(service, f"{targets[1]}/")}
    kept = again.get("kept", {}).get("responseId") == rows["kept"]["response"].get("responseId")
    observe(
        "a former output: what was answered comes again as it was", kept, json.dumps(job.get("error", job["state"]))
    )
    done = bool(again.get("done", {}).get("responseId"))
    observe("a former output: what was not answered is", done, json.dumps(job.get("error", job["state"])))


def test_a_table_is_spared_the_importers_rules(place, service, observe):
    uri = f"{place.dataset_uri}.spared"
    fields = [bigquery.SchemaField("key", "STRING"), bigquery.SchemaField("request", "JSON")]
    rows, config = [{"key": "a", "request": request(labels={})}], bigquery.LoadJobConfig(schema=fields)
    place.tables.load_table_from_json(rows, uri.removeprefix("bq://"), job_config=config).result()
    source = {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": uri}}
    target = {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": f"{uri}_out"}}
    job = wait(place, service, create(place, service, "spared", source, target))
    succeeded = job["state"] == "JOB_STATE_SUCCEEDED"
    observe("a table's rows are spared the importer's rules", succeeded, json.dumps(job.get("error", job["state"])))


def _text(row):
    candidates = (row.get("response") or {}).get("candidates") or [{}]
    return "".join(part.get("text", "") for part in (candidates[0].get("content") or {}).get("parts") or [])


def _is_sure(text):
    try:
        return isinstance(msgspec.json.decode(text)["sure"], bool)
    except (msgspec.MsgspecError, LookupError, TypeError):
        return False
