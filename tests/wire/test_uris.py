import pytest

from geminate.wire.uris import service_endpoint, tuned_model_location


@pytest.mark.parametrize(
    "location, endpoint",
    [
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "https://europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_each_location_has_its_host(location, endpoint):
    assert service_endpoint(location) == endpoint


@pytest.mark.parametrize(
    "model, location",
    [
        ("gemini-3.5-flash", None),
        ("publishers/google/models/x", None),
        ("projects/p/locations/global/publishers/google/models/x", None),
        ("projects/p/locations/us-central1/models/1@2", "us-central1"),
    ],
)
def test_only_a_tuned_model_lives_somewhere(model, location):
    assert tuned_model_location(model) == location
