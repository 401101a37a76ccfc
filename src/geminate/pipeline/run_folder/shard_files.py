"""The two files of a shard, its request lines and the prompts they came from, hashed as they are written.

Request lines that can be made again from the prompts need no file; then only their hashes are taken.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geminate.pipeline.run_folder.folder import REJECT_COLUMN, FileRecord, RunFolder, ShardRecord
from geminate.stages.requests import join_lines
from geminate.stages.shards import ShardCutter, shard_name

# So much is handed to the disk at once, while more is made: at the end there is little left to wait for.
_SYNC_BYTES = 128 * 1024 * 1024
# What was just hashed is still near the processor when it is written.
_PIECE_BYTES = 1024 * 1024


class ShardFiles:
    """Writes shards one after the other; use it as a context manager, and read ``shards`` and ``files`` after it.

    After it all bytes are on the disk, not only with the system.

    Args:
        folder: The run's folder.
        schema: The prompts' schema with the key column; the files carry the reject column beside.
        keep_lines: Whether the request lines get a file.
    """

    def __init__(self, folder: RunFolder, schema: pa.Schema, *, keep_lines: bool = True) -> None:
        self._folder = folder
        self._keep_lines = keep_lines
        self._schema = schema.append(pa.field(REJECT_COLUMN, pa.string()))
        self._open: _Shard | None = None
        self._disk = _Disk()
        self._beside = ThreadPoolExecutor(1, "geminate-prompts")
        self.shards: list[ShardRecord] = []
        self.files: list[FileRecord] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._beside.shutdown()
        if kind is None:
            with self._disk:
                self.finish()
        else:
            self._disk.stop()
            if self._open is not None:
                self._open.abandon()

    def write(self, cutter: ShardCutter, prompts: pa.RecordBatch, lines: pa.Array) -> None:
        """Nothing; the rows are in the shards that the cutter says."""
        sizes = pc.fill_null(pc.binary_length(lines), 0).to_numpy(zero_copy_only=False)
        for piece in cutter.iter_slices(sizes):
            if self._open is None or self._open.number != piece.shard:
                self.finish()
                self._open = self._begin(piece.shard)
            length = piece.stop - piece.start
            self._open.write(prompts.slice(piece.start, length), lines.slice(piece.start, length))

    def _begin(self, number: int) -> _Shard:
        name = shard_name(number)
        requests = _Hashed(self._folder.requests_path(name), self._disk if self._keep_lines else None)
        prompts = _Hashed(self._folder.prompts_path(name), self._disk)
        return _Shard(number, requests, prompts, pa.ipc.new_stream(prompts, self._schema), self._beside)

    def finish(self) -> None:
        """Nothing; what was written is whole, and on its way to the disk."""
        if self._open is not None:
            shard, files = self._open.finish()
            self.shards.append(shard)
            self.files += files
            self._open = None


class _Shard:
    """One open shard."""

    def __init__(
        self, number: int, requests: _Hashed, prompts: _Hashed, writer: Any, beside: ThreadPoolExecutor
    ) -> None:
        self.number = number
        self._requests = requests
        self._prompts = prompts
        self._writer = writer
        self._beside = beside
        self._rows = 0
        self._prompt_count = 0

    def write(self, prompts: pa.RecordBatch, lines: pa.Array) -> None:
        # Hashing and writing are half of a build's work, and need no interpreter: one file beside the other.
        written = self._beside.submit(self._writer.write_batch, prompts)
        try:
            self._requests.write(join_lines(lines))
        finally:
            written.result()
        self._prompt_count += len(lines)
        self._rows += len(lines) - lines.null_count

    def abandon(self) -> None:
        self._prompts.close()
        self._requests.close()

    def finish(self) -> tuple[ShardRecord, list[FileRecord]]:
        self._writer.close()
        files = [FileRecord(file.name, file.sha256) for file in (self._requests, self._prompts) if file.finish()]
        shard = ShardRecord(
            name=shard_name(self.number),
            rows=self._rows,
            size_bytes=self._requests.size_bytes,
            sha256=self._requests.sha256,
            prompts=self._prompt_count,
            crc32c=self._requests.crc32c,
        )
        return shard, files


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


class _Hashed:
    """Bytes that are hashed, and written to a file where there is a disk for them; enough of a file for Arrow."""

    closed = False

    def __init__(self, path: Path, disk: _Disk | None) -> None:
        self.name = path.name
        self._file = path.open("wb", buffering=0) if disk else None
        self._disk = disk
        self._sha256 = hashlib.sha256()
        self.crc32c = 0
        self.size_bytes = 0
        self._synced_bytes = 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE_BYTES):
            self._write_piece(view[start : start + _PIECE_BYTES])
        self.size_bytes += len(view)
        if self._file and self._disk and self.size_bytes - self._synced_bytes >= _SYNC_BYTES:
            self._synced_bytes = self.size_bytes
            self._disk.sync(self._file, is_last=False)
        return 0

    def _write_piece(self, piece: memoryview) -> None:
        self._sha256.update(piece)
        # It takes no memoryview.
        self.crc32c = google_crc32c.extend(self.crc32c, np.asarray(piece))
        while self._file and len(piece):
            piece = piece[self._file.write(piece) :]

    def flush(self) -> None:
        return

    def tell(self) -> int:
        return self.size_bytes

    def finish(self) -> bool:
        """Whether there is a file; it will be on the disk."""
        if self._file and self._disk:
            self._disk.sync(self._file, is_last=True)
        return self._file is not None

    def close(self) -> None:
        if self._file:
            self._file.close()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()
