import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.wire.outcomes import ERROR_CODES
from geminate.wire.statuses import decode_error, decode_status


def error(code, message="It broke.", status="INTERNAL"):
    return json.dumps({"error": {"code": code, "message": message, "status": status}})


@pytest.mark.parametrize(
    "text, code, name, message",
    [
        ("Bad Request: " + error(400, status="INVALID_ARGUMENT"), 400, "INVALID_ARGUMENT", "It broke."),
        (error(500), 500, "INTERNAL", "It broke."),
        (f"[{error(500)}]", 500, "INTERNAL", "It broke."),
        ("x" + error(500) + " and more", 500, "INTERNAL", "It broke."),
        ("x" + error("503"), 503, "INTERNAL", "It broke."),
        ("x" + error(2**40), 500, "INTERNAL", "It broke."),
        ("x" + error(500, message=error(404, "Inner.", "NOT_FOUND")), 404, "NOT_FOUND", "Inner."),
        ('x{"code": 8, "message": "Slow down."}', 8, None, "Slow down."),
        ("429 RESOURCE_EXHAUSTED. {'error': {'code': 429}}", 429, "RESOURCE_EXHAUSTED", None),
        ("DEADLINE_EXCEEDED: too slow", 504, "DEADLINE_EXCEEDED", None),
        ("Too Many Requests", 429, None, None),
        ("{", None, None, None),
        ("{}", None, None, None),
        ("went wrong", None, None, None),
    ],
)
def test_a_status_is_taken_apart(text, code, name, message):
    decoded = decode_status(text)
    assert (decoded.code, decoded.status_name, decoded.message) == (code, name, message or text)


@pytest.mark.parametrize("name", ERROR_CODES)
def test_an_error_is_judged_alike_by_name_and_by_number(name):
    grpc, http = ERROR_CODES[name]
    by_name = decode_error({"status": name, "message": "m"}).retryable
    assert decode_error({"code": grpc, "message": "m"}).retryable == by_name
    if http not in {400, 409}:  # These numbers stand for several names.
        assert decode_error({"code": http, "message": "m"}).retryable == by_name


@pytest.mark.parametrize(
    "text, retryable",
    [
        ("RESOURCE_EXHAUSTED: later", True),
        ("INVALID_ARGUMENT: no", False),
        (
            "Bad Request: " + error(400, "Service agents are being provisioned (see there).", "FAILED_PRECONDITION"),
            True,
        ),
        ("Bad Request: " + error(400, "The bucket is locked.", "FAILED_PRECONDITION"), False),
        ("nobody knows", True),
    ],
)
def test_what_may_be_tried_again(text, retryable):
    assert decode_status(text).retryable is retryable


@given(st.text() | st.text(alphabet='{}[]":,error1codmsag\\', max_size=60))
def test_no_text_raises_and_none_is_lost(text):
    assert decode_status(text).message or not text.strip()


bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["code", "message", "status", "error"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["code", "message", "status", "error", "details"]), bodies))
def test_no_error_object_raises(body):
    decode_error(body)
