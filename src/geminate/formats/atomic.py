"""Files that appear whole under their name, or not at all, and never over another."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from geminate.errors import AccessError, TargetError, room_left

HIDDEN_PREFIX, HIDDEN_SUFFIX = ".geminate-", ".tmp"
"""What the names of files begin and end with that have not appeared yet; one that stays is what a kill left."""

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
        TransientError: The disk is full, or fails.
    """
    with AtomicFiles() as files:
        yield files.open(path, overwrite=overwrite)


@dataclass(frozen=True, slots=True)
class _Hidden:
    """A file that has not appeared yet."""

    path: Path
    hidden: Path
    file: BinaryIO
    overwrite: bool


class AtomicFiles:
    """Files that appear together when the block ends well, and not before all are on the disk; use it in a ``with``.

    If one cannot appear, those that were new are taken back.

    Args:
        last: The path of the one that appears after the others, so that whoever sees it sees all.
    """

    def __init__(self, last: str | Path | None = None) -> None:
        self._last = None if last is None else Path(last)
        self._files: list[_Hidden] = []

    def open(self, path: str | Path, *, overwrite: bool = False) -> BinaryIO:
        """A new file to write to, as ``open_atomic`` gives."""
        path = Path(path)
        check_path(path, overwrite=overwrite)
        hidden = path.with_name(f"{HIDDEN_PREFIX}{secrets.token_hex(8)}{HIDDEN_SUFFIX}")
        with room_left(str(path)):
            file = _create(hidden, path)
        self._files.append(_Hidden(path, hidden, file, overwrite))
        return file

    def sync(self) -> dict[Path, os.stat_result]:
        """What the system knows of each file by the path it will have; all of them are on the disk."""
        for each in self._files:
            with room_left(str(each.path)):
                if not each.file.closed:
                    each.file.flush()
                    os.fsync(each.file.fileno())
                    each.file.close()
        return {each.path: each.hidden.stat() for each in self._files}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.sync()
                self._publish()
            elif isinstance(error, OSError) and self._files:
                with room_left(str(self._files[0].path)):
                    raise error
        finally:
            for each in self._files:
                with suppress(OSError):  # What could not be written is of no use any more.
                    each.file.close()
                each.hidden.unlink(missing_ok=True)

    def _publish(self) -> None:
        new: list[Path] = []
        try:
            for each in sorted(self._files, key=lambda each: each.path == self._last):
                is_new = not os.path.lexists(each.path)
                with room_left(str(each.path)):
                    publish_file(each.hidden, each.path, overwrite=each.overwrite)
                if is_new:
                    new.append(each.path)
        except BaseException:
            for path in new:
                path.unlink(missing_ok=True)
            raise


def publish_file(written: Path, path: Path, *, overwrite: bool = False) -> None:
    """Nothing; a finished file of the same file system has its final name, and no longer the other.

    Raises:
        TargetError: There is a file of that name, and ``overwrite`` is false.
    """
    if overwrite:
        written.replace(path)
    else:
        _publish_new(written, path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Nothing; the names in the folder are on the disk, where the file system can say so."""
    with suppress(OSError):  # Not every one can; the files themselves are safe.
        folder = os.open(path, os.O_RDONLY)
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
