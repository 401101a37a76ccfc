from collections.abc import Iterator

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

BUCKET = "bucket"


def open_client(url: str) -> storage.Client:
    return storage.Client(project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})


@pytest.fixture(autouse=True)
def _quiet_client(monkeypatch):
    # Without it, Google's client asks for the bucket behind one's back, on threads of its own.
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")


@pytest.fixture
def google(client) -> Iterator[storage.Client]:
    """Google's own client of an emulator; its bucket is there."""
    opened = open_client(client.emulator.url)
    yield opened
    opened.close()


@pytest.fixture
def bucket(google) -> storage.Bucket:
    return google.bucket(BUCKET)


@pytest.fixture
def http(client):
    """Plain calls: a method, a path below the server, and whatever ``requests`` takes."""

    def call(method, path, **options):
        return client.session.request(method, f"{client.emulator.url}{path}", timeout=20, **options)

    return call
