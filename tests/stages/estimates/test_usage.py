import numpy as np
import pytest

from geminate.stages.estimates import UsageMeter


def measure(rows, seed=1):
    random = np.random.default_rng(seed)
    meter = UsageMeter()
    for _ in range(2):
        estimated = random.uniform(50, 150, rows)
        meter.add(estimated, estimated * random.normal(1.2, 0.1, rows), random.uniform(10, 30, rows), estimated * 0.6)
    return meter.usage()


def test_it_finds_the_factor_the_output_and_the_share_of_the_cache():
    usage = measure(2000)
    assert usage.rows == 4000
    assert usage.input_factor.likely == pytest.approx(1.2, rel=0.02)
    assert usage.input_factor.low < 1.2 < usage.input_factor.high
    assert usage.output.likely == pytest.approx(20, rel=0.05)
    assert usage.cached_share == pytest.approx(0.5, rel=0.02)


def test_fewer_rows_leave_more_doubt():
    wide, narrow = (measure(rows).output for rows in (3, 3000))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_one_row_is_not_taken_for_certain():
    meter = UsageMeter()
    meter.add(np.array([100.0]), np.array([110.0]), np.array([20.0]), np.array([0.0]))
    usage = meter.usage()
    assert usage.output.low < 0.5 * usage.output.likely


def test_without_a_row_there_is_none():
    assert UsageMeter().usage() is None
