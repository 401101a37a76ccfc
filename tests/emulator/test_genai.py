"""Google's own client, unchanged, against the emulator."""

import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from .conftest import prompt


@pytest.fixture
def google(client):
    options = types.HttpOptions(base_url=client.emulator.url)
    made = genai.Client(
        vertexai=True, project="rehearsal", location="global", credentials=Credentials("x"), http_options=options
    )
    yield made
    made.close()


def test_it_creates_follows_and_lists_jobs(client, google):
    client.write([prompt("a"), prompt("b")])
    made = google.batches.create(
        model="gemini-3.5-flash",
        src="gs://bucket/in.jsonl",
        config={"dest": "gs://bucket/out", "display_name": "by google"},
    )
    assert made.state == types.JobState.JOB_STATE_PENDING
    client.wait(made.name)
    job = google.batches.get(name=made.name)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    assert job.display_name == "by google"
    assert job.completion_stats.successful_count == 2
    assert job.dest.gcs_uri == "gs://bucket/out"
    listed = google.batches.list(config={"page_size": 10, "filter": 'display_name="by google"'})
    assert [each.name for each in listed] == [made.name]
    assert len(client.predictions(client.job(made.name))) == 2


def test_it_cancels_and_deletes(client, google):
    client.write([prompt("a")])
    made = google.batches.create(
        model="gemini-3.5-flash", src="gs://bucket/in.jsonl", config={"dest": "gs://bucket/out"}
    )
    client.wait(made.name)
    with pytest.raises(errors.ClientError, match="FAILED_PRECONDITION"):
        google.batches.cancel(name=made.name)
    assert google.batches.delete(name=made.name).done is True
    with pytest.raises(errors.ClientError, match="NOT_FOUND"):
        google.batches.get(name=made.name)


def test_a_waiting_job_is_cancelled(emulate):
    client = emulate(pending_s=60)
    client.write([prompt("a")])
    options = types.HttpOptions(base_url=client.emulator.url)
    with genai.Client(
        vertexai=True, project="rehearsal", location="global", credentials=Credentials("x"), http_options=options
    ) as google:
        made = google.batches.create(
            model="gemini-3.5-flash", src="gs://bucket/in.jsonl", config={"dest": "gs://bucket/out"}
        )
        google.batches.cancel(name=made.name)
        client.wait(made.name)
        assert google.batches.get(name=made.name).state == types.JobState.JOB_STATE_CANCELLED
