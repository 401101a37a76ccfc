import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.wire.leniency import decode_leniently
from geminate.wire.predictions import UNREADABLE_REASONS
from geminate.wire.unreadable import salvage_key


@pytest.mark.parametrize(
    "line, reason",
    [
        (b'{"key":"a","x":NaN}', "invalid_json"),
        (b'{"key":"a","x":-Infinity}', "invalid_json"),
        (b'{"key":"a",}', "invalid_json"),
        (b'{"key":"a"}x', "invalid_json"),
        (b'{"key":"a","x":"\\ud83c"}', "lone_surrogate"),
        (b'{"key":"a","x":"\\ud83c"', "invalid_json"),
        (b'{"key":"a","x":"\xff"', "invalid_utf8"),
        (b'{"key":"a","x":' + b"[" * 100_000, "too_deep"),
        (b'{"key":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    ],
)
def test_the_damage_is_named_and_the_key_is_saved(line, reason):
    unreadable = decode_leniently(line, "key")
    assert (unreadable.reason, unreadable.key) == (reason, "a")
    assert reason in UNREADABLE_REASONS
    assert unreadable.message


@given(st.text(max_size=20), st.integers(1, 20))
def test_a_key_at_either_end_survives_damage_elsewhere(key, cut):
    line = json.dumps({"key": key, "request": {"key": "inner"}, "response": {"text": "x" * 20}}).encode()
    assert salvage_key(line[:-cut], "key") == key
    line = json.dumps({"response": {"text": "x" * 20, "key": "inner"}, "key": key}).encode()
    assert salvage_key(line[cut:], "key") == key


@pytest.mark.parametrize(
    "line",
    [b'{"request":{"key":"inner"},"status":""', b'{"key":5', b'{"key":"a', b'{"key":"\\ud800\\', b'{"other":"a"'],
)
def test_what_may_not_be_the_key_is_not_taken_for_it(line):
    assert salvage_key(line, "key") is None
    assert salvage_key(line, None) is None
