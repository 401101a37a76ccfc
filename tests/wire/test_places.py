import pytest

from geminate.wire.places import bucket_warning, location_warning


@pytest.mark.parametrize(
    "model, location",
    [
        ("gemini-3.5-flash", "global"),
        ("publishers/google/models/gemini-3.5-flash", "eu"),
        ("gemini-2.5-pro@default", "europe-west4"),
        ("gemini-2.5-pro", "global"),
        ("gemini-1.5-pro-002", "us-central1"),
        ("gemini-99-unheard-of", "us-central1"),
        ("projects/p/locations/us-central1/models/1", "us-central1"),
    ],
)
def test_what_goes_together_or_is_unheard_of_gets_no_warning(model, location):
    assert location_warning(model, location) is None


@pytest.mark.parametrize(
    "model, location, places",
    [
        ("gemini-3.5-flash", "us-central1", "global, us, eu"),
        ("gemini-2.5-flash", "eu", "a region, global"),
        ("gemini-1.5-pro-002", "global", "a region"),
    ],
)
def test_what_is_not_known_to_go_together_gets_one(model, location, places):
    assert f"not known to run in {location}" in location_warning(model, location)
    assert location_warning(model, location).endswith(f"it runs in {places}")


@pytest.mark.parametrize(
    "bucket, job, warns",
    [
        ("US-CENTRAL1", "us-central1", False),
        ("US", "us-central1", False),
        ("US-EAST1", "us", False),
        ("EUR4", "europe-west4", False),
        ("ASIA", "global", False),
        ("EU", "us-central1", True),
        ("US-CENTRAL1", "us-east1", True),
        ("EUR4", "europe-west1", True),
        ("US-CENTRAL1", "eu", True),
    ],
)
def test_a_bucket_far_from_its_jobs_gets_a_warning(bucket, job, warns):
    warning = bucket_warning("gs://bucket", bucket, job)
    assert (warning is not None) == warns
    assert warning is None or "gs://bucket" in warning
