"""One emulator a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geminate.errors import UsageError


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """A context in which no other emulator, of this process or another, serves the folder.

    The system gives the lock back when its holder dies, so nothing is left to clear away.

    Raises:
        UsageError: Another one serves it.
    """
    with (folder / ".lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UsageError(
                f"another emulator serves this folder (process {file.read().strip() or 'unknown'})",
                where=str(folder),
                remedy="stop it, or name another folder",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)
