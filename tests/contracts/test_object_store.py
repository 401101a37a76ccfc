"""One suite for every ``ObjectStore``, and for every Cloud Storage server that runs on one machine."""

import uuid
from pathlib import Path

import pytest

from geminate.adapters.folder import FolderStore
from geminate.errors import InputError, TargetError
from geminate.ports import ObjectInfo

SERVERS = {"emulator": "emulated_gcs_url", "fake-gcs-server": "gcs_url", "gcp-storage-emulator": "second_gcs_url"}

# Where a server does not do as the documentation of Cloud Storage says, and what it does instead.
# docs/reference/storage.md shows it; a rule that a server comes to hold fails here, until it is taken out.
DIFFERENCES = {
    ("create-only", "fake-gcs-server"): "takes the upload, and the object is overwritten",
    ("create-only", "gcp-storage-emulator"): "takes the upload, and the object is overwritten",
    ("delete-one-version", "fake-gcs-server"): "deletes whatever is there",
    ("delete-one-version", "gcp-storage-emulator"): "deletes whatever is there",
    ("read-one-version", "gcp-storage-emulator"): "sends whatever is there",
}


@pytest.fixture(params=["folder", *SERVERS])
def server(request):
    return request.param


@pytest.fixture
def store(request, server, tmp_path):
    rule = request.node.get_closest_marker("rule")
    if rule and (rule.args[0], server) in DIFFERENCES:
        reason = DIFFERENCES[rule.args[0], server]
        request.applymarker(
            pytest.mark.xfail(reason=f"{server} {reason}", strict=True, raises=(AssertionError, pytest.fail.Exception))
        )
    if server == "folder":
        yield FolderStore(tmp_path)
        return
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    from geminate.adapters.gcs import GcsStore

    url = request.getfixturevalue(SERVERS[server])
    client = storage.Client(project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
    yield GcsStore(client)
    client.close()


@pytest.fixture
def prefix():
    return f"gs://bucket/{uuid.uuid4().hex}"


def test_what_was_written_is_read_back(store, prefix):
    pieces = [b"one\n", b"", b"two\n"]
    info = store.write(f"{prefix}/a.jsonl", iter(pieces))
    assert info.uri == f"{prefix}/a.jsonl"
    assert info.size == 8
    assert b"".join(store.read(info)) == b"one\ntwo\n"
    assert b"".join(store.read(info, 4)) == b"two\n"
    assert store.stat(info.uri) == info


def test_an_empty_object_is_an_object(store, prefix):
    info = store.write(f"{prefix}/empty", [])
    assert (info.size, list(store.read(info)), store.stat(info.uri)) == (0, [], info)


@pytest.mark.parametrize("size", [8 * 1024 * 1024, 20_480_001, 34 * 1024 * 1024])
def test_an_object_larger_than_a_piece_survives(store, prefix, size):
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    info = store.write(f"{prefix}/large", [data[:7_000_001], data[7_000_001:]])
    assert info.size == size
    assert b"".join(store.read(info)) == data
    assert b"".join(store.read(info, 8_388_607)) == data[8_388_607:]


@pytest.mark.rule("create-only")
def test_an_existing_object_is_never_overwritten(store, prefix):
    info = store.write(f"{prefix}/a", [b"first"])
    with pytest.raises(TargetError, match="exists already"):
        store.write(f"{prefix}/a", [b"second"])
    assert b"".join(store.read(info)) == b"first"


@pytest.mark.rule("create-only")
def test_of_two_writers_at_once_one_is_told(store, prefix):
    def late():
        yield b"second"
        store.write(f"{prefix}/a", [b"first"])

    with pytest.raises(TargetError, match="exists already"):
        store.write(f"{prefix}/a", late())
    assert b"".join(store.read(store.stat(f"{prefix}/a"))) == b"first"


def test_a_failed_write_leaves_nothing(store, prefix):
    def broken():
        yield b"half" * 5_000_000
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write(f"{prefix}/a", broken())
    assert list(store.list(prefix)) == []


def test_listing_is_by_prefix_and_in_order_of_names(store, prefix):
    for name in ["p/b", "p/a/x", "p/a.txt", "q/z"]:
        store.write(f"{prefix}/{name}", [name.encode()])
    assert [info.uri for info in store.list(f"{prefix}/p/")] == [f"{prefix}/p/{n}" for n in ["a.txt", "a/x", "b"]]
    assert [info.uri for info in store.list(f"{prefix}/p/a")] == [f"{prefix}/p/{n}" for n in ["a.txt", "a/x"]]
    assert list(store.list(f"{prefix}/none/")) == []
    assert list(store.list(f"{prefix}/q/")) == [store.stat(f"{prefix}/q/z")]


@pytest.mark.rule("delete-one-version")
def test_deleting_another_version_than_the_one_that_is_there_does_nothing(store, prefix):
    info = store.write(f"{prefix}/a", [b"x"])
    store.delete(ObjectInfo(info.uri, info.size, info.generation + 1))
    assert store.stat(info.uri) == info


@pytest.mark.rule("read-one-version")
def test_another_version_than_the_one_that_is_there_cannot_be_read(store, prefix):
    info = store.write(f"{prefix}/a", [b"x"])
    with pytest.raises(InputError):
        list(store.read(ObjectInfo(info.uri, info.size, info.generation + 1)))


def test_deleting_is_fine_with_what_is_gone(store, prefix):
    info = store.write(f"{prefix}/a", [b"x"])
    store.delete(info)
    assert store.stat(info.uri) is None
    store.delete(info)


def test_what_is_not_there_is_said_so(store, prefix):
    assert store.stat(f"{prefix}/none") is None
    with pytest.raises(InputError):
        list(store.read(ObjectInfo(f"{prefix}/none", 1, 1)))


def test_a_bucket_that_is_not_there_is_said_so(store, server):
    if server == "folder":
        pytest.skip("a folder makes the buckets that are written to")
    with pytest.raises(InputError, match="gs://no-such-bucket"):
        store.write("gs://no-such-bucket/a", [b"x"])


@pytest.mark.parametrize("uri", ["s3://bucket/a", "gs://", "gs://Bucket/a", "bucket/a"])
def test_a_uri_of_another_kind_is_refused(store, uri):
    with pytest.raises(InputError, match="gs://bucket/name"):
        store.stat(uri)


def test_the_documented_table_of_differences_is_this_one():
    page = Path(__file__).parents[2] / "docs/reference/storage.md"
    header, _, *rows = [
        line for line in page.read_text("utf-8").splitlines() if line.startswith(("| rule", "|---|---|---|---|", "| `"))
    ]
    servers = [cell.split()[0] for cell in header.strip("| ").split(" | ")[1:3]]
    shown = {}
    for row in rows:
        rule, *cells = row.strip("| ").split(" | ")
        shown |= {
            (rule.strip("`"), server): cell for server, cell in zip(servers, cells, strict=False) if cell != "holds"
        }
    assert shown == DIFFERENCES
