"""Record batches of prompts to blocks of request lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geminate.stages.checks.fields import Node
from geminate.stages.requests.cells import Columns, Faults, JsonReader, Reader
from geminate.stages.requests.escapes import escape_json
from geminate.stages.requests.faults import find_text_faults, find_value_faults
from geminate.stages.requests.media import NO_MEDIA, MediaColumns, MediaReader, MediaSlot
from geminate.stages.requests.values import TEXT, find_rows, unwrap
from geminate.wire.texts import find_invalid
from geminate.wire.violations import Violation

# Columns of this size and what is made of them stay near the processor; larger ones run at the speed of page faults.
_BLOCK_BYTES = 4 * 1024 * 1024

_KEYLESS = Violation("schema.null_slot", "the key is null; fill it, or name another column as the key", "$.key")

_EMPTY = pa.scalar("", TEXT)
_NULL = pa.scalar(None, TEXT)


@dataclass(frozen=True, slots=True)
class RequestBlock:
    r"""The request lines of one record batch.

    Attributes:
        lines: One for each row, ending in ``\n``; null where the row is rejected. Their values buffer, without the
            nulls' empty ranges, is JSONL.
        violations: Why rows are rejected, by their position in the record batch; each has its path, but neither file,
            line nor key.
    """

    lines: pa.LargeStringArray
    violations: list[tuple[int, Violation]]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value of the request that rows fill and that can be wrong.

    Attributes:
        pieces: Texts, and positions of readers.
        field: Its field, as ``Definition.name``.
        node: What the field holds.
        path: Where its violations are.
    """

    pieces: tuple[str | int, ...]
    field: str
    node: Node
    path: str


@dataclass(frozen=True, slots=True)
class RequestEncoder:
    """A spec, made ready to encode prompts; ``compile_requests`` makes it. Holds no state between calls.

    Attributes:
        request: The request with its slots and the answer schema in place, for a check of all that does not vary.
        free_paths: Where cells bring JSON of their own. Where there are any, the lines themselves need a check;
            otherwise lines are right if ``request`` is.
        columns: The prompts' columns that are read.
        media: The slots whose cells are media; what becomes of them is given to ``encode``.
        readers: One for each different slot or template.
        fragments: JSON text, and positions of readers, that follow the key in a line.
        leaves: What is checked.
    """

    request: dict[str, Any] | str
    free_paths: tuple[str, ...]
    columns: tuple[str, ...]
    media: tuple[MediaSlot, ...]
    readers: tuple[Reader | MediaReader, ...]
    fragments: tuple[str | int, ...]
    leaves: tuple[Leaf, ...]

    def encode(
        self, record_batch: pa.RecordBatch, wire_keys: pa.StringArray, media: MediaColumns = NO_MEDIA
    ) -> RequestBlock:
        """The record batch's request lines, in its order.

        A line is the same bytes whatever record batch its row came in, and those that ``msgspec.json.encode`` makes of
        the filled request. Memory is that of the lines.

        Args:
            record_batch: The prompts.
            wire_keys: Their keys as they travel; a row without one is rejected.
            media: Their media, if there are slots for any; a row whose media have a fault is rejected.
        """
        keys, faults = _clean(wire_keys.cast(TEXT), "key")
        faults += [(row, _KEYLESS) for row in find_rows(wire_keys.is_null())]
        faults += media.faults
        columns = dict(media.columns)
        for name in self.columns:
            columns[name], more = _clean(unwrap(record_batch.column(name)), name)
            faults += more
        rows = record_batch.num_rows
        step = max(1, rows * _BLOCK_BYTES // (sum(column.nbytes for column in columns.values()) + 1))
        lines = []
        for start in range(0, rows, step):
            block = {name: column.slice(start, step) for name, column in columns.items()}
            known = [(row - start, fault) for row, fault in faults if start <= row < start + step]
            encoded = self._encode_block(block, keys.slice(start, step), known)
            lines.append(encoded.lines)
            faults += [(start + row, fault) for row, fault in encoded.violations]
        faults.sort(key=lambda fault: fault[0])
        whole = lines[0] if len(lines) == 1 else pa.concat_arrays(lines or [pa.array([], TEXT)])
        return RequestBlock(whole, faults)

    def _encode_block(self, columns: Columns, keys: pa.LargeStringArray, known: Faults) -> RequestBlock:
        """The block's lines, and what faults it has beyond the known ones."""
        cells = [reader.read(columns) for reader in self.readers]
        rejected = {row for row, _ in known}
        # A column that is not UTF-8 is null by now, and need not be reported as that, too.
        faults = [fault for read in cells for fault in read.faults if fault[0] not in rejected]
        texts = [read.texts for read in cells]
        for leaf in self.leaves:
            faults += self._check(leaf, texts)
        rejected.update(row for row, _ in faults)
        if rejected:
            mask = np.zeros(len(keys), np.bool_)
            mask[list(rejected)] = True
            keys = pc.if_else(pa.array(mask), _NULL, keys)
        ready = [
            read if _is_json(reader) else escape_json(read) for reader, read in zip(self.readers, texts, strict=True)
        ]
        return RequestBlock(_join(('{"key":"', escape_json(keys), *self.fragments), ready), faults)

    def _check(self, leaf: Leaf, texts: Sequence[pa.LargeStringArray]) -> Faults:
        if len(leaf.pieces) == 1 and isinstance(leaf.pieces[0], int):
            position = leaf.pieces[0]
            if isinstance(self.readers[position], JsonReader):
                return find_value_faults(texts[position], leaf.node, leaf.path)
            return find_text_faults(texts[position], leaf.field, leaf.node, leaf.path)
        return find_text_faults(_join(leaf.pieces, texts), leaf.field, leaf.node, leaf.path)


def _is_json(reader: Reader | MediaReader) -> bool:
    return isinstance(reader, JsonReader) or (isinstance(reader, MediaReader) and reader.is_json)


def _join(
    fragments: Sequence[str | int | pa.LargeStringArray], texts: Sequence[pa.LargeStringArray]
) -> pa.LargeStringArray:
    parts = [
        texts[part] if isinstance(part, int) else pa.scalar(part, TEXT) if isinstance(part, str) else part
        for part in fragments
    ]
    return pc.binary_join_element_wise(*parts, _EMPTY)


def join_lines(lines: pa.LargeStringArray) -> memoryview:
    """The lines as they stand in a file, nulls left out; no copy where there are none."""
    lines = lines.drop_null() if lines.null_count else lines
    _, offsets, values = lines.buffers()
    ends = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(values or b"")[int(ends[0]) : int(ends[-1])]


def _clean(column: pa.Array, name: str) -> tuple[pa.Array, Faults]:
    """The column with nulls for what is not UTF-8, which Arrow lets pass, and the faults."""
    rows = find_invalid(column)
    if not rows:
        return column, []
    mask = np.zeros(len(column), np.bool_)
    mask[rows] = True
    fault = Violation("json.encoding", f"{name!r} is not UTF-8, or has half of a surrogate pair; write its text anew")
    return column.take(pa.array(np.arange(len(column)), mask=mask)), [(row, fault) for row in rows]
