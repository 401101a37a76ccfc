"""Every prompt gets a key, unique in the run: it is what the prediction is joined by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.errors import PromptError
from geminate.stages.requests.values import text_of
from geminate.wire.texts import find_invalid

KEY_COLUMN = "key"

Hashes = npt.NDArray[np.uint64]

# Keys are short; one that is not would make every key's hash take its number of steps.
_MAX_MIXED_BYTES = 64
_WORD_BYTES = 8
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(_WORD_BYTES + 1)], np.uint64)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """Which column holds the key.

    Attributes:
        name: The column's name.
        generated: Whether the prompts lack it, so that keys are made from row numbers.
    """

    name: str
    generated: bool

    def extend_schema(self, schema: pa.Schema) -> pa.Schema:
        """The prompts' schema with the key column, which stands first where it is generated."""
        return schema.insert(0, pa.field(self.name, pa.string())) if self.generated else schema

    def extend(self, prompts: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """The record batch with its key column; ``first_row`` counts from 0 over the whole prompt set."""
        if not self.generated:
            return prompts
        numbers = pa.array(np.arange(first_row + 1, first_row + 1 + prompts.num_rows)).cast(pa.string())
        keys = pc.binary_join_element_wise("r-", pc.utf8_lpad(numbers, 9, "0"), "")
        schema = self.extend_schema(prompts.schema)
        return pa.RecordBatch.from_arrays([keys, *prompts.columns], schema=schema)

    def texts(self, prompts: pa.RecordBatch) -> pa.StringArray:
        """The keys as text, null where a prompt has none; an empty key is none, nor is one that is not UTF-8."""
        texts = text_of(prompts.column(self.name)).cast(pa.string())
        is_none = pc.equal(texts, "").to_numpy(zero_copy_only=False)
        is_none[find_invalid(texts)] = True
        return pc.if_else(pa.array(is_none, pa.bool_()), None, texts)


def choose_key(schema: pa.Schema, wanted: str | None) -> KeyColumn:
    """The column that the caller names, else one called ``key``, else a generated one.

    Raises:
        PromptError: The prompts lack the named column, or its type cannot be a key.
    """
    name = wanted or KEY_COLUMN
    if name in schema.names:
        kind = schema.field(name).type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise PromptError(
                f"a column of type {kind} cannot be the key",
                where=f"column {name!r}",
                remedy="name a text or number column with --key",
            )
        return KeyColumn(name, generated=False)
    if wanted is None:
        return KeyColumn(KEY_COLUMN, generated=True)
    close = get_close_matches(wanted, schema.names, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"the columns are {', '.join(schema.names)}"
    raise PromptError("the prompts have no such column", where=f"--key {wanted}", remedy=hint)


class KeyRegister:
    """Notices keys that stand twice, at eight bytes a key.

    Hashes tell which rows may be equal; only those rows' texts are compared, by ``find_duplicate``.
    """

    def __init__(self) -> None:
        self._hashes: list[Hashes] = []

    def add(self, texts: pa.StringArray) -> None:
        """Nothing; the next rows' keys are remembered."""
        self._hashes.append(_hash_texts(texts))

    def candidate_rows(self) -> set[int]:
        """The rows, from 0, whose keys may be equal to another row's."""
        if not self._hashes:
            return set()
        hashes = np.concatenate(self._hashes)
        in_order = np.sort(hashes)
        if not (in_order[1:] == in_order[:-1]).any():
            return set()
        order = np.argsort(hashes, kind="stable")
        same = hashes[order][1:] == hashes[order][:-1]
        return {*order[1:][same].tolist(), *order[:-1][same].tolist()}


def _hash_texts(texts: pa.StringArray) -> Hashes:
    """A hash of each text, made eight bytes at a time of all texts at once; good within this process only."""
    _, offsets_buffer, values_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32, len(texts) + 1, texts.offset * 4).astype(np.int64)
    starts, lengths = offsets[:-1], np.diff(offsets)
    values = bytes(memoryview(values_buffer or b"")[: offsets[-1]]) + bytes(_WORD_BYTES)
    words = np.ndarray(len(values) - _WORD_BYTES + 1, np.uint64, values, strides=(1,))
    hashes = lengths.astype(np.uint64)
    for at in range(0, min(int(lengths.max(initial=0)), _MAX_MIXED_BYTES), _WORD_BYTES):
        left = np.clip(lengths - at, 0, _WORD_BYTES)
        word = words[np.minimum(starts + at, len(words) - 1)] & _MASKS[left]
        mixed = (hashes ^ word) * _MULTIPLIER
        hashes = np.where(left > 0, mixed ^ (mixed >> np.uint64(32)), hashes)
    for row in np.flatnonzero(lengths > _MAX_MIXED_BYTES):
        hashes[row] = np.int64(hash(texts[int(row)].as_py())).view(np.uint64)
    return hashes


def find_duplicate(rows: Iterable[tuple[int, str]]) -> tuple[int, int, str] | None:
    """The first row, the second row and the key of the first key that stands twice among these, if one does."""
    seen: dict[str, int] = {}
    for row, key in rows:
        if key in seen:
            return seen[key], row, key
        seen[key] = row
    return None
