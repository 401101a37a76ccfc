"""A bucket and a dataset with random names in a project of one's own, which go again, and what was found out there.

``make live PROJECT=…`` runs this suite. GEMINATE_LIVE_LOCATION and GEMINATE_LIVE_MODEL choose otherwise, and with
GEMINATE_LIVE_ENDPOINT it is rehearsed on a running ``geminate emulate``, which costs nothing and proves nothing.
"""

import os
import secrets
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage

import geminate as gm

LIVE = os.environ.get("GEMINATE_LIVE") == "1"
PROJECT = os.environ.get("GEMINATE_LIVE_PROJECT")
LOCATION = os.environ.get("GEMINATE_LIVE_LOCATION", "us-central1")
ENDPOINT = os.environ.get("GEMINATE_LIVE_ENDPOINT")
MODEL = os.environ.get("GEMINATE_LIVE_MODEL", "gemini-2.5-flash-lite")
ASSUMPTIONS = yaml.safe_load(Path(__file__).with_name("assumptions.yaml").read_text())
_findings = []


def pytest_collection_modifyitems(items):
    for item in items:
        if "live" in item.path.parts:
            item.add_marker(pytest.mark.live)
            if not LIVE:
                item.add_marker(pytest.mark.skip(reason="costs money; make live PROJECT=… runs it"))


def pytest_terminal_summary(terminalreporter):
    if not LIVE:
        return
    terminalreporter.write_sep("=", "assumptions about the service")
    for holds, assumption, detail in _findings:
        terminalreporter.write_line(f"{'held    ' if holds else 'NOT HELD'}  {assumption}  ({detail})", bold=not holds)
    seen = {assumption for _, assumption, _ in _findings}
    unseen = [each for each in ASSUMPTIONS["checked"] if each not in seen]
    reasons = dict.fromkeys(unseen, "its test did not come so far") | ASSUMPTIONS["not_checked"]
    for assumption, reason in reasons.items():
        terminalreporter.write_line(f"not looked at  {assumption}  ({reason})")


@dataclass(frozen=True)
class Place:
    """Where the suite may write, and the model that it asks."""

    model: str
    where: gm.Where
    bucket_uri: str
    dataset_uri: str
    tables: bigquery.Client


@pytest.fixture(scope="session")
def place():
    if not PROJECT:
        pytest.fail("GEMINATE_LIVE_PROJECT names no project")
    reach = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": ENDPOINT}} if ENDPOINT else {}
    name = f"geminate_live_{secrets.token_hex(6)}"
    with (
        closing(storage.Client(PROJECT, **reach)) as buckets,
        closing(bigquery.Client(PROJECT, location=LOCATION, **reach)) as tables,
    ):
        bucket = buckets.create_bucket(name, location=LOCATION)
        try:
            dataset = bigquery.Dataset(f"{PROJECT}.{name}")
            dataset.location = LOCATION
            tables.create_dataset(dataset)
            where = gm.Where(project=PROJECT, location=LOCATION, endpoint=ENDPOINT)
            yield Place(MODEL, where, f"gs://{name}", f"bq://{PROJECT}.{name}", tables)
        finally:
            tables.delete_dataset(f"{PROJECT}.{name}", delete_contents=True, not_found_ok=True)
            for blob in list(buckets.list_blobs(bucket)):
                blob.delete()
            if not ENDPOINT:  # The emulator keeps its buckets.
                bucket.delete()


@pytest.fixture
def observe():
    """Notes whether an assumption held; the summary prints it, and only what a run depends on fails a test."""

    def note(assumption, holds, detail=""):
        assert assumption in ASSUMPTIONS["checked"]
        _findings.append((bool(holds), assumption, detail))
        return holds

    return note
