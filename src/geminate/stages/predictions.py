"""Lines to decoded predictions: one record batch a block, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from geminate.stages.columns import build_columns, judge_answers
from geminate.stages.ordinary import read_ordinary
from geminate.stages.reading import ReadOptions
from geminate.wire.leniency import decode_leniently
from geminate.wire.lines import LineBlock, is_utf8
from geminate.wire.predictions import Unreadable, is_request_line, strict_decoder
from geminate.wire.unreadable import explain_unreadable, salvage_key

_BOM = b"\xef\xbb\xbf"
_NO_PREDICTION = frozenset({Unreadable, type(None)})


@dataclass(frozen=True, slots=True)
class DecodedBlock:
    """One block of lines, decoded: its predictions and its unreadable lines are together all its lines.

    Attributes:
        predictions: The decoded predictions in file order, as ``ReadOptions.schema`` says.
        unreadable: The lines that are none, by their position in the block.
        source: The file.
        block: The lines themselves, for those that have to be written out again.
    """

    predictions: pa.RecordBatch
    unreadable: dict[int, Unreadable]
    source: str = ""
    block: LineBlock = field(default_factory=lambda: LineBlock(b""))


def iter_prediction_batches(
    blocks: Iterable[LineBlock], *, source: str, reading: ReadOptions
) -> Iterator[DecodedBlock]:
    """The decoded blocks, in order; every line that is not blank is in one of them, as a prediction or as unreadable.

    Memory is that of one block. Nothing that stands in a line raises.
    """
    for block in blocks:
        yield replace(decode_block(block, reading), source=source, block=block)


def decode_block(block: LineBlock, reading: ReadOptions) -> DecodedBlock:
    """One block, decoded, without its source and lines, so that it travels lightly between processes."""
    known = _overlong(block, reading.key_name) | _invalid_utf8(block, reading.key_name)
    found = None if known else read_ordinary(block, reading)
    if found is None:
        columns, positions, unreadable = _decode_carefully(block, range(len(block)), reading, known)
    else:
        ordinary, columns = found
        odd = np.flatnonzero(~ordinary)
        positions = np.arange(len(block))
        unreadable = {}
        if len(odd):
            others, kept, unreadable = _decode_carefully(block, odd.tolist(), reading, known)
            places = np.arange(len(block))
            places[kept] = len(block) + np.arange(len(kept))
            positions = np.delete(positions, list(unreadable))
            taken = pa.array(places[positions])
            columns = {name: pa.concat_arrays([columns[name], others[name]]).take(taken) for name in columns}
    columns |= judge_answers(columns, reading.answer)
    columns["line"] = pa.array(block.first_number + positions)
    columns["offset"] = pa.array(block.offsets()[positions])
    schema = reading.schema
    batch = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
    return DecodedBlock(batch, unreadable)


def _decode_carefully(
    block: LineBlock, positions: Sequence[int], reading: ReadOptions, known: dict[int, Unreadable]
) -> tuple[dict[str, pa.Array], npt.NDArray[np.int64], dict[int, Unreadable]]:
    """The columns of the lines at these positions, whose they are, and the unreadable lines among them."""
    lines = block.lines if len(positions) == len(block) else [block.line(at) for at in positions]
    if block.first_offset == 0 and lines and positions[0] == 0 and lines[0].startswith(_BOM):
        lines = [lines[0].removeprefix(_BOM), *lines[1:]]
    decoded = _decode_lines(
        lines, reading, {at: known[position] for at, position in enumerate(positions) if known and position in known}
    )
    decoded = [_or_request_line(each, line) for each, line in zip(decoded, lines, strict=True)]
    kept = [at for at, prediction in enumerate(decoded) if type(prediction) not in _NO_PREDICTION]
    unreadable = {}
    if len(kept) < len(lines):
        found = {positions[at]: line for at, line in enumerate(decoded) if type(line) is Unreadable}
        unreadable = {at: _or_truncated(line, block, at) for at, line in found.items()}
        decoded, lines = [decoded[at] for at in kept], [lines[at] for at in kept]
    return build_columns(decoded, lines, reading), np.asarray(positions, np.int64)[kept], unreadable


def _or_request_line(prediction: Any, line: bytes) -> Any:
    """The same, or that the line is a request: of a folder, both kinds of lines may have been named."""
    if type(prediction) in _NO_PREDICTION:
        return prediction
    given = (prediction.status, prediction.processed_time, prediction.response, prediction.error)
    if any(value is not None for value in given) or not is_request_line(line):
        return prediction
    return Unreadable("request_line", "it is a request line, which nobody has answered", prediction.key)


def _decode_lines(lines: list[bytes], reading: ReadOptions, known: dict[int, Unreadable]) -> list[Any]:
    """For each line its prediction, or that it is unreadable, or None where it is blank."""
    decode = strict_decoder(
        reading.key_name,
        with_request=reading.fingerprints != "none",
        with_members=reading.keep_response or reading.with_siblings or bool(reading.contents),
    )
    if known:
        lines = [b"" if at in known else line for at, line in enumerate(lines)]
    decoded: list[Any] = []
    remaining = iter(lines)
    while len(decoded) < len(lines):
        try:
            decoded.extend(map(decode, remaining))
        except (ValueError, RecursionError):  # MsgspecError is a ValueError. What came before stays in the list.
            at = len(decoded)
            blank = not lines[at] or lines[at].isspace()
            decoded.append(known.get(at) if blank else decode_leniently(lines[at], reading.key_name))
    return decoded


def _overlong(block: LineBlock, key_name: str | None) -> dict[int, Unreadable]:
    return {
        at: Unreadable("overlong", f"the line is {length} bytes long", salvage_key(block.lines[at], key_name))
        for at, length in block.overlong.items()
    }


def _invalid_utf8(block: LineBlock, key_name: str | None) -> dict[int, Unreadable]:
    """The lines that are not UTF-8. The decoders skip what they do not read, so that they would not see all of them."""
    if is_utf8(block.data):
        return {}
    broken = {}
    for at, line in enumerate(block.lines):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            if at not in block.overlong:  # Its beginning may have been cut within a character.
                broken[at] = explain_unreadable(line, error, key_name)
    return broken


def _or_truncated(unreadable: Unreadable, block: LineBlock, position: int) -> Unreadable:
    """The same, or that the file ends within the line."""
    is_last = not block.terminated and position == len(block) - 1
    if not is_last or unreadable.reason != "invalid_json":
        return unreadable
    return msgspec.structs.replace(unreadable, reason="truncated", message="the file ends within this line")
