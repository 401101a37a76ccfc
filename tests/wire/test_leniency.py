import pytest

from geminate.wire.leniency import decode_leniently
from geminate.wire.predictions import Prediction, Unreadable

PLACES = [
    '{"key":%s}',
    '{"error":{"a":%s}}',
    '{"status":%s}',
    '{"response":{"candidates":[{"finishReason":%s}]}}',
    '{"response":{"candidates":[{"content":{"parts":[{"functionCall":{"args":%s}}]}}]}}',
]


@pytest.mark.parametrize("place", PLACES)
def test_a_value_that_is_just_too_deep_to_write_again_is_read_or_reported(place):
    # Where reading stops depends on how deep the caller stands, so the edge is somewhere among these.
    for depth in range(900, 1_010):
        line = (place % ("[" * depth + "]" * depth)).encode()
        assert isinstance(decode_leniently(line, "key"), (Prediction, Unreadable))
