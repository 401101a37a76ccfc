"""Reads an input file the way the service imports it: all lines first, and one broken rule fails the job."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from geminate.emulator.fields import BrokenRuleError, Field, absorb_object, too_deep
from geminate.emulator.limits import Limits
from geminate.wire.lines import iter_line_blocks

_PIECE_BYTES = 256 * 1024
KEY_NAMES = ("key", "custom_id")
RESULT_NAMES = ("status", "response", "processed_time")
"""The members of a line that only the service writes; in an input they are a former job's."""


@dataclass(slots=True)
class Input:
    """An imported file: where its rows lie and what its fields are, not the rows themselves.

    Attributes:
        uri: The object's URI.
        path: The file that stands for it.
        starts: The byte offset of each row.
        lengths: The length of each row in bytes.
        tokens: For each row a number that its key decides, or its bytes where it has none.
        fields: What the rows hold, path by path; None for a table, which keeps requests as JSON.
        columns: Of a table, the types of its columns.
    """

    uri: str
    path: Path
    starts: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    tokens: array[int] = field(default_factory=lambda: array("Q"))
    fields: Field | None = field(default_factory=Field)
    columns: dict[str, str] = field(default_factory=dict)

    def read_row(self, file: BinaryIO, row: int) -> dict[str, Any]:
        """The row, decoded; ``file`` is the open file of ``path``."""
        text = os.pread(file.fileno(), self.lengths[row], self.starts[row])
        line: dict[str, Any] = msgspec.json.decode(text)
        return line


def iter_import(source: Input, limits: Limits) -> Iterator[int]:
    """The number of rows so far, after each piece of the file; ``source`` is complete at the end.

    Memory is that of a piece, a line, one number each for a row's place, length and token, and the fields.

    Raises:
        BrokenRuleError: The file breaks an import rule or a limit.
    """
    try:
        file = source.path.open("rb")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise BrokenRuleError(f"Not found: URI {source.uri}") from None
    with file:
        if source.fields and os.fstat(file.fileno()).st_size > limits.max_input_bytes:
            raise BrokenRuleError(f"The input file is larger than {limits.max_input_bytes} bytes: {source.uri}")
        for block in iter_line_blocks(iter(lambda: file.read(_PIECE_BYTES), b""), limits.max_input_bytes):
            offset = block.first_offset
            for line in block.lines:
                if line.strip():
                    _take(source, line, offset, limits)
                offset += len(line) + 1
            yield len(source.starts)
    if not source.starts:
        raise BrokenRuleError(f"The input has no requests: {source.uri}")
    if source.fields:
        source.fields.check(limits.max_fields)
        source.fields.order()


def _take(source: Input, line: bytes, offset: int, limits: Limits) -> None:
    if len(source.starts) >= limits.max_requests:
        raise BrokenRuleError(f"The input has more than {limits.max_requests} requests: {source.uri}")
    try:
        row = _decode(line, limits)
        token = _token(row, line)
        for name in RESULT_NAMES:
            row.pop(name, None)
        if source.fields:
            absorb_object(source.fields, row, limits.max_nesting)
    except BrokenRuleError as error:
        raise BrokenRuleError(
            f"Error while reading data, error message: JSON parsing error in row starting at position {offset}: "
            f"{error.reason} File: {source.uri}"
        ) from None
    source.starts.append(offset)
    source.lengths.append(len(line))
    source.tokens.append(token)


def _decode(line: bytes, limits: Limits) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(line)
    except RecursionError:
        raise too_deep(limits.max_nesting) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BrokenRuleError(f"Syntax error: {error}") from None
    if not isinstance(row, dict):
        raise BrokenRuleError("Syntax error: Value is not an object")
    return row


def _token(row: dict[str, Any], line: bytes) -> int:
    keys = (row[name] for name in KEY_NAMES if row.get(name) is not None)
    key = next(keys, None)
    text = line if key is None else msgspec.json.encode(key)
    return int.from_bytes(blake2b(text, digest_size=8).digest())
