from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.wire.times import decode_retry_after, decode_times

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text, time",
    [
        ("2026-11-20T12:00:00Z", NOON),
        ("2026-11-20T12:00:00.5+00:00", NOON.replace(microsecond=500_000)),
        ("2026-11-20T12:00:00.123456Z", NOON.replace(microsecond=123_456)),
        ("2026-11-20T12:00:00.123456789Z", NOON.replace(microsecond=123_456)),
        ("2026-11-20T14:00:00+02:00", NOON),
        ("2026-11-20T12:00:00", NOON),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_whatever_stands_beside_it(text, time):
    for others in ([], ["nonsense"], ["2026-01-01T00:00:00Z"]):
        assert decode_times(pa.array([text, *others], pa.string()))[0].as_py() == time


@given(
    st.datetimes(NOON.replace(year=2, tzinfo=None), NOON.replace(year=9998, tzinfo=None)),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_every_iso_time_comes_back(time, zone):
    time = time.replace(tzinfo=zone)
    assert decode_times(pa.array([time.isoformat()])).cast(pa.int64())[0].as_py() == (
        time - datetime(1970, 1, 1, tzinfo=UTC)
    ) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "text, answered, wait_s",
    [
        ("120", "", 120.0),
        (" 5 ", "", 5.0),
        ("Sun, 22 Nov 2026 10:01:30 GMT", "Sun, 22 Nov 2026 10:00:00 GMT", 90.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", "", None),
        ("Sun, 22 Nov 2099 10:00:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT", 3600.0),
        ("9" * 400, "", 3600.0),
        ("soon", "Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("-1", "", None),
        ("", "", None),
    ],
)
def test_a_request_to_come_back_later_is_a_number_of_seconds(text, answered, wait_s):
    assert decode_retry_after(text, answered) == wait_s
