"""The calls of a resumable upload, as they travel."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from geminate import pauses, resumable
from geminate.errors import TransientError


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(resumable, "_FIRST_CEILING_S", 0.001)


def answers_of(*codes, kept_bytes=0):
    """What puts the answers one after the other, and the calls as they would travel."""
    calls, left = [], list(codes)

    def put(rest, headers, _):
        calls.append(requests.Request("PUT", "http://127.0.0.1", data=rest, headers=headers).prepare())
        answer = requests.Response()
        answer.status_code, answer._content = left.pop(0), b'{"made": true}'
        if answer.status_code == 308 and kept_bytes:
            answer.headers["Range"] = f"bytes=0-{kept_bytes - 1}"
        return answer

    def refusal(answer):
        return AssertionError(answer.status_code)

    return resumable.Upload(resumable.Session("Storage", "gs://bucket/a", put, refusal, bool)), calls


def test_the_call_that_ends_an_upload_whose_bytes_are_all_kept_has_a_length():
    upload, calls = answers_of(503, 308, 200, kept_bytes=10)
    assert upload.send([b"x" * 10]) == {"made": True}
    assert [call.headers.get("Content-Length") for call in calls] == ["10", "0", "0"]
    assert [call.headers["Content-Range"] for call in calls] == ["bytes 0-9/10", "bytes */10", "bytes */10"]


@pytest.mark.parametrize("code", [404, 410])
def test_a_session_that_is_over_can_be_begun_anew(code):
    upload, _ = answers_of(503, code)
    with pytest.raises(resumable.SessionOverError, match="Storage knows the upload no more; try again"):
        upload.send([b"x"])
    assert upload.doubtful


def test_an_upload_that_was_given_up_waits_no_longer(monkeypatch):
    monkeypatch.setattr(resumable, "_FIRST_CEILING_S", 60.0)
    monkeypatch.setattr(resumable, "_LAST_CEILING_S", 60.0)
    monkeypatch.setattr(resumable.random, "random", lambda: 0.3)
    given_up, (upload, calls) = threading.Event(), answers_of(*[503] * 8)
    with ThreadPoolExecutor(1, initializer=pauses.end_when, initargs=(given_up,)) as threads:
        sent = threads.submit(upload.send, [b"x"])
        while not calls:
            time.sleep(0.01)
        given_up.set()
        with pytest.raises(TransientError, match="gs://bucket/a: the work was given up"):
            sent.result(timeout=10)
        with pytest.raises(TransientError, match="the work was given up"):
            threads.submit(upload.send, [b"x"]).result(timeout=10)
    assert len(calls) == 1
