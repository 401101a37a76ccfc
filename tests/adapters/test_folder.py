import errno
import os

import pytest

from geminate.adapters.folder import FolderStore
from geminate.errors import TransientError


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_is_full_or_fails_is_worth_another_try_and_leaves_nothing(tmp_path, monkeypatch, number):
    def fail(_):
        raise OSError(number, os.strerror(number))

    store = FolderStore(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", fail)
        with pytest.raises(TransientError, match="gs://bucket/a"):
            store.write("gs://bucket/a", [b"bytes"])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    store.write("gs://bucket/a", [b"bytes"])
