"""Faults in the words of Google's storage testbench."""

import pytest
import requests

from geminate.emulator import FAULT_HEADER
from geminate.emulator.call_faults import CallFault, parse_call_fault
from geminate.errors import UsageError

KIB = 1024
DATA = bytes(range(256)) * 4 * KIB
OBJECT = "/storage/v1/b/bucket/o/a"
MEDIA = f"{OBJECT}?alt=media"
SIMPLE = "/upload/storage/v1/b/bucket/o?uploadType=media&name=b"


@pytest.fixture(autouse=True)
def _stored(client):
    (client.bucket / "a").write_bytes(DATA)


@pytest.mark.parametrize(
    "text, fault",
    [
        ("return-503-after-256K", CallFault(code=503, after_bytes=256 * KIB)),
        ("return-broken-stream", CallFault(broken=True)),
        ("return-broken-stream-after-1M", CallFault(broken=True, after_bytes=KIB * KIB)),
        (
            "return-broken-stream-final-chunk-after-10B",
            CallFault(broken=True, final_only=True, after_bytes=10),
        ),
        ("stall-for-2s-after-64K; times=2", CallFault(stall_s=2, after_bytes=64 * KIB, times=2)),
        ("return-corrupted-data", CallFault(corrupt=True)),
    ],
)
def test_words_are_read(text, fault):
    assert parse_call_fault(text) == fault


@pytest.mark.parametrize("text", ["return-503-after-256", "return-broken", "return-corrupted-data-after-1K"])
def test_other_words_are_refused(text):
    with pytest.raises(UsageError):
        parse_call_fault(text)


@pytest.mark.parametrize(
    "method, path, data",
    [
        ("GET", OBJECT, None),
        ("GET", MEDIA, None),
        ("GET", "/storage/v1/b/bucket/o", None),
        ("GET", "/storage/v1/b/bucket", None),
        ("PATCH", OBJECT, b"{}"),
        ("DELETE", OBJECT, None),
        ("POST", SIMPLE, b"x"),
        ("POST", f"{OBJECT}/compose", b'{"sourceObjects": [{"name": "a"}]}'),
    ],
)
def test_a_status_or_a_reset_on_any_verb(http, client, method, path, data):
    before = sorted((path.name, path.stat().st_mtime_ns) for path in client.bucket.iterdir())
    assert http(method, path, data=data, headers={FAULT_HEADER: "return-503"}).status_code == 503
    with pytest.raises(requests.ConnectionError):
        http(method, path, data=data, headers={FAULT_HEADER: "return-reset-connection"})
    assert sorted((path.name, path.stat().st_mtime_ns) for path in client.bucket.iterdir()) == before
    assert http(method, path, data=data, headers={FAULT_HEADER: "return-503; commit"}).status_code == 503
    if method == "DELETE":
        assert list(client.bucket.iterdir()) == []


def test_an_upload_is_taken_in_part_and_refused(http, client):
    url = http("POST", "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=b").headers["Location"]
    headers = {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}
    struck = {**headers, FAULT_HEADER: "return-503-after-300K"}
    assert client.session.put(url, data=DATA, headers=struck, timeout=20).status_code == 503
    answer = client.session.put(url, headers={"Content-Range": "bytes */*"}, timeout=20)
    assert (answer.status_code, answer.headers["Range"]) == (308, f"bytes=0-{256 * KIB - 1}")
    assert not (client.bucket / "b").exists()
    answer = client.session.put(url, data=DATA, headers=headers, timeout=20)
    assert (answer.status_code, (client.bucket / "b").read_bytes()) == (200, DATA)


def test_the_answer_to_an_uploads_end_is_lost_or_short(http, client):
    for name, word in [("b", "reset-after"), ("c", "return-503; commit")]:
        url = http("POST", f"/upload/storage/v1/b/bucket/o?uploadType=resumable&name={name}").headers["Location"]
        try:
            answer = client.session.put(url, data=DATA, headers={FAULT_HEADER: word}, timeout=20)
        except requests.ConnectionError:
            answer = None
        assert answer is None or answer.status_code == 503
        assert (client.bucket / name).read_bytes() == DATA
        assert client.session.put(url, headers={"Content-Range": "bytes */*"}, timeout=20).json()["name"] == name


def test_a_short_answer_waits_for_the_last_call(emulate):
    client = emulate(faults={"storage": {"upload": ["return-broken-stream-final-chunk-after-5B"]}})
    base = f"{client.emulator.url}/upload/storage/v1/b/bucket/o?uploadType=resumable&name=b"
    url = client.session.post(base, timeout=20).headers["Location"]
    first = client.session.put(
        url, data=DATA[: 512 * KIB], headers={"Content-Range": f"bytes 0-{512 * KIB - 1}/*"}, timeout=20
    )
    assert first.status_code == 308
    headers = {"Content-Range": f"bytes {512 * KIB}-{len(DATA) - 1}/{len(DATA)}"}
    last = client.session.put(url, data=DATA[512 * KIB :], headers=headers, timeout=20)
    assert (last.status_code, len(last.content)) == (200, 5)
    assert (client.bucket / "b").read_bytes() == DATA


@pytest.mark.parametrize("word, most", [("return-broken-stream", 256 * KIB), ("return-broken-stream-after-64K", 65536)])
def test_a_read_breaks_off(http, word, most):
    answer = http("GET", MEDIA, headers={FAULT_HEADER: word}, stream=True)
    assert answer.headers["Content-Length"] == str(len(DATA))
    got = bytearray()

    def read():
        for piece in answer.iter_content(KIB):
            got.extend(piece)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        read()
    assert 0 < len(got) <= most
    assert got == DATA[: len(got)]


def test_an_answer_about_an_object_breaks_off_after_its_work(http, client):
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        http("POST", SIMPLE, data=b"x", headers={FAULT_HEADER: "return-broken-stream"})
    assert (client.bucket / "b").read_bytes() == b"x"


def test_bytes_come_damaged_beside_the_right_checksum(http):
    damaged, right = http("GET", MEDIA, headers={FAULT_HEADER: "return-corrupted-data"}), http("GET", MEDIA)
    assert damaged.content != DATA == right.content
    assert len(damaged.content) == len(DATA)
    assert damaged.headers["x-goog-hash"] == right.headers["x-goog-hash"]


@pytest.mark.parametrize("method, path, data", [("GET", MEDIA, None), ("POST", SIMPLE, DATA), ("GET", OBJECT, None)])
def test_one_stall_in_the_middle_and_then_all_of_it(http, monkeypatch, method, path, data):
    waited = []
    monkeypatch.setattr("geminate.emulator.server._Handler.wait", lambda _, seconds: waited.append(seconds))
    answer = http(method, path, data=data, headers={FAULT_HEADER: "stall-for-0.3s-after-100B"})
    assert sum(waited) == 0.3
    assert answer.ok
    if path == MEDIA:
        assert answer.content == DATA


def test_a_script_is_used_up_verb_by_verb(emulate):
    client = emulate(faults={"storage": {"read": ["return-503; times=2"], "any": ["return-429; retry-after=3"]}})
    (client.bucket / "a").write_bytes(b"x")
    url = client.emulator.url
    assert [client.session.get(url + MEDIA, timeout=20).status_code for _ in range(3)] == [503, 503, 429]
    assert client.session.get(url + OBJECT, timeout=20).status_code == 200


def test_a_header_that_says_nothing_is_refused(http):
    assert http("GET", OBJECT, headers={FAULT_HEADER: "explode"}).status_code == 400


def test_jobs_have_no_streams_to_break(client):
    for word in ("return-broken-stream-final-chunk-after-5B", "return-503-after-1K"):
        answer = client.call("GET", "projects/p/locations/l/batchPredictionJobs", headers={FAULT_HEADER: word})
        assert answer.status_code == 400
