"""The adapter against our emulator's storage, which holds to every precondition and breaks what a script says."""

import contextlib
import gc

import google_crc32c
import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from geminate import resumable
from geminate.adapters.gcs import GcsStore
from geminate.emulator import Emulator, EmulatorOptions
from geminate.errors import AccessError, DamageError, InputError, TargetError, TransientError
from geminate.ports import ObjectInfo

MIB = 1024 * 1024
DATA = bytes(range(256)) * 4096 * 2 + bytes(range(256)) * 2048 + b"the end"
"""Two and a half MiB: with blocks and ranges of one MiB, three calls up and three down."""
URI = "gs://bucket/run/requests-00000.jsonl"
FAULTS = [
    "return-503",
    "return-429; retry-after=0",
    "return-reset-connection",
    "return-broken-stream",
    "stall-for-0.1s",
]


@pytest.fixture
def open_store(tmp_path, monkeypatch):
    """A store on an emulator with this fault script, and the emulator's bucket."""
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    monkeypatch.setattr(resumable, "_FIRST_CEILING_S", 0.01)
    monkeypatch.setattr("geminate.resumable._BLOCK_BYTES", MIB)
    monkeypatch.setattr("geminate.adapters.gcs.download.RANGE_BYTES", MIB)
    with contextlib.ExitStack() as stack:

        def opened(**storage_faults):
            options = EmulatorOptions(faults={"storage": storage_faults})
            emulator = stack.enter_context(Emulator(tmp_path / "emulator", options))
            (emulator.buckets / "bucket").mkdir(exist_ok=True)
            endpoint = {"api_endpoint": emulator.url}
            client = storage.Client(project="p", credentials=AnonymousCredentials(), client_options=endpoint)
            stack.callback(client.close)
            return GcsStore(client), emulator.buckets / "bucket"

        yield opened
    gc.collect()


def pieces():
    return (DATA[place : place + 100_000] for place in range(0, len(DATA), 100_000))


UPLOAD_FAULTS = [*FAULTS, "return-503; commit", "reset-after", "return-503-after-256K", "stall-for-0.1s-after-256K"]
UPLOAD_FAULTS += ["return-503-after-300K; times=3", "return-broken-stream-final-chunk-after-3B"]


@pytest.mark.parametrize("fault", UPLOAD_FAULTS)
@pytest.mark.parametrize("call", range(3))
def test_a_fault_at_any_call_of_an_upload_changes_nothing(open_store, fault, call):
    quiet = ["stall-for-0s"] * call
    store, bucket = open_store(upload=[*quiet, fault])
    info = store.write(URI, pieces())
    assert (bucket / "run/requests-00000.jsonl").read_bytes() == DATA
    assert info == store.stat(URI)
    assert (info.size, info.crc32c) == (len(DATA), google_crc32c.value(DATA))
    assert sum(1 for path in bucket.rglob("*") if path.is_file()) == 1


@pytest.mark.parametrize("verb", ["insert", "query"])
@pytest.mark.parametrize("fault", [*FAULTS, "return-503; commit", "reset-after"])
def test_a_fault_at_the_start_or_at_the_question_how_far_it_is_changes_nothing(open_store, fault, verb):
    store, bucket = open_store(**{verb: [fault], **({"upload": ["return-503-after-256K"]} if verb == "query" else {})})
    store.write(URI, pieces())
    assert (bucket / "run/requests-00000.jsonl").read_bytes() == DATA


def test_a_lost_answer_to_the_last_call_is_no_refusal_even_where_the_session_is_over(open_store, monkeypatch):
    store, bucket = open_store(upload=["stall-for-0s", "stall-for-0s", "reset-after"])
    put = requests.Session.put

    def forgetful(self, url, **options):
        answer = put(self, url, **options)
        if answer.status_code == 200:
            # Some servers know a finished session no more, and repeat its precondition.
            answer.status_code = 412
        return answer

    monkeypatch.setattr(requests.Session, "put", forgetful)
    info = store.write(URI, pieces())
    assert info.generation == (bucket / "run/requests-00000.jsonl").stat().st_mtime_ns
    with pytest.raises(TargetError, match="exists already"):
        store.write(URI, [b"other"])


def test_a_refusal_of_other_bytes_stays_one_after_a_lost_answer(open_store):
    store, bucket = open_store(upload=["return-503"])

    def late():
        yield b"mine"
        (bucket / "run").mkdir()
        (bucket / "run/requests-00000.jsonl").write_bytes(b"theirs")

    with pytest.raises(TargetError, match="exists already"):
        store.write(URI, late())
    assert (bucket / "run/requests-00000.jsonl").read_bytes() == b"theirs"


@pytest.mark.parametrize("fault", [*FAULTS, "return-broken-stream-after-300K; times=3", "stall-for-0.1s-after-100K"])
@pytest.mark.parametrize("call", range(3))
def test_a_fault_at_any_call_of_a_download_changes_nothing(open_store, fault, call):
    store, _ = open_store(read=[*["stall-for-0s"] * call, fault])
    info = store.write(URI, pieces())
    assert b"".join(store.read(info)) == DATA
    assert b"".join(store.read(info, 1_100_000)) == DATA[1_100_000:]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_other_call_changes_nothing(open_store, fault):
    store, _ = open_store(**{verb: [fault] for verb in ("get", "list", "delete")})
    info = store.write(URI, [b"x"])
    assert store.stat(URI) == info
    assert list(store.list("gs://bucket/run/")) == [info]
    store.delete(info)
    assert store.stat(URI) is None


def test_a_damaged_download_is_read_again(open_store):
    store, _ = open_store(read=["stall-for-0s", "return-corrupted-data"])
    assert b"".join(store.read(store.write(URI, pieces()))) == DATA


def test_a_large_download_that_comes_damaged_is_told_at_its_end(open_store, monkeypatch):
    monkeypatch.setattr("geminate.adapters.gcs.download._HELD_BYTES", 0)
    store, _ = open_store(read=["return-corrupted-data"])
    info = store.write(URI, pieces())
    with pytest.raises(DamageError, match="damaged"):
        list(store.read(info))
    assert b"".join(store.read(info)) == DATA


def test_who_looks_at_the_beginning_alone_pays_for_no_more(open_store, monkeypatch):
    monkeypatch.setattr("geminate.adapters.gcs.download._HELD_BYTES", 0)
    store, _ = open_store(read=["stall-for-0s", "return-403; times=9"])
    reading = store.read(store.write(URI, pieces()))
    assert next(reading) == DATA[:MIB]
    reading.close()


def test_a_store_that_stays_away_is_given_up(open_store):
    store, bucket = open_store(
        upload=["return-503; times=99"], query=["return-503; times=99"], read=["return-503; times=99"]
    )
    with pytest.raises(TransientError, match="failed 8 times"):
        store.write(URI, pieces())
    assert [path for path in bucket.rglob("*") if path.is_file()] == []
    (bucket / "a").write_bytes(b"x")
    with pytest.raises(TransientError, match="failed 8 times"):
        list(store.read(store.stat("gs://bucket/a")))


@pytest.mark.parametrize("code, error", [(403, AccessError), (401, AccessError), (404, InputError), (400, InputError)])
@pytest.mark.parametrize("verb", ["insert", "upload", "read", "list", "delete"])
def test_a_refusal_is_one_sentence_about_the_object(open_store, verb, code, error):
    store, bucket = open_store(**{verb: [f"return-{code}"]})
    (bucket / "a").write_bytes(b"x")
    work = {
        "insert": lambda: store.write(URI, [b"x"]),
        "upload": lambda: store.write(URI, [b"x"]),
        "read": lambda: list(store.read(store.stat("gs://bucket/a"))),
        "list": lambda: list(store.list("gs://bucket/")),
        "delete": lambda: store.delete(store.stat("gs://bucket/a")),
    }[verb]
    if (verb, code) == ("delete", 404):
        work()
        return
    # Of an upload that began, 404 does not mean that its bucket is not there.
    expected = TransientError if (verb, code) == ("upload", 404) else error
    with pytest.raises(expected, match=r"^gs://bucket/"):
        work()
    assert not (bucket / "run").exists()


def test_a_version_that_is_gone_is_not_read_from_another(open_store):
    store, bucket = open_store()
    info = store.write(URI, pieces())
    reading = store.read(info, 1)
    next(reading)
    (bucket / "run/requests-00000.jsonl").write_bytes(b"other")
    with pytest.raises(InputError):
        list(store.read(info))
    reading.close()


def test_a_listing_goes_on_over_all_pages(open_store):
    store, bucket = open_store(list=["stall-for-0s", "return-503"])
    for number in range(1003):
        (bucket / f"{number:04d}").touch()
    assert [info.uri for info in store.list("gs://bucket/")] == [f"gs://bucket/{number:04d}" for number in range(1003)]


def test_a_folders_placeholder_is_no_object(open_store):
    store, _ = open_store()
    with pytest.raises(InputError, match="an object is wanted"):
        store.write("gs://bucket/", [b"x"])
    assert isinstance(store.write(URI, []), ObjectInfo)


def test_an_object_has_the_type_it_was_given(open_store):
    store, _ = open_store()
    store.write(URI, [b"x"], "image/png")
    assert store._client.bucket("bucket").get_blob("run/requests-00000.jsonl").content_type == "image/png"
