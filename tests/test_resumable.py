"""The calls of a resumable upload, as they travel."""

import pytest
import requests

from geminate import resumable


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
