from datetime import date

import pytest

from geminate.wire.limits import KNOWN_MODELS
from geminate.wire.prices import batch_share, find_prices

# Retired, and the sources known to us contradict each other.
UNPRICED = {"gemini-1.0-pro-001", "gemini-1.0-pro-002"}


@pytest.mark.parametrize("model", sorted(set(KNOWN_MODELS) - UNPRICED))
def test_every_listed_model_has_a_dated_price_that_output_tops(model):
    found = find_prices(model)
    assert found.source.startswith("https://")
    date.fromisoformat(found.date)
    for price in found.prices:
        assert 0 < price.input < price.output
        assert price.cached is None or price.cached < price.input
        assert price.long is None or (price.long.input > price.input and price.long_over_tokens >= 128_000)


def test_a_model_goes_by_its_bare_name():
    assert find_prices("publishers/google/models/gemini-2.5-pro@default") == find_prices("gemini-2.5-pro")


@pytest.mark.parametrize("model", ["gemini-9-flash", "projects/p/locations/l/models/1", *sorted(UNPRICED)])
def test_what_is_not_listed_has_none(model):
    assert find_prices(model) is None


def test_a_price_holds_until_the_next_one():
    found = find_prices("gemini-3.8-flash")
    today, later = found.prices
    assert found.between("2026-11-22", "2026-11-26") == (today,)
    assert found.between("2026-12-30", "2027-01-03") == (today, later)
    assert found.between("2027-01-01", "2027-01-05") == (later,)


def test_batch_prediction_is_cheaper():
    assert 0 < batch_share() < 1
