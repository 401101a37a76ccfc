"""Which rows of a prompt set are taken: by an expression, by chance, by number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from geminate.errors import UsageError
from geminate.formats.record_batches import Numbered

# The nodes of polars' own account of an expression that make a row depend on others: aggregates, windows, row counts.
_OTHER_ROWS = re.compile(r'(?<!\\)"(?:Agg|Over|Window)":|(?<!"Column":)(?<!"String":)"Len"')
# Expressions that look at other rows, one for each kind of node. Polars promises its account to nobody, so a version
# in whose account these are not found is not trusted with any.
_KNOWN_TO_LOOK = ("sum(a) > 1", "sum(a) over (partition by b) > 1", "count(*) > 1")
_SPAN_ROWS = 2**20

if TYPE_CHECKING:
    import polars as pl

Mask = Callable[[pa.RecordBatch], np.ndarray]


def compile_where(expression: str, schema: pa.Schema) -> Mask:
    """What tells for each row of a record batch whether the expression is true; null is not.

    Raises:
        UsageError: It is not an expression, names a column that is not there, is not a condition, or looks at other
            rows than the one it decides on.
    """
    import polars as pl

    try:
        condition = pl.sql_expr(expression)
        names = sorted(set(condition.meta.root_names()))
        missing = [name for name in names if name not in schema.names]
        if missing:
            remedy = f"the columns are {', '.join(schema.names)}"
            raise UsageError(f"no column {missing[0]!r}", where=f"--where {expression!r}", remedy=remedy)
        found = pl.DataFrame(schema.empty_table().select(names)).select(condition).dtypes
    except (pl.exceptions.PolarsError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{reason}", where=f"--where {expression!r}") from error
    if not all(map(_looks_at_other_rows, map(pl.sql_expr, _KNOWN_TO_LOOK))):
        reason = f"polars {pl.__version__} does not say what an expression looks at"
        raise UsageError(
            reason, where=f"--where {expression!r}", remedy="install the version before, or filter beforehand"
        )
    if found != [pl.Boolean] or _looks_at_other_rows(condition):
        remedy = "give a condition on a row's own columns, such as a > 1"
        raise UsageError("not a condition on one row", where=f"--where {expression!r}", remedy=remedy)

    def mask(record_batch: pa.RecordBatch) -> np.ndarray:
        frame = pl.DataFrame(record_batch.select(names)).select(condition)
        return np.broadcast_to(frame.to_series().fill_null(value=False).to_numpy(), record_batch.num_rows)

    return mask


def _looks_at_other_rows(condition: pl.Expr) -> bool:
    return bool(_OTHER_ROWS.search(condition.meta.serialize(format="json")))


def draw(rows: int, size: int, seed: int) -> np.ndarray:
    """The numbers, from 0 and in order, of ``size`` rows out of ``rows``, or of all where there are no more.

    A row is drawn if its hash, of the seed and its number, is among the smallest, so the same rows come on every
    machine and version, and a larger size adds rows without changing those drawn before.
    """
    drawn, hashes = np.empty(0, np.uint64), np.empty(0, np.uint64)
    for start in range(0, rows, _SPAN_ROWS):
        span = np.arange(start, min(rows, start + _SPAN_ROWS), dtype=np.uint64)
        drawn, hashes = np.append(drawn, span), np.append(hashes, _splitmix64(span, seed))
        if len(drawn) > size:
            smallest = np.argpartition(hashes, size)[:size]
            drawn, hashes = drawn[smallest], hashes[smallest]
    return np.sort(drawn).astype(np.int64)


def iter_filtered(parts: Iterable[Numbered], mask: Mask | None) -> Iterator[Numbered]:
    """The rows that the mask is true for."""
    for part in parts:
        yield part.filter(mask(part.record_batch)) if mask else part


class Picker:
    """Takes the drawn rows of a stream, and no more than a limit.

    Args:
        drawn: The numbers, from 0 and in order, of the rows to take; None for all.
        limit: How many at most; None for all.
    """

    def __init__(self, drawn: np.ndarray | None, limit: int | None) -> None:
        self._drawn = drawn if drawn is None or limit is None else drawn[:limit]
        self._limit = limit if drawn is None else None
        self._seen = 0

    @property
    def is_done(self) -> bool:
        """Whether no further row can be taken."""
        if self._drawn is not None:
            return not len(self._drawn) or self._seen > self._drawn[-1]
        return self._limit is not None and self._seen >= self._limit

    def iter_picked(self, parts: Iterable[Numbered]) -> Iterator[Numbered]:
        """The rows to take of these, which follow those given before."""
        for part in parts:
            rows = part.record_batch.num_rows
            start, self._seen = self._seen, self._seen + rows
            if self._drawn is not None:
                low, high = np.searchsorted(self._drawn, (start, self._seen))
                mask = np.zeros(rows, bool)
                mask[self._drawn[low:high] - start] = True
                yield part.filter(mask)
            elif self._limit is not None:
                yield part.slice(0, min(rows, self._limit - start))
            else:
                yield part
            if self.is_done:
                return


def _splitmix64(numbers: np.ndarray, seed: int) -> np.ndarray:
    # SplitMix64 of Steele, Lea and Flood, 2014: for one seed a bijection, so no two rows tie.
    return _mix(_mix(np.array([seed % 2**64], np.uint64)) + numbers * np.uint64(0x9E3779B97F4A7C15))


def _mix(words: np.ndarray) -> np.ndarray:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = words ^ (words >> np.uint64(31))
    return mixed
