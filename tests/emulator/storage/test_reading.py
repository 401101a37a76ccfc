"""Ranges, decompression and pages."""

import gzip

import pytest
import requests

DATA = bytes(range(200))
MEDIA = "/storage/v1/b/bucket/o/a?alt=media"


@pytest.fixture
def _stored(bucket):
    bucket.blob("a").upload_from_string(DATA)


@pytest.mark.usefixtures("_stored")
@pytest.mark.parametrize(
    "asked, start, stop",
    [
        ("bytes=0-9", 0, 10),
        ("bytes=190-", 190, 200),
        ("bytes=190-999", 190, 200),
        ("bytes=-5", 195, 200),
        ("bytes=-999", 0, 200),
    ],
)
def test_a_range(http, asked, start, stop):
    answer = http("GET", MEDIA, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, DATA[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/200"


@pytest.mark.usefixtures("_stored")
@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=500-600", "bytes=-0"])
def test_a_range_past_the_end(http, asked):
    assert http("GET", MEDIA, headers={"Range": asked}).status_code == 416


@pytest.mark.usefixtures("_stored")
@pytest.mark.parametrize("asked", ["bytes=9-3", "lines=1-2", "bytes=-", "bytes=a-b"])
def test_a_range_that_is_none_is_ignored(http, asked):
    answer = http("GET", MEDIA, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.usefixtures("_stored")
def test_a_read_tells_the_checksums_and_the_version(http, bucket):
    blob = bucket.get_blob("a")
    headers = http("GET", MEDIA).headers
    assert headers["x-goog-hash"] == f"crc32c={blob.crc32c},md5={blob.md5_hash}"
    assert headers["x-goog-generation"] == str(blob.generation)


class TestGzip:
    text = b"many words, many words\n" * 100

    @pytest.fixture(autouse=True)
    def _compressed(self, bucket):
        self.blob = bucket.blob("a")
        self.blob.content_encoding = "gzip"
        self.blob.upload_from_string(gzip.compress(self.text), content_type="text/plain")

    def test_who_takes_gzip_gets_it(self, http):
        answer = http("GET", MEDIA, headers={"Accept-Encoding": "gzip"}, stream=True)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.raw.read()) == self.text

    def test_who_does_not_gets_the_text_and_never_a_range_of_it(self, http):
        answer = http("GET", MEDIA, headers={"Accept-Encoding": "identity", "Range": "bytes=0-9"})
        assert (answer.status_code, answer.content) == (200, self.text)
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["x-goog-stored-content-encoding"] == "gzip"

    def test_no_transform_is_kept(self, http):
        self.blob.cache_control = "no-transform"
        self.blob.patch()
        answer = http("GET", MEDIA, headers={"Accept-Encoding": "identity"}, stream=True)
        assert gzip.decompress(answer.raw.read()) == self.text

    def test_googles_client_reads_both_ways(self):
        assert self.blob.download_as_bytes() == self.text
        assert gzip.decompress(self.blob.download_as_bytes(raw_download=True)) == self.text


def test_pages_hold_at_most_a_thousand(bucket, client, http):
    names = [f"p/{number:04d}" for number in range(1005)]
    (client.bucket / "p").mkdir()
    for name in names:
        (client.bucket / name).touch()
    page = http("GET", "/storage/v1/b/bucket/o?maxResults=5000").json()
    assert (len(page["items"]), "nextPageToken" in page) == (1000, True)
    assert [blob.name for blob in bucket.list_blobs()] == names
    pages = list(bucket.list_blobs(page_size=400).pages)
    assert [page.num_items for page in pages] == [400, 400, 205]


def test_listing_by_prefix_delimiter_and_offsets(bucket, client):
    for name in ["a.txt", "a/x", "a/y/z", "b", ".b.partial"]:
        path = client.bucket / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def listed(**options):
        found = bucket.list_blobs(**options)
        return [blob.name for blob in found], sorted(found.prefixes)

    assert listed() == (["a.txt", "a/x", "a/y/z", "b"], [])
    assert listed(delimiter="/") == (["a.txt", "b"], ["a/"])
    assert listed(delimiter="/", page_size=1) == (["a.txt", "b"], ["a/"])
    assert listed(prefix="a/", delimiter="/") == (["a/x"], ["a/y/"])
    assert listed(prefix="a") == (["a.txt", "a/x", "a/y/z"], [])
    assert listed(start_offset="a/x", end_offset="b") == (["a/x", "a/y/z"], [])
    assert listed(prefix="none") == ([], [])


@pytest.mark.parametrize("query", ["pageToken=%21", "maxResults=x", "versions=true", "matchGlob=*"])
def test_a_listing_that_cannot_be_answered_is_refused(http, query):
    assert http("GET", f"/storage/v1/b/bucket/o?{query}").status_code == 400


def test_what_is_not_there_and_what_it_does_not_know(http):
    for method, path in [
        ("GET", "/storage/v1/b/bucket/o/none"),
        ("GET", "/storage/v1/b/bucket/o/none?alt=media"),
        ("GET", "/storage/v1/b/nowhere/o"),
        ("POST", "/upload/storage/v1/b/nowhere/o?uploadType=resumable&name=a"),
        ("PUT", "/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id=none"),
        ("POST", "/storage/v1/b/bucket/acl"),
    ]:
        answer = http(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, 404)


def test_a_call_without_credentials_is_served(client):
    url = f"{client.emulator.url}/storage/v1/b/bucket/o"
    assert requests.get(url, timeout=5).json() == {"kind": "storage#objects"}
