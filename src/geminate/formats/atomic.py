"""Files that appear whole under their name, or not at all, and never over another."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from geminate.errors import AccessError, TargetError, TransientError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def check_path(path: str | Path, *, overwrite: bool = False) -> None:
    """Nothing, where a file may be written there.

    Raises:
        TargetError: Something is there and may not be overwritten, or its folder does not exist.
        AccessError: Its folder may not be written.
    """
    path = Path(path)
    if path.is_dir():
        raise TargetError("is a folder", where=str(path), remedy="name a file in it")
    if path.exists() and not path.is_file():
        raise TargetError("is not a regular file", where=str(path), remedy="use - for the standard output")
    if os.path.lexists(path) and not overwrite:
        raise _taken(path)
    if not path.parent.is_dir():
        raise TargetError("its folder does not exist", where=str(path), remedy=f"make {path.parent} first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _denied(path)


@contextmanager
def open_atomic(path: str | Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A new file to write to, which appears under its name when the block ends well.

    Until then it has a hidden name in the same folder; if the block fails, it is removed. What appears is on the disk,
    and never takes the place of a file that appeared meanwhile, unless ``overwrite`` says so.

    Raises:
        TargetError: As ``check_path`` and ``publish_file``.
        AccessError: The folder may not be written.
        TransientError: The disk is full.
    """
    path = Path(path)
    check_path(path, overwrite=overwrite)
    hidden = path.with_name(f".geminate-{secrets.token_hex(8)}.tmp")
    try:
        with room_left(str(path)), _create(hidden, path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        publish_file(hidden, path, overwrite=overwrite)
    finally:
        hidden.unlink(missing_ok=True)


@contextmanager
def room_left(where: str, remedy: str = "make room and run again") -> Iterator[None]:
    """A block that writes.

    Raises:
        TransientError: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise TransientError("no room left on the disk", where=where, remedy=remedy) from error


def publish_file(written: Path, path: Path, *, overwrite: bool = False) -> None:
    """Nothing; a finished file of the same file system has its final name, and no longer the other.

    Raises:
        TargetError: There is a file of that name, and ``overwrite`` is false.
    """
    if overwrite:
        written.replace(path)
    else:
        _publish_new(written, path)
    with suppress(OSError):  # Not every file system can sync a folder; the file itself is safe.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _publish_new(written: Path, path: Path) -> None:
    try:
        path.hardlink_to(written)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without links the name is first taken, which only one can do, and then given to the file.
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            raise _taken(path) from None
        written.replace(path)
    else:
        written.unlink()


def _create(hidden: Path, path: Path) -> BinaryIO:
    try:
        return hidden.open("xb")
    except PermissionError as error:
        raise _denied(path) from error


def _taken(path: Path) -> TargetError:
    return TargetError("exists already", where=str(path), remedy="remove it, name another, or give --overwrite")


def _denied(path: Path) -> AccessError:
    return AccessError("its folder may not be written", where=str(path), remedy=f"check the rights of {path.parent}")
