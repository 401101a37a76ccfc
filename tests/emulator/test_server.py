import json
import socket
import time

import pytest
import requests

from geminate.emulator import FAULT_HEADER
from geminate.emulator.limits import LIMITS

from .conftest import PARENT, job_body, prompt

JOBS = f"{PARENT}/batchPredictionJobs"


def test_it_says_what_it_is(client):
    answer = client.session.get(client.emulator.url + "/", headers={"Authorization": ""}, timeout=5)
    assert answer.headers["Server"] == "geminate-emulator"
    assert answer.json()["emulator"] == "geminate"
    assert "nothing is billed" in answer.json()["about"]


def test_a_call_needs_a_token(client):
    answer = client.call("GET", JOBS, headers={"Authorization": None})
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_both_versions_are_served(client, version):
    client.write([prompt("a")])
    url = f"{client.emulator.url}/{version}/{JOBS}"
    name = client.session.post(url, json=job_body(), timeout=5).json()["name"]
    assert client.session.get(f"{client.emulator.url}/{version}/{name}", timeout=5).json()["name"] == name


@pytest.mark.parametrize(
    "method, path", [("GET", "projects"), ("POST", f"{JOBS}/1:stop"), ("DELETE", JOBS), ("GET", f"{JOBS}/1")]
)
def test_what_is_not_there_is_404_in_googles_shape(client, method, path):
    answer = client.call(method, path)
    assert answer.status_code == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_connection_is_kept(client):
    with socket.create_connection(("127.0.0.1", int(client.emulator.url.rpartition(":")[2]))) as raw:
        raw.settimeout(5)
        for _ in range(2):
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "head, code",
    [
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Content-Length: 99999999999\r\n", b"413"),
        (b"Content-Length: x\r\n", b"413"),
    ],
)
def test_a_body_of_unknown_or_absurd_length_is_refused(client, head, code):
    with socket.create_connection(("127.0.0.1", int(client.emulator.url.rpartition(":")[2]))) as raw:
        raw.settimeout(5)
        raw.sendall(b"POST /v1/" + JOBS.encode() + b" HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        assert raw.recv(65536).split()[1] == code


def test_an_answer_takes_milliseconds(client):
    name = client.create([prompt("a")])
    client.wait(name)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        client.job(name)
        times.append(time.perf_counter() - started)
    # Unbuffered header lines would make each call wait some 40 ms for a delayed acknowledgement.
    assert min(times) < 0.02


def step(client, **body):
    return requests.post(f"{client.emulator.url}/step", json=body, timeout=5)


def test_the_time_moves_on_over_http(emulate):
    client = emulate()
    client.write([prompt(key) for key in "abcdefgh"])
    waits, crawls = (
        client.call("POST", JOBS, json=job_body(), headers={FAULT_HEADER: json.dumps(entry)}).json()["name"]
        for entry in ({"pending_s": LIMITS.queue_limit_s + 1}, {"row_latency_s": LIMITS.run_limit_s / 4})
    )
    while "outputInfo" not in client.job(crawls):
        time.sleep(0.005)
    step(client, seconds=LIMITS.run_limit_s)
    job = client.wait(crawls)
    assert (job["state"], len(client.predictions(job))) == ("JOB_STATE_CANCELLED", 4)
    assert client.job(waits)["state"] == "JOB_STATE_PENDING"
    assert step(client, seconds=0).json() == {"unfinished": 1}
    step(client, seconds=LIMITS.queue_limit_s)
    assert client.wait(waits)["state"] == "JOB_STATE_EXPIRED"


def test_a_manual_emulator_moves_over_http_only(emulate):
    client = emulate(manual=True)
    name = client.create([prompt("a")])
    while step(client).json()["unfinished"]:
        pass
    assert client.job(name)["state"] == "JOB_STATE_SUCCEEDED"


@pytest.mark.parametrize("body", [{"seconds": -1}, {"seconds": "x"}, {"minutes": 1}])
def test_a_step_of_another_kind_is_refused(client, body):
    answer = step(client, **body)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_wrong_fault_header_is_refused(client):
    answer = client.call("GET", JOBS, headers={FAULT_HEADER: "explode"})
    assert answer.status_code == 400
    assert "explode" in answer.json()["error"]["message"]
    client.write([prompt("a")])
    answer = client.call("POST", JOBS, json=job_body(), headers={FAULT_HEADER: '{"colour": 1}'})
    assert answer.status_code == 400
    assert "colour" in answer.json()["error"]["message"]
    assert client.call("GET", JOBS).json() == {}
