"""Which prompts of a run share the prediction of another: written by a build, read by a collection."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.pipeline.run_folder.folder import FOLLOWERS_NAME, FileRecord, Manifest, RunFolder, hash_file
from geminate.stages.leaders import NO_LEADER, LeaderRegister, without_followers

Rows = npt.NDArray[np.int64]

_NOT_SENT = "an equal request was sent"
_SCHEMA = pa.schema([("row", pa.int64()), ("leader", pa.int64())])


class FollowersFile:
    """Takes the followers out of request lines, and writes down whom they follow; use it as a context manager.

    Args:
        folder: The run's folder.

    Attributes:
        count: How many there were.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._path: Path = folder.path / FOLLOWERS_NAME
        self._register = LeaderRegister()
        self._rows = 0
        self.count = 0

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        self._writer = pa.ipc.new_stream(self._file, _SCHEMA)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._file:
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())

    def strip(self, lines: pa.LargeStringArray) -> pa.LargeStringArray:
        """The lines, null where an equal request is sent already."""
        leaders = self._register.add(lines)
        followers = np.flatnonzero(leaders != NO_LEADER)
        if len(followers):
            columns = [pa.array(self._rows + followers), pa.array(leaders[followers])]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
        self._rows += len(lines)
        self.count += len(followers)
        return without_followers(lines, leaders)

    def record(self) -> FileRecord:
        """The file's record, once it is closed."""
        return FileRecord(FOLLOWERS_NAME, hash_file(self._path))


class Followers:
    """The followers of a run, by row counted from 0 over all its prompts; 24 bytes each in memory.

    Args:
        rows: The followers, ascending.
        of: The leader of each; every one comes before its followers.
    """

    def __init__(self, rows: Rows, of: Rows) -> None:
        self.rows = rows
        self.of = of
        self.leaders: Rows = np.unique(of)

    @classmethod
    def read(cls, folder: RunFolder, manifest: Manifest) -> Followers:
        """Those of a run; none where equal requests were all sent."""
        return cls.load(folder) if manifest.is_deduped else NO_FOLLOWERS

    @classmethod
    def load(cls, folder: RunFolder) -> Followers:
        """Those that the folder's file names."""
        with pa.ipc.open_stream(folder.path / FOLLOWERS_NAME) as reader:
            table = reader.read_all()
        return cls(table.column("row").to_numpy(), table.column("leader").to_numpy())

    def __bool__(self) -> bool:
        return len(self.rows) > 0

    def between(self, first: int, stop: int) -> tuple[Rows, Rows]:
        """The followers among these rows, and the place of each one's leader in ``leaders``."""
        start, end = np.searchsorted(self.rows, [first, stop])
        return self.rows[start:end], np.searchsorted(self.leaders, self.of[start:end])

    def mark(self, rejects: pa.StringArray, first: int) -> pa.StringArray:
        """Why each row from ``first`` on was not sent, the followers' own reason among them; null where it was."""
        here, _ = self.between(first, first + len(rejects))
        if not len(here):
            return rejects
        mask = np.zeros(len(rejects), np.bool_)
        mask[here - first] = True
        return pc.if_else(pa.array(mask), _NOT_SENT, rejects)

    def leaders_between(self, first: int, stop: int) -> Rows:
        """The leaders among these rows."""
        start, end = np.searchsorted(self.leaders, [first, stop])
        return self.leaders[start:end]


NO_FOLLOWERS = Followers(np.empty(0, np.int64), np.empty(0, np.int64))
