import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.errors import InputError, UsageError
from geminate.wire.jobs import JobRequest, JobSettings, decode_job, encode_job
from geminate.wire.limits import LIMITS
from geminate.wire.schemas import load_schema

SCHEMA = jsonschema.Draft202012Validator(load_schema("job"))
TABLE, DATASET = "bq://my-project.my_dataset.requests", "bq://my-project.my_dataset"
LABELS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_-]{0,62}", fullmatch=True),
    st.from_regex(r"[a-z0-9_-]{0,63}", fullmatch=True),
    max_size=LIMITS.max_labels - 2,
)
SETTINGS = st.builds(
    JobSettings,
    display_name=st.text(min_size=1, max_size=96),
    labels=LABELS,
    model_parameters=st.none() | st.dictionaries(st.text(), st.integers() | st.text()),
)


def request(**changes):
    fields = {"model": "gemini-3.5-flash", "input_uri": "gs://bucket/in.jsonl", "output_uri": "gs://bucket/out"}
    return JobRequest("run1-00000-1", "run1", **{**fields, **changes})


@given(
    settings=SETTINGS,
    input_uri=st.sampled_from(["gs://bucket/in.jsonl", TABLE]),
    output_uri=st.sampled_from(["gs://bucket/out", DATASET, TABLE]),
)
def test_every_body_is_a_job_of_the_api_and_says_what_was_asked(settings, input_uri, output_uri):
    body = json.loads(json.dumps(encode_job(request(settings=settings, input_uri=input_uri, output_uri=output_uri))))
    assert list(SCHEMA.iter_errors(body)) == []
    assert body["displayName"] == f"{settings.display_name}-run1-00000-1"
    assert body["labels"] == {**settings.labels, "geminate_attempt": "run1-00000-1", "geminate_run": "run1"}
    assert body.get("modelParameters") == settings.model_parameters
    source, destination = body["inputConfig"], body["outputConfig"]
    if input_uri == TABLE:
        assert source == {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": TABLE}}
    else:
        assert source == {"instancesFormat": "jsonl", "gcsSource": {"uris": [input_uri]}}
    if output_uri.startswith("bq://"):
        assert destination == {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": output_uri}}
    else:
        assert destination == {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": output_uri}}


@pytest.mark.parametrize(
    "model, name",
    [
        ("gemini-3.5-flash", "publishers/google/models/gemini-3.5-flash"),
        ("gemini-2.5-flash@default", "publishers/google/models/gemini-2.5-flash@default"),
        ("publishers/google/models/gemini-2.5-pro", None),
        ("projects/p/locations/us-central1/models/123", None),
        ("projects/p/locations/us-central1/models/123@2", None),
        ("projects/p/locations/global/publishers/google/models/gemini-3.5-flash", None),
    ],
)
def test_models_go_by_id_or_by_resource_name(model, name):
    assert encode_job(request(model=model))["model"] == (name or model)


@pytest.mark.parametrize("model", ["", "google/gemini-3.5-flash", "models/x", "projects/p/models/1", "a b", "a/b/c"])
def test_a_model_that_no_job_can_name_is_refused(model):
    with pytest.raises(InputError, match="model"):
        encode_job(request(model=model))


@pytest.mark.parametrize(
    "changes",
    [
        {"input_uri": DATASET},
        {"input_uri": "bq://p.d.t.more"},
        {"output_uri": "bq://p"},
        {"output_uri": "bq://p..t"},
        {"input_uri": "https://example.com/in.jsonl"},
        {"output_uri": "out"},
    ],
)
def test_a_place_that_the_service_cannot_read_or_write_is_refused(changes):
    with pytest.raises(InputError, match="URI"):
        encode_job(request(**changes))


@pytest.mark.parametrize(
    "key, value",
    [
        ("Team", "red"),
        ("1team", "red"),
        ("", "red"),
        ("team", "Red"),
        ("team", "a b"),
        ("k" * 64, "v"),
        ("k", "v" * 64),
        ("geminate_run", "mine"),
    ],
)
def test_a_label_that_the_service_refuses_is_refused_here(key, value):
    with pytest.raises(UsageError, match="label"):
        JobSettings(labels={key: value})


def test_there_is_room_for_our_own_labels_and_the_attempt():
    with pytest.raises(UsageError, match="room for 62"):
        JobSettings(labels={f"k{n}": "" for n in range(63)})
    for name in ("", "x" * 97):
        with pytest.raises(UsageError, match="display name"):
            JobSettings(display_name=name)


@pytest.mark.parametrize(
    "output, uri",
    [
        ({}, ""),
        ({"gcsOutputDirectory": "gs://bucket/out/prediction-x"}, "gs://bucket/out/prediction-x"),
        ({"bigqueryOutputDataset": DATASET, "bigqueryOutputTable": "predictions_1"}, f"{DATASET}.predictions_1"),
        ({"bigqueryOutputDataset": DATASET}, DATASET),
    ],
)
def test_a_jobs_output_is_one_uri(output, uri):
    assert decode_job({"name": "n", "outputInfo": output}).output_uri == uri
