"""From where a run lives to the adapters that reach it."""

import json

import pytest

from geminate.adapters.gcs import GcsStore
from geminate.connect import Where, open_store
from geminate.errors import AccessError


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)


def test_without_credentials_there_is_a_sentence():
    with pytest.raises(AccessError, match="no Google credentials"):
        open_store(Where())


def test_another_server_needs_no_credentials(emulated_gcs_url, monkeypatch):
    store = open_store(Where(endpoint=emulated_gcs_url))
    info = store.write("gs://bucket/a", [b"x"])
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulated_gcs_url)
    assert b"".join(open_store(Where()).read(info)) == b"x"


def test_a_service_account_is_acted_as(monkeypatch, tmp_path):
    own = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "t"}
    (tmp_path / "own.json").write_text(json.dumps(own))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "own.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    store = open_store(Where(impersonate="runner@p.iam.gserviceaccount.com"))
    assert isinstance(store, GcsStore)
    assert store._client._credentials.service_account_email == "runner@p.iam.gserviceaccount.com"
