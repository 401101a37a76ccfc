"""JSON lines to columns by Arrow's own reader, without a Python object a value.

Arrow's reader takes some lines for good that are not, stumbles over others, and has its own view of some numbers. So it
gets only lines that msgspec has found to be JSON, into columns of known plain types, and what it makes is used only
where it is what reading row by row makes of the same lines.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geminate.wire.lines import LineBlock, is_utf8

_PLAIN_TYPES: Final = frozenset({pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.null()})
_EXACT: Final = float(2**53)


class _AnyObject(msgspec.Struct):
    """Any object; its members are skipped, which checks their syntax all the same."""


_skip_lines = msgspec.json.Decoder(_AnyObject).decode_lines


def read_columns(block: LineBlock, schema: pa.Schema) -> pa.RecordBatch | None:
    """The block's rows in this schema, absent members null; None where that has to be found out row by row.

    So it has where a line is blank or no JSON object, a member is not in the schema or not of its type, stands twice,
    or has digits that a float does not keep.
    """
    if not len(schema) or not _PLAIN_TYPES.issuperset(schema.types):
        return None
    if not block.are_objects() or not is_utf8(block.data):
        return None
    import pyarrow.json as pj

    reading = pj.ReadOptions(use_threads=False, block_size=len(block.data) + 1)
    parsing = pj.ParseOptions(explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior="error")
    try:
        _skip_lines(block.data)
        table = pj.read_json(pa.BufferReader(block.data), reading, parsing)
    except (msgspec.MsgspecError, pa.ArrowException, RecursionError):
        return None
    batches = table.to_batches()
    if len(batches) != 1 or batches[0].num_rows != len(block):
        return None
    return batches[0] if all(map(_is_exact, batches[0].columns)) else None


def _is_exact(column: pa.Array) -> bool:
    """Whether no float can have been an integer of too many digits, or the integer -0, which is 0."""
    if not pa.types.is_floating(column.type):
        return True
    numbers = pc.fill_null(column, 1.0).to_numpy()
    return bool((np.abs(numbers) < _EXACT).all() and not (np.signbit(numbers) & (numbers == 0)).any())
