"""Staging that is interrupted."""

import threading
import time

from geminate.adapters.folder import FolderStore
from geminate.adapters.system import SystemClock
from geminate.errors import TransientError
from geminate.ledger import Ledger
from geminate.pipeline.submitting.staging import Stager


def test_an_upload_that_waits_for_its_next_try_is_given_up_at_once(built, tmp_path):
    folder, manifest = built
    has_failed = threading.Event()

    class Busy(FolderStore):
        def write(self, uri, pieces, content_type=None):
            if "00000" in uri:
                has_failed.wait(20)
                return super().write(uri, pieces, content_type)
            has_failed.set()
            raise TransientError("busy", where=uri, retry_after_s=20.0)

    with Ledger(folder.path) as ledger:
        stager = Stager(folder, manifest, ledger, Busy(tmp_path / "buckets"), "gs://bucket/staging", SystemClock())
        staged = stager.iter_staged(ledger.attempts())
        assert next(staged).state == "staged"
        before = time.monotonic()
        staged.close()
        assert time.monotonic() - before < 10
        assert [attempt.state for attempt in ledger.attempts()] == ["staged", "planned"]
