"""The two files of a shard, its request lines and the prompts they came from, hashed as they are written."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from geminate.pipeline.run_folder.folder import REJECT_COLUMN, FileRecord, RunFolder, ShardRecord
from geminate.stages.requests import join_lines
from geminate.stages.shards import ShardCutter, shard_name

# So much is handed to the disk at once, while more is made: at the end there is little left to wait for.
_SYNC_BYTES = 128 * 1024 * 1024


class ShardFiles:
    """Writes shards one after the other; use it as a context manager, and read ``shards`` and ``files`` after it.

    After it all bytes are on the disk, not only with the system.

    Args:
        folder: The run's folder.
        schema: The prompts' schema with the key column; the files carry the reject column beside.
    """

    def __init__(self, folder: RunFolder, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = schema.append(pa.field(REJECT_COLUMN, pa.string()))
        self._open: _Shard | None = None
        self._disk = _Disk()
        self.shards: list[ShardRecord] = []
        self.files: list[FileRecord] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with self._disk:
                self._finish()
        else:
            self._disk.stop()
            if self._open is not None:
                self._open.abandon()

    def write(self, cutter: ShardCutter, prompts: pa.RecordBatch, lines: pa.Array) -> None:
        """Nothing; the rows are in the shards that the cutter says."""
        sizes = pc.fill_null(pc.binary_length(lines), 0).to_numpy(zero_copy_only=False)
        for piece in cutter.iter_slices(sizes):
            if self._open is None or self._open.number != piece.shard:
                self._finish()
                self._open = _Shard(self._folder, self._schema, piece.shard, self._disk)
            length = piece.stop - piece.start
            self._open.write(prompts.slice(piece.start, length), lines.slice(piece.start, length))

    def _finish(self) -> None:
        if self._open is not None:
            shard, *files = self._open.finish()
            self.shards.append(shard)
            self.files += files
            self._open = None


class _Shard:
    """One open shard."""

    def __init__(self, folder: RunFolder, schema: pa.Schema, number: int, disk: _Disk) -> None:
        self.number = number
        name = shard_name(number)
        self._requests = _HashedFile(folder.requests_path(name), disk)
        self._prompts = _HashedFile(folder.prompts_path(name), disk)
        self._writer = pa.ipc.new_stream(self._prompts, schema)
        self._rows = 0
        self._prompt_count = 0

    def write(self, prompts: pa.RecordBatch, lines: pa.Array) -> None:
        self._writer.write_batch(prompts)
        self._requests.write(join_lines(lines))
        self._prompt_count += len(lines)
        self._rows += len(lines) - lines.null_count

    def abandon(self) -> None:
        self._prompts.close()
        self._requests.close()

    def finish(self) -> tuple[ShardRecord, FileRecord, FileRecord]:
        self._writer.close()
        self._prompts.finish()
        self._requests.finish()
        shard = ShardRecord(
            name=shard_name(self.number),
            rows=self._rows,
            size_bytes=self._requests.size_bytes,
            sha256=self._requests.sha256,
            prompts=self._prompt_count,
        )
        return (
            shard,
            FileRecord(self._requests.name, self._requests.sha256),
            FileRecord(self._prompts.name, self._prompts.sha256),
        )


class _Disk:
    """Brings written bytes to the disk in a thread, while more are made; leaving it waits for all of them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "geminate-sync")
        self._syncs: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for sync in self._syncs:
            sync.result()

    def stop(self) -> None:
        self._thread.shutdown()

    def sync(self, file: FileIO, *, is_last: bool) -> None:
        self._syncs.append(self._thread.submit(_sync, file, is_last=is_last))


def _sync(file: FileIO, *, is_last: bool) -> None:
    try:
        os.fsync(file.fileno())
    finally:
        if is_last:
            file.close()


class _HashedFile:
    """A file that knows the hash of what was written; enough of a file for Arrow's writers."""

    closed = False

    def __init__(self, path: Path, disk: _Disk) -> None:
        self.name = path.name
        self._file = path.open("wb", buffering=0)
        self._disk = disk
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        self._synced_bytes = 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        self.size_bytes += len(view)
        while len(view):
            view = view[self._file.write(view) :]
        if self.size_bytes - self._synced_bytes >= _SYNC_BYTES:
            self._synced_bytes = self.size_bytes
            self._disk.sync(self._file, is_last=False)
        return 0

    def flush(self) -> None:
        return

    def tell(self) -> int:
        return self.size_bytes

    def finish(self) -> None:
        self._disk.sync(self._file, is_last=True)

    def close(self) -> None:
        self._file.close()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()
