"""JSON string escaping of a whole Arrow column at once.

Escaping a concatenation is concatenating the escapes, so a column's values buffer is escaped in one go: the bytes that
need a backslash are found in it, it is cut before each of them, and the pieces are joined again with backslashes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.stages.checks.cutting import Positions, find_specials

_BACKSLASH = pa.scalar("\\", pa.large_string())

# What follows the backslash: the byte itself for quote and backslash, a letter for the control characters that have
# one, and 0 for the others, which are written \u00xx.
_LETTER = np.zeros(256, np.uint8)
for _byte, _letter in zip(b'"\\\n\r\t\b\f', b'"\\nrtbf', strict=True):
    _LETTER[_byte] = _letter


def escape_json(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    r"""The texts as they stand between the quotes of a JSON string, nulls kept.

    Escaped are ``\" \\ \n \r \t \b \f`` and, as ``\u00xx``, the other control characters below a blank; nothing else,
    as ``msgspec.json.encode`` does it. A column that needs no escape comes back as it is. The texts must be valid
    UTF-8.
    """
    offsets, values = _buffers(texts)
    found = find_specials(values)
    if not found.size:
        return texts
    letters = _LETTER[values[found]]
    has_letter = letters > 0
    rest = np.unique(values[found[~has_letter]])
    if rest.size:
        found, letters = found[has_letter], letters[has_letter]
    escaped = _insert_backslashes(values, found)
    np.frombuffer(escaped, np.uint8)[found + np.arange(1, found.size + 1)] = letters
    result = _rebuild(texts, offsets + np.searchsorted(found, offsets), escaped)
    for byte in rest:
        result = pc.replace_substring(result, pattern=chr(byte), replacement=f"\\u{byte:04x}")
    return result


def _buffers(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The offsets from 0, and the bytes they point into, of this slice alone."""
    _, offsets_buffer, values_buffer = texts.buffers()
    if offsets_buffer is None or values_buffer is None or not len(texts):
        return np.zeros(len(texts) + 1, np.int64), np.zeros(0, np.uint8)
    offsets = np.frombuffer(offsets_buffer, np.int64, len(texts) + 1, texts.offset * 8)
    values = np.frombuffer(values_buffer, np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], values


def _insert_backslashes(values: npt.NDArray[np.uint8], positions: Positions) -> pa.Buffer:
    cuts = np.empty(positions.size + 2, np.int64)
    cuts[0], cuts[1:-1], cuts[-1] = 0, positions, values.size
    pieces = pa.LargeStringArray.from_buffers(cuts.size - 1, pa.py_buffer(cuts), pa.py_buffer(values))
    whole = pa.LargeListArray.from_arrays(pa.array([0, len(pieces)], pa.int64()), pieces)
    return pc.binary_join(whole, _BACKSLASH).buffers()[2]


def _rebuild(texts: pa.LargeStringArray, offsets: npt.NDArray[np.int64], values: Any) -> pa.LargeStringArray:
    validity = texts.is_valid().buffers()[1] if texts.null_count else None
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), values, validity, texts.null_count)
