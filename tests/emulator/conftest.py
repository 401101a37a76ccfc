from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from geminate.emulator import Emulator, EmulatorOptions

PARENT = "projects/rehearsal/locations/global"
BUCKET = "bucket"


def prompt(key: str | None, text: str = "How many?", **request: Any) -> dict[str, Any]:
    line: dict[str, Any] = {} if key is None else {"key": key}
    return line | {"request": {"contents": [{"role": "user", "parts": [{"text": text}]}], **request}}


def job_body(input_name: str = "in.jsonl", prefix: str = "out", **changes: Any) -> dict[str, Any]:
    return {
        "displayName": "rehearsal",
        "model": "publishers/google/models/gemini-3.5-flash",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [f"gs://{BUCKET}/{input_name}"]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"gs://{BUCKET}/{prefix}"},
        },
        **changes,
    }


class Client:
    """What a user's code does: plain HTTP, and files in the folders that stand for buckets."""

    def __init__(self, emulator: Emulator, session: requests.Session) -> None:
        self.emulator = emulator
        self.session = session
        self.bucket = emulator.buckets / BUCKET
        self.bucket.mkdir(exist_ok=True)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.emulator.url}/v1/{path}", timeout=20, **options)

    def write(self, lines: list[Any], name: str = "in.jsonl") -> None:
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        (self.bucket / name).write_bytes(b"".join(text + b"\n" for text in texts))

    def create(self, lines: list[Any] | None = None, **changes: Any) -> str:
        if lines is not None:
            self.write(lines)
        answer = self.call("POST", f"{PARENT}/batchPredictionJobs", json=job_body(**changes))
        assert answer.status_code == 200, answer.text
        return answer.json()["name"]

    def job(self, name: str) -> dict[str, Any]:
        answer = self.call("GET", name)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            job = self.job(name)
            if job["state"].removeprefix("JOB_STATE_") not in {"PENDING", "RUNNING", "CANCELLING"}:
                return job
            time.sleep(0.005)
        raise AssertionError(f"{name} did not end: {job}")

    def run(self, lines: list[Any], **changes: Any) -> dict[str, Any]:
        return self.wait(self.create(lines, **changes))

    def files(self, job: dict[str, Any]) -> dict[str, bytes]:
        directory = job["outputInfo"]["gcsOutputDirectory"].removeprefix(f"gs://{BUCKET}/")
        return {path.name: path.read_bytes() for path in sorted((self.bucket / directory).glob("*"))}

    def predictions(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        files = self.files(job)
        return [json.loads(line) for name in files for line in files[name].split(b"\n") if line]

    def answer(self, line: Any) -> dict[str, Any]:
        return self.predictions(self.run([line]))[0]


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def checked(self: socket.socket, address: Any) -> None:
        assert self.family == socket.AF_UNIX or address[0] == "127.0.0.1", f"a test dials {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def emulate(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Starts an emulator on the test's folder with these options; the next call stops it and starts another."""
    current = ExitStack()

    def start(**options: Any) -> Client:
        current.close()
        session = current.enter_context(requests.Session())
        session.headers["Authorization"] = "Bearer any"
        settings = {"pending_s": 0, **options}
        return Client(current.enter_context(Emulator(tmp_path / "emulator", EmulatorOptions(**settings))), session)

    with current:
        yield start


@pytest.fixture
def client(emulate: Callable[..., Client]) -> Client:
    return emulate()
