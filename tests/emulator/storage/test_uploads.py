"""The resumable protocol, call by call."""

import socket
import time
from urllib.parse import urlsplit

import pytest

KIB = 1024
DATA = bytes(range(256)) * 4 * KIB  # 1 MiB
START = "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=a"


@pytest.fixture
def session(http):
    return http("POST", START).headers["Location"]


@pytest.fixture
def put(client, session):
    def call(data=b"", content_range=None, **headers):
        headers = headers | ({"Content-Range": content_range} if content_range else {})
        return client.session.put(session, data=data, headers=headers, timeout=20)

    return call


def query(put):
    answer = put(content_range="bytes */*")
    return answer.status_code, answer.headers.get("Range")


def test_bytes_arrive_in_order_and_are_an_object_only_at_the_end(put, client):
    assert query(put) == (308, None)
    assert put(DATA[: 512 * KIB], f"bytes 0-{512 * KIB - 1}/*").headers["Range"] == f"bytes=0-{512 * KIB - 1}"
    assert query(put) == (308, f"bytes=0-{512 * KIB - 1}")
    assert list(client.bucket.iterdir()) == []
    answer = put(DATA[512 * KIB :], f"bytes {512 * KIB}-{len(DATA) - 1}/{len(DATA)}")
    assert (answer.status_code, answer.json()["size"]) == (200, str(len(DATA)))
    assert (client.bucket / "a").read_bytes() == DATA


def test_a_finished_upload_says_so_again(put):
    first = put(DATA).json()
    assert put(content_range="bytes */*").json() == first
    assert put(DATA, f"bytes 0-{len(DATA) - 1}/{len(DATA)}").json() == first


def test_bytes_that_come_twice_are_taken_once(put, client):
    put(DATA[: 512 * KIB], f"bytes 0-{512 * KIB - 1}/*")
    answer = put(DATA[256 * KIB :], f"bytes {256 * KIB}-{len(DATA) - 1}/{len(DATA)}")
    assert answer.status_code == 200
    assert (client.bucket / "a").read_bytes() == DATA


def test_bytes_after_a_gap_are_refused(put):
    assert put(DATA[: 256 * KIB], f"bytes {256 * KIB}-{512 * KIB - 1}/*").status_code == 503


@pytest.mark.parametrize(
    "content_range", ["bytes 0-99/*", "bytes 0-5/10", "bytes 0-99/50", "bites 0-99/100", "bytes 5-1/100"]
)
def test_a_range_that_does_not_fit_is_refused(put, content_range):
    assert put(b"x" * 100, content_range).status_code == 400


def test_an_upload_may_end_with_a_call_without_bytes(put, client):
    put(DATA, f"bytes 0-{len(DATA) - 1}/*")
    assert put(content_range=f"bytes */{len(DATA)}").status_code == 200
    assert (client.bucket / "a").read_bytes() == DATA


def test_a_cancelled_upload_is_gone(put, client, session):
    put(DATA[: 256 * KIB], f"bytes 0-{256 * KIB - 1}/*")
    assert client.session.delete(session, timeout=20).status_code == 499
    assert query(put)[0] == 404


def test_of_a_call_that_breaks_off_whole_quanta_are_kept(put, session):
    target = urlsplit(session)
    with socket.create_connection((target.hostname, target.port)) as connection:
        head = f"PUT {target.path}?{target.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(DATA)}\r\n\r\n"
        connection.sendall(head.encode() + DATA[: 300 * KIB])
    deadline = time.monotonic() + 10
    while query(put) == (308, None) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert query(put) == (308, f"bytes=0-{256 * KIB - 1}")


def test_an_upload_outlives_the_emulator(put, emulate, session):
    put(DATA[: 256 * KIB], f"bytes 0-{256 * KIB - 1}/*")
    client = emulate()
    moved = session.replace(session.split("/upload")[0], client.emulator.url)
    headers = {"Content-Range": f"bytes {256 * KIB}-{len(DATA) - 1}/{len(DATA)}"}
    answer = client.session.put(moved, data=DATA[256 * KIB :], headers=headers, timeout=20)
    assert answer.status_code == 200
    assert (client.bucket / "a").read_bytes() == DATA


def test_a_body_of_unknown_length_is_refused(http):
    answer = http("POST", "/upload/storage/v1/b/bucket/o?uploadType=media&name=a", data=iter([b"x"]))
    assert answer.status_code == 411


@pytest.mark.parametrize(
    "content_type, body",
    [("text/plain", b"x"), ("multipart/related; boundary=b", b"--b\r\n\r\n{}\r\n--b--"), ("multipart/related", b"")],
)
def test_a_multipart_body_that_is_none_is_refused(http, content_type, body):
    path = "/upload/storage/v1/b/bucket/o?uploadType=multipart&name=a"
    assert http("POST", path, data=body, headers={"Content-Type": content_type}).status_code == 400
