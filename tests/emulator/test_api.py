import re
from typing import Any

import pytest

from .conftest import PARENT, job_body, prompt

JOBS = f"{PARENT}/batchPredictionJobs"


def refusal(client: Any, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.call("POST", JOBS, json=body)
    assert not answer.ok
    return answer.json()["error"]


class TestCreate:
    def test_gives_a_pending_job_with_a_number_of_its_own_each_time(self, emulate):
        client = emulate(manual=True)
        client.write([prompt("a")])
        answers = [client.call("POST", JOBS, json=job_body(labels={"team": "red"})).json() for _ in range(2)]
        assert answers[0]["state"] == "JOB_STATE_PENDING"
        assert answers[0]["labels"] == {"team": "red"}
        assert "completionStats" not in answers[0]
        assert re.fullmatch(rf"{JOBS}/\d{{19}}", answers[0]["name"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", answers[0]["createTime"])
        assert answers[0]["name"] != answers[1]["name"]

    def test_takes_snake_case_and_a_single_uri(self, client):
        client.write([prompt("a")])
        body = {
            "display_name": "rehearsal",
            "model": "publishers/google/models/gemini-3.5-flash",
            "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": "gs://bucket/in.jsonl"}},
            "output_config": {
                "predictions_format": "jsonl",
                "gcs_destination": {"output_uri_prefix": "gs://bucket/out"},
            },
        }
        answer = client.call("POST", JOBS, json=body).json()
        assert answer["inputConfig"]["gcsSource"]["uris"] == ["gs://bucket/in.jsonl"]
        assert client.wait(answer["name"])["state"] == "JOB_STATE_SUCCEEDED"

    def test_refuses_unknown_names_in_googles_words(self, client):
        error = refusal(client, job_body() | {"colour": "red"})
        assert error["message"] == (
            "Invalid JSON payload received. Unknown name \"colour\" at 'batch_prediction_job': Cannot find field."
        )
        assert error["status"] == "INVALID_ARGUMENT"
        body = job_body()
        body["inputConfig"]["gcsSource"]["urls"] = []
        assert "'batch_prediction_job.input_config.gcs_source'" in refusal(client, body)["message"]

    @pytest.mark.parametrize("name", ["displayName", "model", "inputConfig", "outputConfig"])
    def test_refuses_a_body_without(self, client, name):
        body = job_body()
        del body[name]
        assert refusal(client, body)["code"] == 400

    @pytest.mark.parametrize(
        "changes",
        [
            {"displayName": 7},
            {"displayName": "x" * 129},
            {"labels": {"team": 7}},
            {"labels": {"Team": "red"}},
            {"labels": {f"l{place}": "x" for place in range(65)}},
            {"inputConfig": "gs://bucket/in.jsonl"},
            {"inputConfig": {"instancesFormat": "jsonl", "bigquerySource": {"inputUri": "bq://p.d.t"}}},
            {"inputConfig": {"instancesFormat": "csv", "gcsSource": {"uris": ["gs://bucket/in.jsonl"]}}},
            {"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": []}}},
            {"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://bucket/*.jsonl"]}}},
            {"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://bucket/../in.jsonl"]}}},
            {"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [7]}}},
            {
                "outputConfig": {
                    "predictionsFormat": "jsonl",
                    "gcsDestination": {"outputUriPrefix": "gs://bucket/a/../../../b"},
                }
            },
            {"outputConfig": {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": "bq://p.d"}}},
        ],
    )
    def test_refuses(self, client, changes):
        assert refusal(client, job_body() | changes)["code"] == 400

    def test_refuses_what_is_not_json(self, client):
        assert client.call("POST", JOBS, data=b"{").json()["error"]["code"] == 400
        assert client.call("POST", JOBS, data=b"[]").json()["error"]["code"] == 400

    def test_knows_only_the_models_it_is_told(self, emulate):
        client = emulate(models=frozenset({"gemini-3.8-flash"}))
        error = refusal(client, job_body())
        assert (error["code"], error["message"]) == (404, "The PublisherModel gemini-3.5-flash does not exist.")
        assert refusal(client, job_body(model="gemini-3.8-flash"))["code"] == 404
        client.create([prompt("a")], model="publishers/google/models/gemini-3.8-flash")


class TestList:
    @pytest.fixture
    def names(self, emulate):
        self.client = emulate(manual=True)
        self.client.write([prompt("a")])
        return [
            self.client.create(displayName=f"job-{place}", labels={"place": str(place), "run-id": "x"})
            for place in range(5)
        ]

    def list(self, **query: str) -> list[str]:
        answer = self.client.call("GET", JOBS, params=query)
        assert answer.ok, answer.text
        return [job["name"] for job in answer.json().get("batchPredictionJobs", [])]

    def test_begins_with_the_newest(self, names):
        assert self.list() == names[::-1]
        assert self.list(filter="", pageToken="", pageSize="100") == names[::-1]

    def test_gives_pages_that_new_jobs_do_not_shift(self, names):
        page = self.client.call("GET", JOBS, params={"pageSize": 2}).json()
        seen = [job["name"] for job in page["batchPredictionJobs"]]
        self.client.create()
        while token := page.get("nextPageToken"):
            page = self.client.call("GET", JOBS, params={"pageSize": 2, "pageToken": token}).json()
            seen += [job["name"] for job in page["batchPredictionJobs"]]
        assert seen == names[::-1]

    def test_shows_only_its_own_location(self, names):
        other = PARENT.replace("global", "us-central1")
        assert self.client.call("GET", f"{other}/batchPredictionJobs").json() == {}
        assert self.client.call("GET", names[0].replace("global", "us-central1")).status_code == 404

    def test_shows_only_the_members_asked_for(self, names):
        page = self.client.call("GET", JOBS, params={"readMask": "name,display_name", "pageSize": 1}).json()
        assert page["batchPredictionJobs"] == [{"name": names[4], "displayName": "job-4"}]

    @pytest.mark.usefixtures("names")
    @pytest.mark.parametrize("query", [{"pageSize": "-1"}, {"pageToken": "?"}, {"filter": "colour=1"}, {"colour": "1"}])
    def test_refuses(self, query):
        error = self.client.call("GET", JOBS, params=query).json()["error"]
        assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")

    def test_filters_by_label(self, names):
        assert self.list(filter='labels.place="3"') == [names[3]]
        assert self.list(filter="labels.run-id=x AND labels.place=1") == [names[1]]


class TestCancelAndDelete:
    def test_a_pending_job_is_cancelled(self, emulate):
        client = emulate(manual=True, pending_s=60)
        name = client.create([prompt("a")])
        assert client.call("POST", f"{name}:cancel", json={}).json() == {}
        assert client.job(name)["state"] == "JOB_STATE_CANCELLING"
        assert client.call("POST", f"{name}:cancel").status_code == 200
        client.emulator.step()
        job = client.job(name)
        assert (job["state"], job["error"]) == ("JOB_STATE_CANCELLED", {"code": 1, "message": "CANCELED"})
        assert "outputInfo" not in job

    def test_a_finished_job_cannot_be_cancelled(self, client):
        job = client.run([prompt("a")])
        error = client.call("POST", f"{job['name']}:cancel", json={}).json()["error"]
        assert (error["code"], error["status"]) == (400, "FAILED_PRECONDITION")
        assert client.job(job["name"]) == job

    def test_only_a_finished_job_can_be_deleted(self, emulate):
        client = emulate(manual=True)
        name = client.create([prompt("a")])
        assert client.call("DELETE", name).json()["error"]["status"] == "FAILED_PRECONDITION"
        while client.emulator.step():
            pass
        output = client.predictions(client.job(name))
        operation = client.call("DELETE", name).json()
        assert operation["done"] is True
        assert operation["name"].startswith(f"{PARENT}/operations/")
        assert client.call("GET", name).status_code == 404
        assert client.call("DELETE", name).status_code == 404
        assert len(output) == 1
        assert (client.bucket / "out").exists()
