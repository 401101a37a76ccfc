"""A folder that stands in for Cloud Storage: ``gs://bucket/name`` is ``<folder>/bucket/name``."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from geminate.errors import AccessError, InputError, TargetError, room_left
from geminate.ports import ObjectInfo
from geminate.wire.uris import GS_SCHEME, split_gs_uri

_PIECE_BYTES = 4 * 1024 * 1024


class FolderStore:
    """An ``ObjectStore`` over local files. Names beginning with a dot are writes in flight and are never listed.

    Args:
        root: The folder of the buckets; it is made when the first object is written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, uri: str, pieces: Iterable[bytes], content_type: str | None = None) -> ObjectInfo:
        """The new object, published with a hard link, which fails where the name is taken."""
        del content_type  # A file has none.
        path = self._path(uri)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with room_left(uri):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    for piece in pieces:
                        file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(partial, path)
            except FileExistsError:
                raise TargetError("the object exists already", where=uri) from None
            except PermissionError as error:
                raise AccessError("not writable", where=uri, remedy=f"check the rights of {error.filename}") from error
            finally:
                partial.unlink(missing_ok=True)
        return self._info(uri, path)

    def read(self, info: ObjectInfo, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The object's bytes in pieces of 4 MiB, if they are still those of the generation."""
        path = self._path(info.uri)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise InputError("no such object", where=info.uri) from None
        with file:
            if os.fstat(file.fileno()).st_mtime_ns != info.generation:
                raise InputError("no such object in this generation any more", where=info.uri)
            place, end = file.seek(start), info.size if stop is None else stop
            while piece := file.read(min(_PIECE_BYTES, end - place)):
                place += len(piece)
                yield piece

    def list(self, prefix_uri: str) -> Iterator[ObjectInfo]:
        """The objects whose URI begins so, in the order of their names."""
        bucket, prefix = split_gs_uri(prefix_uri)
        top = self._root / bucket
        found = (path for path in (top / prefix).parent.rglob("*") if path.is_file() and not path.name.startswith("."))
        named = {path.relative_to(top).as_posix(): path for path in found}
        for name in sorted(named):
            if name.startswith(prefix):
                yield self._info(f"{GS_SCHEME}{bucket}/{name}", named[name])

    def stat(self, uri: str) -> ObjectInfo | None:
        """The object, None where there is none."""
        path = self._path(uri)
        return self._info(uri, path) if path.is_file() else None

    def delete(self, info: ObjectInfo) -> None:
        """Nothing; a version other than the one named stays."""
        path = self._path(info.uri)
        if path.is_file() and self._info(info.uri, path).generation == info.generation:
            path.unlink(missing_ok=True)

    def _path(self, uri: str) -> Path:
        bucket, name = split_gs_uri(uri)
        parts = name.split("/")
        if not name or any(part in {"", ".", ".."} or part.startswith(".") for part in parts):
            raise InputError("not an object name that a folder can hold", where=uri)
        return self._root.joinpath(bucket, *parts)

    def _info(self, uri: str, path: Path) -> ObjectInfo:
        status = path.stat()
        return ObjectInfo(uri, status.st_size, status.st_mtime_ns)
