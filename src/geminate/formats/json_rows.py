"""Rows that arrive as JSON objects or mappings, made into record batches of one schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from geminate.errors import PromptError
from geminate.formats.json_columns import read_columns
from geminate.formats.kept_rows import KeptRows
from geminate.formats.record_batches import STEP_ROWS, Numbered
from geminate.formats.shapes import Shape
from geminate.wire.lines import LineBlock

_MISFITS = (pa.ArrowException, UnicodeError, OverflowError, TypeError, RecursionError)


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Consecutive rows of one source.

    Attributes:
        rows: The objects.
        numbers: Each row's number in its source.
    """

    rows: Sequence[Mapping[str, Any]]
    numbers: Sequence[int] | np.ndarray


ReadColumns = Callable[[LineBlock], pa.RecordBatch | None]
IterBlocks = Callable[[ReadColumns], Iterator[RowBlock | Numbered]]


def observe_blocks(shape: Shape, iter_blocks: IterBlocks, name: str, kept: KeptRows | None = None) -> None:
    """Nothing; the shape takes in all rows, and they are kept in the types that it has found by then.

    Raises:
        PromptError: A column holds values that no one Arrow type does.
    """
    for block in iter_blocks(lambda lines: read_columns(lines, pa.schema(shape.arrow_fields))):
        try:
            if isinstance(block, Numbered):
                shape.observe_columns(block.record_batch)
            else:
                shape.observe_rows(block.rows)
            if kept:
                for part in _iter_parts(block, shape, name):
                    kept.add(part)
        except (pa.ArrowException, TypeError, UnicodeEncodeError) as error:
            raise PromptError(f"its columns cannot be typed ({error})", where=name) from error


def iter_typed(iter_blocks: IterBlocks, shape: Shape, name: str) -> Iterator[Numbered]:
    """The rows as record batches of the shape's columns; a column that a row lacks is null there.

    Raises:
        PromptError: A value is not of the type found, which for a file means that it has changed.
    """
    schema = pa.schema(shape.arrow_fields)
    for block in iter_blocks(lambda lines: read_columns(lines, schema)):
        yield from _iter_parts(block, shape, name)


def _iter_parts(block: RowBlock | Numbered, shape: Shape, name: str) -> Iterator[Numbered]:
    if isinstance(block, Numbered):
        yield block
        return
    schema = pa.schema(shape.arrow_fields)
    columns = [_Column(field.name, field.type, shape.fields[field.name].rewriter()) for field in schema]
    for start in range(0, len(block.rows), STEP_ROWS):
        rows, numbers = block.rows[start : start + STEP_ROWS], block.numbers[start : start + STEP_ROWS]
        arrays = []
        for column in columns:
            values = [row.get(column.name) for row in rows]
            try:
                arrays.append(column.array(values))
            except _MISFITS as error:
                number = next(n for n, value in zip(numbers, values, strict=True) if not column.fits(value))
                reason = f"column {column.name!r} cannot hold this value ({error})"
                raise PromptError(reason, where=f"{name}:{number}") from error
        yield Numbered(pa.RecordBatch.from_arrays(arrays, schema=schema), numbers)


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: pa.DataType
    rewrite: Callable[[Any], Any] | None

    def array(self, values: list[Any]) -> pa.Array:
        values = list(map(self.rewrite, values)) if self.rewrite else values
        try:
            return pa.array(values, self.type)
        except UnicodeEncodeError:
            if self.type != pa.string():
                raise
            # Half of a surrogate pair is no UTF-8, which is for the build to tell: it rejects the row alone.
            halves = [value if value is None else value.encode("utf-8", "surrogatepass") for value in values]
            return pa.array(halves, pa.binary()).view(pa.string())

    def fits(self, value: Any) -> bool:
        try:
            self.array([value])
        except _MISFITS:
            return False
        return True
