"""The left side of a join: prompts, or the request lines that were sent, with what predictions know them by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa

from geminate.errors import PromptError
from geminate.formats.line_files import LineFile
from geminate.formats.prompts import Prompts, open_prompts
from geminate.formats.spool import Spool
from geminate.pipeline.building.prompt_media import REHEARSED, PromptMedia
from geminate.pipeline.building.templates import compile_spec
from geminate.stages.keys import KEY_COLUMN, KeyColumn, choose_key
from geminate.stages.prompt_store import Reread
from geminate.stages.requests import RequestBlock
from geminate.stages.requests.media import NO_MEDIA
from geminate.stages.specs import Spec
from geminate.wire.canonical import fingerprint
from geminate.wire.keys import decode_keys, encode_keys
from geminate.wire.lines import iter_line_blocks
from geminate.wire.tables import FINGERPRINT_TYPE

REQUEST = "request"
_LINE = "__geminate_line"  # Keeps lines without siblings in the file.
KEY_NAMES = (KEY_COLUMN, "custom_id")
"""What the key is called on lines that nobody told us about."""


@dataclass(frozen=True, slots=True)
class LeftBatch:
    """Some prompts: their columns, their keys as text, and their requests' fingerprints where those can be known."""

    columns: pa.RecordBatch
    keys: pa.StringArray
    fingerprints: pa.FixedSizeBinaryArray | None


@dataclass(frozen=True, slots=True)
class Left:
    """The left side of a join.

    Attributes:
        schema: Its columns.
        key_names: What the key may be called on a prediction line, likeliest first.
        has_fingerprints: Whether its requests can be known, so that predictions without a key can be joined.
        iter_batches: Reads it in order.
        reread: Reads its columns once more, where that is cheap; ``iter_batches`` then brings the key alone.
        by_key: The same without its requests, where to know these means to read all media again.
    """

    schema: pa.Schema
    key_names: tuple[str, ...]
    has_fingerprints: bool
    iter_batches: Callable[[], Iterator[LeftBatch]]
    reread: Reread | None = None
    by_key: Callable[[], Left] | None = None


def open_prompt_side(prompts: Prompts, key_name: str | None, spec: Spec | None) -> Left:
    """Prompts as the left side; with a spec their requests can be known.

    Raises:
        PromptError: They lack the key column.
        SpecError: The spec does not fit them.
    """
    key = choose_key(prompts.schema, key_name)
    schema = key.extend_schema(prompts.schema)
    names = _distinct(key.name, *KEY_NAMES)
    if spec is None and not key.generated and prompts.columnar_bytes is not None:
        reread = Reread(prompts.columnar_bytes, prompts.iter_record_batches)
        return Left(
            schema, names, has_fingerprints=False, iter_batches=partial(_iter_keys, prompts, key), reread=reread
        )
    encoder = compile_spec(spec, schema) if spec else None
    media = PromptMedia(spec, encoder, REHEARSED, prompts.locate) if spec and encoder else None

    def iter_batches() -> Iterator[LeftBatch]:
        row = 0
        batches = prompts.iter_record_batches()
        for record_batch, found in media.iter_resolved(batches) if media else ((batch, NO_MEDIA) for batch in batches):
            columns = key.extend(record_batch, row)
            keys = key.texts(columns)
            prints = _fingerprints(encoder.encode(columns, encode_keys(keys), found)) if encoder else None
            yield LeftBatch(columns, keys, prints)
            row += record_batch.num_rows

    has_media = encoder is not None and bool(encoder.media)
    by_key = partial(open_prompt_side, prompts, key_name, None) if has_media else None
    return Left(schema, names, encoder is not None, iter_batches, by_key=by_key)


def _iter_keys(prompts: Prompts, key: KeyColumn) -> Iterator[LeftBatch]:
    for columns in prompts.iter_columns([key.name]):
        yield LeftBatch(columns, key.texts(columns), None)


def open_request_side(files: list[LineFile], key_name: str | None) -> Left:
    """Request lines as the left side: their columns are the siblings of ``request``.

    The siblings go through a temporary file, which the left side keeps; 16 bytes a line stay in memory.

    Raises:
        PromptError: A line is no request line, or ``key_name`` is a member that no line has.
    """
    spool = Spool()
    prints: list[bytes | None] = []
    prompts = open_prompts(spool.keep("siblings.jsonl", _iter_siblings(files, prints)))
    schema = pa.schema([field for field in prompts.schema if field.name != _LINE], prompts.schema.metadata)
    present = [name for name in KEY_NAMES if name in schema.names]
    key = choose_key(schema, key_name or next(iter(present), None))
    return Left(
        key.extend_schema(schema),
        _distinct(key.name, *KEY_NAMES),
        has_fingerprints=True,
        iter_batches=partial(_iter_requests, spool, prompts, key, prints),
    )


def holds_requests(file: LineFile) -> bool:
    """Whether the first line of a file is a request line."""
    for block in iter_line_blocks(file.iter_pieces()):
        for line in block.lines:
            if line.strip():
                try:
                    members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    return False
                return bytes(members.get(REQUEST, b"")).lstrip().startswith(b"{")
    return False


def _iter_requests(spool: Spool, prompts: Prompts, key: KeyColumn, prints: list[bytes | None]) -> Iterator[LeftBatch]:
    del spool  # Its file is what the prompts read from; it lives as long as this does.
    row = 0
    for record_batch in prompts.iter_record_batches():
        own = record_batch.select([name for name in record_batch.schema.names if name != _LINE])
        columns = key.extend(own, row)
        keys = decode_keys(key.texts(columns))
        rows = record_batch.num_rows
        yield LeftBatch(columns, keys, pa.array(prints[row : row + rows], FINGERPRINT_TYPE))
        row += rows


def _iter_siblings(files: list[LineFile], prints: list[bytes | None]) -> Iterator[bytes]:
    for file in files:
        for block in iter_line_blocks(file.iter_pieces()):
            for position, line in enumerate(block.lines):
                if line.strip():
                    number = block.number(position)
                    members, request = _split_line(line, f"{file.name}:{number}")
                    prints.append(fingerprint(request))
                    yield msgspec.json.encode(members | {_LINE: number}) + b"\n"


def _split_line(line: bytes, where: str) -> tuple[dict[str, Any], msgspec.Raw]:
    try:
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        request = members.pop(REQUEST)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError) as error:
        reason = "it has no member 'request'" if isinstance(error, KeyError) else str(error)
        raise PromptError(f"not a request line ({reason})", where=where, remedy="run geminate check on it") from error
    return members, request


def _fingerprints(block: RequestBlock) -> pa.FixedSizeBinaryArray:
    lines = block.lines.cast(pa.large_binary()).to_pylist()
    prints = [None if line is None else fingerprint(_split_line(line, "")[1]) for line in lines]
    return pa.array(prints, FINGERPRINT_TYPE)


def _distinct(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
