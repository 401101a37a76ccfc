"""A run's folder while it is made: under a hidden name, by one process, and whole when it gets its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Connection

from geminate.errors import AccessError, TargetError, TransientError, UsageError, room_left
from geminate.formats.atomic import sync_folder
from geminate.locks import LOCK_NAME, hold_lock
from geminate.pipeline.run_folder.folder import RunFolder


@contextmanager
def new_folder(run_path: Path) -> Iterator[RunFolder]:
    """The folder to write to, which gets its name when the block ends well, and is gone when it does not.

    Raises:
        AccessError: The folder above may not be written.
        TargetError: There is such a folder.
        TransientError: Another process makes it, or the disk is full.
        UsageError: There is no folder above.
    """
    if run_path.exists():
        raise TargetError("the run exists already", where=str(run_path), remedy="name another folder, or remove it")
    if not run_path.parent.is_dir():
        raise UsageError("no such folder", where=str(run_path.parent), remedy="make it first")
    hidden = run_path.with_name(f".{run_path.name}.partial")
    try:
        with room_left(str(run_path)):
            hidden.mkdir(exist_ok=True)
    except PermissionError as error:
        raise AccessError("the folder is not writable", where=str(run_path.parent), remedy="choose another") from error
    with closing(_hold_lock(hidden, run_path)), room_left(str(run_path)):
        if run_path.exists():  # Whoever held the lock before has finished, and the lock may be that of its folder.
            raise made_meanwhile(run_path)
        for stale in hidden.iterdir():
            if stale.is_dir():
                shutil.rmtree(stale)
            elif stale.name != LOCK_NAME:
                stale.unlink()
        try:
            yield RunFolder(hidden)
            sync_folder(hidden)
            hidden.rename(run_path)
            sync_folder(run_path.parent)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise


def _hold_lock(hidden: Path, run_path: Path) -> Connection:
    try:
        return hold_lock(hidden)
    except TransientError as error:
        # The folder may have got its name, and taken the lock's file with it.
        if run_path.exists():
            raise made_meanwhile(run_path) from error
        raise


def made_meanwhile(run_path: Path) -> TransientError:
    """What is told to who came second."""
    return TransientError(
        "another process made this run meanwhile", where=str(run_path), remedy="run the same command again"
    )
