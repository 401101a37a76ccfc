import threading
import time

import pyarrow as pa
import pytest

from geminate.pipeline.written.outputs import RowStream, write_joined
from geminate.stages.report import JoinReport
from geminate.stages.strays import Stray


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_write_that_fails_leaves_no_file_and_no_thread(tmp_path, suffix):
    ended = []

    def open_rows(on_stray):
        def iter_rows():
            try:
                yield pa.record_batch({"n": ["no number"]})
                time.sleep(0.1)  # Meanwhile the writer fails.
                on_stray(Stray("orphan", "file", 1, 0, "unknown_key"))
                yield pa.record_batch({"n": [1]})
            finally:
                ended.append(True)

        return RowStream(pa.schema({"n": pa.int64()}), JoinReport(), iter_rows())

    with pytest.raises(pa.ArrowInvalid):
        write_joined(open_rows, tmp_path / f"rows{suffix}")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("geminate-ahead")]
    assert list(tmp_path.iterdir()) == []
    assert ended == [True]
