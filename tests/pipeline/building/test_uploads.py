import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from geminate.adapters.folder import FolderStore
from geminate.adapters.system import SystemClock
from geminate.errors import AccessError, InputError, TargetError, TransientError
from geminate.pipeline.building.uploads import Uploader, digest_of

DATA = b"a picture" * 1000
NAME = f"{hashlib.sha256(DATA).hexdigest()}.png"


class SlowStore(FolderStore):
    def __init__(self, root):
        super().__init__(root)
        self.writes = 0
        self.gate = threading.Event()

    def write(self, uri, pieces, content_type=None):
        self.writes += 1
        self.gate.wait(0.1)
        return super().write(uri, pieces, content_type)


def upload(uploader, data=DATA):
    file = io.BytesIO(data)
    return uploader.upload("gs://bucket/below/", file, digest_of(file), "image/png")


def test_one_content_is_written_once_from_many_threads(tmp_path):
    store = SlowStore(tmp_path)
    uploader = Uploader(store, SystemClock())
    with ThreadPoolExecutor(8) as threads:
        uris = set(threads.map(lambda _: upload(uploader), range(16)))
    assert uris == {f"gs://bucket/below/{NAME}"}
    assert store.writes == 1
    assert [(stored.uri, stored.size_bytes, stored.reused) for stored in uploader.objects] == [
        (f"gs://bucket/below/{NAME}", len(DATA), False)
    ]


def test_an_equal_object_is_used_and_another_is_never_replaced(tmp_path):
    upload(Uploader(FolderStore(tmp_path), SystemClock()))
    again = Uploader(FolderStore(tmp_path), SystemClock())
    upload(again)
    assert [stored.reused for stored in again.objects] == [True]
    (tmp_path / "bucket/below" / NAME).write_bytes(b"x" * len(DATA))
    with pytest.raises(TargetError, match="other bytes than its name says"):
        upload(Uploader(FolderStore(tmp_path), SystemClock()))
    assert (tmp_path / "bucket/below" / NAME).read_bytes() == b"x" * len(DATA)


def test_an_object_that_appears_meanwhile_is_used(tmp_path):
    class Overtaken(FolderStore):
        def write(self, uri, pieces, content_type=None):
            if not super().stat(uri):
                super().write(uri, [DATA])
            return super().write(uri, pieces, content_type)

    uploader = Uploader(Overtaken(tmp_path), SystemClock())
    upload(uploader)
    assert [stored.reused for stored in uploader.objects] == [True]


def test_a_file_that_changes_under_way_becomes_no_object(tmp_path):
    file = io.BytesIO(DATA)
    digest = digest_of(file)
    file.seek(0)
    file.write(b"b")
    with pytest.raises(InputError, match="changed while it was uploaded"):
        Uploader(FolderStore(tmp_path), SystemClock()).upload("gs://bucket/below", file, digest, "image/png")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_store_that_hesitates_is_asked_again(tmp_path):
    class Hesitant(FolderStore):
        tries = 0

        def write(self, uri, pieces, content_type=None):
            self.tries += 1
            assert content_type == "image/png"
            if self.tries < 3:
                next(iter(pieces))
                raise TransientError("busy", where=uri)
            return super().write(uri, pieces)

    class Clock(SystemClock):
        def sleep(self, seconds):
            del seconds

    upload(Uploader(Hesitant(tmp_path), Clock()))
    assert [path.read_bytes() for path in tmp_path.rglob("*.png")] == [DATA]


def test_a_store_that_refuses_stops_every_waiter(tmp_path):
    class Closed(FolderStore):
        def write(self, uri, pieces, content_type=None):
            del pieces, content_type
            raise AccessError("not writable", where=uri)

    uploader = Uploader(Closed(tmp_path), SystemClock())
    for _ in range(2):
        with pytest.raises(AccessError):
            upload(uploader)
