"""Google's own client, unchanged, against the emulator."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import prompt

SCRIPT = Path(__file__).with_name("genai_client.py")


def ask(python, client):
    client.write([prompt("a"), prompt("b")])
    ended = subprocess.run([python, "-I", SCRIPT, client.emulator.url], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def waiting(emulate):
    return emulate(faults={"jobs": [{"display_name": "waits", "pending_s": 3600}]})


@pytest.mark.parametrize("environment", ["its own", "ours"])
def test_it_creates_follows_lists_cancels_and_deletes_jobs(waiting, environment, request):
    python = sys.executable if environment == "ours" else request.getfixturevalue("genai_python")
    said = ask(python, waiting)
    assert said.pop("geminate") is (environment == "ours")
    assert said.pop("version")
    assert said == {
        "states": ["JOB_STATE_PENDING", "JOB_STATE_SUCCEEDED"],
        "display_name": "by google",
        "successful": 2,
        "dest": "gs://bucket/out",
        "listed": [True],
        "cancelled_too_late": "FAILED_PRECONDITION",
        "deleted": True,
        "gone": "NOT_FOUND",
        "cancelled": "JOB_STATE_CANCELLED",
    }
    (directory,) = (waiting.bucket / "out").iterdir()
    lines = (directory / "predictions.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["key"] for line in lines) == ["a", "b"]
