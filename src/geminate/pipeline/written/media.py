"""Media of predictions into files, and their place in the joined rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from geminate.errors import AccessError, TargetError, UsageError
from geminate.formats.atomic import open_atomic
from geminate.pipeline.written.outputs import OnStray, OpenRows, RowStream
from geminate.stages.contents import MEDIA
from geminate.stages.keys import KeyColumn
from geminate.wire.content_types import MEDIA_FILES_TYPE
from geminate.wire.media_names import media_name

_WRITERS = 8  # A file is on the disk before it has its name, and many can wait for the disk at once.


@dataclass(frozen=True, slots=True)
class MediaFolder:
    """Where the media of joined rows go.

    Attributes:
        path: The folder; made where it does not exist.
        key_name: The column that files are named after; None for row numbers.
        keys_repeat: Whether several rows may have one key; their files are numbered on.
    """

    path: Path
    key_name: str | None
    keys_repeat: bool = False


@dataclass(frozen=True, slots=True)
class _Medium:
    """One medium, not copied out of its record batch, and where it goes; nowhere if it could not be read."""

    mime_type: str | None
    data: pa.Buffer | None
    path: Path | None

    @property
    def cell(self) -> dict[str, str | int | None]:
        path, size = (None, None) if self.path is None or self.data is None else (str(self.path), self.data.size)
        return {"path": path, "mime_type": self.mime_type, "size_bytes": size}


def open_media_folder(path: str | Path, key_name: str | None, *, keys_repeat: bool = False) -> MediaFolder:
    """The folder, which exists now.

    Raises:
        AccessError: It may not be made.
        TargetError: Something else is there.
        UsageError: It is not a local folder.
    """
    if "://" in str(path):
        raise UsageError("media go to a local folder", where=str(path), remedy="name one, and copy it afterwards")
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise TargetError("is not a folder", where=str(path), remedy="name another for the media") from error
    except PermissionError as error:
        raise AccessError("the folder may not be made", where=str(path), remedy="check the rights above it") from error
    return MediaFolder(Path(path), key_name, keys_repeat)


def with_media_files(open_rows: OpenRows, folder: MediaFolder, prefix: str) -> OpenRows:
    """The same rows, their media written to files as the rows are taken, with the files' places in the column.

    Only what stands in a row is written. A file appears whole; one that is there already with the same bytes stays, so
    that the same call may be made again after an interruption. Memory is that of one record batch.

    Raises:
        AccessError: From the rows: the folder may not be written.
        TargetError: From the rows: a file is there already with other bytes.
        TransientError: From the rows: the disk is full.
    """
    return partial(_open_written, open_rows, folder, prefix + MEDIA)


def _open_written(open_rows: OpenRows, folder: MediaFolder, column: str, on_stray: OnStray) -> RowStream:
    stream = open_rows(on_stray)
    at = stream.schema.get_field_index(column)
    schema = stream.schema.set(at, pa.field(column, MEDIA_FILES_TYPE))

    def iter_written() -> Iterator[pa.RecordBatch]:
        writer = _Writer(folder)
        for record_batch in stream.rows:
            columns = [*record_batch.columns]
            columns[at] = writer.write(record_batch.column(at), _keys(record_batch, folder.key_name))
            del record_batch  # The bytes go before the next ones are made.
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return replace(stream, schema=schema, rows=iter_written())


class _Writer:
    """Writes the media of one record batch after the other."""

    def __init__(self, folder: MediaFolder) -> None:
        self._folder = folder
        self._rows = 0
        self._earlier: Counter[str] = Counter()

    def write(self, column: pa.Array, keys: list[str | None]) -> pa.Array:
        """Where the media of these rows are now."""
        placed = [self._place(cell, key) for cell, key in zip(column, keys, strict=True)]
        with ThreadPoolExecutor(_WRITERS, "geminate-media") as threads:
            # Taking every outcome raises the first failure.
            list(threads.map(_write_once, [medium for media in placed for medium in media or () if medium]))
        cells = [None if media is None else [medium and medium.cell for medium in media] for media in placed]
        return pa.array(cells, MEDIA_FILES_TYPE)

    def _place(self, cell: pa.ListScalar, key: str | None) -> list[_Medium | None] | None:
        """Where the next row's media go. One that could not be read keeps its number and has no path."""
        self._rows += 1
        if not cell.is_valid:
            return None
        first = 1
        if key is not None and self._folder.keys_repeat:
            first += self._earlier[key]
            self._earlier[key] += len(cell.values)
        return [self._medium(blob, key, number) for number, blob in enumerate(cell.values, first)]

    def _medium(self, blob: pa.StructScalar, key: str | None, number: int) -> _Medium | None:
        if not blob.is_valid:
            return None
        mime_type, data = blob["mime_type"].as_py(), blob["data"].as_buffer()
        name = media_name(key, self._rows, number, mime_type)
        return _Medium(mime_type, data, None if data is None else self._folder.path / name)


def _keys(record_batch: pa.RecordBatch, key_name: str | None) -> list[str | None]:
    if key_name not in record_batch.schema.names:
        return [None] * record_batch.num_rows
    keys: list[str | None] = KeyColumn(str(key_name), generated=False).texts(record_batch).to_pylist()
    return keys


def _write_once(medium: _Medium) -> None:
    path, data = medium.path, medium.data
    if path is None or data is None:
        return
    if path.is_file():
        if path.stat().st_size == data.size and path.read_bytes() == memoryview(data):
            return
        remedy = "remove it, or name a new folder"
        raise TargetError("is there already with other bytes", where=str(path), remedy=remedy)
    with open_atomic(path) as file:
        file.write(data)
