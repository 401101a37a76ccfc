"""One process at a time on a folder, and what SQLite says went wrong, as errors of ours."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from geminate.errors import DISK_FAULTS, AccessError, GeminateError, InputError, TransientError

LOCK_NAME = "run.lock"
_AGAIN = "run the same command again"
_KINDS: Mapping[int, tuple[type[GeminateError], str, str | None]] = {
    sqlite3.SQLITE_BUSY: (TransientError, "another process is at the ledger", _AGAIN),
    sqlite3.SQLITE_FULL: (TransientError, DISK_FAULTS[errno.ENOSPC], f"make room and {_AGAIN}"),
    sqlite3.SQLITE_IOERR: (TransientError, DISK_FAULTS[errno.EIO], _AGAIN),
    sqlite3.SQLITE_CANTOPEN: (TransientError, "the file cannot be opened now", _AGAIN),
    sqlite3.SQLITE_READONLY: (AccessError, "the file may not be written", "check the rights of the run's folder"),
    sqlite3.SQLITE_PERM: (AccessError, "the file may not be read", "check the rights of the run's folder"),
    sqlite3.SQLITE_CORRUPT: (InputError, "the ledger is damaged", "restore it from a copy of the run's folder"),
    sqlite3.SQLITE_NOTADB: (InputError, "the ledger is damaged", "restore it from a copy of the run's folder"),
}


def hold_lock(run_path: Path) -> sqlite3.Connection:
    """The lock on a folder, held until it is closed.

    It is an open write transaction of SQLite, which the operating system drops with the process, on every system.

    Raises:
        TransientError: Another process holds it.
    """
    path = run_path / LOCK_NAME
    with sqlite_errors(path):
        lock = sqlite3.connect(path, timeout=0.2, isolation_level=None)
        try:
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            lock.close()
            if _primary_code(error) != sqlite3.SQLITE_BUSY:
                raise
            raise TransientError(
                "another process is working on this run", where=str(run_path), remedy="wait for it, or end it"
            ) from error
        return lock


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """A block that works on an SQLite file.

    Raises:
        AccessError: The file may not be read or written.
        InputError: It is damaged.
        TransientError: The disk is full or fails, or another process is at the file.
    """
    try:
        yield
    except sqlite3.Error as error:
        kind, what, remedy = _KINDS.get(_primary_code(error), (GeminateError, f"the ledger fails: {error}", None))
        raise kind(what, where=str(path), remedy=remedy) from error


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
