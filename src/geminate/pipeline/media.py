"""Media of predictions into files, and their place in the joined rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from geminate.errors import AccessError, TargetError, UsageError
from geminate.formats.atomic import open_atomic
from geminate.pipeline.outputs import OnStray, OpenRows, RowStream
from geminate.stages.contents import MEDIA
from geminate.stages.keys import KeyColumn
from geminate.wire.content_types import MEDIA_FILES_TYPE
from geminate.wire.media_names import media_name


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
    return replace(stream, schema=schema, rows=_iter_written(stream.rows, folder, schema, at))


def _iter_written(
    rows: Iterator[pa.RecordBatch], folder: MediaFolder, schema: pa.Schema, at: int
) -> Iterator[pa.RecordBatch]:
    row = 0
    earlier: Counter[str] = Counter()
    for record_batch in rows:
        files = []
        for key, media in zip(_keys(record_batch, folder.key_name), record_batch.column(at).to_pylist(), strict=True):
            row += 1
            first = 1 + (earlier[key] if key is not None else 0)
            files.append(media and [_write(blob, folder, key, row, number) for number, blob in enumerate(media, first)])
            if media and key is not None and folder.keys_repeat:
                earlier[key] += len(media)
        columns = [*record_batch.columns]
        columns[at] = pa.array(files, MEDIA_FILES_TYPE)
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _keys(record_batch: pa.RecordBatch, key_name: str | None) -> list[str | None]:
    if key_name not in record_batch.schema.names:
        return [None] * record_batch.num_rows
    keys: list[str | None] = KeyColumn(str(key_name), generated=False).texts(record_batch).to_pylist()
    return keys


def _write(blob: Any, folder: MediaFolder, key: str | None, row: int, number: int) -> Any:
    """Where a medium lies now. One that could not be read keeps its number and has no path."""
    if blob is None or blob["data"] is None:
        return blob and {"path": None, "mime_type": blob["mime_type"], "size_bytes": None}
    path = folder.path / media_name(key, row, number, blob["mime_type"])
    _write_once(path, blob["data"])
    return {"path": str(path), "mime_type": blob["mime_type"], "size_bytes": len(blob["data"])}


def _write_once(path: Path, data: bytes) -> None:
    if path.is_file():
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
        raise TargetError(
            "is there already with other bytes", where=str(path), remedy="remove it, or name a new folder"
        )
    with open_atomic(path) as file:
        file.write(data)
