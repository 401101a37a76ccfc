"""How many tokens a text has, by what scripts it is written in: a heuristic, dated and measured.

Each character has a class, told by its first byte in UTF-8, and a weight that depends on the class before it.
``data/tokens.json`` has both, where they come from and how wrong they are.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.wire.limits import read_data

Floats = npt.NDArray[np.float64]

# Weights are summed as bytes: whole multiples of these.
_WEIGHT_STEP = 0.01
_SPREAD_STEP = 0.002
_CLASS_BITS = 4
_MAX_NARROW_CHARS = 2**32 // 256
_INNER_BYTES = bytes(range(0x80, 0xC0))


class TokenCounts(NamedTuple):
    """Tokens of each text of a column.

    Attributes:
        likely: The estimate.
        spread: How far the count may lie from it, in tokens, either way.
    """

    likely: Floats
    spread: Floats


class _Class(msgspec.Struct):
    name: str
    first_bytes: list[str]
    start: float
    inside: float
    spread: float
    after: dict[str, float] = {}


class _TokensFile(msgspec.Struct):
    classes: list[_Class]


class _Tables(NamedTuple):
    """Each byte's class; by pair of classes, weight and spread in their steps; the class that a text begins behind."""

    classes: bytes
    weights: bytes
    spreads: bytes
    outset: int


def count_tokens(texts: pa.LargeStringArray) -> TokenCounts:
    """The tokens of each text; of a null, none. Memory is a few bytes for each of the column's.

    The spread is the column's as a whole, given to its texts by their share.
    """
    tables = _tables()
    chars = pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate(([0], np.cumsum(chars)))
    classes = np.frombuffer(_values(texts).translate(tables.classes, _INNER_BYTES), np.uint8)
    before = np.empty_like(classes)
    before[1:] = classes[:-1]
    filled = np.flatnonzero(chars)
    before[ends[filled]] = tables.outset
    pairs = (before << _CLASS_BITS | classes).tobytes()
    likely = np.zeros(len(texts))
    sums = np.uint32 if len(pairs) < _MAX_NARROW_CHARS else np.uint64
    if len(filled):
        weights = np.frombuffer(pairs.translate(tables.weights), np.uint8)
        likely[filled] = np.add.reduceat(weights, ends[filled], dtype=sums) * _WEIGHT_STEP
    spread = int(np.frombuffer(pairs.translate(tables.spreads), np.uint8).sum(dtype=sums)) * _SPREAD_STEP
    return TokenCounts(likely, likely * (spread / max(likely.sum(), 1.0)))


def _values(texts: pa.LargeStringArray) -> bytes:
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    _, offsets, values = texts.buffers()
    ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(memoryview(values or b"")[int(ends[0]) : int(ends[-1])])


@cache
def _tables() -> _Tables:
    kinds = msgspec.json.decode(read_data("tokens.json"), type=_TokensFile).classes
    classes = bytearray(256)
    weights, spreads = np.zeros((2, 256), np.uint8)
    for number, kind in enumerate(kinds):
        for first, last in (block.split("-") for block in kind.first_bytes):
            start, stop = int(first, 16), int(last, 16) + 1
            classes[start:stop] = bytes([number]) * (stop - start)
        for position, before in enumerate(kinds):
            weight = kind.after.get(before.name, kind.inside if before is kind else kind.start)
            pair = position << _CLASS_BITS | number
            weights[pair] = round(weight / _WEIGHT_STEP)
            spreads[pair] = round(weight * kind.spread / _SPREAD_STEP)
    return _Tables(bytes(classes), weights.tobytes(), spreads.tobytes(), classes[ord("\n")])
