from datetime import date

import pytest

from geminate.wire.limits import (
    FIELD_RANGES,
    KNOWN_MODELS,
    LIMIT_FACTS,
    LIMITS,
    UNSUPPORTED_FIELDS,
    limits_of,
    model_warning,
)
from geminate.wire.schemas import load_schema


@pytest.mark.parametrize("name", LIMIT_FACTS)
def test_every_limit_has_a_value_a_source_and_a_date(name):
    fact = LIMIT_FACTS[name]
    assert getattr(LIMITS, name) == fact.value > 0
    assert fact.source.startswith("https://")
    assert date(2026, 1, 1) <= date.fromisoformat(fact.date)


def test_the_limits_that_shards_are_cut_by():
    assert LIMITS.max_requests_per_job == 200_000
    assert LIMITS.max_input_file_bytes == 10**9


@pytest.mark.parametrize("place", [*FIELD_RANGES, *UNSUPPORTED_FIELDS])
def test_rules_about_fields_name_fields_there_are(place):
    definition, _, field = place.partition(".")
    assert field in load_schema("request")["$defs"][definition]["properties"]


def test_ranges_are_ranges():
    for least, greatest in FIELD_RANGES.values():
        assert least is not None or greatest is not None
        assert least is None or greatest is None or least < greatest


@pytest.mark.parametrize("model", KNOWN_MODELS.values(), ids=lambda model: model.model_id)
def test_every_model_has_a_source_and_a_date(model):
    assert model.model_id.startswith("gemini-")
    assert model.source.startswith("https://")
    assert date.fromisoformat(model.date)


@pytest.mark.parametrize(
    "model",
    [
        "gemini-3.5-flash",
        "publishers/google/models/gemini-3.5-flash",
        "gemini-2.5-flash@default",
        "projects/1/locations/us-central1/models/2",
        "projects/1/locations/us-central1/endpoints/2",
    ],
)
def test_known_and_tuned_models_raise_no_warning(model):
    assert model_warning(model) is None


def test_a_slip_in_a_models_name_is_guessed():
    assert "did you mean 'gemini-3.5-flash'?" in model_warning("gemini-3.5-flsh")
    assert "did you mean" not in model_warning("something-else-entirely")


@pytest.mark.parametrize(
    "model, images",
    [
        ("gemini-3.5-flash", 3000),
        ("gemini-2.5-flash-image", 3),
        ("publishers/google/models/gemini-3-pro-image@default", 14),
        ("projects/1/locations/us-central1/models/2", 3000),
    ],
)
def test_some_models_take_less(model, images):
    assert limits_of(model).max_images_per_prompt == images
