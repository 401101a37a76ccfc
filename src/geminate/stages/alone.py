"""Predictions by themselves: every line a row, in file order, beside its siblings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, NoneType
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geminate.errors import UsageError
from geminate.stages.join import JoinOptions
from geminate.stages.predictions import DecodedBlock
from geminate.stages.report import JoinReport
from geminate.stages.rows import Origin, assemble_rows, joined_schema
from geminate.stages.spooling import Spool
from geminate.stages.strays import Stray, iter_unreadable
from geminate.wire.keys import decode_keys
from geminate.wire.tables import TOKEN_COLUMNS

_SLOT = 0
_INT64 = range(-(2**63), 2**63)
_decode_siblings = msgspec.json.Decoder(dict[str, Any]).decode
_decode_raw_siblings = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

# What a sibling's values have to be, all of them, for its column to have a type of its own.
_SIBLING_TYPES: Mapping[frozenset[type], pa.DataType] = MappingProxyType(
    {
        frozenset({bool}): pa.bool_(),
        frozenset({int}): pa.int64(),
        frozenset({float}): pa.float64(),
        frozenset({int, float}): pa.float64(),
    }
)


class LonePredictions:
    """Reads in two steps, since only the last line tells which siblings there are: all predictions in, all rows out.

    Args:
        options: How to read; ``reading`` has to ask for the siblings.
        spool: Where what does not fit in memory goes; the caller closes it.
        on_stray: Called with each line that is unreadable, as soon as it is found.

    Attributes:
        report: The counts; complete after the last row.

    Raises:
        UsageError: The options leave the siblings out.
    """

    def __init__(self, options: JoinOptions, spool: Spool, on_stray: Callable[[Stray], None]) -> None:
        if not options.reading.with_siblings:
            raise UsageError("predictions alone need their siblings", remedy="read them with with_siblings=True")
        self.report = JoinReport()
        self._options = options
        self._spool = spool
        self._on_stray = on_stray
        self._origins: dict[Origin, int] = {}
        self._kinds: dict[str, set[type]] = {}

    def add_predictions(self, decoded: DecodedBlock, attempt: int = 1, job: str | None = None) -> None:
        """Nothing; the predictions come after those before."""
        predictions = decoded.predictions
        self.report.lines += predictions.num_rows + len(decoded.unreadable)
        self.report.unreadable += len(decoded.unreadable)
        for stray in iter_unreadable(decoded):
            self._on_stray(stray)
        for siblings in self._iter_kinds_of_siblings(predictions):
            for name, kind in siblings.items():
                self._kinds.setdefault(name, set()).add(kind)
        origin = self._origins.setdefault(Origin(decoded.source, attempt, job), len(self._origins))
        origins = pa.repeat(pa.scalar(origin, pa.int32()), predictions.num_rows)
        self._spool.append(_SLOT, predictions.append_column("origin", origins))

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows: a column for each sibling seen so far, then those of the predictions.

        Raises:
            UsageError: A sibling has the name of a column that is to be added.
        """
        siblings = [pa.field(name, _column_type(kinds)) for name, kinds in self._kinds.items()]
        return joined_schema(pa.schema(siblings), self._options.reading, self._options.prefix)

    def iter_rows(self) -> Iterator[pa.RecordBatch]:
        """The rows, in the order of the lines; afterwards the report is complete."""
        schema, origins = self.schema, list(self._origins)
        for predictions in self._spool.read(_SLOT):
            extras = {"duplicates": pa.array(np.zeros(predictions.num_rows, np.int32))}
            self._count(predictions)
            inputs = self._sibling_columns(predictions, schema)
            yield assemble_rows(schema, inputs, predictions, origins, extras)

    def _iter_kinds_of_siblings(self, predictions: pa.RecordBatch) -> Iterator[dict[str, type]]:
        """The kinds of the siblings' values; once for all rows that have only a key."""
        siblings, keys = predictions.column("siblings"), predictions.column("key")
        key_name = self._options.reading.key_name
        only_key = pc.and_(pc.is_null(siblings), pc.is_valid(keys))
        first = pc.index(only_key, True).as_py()
        for at, text in _iter_valid(siblings):
            if key_name is not None and 0 <= first < at:
                yield {key_name: str}
                first = -1
            yield {name: _kind(value) for name, value in _siblings(text).items()}
        if key_name is not None and first >= 0:
            yield {key_name: str}

    def _sibling_columns(self, predictions: pa.RecordBatch, schema: pa.Schema) -> list[pa.Array]:
        siblings = predictions.column("siblings")
        rows = {at: _siblings(text) for at, text in _iter_valid(siblings)}
        columns = []
        for name in self._kinds:
            kind = schema.field(name).type
            values: list[Any] = [None] * len(siblings)
            for at, row in rows.items():
                value = row.get(name)
                values[at] = _text(value) if kind == pa.string() else value
            column = pa.array(values, kind)
            if name == self._options.reading.key_name and kind == pa.string():
                column = pc.if_else(pc.is_null(siblings), predictions.column("key"), decode_keys(column))
            columns.append(column)
        return columns

    def _count(self, predictions: pa.RecordBatch) -> None:
        report = self.report
        report.prompts += predictions.num_rows
        report.used += predictions.num_rows
        report.count_outcomes(predictions.column("outcome"))
        report.count_repairs(predictions)
        for name in TOKEN_COLUMNS:
            report.tokens[name] += pc.sum(predictions.column(name)).as_py() or 0


def _iter_valid(texts: pa.StringArray) -> Iterator[tuple[int, str]]:
    """Each text and its position, but for nulls."""
    places = pc.indices_nonzero(pc.is_valid(texts))
    return zip(places.to_pylist(), texts.take(places).to_pylist(), strict=True)


def _siblings(text: str) -> dict[str, Any]:
    """The siblings; as text where one is more than JSON allows, such as a number out of range."""
    try:
        return _decode_siblings(text)
    except (ValueError, RecursionError):
        return {name: bytes(raw).decode() for name, raw in _decode_raw_siblings(text).items()}


def _kind(value: Any) -> type:
    """The value's type, where Arrow can hold its like; an object's stands for all that it cannot."""
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        return dict
    return type(value)


def _column_type(kinds: set[type]) -> pa.DataType:
    return _SIBLING_TYPES.get(frozenset(kinds - {NoneType}), pa.string())


def _text(value: Any) -> str | None:
    """A text as it is, anything else as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
