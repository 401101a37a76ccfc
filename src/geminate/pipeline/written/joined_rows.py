"""Joined rows as a stream that Arrow, polars and pandas take, and as objects of the answer's own type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from geminate.errors import InputError, UsageError
from geminate.pipeline.written.outputs import OpenRows, check_balance, drop
from geminate.wire.answers import AnswerSchema
from geminate.wire.outcomes import Outcome
from geminate.wire.tables import DEFAULT_PREFIX


class AnswerObject(NamedTuple):
    """A joined row and its answer.

    Attributes:
        row: The row, by column.
        answer: The answer as an object of the answer schema's Python type, as plain Python where the schema is a
            mapping; None where the row has no valid one.
        problem: Why there is none although the row is ``ok``: a rule of the type itself, beyond its JSON Schema, such
            as a Pydantic validator, refuses the answer. None otherwise.
    """

    row: dict[str, Any]
    answer: Any
    problem: str | None


class JoinedRows:
    """Joined rows as a stream of record batches, which can be taken once.

    Anything that reads the Arrow C stream takes it as it is: ``pa.RecordBatchReader.from_stream``, polars, DuckDB.

    Args:
        open_rows: Begins to make them.
        answer: What their answers were held against.
        prefix: What the added columns begin with.

    Attributes:
        schema: Their columns.
        report: Their counts, complete after the last record batch.
    """

    def __init__(self, open_rows: OpenRows, answer: AnswerSchema | None = None, prefix: str = DEFAULT_PREFIX) -> None:
        stream = open_rows(drop)
        self.schema = stream.schema
        self.report = stream.report
        self._rows = self._iter_checked(stream.rows)
        self._answer = answer
        self._prefix = prefix

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._rows

    def __next__(self) -> pa.RecordBatch:
        return next(self._rows)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return pa.RecordBatchReader.from_batches(self.schema, self._rows).__arrow_c_stream__(requested_schema)

    def read_next_batch(self) -> pa.RecordBatch:
        """The next record batch.

        Raises:
            StopIteration: There is none.
        """
        return next(self._rows)

    def read_all(self) -> pa.Table:
        """All rows that have not been taken, in memory."""
        return pa.Table.from_batches(self._rows, self.schema)

    def read_pandas(self) -> Any:
        """All rows that have not been taken, as a pandas frame."""
        return self.read_all().to_pandas()

    def read_polars(self) -> Any:
        """All rows that have not been taken, as a polars frame."""
        import polars as pl

        return pl.from_arrow(self.read_all())

    def iter_objects(self) -> Iterator[AnswerObject]:
        """The rows that have not been taken, one by one, each with its answer as an object.

        Every row comes, in order, whatever its outcome. Memory is that of one record batch; each answer is read and
        judged a second time, so that columns are the faster way where they will do.

        Raises:
            UsageError: No answer schema was given, so that nothing says what an answer is.
        """
        if self._answer is None:
            raise UsageError("there is no answer schema", remedy="give a spec that has one")
        return self._iter_objects(self._answer)

    def _iter_objects(self, answer: AnswerSchema) -> Iterator[AnswerObject]:
        outcome, text = f"{self._prefix}outcome", f"{self._prefix}text"
        for record_batch in self._rows:
            for row in record_batch.to_pylist():
                is_answer = row[outcome] == Outcome.OK and row[text] is not None
                yield AnswerObject(row, *(_parse(answer, row[text]) if is_answer else (None, None)))

    def _iter_checked(self, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from rows
        check_balance(self.report)


def _parse(answer: AnswerSchema, text: str) -> tuple[Any, str | None]:
    try:
        return answer.parse(text), None
    except InputError as error:
        return None, error.what
