"""Every call about objects and tables, whatever becomes of its answer: the same end, and nothing written twice."""

import os
import secrets
from contextlib import ExitStack, closing, suppress
from functools import partial

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage

from geminate import resumable
from geminate.adapters import gcs
from geminate.adapters.bigquery import BigQueryTables, loads, tables
from geminate.adapters.bigquery import failures as bigquery_failures
from geminate.emulator import Emulator, EmulatorOptions
from geminate.errors import GeminateError, TransientError
from geminate.ports import TableColumn

PASSING = {
    "429": "return-429; retry-after=0",
    "500": "return-500",
    "503": "return-503",
    "503 after": "return-503; commit",
    "reset": "reset-before",
    "reset after": "reset-after",
    "stall": "stall-for-1.5s",
    "stall after": "stall-for-1.5s; commit",
    "broken": "return-broken-stream",
    "corrupt": "return-corrupted-data",
}
LASTING = ["503", "reset", "stall", "corrupt"]
LEFT_ALONE = {("get", 404), ("delete", 404), ("delete", 412)}
FINAL = [400, 401, 403, 404, 409, 412]
QUIET = "stall-for-0s"
STALLED_S = 1.0
BLOCK_BYTES = 256 * 1024
DATA = bytes(range(256)) * 2500
LINES = b"".join(b'{"key":"k%d","request":{"a":%d}}\n' % (number, number) for number in range(9))
URI, TABLE = "gs://bucket/run/requests-00000.jsonl", "bq://emulated.words.requests"
COLUMNS = [TableColumn("key", "STRING"), TableColumn("request", "JSON")]


@pytest.fixture(autouse=True)
def _hasty(monkeypatch, request):
    timeout_s = STALLED_S if "stall" in str(request.node.callspec.params.get("word")) else 30
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    monkeypatch.setattr(resumable, "_FIRST_CEILING_S", 0.01)
    monkeypatch.setattr(resumable, "_BLOCK_BYTES", BLOCK_BYTES)
    monkeypatch.setattr(gcs.download, "RANGE_BYTES", BLOCK_BYTES)
    for module in (gcs.store, gcs.upload, gcs.download):
        monkeypatch.setattr(module, "TIMEOUT_S", (10, timeout_s))
    monkeypatch.setattr(tables, "TIMEOUT_S", timeout_s)
    hasty = bigquery_failures.RETRY.with_delay(initial=0.01, maximum=0.05)
    monkeypatch.setattr(bigquery_failures, "RETRY", hasty)
    monkeypatch.setattr(loads, "_CALL_TIMEOUT_S", (10, timeout_s))


def use_store(url):
    """Everything that is done with objects."""
    with closing(storage.Client("p", AnonymousCredentials(), client_options={"api_endpoint": url})) as client:
        store = gcs.GcsStore(client)
        info = store.write(URI, [DATA[:1000], DATA[1000:]])
        probe = store.write("gs://bucket/probe", [b"x"])
        assert store.stat(URI) == info
        assert list(store.list("gs://bucket/")) == [probe, info]
        assert b"".join(store.read(info)) == DATA
        store.delete(probe)
        return [each.uri for each in store.list("gs://bucket/")]


@pytest.fixture
def serve(tmp_path):
    """Starts an emulator with these faults, and tells how many of those for a call are left."""
    with ExitStack() as stack:

        def start(section, call, faults, **more):
            options = EmulatorOptions(faults={section: {call: faults, **more}}, new_dataset_location="us-central1")
            emulator = stack.enter_context(Emulator(tmp_path / secrets.token_hex(4), options))
            (emulator.buckets / "bucket").mkdir()
            return emulator.url, lambda: len(emulator._faults._calls[section, call])

        yield start


OBJECT_CALLS = ["insert", "upload", "query", "get", "read", "list", "delete"]


def serve_objects(serve, verb, faults):
    # Nobody asks how far an upload is that went well.
    more = {"upload": ["return-503-after-128K"]} if verb == "query" else {}
    return serve("storage", verb, faults, **more)


@pytest.mark.parametrize("word", PASSING)
@pytest.mark.parametrize("verb", OBJECT_CALLS)
def test_a_call_about_objects_outlives_a_passing_fault(serve, verb, word):
    url, left = serve_objects(serve, verb, [PASSING[word], PASSING[word]])
    assert use_store(url) == [URI]
    # Some answers have nothing that could be damaged.
    assert left() == (1 if verb in {"delete", "query"} and word in {"broken", "corrupt"} else 0)


@pytest.mark.parametrize("code", FINAL)
@pytest.mark.parametrize("verb", OBJECT_CALLS)
def test_a_refused_call_about_objects_is_not_made_again(serve, verb, code):
    url, left = serve_objects(serve, verb, [f"return-{code}"] * 50)
    # What is not there, or is another version, is no error where it is only looked for, or taken away.
    with suppress(AssertionError) if (verb, code) in LEFT_ALONE else pytest.raises(GeminateError):
        use_store(url)
    # An upload is given up with a call of its own.
    assert 50 - left() <= (2 if verb == "upload" else 1)


@pytest.mark.parametrize("word", LASTING)
@pytest.mark.parametrize("verb", OBJECT_CALLS)
def test_a_fault_at_a_call_about_objects_that_stays_ends(serve, monkeypatch, verb, word):
    for module in (gcs.store, gcs.upload):
        monkeypatch.setattr(module, "RETRY", gcs.failures.RETRY.with_timeout(1.0).with_delay(initial=0.01))
    url, left = serve_objects(serve, verb, [PASSING[word]] * 1_000)
    with suppress(TransientError):
        use_store(url)
    assert 0 < 1_000 - left() <= 100


def use_tables(url):
    """Everything that is done with tables."""
    reach = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": url}}
    with closing(BigQueryTables(bigquery.Client("emulated", **reach))) as store:
        assert store.locate("bq://emulated.words") == "us-central1"
        store.load(TABLE, COLUMNS, lambda: iter([LINES]), "run-00000-1")
        info = store.stat(TABLE)
        rows = [row for batch in store.read(info) for row in batch.to_pylist()]
        asked = list(store.read(store.query("SELECT key FROM `emulated.words.requests` LIMIT 20")))
        return info.rows, len(rows), sum(batch.num_rows for batch in asked)


CALLS_OF_TABLES = 12
# One call in four stands for all, another one for each fault, unless every one is asked for.
ALL = os.environ.get("GEMINATE_FAULTS") == "all"


def struck(serve, faults):
    """What comes of using tables with these faults at each of the calls in turn, and how often they struck."""
    for first in range(CALLS_OF_TABLES) if ALL else range(len(faults[0]) % 4, CALLS_OF_TABLES, 4):
        url, left = serve("tables", "any", [QUIET] * first + faults)
        yield first, partial(use_tables, url), lambda left=left: len(faults) - left()


@pytest.mark.parametrize("word", PASSING)
def test_each_call_about_tables_outlives_a_passing_fault(serve, word):
    for first, use, count in struck(serve, [PASSING[word]] * 2):
        assert use() == (9, 9, 9), first
        assert count() == 2, first


@pytest.mark.parametrize("code", FINAL)
def test_a_refused_call_about_tables_is_not_made_again(serve, code):
    for first, use, count in struck(serve, [f"return-{code}"] * 50):
        with suppress(GeminateError, AttributeError):
            use()
        # A job that conflicts is looked for by its id, and one that is not found is made.
        assert count() <= (2 if code in {404, 409} else 1), first


@pytest.mark.parametrize("word", LASTING)
def test_a_fault_at_a_call_about_tables_that_stays_ends(serve, monkeypatch, word):
    monkeypatch.setattr(bigquery_failures, "RETRY", bigquery_failures.RETRY.with_timeout(1.0))
    for first, use, count in struck(serve, [PASSING[word]] * 1_000):
        with pytest.raises(TransientError):
            use()
        assert 0 < count() <= 100, first
