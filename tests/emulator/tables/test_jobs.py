"""Jobs from and to tables, and every mixture with buckets."""

import json

import pytest

PARENT = "projects/rehearsal/locations/us-central1"
TABLE = {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": "bq://rehearsal.words.t"}}
LINES = {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://bucket/in.jsonl"]}}
TO_TABLE = {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": "bq://rehearsal.words.out"}}
TO_LINES = {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": "gs://bucket/out"}}
KEYED = [("key", "STRING"), ("request", "JSON")]


def request_of(text):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], "tools": [{"googleSearch": {}}]}


@pytest.fixture
def run(client):
    def call(source, target, parent=PARENT):
        body = {"displayName": "d", "model": "publishers/google/models/gemini-3.5-flash"}
        body |= {"inputConfig": source, "outputConfig": target}
        answer = client.call("POST", f"{parent}/batchPredictionJobs", json=body)
        return client.wait(answer.json()["name"]) if answer.status_code == 200 else answer.json()["error"]

    return call


@pytest.fixture
def requests_table(load):
    rows = [{"key": f"k{place}", "n": place, "request": request_of(f"say {place}")} for place in range(5)]
    load(rows, [*KEYED, ("n", "INTEGER")])
    return rows


def test_a_table_comes_back_with_all_its_columns(run, requests_table, read, bq):
    job = run(TABLE, TO_TABLE)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert job["outputInfo"] == {"bigqueryOutputDataset": "bq://rehearsal.words", "bigqueryOutputTable": "out"}
    assert job["completionStats"] == {"successfulCount": "5"}
    columns = {field.name: field.field_type for field in bq.get_table("rehearsal.words.out").schema}
    assert columns == {"key": "STRING", "request": "JSON", "n": "INTEGER"} | {
        "response": "JSON",
        "status": "STRING",
        "processed_time": "TIMESTAMP",
    }
    rows = sorted(read("out"), key=lambda row: row["n"])
    assert [{name: row[name] for name in ("key", "n", "request")} for row in rows] == requests_table
    assert {row["status"] for row in rows} == {""}
    assert all(row["response"]["candidates"] for row in rows)


def test_a_table_goes_to_a_bucket(run, requests_table, client):
    job = run(TABLE, TO_LINES)
    lines = {line["key"]: line for line in client.predictions(job)}
    assert lines.keys() == {row["key"] for row in requests_table}
    assert lines["k3"]["request"] == request_of("say 3")
    assert lines["k3"]["n"] == 3


def test_lines_go_to_a_table_of_a_name_of_its_own(run, client, read):
    request = {"contents": [{"parts": [{"text": "hi"}]}]}
    client.write([{"key": f"k{place}", "n": place, "request": request} for place in range(3)])
    target = {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": "bq://rehearsal.words"}}
    job = run(LINES, target)
    table = job["outputInfo"]["bigqueryOutputTable"]
    assert sorted((row["key"], row["n"], row["status"]) for row in read(table)) == [(f"k{n}", n, "") for n in range(3)]


def test_requests_may_be_text(run, load, read):
    texts = [json.dumps(request_of("hi")), "no JSON"]
    load([{"key": text[:2], "request": text} for text in texts], [("key", "STRING"), ("request", "STRING")])
    run(TABLE, TO_TABLE)
    rows = {row["request"]: row for row in read("out")}
    assert rows[texts[0]]["status"] == ""
    assert "contents" in rows["no JSON"]["status"]


def test_a_job_over_a_former_jobs_table_does_only_what_failed(run, load, read):
    load([{"key": "a", "request": request_of("hi")}, {"key": "b", "request": {"contents": []}}], KEYED)
    run(TABLE, TO_TABLE)
    before = {row["key"]: row for row in read("out")}
    assert (before["a"]["status"], bool(before["b"]["status"])) == ("", True)
    again = {"bigquerySource": {"inputUri": "bq://rehearsal.words.out"}}
    job = run({**TABLE, **again}, {**TO_TABLE, "bigqueryDestination": {"outputUri": "bq://rehearsal.words.again"}})
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    after = {row["key"]: row for row in read("again")}
    assert after["a"] == before["a"]
    assert after["b"]["processed_time"] > before["b"]["processed_time"]


@pytest.mark.parametrize(
    "field, reason",
    [
        (("words", "STRING", "REPEATED"), "column words of type ARRAY"),
        (("at", "DATETIME"), "column at of type DATETIME"),
        (("Status", "STRING"), "a name that is reserved"),
    ],
)
def test_a_column_that_the_service_refuses_fails_the_job(run, load, bq, field, reason):
    load([{"key": "a", "request": request_of("hi")}], [*KEYED, field])
    job = run(TABLE, TO_TABLE)
    assert job["state"] == "JOB_STATE_FAILED"
    assert reason in job["error"]["message"]
    assert [table.table_id for table in bq.list_tables("rehearsal.words")] == ["t"]


def test_a_table_without_requests_fails_the_job(run, load):
    load([{"key": "a"}], [("key", "STRING")])
    assert "needs a column request" in run(TABLE, TO_TABLE)["error"]["message"]


@pytest.mark.usefixtures("requests_table")
def test_an_output_table_that_exists_is_never_written_to(run, load, read):
    load([{"mine": "yes"}], [("mine", "STRING")], table="out")
    job = run(TABLE, TO_TABLE)
    assert "Already Exists: Table bq://rehearsal.words.out" in job["error"]["message"]
    assert read("out") == [{"mine": "yes"}]


@pytest.mark.usefixtures("requests_table")
def test_tables_and_jobs_are_in_one_region(run):
    refused = run(TABLE, TO_TABLE, "projects/rehearsal/locations/global")
    assert (refused["code"], "global" in refused["message"]) == (400, True)
    job = run(TABLE, TO_TABLE, "projects/rehearsal/locations/europe-west4")
    assert "is in us-central1, and the job in europe-west4" in job["error"]["message"]


def test_a_dataset_that_is_not_there_fails_the_job(run, client):
    target = {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": "bq://rehearsal.none"}}
    client.write([{"request": request_of("hi")}])
    assert "Not found: Dataset rehearsal:none" in run(LINES, target)["error"]["message"]
