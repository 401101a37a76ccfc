"""JSON lines: one object a line, and a line feed is all that ends one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from geminate.errors import PromptError
from geminate.formats.compression import BOM, UTF16_BOMS, iter_plain
from geminate.formats.json_rows import ReadColumns, RowBlock
from geminate.formats.record_batches import Numbered
from geminate.formats.sources import Source
from geminate.wire.lines import DEFAULT_MAX_LINE_BYTES, LineBlock, iter_line_blocks

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_HALF_ERRORS = re.compile("truncated|surrogate|hex escape")  # What msgspec calls it, by what follows.
_AT_BYTE = re.compile(r"\(byte (\d+)\)$")
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_decode_row = msgspec.json.Decoder(dict[str, Any]).decode


def decode_row(text: bytes | msgspec.Raw) -> dict[str, Any]:
    r"""One row; where a \u escape in one of its texts is half of a surrogate pair, the half is in the text.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, RecursionError: It is no JSON object, or there is such a half in a
            name, or within an array or object.
    """
    try:
        return _decode_row(text)
    except msgspec.MsgspecError as error:
        _decode_row(without_halves(text))
        row: dict[str, Any] = json.loads(bytes(text))
        others = [*row, *(value for value in row.values() if not isinstance(value, str))]
        try:
            json.dumps(others, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise error from None
        return row


def without_halves(text: bytes | msgspec.Raw) -> bytes:
    """The JSON text with U+FFFD for each escaped surrogate: what is refused even so has another fault."""
    return _SURROGATE.sub(rb"\\uFFFD", text)


@dataclass(slots=True)
class _Faults:
    """The first line that cannot be read, and how many there are."""

    count: int = 0
    first: tuple[int, int, str] = field(default=(0, 0, ""))

    def add(self, number: int, offset: int, reason: str) -> None:
        self.first = self.first if self.count else (number, offset, reason)
        self.count += 1

    def check(self, name: str) -> None:
        if self.count:
            number, offset, reason = self.first
            others = f", and {self.count - 1:,} more lines cannot be read either" if self.count > 1 else ""
            what = f"{reason} (the line begins at byte {offset:,}){others}"
            raise PromptError(what, where=f"{name}:{number}", remedy="correct or remove the line")


def iter_row_blocks(source: Source, read_columns: ReadColumns) -> Iterator[RowBlock | Numbered]:
    """The rows of all lines that can be read, about a mebibyte at a time; blank lines are no rows.

    Where an object names a member twice, the last one counts.

    Args:
        source: The file.
        read_columns: Makes columns of a block's lines if it can; the lines of other blocks become objects.

    Raises:
        PromptError: After the last line, if any could not be read: the first such line, and how many there are.
    """
    faults = _Faults()
    for block in iter_line_blocks(iter_plain(source)):
        if block.first_offset == 0:
            _take_bom(block, source.name)
        columns = read_columns(block)
        if columns is not None:
            yield Numbered(columns, range(block.first_number, block.number(len(block))))
        else:
            yield _decode_at_once(block) or _decode_one_by_one(block, faults)
    faults.check(source.name)


def explain(line: bytes, error: Exception) -> str:
    """Why a line cannot be read, in words for who wrote it."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not valid UTF-8"
    if _SURROGATE.search(line) and _HALF_ERRORS.search(str(error)):
        return "not valid JSON: a \\u escape is half of a surrogate pair"
    if "Expected `object`" in str(error):
        return "an array and not a JSON object" if line.lstrip().startswith(b"[") else "not a JSON object"
    reason = str(error).removeprefix("JSON is malformed: ").removesuffix(" - at `$[...]`")
    return "not valid JSON: " + _AT_BYTE.sub(r"at its byte \1", reason)


def _decode_at_once(block: LineBlock) -> RowBlock | None:
    if block.overlong:
        return None
    try:
        return RowBlock(list(map(_decode_row, block.lines)), range(block.first_number, block.number(len(block.lines))))
    except _UNREADABLE:
        return None


def _decode_one_by_one(block: LineBlock, faults: _Faults) -> RowBlock:
    rows, numbers = [], []
    for position, line in enumerate(block.lines):
        if position in block.overlong:
            reason = f"a line of {block.overlong[position]:,} bytes, and at most {DEFAULT_MAX_LINE_BYTES:,} are read"
            faults.add(block.number(position), block.offset(position), reason)
        elif line and not line.isspace():
            try:
                rows.append(decode_row(line))
            except _UNREADABLE as error:
                faults.add(block.number(position), block.offset(position), explain(line, error))
            else:
                numbers.append(block.number(position))
    return RowBlock(rows, np.array(numbers, dtype=np.int64))


def _take_bom(block: LineBlock, name: str) -> None:
    if block.lines[0].startswith(UTF16_BOMS):
        raise PromptError("is UTF-16, and JSON lines are UTF-8", where=name, remedy="save it as UTF-8")
    block.lines[0] = block.lines[0].removeprefix(BOM)
